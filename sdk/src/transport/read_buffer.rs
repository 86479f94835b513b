//! The read buffer: the bytes that the peer has sent, and the frames in them.

use std::io;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};

use crate::conn::{Connection, Front, MAX_HEADER};
use crate::wire::{Begun, Decoder, Frame, Skip, StreamId, WireError};

use super::Input;

/// How many frames are handled under one lock: about 2 µs, so that a writer who meets the lock spins rather than sleeps.
pub(super) const FRAMES_PER_LOCK: usize = 128;

/// The room a read offers, at first and at most. It doubles when a read fills it. A message that is not read keeps its whole buffer in
/// memory, so this is also what a slow reader may cost beside its messages; writers hand over no more at once either.
const READ_MIN: usize = 4 * 1024;
const READ_MAX: usize = 64 * 1024;

/// A header from this size on is work to be reckoned with. Others are little beside their frame.
const LARGE_HEADER: usize = 2 * 1024;

/// So many bytes of large headers are as much work as a usual frame. Metadata costs some 5 ns a byte.
const HEADER_AS_FRAME: usize = 128;

/// So much of a frame that is begun may be in memory without being counted: the account's step.
const UNCOUNTED: usize = 4 * 1024;

/// The bytes that were read and not decoded, and the frames that were decoded and not handled.
pub(super) struct ReadBuffer {
    decoder: Decoder,
    bytes: BytesMut,
    /// The room of the frame at the front, if it has memory of its own; else 0.
    granted: usize,
    /// The room of `bytes` may be larger than the smallest.
    is_large: bool,
    /// So many bytes are still to come of a frame that is not taken.
    skip: usize,
    /// A frame was not taken.
    skipped: bool,
    /// The largest frame that came whole. Who announces one no larger is believed.
    proven: usize,
    read_size: usize,
    pub(super) headers: Headers,
    pub(super) frames: Vec<Frame>,
}

impl ReadBuffer {
    /// For what comes on this connection.
    pub(super) fn of(conn: &Connection) -> Self {
        let config = conn.config();
        Self::new(Decoder::new(conn.side(), config.max_received).with_max_header(config.max_header))
    }

    pub(super) fn new(decoder: Decoder) -> Self {
        Self {
            decoder,
            bytes: BytesMut::new(),
            granted: 0,
            is_large: false,
            skip: 0,
            skipped: false,
            proven: 0,
            read_size: READ_MIN,
            headers: Headers::default(),
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
        self.drop_skipped();
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
            match self.decoder.decode(&mut self.bytes) {
                // It is large, so it is moved once only.
                Ok(Some(frame)) => {
                    let size = there - self.bytes.len();
                    if size > LARGE_HEADER {
                        self.headers.add(&frame, size);
                    }
                    self.frames.push(frame);
                }
                Ok(None) if self.refuse_meta() => continue,
                Ok(None) => break,
                Err(WireError::FrameTooLarge { .. }) => match self.decoder.begun(&self.bytes) {
                    Some((of, size)) => {
                        self.refuse(of, size, Skip::TooLarge);
                        continue;
                    }
                    None => break,
                },
                Err(error) => return Err(error),
            }
            // What comes behind a large frame must not keep its memory.
            if std::mem::take(&mut self.granted) > 0 {
                self.proven = self.proven.max(there - self.bytes.len());
                self.leave_buffer();
            }
        }
        Ok(())
    }

    /// What a large frame at the front needs in memory to go on, if that is more than it has; what it is about, and how large it is. The room
    /// doubles as the frame's bytes come, up to what is announced, unless the peer has sent one as large before.
    #[inline]
    pub(super) fn wants(&self) -> Option<(usize, Begun, usize)> {
        if self.bytes.is_empty() || self.bytes.len() < self.granted {
            return None;
        }
        let missing = self.decoder.missing(&self.bytes);
        if missing <= READ_MAX && self.granted == 0 {
            return None;
        }
        // Its headers have to be there, which one read takes.
        let (of, size) = self.decoder.begun(&self.bytes)?;
        let room = (2 * self.bytes.len()).max(READ_MIN).max(self.proven).min(size);
        Some((room, of, size))
    }

