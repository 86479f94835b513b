//! One folder for each wire, which can be read alone.

pub(crate) mod trpc;
