//! A connection of which one direction has ended.

use std::task::{Context, Poll, ready};

use bytes::BytesMut;

use crate::conn::ConnError;
use crate::transport::{ReadEnd, WriteEnd};

use super::input::READS_PER_POLL;
use super::recheck::Unseen;
use super::{Driver, SharedState};

/// How much is read at once of what nobody wants any more.
const READ: usize = 16 * 1024;

impl Driver {
    /// Waits for the peer's end, on a connection that is being closed. Closing a socket that has
    /// unread bytes resets the connection, and the system forgets answers that are on their way. So
    /// they are read and dropped.
    pub(super) fn poll_last_input(
        &mut self,
        input: &mut dyn ReadEnd,
        cx: &mut Context<'_>,
    ) -> Result<(), ConnError> {
        // PROTOCOL 41
        self.run(|state| state.set_driver(cx));
        self.drop_spares();
        let mut dropped = BytesMut::with_capacity(READ);
        for _ in 0..READS_PER_POLL {
            dropped.clear();
            match input.poll_read(cx, &mut dropped) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Ok(0)) => return Err(ConnError::PeerClosed),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Poll::Ready(Err(error)) => return Err(self.failed_read(&error)),
            }
        }
        cx.waker().wake_by_ref();
        Ok(())
    }

    /// The peer sends nothing more. A client that has calls going on may have closed its direction
    /// only, and waits for the answers. Only a write tells this from a whole close: a peer that has
    /// closed both directions answers it with a reset.
    pub(super) fn handle_input_end(&mut self) -> Result<(), ConnError> {
        // One that ends in the middle of a frame has been cut off.
        let may_wait = self.server.is_some() && self.read_buffer.front().came == 0;
        let owes = may_wait && self.run(|state| state.conn.handle_input_end());
        // PROTOCOL 42
        if !owes || self.run(SharedState::probe).is_err() {
            return Err(ConnError::PeerClosed);
        }
        self.half_closed = true;
        self.drop_spares();
        Ok(())
    }

    /// Waits until the calls of a client that sends nothing more are answered, or the client is
    /// gone.
    pub(super) fn poll_answered(
        &mut self,
        output: &dyn WriteEnd,
        cx: &mut Context<'_>,
    ) -> Poll<ConnError> {
        loop {
            let owes = self.run(|state| {
                state.set_driver(cx);
                state.wakers.wait_for_idle(cx);
                state.conn.owes_answers()
            });
            if !owes || output.is_closed() {
                return Poll::Ready(ConnError::PeerClosed);
            }
            ready!(self.poll_recheck(Unseen::End, cx));
        }
    }
}
