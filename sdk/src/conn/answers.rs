//! Answers that wait for room in the outbox: from the moment at which the handler gives one, it
//! counts as what is queued does.

use super::Connection;
use super::calls::Call;
use super::config::MIN_OUTBOX;
use super::event::CallKey;
use super::refusals::Cause;
use super::streaming::SendError;

impl Connection {
    /// An answer of so many bytes may be queued, if there is room in the server's budget. One that
    /// goes beyond it is taken while others have left some, and small ones are always, as refusals
    /// are.
    #[inline]
    pub(crate) fn admit_answer(&self, key: CallKey, bytes: usize) -> Result<(), SendError> {
        // Without credit they may stay for long.
        let held_back = if self.wire.rules().calls_are_streams { self.held_back() } else { 0 };
        if self.queued() + self.answers + held_back + bytes <= MIN_OUTBOX {
            return Ok(());
        }
        self.admit_large_answer(key)
    }

    fn admit_large_answer(&self, key: CallKey) -> Result<(), SendError> {
        if matches!(self.calls.get(key), Call::Incoming(call) if call.waiting > 0) {
            return Ok(());
        }
        self.unsent.can_reserve(0).map_err(|over| {
            self.count_refusal(Cause::NoRoomToAnswer);
            SendError::NoRoom { used: over.used, limit: over.limit }
        })
    }

    /// The answer waits for its turn: it counts until it is queued or dropped.
    pub(crate) fn hold_answer(&mut self, key: CallKey, bytes: usize) {
        if let Call::Incoming(call) = self.calls.get_mut(key)
            && call.waiting == 0
        {
            call.waiting = bytes;
            self.answers += bytes;
            self.count_unsent();
        }
    }

    /// It does not wait any more.
    pub(super) fn let_go_of_answer(&mut self, bytes: usize) {
        if bytes > 0 {
            self.answers -= bytes;
            self.count_unsent();
        }
    }
}
