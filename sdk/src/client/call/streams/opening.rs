//! The steps that open a stream, from its options until the server has accepted it.

use std::borrow::Cow;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use crate::clock::{Lack, now, sleep, wait_until};
use crate::driver::{Ending, Head, Link, SendError, SendTicket, StreamKey, WeakLink};
use crate::error::{Error, ErrorKind, Origin, Reason, Result};
use crate::service::{CallOptions, Limit};
use crate::stream::{CallEnd, Compression, OwnWriter, StreamRef, Subject, send_error, timed_out};

use super::super::connecting::{Limited, connection, not_connected};
use super::super::guard::{ClientGuard, hear};
use super::super::target::Target;

/// The steps that the three kinds of stream have in common when they are opened.
///
/// Most streams find a connection with room. Only what has to wait for one of them is in a box.
pub(super) struct Open {
    guard: ClientGuard,
    target: Target,
    pub(super) options: CallOptions,
    step: OpeningStep,
}

enum OpeningStep {
    Start,
    /// Waiting for a connection, or for room on it.
    Waiting(Pin<Box<dyn Future<Output = Result<SentOpening>> + Send>>),
    /// The head is sent: waiting until the server has accepted the stream.
    Sent(StreamRef),
    /// The same on a connection that another runtime drives.
    SentElsewhere(StreamRef, Pin<Box<dyn Future<Output = Result<(), Ending>> + Send>>),
    /// It has failed before the server answered.
    Failed(Error),
    /// The outcome is handed over.
    Over,
}

impl Open {
    pub(super) fn new(target: Target) -> Self {
        let guard = ClientGuard::new();
        Self { guard, target, options: CallOptions::new(), step: OpeningStep::Start }
    }

    /// Opens the stream. One that fails pays into tokio's budget, so that a task that tries again
    /// and again lets others go on.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<StreamRef>> {
        if !matches!(self.step, OpeningStep::Failed(_)) {
            match ready!(self.poll_open(cx)) {
                Ok(stream) => return Poll::Ready(Ok(stream)),
                Err(error) => self.step = OpeningStep::Failed(error),
            }
        }
        ready!(tokio::task::coop::poll_proceed(cx)).made_progress();
        match std::mem::replace(&mut self.step, OpeningStep::Over) {
            OpeningStep::Failed(error) => {
                self.guard.end(CallEnd::Failed(&error));
                Poll::Ready(Err(error))
            }
            _ => unreachable!("it has failed"),
        }
    }

    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<Result<StreamRef>> {
        loop {
            let opened = match &mut self.step {
                OpeningStep::Start => {
                    self.guard.begin(self.target.method);
                    self.step = self.start(cx)?;
                    continue;
                }
                OpeningStep::Waiting(sent) => {
                    let sent = ready!(sent.as_mut().poll(cx))?;
                    self.guard.pass_to_stream();
                    self.step = sent.wait_for_server();
                    continue;
                }
                OpeningStep::Sent(stream) => ready!(stream.link().poll_opened(stream.key(), cx)),
                OpeningStep::SentElsewhere(_, opened) => ready!(opened.as_mut().poll(cx)),
                OpeningStep::Failed(_) | OpeningStep::Over => {
                    panic!(
                        "the stream of {} was polled after it was opened",
                        self.target.method.path
                    )
                }
            };
            let step = std::mem::replace(&mut self.step, OpeningStep::Over);
            let (OpeningStep::Sent(stream) | OpeningStep::SentElsewhere(stream, _)) = step else {
                unreachable!("the head was sent")
            };
            return Poll::Ready(self.opened(stream, opened));
        }
    }

    /// Sends the head at once if it can, as most streams do.
    fn start(&mut self, cx: &Context<'_>) -> Result<OpeningStep> {
        let Self { target, options, .. } = self;
        let mut unsent = UnsentOpening::new(target, std::mem::take(options))?;
        let Some(link) = target.channel.pick() else {
            return Ok(unsent.wait(target.clone(), None));
        };
        unsent.check_timers(target, &link)?;
        let mut ticket = None;
        match link.poll_open(&mut unsent.head, unsent.idle_timeout, None, &mut ticket, cx) {
            Poll::Ready(Ok(key)) => {
                self.guard.pass_to_stream();
                Ok(unsent.sent(target, link, key, None).wait_for_server())
            }
            Poll::Ready(Err(error)) => {
                unsent.not_sent(target, &link, error)?;
                Ok(unsent.wait(target.clone(), None))
            }
            Poll::Pending => {
                Ok(unsent.wait(target.clone(), Some(Unopened { link, ticket, open_by: None })))
            }
        }
    }

    /// The server has answered.
    fn opened(&self, stream: StreamRef, opened: Result<(), Ending>) -> Result<StreamRef> {
        let (channel, link) = (&self.target.channel, stream.link());
        match opened {
            Ok(()) => {
                hear(channel, link, None);
                Ok(stream)
            }
            Err(ending) => {
                if let Ending::Refused(outcome) | Ending::Reset(outcome) | Ending::Closed(outcome) =
                    &ending
                {
                    hear(channel, link, Some(outcome));
                }
                Err(stream.error(&ending))
            }
        }
    }
}

