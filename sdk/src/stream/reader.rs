//! The reading half of a stream.

mod messages;

use std::fmt;
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;

use crate::clock::Lack;
use crate::driver::{COPIED, Consumed, Ending, Inbox, Outcome, Take};
use crate::error::{Error, ErrorKind, Origin, Reason, Result};
use crate::metadata::Metadata;
use crate::transport::PeerAddr;

use super::call_end::CallEnd;
use super::core::StreamRef;
use super::message::Message;
use super::shared::SharedReader;
use super::stepped::Decoding;
use super::timeout::{Clock, Patience, TimedOut, Timeout};
use super::unpacking::Unpacking;

/// Reads messages of type `T` from a stream, one at a time.
///
/// `None` is given only when the peer has ended its direction explicitly and without an error; a
/// lost connection, a reset or a handler that failed is an error. Messages that came before the end
/// are always given first. After the end, every further read gives the same end again.
///
/// Also a [`futures::Stream`] of `Result<T>`, which gives an error once and then ends.
///
/// **On drop** what is not read is forgotten, and the peer keeps its credit, so that the other
/// direction can go on. When both halves of a client's stream are gone before the end, the peer's
/// handler is told that the call is cancelled.
pub struct AsyncReader<T> {
    stream: StreamRef,
    /// In a box, because a handler's future holds its handle several times over. A reader that
    /// waits has none, as long as nothing has to be kept: most streams wait most of the time.
    state: Option<Box<ReaderState<T>>>,
    message: PhantomData<fn() -> T>,
}

struct ReaderState<T> {
    /// Messages taken from the connection. They belong to the handle, so a dropped future loses
    /// none.
    batch: Inbox,
    /// The messages that were given out and are not yet reported.
    consumed: Consumed,
    /// They are reported from so many bytes on.
    report_at: usize,
    /// The message that is being unpacked. It is consumed already.
    unpacking: Option<Unpacking>,
    /// The message that is being decoded elsewhere. It is consumed already.
    decoding: Option<Decoding<T>>,
    end: Option<EndOfReading>,
    end_streamed: bool,
    patience: Patience,
    /// Of the next item of the [`Stream`].
    clock: Clock,
}

/// The warning for a client whose read has waited for so long while it may still send.
const READS: &str = "a read has waited for more than 10 s, and this side has not said that it sends no more: if the peer waits \
    for the end of the messages, finish() or finish_writing() ends them; if it waits for a message, write() it";

/// The messages without bytes that are reported before the batch is empty: a connection may not be
/// read until some are.
const EMPTY_REPORTED: usize = 1024;

/// The bytes from which on it is worth it to report them before the batch is empty: a quarter of
/// the window.
fn report_at(window: u32) -> usize {
    (window as usize / 4).max(1)
}

impl<T> Default for ReaderState<T> {
    fn default() -> Self {
        Self {
            batch: Inbox::default(),
            consumed: Consumed::default(),
            report_at: usize::MAX,
            unpacking: None,
            decoding: None,
            end: None,
            end_streamed: false,
            patience: Patience::default(),
            clock: Clock::default(),
        }
    }
}

impl<T> ReaderState<T> {
    /// The next message of those that were taken, as it came.
    fn next_packed(&mut self) -> Option<Bytes> {
        let payload = self.batch.front()?.next()?;
        self.consumed.add(payload.len());
        let packed = payload.into_bytes();
        self.batch.let_go();
        Some(packed)
    }
}

/// How reading ended.
#[derive(Clone)]
struct EndOfReading {
    error: Option<Error>,
    outcome: Option<Arc<Outcome>>,
}

impl<T: Message> AsyncReader<T> {
    pub(crate) fn new(stream: StreamRef) -> Self {
        Self { stream, state: None, message: PhantomData }
    }

