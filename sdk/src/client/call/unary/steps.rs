//! The steps of a call, from its options until it is sent.

mod answer;

use std::borrow::Cow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::clock::{Lack, now, sleep_until};
use crate::driver::{Answer, CallTerms, Head, SendError, UnaryContent};
use crate::error::{Error, ErrorKind, Origin, Reason, Result};
use crate::service::{CallOptions, CallRef, Limit, UnsentRequest};
use crate::stream::{
    CallEnd, EncodeOnce, FromJson, JSON, JsonError, Message, OwnWriter, Subject, ToJson, Unpacking,
    poll_time, send_error, timed_out, wire_encoding,
};

use super::super::connecting::{Connecting, Limited, NotConnected, connection, not_connected};
use super::super::guard::ClientGuard;
use super::super::target::Target;

use answer::Elsewhere;

/// Everything that is said of a call before it is sent.
pub(super) struct Prepared<Req, Resp> {
    target: Target,
    pub(super) options: CallOptions,
    pub(super) attachment: Bytes,
    request: EncodeOnce<Req>,
    /// Set together, but that nothing is read of a one-way call.
    pub(super) to_json: Option<ToJson<Req>>,
    pub(super) from_json: Option<FromJson<Resp>>,
}

/// The steps of a call.
pub(super) struct CallFuture<Req, Resp> {
    guard: ClientGuard,
    pub(super) call: Prepared<Req, Resp>,
    one_way: bool,
    limit: Option<Limit>,
    /// The call's own choice of waiting for a connection.
    patient: Option<bool>,
    /// When its time has passed, for one that had to wait for room or whose answer is unpacked or
    /// decoded.
    late: Option<Pin<Box<tokio::time::Sleep>>>,
    step: Step<Resp>,
}

enum Step<Resp> {
    Start,
    /// Waiting for a connection.
    Connecting(Connecting, Head),
    /// Waiting for room in the outbox.
    Request(UnsentRequest),
    /// Waiting for the answer.
    Sent(Option<CallRef>),
    /// It has failed before it was sent.
    Failed(Error),
    /// The answer is there, and its body is being unpacked.
    Unpacking(CallRef, Option<Answer>, Unpacking),
    /// The answer is there, and its message is being decoded elsewhere.
    Decoding(CallRef, Option<Answer>, Elsewhere<Resp>),
    /// The call has given its outcome.
    Over,
}

// Nothing in it is ever pinned.
impl<Req, Resp> Unpin for CallFuture<Req, Resp> {}

impl<Req: Message, Resp: Message> CallFuture<Req, Resp> {
    pub(super) fn new(target: Target, request: Req, one_way: bool) -> Self {
        let call = Prepared {
            target,
            options: CallOptions::new(),
            attachment: Bytes::new(),
            request: EncodeOnce::Message(request),
            to_json: None,
            from_json: None,
        };
        let guard = ClientGuard::new();
        Self { guard, call, one_way, limit: None, patient: None, late: None, step: Step::Start }
    }

