//! How a server's connection comes to its end in order: no new work, then idle, then an answer for
//! all that is left.

use std::sync::Arc;

use crate::error::Reason;
use crate::framing::{DRAINING_TEXT, Outcome, Side, StreamId};

use super::Connection;
use super::error::ConnError;
use super::event::{Ending, Event};

/// The refusal of a server that drains.
// PROTOCOL 12, 41
pub(super) fn refusal() -> Outcome {
    Outcome::failed(Reason::Draining, DRAINING_TEXT)
}

impl Connection {
    /// Accepts no new calls and streams of the peer's from now on. [`Event::Idle`] tells when to
    /// look at [`is_idle`](Self::is_idle) and [`is_released`](Self::is_released) again.
    pub(crate) fn drain(&mut self) {
        self.draining = true;
    }

    /// Hears whether the server takes nothing more on this connection. Requests that were sent
    /// before it said so are answered; later ones might cross the end of the connection.
    #[inline]
    pub(super) fn hear_drain(&mut self, outcome: &Outcome) {
        if let Some(Reason::Draining | Reason::ShutDown) = outcome.reason()
            && self.side == Side::Client
        {
            self.note_peer_drains();
        }
    }

    /// The server has begun nothing of this side's behind `accepted`: all that ends as refused, and
    /// may go elsewhere.
    pub(super) fn handle_going_away(&mut self, accepted: StreamId) {
        self.note_peer_drains();
        for key in self.streams.live_keys() {
            if self.streams.get(key).id > accepted {
                self.end_stream(key, Ending::Refused(Arc::new(refusal())));
            }
        }
        for key in self.calls.keys() {
            if self.calls.own_id(key).is_some_and(|id| id > accepted.0) {
                self.end_call(key, Ending::Refused(Arc::new(refusal())));
            }
        }
        self.forget_calls_behind(accepted);
    }

    /// Those who wait for room with something new have to look for another connection.
    fn note_peer_drains(&mut self) {
        if !std::mem::replace(&mut self.peer_drains, true) {
            self.events.extend(self.send_queue.waiting().map(Event::Room));
        }
    }

    /// Tells if the server has said that it takes no new calls and streams of this side's.
    pub(crate) fn peer_drains(&self) -> bool {
        self.peer_drains
    }

    /// Tells whether no call and no stream is going on and everything is written.
    pub(crate) fn is_idle(&self) -> bool {
        self.streams.live() == 0
            && self.calls.is_empty()
            && self.output.is_empty()
            && self.in_flight == 0
            && self.leftovers() == 0
    }

    /// How many streams that are over have left something to send.
    pub(super) fn leftovers(&self) -> usize {
        self.shared.as_ref().map_or(0, |shared| shared.leftovers())
    }

    /// Tells whether the application has released all calls and streams.
    pub(crate) fn is_released(&self) -> bool {
        self.streams.held() == 0 && self.calls.is_empty()
    }

    /// The peer sends nothing more: its streams are lost, because they may have been cut. Gives
    /// whether something is still to be written, as [`owes_answers`](Self::owes_answers) does from
    /// now on; [`Event::Idle`] tells when to look again.
    pub(crate) fn handle_input_end(&mut self) -> bool {
        // PROTOCOL 42
        self.input_ended = true;
        for key in self.streams.live_keys() {
            self.end_stream(key, Ending::Lost(ConnError::PeerClosed));
        }
        let outcome = Outcome::failed(Reason::Network, ConnError::PeerClosed.to_string());
        self.refuse_all_arriving(&outcome);
        self.owes_answers()
    }

    /// Tells whether calls of the peer's wait for their answers, or something is not written.
    pub(crate) fn owes_answers(&self) -> bool {
        // The peer gives no more credit for what waits for that.
        self.calls.owe_answers() || !self.output.is_empty() || self.in_flight > 0
    }

    /// Answers all calls and streams that are going on with a code, because the server does not
    /// wait for their handlers any longer.
    pub(crate) fn shut_down(&mut self) {
        self.draining = true;
        // PROTOCOL 12, 41
        let outcome = Outcome::failed(Reason::ShutDown, ConnError::Shutdown.to_string());
        for key in self.streams.live_keys() {
            self.send_reset(key, outcome.clone());
            self.end_stream(key, Ending::Lost(ConnError::Shutdown));
        }
        self.refuse_all_arriving(&outcome);
        for key in self.calls.keys() {
            self.refuse(key, outcome.clone(), &[]);
            self.end_call(key, Ending::Lost(ConnError::Shutdown));
        }
    }

    /// Something ended or was written: those who wait for the last of it look again.
    pub(super) fn tell_if_idle(&mut self) {
        let is_answered = self.input_ended && !self.owes_answers();
        if is_answered || self.draining && (self.is_idle() || self.is_released()) {
            self.events.push(Event::Idle);
        }
    }
}