    /// Reads the next message; `None` when the peer has ended its direction.
    ///
    /// Waits until a message or the end is there; [`timeout`](Read::timeout) bounds that, or the
    /// `read_timeout` of the channel or server. The borrow makes a second read at the same time a
    /// compile error; [`shared`](Self::shared) gives handles that queue instead.
    ///
    /// **Cancel safety**: dropping the future loses nothing; the next read gives the message.
    ///
    /// # Errors
    /// How the stream ended, if not well: the peer's status, a lost connection, the deadline. A
    /// message that does not decode is an error of this read alone ([`ErrorKind::Decode`]), and so
    /// is one for which there was no room to unpack it for a minute ([`ErrorKind::Limit`]); the
    /// next read goes on behind it.
    pub fn read(&mut self) -> Read<'_, T> {
        Read { reader: self, clock: Clock::Counts }
    }

    /// Waits for the metadata that a server sends before the first message of its answer, and gives
    /// it; again, if it is asked for again. No message is read for it.
    ///
    /// Ready when the first bytes of the answer have come. tRPC has no place for it: there it is
    /// ready at once and empty, and what the handler sets as initial metadata comes with the
    /// [final](Self::metadata) one. In a handler it is empty as well; the request's metadata is
    /// [`Context::metadata`](crate::Context::metadata).
    ///
    /// **Cancel safety**: dropping the future loses nothing.
    ///
    /// # Errors
    /// How the stream ended, if it has before anything of an answer came.
    pub async fn initial_metadata(&mut self) -> Result<Metadata> {
        poll_fn(|_| self.stream.poll_initial_metadata()).await
    }

    /// The metadata with which the peer ended the stream, once reading has come to the end.
    #[must_use]
    pub fn metadata(&self) -> Option<&Metadata> {
        self.end()?.outcome.as_ref().map(|outcome| &outcome.metadata)
    }

    /// The address of the peer that this stream is with.
    #[must_use]
    pub fn peer(&self) -> &PeerAddr {
        self.stream.link().peer()
    }

    /// Makes handles that can be cloned and used at the same time; their reads take turns in the
    /// order of asking.
    #[must_use]
    pub fn shared(self) -> SharedReader<T> {
        SharedReader::new(self)
    }

    /// Reads the next message, unpacked and not decoded. If it is large, it is in memory of its
    /// own, because a handler may keep it for long.
    pub(crate) async fn read_body(&mut self) -> Result<Option<Bytes>> {
        let mut clock = Clock::Counts;
        poll_fn(|cx| {
            let polled = self.poll_body(cx);
            self.within_patience(polled, &mut clock, cx)
        })
        .await
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
        loop {
            let body = match self.stream.compression() {
                None => self.state.as_mut().and_then(|state| state.next_packed()).map(|body| {
                    Ok(if body.len() < COPIED { body } else { Bytes::copy_from_slice(&body) })
                }),
                Some(compression) => ready!(self.poll_plain(compression, cx)),
            };
            if let Some(body) = body {
                self.give_credit();
                return Poll::Ready(body.map(Some));
            }
            if let Some(end) = ready!(self.poll_more(cx)) {
                return Poll::Ready(end.map(|()| None));
            }
        }
    }

    /// The next message. Most come this way, so it is short, and moves them no more than it has to.
    #[inline]
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<T>>> {
        if self.stream.compression().is_none()
            && let Poll::Ready(next) = self.next()
        {
            return Poll::Ready(next);
        }
        self.poll_next_batch(cx)
    }

    /// The next message, when those that were taken are used up, or it is compressed or decoded
    /// elsewhere.
    #[inline(never)]
    fn poll_next_batch(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<T>>> {
        loop {
            let next = match self.stream.compression() {
                None => match self.next() {
                    Poll::Pending if self.is_decoding() => return self.poll_decoding(cx),
                    next => next,
                },
                Some(compression) => match self.poll_unpacked(compression, cx) {
                    Poll::Pending if self.is_at_work() => return Poll::Pending,
                    next => next,
                },
            };
            if next.is_ready() {
                return next;
            }
            if let Some(end) = ready!(self.poll_more(cx)) {
                return Poll::Ready(end.map(|()| None));
            }
        }
    }

    /// Takes the messages that are there, or waits for them. At the end it gives how reading ends.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<()>>> {
        // Once for what a read of the socket brought: that is at most a window, some 100 µs of
        // work.
        let coop = ready!(tokio::task::coop::poll_proceed(cx));
        if let Some(end) = self.end() {
            coop.made_progress();
            return Poll::Ready(Some(end.error.clone().map_or(Ok(()), Err)));
        }
        let (consumed, mut batch) = match &mut self.state {
            Some(state) => (std::mem::take(&mut state.consumed), std::mem::take(&mut state.batch)),
            None => (Consumed::default(), Inbox::default()),
        };
        let Poll::Ready(taken) =
            self.stream.link().poll_take(self.stream.key(), consumed, &mut batch, cx)
        else {
            self.state.take_if(|state| state.patience.is_unused());
            return Poll::Pending;
        };
        match taken {
            Take::Messages => {
                coop.made_progress();
                let usual = report_at(self.stream.link().config().window);
                let state = self.state();
                (state.batch, state.report_at) = (batch, usual);
            }
            Take::Stuck => self.stream.warn_stuck(READS),
            Take::EndOfInput => {
                self.state().end = Some(EndOfReading { error: None, outcome: None });
            }
            Take::Ended => {
                let ending = self.stream.ending().expect("a stream that is over says how");
                self.state().end = Some(self.end_of(&ending));
            }
        }
        Poll::Ready(None)
    }

    fn end_of(&self, ending: &Ending) -> EndOfReading {
        let outcome = match ending {
            Ending::Closed(outcome) | Ending::Reset(outcome) => Some(Arc::clone(outcome)),
            _ => None,
        };
        let well =
            matches!(ending, Ending::Closed(outcome) if outcome.is_ok() && self.stream.is_client());
        if well {
            self.stream.tell_end(CallEnd::Done);
        }
        EndOfReading { error: (!well).then(|| self.stream.error(ending)), outcome }
    }

    pub(super) fn stream(&self) -> &StreamRef {
        &self.stream
    }

    /// Waits until the stream is over: its final metadata, or its error.
    pub(super) fn poll_finished(&mut self, cx: &mut Context<'_>) -> Poll<Result<Metadata>> {
        let ending = ready!(self.stream.link().poll_ended(self.stream.key(), cx));
        let end = self.end_of(&ending);
        Poll::Ready(match end.error {
            Some(error) => Err(error),
            None => Ok(end.outcome.map_or_else(Metadata::new, |outcome| outcome.metadata.clone())),
        })
    }
}