    /// The large frame at the front has so much room from now on. No more than that: to grow by doubling would take twice what is announced.
    pub(super) fn grant(&mut self, room: usize) {
        let mut bytes = BytesMut::with_capacity(room);
        bytes.extend_from_slice(&self.bytes);
        (self.bytes, self.granted, self.is_large) = (bytes, room, false);
    }

    /// No more comes for now. What is there of a frame must not keep a read buffer for as long: it gets
    /// memory of its own. `true` if that is so much that it counts.
    #[inline]
    pub(super) fn settle(&mut self) -> bool {
        if !self.is_large || self.bytes.is_empty() || self.granted > 0 {
            return false;
        }
        if self.bytes.len() <= UNCOUNTED {
            self.leave_buffer();
            return false;
        }
        // Of one that is larger than a read, the headers end within the room. Then it asks, or is refused.
        let more = match self.decoder.missing(&self.bytes) {
            0 => READ_MAX,
            missing => missing.min(READ_MAX),
        };
        self.grant(self.bytes.len() + more);
        true
    }

    /// Goes on in memory that what is there fills.
    fn leave_buffer(&mut self) {
        (self.bytes, self.is_large) = (BytesMut::from(&self.bytes[..]), false);
    }

    /// What the connection's account has for the frame at the front.
    pub(super) fn counted(&self) -> usize {
        self.granted
    }

    /// The frame at the front is not taken: its bytes are dropped as they come.
    pub(super) fn refuse(&mut self, of: Begun, size: usize, why: Skip) {
        self.frames.push(Frame::Skipped { of, size, why });
        (self.skip, self.skipped) = (size, true);
        self.drop_skipped();
        if std::mem::take(&mut self.granted) > 0 {
            self.leave_buffer();
        }
    }

    /// A meta message of a stream that is so large is not looked into, and so it need not come.
    fn refuse_meta(&mut self) -> bool {
        if self.decoder.missing(&self.bytes) <= READ_MAX {
            return false;
        }
        match self.decoder.begun(&self.bytes) {
            Some((of @ Begun::Control(_), size)) => {
                self.refuse(of, size, Skip::TooLarge);
                true
            }
            _ => false,
        }
    }

    fn drop_skipped(&mut self) {
        if self.skip > 0 {
            let dropped = self.skip.min(self.bytes.len());
            self.bytes.advance(dropped);
            self.skip -= dropped;
        }
    }

    /// What is there of the next frame.
    #[inline]
    pub(super) fn front(&self) -> Front {
        // Of one that is not taken, it does not matter how much has come.
        Front { came: if self.skip > 0 { 1 } else { self.bytes.len() }, skipped: self.skip > 0 }
    }

    /// Whether a whole frame has come.
    pub(super) fn has_come(&self) -> bool {
        self.skip == 0 && (self.skipped || !self.frames.is_empty())
    }

    /// The message at the front, if it is large and has no room yet: the next read makes it, so this is told once.
    pub(super) fn arriving(&self) -> Option<(StreamId, u32)> {
        if self.granted > 0 || self.decoder.missing(&self.bytes) <= READ_MAX {
            return None;
        }
        self.decoder.message(&self.bytes)
    }

    /// Whether there may be more frames than those that were found.
    pub(super) fn is_full(&self) -> bool {
        self.frames.len() == FRAMES_PER_LOCK
    }

