//! What all calls of one server share.

use crate::stream::Compression;
use crate::transport::Seat;

use super::drain::Drain;

/// What a server tells each of its calls.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) drain: Drain,
    /// How answers of unary calls are compressed; `None`: as their requests are.
    pub(crate) compression: Option<Option<Compression>>,
    /// How many calls and streams the server works on at once, at most.
    pub(crate) max_calls: usize,
    /// Their places: each is a clone of this one.
    seats: Seat,
}

impl Host {
    pub(crate) fn new(max_calls: usize, compression: Option<Option<Compression>>) -> Self {
        Self { drain: Drain::default(), compression, max_calls, seats: Seat::default() }
    }

    /// A place for a call, if one is free. The place is taken before the count is looked at, so that there are never too many.
    pub(super) fn seat(&self) -> Option<Seat> {
        let seat = Seat::clone(&self.seats);
        (Seat::strong_count(&self.seats) - 1 <= self.max_calls).then_some(seat)
    }
}
