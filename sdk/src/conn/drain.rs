//! How a server's connection comes to its end in order: no new work, then idle, then an answer for all that is left.

use trill_proto::Code;

use super::Connection;
use super::error::ConnError;
use super::event::{Ending, Event, Outcome};

impl Connection {
    /// Accepts no new calls and streams of the peer's from now on. [`Event::Idle`] tells when to look at [`is_idle`](Self::is_idle) and
    /// [`is_left`](Self::is_left) again.
    pub(crate) fn drain(&mut self) {
        self.draining = true;
    }

    /// Whether no call and no stream is going on and everything is written.
    pub(crate) fn is_idle(&self) -> bool {
        self.streams.live() == 0 && self.calls.is_empty() && self.output.is_empty() && self.in_flight == 0
    }

    /// Whether the application holds no call and no stream any more.
    pub(crate) fn is_left(&self) -> bool {
        self.streams.held() == 0 && self.calls.is_empty()
    }

    /// Answers all calls and streams that are going on with a code, because the server does not wait for their handlers any longer.
    pub(crate) fn shut_down(&mut self) {
        self.draining = true;
        let outcome = Outcome::framework(Code::SERVER_TIMEOUT_ERR.0, ConnError::Shutdown.to_string());
        for key in self.streams.live_keys() {
            self.send_reset(key, outcome.clone());
            self.end_stream(key, Ending::Lost(ConnError::Shutdown));
        }
        for key in self.calls.keys() {
            self.refuse(key, outcome.clone(), &[]);
            self.end_call(key, Ending::Lost(ConnError::Shutdown));
        }
    }

    /// Something ended or was written: those who wait for the last of it look again.
    pub(super) fn tell_if_idle(&mut self) {
        if self.draining && (self.is_idle() || self.is_left()) {
            self.events.push(Event::Idle);
        }
    }
}
