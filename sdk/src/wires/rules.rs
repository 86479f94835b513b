//! The rules in which wires differ, as data that the engine follows.

use crate::framing::IdRange;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Rules {
    /// The ids of this side's streams and calls.
    pub(crate) streams: IdRange,
    pub(crate) calls: IdRange,
    /// A server returns all credit before it ends a stream.
    pub(crate) credit_before_end: bool,
}
