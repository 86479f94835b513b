//! Stalls: streams that are not read, while no credit holds their peers back, hold back the reading
//! of the whole connection.

use std::time::{Duration, Instant};

use crate::error::Reason;
use crate::framing::Outcome;

use super::Connection;
use super::budget::Overrun;
use super::event::Ending;
use super::refusals::Cause;
use super::timers::{Timer, Timers};

/// How long the other calls and streams of a connection may be held up by such streams. Less than
/// the 20 s after which a peer of ours would take a connection that takes no bytes for dead.
const LIMIT: Duration = Duration::from_secs(10);

/// The stall of a connection's reading, if there is one.
#[derive(Debug, Default)]
pub(super) struct Stall {
    /// The number of streams that hold back the reading.
    streams: usize,
    /// When to look whether they still do.
    look_at: Option<Instant>,
}

impl Stall {
    pub(super) fn is_on(&self) -> bool {
        self.streams > 0
    }

    /// One more stream holds back the reading.
    pub(super) fn begin(&mut self, now: Instant, timers: &mut Timers) {
        self.streams += 1;
        if self.look_at.is_none() {
            self.look_later(now, timers);
        }
    }

    /// One of them is read again, or over.
    pub(super) fn end(&mut self, timers: &mut Timers) {
        self.streams -= 1;
        if self.streams == 0 {
            timers.clear(self.look_at.take(), Timer::Stall);
        }
    }

    fn look_later(&mut self, now: Instant, timers: &mut Timers) {
        let at = now + LIMIT;
        timers.set(at, Timer::Stall);
        self.look_at = Some(at);
    }
}

impl Connection {
    /// Breaks off the streams that have held up others for too long.
    pub(super) fn look_if_stalled(&mut self, now: Instant) {
        self.stall.look_at = None;
        if self.is_alone() {
            return self.stall.look_later(now, &mut self.timers);
        }
        for key in self.streams.live_keys() {
            let recv = &self.streams.get(key).recv;
            // PROTOCOL 21
            if recv.stalling {
                let (used, limit) = (recv.cost(), recv.stall_at());
                let setting = if recv.window.size() == 0 { "window is 0" } else { "window" };
                let over = Overrun { used, own: used, limit, setting };
                self.count_refusal(Cause::BrokenOff);
                self.break_off(key, Outcome::failed(Reason::Unread, over.to_string()));
                self.end_stream(key, Ending::Overrun(over));
            }
        }
    }
}
