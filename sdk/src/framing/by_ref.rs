//! Large pieces of a message that encodes itself are appended by reference.
//!
//! `prost` hands every `bytes` field of type [`Bytes`](bytes::Bytes) to [`BufMut::put`] as a clone,
//! which is a reference. A buffer that is only a buffer copies it.

use bytes::buf::UninitSlice;
use bytes::{Buf, BufMut};

use super::outbox::{LARGE, Outbox};

#[expect(
    unsafe_code,
    reason = "a buffer that takes pieces by reference can only be made so; it passes everything on"
)]
// SAFETY: the trait asks that `chunk_mut` gives the memory behind what was written, the same one
// until it is advanced, that `advance_mut` counts as written what was initialised there, and that
// `chunk_mut` is empty only if `remaining_mut` is 0. The first two are those of the one `Vec` that
// is inside, which makes room for the third. Nothing else here touches memory that is not
// initialised.
unsafe impl BufMut for Outbox {
    #[inline]
    fn remaining_mut(&self) -> usize {
        usize::MAX
    }

    #[inline]
    unsafe fn advance_mut(&mut self, count: usize) {
        // SAFETY: the caller promises for this buffer what the `Vec` asks for, whose memory it was
        // given.
        unsafe { self.copied().advance_mut(count) }
    }

    #[inline]
    fn chunk_mut(&mut self) -> &mut UninitSlice {
        self.copied().chunk_mut()
    }

    #[inline]
    fn put<T: Buf>(&mut self, mut source: T) {
        match source.remaining() {
            LARGE.. => self.append_by_ref(source.copy_to_bytes(source.remaining())),
            _ => self.copied().put(source),
        }
    }

    #[inline]
    fn put_slice(&mut self, source: &[u8]) {
        self.copied().extend_from_slice(source);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use trill_proto::prost::Message;

    use super::*;

    #[derive(Clone, PartialEq, Message)]
    struct Mixed {
        #[prost(bytes = "bytes", tag = "1")]
        first: Bytes,
        #[prost(string, tag = "2")]
        text: String,
        #[prost(bytes = "bytes", repeated, tag = "3")]
        rest: Vec<Bytes>,
        #[prost(bytes = "vec", tag = "4")]
        copied: Vec<u8>,
        #[prost(fixed64, tag = "5")]
        number: u64,
        #[prost(message, optional, boxed, tag = "6")]
        inner: Option<Box<Self>>,
    }

    #[test]
    fn a_message_is_the_same_bytes_and_its_large_pieces_are_the_same_memory() {
        let sizes = [0, 1, LARGE - 1, LARGE, LARGE + 1];
        for (turn, size) in sizes.into_iter().enumerate() {
            let piece =
                |turn: usize| Bytes::from(vec![b'a' + turn as u8; sizes[turn % sizes.len()]]);
            let mut message = Mixed {
                first: Bytes::from(vec![b'x'; size]),
                text: "text".repeat(turn * LARGE / 8),
                rest: (turn..turn + 3).map(piece).collect(),
                copied: vec![7; size],
                number: u64::MAX,
                inner: None,
            };
            message.inner = Some(Box::new(message.clone()));
            let mut outbox = Outbox::default();
            outbox.put_u8(b'.');
            message.encode(&mut outbox).expect("there is room for any message");

            let mut slices = [std::io::IoSlice::new(&[]); 40];
            let count = outbox.slices(1, &mut slices);
            assert_eq!(outbox.to_vec()[1..], message.encode_to_vec());
            let by_reference =
                slices[..count].iter().any(|slice| slice.as_ptr() == message.first.as_ptr());
            assert_eq!(by_reference, size >= LARGE, "{size}");
            outbox.clear();
            assert!(message.rest.iter().all(|piece| piece.is_empty() || !piece.is_unique()));
        }
    }
}
