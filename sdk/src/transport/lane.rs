//! A writer's own piece of the outbox.
//!
//! A writer that has much to say is lent the stream's credit and a buffer. What it writes then costs a lock that nobody else wants, until the
//! buffer is full, the credit is used up, or the connection collects the buffer because it writes to the socket.

use std::sync::Arc;

use crate::conn::{Body, SendError, StreamId, frame_size, write_data};
use crate::sync::Mutex;

/// What a lane holds at most: some hundred small messages.
pub(super) const LANE: usize = 16 * 1024;

/// The writer's hold on its lane. The connection has another one while the lane is lent.
///
/// Locks are taken in one order: the connection's first, then a lane's.
#[derive(Clone, Debug)]
pub(crate) struct Lane(Arc<Mutex<Lent>>);

#[derive(Debug)]
struct Lent {
    id: StreamId,
    /// The largest frame.
    limit: usize,
    /// Whole frames.
    frames: Vec<u8>,
    /// What may still be written; `None` while nothing is lent.
    credit: Option<i64>,
}

impl Lane {
    pub(super) fn new(id: StreamId, limit: usize) -> Self {
        Self(Arc::new(Mutex::new(Lent { id, limit, frames: Vec::new(), credit: None })))
    }

    /// Writes a message of `len` bytes, or gives `body` back if the connection must be asked.
    #[inline]
    pub(super) fn send<B: Body>(&self, len: usize, body: B) -> Result<Result<(), SendError>, B> {
        let mut lent = self.0.lock();
        let size = frame_size(len);
        if lent.credit.is_none_or(|left| left <= 0) || lent.frames.len() + size > LANE || size > lent.limit {
            return Err(body);
        }
        let id = lent.id;
        let written = write_data(&mut lent.frames, id, len, body);
        if written.is_ok() {
            lent.credit = lent.credit.map(|left| left.saturating_sub_unsigned(len as u64));
        }
        Ok(written)
    }

    /// How many bytes are in it, if it is lent.
    pub(super) fn held(&self) -> Option<usize> {
        let lent = self.0.lock();
        lent.credit.map(|_| lent.frames.len())
    }

    pub(super) fn lend(&self, credit: i64, buffer: Vec<u8>) {
        let mut lent = self.0.lock();
        (lent.credit, lent.frames) = (Some(credit), buffer);
    }

    /// Takes back what was lent: the frames and the credit that is left.
    pub(super) fn take_back(&self) -> Option<(Vec<u8>, i64)> {
        let mut lent = self.0.lock();
        let credit = lent.credit.take()?;
        Some((std::mem::take(&mut lent.frames), credit))
    }
}

/// What a writer needs to remember between its messages.
#[derive(Debug, Default)]
pub(crate) struct Sender {
    pub(super) lane: Option<Lane>,
    /// A place in the queue for room, while a write waits for it.
    pub(super) ticket: Option<crate::conn::Ticket>,
    /// A write has waited for so long that both sides may wait for each other.
    pub(super) stuck: bool,
}

impl Sender {
    /// Whether there is something to remember.
    pub(crate) fn is_used(&self) -> bool {
        self.lane.is_some() || self.ticket.is_some()
    }

    /// Whether whoever writes is to be told that it has waited for long; once.
    pub(crate) fn take_stuck(&mut self) -> bool {
        std::mem::take(&mut self.stuck)
    }

    /// Whether the connection has no room for the message that waits.
    #[inline]
    pub(crate) fn waits_for_room(&self) -> bool {
        self.ticket.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many messages of this size the lane takes, of a hundred.
    fn fill(lane: &Lane, len: usize) -> usize {
        let send = |_: &i32| lane.send(len, |out: &mut Vec<u8>| out.resize(out.len() + len, 7)).is_ok();
        (0..100).take_while(send).count()
    }

    #[test]
    fn a_lane_takes_no_more_than_it_holds_than_its_credit_and_than_the_largest_frame() {
        let lane = Lane::new(StreamId(7), 2_000);
        assert_eq!(fill(&lane, 1), 0, "nothing is lent");
        lane.lend(i64::MAX, Vec::new());
        assert_eq!(fill(&lane, 1_000), LANE / frame_size(1_000));
        assert!(lane.held().is_some_and(|held| held <= LANE));
        assert!(lane.take_back().is_some());
        // The last message may go beyond the credit.
        lane.lend(2_500, Vec::new());
        assert_eq!(fill(&lane, 1_000), 3);
        assert_eq!(lane.take_back().map(|(_, credit)| credit), Some(-500));
        lane.lend(i64::MAX, Vec::new());
        assert_eq!((fill(&lane, 1_985), fill(&lane, 1_984) > 0), (0, true));
    }
}