impl<T> AsyncReader<T> {
    fn state(&mut self) -> &mut ReaderState<T> {
        self.state.get_or_insert_default()
    }

    /// Reports what was given out, if it is so much that this is worth it before the batch is
    /// empty.
    #[inline]
    fn give_credit(&mut self) {
        let link = self.stream.link();
        if let Some(state) = &mut self.state
            && (state.consumed.bytes >= state.report_at
                || state.consumed.messages >= state.consumed.bytes + EMPTY_REPORTED)
        {
            let consumed = std::mem::take(&mut state.consumed);
            let window = link.give_credit(self.stream.key(), consumed).max(link.config().window);
            state.report_at = report_at(window);
        }
    }

    /// How reading ended, if it has.
    fn end(&self) -> Option<&EndOfReading> {
        self.state.as_ref()?.end.as_ref()
    }

    /// A read that waits ends with an error when it has waited for too long.
    #[inline]
    fn within_patience(
        &mut self,
        polled: Poll<Result<Option<Bytes>>>,
        clock: &mut Clock,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>>> {
        if polled.is_pending()
            && let Poll::Ready(error) = self.poll_patience(clock, cx)
        {
            return Poll::Ready(Err(error));
        }
        polled
    }

    /// Gives the error of a read that has waited for too long, if there is a limit.
    #[inline(never)]
    fn poll_patience(&mut self, clock: &mut Clock, cx: &mut Context<'_>) -> Poll<Error> {
        let limit = self.stream.link().config().read_timeout;
        if limit.is_none() || *clock == Clock::Off {
            return Poll::Pending;
        }
        let limit = ready!(self.state().patience.poll(clock, limit, cx));
        Poll::Ready(match limit {
            Ok(limit) => read_timed_out(&self.stream, limit, "read_timeout"),
            Err(lack) => self.stream.subject().no_timer(lack),
        })
    }

    /// Forgets what is not read, and reads no more: what still comes is dropped.
    pub(super) fn discard(&mut self) {
        let mut consumed = Consumed::default();
        if let Some(state) = &mut self.state {
            let unread = std::mem::take(&mut state.batch).total();
            (state.unpacking, state.decoding) = (None, None);
            consumed = std::mem::take(&mut state.consumed);
            consumed.messages += unread.messages;
            consumed.bytes += unread.bytes;
        }
        self.stream.link().discard(self.stream.key(), consumed);
    }
}

impl<T> Drop for AsyncReader<T> {
    fn drop(&mut self) {
        if self.end().is_none() {
            self.discard();
        }
    }
}

impl<T: Message> Stream for AsyncReader<T> {
    type Item = Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        if self.state.as_ref().is_some_and(|state| state.end_streamed) {
            return Poll::Ready(None);
        }
        let Poll::Ready(read) = self.poll_read(cx) else {
            let mut clock = self.state.as_ref().map_or(Clock::Counts, |state| state.clock);
            let polled = self.poll_patience(&mut clock, cx).map(|error| Some(Err(error)));
            if let Some(state) = &mut self.state {
                state.clock = if polled.is_ready() { Clock::Counts } else { clock };
            }
            return polled;
        };
        if let Some(state) = &mut self.state {
            state.clock = Clock::Counts;
            state.end_streamed = state.end.is_some();
        }
        Poll::Ready(read.transpose())
    }
}