    /// Whether nothing is there that was not handled.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.frames.is_empty()
    }

    /// Drops all of it.
    pub(super) fn clear(&mut self) {
        (self.bytes, self.frames, self.granted) = (BytesMut::new(), Vec::new(), 0);
        self.is_large = false;
    }

    /// Offers the next read a size that follows the traffic. A large frame has its room already.
    fn make_room(&mut self) {
        if self.granted > 0 {
            return;
        }
        let wanted = self.read_size.max(self.decoder.missing(&self.bytes).min(READ_MAX));
        if self.bytes.capacity() - self.bytes.len() < wanted / 2 {
            self.bytes.reserve(wanted);
            self.is_large |= wanted > READ_MIN;
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

/// The large headers that one poll has decoded.
#[derive(Clone, Copy, Default)]
pub(super) struct Headers {
    size: usize,
    /// Some could not be accepted.
    pub(super) refused: bool,
}

impl Headers {
    fn add(&mut self, frame: &Frame, size: usize) {
        self.size += match frame {
            Frame::Data { .. } => 0,
            Frame::Request { body, attachment, .. } | Frame::Response { body, attachment, .. } => {
                size - body.len() - attachment.len()
            }
            _ => size.min(MAX_HEADER),
        };
        self.refused |= matches!(frame, Frame::BadUnary { .. } | Frame::BadStream { .. });
    }

    /// The number of usual frames as which they count.
    pub(super) fn as_frames(self) -> usize {
        self.size / HEADER_AS_FRAME
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use crate::conn::{StreamId, write_data};
    use crate::wire::{HEADER_LEN, Side};

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

    /// Grants whatever is asked for. Says how often the buffer became larger.
    fn feed(read_buffer: &mut ReadBuffer, bytes: &[u8]) -> usize {
        let mut source = Source { left: bytes.to_vec(), room: read_buffer.bytes.capacity(), grown: 0 };
        while !source.left.is_empty() {
            if let Some((room, ..)) = read_buffer.wants() {
                read_buffer.grant(room);
            }
            let polled = read_buffer.poll_read(&mut source, &mut Context::from_waker(Waker::noop()));
            assert!(matches!(polled, Poll::Ready(Ok(1..))));
        }
        source.grown
    }

    fn read_buffer() -> ReadBuffer {
        ReadBuffer::new(Decoder::new(Side::Client, 10 * MIB))
    }

    #[test]
    fn a_peer_that_has_sent_a_large_frame_gets_room_for_the_next_at_once_and_for_no_larger_one() {
        let mut read_buffer = read_buffer();
        assert!(feed(&mut read_buffer, &frame(MIB)) > 3, "its room grows as it comes");
        read_buffer.decode().unwrap();
        assert_eq!(read_buffer.frames.len(), 1);
        assert!(
            read_buffer.bytes.is_empty() && read_buffer.bytes.capacity() < READ_MAX,
            "the frame took its memory along"
        );

        let next = frame(MIB);
        assert_eq!(
            feed(&mut read_buffer, &next[..20_000]),
            2,
            "some for the header, and all that is announced"
        );
        assert_eq!(feed(&mut read_buffer, &next[20_000..]), 0);
        read_buffer.decode().unwrap();

        feed(&mut read_buffer, &frame(8 * MIB)[..20_000]);
        assert!(
            read_buffer.bytes.capacity() < 2 * MIB,
            "an announcement alone gets no more than was sent before"
        );
    }

    #[test]
    fn a_frame_gets_no_more_memory_than_it_says_it_takes() {
        let mut read_buffer = read_buffer();
        let large = frame(9 * MIB);
        feed(&mut read_buffer, &large[..large.len() - 1]);
        let held = (read_buffer.bytes.capacity(), read_buffer.counted());
        assert_eq!(held, (large.len(), large.len()), "not 16 MiB, as by doubling");
        feed(&mut read_buffer, &large[large.len() - 1..]);
        read_buffer.decode().unwrap();
        assert_eq!(
            (read_buffer.frames.len(), read_buffer.counted(), read_buffer.front()),
            (1, 0, Front::default())
        );
    }

    /// Reads until no more comes. Says how many messages came, and whether what is there of another
    /// one counts from then on.
    fn read_and_wait(read_buffer: &mut ReadBuffer, bytes: &[u8]) -> (usize, bool) {
        let mut source = Source { left: bytes.to_vec(), room: 0, grown: 0 };
        let mut messages = 0;
        while let Poll::Ready(read) =
            read_buffer.poll_read(&mut source, &mut Context::from_waker(Waker::noop()))
        {
            assert!(read.unwrap() > 0, "there is always room");
            read_buffer.decode().unwrap();
            for frame in read_buffer.frames.drain(..) {
                let Frame::Data { messages: run, .. } = frame else { panic!("{frame:?}") };
                messages += run.count();
            }
        }
        (messages, read_buffer.settle())
    }

    #[test]
    fn what_is_there_of_a_frame_keeps_no_read_buffer_while_no_more_comes_and_counts_if_it_is_much() {
        let (large, other) = (frame(60_000), [frame(30_000), frame(30_000)].concat());
        for there in [1, UNCOUNTED, UNCOUNTED + 1, large.len() - 1] {
            let (mut read_buffer, counts) = (read_buffer(), there > UNCOUNTED);
            assert_eq!(read_and_wait(&mut read_buffer, &[&other, &large[..there]].concat()), (2, counts));
            let (held, counted) = if counts { (large.len(), large.len()) } else { (there, 0) };
            assert_eq!((read_buffer.bytes.capacity(), read_buffer.counted()), (held, counted));
            assert_eq!(read_and_wait(&mut read_buffer, &[]), (0, false), "it is told once");

            assert_eq!(read_and_wait(&mut read_buffer, &[&large[there..], &other].concat()), (3, false));
            assert_eq!((read_buffer.counted(), read_buffer.front().came), (0, 0));
        }
    }

    #[test]
    fn headers_that_no_read_has_brought_whole_get_no_more_room_than_a_read_takes() {
        // Requests of 5 MB, and of more than may be, of whose headers there is half.
        for size in [0x00, 0x7f] {
            let mut read_buffer = read_buffer();
            let mut begun = vec![0x09, 0x30, 0, 0, size, 0x4c, 0x4b, 0x40, 0xff, 0xff, 0, 0, 0, 1, 1, 0];
            begun.resize(30_000, 0);
            assert_eq!(read_and_wait(&mut read_buffer, &begun), (0, true));
            assert_eq!(read_buffer.counted(), begun.len() + READ_MAX);
        }
    }

    #[test]
    fn a_frame_that_is_too_large_is_told_once_its_headers_are_there_and_its_bytes_are_not_kept() {
        let mut read_buffer = ReadBuffer::new(Decoder::new(Side::Client, MIB));
        let (large, small) = (frame(3 * MIB), frame(100));
        feed(&mut read_buffer, &large[..HEADER_LEN - 1]);
        read_buffer.decode().unwrap();
        assert!(read_buffer.frames.is_empty() && !read_buffer.has_come());
        feed(&mut read_buffer, &large[HEADER_LEN - 1..20_000]);
        read_buffer.decode().unwrap();
        let told = Frame::Skipped { of: Begun::Data(StreamId(7)), size: large.len(), why: Skip::TooLarge };
        assert_eq!(read_buffer.frames, [told]);
        assert_eq!((read_buffer.front(), read_buffer.has_come()), (Front { came: 1, skipped: true }, false));
        read_buffer.frames.clear();

        feed(&mut read_buffer, &large[20_000..]);
        read_buffer.decode().unwrap();
        assert!(read_buffer.frames.is_empty() && read_buffer.has_come(), "nothing more is said of it");
        assert!(read_buffer.bytes.capacity() <= 2 * READ_MAX, "{}", read_buffer.bytes.capacity());
        feed(&mut read_buffer, &small);
        read_buffer.decode().unwrap();
        assert!(matches!(read_buffer.frames[..], [Frame::Data { .. }]), "what comes behind it does");
    }

    #[test]
    fn a_meta_message_that_would_not_be_looked_into_need_not_come() {
        let mut read_buffer = read_buffer();
        // INIT of 5 MB.
        feed(&mut read_buffer, &[0x09, 0x30, 1, 1, 0, 0x4c, 0x4b, 0x40, 0, 0, 0, 0, 0, 100, 0, 0]);
        read_buffer.decode().unwrap();
        let of = Begun::Control(StreamId(100));
        assert_eq!(read_buffer.frames, [Frame::Skipped { of, size: 5_000_000, why: Skip::TooLarge }]);
        assert_eq!(read_buffer.granted, 0);
    }
}
