//! Loops and joins over futures.
