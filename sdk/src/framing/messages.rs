//! The messages of a stream, as they came: frame behind frame, in one piece of memory.

use bytes::{Buf, Bytes};

use super::piece::{COPIED, keeps_little};

/// Where a message stands in the bytes of a wire: behind a header of so many bytes, four of which,
/// big-endian, are the size of what follows them, or of the whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Framing {
    /// The bytes in front of a message.
    pub(crate) header: u8,
    /// Where the four bytes of the size are among them.
    pub(crate) size_at: u8,
    /// The bytes that the size does not count.
    pub(crate) beside: u8,
}

/// Whole messages of one stream with the headers that the wire puts in front of them, one behind
/// the other.
///
/// A message is found when it is wanted: handing over a thousand of them costs as much as handing
/// over one, and only what is kept counts a reference.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Messages {
    frames: Bytes,
    /// Where the next frame begins.
    at: usize,
    count: u32,
    /// The bytes that `frames` keep in memory.
    memory: usize,
    framing: Framing,
}

impl Framing {
    /// The size of the message at the front with its header, if that is there.
    #[inline]
    pub(crate) fn size(self, bytes: &[u8]) -> Option<usize> {
        bytes.get(usize::from(self.header)..)?;
        let size = bytes.get(usize::from(self.size_at)..)?.first_chunk()?;
        Some(u32::from_be_bytes(*size) as usize + usize::from(self.beside))
    }
}

impl Messages {
    /// `frames` are `count` whole messages of one stream with their headers, as the decoder gave
    /// them or [`copy_to`](Self::copy_to) wrote them, in memory of their own.
    pub(crate) fn new(frames: Bytes, count: usize, framing: Framing) -> Self {
        // Each takes some bytes of a frame or a read buffer.
        Self { memory: frames.len(), frames, at: 0, count: count as u32, framing }
    }

    pub(crate) fn framing(&self) -> Framing {
        self.framing
    }

    /// They are a slice of so much memory.
    #[inline]
    pub(crate) fn set_memory(&mut self, memory: usize) {
        self.memory = memory;
    }

    /// The bytes that they keep in memory.
    pub(crate) fn memory(&self) -> usize {
        self.memory
    }

    /// Tells whether they are copied where they may stay for long.
    pub(crate) fn is_copied(&self) -> bool {
        self.size() < COPIED || !keeps_little(self.size(), self.memory)
    }

    pub(crate) fn count(&self) -> usize {
        self.count as usize
    }

    /// The frames' bytes together.
    pub(crate) fn size(&self) -> usize {
        self.frames.len() - self.at
    }

    /// Writes the frames behind others.
    pub(crate) fn copy_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.frames[self.at..]);
    }

    /// The same in memory of their own, no larger than they are.
    pub(crate) fn to_own_memory(&self) -> Self {
        Self::new(Bytes::copy_from_slice(&self.frames[self.at..]), self.count(), self.framing)
    }

    /// The payloads' bytes together.
    pub(crate) fn bytes(&self) -> usize {
        self.size() - self.count() * usize::from(self.framing.header)
    }

    /// The next message. Bytes that the caller leaves of it are passed over.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<Payload<'_>> {
        let Framing { header, size_at, beside } = self.framing;
        let rest = self.frames.get(self.at..)?;
        let size = rest.get(usize::from(size_at)..)?.first_chunk()?;
        let end = u32::from_be_bytes(*size) as usize + usize::from(beside);
        self.at += end;
        self.count -= 1;
        Some(Payload { rest: &rest[usize::from(header)..end], frames: &self.frames })
    }
}

/// One message's bytes. Reading them moves through a slice; only what is kept counts a reference.
#[derive(Debug)]
pub(crate) struct Payload<'a> {
    rest: &'a [u8],
    frames: &'a Bytes,
}

impl Payload<'_> {
    pub(crate) fn len(&self) -> usize {
        self.rest.len()
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        self.frames.slice_ref(self.rest)
    }
}

impl Buf for Payload<'_> {
    #[inline]
    fn remaining(&self) -> usize {
        self.rest.len()
    }

    #[inline]
    fn chunk(&self) -> &[u8] {
        self.rest
    }

    #[inline]
    fn advance(&mut self, count: usize) {
        self.rest = &self.rest[count..];
    }

    #[inline]
    fn copy_to_bytes(&mut self, len: usize) -> Bytes {
        let (wanted, rest) = self.rest.split_at(len);
        self.rest = rest;
        self.frames.slice_ref(wanted)
    }
}

#[cfg(any(test, feature = "__fuzz"))]
impl Messages {
    /// The payload of the first.
    pub(crate) fn first(&self) -> Bytes {
        self.clone().next().expect("there is one").into_bytes()
    }

    /// Each message as a run of one.
    pub(crate) fn singles(mut self) -> Vec<Self> {
        let mut all = Vec::new();
        while self.count > 0 {
            let start = self.at;
            let _ = self.next();
            all.push(Self::new(self.frames.slice(start..self.at), 1, self.framing));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of several wires: where the size stands, and what it does not count.
    const FRAMINGS: [(Framing, &[u8], &[u8]); 3] = [
        (Framing { header: 5, size_at: 1, beside: 5 }, &[0], &[]),
        (Framing { header: 16, size_at: 4, beside: 0 }, &[9; 4], &[9; 8]),
        (Framing { header: 17, size_at: 4, beside: 12 }, &[9; 4], &[9; 9]),
    ];

    fn frame((framing, before, behind): (Framing, &[u8], &[u8]), payload: &[u8]) -> Vec<u8> {
        let size = usize::from(framing.header) + payload.len() - usize::from(framing.beside);
        let size = u32::try_from(size).unwrap().to_be_bytes();
        [before, &size, behind, payload].concat()
    }

    #[test]
    fn messages_are_found_behind_the_headers_of_each_wire() {
        for wire in FRAMINGS {
            let frames = [&b"one"[..], b"", b"three"].map(|payload| frame(wire, payload)).concat();
            let mut messages = Messages::new(frames.into(), 3, wire.0);
            assert_eq!((messages.count(), messages.bytes()), (3, 8));
            let mut first = messages.next().unwrap();
            assert_eq!((first.remaining(), first.get_u8(), first.remaining()), (3, b'o', 2));
            assert_eq!((messages.count(), messages.bytes()), (2, 5), "it counts no more");
            assert_eq!(messages.next().unwrap().into_bytes(), "");
            assert_eq!(messages.next().unwrap().into_bytes(), "three");
            assert!(messages.next().is_none());
        }
    }
}
