//! What the peer has sent: how much is read at once, and which frames are in it.

use std::io;
use std::task::{Context, Poll};

use bytes::BytesMut;

use crate::wire::{Decoder, Frame, StreamId, WireError};

use super::Input;

/// How many frames are handled under one lock: about 2 µs, so that a writer who meets the lock spins rather than sleeps.
pub(super) const FRAMES_PER_LOCK: usize = 128;

/// The room a read offers, at first and at most. It doubles when a read fills it. A message that is not read keeps its whole buffer in
/// memory, so this is also what a slow reader may cost beside its messages; writers hand over no more at once either.
const READ_MIN: usize = 4 * 1024;
const READ_MAX: usize = 64 * 1024;

/// The first room for a frame that is larger. It doubles as the frame's bytes come, unless the peer has sent one as large before.
const LARGE_MIN: usize = 256 * 1024;

/// The bytes that were read and not decoded, and the frames that were decoded and not handled.
pub(super) struct Intake {
    decoder: Decoder,
    bytes: BytesMut,
    /// There is room for one large frame, which is at the front.
    large: bool,
    /// The largest frame that came whole. Who announces one no larger is believed.
    proven: usize,
    read_size: usize,
    pub(super) frames: Vec<Frame>,
}

impl Intake {
    pub(super) fn new(decoder: Decoder) -> Self {
        Self {
            decoder,
            bytes: BytesMut::new(),
            large: false,
            proven: 0,
            read_size: READ_MIN,
            frames: Vec::new(),
        }
    }

    /// Reads what is there, or waits for it. 0 is the end.
    pub(super) fn poll_read(
        &mut self,
        input: &mut dyn Input,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        self.make_room();
        let room = self.bytes.capacity() - self.bytes.len();
        let polled = input.poll_read(cx, &mut self.bytes);
        match polled {
            Poll::Pending => self.shrink(),
            Poll::Ready(Ok(count)) if count == room => self.read_size = (self.read_size * 2).min(READ_MAX),
            Poll::Ready(_) => {}
        }
        polled
    }

    /// Finds the frames in what was read, as many as are handled at once.
    pub(super) fn decode(&mut self) -> Result<(), WireError> {
        while !self.is_full() {
            let there = self.bytes.len();
            let Some(frame) = self.decoder.decode(&mut self.bytes)? else { break };
            self.frames.push(frame);
            // What comes behind a large frame must not keep its memory.
            if std::mem::take(&mut self.large) {
                self.proven = self.proven.max(there - self.bytes.len());
                self.bytes = BytesMut::from(&self.bytes[..]);
            }
        }
        Ok(())
    }

    /// The message at the front, if it is large and has no room yet: the next read makes it, so this is told once.
    pub(super) fn arriving(&self) -> Option<(StreamId, u32)> {
        if self.large || self.decoder.missing(&self.bytes) <= READ_MAX {
            return None;
        }
        self.decoder.message(&self.bytes)
    }

    /// Whether there may be more frames than those that were found.
    pub(super) fn is_full(&self) -> bool {
        self.frames.len() == FRAMES_PER_LOCK
    }

    /// Drops all of it.
    pub(super) fn clear(&mut self) {
        (self.bytes, self.frames) = (BytesMut::new(), Vec::new());
    }

    /// Offers the next read a size that follows the traffic. A frame that announces more than its peer ever sent gets its room as its
    /// bytes come; else it gets all at once, because to grow a buffer is to copy it.
    fn make_room(&mut self) {
        let missing = self.decoder.missing(&self.bytes);
        self.large |= missing > READ_MAX;
        let wanted = self.read_size.max(missing.min(self.bytes.len().max(LARGE_MIN).max(self.proven)));
        if self.bytes.capacity() - self.bytes.len() < wanted / 2 {
            self.bytes.reserve(wanted);
        }
    }

    /// An idle connection holds no buffer, and a quiet one no large one.
    fn shrink(&mut self) {
        if !self.bytes.is_empty() {
            return;
        }
        if self.read_size == READ_MIN || self.bytes.capacity() > READ_MAX {
            self.clear();
        }
        self.read_size = (self.read_size / 2).max(READ_MIN);
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use crate::conn::{StreamId, write_data};
    use crate::wire::Side;

    use super::*;

    const MIB: usize = 1024 * 1024;

    /// Gives 10,000 bytes at once, and counts how often it is offered another buffer than before.
    struct Source {
        left: Vec<u8>,
        room: usize,
        grown: usize,
    }

    impl Input for Source {
        fn poll_read(&mut self, _: &mut Context<'_>, buf: &mut BytesMut) -> Poll<io::Result<usize>> {
            if self.left.is_empty() {
                return Poll::Pending;
            }
            self.grown += usize::from(buf.capacity() > self.room);
            self.room = buf.capacity();
            let count = self.left.len().min(10_000).min(buf.capacity() - buf.len());
            buf.extend_from_slice(&self.left[..count]);
            self.left.drain(..count);
            Poll::Ready(Ok(count))
        }

        fn is_closed(&self) -> bool {
            false
        }
    }

    fn frame(size: usize) -> Vec<u8> {
        let mut frame = Vec::new();
        write_data(&mut frame, StreamId(7), size, |out: &mut Vec<u8>| out.resize(out.len() + size, 7))
            .unwrap();
        frame
    }

    /// Says how often the buffer became larger.
    fn feed(intake: &mut Intake, bytes: &[u8]) -> usize {
        let mut source = Source { left: bytes.to_vec(), room: intake.bytes.capacity(), grown: 0 };
        while !source.left.is_empty() {
            let polled = intake.poll_read(&mut source, &mut Context::from_waker(Waker::noop()));
            assert!(matches!(polled, Poll::Ready(Ok(1..))));
        }
        source.grown
    }

    #[test]
    fn a_peer_that_has_sent_a_large_frame_gets_room_for_the_next_at_once_and_for_no_larger_one() {
        let mut intake = Intake::new(Decoder::new(Side::Client, 10 * MIB));
        assert!(feed(&mut intake, &frame(MIB)) > 3, "its room grows as it comes");
        intake.decode().unwrap();
        assert_eq!(intake.frames.len(), 1);
        assert!(
            intake.bytes.is_empty() && intake.bytes.capacity() < READ_MAX,
            "the frame took its memory along"
        );

        let next = frame(MIB);
        assert_eq!(feed(&mut intake, &next[..20_000]), 2, "some for the header, and all that is announced");
        assert_eq!(feed(&mut intake, &next[20_000..]), 0);
        intake.decode().unwrap();

        feed(&mut intake, &frame(8 * MIB)[..20_000]);
        assert!(intake.bytes.capacity() < 2 * MIB, "an announcement alone gets no more than was sent before");
    }
}
