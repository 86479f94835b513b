//! How handles and the driver share a connection: one mutex, held for a few dozen nanoseconds at a time, never across an await.
//!
//! Who wakes whom: a handle that leaves bytes in an empty outbox wakes the pusher, or the driver if there is none, or writes them itself when
//! it has nothing else to do. The driver wakes the tasks in [`Wakers`], and so does a handle whose wish lets another one go on.

mod push;
mod send_buffers;

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::runtime::{self, Handle};

use crate::conn::{ConnError, Connection, Event, Limits, Ticket};
use crate::sync::{AtomicBool, Mutex, Ordering};

use push::Push;
use send_buffers::SendBuffers;

use super::wakers::{Incoming, Slot, Wakers};
use super::{Output, PeerAddr, now};

/// From this much on, whoever writes also pushes the bytes into the socket, so that the outbox does not run full while the driver
/// is still being woken. Half a default window: large enough that a syscall carries hundreds of small messages.
const PUSH_AT: usize = 32 * 1024;

/// A connection on which nothing has come for so long is quiet: before something new on it there is a
/// look into the socket. That costs a system call, so busy connections are spared it.
const QUIET: Duration = Duration::from_secs(1);

/// What a task does after a wish, which decides who writes to the socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Then {
    /// It goes on, and may have more to write.
    GoesOn,
    /// It waits. If nothing else goes on here, it writes itself: that spares waking the driver's thread.
    Waits,
}

pub(super) struct Shared {
    state: Mutex<State>,
    peer: PeerAddr,
    peer_text: Arc<str>,
    limits: Limits,
    /// The runtime that drives the connection, if it is known.
    home: Option<runtime::Id>,
    /// The connection is over. It says so without the lock.
    over: AtomicBool,
    /// The peer has sent a whole frame.
    greeted: AtomicBool,
}

pub(super) struct State {
    pub(super) conn: Connection,
    pub(super) wakers: Wakers,
    pub(super) output: Option<Arc<dyn Output>>,
    /// The driver: whoever leaves it something to do wakes it.
    driver: Slot,
    /// The pusher, if there is one: whoever leaves bytes in an empty outbox wakes it instead of the driver.
    pusher: Slot,
    /// The deadline the driver sleeps for.
    pub(super) armed: Option<Instant>,
    /// The driver does not read, because the protocol did not want input when it looked.
    pub(super) paused: bool,
    /// Nobody holds the connection any more, or its server has shut it down: it ends when everything is written.
    pub(super) closing: bool,
    /// Before it ends, the peer gets the time to read what was written: closing a socket with bytes in it that nobody has read resets
    /// the connection, and what the peer has not got by then may be lost.
    pub(super) lingering: bool,
    /// The connection is to end for this if its peer has sent nothing yet.
    pub(super) if_silent: Option<ConnError>,
    /// So many tasks run one call after the other, and write when they are done. In the meantime nobody wakes the driver for that.
    runners: usize,
    push: Push,
    send_buffers: SendBuffers,
    events: Vec<Event>,
    /// From then on the next call or stream is preceded by a look whether the peer has ended the
    /// connection.
    look_at: Instant,
}

/// Whether the driver reads.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Reading {
    /// It does not.
    pub(super) paused: bool,
    /// For lack of room, of which other connections may leave some.
    pub(super) short: bool,
}

/// What a driver has to do that has read what there was. It asks for all of it under one lock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Left {
    /// There are runners, and bytes may be waiting for the last one of them.
    pub(super) runs: bool,
    /// There is little to write yet, and more than one who may have something to add.
    pub(super) expects_more: bool,
    /// All is written, or the pusher does it, and nothing comes to its end: whoever changes that wakes the driver.
    pub(super) nothing: bool,
}

