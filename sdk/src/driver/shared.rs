//! How handles and the driver share a connection: one mutex, held for a few dozen nanoseconds at a
//! time, never across an await.
//!
//! A handle that leaves bytes in an empty outbox wakes the flusher, or the driver if there is none,
//! or writes them itself when it has nothing else to do. The driver wakes the tasks in
//! [`Wakers`](super::wakers::Wakers), and so does a handle whose operation lets another one go on.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::runtime::{self, Handle};

use crate::conn::{Config, Connection};
use crate::sync::{AtomicBool, Mutex, Ordering};
use crate::transport::{PeerAddr, WriteEnd};

use super::state::SharedState;
use super::wakers::NewWork;
use super::writer::{Next, Wake, write_out};

/// The rounds of one [`Shared::flush`]: each writes the bytes that others have added meanwhile. The
/// rest is left to the driver.
const FLUSH_ROUNDS: usize = 4;

pub(super) struct Shared {
    /// Locked before any send buffer.
    state: Mutex<SharedState>,
    peer: PeerAddr,
    peer_text: Arc<str>,
    config: Config,
    /// The runtime that drives the connection, if it is known.
    home: Option<runtime::Id>,
    /// The connection is over, or somebody has been told so: for those who ask without the lock.
    /// Under it, [`Connection::lost`] says it, and why.
    over: AtomicBool,
    /// The connection takes no new calls and streams of this side's: it is over, or its server
    /// drains.
    closed_to_calls: AtomicBool,
    /// The peer has sent a whole frame.
    first_frame_seen: AtomicBool,
}

impl Shared {
    pub(super) fn new(conn: Connection, output: Arc<dyn WriteEnd>, peer: PeerAddr) -> Self {
        Self {
            peer_text: peer.text(),
            peer,
            config: conn.config().clone(),
            home: Handle::try_current().ok().map(|home| home.id()),
            over: AtomicBool::new(false),
            closed_to_calls: AtomicBool::new(false),
            first_frame_seen: AtomicBool::new(false),
            state: Mutex::new(SharedState::new(conn, output)),
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
    pub(super) fn peek<R>(&self, look: impl FnOnce(&SharedState) -> R) -> R {
        look(&self.state.lock())
    }

    /// Runs `op` on the connection, then wakes the tasks that it lets continue, and the driver if
    /// it has something to do.
    pub(super) fn with<R>(&self, op: impl FnOnce(&mut SharedState) -> R) -> R {
        self.with_next(|state| (op(state), Next::Continues))
    }

    /// The same for an operation that may have to wait.
    pub(super) fn poll<R>(&self, op: impl FnOnce(&mut SharedState) -> Poll<R>) -> Poll<R> {
        self.with_next(|state| {
            let polled = op(state);
            let next = if polled.is_pending() { Next::Parks } else { Next::Continues };
            (polled, next)
        })
    }

    /// The same; `op` says its task's next step.
    pub(super) fn with_next<R>(&self, op: impl FnOnce(&mut SharedState) -> (R, Next)) -> R {
        let mut state = self.state.lock();
        let (result, next) = op(&mut state);
        let waiting = state.sort_handles_events();
        let wake = state.after(next);
        let waker = state.waker(wake);
        drop(state);
        wake_all(waiting, waker);
        if wake == Wake::Caller {
            self.flush();
        }
        result
    }

    /// Runs the driver's part: like [`with`](Self::with), but new work is handed over, and nobody
    /// needs to wake the driver.
    pub(super) fn drive<R>(
        &self,
        wake: &mut Vec<Waker>,
        incoming: &mut NewWork,
        part: impl FnOnce(&mut SharedState) -> R,
    ) -> R {
        let mut state = self.state.lock();
        let result = part(&mut state);
        state.sort_events(wake, incoming);
        result
    }

    /// The flusher waits here now. Tells whether there is little to write yet, and more than one
    /// task that may have something to add.
    pub(super) fn set_flusher(&self, cx: &Context<'_>) -> bool {
        self.state.lock().set_flusher(cx)
    }

    pub(super) fn wake_driver(&self) {
        let waker = self.state.lock().waker(Wake::Driver);
        wake_all(Vec::new(), waker);
    }

    pub(super) fn end_batch_task(&self) {
        let mut state = self.state.lock();
        let wake = state.end_batch_task();
        let waker = state.waker(wake);
        drop(state);
        wake_all(Vec::new(), waker);
        self.flush();
    }

    /// Writes what is queued until nothing is left or the socket is full. Returns at once when
    /// another task is at it: that one sees what is added.
    pub(super) fn flush(&self) {
        // Bytes that are kept by reference may be an application's own memory. They are let go
        // without the lock: this is dropped behind it.
        let mut bytes;
        let mut state = self.state.lock();
        let Some(output) = state.writer.begin() else { return };
        let mut ended = Ok(());
        for _ in 0..FLUSH_ROUNDS {
            let Some((next, written)) = state.next_bytes() else { break };
            bytes = next;
            drop(state);
            let (count, result) = write_out(&*output, &bytes, written);
            if written + count == bytes.len() {
                bytes.clear();
            }
            state = self.state.lock();
            if state.conn.lost().is_some() {
                break;
            }
            state.writer.put_back(std::mem::take(&mut bytes), written + count);
            state.conn.handle_written(count);
            if let Err(error) = result {
                ended = Err(error.kind());
                break;
            }
        }
        state.end_flush(ended);
        let waiting = state.sort_handles_events();
        let wake = state.after_flush();
        let waker = state.waker(wake);
        drop(state);
        wake_all(waiting, waker);
    }
}

#[inline]
fn wake_all(waiting: Vec<Waker>, waker: Option<Waker>) {
    waiting.into_iter().for_each(Waker::wake);
    if let Some(waker) = waker {
        waker.wake();
    }
}
