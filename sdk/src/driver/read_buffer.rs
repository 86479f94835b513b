//! The read buffer: the bytes that the peer has sent, and the frames in them.

mod spares;
#[cfg(test)]
mod tests;

use std::ops::RangeInclusive;
use std::task::{Context, Poll};
use std::{io, mem};

use bytes::{Buf, BytesMut};

use crate::conn::{Answer, Connection, Front, MAX_HEADER};
use crate::framing::{COPIED, StreamId};
use crate::wires::{Begun, Decoder, Found, Garbage, Input, Skip};

use crate::transport;

use spares::{SPARE_FROM, Spares};

/// How many frames are handled under one lock: about 2 µs, so that a writer who meets the lock
/// spins rather than sleeps.
pub(super) const FRAMES_PER_LOCK: usize = 128;

/// The room a read offers, at first and at most. It doubles when a read fills it. A message that is
/// not read keeps its whole buffer in memory, so this is also what a slow reader may cost beside
/// its messages; writers hand over no more at once either.
const READ_MIN: usize = 4 * 1024;
const READ_MAX: usize = 64 * 1024;

/// A header from this size on is work to be reckoned with. Others are little beside their frame.
const LARGE_HEADER: usize = 2 * 1024;

/// The bytes of large headers that are as much work as a usual frame. Metadata costs some 5 ns a
/// byte.
const HEADER_AS_FRAME: usize = 128;

/// The bytes of a begun frame that may be in memory without being counted: the account's step.
const UNCOUNTED: usize = 4 * 1024;

/// The bytes that were read and not decoded, and the frames that were decoded and not handled.
pub(super) struct ReadBuffer {
    decoder: Decoder,
    bytes: BytesMut,
    /// The size of the memory that `bytes` and what was cut from it share.
    memory: usize,
    /// The room of the frame at the front, if it has memory of its own; else 0.
    granted: usize,
    /// The room of `bytes` may be larger than the smallest.
    is_large: bool,
    /// The bytes that are still to come of a frame that is not taken.
    skip: usize,
    /// A frame was not taken.
    skipped: bool,
    /// The largest frame that came whole. A peer that announces one no larger is believed.
    proven: usize,
    read_size: usize,
    /// A large body of a call is a slice of `bytes`: who gets it may ask whether it has it alone.
    lends_body: bool,
    spares: Spares,
    /// Their bytes in the connection's account.
    told_spares: usize,
    pub(super) headers: Headers,
    pub(super) frames: Vec<Input>,
}

/// The room for a large frame that has begun.
#[derive(Clone, Copy, Debug)]
pub(super) struct WantedRoom {
    pub(super) bytes: usize,
    /// Its call or stream.
    pub(super) of: Begun,
    /// The size that it announces.
    pub(super) size: usize,
}

impl ReadBuffer {
    /// For what comes on this connection.
    pub(super) fn of(conn: &Connection) -> Self {
        Self::new(conn.decoder())
    }

    fn new(decoder: Decoder) -> Self {
        Self {
            decoder,
            bytes: BytesMut::new(),
            memory: 0,
            granted: 0,
            is_large: false,
            skip: 0,
            skipped: false,
            proven: 0,
            read_size: READ_MIN,
            lends_body: false,
            spares: Spares::default(),
            told_spares: 0,
            headers: Headers::default(),
            frames: Vec::new(),
        }
    }

    /// Reads what is there, or waits for it. 0 is the end.
    pub(super) fn poll_read(
        &mut self,
        input: &mut dyn transport::ReadEnd,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        self.make_room();
        let room = self.bytes.capacity() - self.bytes.len();
        let polled = input.poll_read(cx, &mut self.bytes);
        self.drop_skipped();
        match polled {
            Poll::Pending => self.shrink(),
            Poll::Ready(Ok(count)) if count == room => {
                self.read_size = (self.read_size * 2).min(READ_MAX);
            }
            Poll::Ready(_) => {}
        }
        polled
    }

