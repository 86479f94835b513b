//! Streams that are being opened.

use std::borrow::Cow;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::client::Channel;
use crate::error::{Code, Error, ErrorKind, Origin, Result};
use crate::stream::{
    AsyncReader, AsyncReaderWriter, AsyncWriter, Compression, Message, Reply, StreamRef, Subject, send_error,
    timed_out,
};
use crate::transport::{Ending, Head, Link, SendError, StreamKey, Ticket, WeakLink, now};

use super::connecting::{Limited, connection, is_refusal, not_connected};
use super::options::{CallOptions, Limit};
use super::stub::Target;
use super::unary::{debug_as_name, options};

/// A stream that is being opened, from the first poll on.
type Opening<T> = Pin<Box<dyn Future<Output = Result<T>> + Send>>;

/// A client stream: set options, then `.await` it for the writer and the future answer.
///
/// Opening waits for room in the connection's outbox, as a call does, and then for one round trip: the
/// server's acceptance, never a message of its handler. Both together take `open_timeout` at most.
/// Nothing is sent before it is polled, and options that are set after the first poll have no
/// promised effect. **On drop** the stream is broken off.
#[must_use = "a stream does nothing unless it is awaited"]
pub struct ClientStream<Req, Resp> {
    open: Open,
    opening: Option<Opening<(AsyncWriter<Req>, Reply<Resp>)>>,
}

/// A server stream: set options, then `.await` it for the reader.
///
/// Opening waits for room in the connection's outbox, as a call does, and then for one round trip: the
/// server's acceptance, never a message of its handler. Both together take `open_timeout` at most.
/// Nothing is sent before it is polled, and options that are set after the first poll have no
/// promised effect. **On drop** the stream is broken off.
#[must_use = "a stream does nothing unless it is awaited"]
pub struct ServerStream<Req, Resp> {
    open: Open,
    /// Until the first poll.
    request: Option<Req>,
    opening: Option<Opening<AsyncReader<Resp>>>,
}

/// A bidirectional stream: set options, then `.await` it for the reader and writer.
///
/// Opening waits for room in the connection's outbox, as a call does, and then for one round trip: the
/// server's acceptance, never a message of its handler. Both together take `open_timeout` at most.
/// Nothing is sent before it is polled, and options that are set after the first poll have no
/// promised effect. **On drop** the stream is broken off.
#[must_use = "a stream does nothing unless it is awaited"]
pub struct Bidi<Req, Resp> {
    open: Open,
    opening: Option<Opening<AsyncReaderWriter<Resp, Req>>>,
}

impl<Req: Message, Resp: Message> ClientStream<Req, Resp> {
    pub(super) fn new(target: Target) -> Self {
        Self { open: Open::new(target), opening: None }
    }

    options!();

    fn options_mut(&mut self) -> &mut CallOptions {
        &mut self.open.options
    }
}

impl<Req: Message, Resp: Message> Future for ClientStream<Req, Resp> {
    type Output = Result<(AsyncWriter<Req>, Reply<Resp>)>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { open, opening } = self.get_mut();
        let opening = opening.get_or_insert_with(|| {
            let open = open.start();
            Box::pin(async move {
                let stream = open.run().await?;
                Ok((AsyncWriter::new(stream.clone()), Reply::new(AsyncReader::new(stream))))
            })
        });
        opening.as_mut().poll(cx)
    }
}

impl<Req: Message, Resp: Message> ServerStream<Req, Resp> {
    pub(super) fn new(target: Target, request: Req) -> Self {
        Self { open: Open::new(target), request: Some(request), opening: None }
    }

    options!();

    fn options_mut(&mut self) -> &mut CallOptions {
        &mut self.open.options
    }
}

// Nothing in it is ever pinned.
impl<Req, Resp> Unpin for ServerStream<Req, Resp> {}

impl<Req: Message, Resp: Message> Future for ServerStream<Req, Resp> {
    type Output = Result<AsyncReader<Resp>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { open, request, opening } = self.get_mut();
        if let Some(request) = request.take() {
            *opening = Some(Box::pin(open_and_send(open.start(), request)));
        }
        opening.as_mut().expect("the first poll begins it").as_mut().poll(cx)
    }
}