impl Shared {
    pub(super) fn new(conn: Connection, output: Arc<dyn Output>, peer: PeerAddr) -> Self {
        Self {
            peer_text: peer.text(),
            peer,
            limits: conn.limits().clone(),
            home: Handle::try_current().ok().map(|home| home.id()),
            over: AtomicBool::new(false),
            greeted: AtomicBool::new(false),
            state: Mutex::new(State {
                conn,
                wakers: Wakers::default(),
                output: Some(output),
                driver: Slot::default(),
                pusher: Slot::default(),
                armed: None,
                paused: false,
                closing: false,
                lingering: false,
                if_silent: None,
                runners: 0,
                push: Push::default(),
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

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether this is called in another runtime than the one that drives the connection.
    pub(super) fn is_driven_elsewhere(&self) -> bool {
        self.home.is_some() && Handle::try_current().is_ok_and(|here| Some(here.id()) != self.home)
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Says to everybody that the connection is over.
    pub(super) fn set_over(&self) {
        self.over.store(true, Ordering::Release);
    }

    pub(super) fn is_greeted(&self) -> bool {
        self.greeted.load(Ordering::Relaxed)
    }

    pub(super) fn set_greeted(&self) {
        self.greeted.store(true, Ordering::Relaxed);
    }

    /// Looks, and changes nothing.
    pub(super) fn peek<R>(&self, look: impl FnOnce(&State) -> R) -> R {
        look(&self.state.lock())
    }

    /// Runs `wish` on the connection, then wakes whom it lets go on, and the driver if it has something to do.
    pub(super) fn with<R>(&self, wish: impl FnOnce(&mut State) -> R) -> R {
        self.with_then(|state| (wish(state), Then::GoesOn))
    }

    /// The same for a wish that may have to wait.
    pub(super) fn poll<R>(&self, wish: impl FnOnce(&mut State) -> Poll<R>) -> Poll<R> {
        self.with_then(|state| {
            let polled = wish(state);
            let then = if polled.is_pending() { Then::Waits } else { Then::GoesOn };
            (polled, then)
        })
    }

    /// The same; `wish` says what its task does then.
    pub(super) fn with_then<R>(&self, wish: impl FnOnce(&mut State) -> (R, Then)) -> R {
        let mut state = self.state.lock();
        let (result, then) = wish(&mut state);
        let mut wake = Vec::new();
        if state.conn.has_events() {
            let mut incoming = Incoming::default();
            state.sort_events(&mut wake, &mut incoming);
            debug_assert!(incoming.is_empty(), "only the driver makes incoming work");
        }
        let (push, driver) = state.who_writes(then);
        drop(state);
        wake_all(wake, driver);
        if push {
            self.push();
        }
        result
    }

    /// Runs the driver's part: like [`with`](Self::with), but new work is handed over, and nobody needs to wake the driver.
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

    /// The pusher waits here now. Tells whether there is little to write yet, and more than one who may have something to add.
    pub(super) fn set_pusher(&self, cx: &Context<'_>) -> bool {
        let mut state = self.state.lock();
        state.pusher.wait(cx);
        state.expects_more()
    }

    pub(super) fn wake_driver(&self) {
        let waker = self.state.lock().driver.get().cloned();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Whether bytes may be waiting for the last runner.
    pub(super) fn has_runners(&self) -> bool {
        self.state.lock().runners > 0
    }

    pub(super) fn end_runner(&self) {
        let mut state = self.state.lock();
        state.runners -= 1;
        let driver = if state.needs_driver() { state.call_driver() } else { state.tell_of_time() };
        drop(state);
        driver.into_iter().for_each(Waker::wake);
        self.push();
    }
}

impl State {
    /// The driver waits here now: whoever leaves it something to do wakes its task.
    pub(super) fn set_driver(&mut self, cx: &Context<'_>) {
        self.driver.wait(cx);
    }

    /// Whether the driver is to read. If not, whoever changes that wakes it, but for other connections.
    pub(super) fn reading(&mut self) -> Reading {
        self.paused = !self.conn.wants_input();
        Reading { paused: self.paused, short: self.paused && self.conn.is_short() }
    }

    /// What the driver has to do beside reading, and the pusher's waker, if that did not know yet that there are bytes. From now on it
    /// counts as told, so it has to be woken.
    pub(super) fn left(&mut self) -> (Left, Option<Waker>) {
        let runs = self.runners > 0;
        let sound = !self.needs_driver();
        if sound && self.pusher.get().is_some() {
            let pusher = if self.has_news() { self.tell_of_bytes() } else { None };
            return (Left { runs, expects_more: false, nothing: true }, pusher);
        }
        let nothing = sound && self.is_written() && !runs;
        if nothing {
            self.push.told = false;
        }
        (Left { runs, expects_more: self.expects_more(), nothing }, None)
    }

    /// Frames have come.
    pub(super) fn note_heard(&mut self, now: Instant) {
        self.look_at = now + QUIET;
    }

    /// `true` if the peer has ended the connection, which the driver may not have read yet: a server
    /// closes connections that are silent, and what is written then is lost. It looks once in
    /// [`QUIET`] at most, so a peer that ends the connection within that time is not seen here.
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
        self.has_output() && self.conn.output_len() < PUSH_AT && !self.conn.is_alone()
    }

    /// The socket has room again, or must be asked.
    pub(super) fn unblock(&mut self) {
        self.push.blocked = false;
    }

    pub(super) fn is_blocked(&self) -> bool {
        self.push.blocked
    }

    /// The socket takes nothing any more.
    pub(super) fn fail(&mut self, why: std::io::ErrorKind) {
        self.push.failed = Some(why);
        self.push.blocked = true;
    }

    /// Why nothing can be written any more, if so.
    pub(super) fn write_failure(&self) -> Option<std::io::ErrorKind> {
        self.push.failed
    }

    pub(super) fn add_runners(&mut self, count: usize) {
        self.runners += count;
    }

    /// Whether there is something that nobody is writing yet.
    fn has_output(&self) -> bool {
        self.conn.output_len() > 0 || !self.send_buffers.granted.is_empty()
    }

    /// Whether a message that is queued now has to wait for others.
    pub(super) fn is_busy(&self) -> bool {
        self.conn.output_len() > 0 || self.push.busy || self.push.blocked
    }

    pub(super) fn wait_for_room<T>(&mut self, ticket: Option<&Ticket>, cx: &Context<'_>) -> Poll<T> {
        let place = ticket.expect("who finds no room gets a ticket");
        self.wakers.ticket(*place).wait(cx);
        Poll::Pending
    }

    /// Whoever waited for room at this place does not any more, and must not be kept alive or woken by it.
    pub(super) fn leave_queue(&mut self, place: Option<Ticket>) {
        if let Some(place) = place {
            self.wakers.ticket(place).take();
        }
    }

    /// Whether everything that was queued is in the socket.
    pub(super) fn is_written(&self) -> bool {
        !self.has_output() && self.push.rest.is_empty() && !self.push.busy
    }

    /// Nothing has happened most often: the driver asks after all that it does. A call that has come
    /// is an event as well.
    #[inline]
    fn sort_events(&mut self, wake: &mut Vec<Waker>, incoming: &mut Incoming) {
        if self.conn.has_events() {
            self.sort_new_events(wake, incoming);
        }
    }

    fn sort_new_events(&mut self, wake: &mut Vec<Waker>, incoming: &mut Incoming) {
        self.conn.take_events(&mut self.events);
        for event in self.events.drain(..) {
            self.wakers.sort(event, wake, incoming);
        }
        self.conn.take_calls(&mut incoming.calls);
    }

    /// Whether the task writes what is queued, and else the driver's waker, if it has something to do.
    fn who_writes(&mut self, then: Then) -> (bool, Option<Waker>) {
        let much = self.conn.output_len() >= PUSH_AT;
        let alone = then == Then::Waits && self.has_output() && self.conn.is_alone();
        if (much || alone) && !self.push.busy && !self.push.blocked {
            return (true, None);
        }
        (false, self.tell_driver())
    }

    /// The waker of the driver, if it has something to do that it does not know of, or of the pusher. A driver that is woken sees to
    /// the bytes as well.
    fn tell_driver(&mut self) -> Option<Waker> {
        let driver = self.tell_of_time();
        if driver.is_none() && self.has_news() { self.tell_of_bytes() } else { driver }
    }

    /// Whether there are bytes that nobody writes, and of which nobody was told.
    fn has_news(&self) -> bool {
        self.has_output() && !self.push.told && !self.push.busy && !self.push.blocked
    }

    /// The waker of whoever is to write them. The last runner does that itself.
    fn tell_of_bytes(&mut self) -> Option<Waker> {
        if self.runners > 0 {
            return None;
        }
        let writer = self.pusher.get().or(self.driver.get()).cloned();
        self.push.told = writer.is_some();
        writer
    }

    /// Whether there is something that only the driver does: it waits for a full socket, and ends a connection that is lost or held by
    /// nobody.
    fn needs_driver(&self) -> bool {
        self.push.blocked || self.closing || self.conn.lost().is_some()
    }

    /// The driver's waker, unless there are runners: the last one calls it.
    fn call_driver(&self) -> Option<Waker> {
        if self.runners > 0 { None } else { self.driver.get().cloned() }
    }

    /// The driver's waker, if there is a new deadline for it, or it may read again.
    fn tell_of_time(&self) -> Option<Waker> {
        let timer = match (self.conn.next_deadline(), self.armed) {
            (Some(next), Some(armed)) => next < armed,
            (Some(_), None) => true,
            (None, _) => false,
        };
        let input = self.paused && self.conn.may_want_input();
        if timer || input { self.call_driver() } else { None }
    }
}

#[inline]
fn wake_all(waiting: Vec<Waker>, driver: Option<Waker>) {
    waiting.into_iter().for_each(Waker::wake);
    if let Some(driver) = driver {
        driver.wake();
    }
}
