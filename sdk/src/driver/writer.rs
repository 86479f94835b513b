//! The decision which task writes a connection's bytes to the socket: one at a time, and of those
//! that could, one is woken.
//!
//! A [`Writer`] is a value that neither locks nor wakes. [`Shared`](super::shared::Shared) has it,
//! does the writing, and wakes the task that an operation [names](Wake). The states, and the
//! operations that change them:
//!
//! | state | `leave` | `begin` | `end` | `end`: full | `end`: failed | `unblock` | `fail` | `note_idle` | `close` |
//! |---|---|---|---|---|---|---|---|---|---|
//! | Idle | Woken | Busy | | | | | Failed | | Ended |
//! | Woken | | Busy | | | | | Failed | Idle | Ended |
//! | Busy | | refused | Idle | SocketFull | Failed | | Failed | | Ended |
//! | SocketFull | | refused | | | | Idle | Failed | | Ended |
//! | Failed | | refused | | | | | | | Ended |
//! | Ended | | refused | | | | | | | |
//!
//! The task that has something to do at the [end of an operation](Writer::after) that has queued
//! bytes. While there are batch tasks, nobody is woken: the last of them writes.
//!
//! | state | it goes on | it parks, alone | it has filled the outbox | the driver is due | beside batch tasks | it parks beside batch tasks |
//! |---|---|---|---|---|---|---|
//! | Idle | Flusher | Caller | Caller | Driver | Nobody | Caller |
//! | Woken | Nobody | Caller | Caller | Driver | Nobody | Caller |
//! | Busy | Nobody | Nobody | Nobody | Driver | Nobody | Nobody |
//! | SocketFull | Nobody | Nobody | Nobody | Driver | Nobody | Nobody |
//! | Failed | Nobody | Nobody | Nobody | Driver | Nobody | Nobody |
//! | Ended | Nobody | Nobody | Nobody | Driver | Nobody | Nobody |
//!
//! `tests.rs` makes both tables anew and compares.

mod collect;
#[cfg(test)]
mod tests;
mod write_out;

use std::io::{self, ErrorKind};
use std::sync::Arc;

use crate::conn::{Connection, Outbox, StreamKey};
use crate::transport::WriteEnd;

use super::send_buffer::SendBuffer;
use collect::SendBuffers;

pub(super) use write_out::write_out;

/// The size of the outbox from which on the task that fills it also flushes it, so that the outbox
/// does not run full while the driver is still being woken. It is half a default window: a system
/// call carries hundreds of small messages. The write also takes what waits in send buffers, up to
/// `COLLECT` of `collect.rs`.
const FLUSH_THRESHOLD: usize = 32 * 1024;

/// An outbox that a large message has stretched is not kept beyond this.
const KEEP_CAPACITY: usize = 256 * 1024;

/// The task's next step after an operation. It decides which task writes to the socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Next {
    /// It continues, and may have more to write.
    Continues,
    /// It parks. If nothing else goes on here, it writes itself: that spares waking the driver's
    /// thread.
    Parks,
}

/// The task that has something to do after an operation.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wake {
    Nobody,
    /// The task at hand: it writes, and wakes nobody for that.
    Caller,
    Driver,
    /// The flusher, or the driver if there is none.
    Flusher,
}

/// The state of writing to the socket. It is asked for a lot, so it is one byte to compare.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum Writing {
    /// No task writes, and none was woken for it.
    Idle,
    /// A task was woken to write.
    Woken,
    /// A task writes. It sees what is queued meanwhile.
    Busy,
    /// The socket takes no more for now: the driver waits for it.
    SocketFull,
    /// The socket takes nothing any more. The driver reads what came before, and then the
    /// connection is lost.
    Failed(ErrorKind),
    /// Nothing more is written: the connection is over, or this side has ended its direction.
    Ended,
}

/// The way from a connection's outbox into the socket: its state, the bytes that are on it, and the
/// send buffers.
pub(super) struct Writer {
    writing: Writing,
    /// The socket, until the end.
    output: Option<Arc<dyn WriteEnd>>,
    /// Bytes taken from the connection, of which `written` are in the socket.
    rest: Outbox,
    written: usize,
    spare: Outbox,
    /// Bytes of the next frame that are in the socket already.
    ahead: usize,
    send_buffers: SendBuffers,
    /// The number of tasks that run one call after the other, and write when they are done. In the
    /// meantime nobody wakes the driver for that.
    batch_tasks: usize,
}