/// Opens a server stream and sends its request.
async fn open_and_send<Req: Message, Resp: Message>(open: Open, request: Req) -> Result<AsyncReader<Resp>> {
    let stream = open.run().await?;
    let reader = AsyncReader::new(stream.clone());
    let mut writer = AsyncWriter::new(stream.clone());
    let sent = match writer.write(request).await {
        Ok(()) => writer.finish().await,
        Err(error) => Err(error),
    };
    match sent {
        // A server may end early. What it sent before is there to be read, and so is how it ended.
        Err(_) if stream.ending().is_some() => Ok(reader),
        sent => sent.map(|()| reader),
    }
}

impl<Req: Message, Resp: Message> Bidi<Req, Resp> {
    pub(super) fn new(target: Target) -> Self {
        Self { open: Open::new(target), opening: None }
    }

    options!();

    fn options_mut(&mut self) -> &mut CallOptions {
        &mut self.open.options
    }
}

impl<Req: Message, Resp: Message> Future for Bidi<Req, Resp> {
    type Output = Result<AsyncReaderWriter<Resp, Req>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { open, opening } = self.get_mut();
        let opening = opening.get_or_insert_with(|| {
            let open = open.start();
            Box::pin(async move { Ok(AsyncReaderWriter::new(open.run().await?)) })
        });
        opening.as_mut().poll(cx)
    }
}

/// What the three kinds of stream have in common when they are opened.
struct Open {
    target: Target,
    options: CallOptions,
}

impl Open {
    fn new(target: Target) -> Self {
        Self { target, options: CallOptions::new() }
    }

    /// What the future takes, at its first poll.
    fn start(&mut self) -> Self {
        Self { target: self.target.clone(), options: std::mem::take(&mut self.options) }
    }

    /// Opens the stream. One that fails at once pays into tokio's budget, so that a task that tries
    /// again and again lets others go on.
    async fn run(self) -> Result<StreamRef> {
        let opened = self.open().await;
        if opened.is_err() {
            tokio::task::coop::consume_budget().await;
        }
        opened
    }

    async fn open(self) -> Result<StreamRef> {
        let Self { target, options } = self;
        let path = target.method.path;
        // The channel's timeout is for unary calls: a stream may live long.
        let limit = options.limit(None, now());
        let time = limit.as_ref().map(Limit::time);
        let subject =
            |peer| Subject { method: Cow::Borrowed(path), peer, client: true, stream: true, limit: time };
        let patient = options.wait_for_ready;
        let compression = target.compression(&options);
        let encoding = compression.map_or(0, Compression::to_wire);
        let idle_timeout = options.stream_idle_timeout;
        let head = target.head(options, None, (0, encoding));
        let (link, key, open_by) =
            open(&target.channel, (head, idle_timeout), limit.as_ref(), patient, subject).await?;
        let stream = StreamRef::new(link.clone(), key, path, true, compression, time);
        match opened(&link, key, open_by, limit.as_ref().and_then(|limit| limit.deadline)).await {
            Ok(()) => {
                target.channel.handle_served(&link);
                Ok(stream)
            }
            Err(ending) => {
                if let Ending::Refused(outcome) | Ending::Reset(outcome) | Ending::Closed(outcome) = &ending
                    && is_refusal(outcome)
                {
                    target.channel.handle_refused(&link);
                }
                Err(stream.error(&ending))
            }
        }
    }
}

/// Sends the head on a connection, and waits for one if there is none, and for room. A stream whose head was sent is never opened
/// again. If it has waited for room, it tells when it must be open.
async fn open(
    channel: &Channel,
    (mut head, idle_timeout): (Head, Option<Duration>),
    limit: Option<&Limit>,
    patient: Option<bool>,
    subject: impl Fn(Arc<str>) -> Subject,
) -> Result<(Link, StreamKey, Option<Instant>)> {
    let mut waited = None;
    let left = |limit: &Limit| limit.left(now()).ok_or_else(|| timed_out(&subject(channel.peer_text())));
    limit.map(left).transpose()?;
    loop {
        let link = match channel.pick() {
            Some(link) => link,
            None => {
                let (deadline, limited) = match limit {
                    Some(limit) => (limit.deadline, Limited::Call(limit)),
                    None => {
                        let open_timeout = channel.open_timeout();
                        let until = *waited.get_or_insert_with(|| now().checked_add(open_timeout));
                        (until, Limited::Open(open_timeout))
                    }
                };
                connection(channel.clone(), patient, deadline).await.map_err(|why| {
                    not_connected(why, &subject(channel.peer_text()), channel, Some(limited))
                })?
            }
        };
        head.timeout = limit.map(left).transpose()?;
        let mut unopened = Unopened::new(&link, head, limit);
        match unopened.open(idle_timeout).await {
            Some(Ok(key)) => {
                let open_by = unopened.open_by;
                drop(unopened);
                return Ok((link, key, open_by));
            }
            Some(Err(SendError::Ended(Ending::Lost(_)))) if unopened.head.is_some() => {
                link.note_lost();
                head = unopened.head.take().expect("it was not sent");
            }
            Some(Err(error)) => {
                if error == SendError::PeerDrains {
                    channel.handle_refused(&link);
                }
                return Err(send_error(error, &subject(link.peer_text())));
            }
            None => return Err(unopened.no_room(&subject(link.peer_text()))),
        }
    }
}

