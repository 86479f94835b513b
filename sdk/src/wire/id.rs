//! The names of streams.

/// A stream of one connection. The client chooses the number; it is unique among the streams that
/// are not over.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct StreamId(pub(crate) u32);
