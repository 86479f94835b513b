//! Messages that came and were not given out yet.

use std::collections::VecDeque;

use crate::framing::{Framing, Messages};

/// The first room for copies: some messages, so that a reader who is only a little behind costs one
/// allocation.
const TAIL: usize = 512;

/// A queue of messages, in the pieces in which they came. One piece needs no memory of its own.
///
/// When a reader does not keep up, messages are copied behind each other. A slice would keep a
/// whole read buffer in memory for as long as it is unread, together with what others have long
/// read. It stays one if it is most of what it keeps.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    first: Option<Messages>,
    more: Option<Box<More>>,
}

/// The messages that wait, and their bytes.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Total {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

/// The messages that came while there were some already.
#[derive(Debug, Default)]
struct More {
    pieces: VecDeque<Messages>,
    /// Whole frames, and how many. They come behind the pieces.
    tail: Vec<u8>,
    count: usize,
    /// Of the tail, if there is one.
    framing: Framing,
}

impl Inbox {
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none() && self.more.as_ref().is_none_or(|more| more.is_empty())
    }

    /// Adds messages that may be read at once: if there are no others, they stay a slice.
    pub(crate) fn push(&mut self, messages: Messages) {
        if self.is_empty() {
            self.first = Some(messages);
            return;
        }
        let more = self.more.get_or_insert_default();
        // It was a slice because it might have been read at once.
        if more.is_empty()
            && let Some(first) = self.first.take_if(|first| first.is_copied())
        {
            more.copy(&first);
        }
        more.push(messages);
    }

    /// Adds messages that may stay for long: the first must not keep its read buffer either.
    pub(super) fn push_to_stay(&mut self, messages: Messages) {
        let stays = self.is_empty() && messages.is_copied();
        self.push(if stays { messages.to_own_memory() } else { messages });
    }

    /// Takes all that `other` has.
    pub(super) fn append(&mut self, other: &mut Self) {
        if self.is_empty() {
            std::mem::swap(self, other);
            return;
        }
        while let Some(messages) = other.front() {
            self.push(messages.clone());
            other.first = None;
        }
    }

    /// The piece at the front, which has a message.
    #[inline]
    pub(crate) fn front(&mut self) -> Option<&mut Messages> {
        if self.first.as_ref().is_none_or(|messages| messages.count() == 0) {
            self.first = self.more.as_mut().and_then(|more| more.pop());
        }
        self.first.as_mut()
    }

    /// Lets go of the piece at the front if its last message is read. A reader may work for long
    /// before it wants another one, and no budget counts what it has read.
    #[inline]
    pub(crate) fn let_go(&mut self) {
        if self.first.as_ref().is_some_and(|messages| messages.count() == 0) {
            self.drop_front();
        }
    }

    #[inline(never)]
    fn drop_front(&mut self) {
        self.first = None;
        self.more.take_if(|more| more.is_empty());
    }

    pub(crate) fn total(&self) -> Total {
        let mut total = self.more.as_ref().map_or(Total::default(), |more| more.tail_total());
        let pieces = self.more.iter().flat_map(|more| &more.pieces);
        for messages in self.first.iter().chain(pieces) {
            total.messages += messages.count();
            total.bytes += messages.bytes();
        }
        total
    }
}

impl More {
    fn is_empty(&self) -> bool {
        self.count == 0 && self.pieces.is_empty()
    }

    fn push(&mut self, messages: Messages) {
        if messages.is_copied() {
            self.copy(&messages);
        } else {
            self.cut();
            self.pieces.push_back(messages);
        }
    }

    fn copy(&mut self, messages: &Messages) {
        if messages.framing() != self.framing {
            self.cut();
            self.framing = messages.framing();
        }
        // By a quarter and not by half: what is left over is memory that no budget counts.
        if self.tail.capacity() - self.tail.len() < messages.size() {
            self.tail.reserve_exact(messages.size().max(self.tail.len() / 4).max(TAIL));
        }
        messages.copy_to(&mut self.tail);
        self.count += messages.count();
    }

    /// Makes a piece of the tail.
    fn cut(&mut self) {
        if self.count > 0 {
            let piece = Messages::new(
                std::mem::take(&mut self.tail).into(),
                std::mem::take(&mut self.count),
                self.framing,
            );
            self.pieces.push_back(piece);
        }
    }

    fn pop(&mut self) -> Option<Messages> {
        if self.pieces.is_empty() {
            self.cut();
        }
        self.pieces.pop_front()
    }

