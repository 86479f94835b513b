//! Waiting until what was queued is written.

use super::Connection;
use super::error::ConnError;
use super::event::Event;

impl Connection {
    /// How many bytes are written when all is that is queued now.
    pub(crate) fn flush_target(&self) -> u64 {
        self.written + self.queued() as u64
    }

    /// Tells whether `target` bytes are written, or never will be; else [`Event::Idle`] tells when
    /// to ask again.
    pub(crate) fn flushed(&mut self, target: u64) -> Option<Result<(), ConnError>> {
        match &self.lost {
            _ if self.written >= target => Some(Ok(())),
            Some(why) => Some(Err(why.clone())),
            None => {
                self.flush_at = Some(self.flush_at.map_or(target, |at| at.min(target)));
                None
            }
        }
    }

    /// Tells whether the connection was lost before all was written.
    pub(crate) fn is_unwritten(&self) -> bool {
        self.unwritten
    }

    pub(super) fn tell_flush(&mut self) {
        if self.flush_at.take().is_some() {
            self.events.push(Event::Idle);
        }
    }
}
