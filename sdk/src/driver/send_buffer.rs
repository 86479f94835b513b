//! A writer's own buffer beside the outbox.
//!
//! A writer with many messages is granted the stream's credit and a buffer. A message then costs a
//! lock that nobody else wants, until the buffer is full, the credit is used up, or the connection
//! collects the buffer because it writes to the socket.

use std::sync::Arc;

use crate::conn::{Body, SendError, frame_size};
use crate::framing::Prefix;
use crate::sync::Mutex;

/// The capacity of a send buffer: some hundred small messages.
pub(super) const SEND_BUFFER_SIZE: usize = 16 * 1024;

/// The capacities of those of a few writers, by how many have one already: more at once is fewer
/// system calls and fewer turns for the peer. 96 KiB is below what the allocator maps and unmaps
/// each time. Together they are no more than the default room for unsent bytes.
pub(super) const LARGE_SEND_BUFFER_SIZES: [usize; 4] = [96 * 1024, 64 * 1024, 48 * 1024, 48 * 1024];

/// The writer's hold on its send buffer. The connection has another one while the send buffer is
/// granted.
///
/// Locks are taken in one order: the connection's first, then a send buffer's.
#[derive(Clone, Debug)]
pub(crate) struct SendBuffer(Arc<Mutex<Granted>>);

#[derive(Debug)]
struct Granted {
    prefix: Prefix,
    /// The largest frame.
    limit: usize,
    /// Whole frames, and the most bytes of them.
    frames: Vec<u8>,
    size: usize,
    /// The credit that is left; `None` while nothing is granted.
    credit: Option<i64>,
}

impl Granted {
    /// Makes room for a frame of so many bytes, by doubling, up to the most that it holds. A prefix
    /// is written in its longest form and then cut.
    #[inline]
    fn grow_for(&mut self, size: usize) {
        let (held, size) = (self.frames.len(), size + size_of::<Prefix>());
        if self.frames.capacity() - held < size {
            let most = self.size + size_of::<Prefix>();
            self.frames.reserve_exact(held.max(size).min(most - held));
        }
    }
}

impl SendBuffer {
    pub(super) fn new(prefix: Prefix, limit: usize) -> Self {
        let frames = Vec::new();
        Self(Arc::new(Mutex::new(Granted { prefix, limit, frames, size: 0, credit: None })))
    }

    /// Writes a message of `len` bytes, or gives `body` back if the connection must be asked.
    #[inline]
    pub(super) fn send<B: Body>(&self, len: usize, body: B) -> Result<Result<(), SendError>, B> {
        let mut granted = self.0.lock();
        let size = frame_size(len);
        if granted.credit.is_none_or(|left| left <= 0)
            || granted.frames.len() + size > granted.size
            || size > granted.limit
        {
            return Err(body);
        }
        granted.grow_for(size);
        let prefix = granted.prefix;
        let written = prefix.write(&mut granted.frames, len, body).map_err(SendError::from);
        if written.is_ok() {
            granted.credit = granted.credit.map(|left| left.saturating_sub_unsigned(len as u64));
        }
        Ok(written)
    }

    /// The bytes in it, if it is granted.
    pub(super) fn held(&self) -> Option<usize> {
        let granted = self.0.lock();
        granted.credit.map(|_| granted.frames.len())
    }

    /// Grants credit, and an empty buffer for so many bytes.
    pub(super) fn grant(&self, credit: i64, buffer: Vec<u8>, size: usize) {
        let mut granted = self.0.lock();
        (granted.credit, granted.frames, granted.size) = (Some(credit), buffer, size);
    }

    /// Takes back what was granted: the frames and the credit that is left.
    pub(super) fn collect(&self) -> Option<(Vec<u8>, i64)> {
        let mut granted = self.0.lock();
        let credit = granted.credit.take()?;
        Some((std::mem::take(&mut granted.frames), credit))
    }
}

/// The state that a writer needs to remember between its messages.
#[derive(Debug, Default)]
pub(crate) struct Sender {
    pub(super) send_buffer: Option<SendBuffer>,
    /// The ticket in the queue for room, while a write waits for it.
    pub(super) ticket: Option<crate::conn::SendTicket>,
    /// A write has waited for so long that both sides may wait for each other.
    pub(super) stuck: bool,
}

impl Sender {
    /// Writes a message of `len` bytes into the send buffer, or gives `body` back if the connection
    /// must be asked.
    #[inline]
    pub(crate) fn send<B: Body>(&self, len: usize, body: B) -> Result<Result<(), SendError>, B> {
        match &self.send_buffer {
            Some(send_buffer) => send_buffer.send(len, body),
            None => Err(body),
        }
    }

    /// The bytes in the send buffer, if it is granted.
    pub(super) fn held(&self) -> Option<usize> {
        self.send_buffer.as_ref()?.held()
    }

    /// Tells whether there is something to remember.
    pub(crate) fn is_used(&self) -> bool {
        self.send_buffer.is_some() || self.ticket.is_some()
    }

    /// Tells whether to warn the writer of a long wait; once.
    pub(crate) fn take_stuck(&mut self) -> bool {
        std::mem::take(&mut self.stuck)
    }

    /// Tells whether the connection has no room for the message that waits.
    #[inline]
    pub(crate) fn waits_for_room(&self) -> bool {
        self.ticket.is_some()
    }
}

#[cfg(test)]
mod tests {
    use crate::conn::StreamId;
    use crate::wires::{Wire, trpc};

    use super::*;

    /// Fills the send buffer with messages of this size, at most a hundred, and counts them.
    fn fill(send_buffer: &SendBuffer, len: usize) -> usize {
        let send = |_: &i32| {
            send_buffer.send(len, |out: &mut Vec<u8>| out.resize(out.len() + len, 7)).is_ok()
        };
        (0..100).take_while(send).count()
    }

    #[test]
    fn a_send_buffer_takes_no_more_than_it_holds_than_its_credit_and_than_the_largest_frame() {
        let send_buffer = SendBuffer::new(Wire::Trpc(trpc::Trpc).prefix(StreamId(7)), 2_000);
        assert_eq!(fill(&send_buffer, 1), 0, "nothing is granted");
        send_buffer.grant(i64::MAX, Vec::new(), SEND_BUFFER_SIZE);
        assert_eq!(fill(&send_buffer, 1_000), SEND_BUFFER_SIZE / frame_size(1_000));
        assert!(send_buffer.held().is_some_and(|held| held <= SEND_BUFFER_SIZE));
        assert!(send_buffer.collect().is_some());
        // The last message may go beyond the credit.
        send_buffer.grant(2_500, Vec::new(), SEND_BUFFER_SIZE);
        assert_eq!(fill(&send_buffer, 1_000), 3);
        assert_eq!(send_buffer.collect().map(|(_, credit)| credit), Some(-500));
        for (len, size) in [(0, 1_000), (1, 1_000), (1_000, 9_000), (1_000, SEND_BUFFER_SIZE)] {
            send_buffer.grant(i64::MAX, Vec::new(), size);
            assert!(fill(&send_buffer, len) > 0);
            let (frames, _) = send_buffer.collect().expect("it is granted");
            let memory = frames.capacity();
            assert!(memory <= size + size_of::<Prefix>(), "{memory} bytes for {size} of {len}");
        }
        send_buffer.grant(i64::MAX, Vec::new(), SEND_BUFFER_SIZE);
        assert_eq!((fill(&send_buffer, 1_985), fill(&send_buffer, 1_984) > 0), (0, true));
    }
}
