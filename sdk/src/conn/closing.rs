//! How a stream ends, by what the application does or for another reason.

use crate::error::Reason;
use crate::framing::{Outcome, Side, StreamId};

use super::Connection;
use super::config::{AppErrors, Cancel};
use super::event::{Ending, Event, StreamKey};
use super::fit::Fit;
use super::stream::{Stream, StreamState};
use super::streaming::{Consumed, SendError};
use super::timers::Timer;

/// How this side ends a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum EndFrame {
    Close,
    Reset,
}

/// The error text for a client whose handler's task is gone.
pub(super) const DROPPED: &str = "the handler was dropped before it had an outcome";

impl Connection {
    /// A client says that it sends no more. Nothing happens if the stream is over.
    pub(super) fn half_close(&mut self, key: StreamKey) {
        let stream = self.streams.get_mut(key);
        // PROTOCOL 24
        if stream.state == StreamState::Open && self.side == Side::Client {
            stream.state = StreamState::LocalClosed;
            let id = stream.id;
            if !self.end_behind_rest(key) {
                self.wire.half_close(&mut self.output, id);
            }
        }
    }

    /// A server ends the stream with the outcome of its handler. Nothing happens if the stream is
    /// over. A good outcome whose metadata does not fit into a frame leaves the stream open for
    /// another one.
    pub(super) fn close(&mut self, key: StreamKey, outcome: Outcome) -> Fit {
        if self.streams.get(key).state == StreamState::Closed {
            return Fit::Over;
        }
        if self.leave_rest(key, &outcome) {
            self.end_stream(key, Ending::Local);
            return Fit::Whole;
        }
        let closes = self.closes(&outcome);
        let stream = self.streams.get_mut(key);
        let id = stream.id;
        let fit = if outcome.is_ok() || closes {
            // PROTOCOL 23
            if self.rules.credit_before_end
                && stream.state.can_receive()
                && !stream.recv.ended
                && let Some(increment) = stream.recv.window.settle_all()
            {
                self.write_credit(key, increment);
            }
            if closes {
                self.write_end(id, EndFrame::Close, outcome)
            } else if let Err(error) = self.try_end(id, EndFrame::Close, outcome) {
                // PROTOCOL 37
                return Fit::Not(error);
            } else {
                Fit::Whole
            }
        } else {
            self.write_reset(id, outcome)
        };
        self.end_stream(key, Ending::Local);
        fit
    }

    /// Tells whether a failure of the handler is told with a normal end.
    fn closes(&self, outcome: &Outcome) -> bool {
        // PROTOCOL 25
        outcome.reason() == Some(Reason::Status) && self.config.app_errors == AppErrors::Close
    }

    /// Ends a stream that has no handler any more with the outcome that it left.
    pub(super) fn write_outcome(&mut self, id: StreamId, outcome: Outcome) {
        if outcome.is_ok() || self.closes(&outcome) {
            self.write_end(id, EndFrame::Close, outcome);
        } else {
            self.write_reset(id, outcome);
        }
    }

    /// Ends a unary call that is a stream, well or not.
    pub(super) fn write_close(&mut self, id: StreamId, outcome: Outcome) {
        self.write_end(id, EndFrame::Close, outcome);
    }

    /// Breaks the stream off with a code and a text. Nothing happens if it is over.
    pub(super) fn reset(&mut self, key: StreamKey, outcome: Outcome) {
        self.break_off(key, outcome);
        self.end_stream(key, Ending::Local);
    }

    /// Drops the messages of a stream that is read no more. The peer keeps its credit.
    pub(super) fn discard(&mut self, key: StreamKey, mut consumed: Consumed) {
        let stream = self.streams.get_mut(key);
        stream.recv.discard = true;
        let begun = stream.rare.as_mut().map(|rare| std::mem::take(&mut rare.begun));
        let unread = stream.recv.clear();
        consumed.messages += unread.messages;
        consumed.bytes += unread.bytes + begun.map_or(0, |begun| begun.len());
        self.give_credit(key, consumed);
    }

    /// The application knows that it needs nothing more of the peer, such as after the one request
    /// of a server stream. Later messages are dropped, and no credit is given any more.
    pub(super) fn end_input(&mut self, key: StreamKey) {
        // PROTOCOL 23
        self.streams.get_mut(key).recv.ended = true;
        self.discard(key, Consumed::default());
    }

    /// The application lets go of the key. A stream that is not over is broken off.
    pub(super) fn release(&mut self, key: StreamKey) {
        if self.streams.get(key).state != StreamState::Closed {
            let outcome = match self.side {
                // PROTOCOL 29
                Side::Client => Outcome::failed(
                    Reason::Cancelled,
                    "the client dropped the stream before its end",
                ),
                Side::Server => Outcome::failed(Reason::Internal, DROPPED),
            };
            self.reset(key, outcome);
        }
        let Stream { recv, kept, .. } = self.streams.remove(key);
        self.give_shared_credit(recv.unconsumed(self.rules.framing.header.into()));
        self.unread.hold(recv.held() + kept, 0);
        self.unread.reserve(recv.charged + kept, 0);
        self.unread.leave();
        if self.side == Side::Server {
            self.permits.give_back();
        }
        self.tell_if_idle();
    }