    /// Finds the frames in what was read, as many as are handled at once.
    pub(super) fn decode(&mut self) -> Result<(), Garbage> {
        while !self.is_full() {
            let there = self.bytes.len();
            match self.decoder.decode_to(&mut self.frames, &mut self.bytes)? {
                Found::Frame => self.note_frame(there - self.bytes.len()),
                Found::Part if self.refuse_meta() => continue,
                Found::Part => break,
                // PROTOCOL 3, 5
                Found::TooLarge => match self.decoder.begun(&self.bytes) {
                    Some((of, size)) => {
                        self.refuse(of, size, Skip::TooLarge);
                        continue;
                    }
                    None => break,
                },
            }
            // The bytes behind a large frame must not keep its memory.
            if mem::take(&mut self.granted) > 0 {
                self.proven = self.proven.max(there - self.bytes.len());
                self.leave_buffer();
            }
        }
        Ok(())
    }

    /// A frame of so many bytes was found.
    #[inline]
    fn note_frame(&mut self, size: usize) {
        if let Some(frame) = self.frames.last_mut() {
            frame.set_memory(self.memory);
            if size > LARGE_HEADER {
                self.headers.add(frame, size);
                self.lends_body |= size > COPIED && !matches!(frame, Input::Messages { .. });
            }
        }
        if self.frames.len() == 1 {
            // There may be room for as many of its size, without growing on the way.
            self.frames.reserve_exact((self.bytes.len() / size).min(FRAMES_PER_LOCK - 1));
        }
    }

    /// The room that a large frame at the front needs to go on, if that is more than it has. It
    /// doubles as the frame's bytes come, up to what is announced, unless the peer has sent one as
    /// large before.
    #[inline]
    pub(super) fn wants(&self) -> Option<WantedRoom> {
        if self.bytes.is_empty() || self.bytes.len() < self.granted {
            return None;
        }
        let missing = self.decoder.missing(&self.bytes);
        if missing <= READ_MAX && self.granted == 0 {
            return None;
        }
        // Its headers have to be there, which one read takes.
        let (of, size) = self.decoder.begun(&self.bytes)?;
        // PROTOCOL 5
        let room = (2 * self.bytes.len()).max(READ_MIN).max(self.proven).min(size);
        Some(WantedRoom { bytes: room, of, size })
    }

    /// The large frame at the front has so much room from now on. No more than that: to grow by
    /// doubling would take twice what is announced.
    pub(super) fn grant(&mut self, room: usize) {
        self.move_to(room, room..=room);
        (self.granted, self.is_large) = (room, false);
    }

    /// Goes on in new memory of that size, or in spare memory of one of the sizes in `spare`.
    fn move_to(&mut self, memory: usize, spare: RangeInclusive<usize>) {
        let (mut bytes, memory) = match self.spares.take(spare) {
            Some(spare) => spare,
            None => (BytesMut::with_capacity(memory), memory),
        };
        bytes.extend_from_slice(&self.bytes);
        let bytes = mem::replace(&mut self.bytes, bytes);
        let memory = mem::replace(&mut self.memory, memory);
        if !mem::take(&mut self.lends_body) {
            self.spares.put(bytes, memory);
        }
    }

