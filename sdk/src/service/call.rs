//! Holds on unary calls: letting go of one frees its place in the connection.

use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::driver::{
    Answer, Body, CallKey, CallTerms, Ending, Fit, Head, Link, Outcome, Overrun, SendError,
    SendTicket, UnaryContent,
};

/// A call of ours that is not answered yet, or one of the peer's.
#[derive(Debug)]
pub(crate) struct CallRef {
    link: Link,
    /// `None` once it is answered.
    key: Option<CallKey>,
    /// A ticket in the queue for room, while an answer of ours waits for it.
    ticket: Option<SendTicket>,
}

impl CallRef {
    pub(crate) fn new(link: Link, key: CallKey) -> Self {
        Self { link, key: Some(key), ticket: None }
    }

    pub(crate) fn link(&self) -> &Link {
        &self.link
    }

    /// Waits for the answer to a call of ours.
    pub(crate) fn poll_answer(&mut self, cx: &Context<'_>) -> Poll<Result<Answer, Ending>> {
        let answer = ready!(self.link.poll_answer(self.key(), cx));
        self.key = None;
        Poll::Ready(answer)
    }

    /// Counts the body of a peer's call as `now` bytes, which was counted as `before`.
    pub(crate) fn recount(&self, before: usize, now: usize) -> Result<(), Overrun> {
        self.link.recount_call(self.key(), before, now)
    }

    /// Waits until nobody waits for our answer any more.
    pub(crate) fn poll_ended(&self, cx: &Context<'_>) -> Poll<Ending> {
        self.link.poll_call_ended(self.key(), cx)
    }

    /// Answers a call of the peer's when there is room. A message that cannot be sent leaves the
    /// call open.
    pub(crate) fn poll_reply(
        &mut self,
        outcome: &mut Outcome,
        content_encoding: u32,
        content: UnaryContent<'_, impl Body>,
        cx: &Context<'_>,
    ) -> Poll<Result<(), SendError>> {
        let (key, ticket) = (self.key(), &mut self.ticket);
        let replied =
            ready!(self.link.poll_reply(key, outcome, content_encoding, content, ticket, cx));
        if replied.is_ok() {
            self.key = None;
        }
        Poll::Ready(replied)
    }

    /// An answer of ours of so many bytes counts from now on, if there is room for it.
    pub(crate) fn hold_answer(&self, bytes: usize) -> Result<(), SendError> {
        self.link.hold_answer(self.key(), bytes)
    }

    /// Answers without a message.
    pub(crate) fn refuse(&self, outcome: Outcome, attachment: &[u8]) -> Fit {
        self.link.refuse(self.key(), outcome, attachment)
    }

    fn key(&self) -> CallKey {
        self.key.expect("a call that is answered is asked no more")
    }
}

impl Drop for CallRef {
    fn drop(&mut self) {
        self.link.give_back(&mut self.ticket);
        if let Some(key) = self.key {
            self.link.release_call(key);
        }
    }
}

/// A request that waits for room in the connection's outbox.
pub(crate) struct UnsentRequest {
    /// `None` once it is sent: the call has it then.
    link: Option<Link>,
    head: Option<Head>,
    ticket: Option<SendTicket>,
}

impl UnsentRequest {
    pub(crate) fn new(link: Link, head: Head) -> Self {
        Self { link: Some(link), head: Some(head), ticket: None }
    }

    /// Sends it when there is room. The task is woken when the answer is there. A one-way call
    /// gives no call.
    pub(crate) fn poll_send(
        &mut self,
        terms: CallTerms,
        content: UnaryContent<'_, impl Body>,
        cx: &Context<'_>,
    ) -> Poll<Result<Option<CallRef>, SendError>> {
        let link = self.link.as_ref().expect("a request is sent once");
        let key = ready!(link.poll_call(&mut self.head, terms, content, &mut self.ticket, cx))?;
        Poll::Ready(Ok(key.and_then(|key| Some(CallRef::new(self.link.take()?, key)))))
    }
}

impl UnsentRequest {
    /// The head of a request that was not sent because its connection is lost or the server drains,
    /// to be sent on another one. No other call is to try here.
    pub(crate) fn take_head(&mut self, why: &SendError) -> Option<Head> {
        let another_will_do = self.link().note_unsent(why);
        another_will_do.then(|| self.head.take().expect("what was sent does not come back"))
    }

    /// How much time is left, of a request that has waited.
    pub(crate) fn set_timeout(&mut self, left: Duration) {
        if let Some(head) = &mut self.head {
            head.timeout = Some(left);
        }
    }

    pub(crate) fn link(&self) -> &Link {
        self.link.as_ref().expect("what is sent is not asked any more")
    }
}

impl Drop for UnsentRequest {
    fn drop(&mut self) {
        if let Some(link) = &self.link {
            link.give_back(&mut self.ticket);
        }
    }
}
