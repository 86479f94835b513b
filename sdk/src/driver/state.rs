//! The state that the handles and the driver of a connection share, as a value:
//! [`Shared`](super::shared) locks it and wakes whom it says.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::conn::{
    Body, Collected, ConnError, Connection, Event, Outbox, SendError, SendTicket, Sent, StreamKey,
};
use crate::transport::WriteEnd;

use super::send_buffer::{SEND_BUFFER_SIZE, Sender};
use super::wakers::{NewWork, WakerSlot, Wakers};
use super::writer::{Next, Wake, Writer};
use crate::clock::now;

/// A connection on which nothing has come for so long is quiet: before something new on it there is
/// a look into the socket. That costs a system call, so busy connections are spared it.
const QUIET: Duration = Duration::from_secs(1);

pub(super) struct SharedState {
    pub(super) conn: Connection,
    pub(super) wakers: Wakers,
    pub(super) writer: Writer,
    /// The driver: whoever leaves it something to do wakes it.
    driver: WakerSlot,
    /// The flusher, if there is one. A handle that leaves bytes in an empty outbox wakes it instead
    /// of the driver.
    flusher: WakerSlot,
    /// The deadline the driver sleeps for.
    pub(super) armed: Option<Instant>,
    /// The driver does not read, because the protocol did not want input when it looked.
    paused: bool,
    /// The connection has no holder any more, or its server has shut it down: it ends when
    /// everything is written.
    pub(super) closing: bool,
    /// Before it ends, the peer gets the time to read what was written: closing a socket with bytes
    /// in it that nobody has read resets the connection, and what the peer has not got by then may
    /// be lost.
    pub(super) lingering: bool,
    /// The connection is to end for this if its peer has sent nothing yet.
    pub(super) if_silent: Option<ConnError>,
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

impl SharedState {
    pub(super) fn new(conn: Connection, output: Arc<dyn WriteEnd>) -> Self {
        Self {
            conn,
            wakers: Wakers::default(),
            writer: Writer::new(output),
            driver: WakerSlot::default(),
            flusher: WakerSlot::default(),
            armed: None,
            paused: false,
            closing: false,
            lingering: false,
            if_silent: None,
            events: Vec::new(),
            look_at: now(),
        }
    }

    /// The driver waits here now: whoever leaves it something to do wakes its task.
    pub(super) fn set_driver(&mut self, cx: &Context<'_>) {
        self.driver.wait(cx);
    }

    /// The flusher waits here now. Tells whether there is little to write yet, and more than one
    /// task that may have something to add.
    pub(super) fn set_flusher(&mut self, cx: &Context<'_>) -> bool {
        self.flusher.wait(cx);
        self.writer.expects_more(&self.conn)
    }

    /// The waker of the task that has something to do, if that is another one.
    pub(super) fn waker(&self, wake: Wake) -> Option<Waker> {
        match wake {
            Wake::Nobody | Wake::Caller => None,
            Wake::Driver => self.driver.get().cloned(),
            Wake::Flusher => self.flusher.get().or(self.driver.get()).cloned(),
        }
    }

    /// The end of a task's operation.
    #[inline]
    pub(super) fn after(&mut self, next: Next) -> Wake {
        let Self { conn, writer, armed, paused, .. } = self;
        writer.after(conn, next, || is_driver_due(conn, *armed, *paused))
    }

    /// The end of a task's writing.
    pub(super) fn after_flush(&mut self) -> Wake {
        let is_due = self.needs_driver() || is_driver_due(&self.conn, self.armed, self.paused);
        self.writer.leave(&self.conn, is_due)
    }

    /// The end of a batch task, which writes next.
    pub(super) fn end_batch_task(&mut self) -> Wake {
        let is_due = self.needs_driver() || is_driver_due(&self.conn, self.armed, self.paused);
        self.writer.end_batch_task(is_due)
    }

    /// Tells whether there is work that only the driver does: it waits for a full socket, and ends
    /// a connection that is lost or held by nobody.
    fn needs_driver(&self) -> bool {
        self.writer.is_blocked() || self.closing || self.conn.lost().is_some()
    }

