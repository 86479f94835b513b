//! Messages that came and were not given out yet.

use std::collections::VecDeque;

use crate::wire::Messages;

/// A queue of messages, in the pieces in which they came. One piece needs no memory of its own.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    first: Option<Messages>,
    rest: VecDeque<Messages>,
}

impl Inbox {
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(crate) fn push(&mut self, messages: Messages) {
        if self.first.is_none() {
            self.first = Some(messages);
        } else {
            self.rest.push_back(messages);
        }
    }

    /// Takes all that `other` has.
    pub(super) fn append(&mut self, other: &mut Self) {
        if self.is_empty() {
            std::mem::swap(self, other);
        } else {
            self.rest.extend(other.first.take());
            self.rest.append(&mut other.rest);
        }
    }

    /// The piece at the front, which has a message.
    #[inline]
    pub(crate) fn front(&mut self) -> Option<&mut Messages> {
        if self.first.as_ref().is_some_and(|messages| messages.count() == 0) {
            self.first = self.rest.pop_front();
        }
        self.first.as_mut()
    }

    /// How many messages there are, and their bytes.
    pub(crate) fn total(&self) -> (usize, usize) {
        self.first
            .iter()
            .chain(&self.rest)
            .fold((0, 0), |(count, bytes), messages| (count + messages.count(), bytes + messages.bytes()))
    }
}
