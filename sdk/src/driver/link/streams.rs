//! Streams: open, send, take, end.

use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use crate::clock::now;
use crate::conn::{
    Backlog, Body, ConnError, Connection, Consumed, Ending, Fit, Head, Inbox, Outcome, Overrun,
    SendError, SendTicket, StreamKey, Take,
};
use crate::driver::give_way::pay;
use crate::driver::send_buffer::Sender;
use crate::driver::wakers::Watcher;
use crate::driver::writer::Next;

use super::Link;

/// The units of tokio's budget that a full send buffer costs. A task's turn ends after sixteen of
/// them: that is 256 KiB, some 200 µs of work.
const COOP_PER_SEND_BUFFER: usize = 8;

/// The bytes of a large message that cost a unit, beside others on the connection. A task's turn
/// ends after 1 MiB of them, some 200 µs as well. tokio keeps a task that a write has woken for the
/// thread of the writer, so the others would wait until that turn ends.
const BYTES_PER_COOP: usize = 8 * 1024;

/// Tells the connection the time if it is about to give credit. A reader may be at work for long on
/// messages that came at once.
#[inline]
fn tell_time(conn: &mut Connection, key: StreamKey, consumed: Consumed) {
    if conn.may_give_credit(key, consumed) {
        conn.note_time(now());
    }
}

impl Link {
    /// Opens a stream when there is room; [`poll_opened`](Self::poll_opened) tells what becomes of
    /// it. Nothing is sent while this is pending. The head stays if the connection is lost or its
    /// server drains. INIT must be answered by `open_by`, if that is given. On a connection that
    /// has been quiet it looks first whether the peer has ended it.
    pub(crate) fn poll_open(
        &self,
        head: &mut Option<Head>,
        idle_timeout: Option<Duration>,
        open_by: Option<Instant>,
        ticket: &mut Option<SendTicket>,
        cx: &Context<'_>,
    ) -> Poll<Result<StreamKey, SendError>> {
        self.shared().poll(|state| {
            let now = now();
            if state.is_ended(now) {
                return Poll::Ready(Err(SendError::Ended(Ending::Lost(ConnError::PeerClosed))));
            }
            if state.conn.peer_drains() {
                return Poll::Ready(Err(SendError::PeerDrains));
            }
            ready!(state.poll_room(head.as_ref().map_or(0, Head::size), ticket, cx))?;
            let head = head.take().expect("a stream is opened once");
            let opened = state.conn.open(head, idle_timeout, now);
            if let (Ok(key), Some(at)) = (&opened, open_by) {
                state.conn.set_open_by(*key, at);
            }
            Poll::Ready(opened)
        })
    }

    /// When a stream of ours must be open, if that is limited and it is not over.
    pub(crate) fn open_by(&self, key: StreamKey) -> Option<Instant> {
        self.shared().peek(|state| state.conn.open_by(key))
    }

    pub(crate) fn poll_opened(&self, key: StreamKey, cx: &Context<'_>) -> Poll<Result<(), Ending>> {
        self.shared().poll(|state| match state.conn.opened(key) {
            Some(result) => Poll::Ready(result),
            None => {
                state.wakers.stream(key).watch.wait(cx);
                Poll::Pending
            }
        })
    }

    /// Waits until the stream is over. One task at a time may wait.
    pub(crate) fn poll_ended(&self, key: StreamKey, cx: &Context<'_>) -> Poll<Ending> {
        self.shared().poll(|state| match state.conn.ended(key) {
            Some(ending) => Poll::Ready(ending),
            None => {
                state.wakers.stream(key).watch.wait(cx);
                Poll::Pending
            }
        })
    }

    /// Waits until the stream is over. Any number of tasks may wait, each with a `watcher` of its
    /// own.
    pub(crate) fn poll_closed(
        &self,
        key: StreamKey,
        watcher: &mut Option<Watcher>,
        cx: &Context<'_>,
    ) -> Poll<Ending> {
        self.shared().poll(|state| match state.conn.ended(key) {
            Some(ending) => Poll::Ready(ending),
            None => {
                state.wakers.watch(key, watcher, cx);
                Poll::Pending
            }
        })
    }

