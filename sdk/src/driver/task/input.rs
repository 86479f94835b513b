//! The driver's input, which it reads and hands to the connection.

use std::future::Future;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::clock::now;
use crate::conn::ConnError;
use crate::driver::give_way;
use crate::driver::read_buffer::{FRAMES_PER_LOCK, Headers, WantedRoom};
use crate::driver::state::{Reading, SharedState};
use crate::transport::ReadEnd;
use crate::wires::{Begun, Skip};

use super::Driver;
use super::recheck::{Recheck, Unseen};

/// How many reads one poll may do before other tasks get their turn.
pub(super) const READS_PER_POLL: usize = 8;

/// After how many frames other tasks get their turn; what was read of them stays for the next poll.
/// A peer that does nothing but send INITs keeps a thread for 0.5 ms at a time, and for 7 when they
/// open streams; with calls, FEEDBACK or garbage it is 0.5 at most. Without this it was 110 and 12.
/// Large headers count as several frames.
pub(super) const FRAMES_PER_POLL: usize = 4 * FRAMES_PER_LOCK;

/// The wait of a peer whose large headers are refused. It is the least that tokio's timers know. A
/// peer that sends nothing else would use up a processor.
const AFTER_REFUSED: Duration = Duration::from_millis(1);

/// How long the memory of read buffers may be unused before it is let go; at most twice that.
const UNUSED: Duration = Duration::from_millis(100);

/// The fate of a large frame that needs room.
enum Room {
    Made,
    /// It is not taken.
    Refused,
    /// There may be some later.
    None,
}

impl Driver {
    pub(super) fn poll_input(
        &mut self,
        input: &mut dyn ReadEnd,
        cx: &mut Context<'_>,
    ) -> Result<(), ConnError> {
        if self.half_closed {
            return Ok(());
        }
        self.reading = self.run(|state| {
            state.set_driver(cx);
            state.reading()
        });
        self.handled = 0;
        if let Some(others) = &mut self.gives_way
            && others.as_mut().poll(cx).is_pending()
        {
            return Ok(());
        }
        (self.read_buffer.headers, self.gives_way) = (Headers::default(), None);
        self.drained = true;
        for _ in 0..READS_PER_POLL {
            if self.has_done_enough() {
                break;
            }
            let Reading { paused, short } = self.reading;
            // A peer that is gone has left little input, with its end behind it.
            if paused && !input.is_closed() {
                self.poll_spares(short, cx);
                if self.poll_recheck(if short { Unseen::Room } else { Unseen::End }, cx).is_ready()
                {
                    self.reading = self.run(SharedState::reading);
                    continue;
                }
                return Ok(());
            }
            if self.unhandled {
                self.handle_input()?;
                continue;
            }
            if let Some(wants) = self.read_buffer.wants() {
                match self.make_room(wants, input.is_closed()) {
                    Room::Made => {}
                    Room::Refused => {
                        self.handle_input()?;
                        continue;
                    }
                    Room::None if self.poll_recheck(Unseen::RoomForFrame, cx).is_ready() => {
                        continue;
                    }
                    Room::None => return Ok(()),
                }
            }
            self.recheck = None;
            if self.read_once(input, cx)?.is_break() {
                return Ok(());
            }
        }
        self.drained = false;
        self.give_way(cx);
        Ok(())
    }

    /// Reads once, and handles what came. It breaks when no more is there for now, or ever.
    fn read_once(
        &mut self,
        input: &mut dyn ReadEnd,
        cx: &mut Context<'_>,
    ) -> Result<ControlFlow<()>, ConnError> {
        match self.read_buffer.poll_read(input, cx) {
            Poll::Pending => {
                if self.read_buffer.settle() {
                    let counted = self.read_buffer.counted();
                    self.run(|state| state.conn.count_settled(counted));
                }
                self.count_spares();
                self.poll_spares(false, cx);
                return Ok(ControlFlow::Break(()));
            }
            Poll::Ready(Ok(0)) => return self.handle_input_end().map(ControlFlow::Break),
            Poll::Ready(Ok(_)) => self.handle_input()?,
            Poll::Ready(Err(error)) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Poll::Ready(Err(error)) => return Err(self.failed_read(&error)),
        }
        Ok(ControlFlow::Continue(()))
    }

    fn has_done_enough(&self) -> bool {
        self.handled + self.read_buffer.headers.as_frames() >= FRAMES_PER_POLL
    }

    /// Goes on in another turn of the task. After headers that cost more than other frames, sockets
    /// are looked at first; a peer whose headers are refused has to wait for a moment.
    fn give_way(&mut self, cx: &mut Context<'_>) {
        let mut others: Pin<Box<dyn Future<Output = ()> + Send>> = match self.read_buffer.headers {
            Headers { refused: true, .. } => Box::pin(tokio::time::sleep(AFTER_REFUSED)),
            headers if headers.as_frames() > 0 => Box::pin(give_way()),
            _ => return cx.waker().wake_by_ref(),
        };
        if others.as_mut().poll(cx).is_pending() {
            self.gives_way = Some(others);
        } else {
            cx.waker().wake_by_ref();
        }
    }

