//! The messages of a stream, as they came: frame behind frame, in one piece of memory.

use std::ops::{Deref, DerefMut};

use bytes::buf::Take;
use bytes::{Buf, Bytes};

use super::header::HEADER_LEN;

/// Whole DATA frames of one stream, one behind the other.
///
/// A message is found when it is wanted: handing over a thousand of them costs as much as handing over one, and only what is kept
/// counts a reference.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Messages {
    frames: Bytes,
    count: usize,
}

impl Messages {
    /// `frames` are `count` whole DATA frames of one stream, as the decoder gave them or [`copy_to`](Self::copy_to) wrote them.
    pub(crate) fn new(frames: Bytes, count: usize) -> Self {
        Self { frames, count }
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// The frames' bytes together.
    pub(crate) fn size(&self) -> usize {
        self.frames.len()
    }

    /// Writes the frames behind others.
    pub(crate) fn copy_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.frames);
    }

    /// The payloads' bytes together.
    pub(crate) fn bytes(&self) -> usize {
        self.frames.len() - self.count * HEADER_LEN
    }

    /// The next message. What the caller leaves of it is passed over.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<Payload<'_>> {
        let [_, _, _, _, s0, s1, s2, s3] = *self.frames.first_chunk()?;
        self.frames.advance(HEADER_LEN);
        self.count -= 1;
        let len = u32::from_be_bytes([s0, s1, s2, s3]) as usize - HEADER_LEN;
        Some(Payload((&mut self.frames).take(len)))
    }
}

/// One message's bytes.
pub(crate) struct Payload<'a>(Take<&'a mut Bytes>);

impl Payload<'_> {
    pub(crate) fn len(&self) -> usize {
        self.0.remaining()
    }

    pub(crate) fn into_bytes(mut self) -> Bytes {
        let len = self.len();
        self.0.copy_to_bytes(len)
    }
}

impl<'a> Deref for Payload<'a> {
    type Target = Take<&'a mut Bytes>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Payload<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl Drop for Payload<'_> {
    fn drop(&mut self) {
        let rest = self.0.remaining();
        self.0.advance(rest);
    }
}

#[cfg(any(test, feature = "__fuzz"))]
impl Messages {
    /// One message in a frame of its own.
    #[cfg(test)]
    pub(crate) fn single(id: super::StreamId, payload: &[u8]) -> Self {
        let mut out = Vec::new();
        super::data(&mut out, id, payload.len(), |out| out.extend_from_slice(payload))
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
            let (before, mut rest) = (self.frames.clone(), self.clone());
            drop(rest.next());
            all.push(Self::new(before.slice(..before.len() - rest.frames.len()), 1));
            self = rest;
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use crate::wire::{Decoder, Frame, Side, StreamId, data, feedback};

    use super::*;

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
            data(&mut buf, StreamId(id), payload.len(), |out| out.extend_from_slice(payload.as_bytes()))
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
        let one = |buf: &mut Vec<u8>| data(buf, StreamId(7), 1, |out| out.extend_from_slice(b"1")).unwrap();
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
            data(&mut buf, StreamId(7), 3, |out| out.extend_from_slice(payload.as_bytes())).unwrap();
        }
        let mut messages = Messages::new(buf.into(), 2);
        assert_eq!(messages.next().unwrap().get_u8(), b'o');
        assert_eq!(messages.next().unwrap().into_bytes(), "two");
        assert!(messages.next().is_none());
    }
}
