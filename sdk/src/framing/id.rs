//! The names of streams, and the two sides that give them.

/// A stream of one connection. The side that the wire asks chooses the number; it is unique among
/// the streams that are not over.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct StreamId(pub(crate) u64);

/// Our side of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    Client,
    Server,
}

/// The ids that a wire allows for the calls or the streams of one side.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct IdRange {
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) step: u64,
    /// Behind the last comes the first again; else the connection takes no more then.
    pub(crate) comes_round: bool,
}
