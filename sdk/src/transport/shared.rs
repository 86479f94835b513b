//! How handles and the driver share a connection: one mutex, held for a few dozen nanoseconds at a time, never across an await.
//!
//! Who wakes whom: a handle that leaves bytes in an empty outbox wakes the driver, or writes them itself when it has nothing
//! else to do. The driver wakes the tasks in [`Wakers`], and so does a handle whose wish lets another one go on.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use crate::conn::{Connection, Event, Limits, Outbox, StreamKey, Ticket};
use crate::sync::{AtomicBool, Mutex, Ordering};

use super::lane::{LANE, Lane};
use super::push::write_out;
use super::wakers::{Incoming, Slot, Wakers};
use super::{Output, PeerAddr};

/// From this much on, whoever writes also pushes the bytes into the socket, so that the outbox does not run full while the driver
/// is still being woken. Half a default window: large enough that a syscall carries hundreds of small messages.
const PUSH_AT: usize = 32 * 1024;

/// How much of the lanes' content goes into one write to the socket, and how many empty buffers are kept for them.
const COLLECT: usize = 64 * 1024;
const SPARE_LANES: usize = 8;

/// How many lanes are lent at once, and how many while the socket is full. The latter count as if they were full.
const MAX_LENT: usize = 256;
const MAX_LENT_BLOCKED: usize = 16;

/// An outbox that a large message has stretched is not kept beyond this.
const KEEP_CAPACITY: usize = 256 * 1024;

/// How often one pass through [`Shared::push`] writes what others have added meanwhile, before it leaves the rest to the driver.
const PUSH_ROUNDS: usize = 4;

/// What a task does after a wish, which decides who writes to the socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Then {
    /// It goes on, and may have more to write.
    GoesOn,
    /// It waits. If nothing else goes on here, it writes itself: that spares waking the driver's thread.
    Waits,
    /// It was answered, or waits for the next answer. If others were answered with it, the bytes can wait for them.
    Calls,
}

