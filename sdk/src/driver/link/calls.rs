//! Calls and their answers.

use std::task::{Context, Poll};
use std::time::Instant;

use crate::conn::{
    Answer, Body, CallKey, Cause, ConnError, Ending, Fit, Head, Outcome, Overrun, SendError,
    SendTicket, UnaryContent,
};
use crate::driver::writer::Next;

use super::Link;

/// The terms on which a request is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallTerms {
    pub(crate) one_way: bool,
    pub(crate) deadline: Option<Instant>,
    /// The time at which it is sent.
    pub(crate) now: Instant,
}

impl Link {
    /// Sends a request when there is room. Nothing is sent while this is pending. The head stays if
    /// the connection is lost or its server drains. The task is woken when the answer is there, so
    /// it need not ask at once. On a connection that has been quiet it looks first whether the peer
    /// has ended it.
    pub(crate) fn poll_call(
        &self,
        head: &mut Option<Head>,
        terms: CallTerms,
        content: UnaryContent<'_, impl Body>,
        ticket: &mut Option<SendTicket>,
        cx: &Context<'_>,
    ) -> Poll<Result<Option<CallKey>, SendError>> {
        self.shared().with_next(|state| {
            if state.is_ended(terms.now) {
                let ended = SendError::Ended(Ending::Lost(ConnError::PeerClosed));
                return (Poll::Ready(Err(ended)), Next::Continues);
            }
            if state.conn.peer_drains() {
                return (Poll::Ready(Err(SendError::PeerDrains)), Next::Continues);
            }
            match state.poll_room(content.size(), ticket, cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return (Poll::Ready(Err(error)), Next::Continues),
                Poll::Pending => return (Poll::Pending, Next::Parks),
            }
            let head = head.take().expect("a request is sent once");
            let sent = state.conn.call(head, terms.one_way, terms.deadline, content);
            let next = if let Ok(Some(key)) = sent {
                state.wakers.call(key).wait(cx);
                Next::Parks
            } else {
                Next::Continues
            };
            (Poll::Ready(sent), next)
        })
    }

    /// Waits for the answer. Once it is given, the key is not ours any more.
    pub(crate) fn poll_answer(
        &self,
        key: CallKey,
        cx: &Context<'_>,
    ) -> Poll<Result<Answer, Ending>> {
        self.shared().poll(|state| match state.conn.answer(key) {
            Some(answer) => {
                state.wakers.forget_call(key);
                Poll::Ready(answer)
            }
            None => {
                state.wakers.call(key).wait(cx);
                Poll::Pending
            }
        })
    }

    /// Waits until nobody waits for the answer of a peer's call any more.
    pub(crate) fn poll_call_ended(&self, key: CallKey, cx: &Context<'_>) -> Poll<Ending> {
        self.shared().poll(|state| match state.conn.call_ending(key) {
            Some(ending) => Poll::Ready(ending),
            None => {
                state.wakers.call(key).wait(cx);
                Poll::Pending
            }
        })
    }

    /// Answers a call when there is room. Once it is answered, the key is not ours any more. An
    /// answer that waits counts as what is queued, and one for which the server has no room is not
    /// to be kept.
    pub(crate) fn poll_reply(
        &self,
        key: CallKey,
        outcome: &mut Outcome,
        content_encoding: u32,
        content: UnaryContent<'_, impl Body>,
        ticket: &mut Option<SendTicket>,
        cx: &Context<'_>,
    ) -> Poll<Result<(), SendError>> {
        self.shared().with_next(|state| {
            let size = content.size();
            if let Err(no_room) = state.conn.admit_answer(key, size) {
                state.leave_queue(ticket);
                return (Poll::Ready(Err(no_room)), Next::Continues);
            }
            match state.poll_room(size, ticket, cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return (Poll::Ready(Err(error)), Next::Continues),
                Poll::Pending => {
                    state.conn.hold_answer(key, size);
                    return (Poll::Pending, Next::Parks);
                }
            }
            let replied = state.conn.reply(key, std::mem::take(outcome), content_encoding, content);
            if replied.is_ok() {
                state.conn.release_call(key);
                state.wakers.forget_call(key);
            }
            // The handler is done, and so is its task.
            (Poll::Ready(replied), Next::Parks)
        })
    }

    /// An answer of so many bytes counts before it is sent, if there is room for it.
    pub(crate) fn hold_answer(&self, key: CallKey, bytes: usize) -> Result<(), SendError> {
        self.shared().with(|state| {
            state.conn.admit_answer(key, bytes)?;
            state.conn.hold_answer(key, bytes);
            Ok(())
        })
    }

    /// Counts the body of a peer's call as `now` bytes from now on, and no more as `before`. If
    /// there is no room for that, nothing changes.
    pub(crate) fn recount_call(
        &self,
        key: CallKey,
        before: usize,
        now: usize,
    ) -> Result<(), Overrun> {
        self.shared().with(|state| state.conn.recount_call(key, before, now))
    }

    /// A call of the peer's is refused for lack of memory, after it was admitted.
    pub(crate) fn count_no_room(&self) {
        self.shared().peek(|state| state.conn.count_refusal(Cause::NoRoom));
    }

    pub(crate) fn refuse(&self, key: CallKey, outcome: Outcome, attachment: &[u8]) -> Fit {
        self.shared().with(|state| state.conn.refuse(key, outcome, attachment))
    }

    pub(crate) fn release_call(&self, key: CallKey) {
        self.shared().with(|state| {
            state.conn.release_call(key);
            state.wakers.forget_call(key);
        });
    }

    /// Adds `count` tasks that run calls of the peer's, one after the other. The queued output
    /// waits until the last has ended.
    pub(crate) fn add_batch_tasks(&self, count: usize) {
        self.shared().with(|state| state.writer.add_batch_tasks(count));
    }

    /// One of them has ended.
    pub(crate) fn end_batch_task(&self) {
        self.shared().end_batch_task();
    }
}