impl Writer {
    pub(super) fn new(output: Arc<dyn WriteEnd>) -> Self {
        Self {
            writing: Writing::Idle,
            output: Some(output),
            rest: Outbox::default(),
            written: 0,
            spare: Outbox::default(),
            ahead: 0,
            send_buffers: SendBuffers::default(),
            batch_tasks: 0,
        }
    }

    pub(super) fn writing(&self) -> Writing {
        self.writing
    }

    /// Tells whether a task may begin to write.
    fn may_begin(&self) -> bool {
        matches!(self.writing, Writing::Idle | Writing::Woken)
    }

    /// Tells whether the driver waits for the socket, or for the input of one that has failed.
    pub(super) fn is_blocked(&self) -> bool {
        matches!(self.writing, Writing::SocketFull | Writing::Failed(_))
    }

    /// Tells whether there is output that nobody is writing yet.
    fn has_output(&self, conn: &Connection) -> bool {
        conn.output_len() > 0 || !self.send_buffers.is_empty()
    }

    /// Tells whether a message that is queued now has to wait for others.
    pub(super) fn is_behind(&self, conn: &Connection) -> bool {
        conn.output_len() > 0 || self.writing == Writing::Busy || self.is_blocked()
    }

    /// Tells whether everything that was queued is in the socket.
    pub(super) fn is_written(&self, conn: &Connection) -> bool {
        !self.has_output(conn) && self.rest.is_empty() && self.writing != Writing::Busy
    }

    /// Tells whether there is little to write yet, and more than one who may have something to add.
    pub(super) fn expects_more(&self, conn: &Connection) -> bool {
        self.has_output(conn) && conn.output_len() < FLUSH_THRESHOLD && !conn.is_alone()
    }

    /// The end of a task's operation, after which the driver may have something else to do, too.
    pub(super) fn after(
        &mut self,
        conn: &Connection,
        next: Next,
        is_driver_due: impl FnOnce() -> bool,
    ) -> Wake {
        let much = conn.output_len() >= FLUSH_THRESHOLD;
        let alone = next == Next::Parks && self.has_output(conn) && conn.is_alone();
        if (much || alone) && self.may_begin() {
            Wake::Caller
        } else {
            self.leave(conn, is_driver_due())
        }
    }

    /// A task leaves what is queued to others. A driver that is woken for something else writes as
    /// well, so one is enough. The last batch task writes by itself.
    pub(super) fn leave(&mut self, conn: &Connection, is_driver_due: bool) -> Wake {
        if self.batch_tasks > 0 {
            Wake::Nobody
        } else if is_driver_due {
            Wake::Driver
        } else if self.writing == Writing::Idle && self.has_output(conn) {
            self.writing = Writing::Woken;
            Wake::Flusher
        } else {
            Wake::Nobody
        }
    }

    /// The driver has come, goes to sleep, and all is [written](Self::is_written). If it was woken
    /// to write and another task has done that, it has to be woken for the next bytes.
    pub(super) fn note_idle(&mut self) {
        if self.writing == Writing::Woken {
            self.writing = Writing::Idle;
        }
    }

    pub(super) fn add_batch_tasks(&mut self, count: usize) {
        self.batch_tasks += count;
    }

    /// A batch task has ended, and writes what is queued.
    pub(super) fn end_batch_task(&mut self, is_driver_due: bool) -> Wake {
        self.batch_tasks -= 1;
        if is_driver_due && self.batch_tasks == 0 { Wake::Driver } else { Wake::Nobody }
    }

    /// Tells whether bytes may be waiting for the last batch task.
    pub(super) fn has_batch_tasks(&self) -> bool {
        self.batch_tasks > 0
    }

    /// A task begins to write into the socket, unless another one is at it, which sees what is
    /// added, or the socket is full. It [ends](Self::end) what it begins.
    pub(super) fn begin(&mut self) -> Option<Arc<dyn WriteEnd>> {
        if !self.may_begin() {
            return None;
        }
        self.writing = Writing::Busy;
        self.output.clone()
    }

