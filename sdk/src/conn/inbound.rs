//! Input from the network and the clock: frames and deadlines. Admission has a file of its own.

use std::sync::Arc;
use std::time::Instant;

use crate::error::{At, Reason};
use crate::framing::{MESSAGE_COST, Messages, Outcome, Side, StreamId};
use crate::wires::{Credit, CreditRule, End, Fault, Input};
use bytes::Bytes;

use super::Connection;
use super::budget::Overrun;
use super::call_streams::CallFault;
use super::credit::SendWindow;
use super::error::{ConnError, Violation};
use super::event::{Ending, Event, StreamKey};
use super::parts::CONNECTION;
use super::refusals::Cause;
use super::stream::{Action, FrameKind, Moved, Recv, StreamState};
use super::streaming::Consumed;
use super::timers::Timer;

/// The bytes that a stream without flow control may hold before the connection is not read further.
pub(super) const STALL_WITHOUT_WINDOW: usize = 256 * 1024;

impl Connection {
    /// Takes one frame of the peer's. An error ends the connection: report it with
    /// [`handle_lost`](Self::handle_lost).
    pub(crate) fn handle_input(&mut self, input: Input, now: Instant) -> Result<(), ConnError> {
        self.keepalive.note();
        self.watch.note();
        self.arriving = None;
        match input {
            Input::Messages { id, messages } => self.handle_messages(id, messages, now),
            Input::Bytes { id, bytes } => self.handle_bytes(id, bytes, now)?,
            Input::Credit { id, credit } => self.handle_credit(id, credit),
            Input::Control(control) => self.wire.handle(&mut self.output, control),
            Input::GoingAway { accepted } => self.handle_going_away(accepted),
            Input::Speaks(wire) => self.speak(wire),
            Input::Open { id, opening } => self.handle_open(id, opening, now),
            Input::Opened { id, answer } => self.handle_opened(id, answer, now),
            Input::AnswerHead { id, head } => self.handle_answer_head(id, head),
            Input::End { id, how, outcome } => self.handle_end(id, how, outcome, now),
            Input::BadStream { id, why } => self.handle_bad(id, &why),
            Input::Call { tag, one_way, head, body, attachment } => {
                self.handle_call(tag, one_way, head, body, attachment, now);
            }
            Input::Answer { id, answer } => self.handle_answer(id, answer),
            Input::BadCall { tag, why } => self.handle_bad_call(tag, &why),
            Input::BadAnswer { id, why } => self.handle_bad_answer(id, why)?,
            Input::Skipped { of, size, why } => self.handle_skipped(of, size, why),
        }
        self.count_unsent();
        let (queued, limit) = (self.queued(), self.config.outbox_hard());
        if queued > limit { Err(ConnError::PeerNotReading { queued, limit }) } else { Ok(()) }
    }