    /// Tells the peer that this side wants nothing more of a stream that is not over, in the way
    /// the peer understands.
    pub(super) fn break_off(&mut self, key: StreamKey, outcome: Outcome) {
        let stream = self.streams.get_mut(key);
        // PROTOCOL 29
        let polite = self.config.cancel == Cancel::HalfClose && self.side == Side::Client;
        if !(polite && stream.state.can_receive()) {
            self.send_reset(key, outcome);
            return;
        }
        if stream.state == StreamState::Open {
            self.wire.half_close(&mut self.output, stream.id);
        }
        if let Some(increment) = self.cancelled.begin(stream.id, stream.recv.window) {
            self.write_credit(key, increment);
        }
        if let Some(oldest) = self.cancelled.forget_one() {
            let text = "the client has given the stream up, and the server does not end it";
            self.write_reset(oldest, Outcome::failed(Reason::Cancelled, text));
        }
    }

    /// Sends RESET for a stream that is not over.
    pub(super) fn send_reset(&mut self, key: StreamKey, outcome: Outcome) {
        let stream = self.streams.get(key);
        if stream.state != StreamState::Closed {
            let id = stream.id;
            self.write_reset(id, outcome);
        }
    }

    pub(super) fn write_reset(&mut self, id: StreamId, mut outcome: Outcome) -> Fit {
        // PROTOCOL 26
        // A RESET without a code would say nothing: tRPC-Go would report an error with code 0.
        if outcome.is_ok() {
            outcome.failure = Some(Box::new(Reason::Unknown.into()));
        }
        self.write_end(id, EndFrame::Reset, outcome)
    }

    /// Writes the end. If metadata and text do not fit into a frame, the codes and as much of the
    /// text as fits go out.
    fn write_end(&mut self, id: StreamId, how: EndFrame, outcome: Outcome) -> Fit {
        let bare = outcome.without_metadata();
        let Err(why) = self.try_end(id, how, outcome) else { return Fit::Whole };
        let cut = self.cut(&bare);
        if self.try_end(id, how, bare).is_ok() {
            return Fit::WithoutMetadata(why);
        }
        self.try_end(id, how, cut).expect("two codes and a text that was cut fit into any frame");
        Fit::Cut
    }

    /// Writes the end, if it fits into a frame.
    fn try_end(&mut self, id: StreamId, how: EndFrame, outcome: Outcome) -> Result<(), SendError> {
        let limit = self.config.largest();
        match how {
            EndFrame::Close => self.wire.close(&mut self.output, id, outcome, limit)?,
            EndFrame::Reset => self.wire.reset(&mut self.output, id, outcome, limit)?,
        }
        Ok(())
    }

    /// Ends the stream. Received messages can still be taken.
    pub(super) fn end_stream(&mut self, key: StreamKey, ending: Ending) {
        let stream = self.streams.get_mut(key);
        if stream.ending.is_some() {
            return;
        }
        stream.state = StreamState::Closed;
        let said = match &ending {
            Ending::Closed(outcome) | Ending::Reset(outcome) | Ending::Refused(outcome) => {
                outcome.cost()
            }
            _ => 0,
        };
        stream.ending = Some(ending);
        self.drop_rest(key);
        let stream = self.streams.get_mut(key);
        if std::mem::take(&mut stream.recv.stalling) {
            self.stall.end(key, &mut self.timers);
        }
        if std::mem::take(&mut stream.recv.waiting) {
            self.events.push(Event::Readable(key));
        }
        if std::mem::take(&mut stream.send.waiting) || stream.send.waiting_for_room {
            self.events.push(Event::Writable(key));
        }
        if stream.send.window.is_granted() {
            self.events.push(Event::CreditRevoked(key));
        }
        if std::mem::take(&mut stream.watched) {
            self.events.push(Event::Changed(key));
        }
        // The timer of one that was accepted is cleared.
        let open_by = stream.open_by.take().filter(|_| !stream.accepted);
        self.timers.clear(open_by, Timer::Open(key));
        self.timers.clear(stream.end_by.take(), Timer::Stream(key));
        if let Some(idle) = stream.rare.as_mut().and_then(|rare| rare.idle.as_mut()) {
            let next = idle.take_next();
            self.timers.clear(next, Timer::StreamIdle(key));
        }
        self.streams.retire(key);
        if said > 0 {
            self.keep(key, said);
        }
        self.forget_reset(key);
        self.clear_stuck_timer();
        self.tell_if_idle();
    }
}