    /// The driver's work. It leaves what is queued to the flusher, if there is one and the driver
    /// has nothing else to see to: gives the flusher's waker then, if it does not know of the
    /// bytes.
    pub(super) fn todo(&mut self) -> (Todo, Option<Waker>) {
        let (runs, sound) = (self.writer.has_batch_tasks(), !self.needs_driver());
        if sound && self.flusher.get().is_some() {
            let wake = self.writer.leave(&self.conn, false);
            return (Todo { runs, expects_more: false, nothing: true }, self.waker(wake));
        }
        let written = self.writer.is_written(&self.conn);
        if sound && written {
            self.writer.note_idle();
        }
        let expects_more = !written && self.writer.expects_more(&self.conn);
        (Todo { runs, expects_more, nothing: sound && written && !runs }, None)
    }

    /// Tells whether the driver is to read. If not, whoever changes that wakes it, but for other
    /// connections.
    pub(super) fn reading(&mut self) -> Reading {
        self.paused = !self.conn.wants_input();
        Reading { paused: self.paused, short: self.paused && self.conn.is_short() }
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
        let ended = self.writer.is_peer_gone();
        if !ended {
            self.look_at = now + QUIET;
        }
        ended
    }
}

/// The writer, which takes bytes from the connection.
impl SharedState {
    /// Takes the bytes to write: see [`Writer::next_bytes`].
    pub(super) fn next_bytes(&mut self) -> Option<(Outbox, usize)> {
        self.writer.next_bytes(&mut self.conn)
    }

    /// Ends writing: see [`Writer::end`].
    pub(super) fn end_flush(&mut self, result: Result<(), std::io::ErrorKind>) {
        self.writer.end(&mut self.conn, result);
    }

    /// See [`Writer::probe`].
    pub(super) fn probe(&mut self) -> std::io::Result<()> {
        self.writer.probe(&self.conn)
    }

    /// Tells whether everything that was queued is in the socket.
    pub(super) fn is_written(&self) -> bool {
        self.writer.is_written(&self.conn)
    }

    /// Queues what is in all send buffers.
    pub(super) fn collect_all(&mut self) {
        self.writer.collect_all(&mut self.conn);
    }

    /// The connection is over. Gives what was not sent: it may be an application's own memory, to
    /// be let go without the lock.
    #[must_use]
    pub(super) fn lose(&mut self, why: &ConnError) -> [Outbox; 2] {
        let queued = self.conn.take_output(Outbox::default());
        self.conn.handle_lost(why);
        [queued, self.writer.take_rest()]
    }
}

/// Handles that send, and events that wake them.
impl SharedState {
    /// The stream, for an operation on it: what its send buffer holds is queued first.
    #[inline]
    pub(super) fn stream(&mut self, key: StreamKey) -> Collected<'_> {
        if self.conn.is_granted(key) {
            self.writer.collect(&mut self.conn, key);
        }
        self.conn.collected(key).expect("it was collected just now")
    }

    /// Sends one message of `len` bytes when credit and room allow, behind the `held` bytes of the
    /// writer's send buffer, if that is granted. Nothing of it is sent while this is pending.
    pub(super) fn poll_send<B: Body>(
        &mut self,
        key: StreamKey,
        len: usize,
        body: B,
        held: Option<usize>,
        sender: &mut Sender,
        cx: &Context<'_>,
    ) -> Poll<Result<(), SendError>> {
        let waited = sender.ticket.is_some();
        let polled = self.try_send(key, len, body, held, sender, cx);
        if waited && polled.is_ready() {
            self.wakers.stream(key).write.take();
        }
        polled
    }

    fn try_send<B: Body>(
        &mut self,
        key: StreamKey,
        len: usize,
        body: B,
        held: Option<usize>,
        sender: &mut Sender,
        cx: &Context<'_>,
    ) -> Poll<Result<(), SendError>> {
        // The send buffer goes first, as soon as there is room for its frames.
        if let Some(held) = held {
            if !self.claim_room(held + len, &mut sender.ticket)? {
                return self.wait_as_writer(key, sender.ticket, cx);
            }
            self.writer.collect(&mut self.conn, key);
        }
        // Many streams have no second message, so only then a send buffer is worth its memory.
        let grants =
            len < SEND_BUFFER_SIZE && self.writer.is_behind(&self.conn) && self.conn.has_sent(key);
        let sent = self.queueing(&mut sender.ticket, |state, ticket| {
            state.stream(key).send(len, ticket, body)
        })?;
        match sent {
            Sent::Queued => {
                if grants {
                    self.writer.grant(&mut self.conn, key, &mut sender.send_buffer);
                }
                Poll::Ready(Ok(()))
            }
            Sent::NoCredit | Sent::Stuck => {
                sender.stuck |= sent == Sent::Stuck;
                self.wakers.stream(key).write.wait(cx);
                Poll::Pending
            }
            Sent::NoRoom => self.wait_as_writer(key, sender.ticket, cx),
        }
    }

