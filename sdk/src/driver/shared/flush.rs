//! How bytes get into the socket, one writer at a time.

use std::io::{self, ErrorKind, IoSlice};

use crate::conn::{ConnError, Outbox};
use crate::driver::wakers::Incoming;
use crate::transport::Output;

use super::{Shared, State, wake_all};

/// An outbox that a large message has stretched is not kept beyond this.
const KEEP_CAPACITY: usize = 256 * 1024;

/// The rounds of one [`Shared::flush`]: each writes the bytes that others have added meanwhile. The
/// rest is left to the driver.
const FLUSH_ROUNDS: usize = 4;

/// How many pieces one write to the socket takes at most: the ends of a large message, the message
/// itself, and that for some messages.
const SLICES: usize = 16;

/// The state of flushing to the socket. `busy` makes it one writer at a time.
#[derive(Default)]
pub(super) struct Flush {
    pub(super) busy: bool,
    /// The socket is full: the driver waits for it.
    pub(super) blocked: bool,
    /// The socket takes nothing any more. The driver reads what came before, and then the
    /// connection is lost.
    pub(super) failed: Option<std::io::ErrorKind>,
    /// The task that is to flush has been woken.
    pub(super) woken: bool,
    /// Bytes taken from the connection, of which `written` are in the socket.
    pub(super) rest: Outbox,
    pub(super) written: usize,
    pub(super) spare: Outbox,
    /// Bytes of the next frame that are in the socket already.
    ahead: usize,
}

impl Shared {
    /// Writes what is queued until nothing is left or the socket is full. Returns at once when
    /// another task is at it: that one sees what is added.
    pub(in crate::driver) fn flush(&self) {
        // Bytes that are kept by reference may be an application's own memory. They are let go
        // without the lock: this is dropped behind it.
        let mut rest;
        let mut state = self.state.lock();
        if state.flush.busy || state.flush.blocked {
            return;
        }
        let Some(output) = state.output.clone() else { return };
        state.flush.busy = true;
        let mut wake = Vec::new();
        for _ in 0..FLUSH_ROUNDS {
            if !state.take_output() {
                break;
            }
            let written = state.flush.written;
            rest = std::mem::take(&mut state.flush.rest);
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
                    state.flush.blocked = true;
                    break;
                }
                Err(error) => {
                    state.fail(error.kind());
                    break;
                }
            }
        }
        state.flush.busy = false;
        state.limit_send_buffers();
        state.flush.woken = false;
        let mut incoming = Incoming::default();
        state.sort_events(&mut wake, &mut incoming);
        debug_assert!(incoming.is_empty(), "only the driver makes incoming work");
        let driver =
            if state.needs_driver() { state.driver_waker() } else { state.waker_for_work() };
        drop(state);
        wake_all(wake, driver);
    }
}

impl State {
    /// The connection is over. Gives what was not sent: it may be an application's own memory, to
    /// be let go without the lock.
    #[must_use]
    pub(in crate::driver) fn lose(&mut self, why: &ConnError) -> [Outbox; 2] {
        let queued = self.conn.take_output(Outbox::default());
        self.conn.handle_lost(why);
        [queued, std::mem::take(&mut self.flush.rest)]
    }

    /// Makes sure that there are bytes to write, if there are any at all.
    fn take_output(&mut self) -> bool {
        if self.flush.rest.is_empty() {
            self.send_buffers.collect_some(&mut self.conn);
            if self.conn.output_len() == 0 {
                return false;
            }
            let spare = std::mem::take(&mut self.flush.spare);
            self.flush.rest = self.conn.take_output(spare);
            self.flush.written = std::mem::take(&mut self.flush.ahead);
            if self.flush.written > 0 {
                self.conn.handle_written(self.flush.written);
            }
        }
        true
    }

    /// Writes the first byte of the next frame, which is the same for all, unless there is
    /// something to write anyhow: a peer that reads nothing any more lets the socket fail. Only
    /// when an answer is sure to follow.
    pub(in crate::driver) fn probe(&mut self) -> io::Result<()> {
        let Some(output) = &self.output else { return Ok(()) };
        if !self.is_written() || self.flush.blocked || self.flush.ahead > 0 {
            return Ok(());
        }
        match output.try_write(&[self.conn.wire().first_byte()]) {
            Ok(count) => self.flush.ahead = count,
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Takes what a write has left of the bytes that it was given, if anything.
    fn put_back(&mut self, rest: Outbox, written: usize) {
        if !rest.is_empty() {
            (self.flush.rest, self.flush.written) = (rest, written);
        } else if rest.capacity() <= KEEP_CAPACITY {
            self.flush.spare = rest;
        }
    }
}

/// Writes what is behind the first `from` bytes, until all is written or the socket takes no more.
/// Says how much it wrote.
fn write_out(output: &dyn Output, outbox: &Outbox, from: usize) -> (usize, io::Result<()>) {
    let mut written = from;
    while written < outbox.len() {
        let taken = match outbox.only_copied() {
            Some(bytes) => output.try_write(&bytes[written..]),
            None => write_pieces(output, outbox, written),
        };
        match taken {
            // A socket that takes nothing and says that all is well would be asked for ever.
            Ok(0) => return (written - from, Err(ErrorKind::WriteZero.into())),
            Ok(count) => written += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return (written - from, Err(error)),
        }
    }
    (written - from, Ok(()))
}

#[inline(never)]
fn write_pieces(output: &dyn Output, outbox: &Outbox, from: usize) -> io::Result<usize> {
    let mut slices = [IoSlice::new(&[]); SLICES];
    let count = outbox.slices(from, &mut slices);
    match &slices[..count] {
        [only] => output.try_write(only),
        several => output.try_write_vectored(several),
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll};

    use bytes::Bytes;

    use crate::sync::Mutex;

    use super::*;

    /// Takes so many bytes at once, and has no room every second time.
    struct Sips {
        most: usize,
        full: Mutex<bool>,
        got: Mutex<Vec<u8>>,
    }

    impl Output for Sips {
        fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
            self.try_write_vectored(&[IoSlice::new(bytes)])
        }

        fn try_write_vectored(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
            let full = std::mem::replace(&mut *self.full.lock(), false);
            if full {
                return Err(ErrorKind::WouldBlock.into());
            }
            *self.full.lock() = true;
            assert!(!pieces[0].is_empty());
            let taken: Vec<u8> =
                pieces.iter().flat_map(|piece| piece.iter().copied()).take(self.most).collect();
            self.got.lock().extend_from_slice(&taken);
            Ok(taken.len())
        }

        fn poll_write_ready(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            unreachable!("nobody waits here")
        }

        fn finish(&self) {}
    }

    #[test]
    fn a_write_that_stops_anywhere_goes_on_there() {
        let mut outbox = Outbox::default();
        for turn in 0..20_u8 {
            outbox.copied().extend_from_slice(&[turn; 3][..usize::from(turn % 4)]);
            outbox.append_by_ref(Bytes::from(vec![100 + turn; 2]));
        }
        let all = outbox.to_vec();
        for most in 1..=all.len() {
            let sips = Sips { most, full: Mutex::new(false), got: Mutex::new(Vec::new()) };
            let (mut written, mut stops) = (0, 0);
            while written < all.len() {
                let (count, result) = write_out(&sips, &outbox, written);
                written += count;
                stops += 1;
                let stopped = result.is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
                assert_eq!(stopped, written < all.len() || count == 0);
            }
            assert_eq!(*sips.got.lock(), all, "{most} at once");
            assert!(stops >= all.len().div_ceil(most));
        }
    }
}