    /// One of them does not wait any more.
    pub(crate) fn stop_watching(&self, key: StreamKey, watcher: Watcher) {
        self.shared().with(|state| state.wakers.stop_watching(key, watcher));
    }

    pub(crate) fn ending(&self, key: StreamKey) -> Option<Ending> {
        self.shared().with(|state| state.conn.ending(key).cloned())
    }

    /// Sends one message of `len` bytes, which the [send buffer](Sender::send) did not take, when
    /// credit and room allow. Nothing is sent while this is pending.
    pub(crate) fn poll_send<B: Body>(
        &self,
        key: StreamKey,
        len: usize,
        sender: &mut Sender,
        cx: &mut Context<'_>,
        body: B,
    ) -> Poll<Result<(), SendError>> {
        ready!(tokio::task::coop::poll_proceed(cx)).made_progress();
        let held = sender.held();
        let mut units = if held.is_some() { COOP_PER_SEND_BUFFER - 1 } else { 0 };
        let polled = self.shared().poll(|state| {
            if !state.conn.is_alone() {
                units += len / BYTES_PER_COOP;
            }
            state.poll_send(key, len, body, held, sender, cx)
        });
        // A task whose message waits may have something else to do in this turn.
        if polled.is_ready() {
            pay(units);
        }
        polled
    }

    /// The backlog that a writer of this stream waits for.
    pub(crate) fn backlog(&self, key: StreamKey) -> Backlog {
        self.shared().with(|state| state.conn.backlog(key))
    }

    /// Takes all messages that are there, after counting the consumed ones that were taken before.
    pub(crate) fn poll_take(
        &self,
        key: StreamKey,
        consumed: Consumed,
        into: &mut Inbox,
        cx: &Context<'_>,
    ) -> Poll<Take> {
        self.shared().poll(|state| {
            tell_time(&mut state.conn, key, consumed);
            match state.conn.take(key, consumed, into) {
                Some(taken) => Poll::Ready(taken),
                None => {
                    state.wakers.stream(key).read.wait(cx);
                    Poll::Pending
                }
            }
        })
    }

    /// Counts messages as consumed, so that the peer gets credit. Gives the window that the peer
    /// has.
    pub(crate) fn give_credit(&self, key: StreamKey, consumed: Consumed) -> u32 {
        self.shared().with_next(|state| {
            // A sender of a message as large as the window stands still until it hears of this, and
            // the task here goes on to work on that message. So it flushes as if it parked.
            let window = state.conn.window(key) as usize;
            let peer_waits = window > 0 && consumed.bytes >= window;
            tell_time(&mut state.conn, key, consumed);
            state.conn.give_credit(key, consumed);
            let next = if peer_waits { Next::Parks } else { Next::Continues };
            (state.conn.window(key), next)
        })
    }

    pub(crate) fn half_close(&self, key: StreamKey) {
        self.shared().with(|state| state.stream(key).half_close());
    }

    pub(crate) fn close_stream(&self, key: StreamKey, outcome: Outcome) -> Fit {
        self.shared().with(|state| state.stream(key).close(outcome))
    }

    pub(crate) fn reset(&self, key: StreamKey, outcome: Outcome) {
        self.shared().with(|state| state.stream(key).reset(outcome));
    }

    pub(crate) fn discard(&self, key: StreamKey, consumed: Consumed) {
        self.shared().with(|state| state.stream(key).discard(consumed));
    }

    /// Nothing more is needed of the peer than its request of so many bytes, which counts from now
    /// on. Without room for it the stream is to be refused.
    pub(crate) fn hold_request(&self, key: StreamKey, bytes: usize) -> Result<(), Overrun> {
        self.shared().with(|state| {
            state.stream(key).end_input();
            state.conn.recount_request(key, 0, bytes)
        })
    }

    /// The request that counted with `before` bytes counts with `now`.
    pub(crate) fn recount_request(
        &self,
        key: StreamKey,
        before: usize,
        now: usize,
    ) -> Result<(), Overrun> {
        self.shared().with(|state| state.conn.recount_request(key, before, now))
    }

    pub(crate) fn release(&self, key: StreamKey) {
        self.shared().with(|state| {
            state.stream(key).release();
            state.wakers.forget_stream(key);
        });
    }
}