    /// Waits for room for so many bytes in the outbox. The ticket is used up when there is some.
    pub(super) fn poll_room(
        &mut self,
        bytes: usize,
        ticket: &mut Option<SendTicket>,
        cx: &Context<'_>,
    ) -> Poll<Result<(), SendError>> {
        if self.claim_room(bytes, ticket)? {
            Poll::Ready(Ok(()))
        } else {
            self.wait_in_queue(*ticket, cx)
        }
    }

    /// The holder of a ticket does not wait for room any more.
    pub(super) fn leave_queue(&mut self, ticket: &mut Option<SendTicket>) {
        self.queueing(ticket, |state, ticket| state.conn.give_back(ticket));
    }

    fn claim_room(
        &mut self,
        bytes: usize,
        ticket: &mut Option<SendTicket>,
    ) -> Result<bool, SendError> {
        let claimed = self.queueing(ticket, |state, ticket| state.conn.claim_room(bytes, ticket));
        claimed.map_err(SendError::Ended)
    }

    /// Does what may use up the ticket or give it back. The task that waited with it must not be
    /// kept alive or woken by it then: its number may be another's.
    #[inline]
    fn queueing<R>(
        &mut self,
        ticket: &mut Option<SendTicket>,
        op: impl FnOnce(&mut Self, &mut Option<SendTicket>) -> R,
    ) -> R {
        let before = *ticket;
        let result = op(self, ticket);
        if let Some(before) = before
            && *ticket != Some(before)
        {
            self.wakers.ticket(before).take();
        }
        result
    }

    fn wait_in_queue<T>(&mut self, ticket: Option<SendTicket>, cx: &Context<'_>) -> Poll<T> {
        let ticket = ticket.expect("who finds no room gets a ticket");
        self.wakers.ticket(ticket).wait(cx);
        Poll::Pending
    }

    /// The same for a writer, who hears of the end of its stream as well.
    fn wait_as_writer<T>(
        &mut self,
        key: StreamKey,
        ticket: Option<SendTicket>,
        cx: &Context<'_>,
    ) -> Poll<T> {
        self.conn.wait_for_room(key);
        self.wakers.stream(key).write.wait(cx);
        self.wait_in_queue(ticket, cx)
    }

    /// Nothing has happened most often: the driver asks after all that it does. A call that has
    /// come is an event as well.
    #[inline]
    pub(super) fn sort_events(&mut self, wake: &mut Vec<Waker>, incoming: &mut NewWork) {
        if self.conn.has_events() {
            self.sort_new_events(wake, incoming);
        }
    }

    /// The same, for those who are not the driver. Gives the tasks to wake.
    #[inline]
    pub(super) fn sort_handles_events(&mut self) -> Vec<Waker> {
        let mut wake = Vec::new();
        if self.conn.has_events() {
            let mut incoming = NewWork::default();
            self.sort_new_events(&mut wake, &mut incoming);
            debug_assert!(incoming.is_empty(), "only the driver makes incoming work");
        }
        wake
    }

    fn sort_new_events(&mut self, wake: &mut Vec<Waker>, incoming: &mut NewWork) {
        let Self { conn, wakers, writer, events, .. } = self;
        conn.take_events(events);
        for event in events.drain(..) {
            if let Event::CreditRevoked(key) = event {
                writer.collect(conn, key);
            } else {
                wakers.sort(event, wake, incoming);
            }
        }
        conn.take_calls(&mut incoming.calls);
    }

    /// See [`Census`](super::Census).
    #[cfg(feature = "testing")]
    pub(super) fn census(&self) -> super::Census {
        let stats = self.conn.stats();
        super::Census {
            streams: stats.streams,
            calls: stats.calls,
            unread: stats.unread,
            unread_of_one: stats.unread_of_one,
            unwritten: stats.unwritten + self.writer.in_send_buffers(),
            waiting: self.wakers.waiting(),
        }
    }
}

/// Tells whether there is a new deadline for the driver, or it may read again.
fn is_driver_due(conn: &Connection, armed: Option<Instant>, paused: bool) -> bool {
    let timer = match (conn.next_deadline(), armed) {
        (Some(next), Some(armed)) => next < armed,
        (Some(_), None) => true,
        (None, _) => false,
    };
    timer || paused && conn.may_want_input()
}