impl<T> fmt::Debug for AsyncReader<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncReader").field("stream", &self.stream).finish_non_exhaustive()
    }
}

/// The future of [`AsyncReader::read`].
#[must_use = "futures do nothing unless polled"]
#[derive(Debug)]
pub struct Read<'a, T> {
    reader: &'a mut AsyncReader<T>,
    clock: Clock,
}

impl<T: Message> Read<'_, T> {
    /// Gives this read at most `limit`, counted from the first poll, whatever the `read_timeout`
    /// is. The stream stays usable after a timeout, and no message is lost.
    ///
    /// # Errors
    /// In addition: [`ErrorKind::Timeout`]. A stream whose own limit has passed, which is that of
    /// its call, is over: each read fails at once with the same kind, so a loop that reads on after
    /// timeouts looks at [`Error::origin`], which is [`Origin::Caller`] then.
    pub fn timeout(mut self, limit: Duration) -> Timeout<Self> {
        self.clock = Clock::Off;
        Timeout::new(self, limit)
    }
}

impl<T: Message> Future for Read<'_, T> {
    type Output = Result<Option<T>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { reader, clock } = &mut *self;
        match reader.poll_read(cx) {
            Poll::Pending => reader.poll_patience(clock, cx).map(Err),
            read => read,
        }
    }
}

impl<T: Message> TimedOut for Read<'_, T> {
    fn timed_out(&self, limit: Duration) -> Error {
        read_timed_out(&self.reader.stream, limit, "timeout of the read")
    }

    fn no_timer(&self, lack: Lack) -> Error {
        self.reader.stream.subject().no_timer(lack)
    }
}

pub(super) fn read_timed_out(stream: &StreamRef, limit: Duration, setting: &str) -> Error {
    let text = format!("no message came within {limit:?} ({setting}); the stream goes on");
    stream.subject().error(ErrorKind::Timeout, Origin::Peer, Reason::ReadTimeout, text)
}