    /// Sends the request. Not inlined, so that whoever has sent it does not pay for that when the
    /// answer is there. A call that fails before it is sent pays into tokio's budget, so that a
    /// task that tries again and again lets others go on.
    #[inline(never)]
    pub(super) fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if !matches!(self.step, Step::Failed(_)) {
            match ready!(self.poll_send(cx)) {
                Ok(()) => return Poll::Ready(Ok(())),
                Err(error) => self.step = Step::Failed(error),
            }
        }
        ready!(tokio::task::coop::poll_proceed(cx)).made_progress();
        match std::mem::replace(&mut self.step, Step::Over) {
            Step::Failed(error) => Poll::Ready(Err(error)),
            _ => unreachable!("it has failed"),
        }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        loop {
            let (request, now) = match &mut self.step {
                Step::Start => {
                    if self.one_way {
                        // One that waits for nothing would never let others go on.
                        ready!(tokio::task::coop::poll_proceed(cx)).made_progress();
                    }
                    let call = &mut self.call;
                    self.guard.begin(call.target.method);
                    call.target.check_metadata(&mut call.options, false)?;
                    let now = now();
                    self.limit = call.options.limit(call.target.channel.timeout(), now);
                    let compression = call.target.compression(&call.options);
                    if let Err(error) = call.request.encode_as(call.to_json, compression) {
                        return Poll::Ready(Err(self.not_json(error)));
                    }
                    let timeout = self.limit.as_ref().map(|limit| limit.whole(now));
                    if timeout == Some(None) {
                        return Poll::Ready(Err(self.deadline_error()));
                    }
                    let encoding = wire_encoding(compression, call.request.size());
                    // PROTOCOL 36
                    let content_type = if call.to_json.is_some() { JSON } else { 0 };
                    self.patient = call.options.wait_for_ready;
                    let options = std::mem::take(&mut call.options);
                    let link = call.target.channel.pick();
                    let mut head = call.target.head(options, timeout.flatten());
                    (head.content_type, head.content_encoding) = (content_type, encoding);
                    let Some(link) = link else {
                        self.wait_for_connection(head);
                        continue;
                    };
                    (UnsentRequest::new(link, head), now)
                }
                Step::Connecting(waiting, head) => {
                    let link = match ready!(waiting.as_mut().poll(cx)) {
                        Ok(link) => link,
                        Err(error) => return Poll::Ready(Err(self.not_connected(error))),
                    };
                    let mut head = std::mem::take(head);
                    head.timeout = self.time_left()?;
                    (UnsentRequest::new(link, head), now())
                }
                Step::Request(_) => {
                    let Step::Request(request) = std::mem::replace(&mut self.step, Step::Start)
                    else {
                        unreachable!("it was one")
                    };
                    (request, now())
                }
                Step::Over => self.polled_again(),
                Step::Sent(_) | Step::Failed(_) | Step::Unpacking(..) | Step::Decoding(..) => {
                    return Poll::Ready(Ok(()));
                }
            };
            ready!(self.poll_request(request, now, cx))?;
        }
    }

    /// Sends the request. One that has to wait, or cannot be sent, is kept: most requests are sent
    /// at once, and so are moved less.
    fn poll_request(
        &mut self,
        mut request: UnsentRequest,
        now: Instant,
        cx: &mut Context<'_>,
    ) -> Poll<Result<()>> {
        // It has waited: less is left than when it began to.
        if let (Some(_), Some(limit)) = (&self.late, &self.limit) {
            match limit.left(now) {
                Some(left) => request.set_timeout(left),
                None => {
                    self.step = Step::Request(request);
                    return Poll::Ready(Err(self.deadline_error().not_sent()));
                }
            }
        }
        let deadline = self.limit.as_ref().and_then(|limit| limit.deadline);
        if let Some(deadline) = deadline
            && request.link().is_driven_elsewhere()
            && let Err(lack) = self.watch_time(deadline)
        {
            self.step = Step::Request(request);
            return Poll::Ready(Err(self.subject().no_timer(lack)));
        }
        let (attachment, message) = (&self.call.attachment, &self.call.request);
        let terms = CallTerms { one_way: self.one_way, deadline, now };
        let content = UnaryContent { len: message.size(), body: message, attachment };
        let why = match request.poll_send(terms, content, cx) {
            Poll::Ready(Ok(sent)) => {
                self.step = Step::Sent(sent);
                return Poll::Ready(Ok(()));
            }
            Poll::Ready(Err(error)) => Poll::Ready(error),
            Poll::Pending => Poll::Pending,
        };
        self.poll_unsent(request, why, cx)
    }

    #[inline(never)]
    fn poll_unsent(
        &mut self,
        mut request: UnsentRequest,
        why: Poll<SendError>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<()>> {
        // Nothing of it was sent if the connection is lost or its server drains: another one will
        // do.
        let head = match &why {
            Poll::Ready(why) => request.take_head(why),
            Poll::Pending => None,
        };
        self.step = Step::Request(request);
        match (head, why) {
            (Some(mut head), _) => {
                head.timeout = self.time_left()?;
                match self.call.target.channel.pick() {
                    Some(link) => self.step = Step::Request(UnsentRequest::new(link, head)),
                    None => self.wait_for_connection(head),
                }
                Poll::Ready(Ok(()))
            }
            (None, Poll::Ready(error)) => Poll::Ready(Err(send_error(error, &self.subject()))),
            (None, Poll::Pending) => Poll::Ready(Err(ready!(self.poll_too_late(cx)))),
        }
    }

    /// The time that is left, for a request that has waited.
    fn time_left(&self) -> Result<Option<Duration>> {
        let Some(limit) = &self.limit else { return Ok(None) };
        limit.left(now()).map(Some).ok_or_else(|| self.deadline_error().not_sent())
    }

    /// Waits until the call's time has passed, while it waits for room, and gives the error of
    /// that. A request that is sent has a deadline at its connection.
    #[cold]
    fn poll_too_late(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        Poll::Ready(match ready!(self.poll_limit(cx)) {
            Ok(()) => self.deadline_error().not_sent(),
            Err(lack) => self.subject().no_timer(lack),
        })
    }

    /// Waits until the call's time has passed.
    fn poll_limit(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Lack>> {
        let Some(deadline) = self.limit.as_ref().and_then(|limit| limit.deadline) else {
            return Poll::Pending;
        };
        self.set_late(deadline)?;
        let late = self.late.as_mut().expect("it was set above");
        poll_time(late.as_mut(), cx).map(Ok)
    }

    /// The deadline of what is sent is its connection's to keep, but for one whose runtime may
    /// stand still while ours does not. A one-way call waits for no answer.
    #[cold]
    fn watch_time(&mut self, deadline: Instant) -> Result<(), Lack> {
        if self.one_way { Ok(()) } else { self.set_late(deadline) }
    }

    /// Makes the call's own timer, unless it has one.
    fn set_late(&mut self, deadline: Instant) -> Result<(), Lack> {
        if self.late.is_none() {
            self.late = Some(Box::pin(sleep_until(deadline)?));
        }
        Ok(())
    }

    #[inline(never)]
    fn wait_for_connection(&mut self, head: Head) {
        let channel = self.call.target.channel.clone();
        let deadline = self.limit.as_ref().and_then(|limit| limit.deadline);
        self.step = Step::Connecting(connection(channel, self.patient, deadline), head);
    }

    /// Its outcome is handed over, and there is no other.
    pub(super) fn finish<T>(&mut self, outcome: &Result<T>) {
        self.guard.end(CallEnd::of(outcome));
        self.step = Step::Over;
    }

    #[cold]
    fn polled_again(&self) -> ! {
        panic!("the call of {} was polled after it was done", self.call.target.method.path)
    }

    fn not_json(&self, error: JsonError) -> Error {
        let text =
            format!("the request cannot be written as JSON, as {}", std::any::type_name::<Req>());
        self.subject()
            .error(ErrorKind::Encode, Origin::Caller, Reason::Encode, text)
            .with_source(error)
    }

    fn not_connected(&self, why: NotConnected) -> Error {
        let limit = self.limit.as_ref().map(Limited::Call);
        not_connected(why, &self.subject(), &self.call.target.channel, limit)
    }

    fn deadline_error(&self) -> Error {
        timed_out(&self.subject())
    }

    fn subject(&self) -> Subject {
        let Target { channel, method, .. } = &self.call.target;
        let peer = match &self.step {
            Step::Request(waiting) => waiting.link().peer_text(),
            Step::Sent(Some(call)) | Step::Unpacking(call, ..) | Step::Decoding(call, ..) => {
                call.link().peer_text()
            }
            Step::Start
            | Step::Connecting(..)
            | Step::Sent(None)
            | Step::Failed(_)
            | Step::Over => channel.peer_text(),
        };
        let limit = self.limit.as_ref().map(Limit::time);
        Subject {
            method: Cow::Borrowed(method.path),
            peer,
            client: true,
            stream: false,
            writing: OwnWriter::None,
            limit,
        }
    }
}