    /// Asks for the room of a large frame. A request for which there is none is refused; a message
    /// of a stream waits, but for one whose peer is gone: no more comes of it than its socket
    /// holds, and only behind that is the end.
    fn make_room(&mut self, wanted: WantedRoom, is_closed: bool) -> Room {
        let WantedRoom { bytes: room, of, size } = wanted;
        if self.run(|state| state.conn.hold_input(room, of)).is_ok() {
            self.read_buffer.grant(room);
            return Room::Made;
        }
        if is_closed && matches!(of, Begun::Message(_)) {
            self.run(|state| state.conn.count_input(room));
            self.read_buffer.grant(room);
            return Room::Made;
        }
        self.drop_spares();
        if matches!(of, Begun::Message(_)) {
            return Room::None;
        }
        self.read_buffer.refuse(of, size, Skip::NoRoom);
        Room::Refused
    }

    pub(super) fn poll_recheck(&mut self, of: Unseen, cx: &mut Context<'_>) -> Poll<()> {
        if !self.recheck.as_ref().is_some_and(|recheck| recheck.is_of(of)) {
            self.recheck = None;
        }
        self.recheck.get_or_insert_with(|| Box::new(Recheck::new(of))).poll(cx)
    }

    /// Lets go the spare memory of the read buffer that is not used any more, and all of it when
    /// room is short.
    fn poll_spares(&mut self, short: bool, cx: &mut Context<'_>) {
        if short {
            self.drop_spares();
        }
        while self.read_buffer.has_spares() {
            let wait = self.unused.get_or_insert_with(|| Box::pin(tokio::time::sleep(UNUSED)));
            if wait.as_mut().poll(cx).is_pending() {
                return;
            }
            self.unused = None;
            self.read_buffer.drop_unused();
            self.count_spares();
        }
    }

    /// Lets go all spare memory of the read buffer.
    pub(super) fn drop_spares(&mut self) {
        self.read_buffer.limit_spares(0);
        self.count_spares();
    }

    fn count_spares(&mut self) {
        if let Some(bytes) = self.read_buffer.untold_spares() {
            self.run(|state| state.conn.count_spares(bytes));
        }
    }

    /// Decodes what was read outside the lock, and hands it to the connection in batches, until
    /// this poll has done enough.
    fn handle_input(&mut self) -> Result<(), ConnError> {
        loop {
            let decoded = self.read_buffer.decode();
            self.unhandled = self.read_buffer.is_full();
            self.handled += self.read_buffer.frames.len();
            if !self.shared.is_first_frame_seen() {
                self.greet();
            }
            let (counted, front) = (self.read_buffer.counted(), self.read_buffer.front());
            if !self.read_buffer.frames.is_empty() {
                let mut frames = std::mem::take(&mut self.read_buffer.frames);
                let spares = self.read_buffer.spares();
                let (handled, reading, peer_drains, may_spare) = self.run(|state| {
                    let now = now();
                    state.note_heard(now);
                    state.conn.count_input(counted);
                    let may_spare = spares.map(|bytes| state.conn.count_spares(bytes));
                    state.conn.expect_calls(frames.iter().filter(|frame| frame.is_call()).count());
                    let handled =
                        frames.drain(..).try_for_each(|frame| state.conn.handle_input(frame, now));
                    state.conn.handle_front(front, now);
                    (handled, state.reading(), state.conn.peer_drains(), may_spare)
                });
                (self.read_buffer.frames, self.reading) = (frames, reading);
                if let Some(limit) = may_spare {
                    self.read_buffer.limit_spares(limit);
                }
                if peer_drains {
                    self.note_peer_drains();
                }
                self.dispatch();
                handled?;
            } else if front.came > 0 {
                self.run(|state| state.conn.handle_front(front, now()));
            }
            decoded.map_err(ConnError::of_wire)?;
            if !self.unhandled
                && let Some((id, size)) = self.read_buffer.arriving()
            {
                self.run(|state| state.conn.handle_arriving(id, size));
                self.shared.flush();
            }
            if !self.unhandled || self.has_done_enough() {
                return Ok(());
            }
        }
    }

    #[cold]
    fn note_peer_drains(&mut self) {
        self.peer_drains = true;
        self.shared.close_to_calls();
    }

    fn dispatch(&mut self) {
        if self.incoming.is_empty() {
            return;
        }
        let Some((link, dispatch)) = &self.server else {
            unreachable!("a client's connection admits nothing")
        };
        // Room for many calls is not kept for those that may come.
        let mut calls = std::mem::take(&mut self.incoming.calls);
        if calls.len() > 1 {
            Arc::clone(dispatch).calls(link, calls);
        } else if let Some(call) = calls.pop() {
            dispatch.call(link, call);
        }
        for stream in self.incoming.streams.drain(..) {
            dispatch.stream(link, stream);
        }
        for call in self.incoming.refused.drain(..) {
            dispatch.refused(link, &call);
        }
    }

    /// Bytes have come and no whole frame before them.
    #[cold]
    fn greet(&mut self) {
        if self.read_buffer.has_come() {
            self.shared.set_first_frame_seen();
            self.run(|state| state.conn.handle_first_frame());
        } else if self.server.is_some() {
            self.run(|state| state.conn.handle_first_bytes(now()));
        }
    }
}
