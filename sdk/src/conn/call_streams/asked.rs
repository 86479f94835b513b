//! Calls of this side's: they are sent, and their answers come.

use bytes::Bytes;

use crate::error::{At, Reason};
use crate::framing::{Answer, Body, Head, Outcome, StreamId, UnaryContent};
use crate::wires::{AnswerHead, End};

use super::super::Connection;
use super::super::calls::Call;
use super::super::credit::SendWindow;
use super::super::event::{CallKey, Ending};
use super::super::parts::Tail;
use super::super::streaming::SendError;
use super::{CallStream, Incomplete};

/// A call that waits for its answer.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) message: Incomplete,
    head: AnswerHead,
}

impl Connection {
    /// Sends a unary call on a stream of its own: the head, and the message and the end as far as
    /// the windows allow.
    #[inline(never)]
    pub(in crate::conn) fn call_on_stream(
        &mut self,
        id: StreamId,
        head: &Head,
        content: UnaryContent<'_, impl Body>,
    ) -> Result<(), SendError> {
        let message = self.framed(id, content)?;
        self.begin_asking(id, head, message)
    }

    fn begin_asking(
        &mut self,
        id: StreamId,
        head: &Head,
        message: Vec<u8>,
    ) -> Result<(), SendError> {
        self.wire.begin_call(&mut self.output, id, head, self.config.largest())?;
        let answer = Incomplete::new(self.recv_window(0));
        let asked = Asked { message: answer, head: AnswerHead::default() };
        if let Some(shared) = &mut self.shared {
            shared.calls.0.insert(id.0, CallStream::Asked(Box::new(asked)));
        }
        self.leave(id, message, SendWindow::of(self.rules.credit, 0), Tail::HalfClose);
        Ok(())
    }

    /// An answer begins.
    #[inline(never)]
    pub(in crate::conn) fn handle_answer_head(&mut self, id: StreamId, head: AnswerHead) {
        if let Some(CallStream::Asked(asked)) = self.call_stream(id) {
            asked.head = head;
        }
    }

    /// The server has refused a stream that is a unary call.
    #[inline(never)]
    pub(in crate::conn) fn handle_call_refused(&mut self, id: StreamId, outcome: Outcome) {
        if self.is_call_stream(id) {
            self.finish_call(id, End::Close, outcome);
        }
    }

    /// The end of an answer has come, or the server has broken the call off.
    pub(super) fn finish_call(&mut self, id: StreamId, how: End, outcome: Outcome) {
        let Some(CallStream::Asked(asked)) = self.take_call_stream(id) else { return };
        let Asked { message, head } = *asked;
        self.unread.keep(message.memory(), 0);
        let is_unsent = self.drop_leftover(id);
        self.hear_drain(&outcome);
        let answer = if how == End::Close {
            if is_unsent {
                // The server has answered without the rest of the request, and may wait for it.
                let text = "the call is answered";
                self.write_reset(id, Outcome::failed(Reason::Cancelled.at(At::ClientCall), text));
            }
            self.answer_of(message, head, outcome)
        } else {
            Err(Ending::Reset(outcome.into()))
        };
        self.answered(id.0, answer);
    }

    fn answer_of(
        &self,
        message: Incomplete,
        head: AnswerHead,
        mut outcome: Outcome,
    ) -> Result<Answer, Ending> {
        let framing = self.rules.framing;
        let body = match message.check(framing) {
            Ok(()) => message.into_body(framing),
            // A failure says enough.
            Err(_) if !outcome.is_ok() => Bytes::new(),
            Err(violation) => return Err(Ending::Violation(violation)),
        };
        if outcome.initial.is_empty() {
            outcome.initial = head.initial;
        }
        Ok(Answer {
            outcome,
            body,
            attachment: Bytes::new(),
            content_type: head.content_type,
            content_encoding: head.content_encoding,
        })
    }

    /// This side waits for the answer no more. The server hears why, if it knows the call.
    pub(super) fn give_up_call(&mut self, id: StreamId, why: Option<Outcome>) {
        let Some(CallStream::Asked(asked)) = self.take_call_stream(id) else { return };
        self.unread.keep(asked.message.memory(), 0);
        self.drop_leftover(id);
        if let Some(outcome) = why {
            self.write_reset(id, outcome);
        }
    }

    /// The caller has dropped a call of this side's.
    #[inline(never)]
    pub(in crate::conn) fn cancel_call(&mut self, key: CallKey) {
        if let Call::Outgoing { id, answer: None, .. } = self.calls.get(key) {
            let text = "the client dropped the call before its answer";
            let outcome = Outcome::failed(Reason::Cancelled.at(At::ClientCall), text);
            self.give_up_call(StreamId(*id), Some(outcome));
        }
    }

    /// The server has begun no calls behind this one. Those for which nobody waits end here.
    #[inline(never)]
    pub(in crate::conn) fn forget_calls_behind(&mut self, accepted: StreamId) {
        let Some(shared) = &self.shared else { return };
        let behind = shared.calls.0.keys().filter(|id| **id > accepted.0);
        let ids: Vec<_> = behind.map(|id| StreamId(*id)).collect();
        ids.into_iter().for_each(|id| self.give_up_call(id, None));
    }
}
