//! The messages of a stream, as they came: frame behind frame, in one piece of memory.

use bytes::{Buf, Bytes};

use crate::framing::{COPIED, keeps_little};

use super::header::HEADER_LEN;

/// Whole DATA frames of one stream, one behind the other.
///
/// A message is found when it is wanted: handing over a thousand of them costs as much as handing
/// over one, and only what is kept counts a reference.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Messages {
    frames: Bytes,
    /// Where the next frame begins.
    at: usize,
    count: usize,
    /// The bytes that `frames` keep in memory.
    memory: usize,
}

impl Messages {
    /// `frames` are `count` whole DATA frames of one stream, as the decoder gave them or
    /// [`copy_to`](Self::copy_to) wrote them, in memory of their own.
    pub(crate) fn new(frames: Bytes, count: usize) -> Self {
        Self { memory: frames.len(), frames, at: 0, count }
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
        self.count
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
        Self::new(Bytes::copy_from_slice(&self.frames[self.at..]), self.count)
    }

    /// The payloads' bytes together.
    pub(crate) fn bytes(&self) -> usize {
        self.size() - self.count * HEADER_LEN
    }

    /// The next message. Bytes that the caller leaves of it are passed over.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<Payload<'_>> {
        let (header, rest) = self.frames[self.at..].split_first_chunk::<HEADER_LEN>()?;
        let [_, _, _, _, s0, s1, s2, s3, ..] = *header;
        let size = u32::from_be_bytes([s0, s1, s2, s3]) as usize;
        self.at += size;
        self.count -= 1;
        Some(Payload { rest: &rest[..size - HEADER_LEN], frames: &self.frames })
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
    /// One message in a frame of its own.
    #[cfg(test)]
    pub(crate) fn single(id: crate::framing::StreamId, payload: &[u8]) -> Self {
        let mut out = Vec::new();
        super::data(&mut out, id, payload.len(), |out: &mut Vec<u8>| {
            out.extend_from_slice(payload);
        })
        .expect("the right size");
        Self::new(out.into(), 1)
    }

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
            all.push(Self::new(self.frames.slice(start..self.at), 1));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use crate::framing::{Side, StreamId};
    use crate::wires::trpc::{Decoder, Frame, data, feedback};

    use super::*;

    #[test]
    fn what_was_taken_counts_no_more() {
        let one = Messages::single(StreamId(100), b"first");
        let mut messages = Messages::new([&one.frames[..], &one.frames].concat().into(), 2);
        assert_eq!((messages.count(), messages.size()), (2, 2 * (HEADER_LEN + 5)));
        assert_eq!(messages.next().unwrap().into_bytes(), "first");
        assert_eq!((messages.count(), messages.size()), (1, HEADER_LEN + 5));
    }

    fn run(buf: &mut BytesMut) -> Option<(u32, Vec<Bytes>)> {
        match Decoder::new(Side::Client, 1_000).decode(buf).unwrap()? {
            Frame::Data { id, messages } => {
                let (count, bytes) = (messages.count(), messages.bytes());
                let payloads: Vec<_> = messages.singles().iter().map(Messages::first).collect();
                assert_eq!((count, bytes), (payloads.len(), payloads.iter().map(Bytes::len).sum()));
                Some((id.0, payloads))
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn frames_of_one_stream_behind_each_other_come_together() {
        let mut buf = Vec::new();
        for (id, payload) in [(7, "one"), (7, ""), (7, "three"), (8, "other"), (7, "last")] {
            data(&mut buf, StreamId(id), payload.len(), |out: &mut Vec<u8>| {
                out.extend_from_slice(payload.as_bytes());
            })
            .unwrap();
        }
        let mut buf = BytesMut::from(&buf[..]);
        let half = buf.split_off(buf.len() - 1);
        assert_eq!(run(&mut buf), Some((7, vec!["one".into(), "".into(), "three".into()])));
        assert_eq!(run(&mut buf), Some((8, vec!["other".into()])));
        assert_eq!(run(&mut buf), None, "half a frame waits");
        buf.unsplit(half);
        assert_eq!(run(&mut buf), Some((7, vec!["last".into()])));
    }

    #[test]
    fn a_frame_of_another_kind_or_with_a_fault_ends_the_run() {
        let mut buf = Vec::new();
        let one = |buf: &mut Vec<u8>| {
            data(buf, StreamId(7), 1, |out: &mut Vec<u8>| out.extend_from_slice(b"1")).unwrap();
        };
        one(&mut buf);
        feedback(&mut buf, StreamId(7), 1);
        one(&mut buf);
        let fault = buf.len();
        one(&mut buf);
        buf[fault] = 0;
        let mut buf = BytesMut::from(&buf[..]);
        assert_eq!(run(&mut buf), Some((7, vec!["1".into()])));
        let decoder = Decoder::new(Side::Client, 1_000);
        assert!(matches!(decoder.decode(&mut buf), Ok(Some(Frame::Feedback { .. }))));
        assert_eq!(run(&mut buf), Some((7, vec!["1".into()])));
        assert!(decoder.decode(&mut buf).is_err());
    }

    #[test]
    fn a_message_that_is_not_read_to_its_end_is_passed_over() {
        let mut buf = Vec::new();
        for payload in ["one", "two"] {
            data(&mut buf, StreamId(7), 3, |out: &mut Vec<u8>| {
                out.extend_from_slice(payload.as_bytes());
            })
            .unwrap();
        }
        let mut messages = Messages::new(buf.into(), 2);
        let mut first = messages.next().unwrap();
        assert_eq!((first.remaining(), first.get_u8(), first.remaining()), (3, b'o', 2));
        assert_eq!(messages.next().unwrap().into_bytes(), "two");
        assert!(messages.next().is_none());
    }
}
