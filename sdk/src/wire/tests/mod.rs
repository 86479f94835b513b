//! Golden bytes, malformed bytes, captures of other implementations, and round trips.
