//! How handles and the driver share a connection: one mutex, held for a few dozen nanoseconds at a
//! time, never across an await.
//!
//! A handle that leaves bytes in an empty outbox wakes the flusher, or the driver if there is none,
//! or writes them itself when it has nothing else to do. The driver wakes the tasks in [`Wakers`],
//! and so does a handle whose operation lets another one go on.

mod flush;
mod send_buffers;

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::runtime::{self, Handle};

use crate::conn::{Collected, Config, ConnError, Connection, Event, SendTicket, StreamKey};
use crate::sync::{AtomicBool, Mutex, Ordering};

use flush::Flush;
use send_buffers::SendBuffers;

use super::wakers::{Incoming, Slot, Wakers};
use crate::clock::now;
use crate::transport::{Output, PeerAddr};

/// The size of the outbox from which on the task that fills it also flushes it, so that the outbox
/// does not run full while the driver is still being woken. It is half a default window: a system
/// call carries hundreds of small messages.
const FLUSH_THRESHOLD: usize = 32 * 1024;

/// A connection on which nothing has come for so long is quiet: before something new on it there is
/// a look into the socket. That costs a system call, so busy connections are spared it.
const QUIET: Duration = Duration::from_secs(1);

/// The task's next step after an operation. It decides which task writes to the socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Next {
    /// It continues, and may have more to write.
    Continues,
    /// It parks. If nothing else goes on here, it writes itself: that spares waking the driver's
    /// thread.
    Parks,
}

pub(super) struct Shared {
    /// Locked before any send buffer.
    state: Mutex<State>,
    peer: PeerAddr,
    peer_text: Arc<str>,
    config: Config,
    /// The runtime that drives the connection, if it is known.
    home: Option<runtime::Id>,
    /// The connection is over. It says so without the lock.
    over: AtomicBool,
    /// The connection takes no new calls and streams of this side's: it is over, or its server
    /// drains.
    closed_to_calls: AtomicBool,
    /// The peer has sent a whole frame.
    first_frame_seen: AtomicBool,
}

pub(super) struct State {
    pub(super) conn: Connection,
    pub(super) wakers: Wakers,
    pub(super) output: Option<Arc<dyn Output>>,
    /// The driver: whoever leaves it something to do wakes it.
    driver: Slot,
    /// The flusher, if there is one. A handle that leaves bytes in an empty outbox wakes it instead
    /// of the driver.
    flusher: Slot,
    /// The deadline the driver sleeps for.
    pub(super) armed: Option<Instant>,
    /// The driver does not read, because the protocol did not want input when it looked.
    pub(super) paused: bool,
    /// The connection has no holder any more, or its server has shut it down: it ends when
    /// everything is written.
    pub(super) closing: bool,
    /// Before it ends, the peer gets the time to read what was written: closing a socket with bytes
    /// in it that nobody has read resets the connection, and what the peer has not got by then may
    /// be lost.
    pub(super) lingering: bool,
    /// The connection is to end for this if its peer has sent nothing yet.
    pub(super) if_silent: Option<ConnError>,
    /// The number of tasks that run one call after the other, and write when they are done. In the
    /// meantime nobody wakes the driver for that.
    batch_tasks: usize,
    flush: Flush,
    send_buffers: SendBuffers,
    events: Vec<Event>,
    /// From then on the next call or stream is preceded by a look whether the peer has ended the
    /// connection.
    look_at: Instant,
}

/// The state of the driver's reading.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Reading {
    /// The driver does not read.
    pub(super) paused: bool,
    /// It is paused for lack of room, of which other connections may leave some.
    pub(super) short: bool,
}

/// Work left for the driver once the socket is drained, computed under one lock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Todo {
    /// There are batch tasks, and bytes may be waiting for the last one of them.
    pub(super) runs: bool,
    /// There is little to write yet, and more than one who may have something to add.
    pub(super) expects_more: bool,
    /// All is written, or the flusher does it, and nothing comes to its end. A task that changes
    /// that wakes the driver.
    pub(super) nothing: bool,
}

