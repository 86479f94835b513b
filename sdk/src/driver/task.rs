//! The task that every connection has: read, handle, write, keep the deadlines, sleep.

mod ending;
mod input;
mod output;
mod recheck;
#[cfg(test)]
mod tests;

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use tokio::task::JoinHandle;

use crate::conn::{ConnError, Connection, IncomingCall, IncomingStream, RefusedCall};

use super::Link;
use super::read_buffer::ReadBuffer;
use super::shared::Shared;
use super::state::{Reading, SharedState, Todo};
use super::wakers::NewWork;
use crate::clock::now;
use crate::cores::is_core;
use crate::transport::{Ends, PeerAddr};
use recheck::Recheck;

/// How many characters of an io's reason for a failure are kept.
const MAX_WORDS: usize = 200;

/// Where a server's connection hands over the peer's calls. Called on the driver's task: it must
/// only start the work.
pub(crate) trait Dispatch: Send + Sync + 'static {
    fn call(&self, link: &Link, call: IncomingCall);

    /// Takes calls that came together.
    fn calls(self: Arc<Self>, link: &Link, calls: Vec<IncomingCall>);

    fn stream(&self, link: &Link, stream: Box<IncomingStream>);

    /// Hears of a call or stream that the connection has refused.
    fn refused(&self, _link: &Link, _call: &RefusedCall) {}
}

/// Drives one connection until it is over, at a server also until the last handler has let go of
/// it, and then says why. Dropping it loses the connection for everybody on it.
///
/// Its owner is the channel or the server that spawned it.
#[must_use = "a connection does nothing unless it is driven"]
pub(crate) struct Driver {
    shared: Arc<Shared>,
    /// Absent while it is in use, and after the end.
    ends: Option<Ends>,
    /// It has ended the connection, which says why.
    is_over: bool,
    /// Present at a server: with it the connection stays open as long as the peer wants.
    server: Option<(Link, Arc<dyn Dispatch>)>,
    read_buffer: ReadBuffer,
    /// The read buffer may hold whole frames: the last poll had handled enough before it got to
    /// them.
    unhandled: bool,
    /// The connection's last word on reading, asked for whenever it may have changed.
    reading: Reading,
    /// How many frames this poll has handled.
    handled: usize,
    /// Wakes the task when others had their turn, after large headers.
    gives_way: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    wake: Vec<Waker>,
    incoming: NewWork,
    /// The server has said that it drains.
    peer_drains: bool,
    /// It has let the others go first once, before it writes.
    yielded: bool,
    /// It has read everything that had come when it looked.
    drained: bool,
    /// The peer has been told that nothing more is written. Its further input cannot be answered.
    finished: bool,
    /// The peer, a client, sends nothing more. It may wait for answers.
    half_closed: bool,
    timer: Option<Pin<Box<tokio::time::Sleep>>>,
    /// For those whose answers the last batch task writes.
    patience: Option<Pin<Box<tokio::time::Sleep>>>,
    closing: Option<Pin<Box<tokio::time::Sleep>>>,
    /// For the last input of a connection to which nothing can be written any more.
    failing: Option<Pin<Box<tokio::time::Sleep>>>,
    /// For a connection that is not read: others may leave room, and the peer may go.
    recheck: Option<Box<Recheck>>,
    /// For spare memory of the read buffer.
    unused: Option<Pin<Box<tokio::time::Sleep>>>,
    /// Its task ends with this one.
    flusher: Option<JoinHandle<()>>,
}

impl Driver {
    /// The client's end of a connection.
    pub(crate) fn client(conn: Connection, ends: Ends, peer: PeerAddr) -> (Link, Self) {
        let read_buffer = ReadBuffer::of(&conn);
        let (link, shared) = Link::new(conn, Arc::clone(&ends.output), peer);
        (link, Self::new(shared, ends, read_buffer, None))
    }

