//! Streams on which both sides may be waiting for each other.
//!
//! The protocol allows it, and no limit of time ends it by default, so whoever waits on this side
//! is told once. Nothing is timed by message: a look now and then sees which streams wait, and
//! whether something has moved.

use std::time::{Duration, Instant};

use crate::framing::Side;

use super::Connection;
use super::event::{Event, StreamKey};
use super::stream::{Look, Stream, StreamState};
use super::timers::Timer;

/// How often to look.
const EVERY: Duration = Duration::from_secs(5);

/// How many looks in a row must find a stream waiting: it has waited for 10 seconds then, and for
/// 15 at most.
const LOOKS: u8 = 3;

/// The waiter has been told.
const TOLD: u8 = u8::MAX;

/// How many streams are told at one look: a crowd of them is told little by little.
const AT_ONCE: usize = 16;

/// A stream's wait, while the other side may be waiting as well.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stuck {
    /// A client reads and has not said that it sends no more.
    Reading,
    /// A writer waits for credit, and what has come on its stream is not read.
    Writing,
}

impl Stream {
    fn stuck(&self, side: Side) -> Option<Stuck> {
        let (reads, writes) = (self.recv.waiting, self.send.waiting);
        let may_finish = side == Side::Client && self.state == StreamState::Open;
        if reads && !writes && may_finish {
            Some(Stuck::Reading)
        } else if writes && !reads && self.state.can_send() && self.recv.held() > 0 {
            Some(Stuck::Writing)
        } else {
            None
        }
    }

    /// The wait of the stream, if it has lasted for long enough by now and no task was told.
    fn look(&mut self, side: Side) -> Option<Stuck> {
        let moved = self.moved.take(Look::Stuck);
        let looks = self.recv.stuck_looks;
        let stuck = self.stuck(side);
        self.recv.stuck_looks = match stuck {
            _ if looks == TOLD => TOLD,
            None => 0,
            Some(_) if moved => 1,
            Some(_) => (looks + 1).min(LOOKS),
        };
        stuck.filter(|_| self.recv.stuck_looks == LOOKS)
    }
}

impl Connection {
    /// There is a stream to look at.
    #[inline]
    pub(super) fn set_stuck_timer(&mut self, now: Instant) {
        if self.stuck_at.is_none()
            && let Some(at) = now.checked_add(EVERY)
        {
            self.stuck_at = Some(at);
            self.timers.set(at, Timer::Stuck);
        }
    }

    /// There may be none any more.
    #[inline]
    pub(super) fn clear_stuck_timer(&mut self) {
        if self.streams.live() == 0 {
            self.timers.clear(self.stuck_at.take(), Timer::Stuck);
        }
    }

    pub(super) fn look_for_stuck(&mut self, now: Instant) {
        self.stuck_at = None;
        let mut left = AT_ONCE;
        for (key, stream) in self.streams.iter_mut() {
            let Some(stuck) = stream.look(self.side).filter(|_| left > 0) else { continue };
            left -= 1;
            // Its task asks again, and is told.
            self.events.push(match stuck {
                Stuck::Reading => {
                    stream.recv.waiting = false;
                    Event::Readable(key)
                }
                Stuck::Writing => {
                    stream.send.waiting = false;
                    Event::Writable(key)
                }
            });
        }
        self.set_stuck_timer(now);
    }

    /// Tells a task that begins to wait now, once, whether the stream has waited for long.
    #[inline]
    pub(super) fn take_stuck(&mut self, key: StreamKey) -> bool {
        let looks = &mut self.streams.get_mut(key).recv.stuck_looks;
        let due = *looks == LOOKS;
        if due {
            *looks = TOLD;
        }
        due
    }
}