/// A stream whose head was not sent: its connection may have no room for it.
struct Unopened<'a> {
    link: &'a Link,
    head: Option<Head>,
    limit: Option<&'a Limit>,
    ticket: Option<Ticket>,
    /// If it had to wait: when it must be open.
    open_by: Option<Instant>,
}

impl<'a> Unopened<'a> {
    fn new(link: &'a Link, head: Head, limit: Option<&'a Limit>) -> Self {
        Self { link, head: Some(head), limit, ticket: None, open_by: None }
    }

    /// Sends the head when there is room; `None` if there is none in time.
    async fn open(&mut self, idle_timeout: Option<Duration>) -> Option<Result<StreamKey, SendError>> {
        // Most often there is room, and no need of a timer.
        if let Poll::Ready(opened) = futures::poll!(poll_fn(|cx| self.poll_open(idle_timeout, cx))) {
            return Some(opened);
        }
        self.open_by = now().checked_add(self.link.limits().open_timeout);
        let deadline = self.limit.and_then(|limit| limit.deadline);
        let by = self.open_by.into_iter().chain(deadline).min();
        let opening = poll_fn(|cx| self.poll_open(idle_timeout, cx));
        match by {
            Some(by) => tokio::time::timeout_at(by.into(), opening).await.ok(),
            None => Some(opening.await),
        }
    }

    fn poll_open(
        &mut self,
        idle_timeout: Option<Duration>,
        cx: &Context<'_>,
    ) -> Poll<Result<StreamKey, SendError>> {
        if let (Some(_), Some(head), Some(limit)) = (self.ticket, &mut self.head, self.limit) {
            // Less is left than when it began to wait. If nothing is, the timer is about to say so.
            let Some(left) = limit.left(now()) else { return Poll::Pending };
            head.timeout = Some(left);
        }
        self.link.poll_open(&mut self.head, idle_timeout, self.open_by, &mut self.ticket, cx)
    }

    /// The error of one that has waited for too long.
    fn no_room(&self, subject: &Subject) -> Error {
        let deadline = self.limit.and_then(|limit| limit.deadline);
        if deadline.is_some_and(|deadline| self.open_by.is_none_or(|by| deadline <= by)) {
            return timed_out(subject).not_sent();
        }
        let limits = self.link.limits();
        let text = format!(
            "the stream was not opened, because the peer reads so little that there was no room within {:?} \
             (open_timeout): {} bytes wait for it (max_unsent_per_connection)",
            limits.open_timeout,
            self.link.buffered().unsent,
        );
        let code = Code::CLIENT_INVOKE_TIMEOUT_ERR;
        subject.error(ErrorKind::Timeout, Origin::Caller, code, text).not_sent()
    }
}

impl Drop for Unopened<'_> {
    fn drop(&mut self) {
        self.link.give_back(&mut self.ticket);
    }
}

/// Waits until the server has accepted the stream. Its limits of time are the connection's to keep,
/// but for one whose runtime may stand still while ours does not: there they are looked after here.
async fn opened(
    link: &Link,
    key: StreamKey,
    open_by: Option<Instant>,
    deadline: Option<Instant>,
) -> Result<(), Ending> {
    let mut opened = pin!(poll_fn(|cx| link.poll_opened(key, cx)));
    if !link.is_driven_elsewhere() {
        return opened.await;
    }
    if let Some(deadline) = deadline {
        tokio::spawn(end_in_time(link.downgrade(), deadline));
    }
    let open_by = open_by.or_else(|| now().checked_add(link.limits().open_timeout));
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

debug_as_name! {
    ClientStream<Req, Resp>;
    ServerStream<Req, Resp>;
    Bidi<Req, Resp>;
}