impl Shared {
    pub(super) fn new(conn: Connection, output: Arc<dyn Output>, peer: PeerAddr) -> Self {
        Self {
            peer_text: peer.text(),
            peer,
            config: conn.config().clone(),
            home: Handle::try_current().ok().map(|home| home.id()),
            over: AtomicBool::new(false),
            closed_to_calls: AtomicBool::new(false),
            first_frame_seen: AtomicBool::new(false),
            state: Mutex::new(State {
                conn,
                wakers: Wakers::default(),
                output: Some(output),
                driver: Slot::default(),
                flusher: Slot::default(),
                armed: None,
                paused: false,
                closing: false,
                lingering: false,
                if_silent: None,
                batch_tasks: 0,
                flush: Flush::default(),
                send_buffers: SendBuffers::default(),
                events: Vec::new(),
                look_at: now(),
            }),
        }
    }

    pub(super) fn peer(&self) -> &PeerAddr {
        &self.peer
    }

    pub(super) fn peer_text(&self) -> Arc<str> {
        Arc::clone(&self.peer_text)
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// Tells whether this is called in another runtime than the one that drives the connection.
    pub(super) fn is_driven_elsewhere(&self) -> bool {
        self.home.is_some() && Handle::try_current().is_ok_and(|here| Some(here.id()) != self.home)
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Says to everybody that the connection is over.
    pub(super) fn set_over(&self) {
        self.over.store(true, Ordering::Release);
        self.close_to_calls();
    }

    pub(super) fn takes_calls(&self) -> bool {
        !self.closed_to_calls.load(Ordering::Acquire)
    }

    /// Says to everybody that nothing new is to be sent on the connection.
    pub(super) fn close_to_calls(&self) {
        self.closed_to_calls.store(true, Ordering::Release);
    }

    pub(super) fn is_first_frame_seen(&self) -> bool {
        self.first_frame_seen.load(Ordering::Relaxed)
    }

    pub(super) fn set_first_frame_seen(&self) {
        self.first_frame_seen.store(true, Ordering::Relaxed);
    }

    /// Looks, and changes nothing.
    pub(super) fn peek<R>(&self, look: impl FnOnce(&State) -> R) -> R {
        look(&self.state.lock())
    }

    /// Runs `op` on the connection, then wakes the tasks that it lets continue, and the driver if
    /// it has something to do.
    pub(super) fn with<R>(&self, op: impl FnOnce(&mut State) -> R) -> R {
        self.with_next(|state| (op(state), Next::Continues))
    }

    /// The same for an operation that may have to wait.
    pub(super) fn poll<R>(&self, op: impl FnOnce(&mut State) -> Poll<R>) -> Poll<R> {
        self.with_next(|state| {
            let polled = op(state);
            let next = if polled.is_pending() { Next::Parks } else { Next::Continues };
            (polled, next)
        })
    }

    /// The same; `op` says its task's next step.
    pub(super) fn with_next<R>(&self, op: impl FnOnce(&mut State) -> (R, Next)) -> R {
        let mut state = self.state.lock();
        let (result, next) = op(&mut state);
        let mut wake = Vec::new();
        if state.conn.has_events() {
            let mut incoming = Incoming::default();
            state.sort_events(&mut wake, &mut incoming);
            debug_assert!(incoming.is_empty(), "only the driver makes incoming work");
        }
        let (flush, driver) = state.who_writes(next);
        drop(state);
        wake_all(wake, driver);
        if flush {
            self.flush();
        }
        result
    }

    /// Runs the driver's part: like [`with`](Self::with), but new work is handed over, and nobody
    /// needs to wake the driver.
    pub(super) fn drive<R>(
        &self,
        wake: &mut Vec<Waker>,
        incoming: &mut Incoming,
        part: impl FnOnce(&mut State) -> R,
    ) -> R {
        let mut state = self.state.lock();
        let result = part(&mut state);
        state.sort_events(wake, incoming);
        result
    }

    /// The flusher waits here now. Tells whether there is little to write yet, and more than one
    /// task that may have something to add.
    pub(super) fn set_flusher(&self, cx: &Context<'_>) -> bool {
        let mut state = self.state.lock();
        state.flusher.wait(cx);
        state.expects_more()
    }

    pub(super) fn wake_driver(&self) {
        let waker = self.state.lock().driver.get().cloned();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Tells whether bytes may be waiting for the last batch task.
    pub(super) fn has_batch_tasks(&self) -> bool {
        self.state.lock().batch_tasks > 0
    }

    pub(super) fn end_batch_task(&self) {
        let mut state = self.state.lock();
        state.batch_tasks -= 1;
        let driver =
            if state.needs_driver() { state.driver_waker() } else { state.waker_for_time() };
        drop(state);
        driver.into_iter().for_each(Waker::wake);
        self.flush();
    }
}

impl State {
    /// The driver waits here now: whoever leaves it something to do wakes its task.
    pub(super) fn set_driver(&mut self, cx: &Context<'_>) {
        self.driver.wait(cx);
    }

    /// Tells whether the driver is to read. If not, whoever changes that wakes it, but for other
    /// connections.
    pub(super) fn reading(&mut self) -> Reading {
        self.paused = !self.conn.wants_input();
        Reading { paused: self.paused, short: self.paused && self.conn.is_short() }
    }

    /// Returns the driver's remaining work and, if bytes are queued and the flusher has not been
    /// woken for them, its waker. The caller must wake it: this call marks it as woken.
    pub(super) fn todo(&mut self) -> (Todo, Option<Waker>) {
        let runs = self.batch_tasks > 0;
        let sound = !self.needs_driver();
        if sound && self.flusher.get().is_some() {
            let flusher = if self.needs_flush() { self.waker_for_bytes() } else { None };
            return (Todo { runs, expects_more: false, nothing: true }, flusher);
        }
        let nothing = sound && self.is_written() && !runs;
        if nothing {
            self.flush.woken = false;
        }
        (Todo { runs, expects_more: self.expects_more(), nothing }, None)
    }

    /// Frames have come.
    pub(super) fn note_heard(&mut self, now: Instant) {
        self.look_at = now + QUIET;
    }

    /// `true` if the peer has ended the connection, which the driver may not have read yet: a
    /// server closes connections that are silent, and what is written then is lost. It looks once
    /// in [`QUIET`] at most, so a peer that ends the connection within that time is not seen here.
    #[inline]
    pub(super) fn is_ended(&mut self, now: Instant) -> bool {
        now >= self.look_at && self.look(now)
    }

    #[cold]
    fn look(&mut self, now: Instant) -> bool {
        let ended = self.output.as_ref().is_some_and(|output| output.is_ended());
        if !ended {
            self.look_at = now + QUIET;
        }
        ended
    }

    fn expects_more(&self) -> bool {
        self.has_output() && self.conn.output_len() < FLUSH_THRESHOLD && !self.conn.is_alone()
    }

    /// The socket has room again, or must be asked.
    pub(super) fn unblock(&mut self) {
        self.flush.blocked = false;
    }

    pub(super) fn is_blocked(&self) -> bool {
        self.flush.blocked
    }

    /// The socket takes nothing any more.
    pub(super) fn fail(&mut self, why: std::io::ErrorKind) {
        self.flush.failed = Some(why);
        self.flush.blocked = true;
    }

    /// Why nothing can be written any more, if so.
    pub(super) fn write_failure(&self) -> Option<std::io::ErrorKind> {
        self.flush.failed
    }

    pub(super) fn add_batch_tasks(&mut self, count: usize) {
        self.batch_tasks += count;
    }

    /// Tells whether there is output that nobody is writing yet.
    fn has_output(&self) -> bool {
        self.conn.output_len() > 0 || !self.send_buffers.is_empty()
    }

    /// Tells whether a message that is queued now has to wait for others.
    pub(super) fn is_busy(&self) -> bool {
        self.conn.output_len() > 0 || self.flush.busy || self.flush.blocked
    }

    pub(super) fn wait_for_room<T>(
        &mut self,
        ticket: Option<&SendTicket>,
        cx: &Context<'_>,
    ) -> Poll<T> {
        let ticket = ticket.expect("who finds no room gets a ticket");
        self.wakers.ticket(*ticket).wait(cx);
        Poll::Pending
    }

    /// The same for a writer, who hears of the end of its stream as well.
    pub(super) fn wait_for_room_of<T>(
        &mut self,
        key: StreamKey,
        ticket: Option<&SendTicket>,
        cx: &Context<'_>,
    ) -> Poll<T> {
        self.conn.wait_for_room(key);
        self.wakers.stream(key).write.wait(cx);
        self.wait_for_room(ticket, cx)
    }

    /// The task that waited for room with this ticket does not any more, and must not be kept alive
    /// or woken by it.
    pub(super) fn leave_queue(&mut self, ticket: Option<SendTicket>) {
        if let Some(ticket) = ticket {
            self.wakers.ticket(ticket).take();
        }
    }

    /// Tells whether everything that was queued is in the socket.
    pub(super) fn is_written(&self) -> bool {
        !self.has_output() && self.flush.rest.is_empty() && !self.flush.busy
    }

    /// The stream, for an operation on it: what its send buffer holds is queued first.
    pub(super) fn stream(&mut self, key: StreamKey) -> Collected<'_> {
        self.send_buffers.collect(&mut self.conn, key);
        self.conn.collected(key).expect("it was collected just now")
    }

    /// Nothing has happened most often: the driver asks after all that it does. A call that has
    /// come is an event as well.
    #[inline]
    fn sort_events(&mut self, wake: &mut Vec<Waker>, incoming: &mut Incoming) {
        if self.conn.has_events() {
            self.sort_new_events(wake, incoming);
        }
    }

    fn sort_new_events(&mut self, wake: &mut Vec<Waker>, incoming: &mut Incoming) {
        let Self { conn, wakers, send_buffers, events, .. } = self;
        conn.take_events(events);
        for event in events.drain(..) {
            if let Event::CreditRevoked(key) = event {
                send_buffers.collect(conn, key);
            } else {
                wakers.sort(event, wake, incoming);
            }
        }
        conn.take_calls(&mut incoming.calls);
    }

    /// Tells whether the task flushes, and else gives the waker of a task that has something to do.
    fn who_writes(&mut self, next: Next) -> (bool, Option<Waker>) {
        let much = self.conn.output_len() >= FLUSH_THRESHOLD;
        let alone = next == Next::Parks && self.has_output() && self.conn.is_alone();
        if (much || alone) && !self.flush.busy && !self.flush.blocked {
            return (true, None);
        }
        (false, self.waker_for_work())
    }

    /// The driver's waker for a new deadline or because it may read again; else the waker of the
    /// task that flushes. A woken driver also flushes, so one wake is enough.
    fn waker_for_work(&mut self) -> Option<Waker> {
        let driver = self.waker_for_time();
        if driver.is_none() && self.needs_flush() { self.waker_for_bytes() } else { driver }
    }

    /// Tells whether there are bytes that no task writes and no task was woken for.
    fn needs_flush(&self) -> bool {
        self.has_output() && !self.flush.woken && !self.flush.busy && !self.flush.blocked
    }

    /// The waker of the flusher or the driver, which counts as woken then. The last batch task
    /// flushes by itself.
    fn waker_for_bytes(&mut self) -> Option<Waker> {
        if self.batch_tasks > 0 {
            return None;
        }
        let writer = self.flusher.get().or(self.driver.get()).cloned();
        self.flush.woken = writer.is_some();
        writer
    }

    /// Tells whether there is work that only the driver does: it waits for a full socket, and ends
    /// a connection that is lost or held by nobody.
    fn needs_driver(&self) -> bool {
        self.flush.blocked || self.closing || self.conn.lost().is_some()
    }

    /// The driver's waker, unless there are batch tasks: the last one calls it.
    fn driver_waker(&self) -> Option<Waker> {
        if self.batch_tasks > 0 { None } else { self.driver.get().cloned() }
    }

    /// The driver's waker, if there is a new deadline for it, or it may read again.
    fn waker_for_time(&self) -> Option<Waker> {
        let timer = match (self.conn.next_deadline(), self.armed) {
            (Some(next), Some(armed)) => next < armed,
            (Some(_), None) => true,
            (None, _) => false,
        };
        let input = self.paused && self.conn.may_want_input();
        if timer || input { self.driver_waker() } else { None }
    }
}

#[inline]
fn wake_all(waiting: Vec<Waker>, driver: Option<Waker>) {
    waiting.into_iter().for_each(Waker::wake);
    if let Some(driver) = driver {
        driver.wake();
    }
}
