//! Holds on unary calls: letting go of one frees its place in the connection.

use std::task::{Context, Poll};

use bytes::BytesMut;

use crate::transport::{Answer, CallKey, Ending, Link, Outcome, SendError, Ticket};

/// A call of ours or of the peer's.
#[derive(Debug)]
pub(super) struct CallRef {
    link: Link,
    key: CallKey,
}

impl CallRef {
    pub(super) fn new(link: Link, key: CallKey) -> Self {
        Self { link, key }
    }

    pub(super) fn link(&self) -> &Link {
        &self.link
    }

    /// Waits for the answer to a call of ours.
    pub(super) fn poll_answer(&self, cx: &Context<'_>) -> Poll<Result<Answer, Ending>> {
        self.link.poll_answer(self.key, cx)
    }

    /// Waits until nobody waits for our answer any more.
    pub(super) fn poll_ended(&self, cx: &Context<'_>) -> Poll<Ending> {
        self.link.poll_call_ended(self.key, cx)
    }

    pub(super) fn reply(
        &self,
        outcome: Outcome,
        content_encoding: u32,
        body: (usize, impl FnOnce(&mut BytesMut)),
        attachment: &[u8],
    ) -> Result<(), SendError> {
        self.link.reply(self.key, outcome, content_encoding, body, attachment)
    }

    /// Answers without a message.
    pub(super) fn refuse(&self, outcome: Outcome, attachment: &[u8]) {
        self.link.refuse(self.key, outcome, attachment);
    }
}

impl Drop for CallRef {
    fn drop(&mut self) {
        self.link.release_call(self.key);
    }
}

/// A wait for room in the connection's outbox.
pub(super) struct Room {
    link: Link,
    ticket: Option<Ticket>,
}

impl Room {
    pub(super) fn new(link: Link) -> Self {
        Self { link, ticket: None }
    }

    pub(super) fn link(&self) -> &Link {
        &self.link
    }

    pub(super) fn poll(&mut self, bytes: usize, cx: &Context<'_>) -> Poll<Result<(), Ending>> {
        self.link.poll_room(bytes, &mut self.ticket, cx)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.link.give_back(&mut self.ticket);
    }
}