    /// The server's end of a connection.
    pub(crate) fn server(
        conn: Connection,
        ends: Ends,
        peer: PeerAddr,
        dispatch: Arc<dyn Dispatch>,
    ) -> (Link, Self) {
        let read_buffer = ReadBuffer::of(&conn);
        let (link, shared) = Link::new(conn, Arc::clone(&ends.output), peer);
        let driver = Self::new(shared, ends, read_buffer, Some((link.clone(), dispatch)));
        (link, driver)
    }

    fn new(
        shared: Arc<Shared>,
        ends: Ends,
        read_buffer: ReadBuffer,
        server: Option<(Link, Arc<dyn Dispatch>)>,
    ) -> Self {
        Self {
            shared,
            ends: Some(ends),
            is_over: false,
            server,
            read_buffer,
            unhandled: false,
            reading: Reading::default(),
            handled: 0,
            gives_way: None,
            wake: Vec::new(),
            incoming: NewWork::default(),
            peer_drains: false,
            yielded: false,
            drained: false,
            finished: false,
            half_closed: false,
            timer: None,
            patience: None,
            closing: None,
            failing: None,
            recheck: None,
            unused: None,
            flusher: None,
        }
    }

    /// Drives the connection until it is over, and says why, or until its server drains: `None`,
    /// and the connection is to be driven on.
    pub(crate) async fn until_peer_drains(&mut self) -> Option<ConnError> {
        poll_fn(|cx| match Pin::new(&mut *self).poll(cx) {
            Poll::Ready(why) => Poll::Ready(Some(why)),
            Poll::Pending if self.peer_drains => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    fn poll_drive(&mut self, ends: &mut Ends, cx: &mut Context<'_>) -> Poll<ConnError> {
        let input = &mut *ends.input;
        let read = if self.finished {
            self.poll_last_input(input, cx)
        } else {
            self.poll_input(input, cx)
        };
        if let Err(why) = read {
            return Poll::Ready(why);
        }
        if let Err(error) = ends.output.poll_own(cx) {
            self.run(|state| state.writer.fail(error.kind()));
        }
        if !self.shared.is_first_frame_seen()
            && let Some(why) = self.run(|state| state.if_silent.take())
            && self.read_buffer.is_empty()
            && !ends.input.has_more()
        {
            return Poll::Ready(why);
        }
        if self.half_closed
            && let Poll::Ready(why) = self.poll_answered(&*ends.output, cx)
        {
            return Poll::Ready(why);
        }
        let todo = self.poll_timers(cx);
        self.poll_patience(todo.runs, cx);
        // Those who run now have something to add: one write to the socket for all of them.
        self.yielded = !self.yielded && todo.expects_more;
        if todo.nothing {
            return Poll::Pending;
        }
        if self.yielded {
            self.start_flusher();
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.poll_output(&*ends.output, cx)
    }

    /// Does what is due, and sleeps until more is. Tells what else there is to do. A deadline that
    /// is met leaves the timer as it is: it fires for nothing, once, and the next deadline, which
    /// most often is later, needs none of its own.
    fn poll_timers(&mut self, cx: &mut Context<'_>) -> Todo {
        loop {
            let (armed, todo, flusher) = self.run(|state| {
                let is_new = |state: &SharedState| {
                    let next = state.conn.next_deadline()?;
                    state.armed.is_none_or(|armed| next < armed).then_some(next)
                };
                // The clock is read when the timer has fired or a deadline is new, not each time.
                if let Some(next) = is_new(state) {
                    let now = now();
                    if next <= now {
                        state.conn.handle_timeout(now);
                    }
                    state.armed = is_new(state).or(state.armed);
                }
                let (todo, flusher) = state.todo();
                (state.armed, todo, flusher)
            });
            if let Some(flusher) = flusher {
                flusher.wake();
            }
            let Some(armed) = armed else { return todo };
            let armed = tokio::time::Instant::from_std(armed);
            let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(armed)));
            if timer.deadline() != armed {
                timer.as_mut().reset(armed);
            }
            if timer.as_mut().poll(cx).is_pending() {
                return todo;
            }
            self.run(|state| state.armed = None);
        }
    }

    /// Works on the connection, then wakes whom that concerns.
    fn run<R>(&mut self, part: impl FnOnce(&mut SharedState) -> R) -> R {
        let result = self.shared.drive(&mut self.wake, &mut self.incoming, part);
        self.wake.drain(..).for_each(Waker::wake);
        result
    }

    /// Waits until the handlers of a connection that is over have let go of it. One-way calls go on
    /// without it, until their deadlines.
    fn poll_handlers_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.server.is_none() {
            return Poll::Ready(());
        }
        self.run(|state| state.set_driver(cx));
        self.poll_timers(cx);
        self.run(|state| {
            if state.conn.is_released() {
                return Poll::Ready(());
            }
            state.wakers.wait_for_idle(cx);
            Poll::Pending
        })
    }

    fn failed(&self, kind: std::io::ErrorKind) -> ConnError {
        ConnError::of_io(kind, self.shared.config().dead_peer_timeout)
    }

    /// The reason for which a read failed. The system has numbers for its reasons, and others have
    /// words, such as those of a handshake that went wrong.
    fn failed_read(&self, error: &std::io::Error) -> ConnError {
        match error.get_ref() {
            Some(why) => ConnError::Transport(
                why.to_string().chars().take(MAX_WORDS).collect::<String>().into(),
            ),
            None => self.failed(error.kind()),
        }
    }

    /// Tells whether the connection was lost before all was written. Ask when it is over.
    pub(crate) fn is_unwritten(&self) -> bool {
        self.shared.peek(|state| state.conn.is_unwritten())
    }

    /// Ends the connection for everybody on it.
    pub(crate) fn end(&mut self, why: &ConnError) -> ConnError {
        let (why, unsent) = self.run(|state| {
            let unsent = (state.lose(why), state.writer.close());
            state.conn.drain();
            state.conn.abandon(now());
            state.collect_all();
            state.conn.count_input(0);
            state.conn.count_spares(0);
            (state.conn.lost().cloned().expect("it is lost now"), unsent)
        });
        drop(unsent);
        self.shared.set_over();
        if let Some(flusher) = &self.flusher {
            flusher.abort();
        }
        self.ends = None;
        self.read_buffer.clear();
        self.is_over = true;
        match &why {
            ConnError::FrameTooLarge { .. }
            | ConnError::Frame(_)
            | ConnError::NoRoom { .. }
            | ConnError::Wire(_)
            | ConnError::BadAnswer(_)
            | ConnError::PeerNotReading { .. } => {
                tracing::warn!(peer = %self.shared.peer(), reason = %why, "closing the connection");
            }
            _ => tracing::debug!(peer = %self.shared.peer(), reason = %why, "the connection ended"),
        }
        why
    }
}

impl Future for Driver {
    type Output = ConnError;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<ConnError> {
        let this = &mut *self;
        if let Some(mut ends) = this.ends.take() {
            match this.poll_drive(&mut ends, cx) {
                Poll::Pending => {
                    this.ends = Some(ends);
                    return Poll::Pending;
                }
                Poll::Ready(why) => {
                    // An io may have its end to say behind the last byte. A connection that
                    // ends before everything is written does not wait for that.
                    let _ = ends.output.poll_close(cx);
                    this.end(&why);
                }
            }
        }
        ready!(this.poll_handlers_gone(cx));
        if let Some(flusher) = &mut this.flusher {
            let _ = ready!(Pin::new(flusher).poll(cx));
            this.flusher = None;
        }
        let why = this.shared.peek(|state| state.conn.lost().cloned());
        Poll::Ready(why.expect("it is over, and has said why"))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if !self.is_over {
            // A server ends its connections so; a client's task is only dropped together with its
            // runtime.
            self.end(match self.server {
                Some(_) => &ConnError::LocalClosed,
                None if is_core() => &ConnError::CoresGone,
                None => &ConnError::RuntimeGone,
            });
        }
    }
}
