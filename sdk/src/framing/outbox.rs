//! The bytes to be sent, in the order in which they go out.

use std::io::IoSlice;

use bytes::Bytes;

use super::body::Body;
use super::frame_buf::FrameBuf;

/// From this size on, a piece of a message is kept by reference. A smaller one is copied faster
/// than a system call handles one more iovec. At most half of the memory that is kept alive is then
/// the rest of a read buffer.
pub(crate) const LARGE: usize = 32 * 1024;

/// Bytes, most of them copied into one buffer, and between them large pieces of messages that are
/// the application's own memory.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    copied: Vec<u8>,
    by_ref: Vec<ByRef>,
    /// The bytes of all pieces by reference.
    by_ref_len: usize,
}

#[derive(Debug)]
struct ByRef {
    /// The number of copied bytes before it.
    at: usize,
    bytes: Bytes,
}

impl Outbox {
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.copied.len() + self.by_ref_len
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where small things are appended.
    #[inline]
    pub(crate) fn copied(&mut self) -> &mut Vec<u8> {
        &mut self.copied
    }

    /// How much memory it has of its own.
    pub(crate) fn capacity(&self) -> usize {
        self.copied.capacity()
    }

    /// Appends a large piece without copying it.
    pub(crate) fn append_by_ref(&mut self, bytes: Bytes) {
        self.by_ref_len += bytes.len();
        self.by_ref.push(ByRef { at: self.copied.len(), bytes });
    }

    /// Drops all behind the first `len` bytes, which end where something was appended.
    #[inline]
    pub(crate) fn truncate(&mut self, len: usize) {
        while let Some(last) = self.by_ref.last()
            && last.at + self.by_ref_len - last.bytes.len() >= len
        {
            self.by_ref_len -= last.bytes.len();
            self.by_ref.pop();
        }
        self.copied.truncate(len - self.by_ref_len);
    }

    /// Takes all behind the first `len` bytes, which end where something was appended.
    pub(crate) fn cut_off(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.len() - len);
        let mut skip = len;
        for piece in self.pieces() {
            bytes.extend_from_slice(piece.get(skip..).unwrap_or_default());
            skip = skip.saturating_sub(piece.len());
        }
        self.truncate(len);
        bytes
    }

    pub(crate) fn clear(&mut self) {
        self.truncate(0);
    }

    /// All bytes, if none of them are kept by reference.
    #[inline]
    pub(crate) fn only_copied(&self) -> Option<&[u8]> {
        self.by_ref.is_empty().then_some(&self.copied)
    }

    /// Fills `into` with what lies behind the first `from` bytes, in order, and gives the count of
    /// slices.
    pub(crate) fn slices<'a>(&'a self, from: usize, into: &mut [IoSlice<'a>]) -> usize {
        let mut skip = from;
        let rests = self.pieces().filter_map(|piece| {
            let rest = piece.get(skip..);
            skip = skip.saturating_sub(piece.len());
            rest.filter(|rest| !rest.is_empty())
        });
        rests.zip(into).map(|(rest, slot)| *slot = IoSlice::new(rest)).count()
    }

    fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        let before = self.by_ref.iter().flat_map(move |piece| {
            let copied = &self.copied[std::mem::replace(&mut start, piece.at)..piece.at];
            [copied, &piece.bytes]
        });
        let last = self.by_ref.last().map_or(0, |piece| piece.at);
        before.chain([&self.copied[last..]])
    }
}

#[cfg(any(test, feature = "__fuzz"))]
impl Outbox {
    pub(crate) fn to_vec(&self) -> Vec<u8> {
        self.pieces().collect::<Vec<_>>().concat()
    }
}

impl FrameBuf for Outbox {
    fn len(&self) -> usize {
        self.len()
    }

    fn truncate(&mut self, len: usize) {
        self.truncate(len);
    }

    fn copied(&mut self) -> &mut Vec<u8> {
        &mut self.copied
    }

    fn append(&mut self, len: usize, body: impl Body) {
        if len < LARGE {
            self.copied.reserve(len);
            body.write_to(&mut self.copied);
        } else {
            body.write_by_ref(self);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::framing::Piece;

    use super::*;

    /// The bytes behind `from`, of the first `most` pieces.
    fn rest(outbox: &Outbox, from: usize, most: usize) -> Vec<u8> {
        let mut slices = vec![IoSlice::new(&[]); most];
        let count = outbox.slices(from, &mut slices);
        slices[..count].iter().flat_map(|slice| slice.iter().copied()).collect()
    }

    #[test]
    fn pieces_go_by_reference_from_32_kib_on_and_what_is_only_copied_is_one_slice() {
        for (size, is_by_ref) in [(LARGE - 1, false), (LARGE, true), (LARGE + 1, true)] {
            let mut outbox = Outbox::default();
            FrameBuf::append(&mut outbox, size, Piece(vec![7; size].into()));
            assert_eq!(outbox.only_copied(), (!is_by_ref).then_some(&vec![7; size][..]), "{size}");
            assert_eq!(outbox.capacity() < size, is_by_ref, "{size}");
            assert_eq!(outbox.to_vec(), vec![7; size]);
        }
    }

    #[test]
    fn pieces_by_reference_come_out_where_they_were_put_from_every_byte_on() {
        for plan in ["", "a", "A", "aA", "Aa", "aAb", "ABc", "aABbC", "AaBbCc"] {
            let (mut outbox, mut expected) = (Outbox::default(), Vec::new());
            for letter in plan.bytes() {
                let piece = vec![letter; 3];
                expected.extend_from_slice(&piece);
                if letter.is_ascii_uppercase() {
                    outbox.append_by_ref(piece.into());
                } else {
                    outbox.copied().extend_from_slice(&piece);
                }
            }
            assert_eq!((outbox.len(), outbox.is_empty()), (expected.len(), plan.is_empty()));
            for from in 0..=expected.len() {
                assert_eq!(rest(&outbox, from, 9), expected[from..], "{plan} from {from}");
                let first = rest(&outbox, from, 1);
                assert!(expected[from..].starts_with(&first), "{plan} from {from}");
                assert_eq!(first.is_empty(), from == expected.len(), "{plan} from {from}");
            }
        }
    }

    #[test]
    fn what_was_appended_last_can_be_taken_back_piece_by_piece() {
        let (mut outbox, mut ends) = (Outbox::default(), vec![0]);
        let memory = Bytes::from(vec![b'x'; 5]);
        for copied in [2, 0, 1] {
            outbox.copied().extend_from_slice(&vec![b'y'; copied]);
            ends.push(outbox.len());
            outbox.append_by_ref(memory.clone());
            ends.push(outbox.len());
        }
        outbox.copied().push(b'z');
        for end in ends.into_iter().rev() {
            let expected = outbox.to_vec()[..end].to_vec();
            outbox.truncate(end);
            assert_eq!((outbox.len(), outbox.to_vec()), (end, expected));
        }
        assert!(memory.is_unique(), "what is taken back is let go");
    }

    #[test]
    fn what_was_appended_last_is_cut_off_whole() {
        let mut outbox = Outbox::default();
        outbox.copied().extend_from_slice(b"before");
        let before = outbox.len();
        outbox.copied().extend_from_slice(b"one");
        outbox.append_by_ref(b"two".to_vec().into());
        outbox.copied().extend_from_slice(b"three");
        assert_eq!(
            (outbox.cut_off(before), outbox.to_vec()),
            (b"onetwothree".into(), b"before".into())
        );
        assert_eq!((outbox.cut_off(before), outbox.to_vec()), (vec![], b"before".into()));
    }
}