/// A stream whose head was sent.
struct SentOpening {
    stream: StreamRef,
    /// If it had to wait for room: when it must be open.
    open_by: Option<Instant>,
    deadline: Option<Instant>,
}

impl SentOpening {
    /// Its limits of time are the connection's to keep, but for one whose runtime may stand still
    /// while ours does not: there they are looked after here.
    fn wait_for_server(self) -> OpeningStep {
        let Self { stream, open_by, deadline } = self;
        let link = stream.link();
        if !link.is_driven_elsewhere() {
            return OpeningStep::Sent(stream);
        }
        let opened = opened_elsewhere(link.clone(), stream.key(), open_by, deadline);
        OpeningStep::SentElsewhere(stream, Box::pin(opened))
    }
}

/// A stream whose head is not sent.
struct UnsentOpening {
    head: Option<Head>,
    limit: Option<Limit>,
    idle_timeout: Option<Duration>,
    patient: Option<bool>,
    compression: Option<Compression>,
}

impl UnsentOpening {
    fn new(target: &Target, mut options: CallOptions) -> Result<Self> {
        target.check_metadata(&mut options, true)?;
        // The channel's timeout is for unary calls: a stream may live long.
        let limit = if options.is_limited() { options.limit(None, now()) } else { None };
        let compression = target.compression(&options);
        let encoding = compression.map_or(0, Compression::to_wire);
        let (idle_timeout, patient) = (options.stream_idle_timeout, options.wait_for_ready);
        // PROTOCOL 36
        let mut head = target.head(options, None);
        head.content_encoding = encoding;
        let mut unsent = Self { head: Some(head), limit, idle_timeout, patient, compression };
        unsent.tell_time_left(target)?;
        Ok(unsent)
    }

    /// Tells the server how much time is left.
    fn tell_time_left(&mut self, target: &Target) -> Result<()> {
        if let (Some(limit), Some(head)) = (&self.limit, &mut self.head) {
            head.timeout = limit.left(now());
            if head.timeout.is_none() {
                return Err(timed_out(&self.subject(target, target.channel.peer_text())));
            }
        }
        Ok(())
    }

    /// On a connection that another runtime drives the limits of time are kept here, if they can
    /// be.
    fn check_timers(&self, target: &Target, link: &Link) -> Result<()> {
        if !link.is_driven_elsewhere() {
            return Ok(());
        }
        match sleep(Duration::ZERO) {
            Ok(_) => Ok(()),
            Err(lack) => Err(self.subject(target, link.peer_text()).no_timer(lack)),
        }
    }

    fn sent(
        &self,
        target: &Target,
        link: Link,
        key: StreamKey,
        open_by: Option<Instant>,
    ) -> SentOpening {
        let time = self.limit.as_ref().map(Limit::time);
        let stream = StreamRef::of_client(
            link,
            key,
            target.method.path,
            self.compression,
            time,
            ClientGuard::STREAM_END,
        );
        SentOpening { stream, open_by, deadline: self.deadline() }
    }

    /// Why it could not be sent, unless another connection is to be tried: on one that was lost
    /// before there was anything of it in the connection, or whose server drains, nobody has it.
    #[cold]
    fn not_sent(&self, target: &Target, link: &Link, error: SendError) -> Result<()> {
        if self.head.is_some() && link.note_unsent(&error) {
            return Ok(());
        }
        Err(send_error(error, &self.subject(target, link.peer_text())))
    }

    #[cold]
    fn wait(self, target: Target, unopened: Option<Unopened>) -> OpeningStep {
        OpeningStep::Waiting(Box::pin(send(target, self, unopened)))
    }

    fn deadline(&self) -> Option<Instant> {
        self.limit.as_ref().and_then(|limit| limit.deadline)
    }

    fn subject(&self, target: &Target, peer: Arc<str>) -> Subject {
        let limit = self.limit.as_ref().map(Limit::time);
        Subject {
            method: Cow::Borrowed(target.method.path),
            peer,
            client: true,
            stream: true,
            writing: OwnWriter::None,
            limit,
        }
    }
}

/// Sends the head on a connection, and waits for one if there is none, and for room. A stream whose
/// head was sent is never opened again.
async fn send(
    target: Target,
    mut unsent: UnsentOpening,
    mut unopened: Option<Unopened>,
) -> Result<SentOpening> {
    let mut waited = None;
    loop {
        let mut on = match unopened.take() {
            Some(unopened) => unopened,
            None => {
                let link = pick(&target, &unsent, &mut waited).await?;
                unsent.tell_time_left(&target)?;
                unsent.check_timers(&target, &link)?;
                Unopened { link, ticket: None, open_by: None }
            }
        };
        match on.open(&mut unsent).await {
            Ok(Some(Ok(key))) => return Ok(unsent.sent(&target, on.link.clone(), key, on.open_by)),
            Ok(Some(Err(error))) => unsent.not_sent(&target, &on.link, error)?,
            Ok(None) => {
                return Err(on.no_room(&unsent, &unsent.subject(&target, on.link.peer_text())));
            }
            Err(lack) => return Err(unsent.subject(&target, on.link.peer_text()).no_timer(lack)),
        }
    }
}