    /// Takes the bytes to write, if there are any, and how many of them are in the socket. The rest
    /// of them comes [back](Self::put_back).
    pub(super) fn next_bytes(&mut self, conn: &mut Connection) -> Option<(Outbox, usize)> {
        if self.rest.is_empty() {
            self.send_buffers.collect_some(conn);
            if conn.output_len() == 0 {
                return None;
            }
            self.rest = conn.take_output(std::mem::take(&mut self.spare));
            self.written = std::mem::take(&mut self.ahead);
            if self.written > 0 {
                conn.handle_written(self.written);
            }
        }
        Some((std::mem::take(&mut self.rest), self.written))
    }

    /// Takes the rest of the bytes that a write was given, if there is one. `written` of them are
    /// in the socket.
    pub(super) fn put_back(&mut self, rest: Outbox, written: usize) {
        if !rest.is_empty() {
            (self.rest, self.written) = (rest, written);
        } else if rest.capacity() <= KEEP_CAPACITY {
            self.spare = rest;
        }
    }

    /// The task that has begun to write has ended, as its last write did.
    pub(super) fn end(&mut self, conn: &mut Connection, result: Result<(), ErrorKind>) {
        if self.writing == Writing::Busy {
            self.writing = match result {
                Ok(()) => Writing::Idle,
                Err(ErrorKind::WouldBlock) => Writing::SocketFull,
                Err(kind) => Writing::Failed(kind),
            };
        }
        self.send_buffers.limit(conn, self.is_blocked());
    }

    /// The socket has room again. The driver, which has waited for that, writes.
    pub(super) fn unblock(&mut self) {
        if self.writing == Writing::SocketFull {
            self.writing = Writing::Idle;
        }
    }

    /// The socket takes nothing any more, whoever is at it. The first reason counts.
    pub(super) fn fail(&mut self, kind: ErrorKind) {
        if self.may_begin() || matches!(self.writing, Writing::Busy | Writing::SocketFull) {
            self.writing = Writing::Failed(kind);
        }
    }

    /// Ends writing, and gives the socket, if that had not ended before.
    pub(super) fn close(&mut self) -> Option<Arc<dyn WriteEnd>> {
        self.writing = Writing::Ended;
        self.output.take()
    }

    /// The connection is lost: gives what is not in the socket.
    pub(super) fn take_rest(&mut self) -> Outbox {
        std::mem::take(&mut self.rest)
    }

    /// Tells whether the peer has ended the connection, as far as the socket says.
    pub(super) fn is_peer_gone(&self) -> bool {
        self.output.as_ref().is_some_and(|output| output.is_ended())
    }

    /// Writes the first byte of the next frame, which is the same for all, unless there is
    /// something to write anyhow: a peer that reads nothing any more lets the socket fail. Only
    /// when an answer is sure to follow.
    pub(super) fn probe(&mut self, conn: &Connection) -> io::Result<()> {
        let Some(output) = &self.output else { return Ok(()) };
        if !self.is_written(conn) || self.is_blocked() || self.ahead > 0 {
            return Ok(());
        }
        match output.try_write(&[conn.wire().first_byte()]) {
            Ok(count) => self.ahead = count,
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Grants the stream's credit to its writer, if there is a send buffer for one more.
    pub(super) fn grant(
        &mut self,
        conn: &mut Connection,
        key: StreamKey,
        send_buffer: &mut Option<SendBuffer>,
    ) {
        let is_blocked = self.is_blocked();
        if self.send_buffers.may_grant(is_blocked) {
            self.send_buffers.grant(conn, key, send_buffer, is_blocked);
        }
    }

    /// Queues what is in the stream's send buffer, if it is granted. Its writer has to ask again.
    pub(super) fn collect(&mut self, conn: &mut Connection, key: StreamKey) {
        self.send_buffers.collect(conn, key);
    }

    /// Queues what is in all send buffers.
    pub(super) fn collect_all(&mut self, conn: &mut Connection) {
        while self.send_buffers.collect_first(conn) {}
    }

    /// Bytes in the send buffers that are granted.
    #[cfg(feature = "testing")]
    pub(super) fn in_send_buffers(&self) -> usize {
        self.send_buffers.held()
    }
}
