//! The operations on a stream that come behind all that its writer has sent.

use crate::framing::{Body, Outcome, Prefix};

use super::Connection;
use super::event::StreamKey;
use super::fit::Fit;
use super::send_queue::SendTicket;
use super::streaming::{Consumed, SendError, Sent};

/// A stream whose credit is not granted: the messages that its writer made by itself are queued, so
/// the frames of an operation go behind them. Reading goes another way, and does not pass here.
pub(crate) struct Collected<'a> {
    conn: &'a mut Connection,
    key: StreamKey,
}

impl Connection {
    /// The stream, for an operation on it. `None` while its credit is granted:
    /// [`collect`](Self::collect) that first.
    #[inline]
    pub(crate) fn collected(&mut self, key: StreamKey) -> Option<Collected<'_>> {
        if self.is_granted(key) { None } else { Some(Collected { conn: self, key }) }
    }
}

impl Collected<'_> {
    /// See [`Connection::send`].
    #[inline]
    pub(crate) fn send(
        self,
        len: usize,
        ticket: &mut Option<SendTicket>,
        body: impl Body,
    ) -> Result<Sent, SendError> {
        self.conn.send(self.key, len, ticket, body)
    }

    /// See [`Connection::grant_credit`].
    pub(crate) fn grant_credit(self) -> (Prefix, i64) {
        self.conn.grant_credit(self.key)
    }

    /// See [`Connection::half_close`].
    pub(crate) fn half_close(self) {
        self.conn.half_close(self.key);
    }

    /// See [`Connection::close`].
    pub(crate) fn close(self, outcome: Outcome) -> Fit {
        self.conn.close(self.key, outcome)
    }

    /// See [`Connection::reset`].
    pub(crate) fn reset(self, outcome: Outcome) {
        self.conn.reset(self.key, outcome);
    }

    /// See [`Connection::discard`].
    pub(crate) fn discard(self, consumed: Consumed) {
        self.conn.discard(self.key, consumed);
    }

    /// See [`Connection::end_input`].
    pub(crate) fn end_input(self) {
        self.conn.end_input(self.key);
    }

    /// See [`Connection::release`].
    pub(crate) fn release(self) {
        self.conn.release(self.key);
    }
}
