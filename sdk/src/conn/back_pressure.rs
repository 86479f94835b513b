//! When the peer's bytes are wanted, and when they wait in the socket.

use super::Connection;
use super::config::MIN_OUTBOX;
use super::stream::Stream;

impl Connection {
    /// Tells whether the peer's bytes are wanted. They are not while a stream without credit has
    /// more messages than its reader takes, while too much is unread and nobody here waits for the
    /// peer, or while the peer leaves too many answers unread.
    pub(crate) fn wants_input(&mut self) -> bool {
        self.asking = false;
        self.reads()
    }

    pub(super) fn reads(&self) -> bool {
        !self.stall.is_on()
            && self.may_answer()
            && (self.unread.is_within(self.config.max_received)
                || self.is_hungry()
                || !self.holds_messages())
    }

    /// Tells whether messages of streams wait here, whole or begun. Only they can go beyond what
    /// there is room for: calls are refused before that, and the peer must hear it, however much
    /// others hold.
    fn holds_messages(&self) -> bool {
        self.watch.holds_message() || self.streams.is_any(|stream| stream.recv.held() > 0)
    }

    /// Tells whether [`wants_input`](Self::wants_input), which was false, may be true now.
    pub(crate) fn may_want_input(&self) -> bool {
        !self.stall.is_on()
            && self.may_answer()
            && (self.asking || self.unread.is_within(self.config.max_received))
    }

    /// Tells whether the peer's bytes are not wanted for lack of room. No event tells when other
    /// connections leave some, so ask now and then.
    pub(crate) fn is_short(&self) -> bool {
        !self.stall.is_on()
    }

    /// Tells whether the peer's frames may be answered. Refusals and answers wait for no room, so a
    /// connection that has more unsent than its server's other connections have room left for is
    /// not read.
    fn may_answer(&self) -> bool {
        self.queued() + self.answers <= MIN_OUTBOX || self.unsent.can_reserve(0).is_ok()
    }

    /// Tells whether a reader, a writer without credit or a caller waits for the peer's bytes.
    fn is_hungry(&self) -> bool {
        self.calls.is_waited_for() || self.streams.is_any(Stream::is_hungry)
    }
}