    fn tail_total(&self) -> Total {
        let bytes = self.tail.len() - self.count * usize::from(self.framing.header);
        Total { messages: self.count, bytes }
    }
}

#[cfg(test)]
mod tests {
    use crate::framing::{COPIED, StreamId};
    use crate::wires::trpc::FRAMING;

    use super::*;

    fn message(payload: &[u8]) -> Messages {
        crate::wires::trpc::single(StreamId(7), payload)
    }

    fn drain(inbox: &mut Inbox) -> Vec<usize> {
        let mut sizes = Vec::new();
        while let Some(payload) = inbox.front().and_then(Messages::next) {
            sizes.push(payload.len());
        }
        sizes
    }

    #[test]
    fn messages_of_all_sizes_come_out_in_order_and_are_counted() {
        let sizes = [1, 40_000, 2, 0, 50_000, 60_000, 3, 4, 70_000, 5];
        for skip in 0..sizes.len() {
            let (mut inbox, mut taken) = (Inbox::default(), Inbox::default());
            let (before, behind) = sizes.split_at(skip);
            for (inbox, sizes) in [(&mut taken, before), (&mut inbox, behind)] {
                sizes.iter().for_each(|size| inbox.push(message(&vec![9; *size])));
            }
            taken.append(&mut inbox);
            assert!(inbox.is_empty());
            assert_eq!(taken.total(), Total { messages: 10, bytes: sizes.iter().sum() });
            assert_eq!(drain(&mut taken), sizes);
            assert!(taken.front().is_none() && taken.total() == Total::default());
        }
    }

    #[test]
    fn the_room_for_copies_grows_by_a_quarter_at_a_time() {
        let (mut inbox, mut grown, mut before) = (Inbox::default(), 0, 0);
        for _ in 0..5_000 {
            inbox.push(message(&[9; 84]));
            let tail = inbox.more.as_ref().map_or(&[][..], |more| &more.tail[..]);
            let capacity = inbox.more.as_ref().map_or(0, |more| more.tail.capacity());
            assert!(
                capacity - tail.len() <= tail.len() / 4 + TAIL,
                "{capacity} for {}",
                tail.len()
            );
            grown += usize::from(capacity != before);
            before = capacity;
        }
        assert!(grown < 60, "500,000 bytes were copied {grown} times");
    }

    #[test]
    fn small_messages_that_stay_keep_no_read_buffer() {
        let mut inbox = Inbox::default();
        let buffer = bytes::Bytes::from(vec![0; 64 * 1024]);
        for _ in 0..10 {
            inbox.push(Messages::new(buffer.slice(..48), 1, FRAMING));
        }
        assert!(buffer.is_unique());
        assert_eq!(inbox.total().messages, 10);
    }

    #[test]
    fn a_piece_goes_with_its_last_message() {
        let mut frames = Vec::new();
        for payload in [b"one".to_vec(), vec![2; COPIED]] {
            message(&payload).copy_to(&mut frames);
        }
        let buffers = [(); 2].map(|()| bytes::Bytes::from(frames.clone()));
        let mut inbox = Inbox::default();
        for buffer in &buffers {
            inbox.push(Messages::new(buffer.clone(), 2, FRAMING));
        }
        for unique in [[false, false], [true, false], [true, false], [true, true]] {
            assert!(inbox.front().and_then(Messages::next).is_some());
            inbox.let_go();
            assert_eq!(buffers.each_ref().map(bytes::Bytes::is_unique), unique);
        }
        assert!(inbox.is_empty() && inbox.more.is_none());
    }

    #[test]
    fn a_message_that_may_stay_keeps_little_more_than_itself_from_the_start_and_behind_others() {
        let buffer = bytes::Bytes::from(vec![0; 64 * 1024]);
        let cases = [
            (48, 0, true),
            (COPIED - 1, 0, true),
            (COPIED, 0, false),
            (40_000, 64, true),
            (44_000, 64, false),
        ];
        for (size, memory, is_copied) in cases {
            for others in [0, 1] {
                let mut messages = Messages::new(buffer.slice(..size), 1, FRAMING);
                messages.set_memory(size.max(memory * 1024));
                let mut inbox = Inbox::default();
                (0..others).for_each(|_| inbox.push(message(b"1")));
                inbox.push_to_stay(messages);
                assert_eq!(
                    (buffer.is_unique(), inbox.total().messages),
                    (is_copied, others + 1),
                    "{size} {memory}"
                );
            }
        }
    }
}
