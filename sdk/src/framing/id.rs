//! The names of streams, and the two sides that give them.

/// A stream of one connection. The client chooses the number; it is unique among the streams that
/// are not over.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct StreamId(pub(crate) u32);

/// Our side of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    Client,
    Server,
}