/// A connection for the stream. `waited` is until when one without a limit of its own waits.
async fn pick(
    target: &Target,
    unsent: &UnsentOpening,
    waited: &mut Option<Option<Instant>>,
) -> Result<Link> {
    let channel = &target.channel;
    if let Some(link) = channel.pick() {
        return Ok(link);
    }
    let (deadline, limited) = match &unsent.limit {
        Some(limit) => (limit.deadline, Limited::Call(limit)),
        None => {
            let open_timeout = channel.open_timeout();
            let until = *waited.get_or_insert_with(|| now().checked_add(open_timeout));
            (until, Limited::Open(open_timeout))
        }
    };
    connection(channel.clone(), unsent.patient, deadline).await.map_err(|why| {
        not_connected(why, &unsent.subject(target, channel.peer_text()), channel, Some(limited))
    })
}

/// The connection of a stream whose head was not sent: it may have no room for it.
struct Unopened {
    link: Link,
    ticket: Option<SendTicket>,
    /// If it had to wait: when it must be open.
    open_by: Option<Instant>,
}

impl Unopened {
    /// Sends the head when there is room; `None` if there is none in time.
    async fn open(
        &mut self,
        unsent: &mut UnsentOpening,
    ) -> Result<Option<Result<StreamKey, SendError>>, Lack> {
        // Most often there is room, and no need of a timer.
        if let Poll::Ready(opened) = futures::poll!(poll_fn(|cx| self.poll_open(unsent, cx))) {
            return Ok(Some(opened));
        }
        self.open_by = now().checked_add(self.link.config().open_timeout);
        let by = self.open_by.into_iter().chain(unsent.deadline()).min();
        let opening = poll_fn(|cx| self.poll_open(unsent, cx));
        match by {
            Some(by) => wait_until(by, opening).await,
            None => Ok(Some(opening.await)),
        }
    }

    fn poll_open(
        &mut self,
        unsent: &mut UnsentOpening,
        cx: &Context<'_>,
    ) -> Poll<Result<StreamKey, SendError>> {
        let UnsentOpening { head, limit, idle_timeout, .. } = unsent;
        if let (Some(_), Some(head), Some(limit)) = (self.ticket, &mut *head, limit) {
            // Less is left than when it began to wait. If nothing is, the timer is about to say so.
            let Some(left) = limit.left(now()) else { return Poll::Pending };
            head.timeout = Some(left);
        }
        self.link.poll_open(head, *idle_timeout, self.open_by, &mut self.ticket, cx)
    }

    /// The error of one that has waited for too long.
    fn no_room(&self, unsent: &UnsentOpening, subject: &Subject) -> Error {
        if unsent.deadline().is_some_and(|deadline| self.open_by.is_none_or(|by| deadline <= by)) {
            return timed_out(subject).not_sent();
        }
        let config = self.link.config();
        let text = format!(
            "the stream was not opened, because the peer reads so little that there was no room within {:?} \
             (open_timeout): {} bytes wait for it (max_unsent_per_connection)",
            config.open_timeout,
            self.link.buffered().unsent,
        );
        subject.error(ErrorKind::Timeout, Origin::Caller, Reason::Deadline, text).not_sent()
    }
}

impl Drop for Unopened {
    fn drop(&mut self) {
        self.link.give_back(&mut self.ticket);
    }
}

/// Waits until the server has accepted a stream on a connection whose runtime may stand still.
async fn opened_elsewhere(
    link: Link,
    key: StreamKey,
    open_by: Option<Instant>,
    deadline: Option<Instant>,
) -> Result<(), Ending> {
    let mut opened = pin!(poll_fn(|cx| link.poll_opened(key, cx)));
    if let Some(deadline) = deadline {
        tokio::spawn(end_in_time(link.downgrade(), deadline));
    }
    let open_by = open_by.or_else(|| now().checked_add(link.config().open_timeout));
    let Some(by) = open_by.into_iter().chain(deadline).min() else { return opened.await };
    loop {
        if let Ok(opened) = tokio::time::timeout_at(by.into(), &mut opened).await {
            return opened;
        }
        link.pass_time();
        tokio::time::sleep(TICK).await;
    }
}

/// Does what is due on a connection that another runtime drives, when a stream's time is up.
async fn end_in_time(link: WeakLink, deadline: Instant) {
    tokio::time::sleep_until(deadline.into()).await;
    // The connection began to count a little later than the call.
    tokio::time::sleep(TICK).await;
    if let Some(link) = link.upgrade() {
        link.pass_time();
    }
}

/// The smallest step of tokio's timers.
const TICK: Duration = Duration::from_millis(1);
