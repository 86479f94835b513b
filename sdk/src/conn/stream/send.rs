//! The sending half of a stream.

use super::super::credit::SendWindow;

#[derive(Debug)]
pub(crate) struct Send {
    pub(in crate::conn) window: SendWindow,
    /// A writer waits for the window.
    pub(in crate::conn) waiting: bool,
    /// A writer has waited for room in the outbox.
    pub(in crate::conn) waiting_for_room: bool,
    /// A message was sent.
    pub(in crate::conn) sent: bool,
}

impl Send {
    pub(in crate::conn) fn new(window: SendWindow) -> Self {
        Self { window, waiting: false, waiting_for_room: false, sent: false }
    }
}
