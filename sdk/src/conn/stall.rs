//! Stalls: what no credit holds back holds back the reading of the whole connection.
//!
//! This is so for a stream without flow control, for a peer that does not keep to its window, and
//! for empty messages, which take no credit. While a connection is not read, neither the calls of
//! others are seen nor the reset of the stream itself, so it must not stay so for a stream that has
//! a window. Its reader may lag behind by a fair share of the room. From then on the connection is
//! read as fast as that reader takes messages, and a stream of which hardly any are taken is reset.

use std::time::{Duration, Instant};

use crate::error::Reason;
use crate::framing::{MESSAGE_COST, Outcome};

use super::Connection;
use super::budget::Overrun;
use super::event::{Ending, StreamKey};
use super::inbound::STALL_WITHOUT_WINDOW;
use super::refusals::Cause;
use super::timers::{Timer, Timers};

/// How long the other calls and streams of a connection may be held up by a stream whose peer was
/// given no window, or does not keep to it. Less than the 20 s after which a peer of ours would
/// take a connection that takes no bytes for dead.
const LIMIT: Duration = Duration::from_secs(10);

/// The time in which a reader must take some of the empty messages that hold back its connection.
/// Calls with a limit of a few seconds live through it.
const LIMIT_OF_EMPTY: Duration = Duration::from_secs(1);

/// The stall of a connection's reading, if there is one.
#[derive(Debug, Default)]
pub(super) struct Stall {
    /// The streams that hold back the reading.
    streams: Vec<Stalled>,
    /// When to look whether one of them still does.
    look_at: Option<Instant>,
    /// How many were broken off one after the other, and when the last one was.
    broken: u32,
    broken_at: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Stalled {
    key: StreamKey,
    why: StallCause,
    /// The connection is read again when the stream costs no more than this.
    resume_at: usize,
    until: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum StallCause {
    NoCredit,
    Empty,
}

impl Stall {
    pub(super) fn is_on(&self) -> bool {
        !self.streams.is_empty()
    }

    /// One more stream holds back the reading.
    fn begin(&mut self, key: StreamKey, why: StallCause, resume_at: usize, now: Instant) {
        if self.broken_at.is_some_and(|at| now.saturating_duration_since(at) > LIMIT) {
            self.broken = 0;
        }
        let limit = match why {
            StallCause::NoCredit => LIMIT,
            StallCause::Empty => LIMIT_OF_EMPTY,
        };
        // However many stall one after the other, they take no more than twice the limit together,
        // and hardly a millisecond each after that.
        let until = now + limit / (1 << self.broken.min(10));
        self.streams.push(Stalled { key, why, resume_at, until });
    }

    /// One of them is over.
    pub(super) fn end(&mut self, key: StreamKey, timers: &mut Timers) {
        self.streams.retain(|stalled| stalled.key != key);
        self.set_timer(timers);
    }

    /// One of them is read again.
    fn resume(&mut self, key: StreamKey, timers: &mut Timers) {
        self.broken = 0;
        self.end(key, timers);
    }

    fn set_timer(&mut self, timers: &mut Timers) {
        let next = self.streams.iter().map(|stalled| stalled.until).min();
        if next != self.look_at {
            timers.clear(self.look_at, Timer::Stall);
            self.look_at = next;
            if let Some(at) = next {
                timers.set(at, Timer::Stall);
            }
        }
    }
}

impl Connection {
    /// Much is unread of the stream: stops the reading if that is more than it may be.
    #[cold]
    pub(super) fn stall_if_too_much(&mut self, key: StreamKey, now: Instant) {
        // PROTOCOL 22
        let spare = self.spare_for_empty(key);
        let recv = &mut self.streams.get_mut(key).recv;
        let (why, resume_at) = if recv.is_beyond_credit() {
            (StallCause::NoCredit, recv.stall_at() / 2)
        } else if spare.is_some_and(|spare| recv.empty() * MESSAGE_COST > spare) {
            // Once a few of a hundred are taken, the next come.
            (StallCause::Empty, recv.cost() - recv.empty())
        } else {
            return;
        };
        recv.stalling = true;
        self.stall.begin(key, why, resume_at, now);
        self.stall.set_timer(&mut self.timers);
    }

    /// The bytes that empty messages of the stream may take, if they take no credit on this wire.
    fn spare_for_empty(&self, key: StreamKey) -> Option<usize> {
        let recv = &self.streams.get(key).recv;
        let is_free = self.shared.is_none() && recv.window.size() > 0;
        is_free.then(|| self.unread.share_of_grown(recv.charged).max(STALL_WITHOUT_WINDOW))
    }

    /// Messages of a stream that holds back the reading were consumed.
    #[cold]
    pub(super) fn resume_if_read(&mut self, key: StreamKey) {
        let recv = &mut self.streams.get_mut(key).recv;
        let cost = recv.cost();
        if self.stall.streams.iter().any(|held| held.key == key && cost <= held.resume_at) {
            recv.stalling = false;
            self.stall.resume(key, &mut self.timers);
        }
    }

    /// Breaks off the streams that have held up others for too long.
    pub(super) fn look_if_stalled(&mut self, now: Instant) {
        self.stall.look_at = None;
        let is_alone = self.is_alone();
        let mut due = Vec::new();
        for stalled in self.stall.streams.iter_mut().filter(|stalled| stalled.until <= now) {
            if is_alone && stalled.why == StallCause::NoCredit {
                stalled.until = now + LIMIT;
            } else {
                due.push(*stalled);
            }
        }
        for Stalled { key, why, .. } in due {
            let recv = &self.streams.get(key).recv;
            // PROTOCOL 21
            let (used, limit, setting) = match why {
                StallCause::NoCredit if recv.window.size() == 0 => {
                    (recv.cost(), recv.stall_at(), "window is 0")
                }
                StallCause::NoCredit => (recv.cost(), recv.stall_at(), "window"),
                StallCause::Empty => {
                    let spare = self.spare_for_empty(key).unwrap_or(STALL_WITHOUT_WINDOW);
                    (recv.empty() * MESSAGE_COST, spare, EMPTY)
                }
            };
            if used <= limit {
                // It is read slowly, or others have left some room since.
                self.streams.get_mut(key).recv.stalling = false;
                self.stall.end(key, &mut self.timers);
                continue;
            }
            let over = Overrun { used, own: used, limit, setting };
            self.stall.broken += 1;
            self.stall.broken_at = Some(now);
            self.count_refusal(Cause::BrokenOff);
            self.break_off(key, Outcome::failed(Reason::Unread, over.to_string()));
            self.end_stream(key, Ending::Overrun(over));
        }
        self.stall.set_timer(&mut self.timers);
    }
}

/// The setting from which the room for empty messages follows.
const EMPTY: &str = "empty messages, which take no credit; max_unread_per_connection";