    /// No more comes for now. The begun frame must not keep a read buffer for as long: it gets
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
        // Of one that is larger than a read, the headers end within the room. Then it asks, or is
        // refused.
        let more = match self.decoder.missing(&self.bytes) {
            0 => READ_MAX,
            missing => missing.min(READ_MAX),
        };
        self.grant(self.bytes.len() + more);
        true
    }

    /// Goes on in memory that what is there fills.
    fn leave_buffer(&mut self) {
        let there = self.bytes.len();
        self.move_to(there, there..=there);
        self.is_large = false;
    }

    /// The bytes that the connection's account has for the frame at the front.
    pub(super) fn counted(&self) -> usize {
        self.granted
    }

    /// The bytes of spare memory, if the connection's account does not know them.
    #[inline]
    pub(super) fn untold_spares(&mut self) -> Option<usize> {
        let bytes = self.spares.bytes();
        (mem::replace(&mut self.told_spares, bytes) != bytes).then_some(bytes)
    }

    /// The same. It is also told, and says how much may be kept, if there may be more soon.
    #[inline]
    pub(super) fn spares(&mut self) -> Option<usize> {
        self.untold_spares().or_else(|| (self.memory >= SPARE_FROM).then(|| self.spares.bytes()))
    }

    pub(super) fn has_spares(&self) -> bool {
        self.spares.bytes() > 0
    }

    /// No more spare memory is kept from now on than that.
    pub(super) fn limit_spares(&mut self, limit: usize) {
        self.spares.set_limit(limit);
    }

    /// Lets go the spare memory that was not in use since the last time.
    pub(super) fn drop_unused(&mut self) {
        self.spares.drop_unused();
    }

    /// The frame at the front is not taken: its bytes are dropped as they come.
    pub(super) fn refuse(&mut self, of: Begun, size: usize, why: Skip) {
        self.frames.push(Input::Skipped { of, size, why });
        (self.skip, self.skipped) = (size, true);
        self.drop_skipped();
        if mem::take(&mut self.granted) > 0 {
            self.leave_buffer();
        }
    }

    /// A meta message of a stream that is so large is not looked into, and so it need not come.
    fn refuse_meta(&mut self) -> bool {
        if self.decoder.missing(&self.bytes) <= READ_MAX {
            return false;
        }
        match self.decoder.begun(&self.bytes) {
            // PROTOCOL 37
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

    /// The part of the next frame that is there.
    #[inline]
    pub(super) fn front(&self) -> Front {
        // Of one that is not taken, it does not matter how much has come.
        Front { came: if self.skip > 0 { 1 } else { self.bytes.len() }, skipped: self.skip > 0 }
    }

    /// Tells whether a whole frame has come.
    pub(super) fn has_come(&self) -> bool {
        self.skip == 0 && (self.skipped || !self.frames.is_empty())
    }

    /// The message at the front, if it is large and has no room yet: the next read makes it, so
    /// this is told once.
    pub(super) fn arriving(&self) -> Option<(StreamId, u32)> {
        if self.granted > 0 || self.decoder.missing(&self.bytes) <= READ_MAX {
            return None;
        }
        self.decoder.message(&self.bytes)
    }

    /// Tells whether there may be more frames than those that were found.
    pub(super) fn is_full(&self) -> bool {
        self.frames.len() == FRAMES_PER_LOCK
    }

    /// Tells whether nothing is there that was not handled.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.frames.is_empty()
    }

    /// Drops all of it.
    pub(super) fn clear(&mut self) {
        (self.bytes, self.frames, self.granted) = (BytesMut::new(), Vec::new(), 0);
        (self.memory, self.is_large, self.lends_body) = (0, false, false);
        self.spares.clear();
    }

    /// Offers the next read a size that follows the traffic. A large frame has its room already.
    fn make_room(&mut self) {
        if self.granted > 0 {
            return;
        }
        let (there, missing) = (self.bytes.len(), self.decoder.missing(&self.bytes).min(READ_MAX));
        let (room, size) = (self.bytes.capacity() - there, there + missing);
        let mut wanted = self.read_size.max(missing);
        let mut enough = wanted / 2;
        let mut most = there + wanted + wanted / 2;
        if size > COPIED && missing > 0 {
            // So much that the frame, which may stay a slice, is most of its memory.
            wanted = wanted.min(size / 2 + missing);
            (enough, most) = (missing, size + size / 2);
        }
        if room < enough {
            if !self.bytes.try_reclaim(wanted) {
                self.move_to(there + wanted, there + enough..=most);
            }
            self.is_large |= wanted > READ_MIN;
        }
    }

    /// An idle connection holds no buffer, and a quiet one no large one.
    fn shrink(&mut self) {
        if !self.bytes.is_empty() {
            return;
        }
        if self.read_size == READ_MIN || self.bytes.capacity() > READ_MAX {
            self.leave_buffer();
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
    fn add(&mut self, frame: &Input, size: usize) {
        self.size += match frame {
            Input::Messages { .. } => 0,
            Input::Call { body, attachment, .. }
            | Input::Answer { answer: Answer { body, attachment, .. }, .. } => {
                size - body.len() - attachment.len()
            }
            _ => size.min(MAX_HEADER),
        };
        self.refused |= matches!(
            frame,
            Input::BadCall { .. } | Input::BadAnswer { .. } | Input::BadStream { .. }
        );
    }

    /// The number of usual frames as which they count.
    pub(super) fn as_frames(self) -> usize {
        self.size / HEADER_AS_FRAME
    }
}