    /// Does what is due. Call it at [`next_deadline`](Self::next_deadline) or later.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        while let Some(timer) = self.timers.pop(now) {
            if !self.is_for_somebody(timer) {
                continue;
            }
            match timer {
                Timer::Open(key) => {
                    self.streams.get_mut(key).open_by = None;
                    let waited = self.config.open_timeout;
                    let text = "the client waited too long for the answer to INIT";
                    self.send_reset(key, Outcome::failed(Reason::ReadTimeout, text));
                    self.end_stream(key, Ending::OpenTimeout(waited));
                }
                Timer::Stream(key) => {
                    self.streams.get_mut(key).end_by = None;
                    let failure = Reason::Deadline.at(self.streams_at());
                    self.break_off(
                        key,
                        Outcome::failed(failure, "the deadline of the stream passed"),
                    );
                    self.end_stream(key, Ending::Deadline);
                }
                Timer::Call(key) => self.end_call(key, Ending::Deadline),
                Timer::StreamIdle(key) => self.look_if_stream_idle(key, now),
                Timer::Idle => self.look_if_idle(now),
                Timer::Keepalive => self.keep_alive(now),
                Timer::Overtaken(key) => self.believe_reset(key, now),
                Timer::Stuck => self.look_for_stuck(now),
                Timer::Stall => self.look_if_stalled(now),
                Timer::Frame => self.look_at_front(now),
                Timer::Abandoned => self.end_abandoned(),
                Timer::FirstFrame => {
                    self.handle_lost(&ConnError::FirstFrame(self.config.first_frame_timeout));
                }
            }
        }
    }

    /// Tells whether the call or stream of a timer is there. Each clears its timers as it ends; one
    /// that did not would hit nobody.
    fn is_for_somebody(&self, timer: Timer) -> bool {
        match timer {
            Timer::Call(key) => self.calls.contains(key),
            Timer::Open(key)
            | Timer::Stream(key)
            | Timer::StreamIdle(key)
            | Timer::Overtaken(key) => self.streams.contains(key),
            _ => true,
        }
    }

    /// A part of a large message has come. The rest follows before anything else.
    pub(crate) fn handle_arriving(&mut self, id: StreamId, size: u32) {
        self.arriving = Some((id, size));
        if let Some(key) = self.streams.find(id)
            && self.streams.get(key).recv.waiting
        {
            self.give_credit_ahead(key);
        }
    }

    /// The stream that takes `bytes` of messages for this id. Without one they are dropped, and
    /// what that means for the stream, or for one that was given up, is done here.
    #[inline]
    pub(super) fn find_receiver(&mut self, id: StreamId, bytes: usize) -> Option<StreamKey> {
        let Some(key) = self.streams.find(id) else {
            if let Some(increment) = self.cancelled.receive(id, bytes) {
                let credit = Credit { increment, total: 0 };
                self.wire.credit(&mut self.output, id, credit);
            }
            self.give_shared_credit(bytes);
            return None;
        };
        let client = self.side == Side::Client;
        let stream = self.streams.get_mut(key);
        stream.moved = Moved::NOW;
        let (next, action) = stream.state.receive(client, FrameKind::Message);
        match action {
            Action::Deliver if stream.recv.discard => {
                stream.recv.window.receive(bytes);
                self.give_credit(key, Consumed { messages: 0, bytes });
                None
            }
            Action::Deliver => Some(key),
            _ => {
                self.give_shared_credit(bytes);
                self.act(key, next, action, None);
                None
            }
        }
    }

    fn handle_messages(&mut self, id: StreamId, messages: Messages, now: Instant) {
        let Some(key) = self.find_receiver(id, messages.bytes()) else { return };
        let more = messages.bytes() + messages.count() * MESSAGE_COST;
        let recv = &mut self.streams.get_mut(key).recv;
        let before = recv.held();
        if recv.is_beyond_promise(more) && self.is_overrun(key, more) {
            return;
        }
        self.streams.get_mut(key).recv.window.receive(messages.bytes());
        self.take_messages(key, messages, now);
        self.count_unread(key, before);
    }

    /// Ends the stream if that is much more than its peer was
    /// [promised room for](Recv::is_beyond_promise).
    pub(super) fn is_overrun(&mut self, key: StreamKey, more: usize) -> bool {
        let recv = &self.streams.get(key).recv;
        if let Err(over) = self.is_sound(recv, more) {
            self.count_refusal(Cause::BrokenOff);
            self.send_reset(key, Outcome::failed(Reason::Unread, over.to_string()));
            self.end_stream(key, Ending::Overrun(over));
            return true;
        }
        false
    }

    /// Puts messages into the inbox of their stream, and wakes its reader.
    pub(super) fn take_messages(&mut self, key: StreamKey, messages: Messages, now: Instant) {
        let stream = self.streams.get_mut(key);
        let is_much = stream.recv.push(messages);
        if std::mem::take(&mut stream.recv.waiting) {
            self.events.push(Event::Readable(key));
        }
        if is_much {
            self.stall_if_too_much(key, now);
        }
    }

    fn handle_credit(&mut self, id: StreamId, credit: Credit) {
        if self.shared.is_some() && id == CONNECTION {
            return self.handle_shared_credit(credit.increment);
        }
        let Some(key) = self.streams.find(id) else {
            return self.handle_credit_of_leftover(id, credit.increment);
        };
        let client = self.side == Side::Client;
        let stream = self.streams.get_mut(key);
        let (next, action) = stream.state.receive(client, FrameKind::Credit);
        match action {
            Action::Credit => {
                match self.rules.credit {
                    CreditRule::Chosen { .. } => {
                        let rare = stream.rare.get_or_insert_default();
                        stream.send.window.add_total(credit.total, &mut rare.came);
                    }
                    _ => stream.send.window.add(credit.increment),
                }
                if stream.rest().is_some() {
                    self.send_rest(key);
                } else if stream.send.window.is_open() && std::mem::take(&mut stream.send.waiting) {
                    self.events.push(Event::Writable(key));
                }
            }
            _ => self.act(key, next, action, None),
        }
    }

    fn handle_end(&mut self, id: StreamId, how: End, outcome: Outcome, now: Instant) {
        let Some(key) = self.streams.find(id) else {
            // PROTOCOL 27
            self.cancelled.end(id);
            if how != End::Close {
                self.drop_leftover(id);
            }
            self.end_call_stream(id, how, outcome);
            return;
        };
        let client = self.side == Side::Client;
        // PROTOCOL 27
        if how == End::ResetAhead && self.streams.get(key).accepted {
            self.remember_reset(key, &outcome, now);
            return;
        }
        self.hear_drain(&outcome);
        let (frame, ending) = match how {
            End::Close => (FrameKind::Close, Ending::Closed(Arc::new(outcome))),
            End::Reset | End::ResetAhead => (FrameKind::Reset, Ending::Reset(Arc::new(outcome))),
        };
        let stream = self.streams.get(key);
        let (next, action) = stream.state.receive(client, frame);
        if how == End::Close && stream.begun() > 0 && action != Action::Ignore {
            return self.violate(key, Violation::CutMessage);
        }
        self.act(key, next, action, Some(ending));
    }

    fn handle_opened(&mut self, id: StreamId, answer: Result<u32, Outcome>, now: Instant) {
        self.note_answered(id, now);
        let Some(key) = self.streams.find(id) else {
            if let Err(outcome) = answer {
                self.handle_call_refused(id, outcome);
            }
            return;
        };
        if let Err(outcome) = &answer {
            self.hear_drain(outcome);
        }
        for key in self.opened_with.remove(&key).unwrap_or_default() {
            self.answer_opening(key, answer.clone());
        }
        self.answer_opening(key, answer);
    }

    fn answer_opening(&mut self, key: StreamKey, answer: Result<u32, Outcome>) {
        let frame = match &answer {
            Ok(_) => FrameKind::Accept,
            Err(_) if self.rules.is_answered => FrameKind::Refuse,
            // A stream that was open at once ends.
            Err(_) => FrameKind::Reset,
        };
        let rule = self.rules.credit;
        let stream = self.streams.get_mut(key);
        let (next, action) = stream.state.receive(true, frame);
        match answer {
            Ok(window) if action == Action::Opened => {
                stream.state = next;
                stream.accepted = true;
                // 0 from either side switches flow control off in both directions.
                // PROTOCOL 21
                if rule == CreditRule::Announced && (window == 0 || stream.recv.window.size() == 0)
                {
                    let before = stream.recv.held();
                    stream.recv.window.switch_off();
                    stream.recv.set_stall_at(STALL_WITHOUT_WINDOW);
                    self.count_unread(key, before);
                } else {
                    stream.send.window = SendWindow::of(rule, window);
                }
                let stream = self.streams.get_mut(key);
                self.timers.clear(stream.open_by, Timer::Open(key));
                stream.moved = Moved::NOW;
                if std::mem::take(&mut stream.watched) {
                    self.events.push(Event::Changed(key));
                }
            }
            Ok(_) => self.act(key, next, action, None),
            Err(outcome) => {
                self.act(key, next, action, Some(Ending::Refused(Arc::new(outcome))));
            }
        }
    }

    pub(super) fn handle_bad(&mut self, id: StreamId, why: &Fault) {
        let violation = match *why {
            Fault::HeaderTooLarge { size, limit } => Violation::HeaderTooLarge { size, limit },
            Fault::TooManyEntries { limit } => Violation::TooManyEntries { limit },
            _ => Violation::BadFrame,
        };
        let Some(key) = self.streams.find(id) else {
            if self.is_call_stream(id) {
                return self.fail_call_stream(id, CallFault::Violation(violation));
            }
            // A peer that opens a stream with garbage waits for an answer; one that sends garbage
            // for no stream gets the same.
            if self.side == Side::Server {
                self.count_refusal(Cause::Unreadable);
                let outcome =
                    Outcome::failed(Reason::Decode.at(self.streams_at()), violation.to_string());
                self.write_reset(id, outcome.clone());
                self.tell_refused(Bytes::new(), outcome);
            }
            return;
        };
        let (next, action) = self
            .streams
            .get(key)
            .state
            .receive(self.side == Side::Client, FrameKind::Bad(violation));
        self.act(key, next, action, None);
    }

    /// The peer broke a rule of its stream, which is reset for it.
    pub(super) fn violate(&mut self, key: StreamKey, violation: Violation) {
        self.act(key, StreamState::Closed, Action::Violate(violation), None);
    }

    /// Carries out what the state machine decided.
    pub(super) fn act(
        &mut self,
        key: StreamKey,
        next: StreamState,
        action: Action,
        ending: Option<Ending>,
    ) {
        match action {
            Action::EndOfInput => {
                let stream = self.streams.get_mut(key);
                stream.state = next;
                stream.recv.ended = true;
                if std::mem::take(&mut stream.recv.waiting) {
                    self.events.push(Event::Readable(key));
                }
            }
            Action::End => {
                self.end_stream(key, ending.expect("the frame that ends a stream says how"));
            }
            Action::Violate(violation) => {
                // PROTOCOL 28
                let reason = match violation {
                    Violation::BadFrame
                    | Violation::HeaderTooLarge { .. }
                    | Violation::TooManyEntries { .. } => Reason::Decode,
                    _ => Reason::BadState,
                };
                let failure = reason.at(self.streams_at());
                self.send_reset(key, Outcome::failed(failure, violation.to_string()));
                self.end_stream(key, Ending::Violation(violation));
            }
            Action::Opened | Action::Deliver | Action::Credit => {
                unreachable!("done where the frame is at hand")
            }
            Action::Ignore => {}
        }
    }

    /// The place where failures of streams are seen.
    pub(super) fn streams_at(&self) -> At {
        At::new(self.side == Side::Client, true)
    }

    /// Checks that so many bytes more for a stream beyond its promise leave room for others. In
    /// small messages, a window that has grown holds a multiple of what it was promised.
    fn is_sound(&self, recv: &Recv, more: usize) -> Result<(), Overrun> {
        let (held, limit) = (recv.held(), recv.promised() + self.config.unread / 4);
        if recv.window.size() > self.config.window && held + more > limit {
            return Err(Overrun { used: held, own: held, limit, setting: "max_window" });
        }
        self.unread.is_sound(more, self.config.max_received)
    }

    /// The cost at which the inbox of a stream whose peer does not keep to its window stops the
    /// reading.
    pub(super) fn stall_at(&self, window: u32) -> usize {
        if window == 0 {
            STALL_WITHOUT_WINDOW
        } else {
            2 * (window as usize + self.config.max_received)
        }
    }
}
