//! The deadlines of a connection, earliest first.

use std::collections::BTreeSet;
use std::time::Instant;

use super::event::{CallKey, StreamKey};

/// What a deadline is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Timer {
    /// The peer must have answered INIT.
    Open(StreamKey),
    /// The whole stream must be over.
    Stream(StreamKey),
    /// The call must be answered, by the peer or by our handler.
    Call(CallKey),
    /// Time to look whether the stream is idle.
    StreamIdle(StreamKey),
    /// Time to look whether the connection is idle.
    Idle,
    /// Time to look whether the connection is quiet.
    Beat,
    /// The first frame of the peer must be whole.
    FirstFrame,
    /// Time to look whether the reading is held back still.
    Pause,
}

#[derive(Debug, Default)]
pub(super) struct Timers(BTreeSet<(Instant, Timer)>);

impl Timers {
    pub(super) fn set(&mut self, at: Instant, timer: Timer) {
        self.0.insert((at, timer));
    }

    pub(super) fn clear(&mut self, at: Option<Instant>, timer: Timer) {
        if let Some(at) = at {
            self.0.remove(&(at, timer));
        }
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.0.first().map(|(at, _)| *at)
    }

    /// The next deadline that has passed.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Timer> {
        if self.next()? > now {
            return None;
        }
        self.0.pop_first().map(|(_, timer)| timer)
    }
}
