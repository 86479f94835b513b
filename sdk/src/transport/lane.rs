//! A writer's own piece of the outbox.
//!
//! A writer that has much to say is lent the stream's credit and a buffer. What it writes then costs a lock that nobody else wants, until the
//! buffer is full, the credit is used up, or the connection collects the buffer because it writes to the socket.

use std::sync::Arc;

use crate::conn::{SendError, StreamId, frame_size, write_data};
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

    /// Writes a message of `len` bytes, or gives `write` back if the connection must be asked.
    #[inline]
    pub(super) fn send<F: FnOnce(&mut Vec<u8>)>(
        &self,
        len: usize,
        write: F,
    ) -> Result<Result<(), SendError>, F> {
        let mut lent = self.0.lock();
        let size = frame_size(len);
        if lent.credit.is_none_or(|left| left <= 0) || lent.frames.len() + size > LANE || size > lent.limit {
            return Err(write);
        }
        let id = lent.id;
        let written = write_data(&mut lent.frames, id, len, write);
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
}

impl Sender {
    /// Whether there is something to remember.
    pub(crate) fn is_used(&self) -> bool {
        self.lane.is_some() || self.ticket.is_some()
    }

    /// Whether the connection has no room for the message that waits.
    pub(crate) fn waits_for_room(&self) -> bool {
        self.ticket.is_some()
    }
}
