//! The deadlines of a connection, earliest first.

mod fifo;

use std::collections::BTreeSet;
use std::time::Instant;

use super::event::{CallKey, StreamKey};

use fifo::Fifo;

/// The purpose of a deadline.
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
    /// Time to look whether the connection needs a sign of life.
    Keepalive,
    /// Time to look whether the frame at the front of the input has grown.
    Frame,
    /// The first frame of the peer must be whole.
    FirstFrame,
    /// The stream that this RESET overtook must be over.
    Overtaken(StreamKey),
    /// Time to look whether streams are stuck.
    Stuck,
    /// Time to look whether the reading is held back still.
    Stall,
    /// The one-way calls of a connection that is over must have ended.
    Abandoned,
}

/// Calls, and streams that are being opened, mostly have the same time each, so that their
/// deadlines come in order. Those that do not, and all others, are in the set.
#[derive(Debug, Default)]
pub(super) struct Timers {
    calls: Fifo,
    opens: Fifo,
    /// Set and cleared with the first stream and the last, which may be the same again and again.
    stuck: Option<Instant>,
    others: BTreeSet<(Instant, Timer)>,
    /// The earliest of all. It is asked for far more often than it changes.
    next: Option<Instant>,
}

impl Timers {
    #[inline]
    pub(super) fn set(&mut self, at: Instant, timer: Timer) {
        let in_order = match timer {
            Timer::Call(key) => self.calls.push(key.0, at),
            Timer::Open(key) => self.opens.push(key.0, at),
            Timer::Stuck => self.stuck.replace(at).is_none(),
            _ => false,
        };
        if !in_order {
            self.set_other(at, timer);
        }
        if self.next.is_none_or(|next| at < next) {
            self.next = Some(at);
        }
    }

    #[inline]
    pub(super) fn clear(&mut self, at: Option<Instant>, timer: Timer) {
        let Some(at) = at else { return };
        let in_order = match timer {
            Timer::Call(key) => self.calls.remove(key.0, at),
            Timer::Open(key) => self.opens.remove(key.0, at),
            Timer::Stuck => self.stuck.take().is_some(),
            _ => false,
        };
        if !in_order {
            self.clear_other(at, timer);
        }
        if self.next == Some(at) {
            self.next = self.earliest();
        }
    }

    // Not inlined, so that the rest is, where it is known which timer it is.
    #[inline(never)]
    fn set_other(&mut self, at: Instant, timer: Timer) {
        self.others.insert((at, timer));
    }

    #[inline(never)]
    fn clear_other(&mut self, at: Instant, timer: Timer) {
        self.others.remove(&(at, timer));
    }

    #[inline]
    pub(super) fn next(&self) -> Option<Instant> {
        self.next
    }

    #[inline(never)]
    fn earliest(&self) -> Option<Instant> {
        let others = self.others.first().map(|(at, _)| *at);
        earlier(earlier(self.calls.next(), self.opens.next()), earlier(self.stuck, others))
    }

    /// The next deadline that has passed.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Timer> {
        let next = self.next().filter(|next| *next <= now)?;
        let timer = match self.others.first() {
            Some((at, timer)) if *at == next => *timer,
            _ if self.stuck == Some(next) => Timer::Stuck,
            _ if self.calls.next() == Some(next) => Timer::Call(CallKey(self.calls.first()?)),
            _ => Timer::Open(StreamKey(self.opens.first()?)),
        };
        self.clear(Some(next), timer);
        Some(timer)
    }
}

#[inline]
fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::table::Key;
    use super::*;

    #[test]
    fn deadlines_of_calls_and_openings_are_in_the_set_only_if_they_come_out_of_order() {
        let mut timers = Timers::default();
        #[expect(clippy::disallowed_methods, reason = "an Instant cannot be made otherwise")]
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        for (key, seconds) in [(0, 5), (1, 5), (2, 6)] {
            timers.set(at(seconds), Timer::Call(CallKey(Key::of(key))));
            timers.set(at(seconds), Timer::Open(StreamKey(Key::of(key))));
        }
        assert_eq!((timers.calls.next(), timers.opens.next()), (Some(at(5)), Some(at(5))));
        assert!(timers.others.is_empty());
        timers.set(at(4), Timer::Call(CallKey(Key::of(3))));
        timers.set(at(4), Timer::Open(StreamKey(Key::of(3))));
        assert_eq!(timers.others.len(), 2);
    }
}