pub(super) struct Shared {
    state: Mutex<State>,
    peer: PeerAddr,
    peer_text: Arc<str>,
    limits: Limits,
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
    /// Several calls were answered at once, and so many of their callers have not looked yet. What they say next is written when the
    /// last one has.
    gathering: usize,
    /// So many tasks run one call after the other, and write when they are done. In the meantime nobody wakes the driver for that.
    runners: usize,
    push: Push,
    lanes: Lanes,
    events: Vec<Event>,
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
#[derive(Debug)]
pub(super) struct Left {
    /// Bytes may be waiting for somebody who is to write them soon.
    pub(super) gathers: bool,
    /// There is little to write yet, and more than one who may have something to add.
    pub(super) expects_more: bool,
    /// All is written, or the pusher does it, and nothing comes to its end: whoever changes that wakes the driver.
    pub(super) nothing: bool,
    /// The pusher, if it does not know yet that there are bytes.
    pub(super) pusher: Option<Waker>,
}

/// The lanes that are lent.
#[derive(Default)]
struct Lanes {
    /// The streams whose lanes may have something, in the order of lending.
    lent: VecDeque<StreamKey>,
    /// Empty buffers for the next ones.
    spare: Vec<Vec<u8>>,
}

/// What writing to the socket needs to remember. `busy` makes it one writer at a time.
#[derive(Default)]
struct Push {
    busy: bool,
    /// The socket is full: the driver waits for it.
    blocked: bool,
    /// The socket takes nothing any more. The driver reads what came before, and then the connection is lost.
    failed: Option<std::io::ErrorKind>,
    /// The driver has been told that there are bytes.
    told: bool,
    /// Bytes taken from the connection, of which `written` are in the socket.
    rest: Outbox,
    written: usize,
    spare: Outbox,
}

impl Shared {
    pub(super) fn new(conn: Connection, output: Arc<dyn Output>, peer: PeerAddr) -> Self {
        Self {
            peer_text: peer.text(),
            peer,
            limits: conn.limits().clone(),
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
                gathering: 0,
                runners: 0,
                push: Push::default(),
                lanes: Lanes::default(),
                events: Vec::new(),
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

    /// Lets the pusher wait for bytes; see [`State::set_pusher`].
    pub(super) fn set_pusher(&self, cx: &Context<'_>) -> bool {
        self.state.lock().set_pusher(cx)
    }

    pub(super) fn wake_driver(&self) {
        let waker = self.state.lock().driver.get().cloned();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Whether bytes may be waiting for somebody who is to write them soon.
    pub(super) fn is_gathering(&self) -> bool {
        self.state.lock().gathers()
    }

    pub(super) fn end_runner(&self) {
        let mut state = self.state.lock();
        state.runners -= 1;
        let driver = if state.needs_driver() { state.call_driver() } else { state.tell_of_time() };
        drop(state);
        driver.into_iter().for_each(Waker::wake);
        self.push();
    }

    /// Writes what is queued until nothing is left or the socket is full. Returns at once when another task is at it: that one sees
    /// what is added.
    pub(super) fn push(&self) {
        // What is kept by reference may be an application's own memory, and so it is let go without the lock: this is dropped behind it.
        let mut rest;
        let mut state = self.state.lock();
        if state.push.busy || state.push.blocked {
            return;
        }
        let Some(output) = state.output.clone() else { return };
        state.push.busy = true;
        state.gathering = 0;
        let mut wake = Vec::new();
        for _ in 0..PUSH_ROUNDS {
            if !state.take_output() {
                break;
            }
            let written = state.push.written;
            rest = std::mem::take(&mut state.push.rest);
            drop(state);
            let (now_written, result) = write_out(&*output, &rest, written);
            if written + now_written == rest.len() {
                rest.clear();
            }
            state = self.state.lock();
            if state.conn.lost().is_some() {
                break;
            }
            state.put_back(std::mem::take(&mut rest), written + now_written);
            state.conn.handle_written(now_written);
            match result {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    state.push.blocked = true;
                    break;
                }
                Err(error) => {
                    state.fail(error.kind());
                    break;
                }
            }
        }
        state.push.busy = false;
        state.limit_lanes();
        state.push.told = false;
        let mut incoming = Incoming::default();
        state.sort_events(&mut wake, &mut incoming);
        debug_assert!(incoming.is_empty(), "only the driver makes incoming work");
        let driver = if state.needs_driver() { state.call_driver() } else { state.tell_driver() };
        drop(state);
        wake_all(wake, driver);
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

    /// What the driver has to do beside reading.
    pub(super) fn left(&mut self) -> Left {
        let gathers = self.gathers();
        let expects_more = self.expects_more();
        let sound =
            !self.push.blocked && self.push.failed.is_none() && !self.closing && self.conn.lost().is_none();
        if sound && self.pusher.get().is_some() {
            let pusher = if self.has_news() { self.tell_of_bytes() } else { None };
            return Left { gathers, expects_more: false, nothing: true, pusher };
        }
        let nothing = sound && self.is_written() && !gathers;
        if nothing {
            self.push.told = false;
        }
        Left { gathers, expects_more, nothing, pusher: None }
    }

    /// The pusher waits here now. Tells whether there is little to write yet, and more than one who may have something to add.
    pub(super) fn set_pusher(&mut self, cx: &Context<'_>) -> bool {
        self.pusher.wait(cx);
        self.expects_more()
    }

    fn expects_more(&self) -> bool {
        self.has_output() && self.conn.output_len() < PUSH_AT && !self.conn.is_alone()
    }

    fn gathers(&self) -> bool {
        self.gathering > 0 || self.runners > 0
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

    /// So many calls were answered at once.
    pub(super) fn gather(&mut self, answers: usize) {
        if answers > 1 {
            self.gathering = answers;
        }
    }

    /// A caller has looked at its answer.
    pub(super) fn gathered(&mut self) {
        self.gathering = self.gathering.saturating_sub(1);
    }

    pub(super) fn add_runners(&mut self, count: usize) {
        self.runners += count;
    }

    /// Whether there is something that nobody is writing yet.
    fn has_output(&self) -> bool {
        self.conn.output_len() > 0 || !self.lanes.lent.is_empty()
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

    /// Whether there is a lane for one more writer.
    pub(super) fn may_lend(&self) -> bool {
        self.lanes.lent.len() < if self.push.blocked { MAX_LENT_BLOCKED } else { MAX_LENT }
    }

    /// Nobody knows when a full socket takes more: what waits for it is queued, where it is counted.
    fn limit_lanes(&mut self) {
        if self.push.blocked {
            while self.lanes.lent.len() > MAX_LENT_BLOCKED
                && let Some(key) = self.lanes.lent.pop_front()
            {
                self.take_back(key);
            }
        }
        self.conn.count_lent(if self.push.blocked { self.lanes.lent.len() * LANE } else { 0 });
    }

    /// Whoever waited for room at this place does not any more, and must not be kept alive or woken by it.
    pub(super) fn leave_queue(&mut self, place: Option<Ticket>) {
        if let Some(place) = place {
            self.wakers.ticket(place).take();
        }
    }

    /// Lends the stream's credit to its writer.
    pub(super) fn lend(&mut self, key: StreamKey, lane: &mut Option<Lane>) {
        let (id, credit) = self.conn.lend(key);
        let lane = lane.get_or_insert_with(|| Lane::new(id, self.conn.limits().max_sent));
        lane.lend(credit, self.lanes.spare.pop().unwrap_or_default());
        self.wakers.stream(key).lane = Some(lane.clone());
        self.lanes.lent.push_back(key);
    }

    /// Queues what is in the stream's lane. Its writer has to ask again.
    pub(super) fn take_back(&mut self, key: StreamKey) {
        let Some((mut frames, credit)) =
            self.wakers.stream(key).lane.take().and_then(|lane| lane.take_back())
        else {
            return;
        };
        self.conn.take_back(key, &frames, credit);
        if self.lanes.spare.len() < SPARE_LANES {
            frames.clear();
            self.lanes.spare.push(frames);
        }
    }

    /// Queues what is in the lanes, up to what one write to the socket takes well.
    fn collect(&mut self) {
        while self.conn.output_len() < COLLECT
            && let Some(key) = self.lanes.lent.pop_front()
        {
            self.take_back(key);
        }
    }

    /// The connection is over, and so are the lanes.
    pub(super) fn take_all_back(&mut self) {
        while let Some(key) = self.lanes.lent.pop_front() {
            self.take_back(key);
        }
    }

    /// Whether everything that was queued is in the socket.
    pub(super) fn is_written(&self) -> bool {
        !self.has_output() && self.push.rest.is_empty() && !self.push.busy
    }

    fn sort_events(&mut self, wake: &mut Vec<Waker>, incoming: &mut Incoming) {
        self.conn.take_events(&mut self.events);
        for event in self.events.drain(..) {
            self.wakers.sort(event, wake, incoming);
        }
        self.conn.take_calls(&mut incoming.calls);
    }

    /// Whether the task writes what is queued, and else the driver's waker, if it has something to do.
    fn who_writes(&mut self, then: Then) -> (bool, Option<Waker>) {
        let much = self.conn.output_len() >= PUSH_AT;
        let alone = matches!(then, Then::Waits | Then::Calls) && self.has_output() && self.conn.is_alone();
        if (much || alone) && !self.push.busy && !self.push.blocked {
            return (true, None);
        }
        if then == Then::Calls && self.gathering > 0 {
            return (false, self.tell_of_time());
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

    /// Makes sure that there are bytes to write, if there are any at all.
    fn take_output(&mut self) -> bool {
        if self.push.rest.is_empty() {
            self.collect();
            if self.conn.output_len() == 0 {
                return false;
            }
            let spare = std::mem::take(&mut self.push.spare);
            self.push.rest = self.conn.take_output(spare);
            self.push.written = 0;
        }
        true
    }

    /// Takes what a write has left of the bytes that it was given, if anything.
    fn put_back(&mut self, rest: Outbox, written: usize) {
        if !rest.is_empty() {
            (self.push.rest, self.push.written) = (rest, written);
        } else if rest.capacity() <= KEEP_CAPACITY {
            self.push.spare = rest;
        }
    }
}

#[inline]
fn wake_all(waiting: Vec<Waker>, driver: Option<Waker>) {
    waiting.into_iter().for_each(Waker::wake);
    if let Some(driver) = driver {
        driver.wake();
    }
}
