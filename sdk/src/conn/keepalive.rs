//! Keepalive and idle timeouts: a quiet connection is closed when no call needs it, and else may
//! send a sign of life.
//!
//! A dead peer is noticed by the system, which `transport/dead_peer.rs` tells how. For a
//! `dead_peer_timeout` below [`PROBE_BELOW`](super::PROBE_BELOW) the signs of life make it notice
//! in time.
//!
//! Nothing is timed by message. Frames and buffers that move are counted, and a look now and then
//! sees whether the count has changed.

use std::time::Instant;

use crate::error::Reason;
use crate::framing::{Outcome, Side};

use super::Connection;
use super::error::ConnError;
use super::event::{Ending, StreamKey};
use super::stream::Look;
use super::timers::Timer;

/// How many looks an idle timeout is long. A connection lives for one look longer at most.
const IDLE_LOOKS: u32 = 4;

#[derive(Debug, Default)]
pub(super) struct Keepalive {
    /// Counts frames that came, and buffers that went.
    moves: u32,
    /// The count at the last look of each kind.
    at_idle: u32,
    at_keepalive: u32,
    /// How many looks in a row found the connection idle.
    idle_looks: u32,
    /// When the first frame must be whole, if the peer has begun it.
    first_frame_by: Option<Instant>,
}

impl Keepalive {
    /// Something came or went.
    #[inline]
    pub(super) fn note(&mut self) {
        self.moves = self.moves.wrapping_add(1);
    }
}

impl Connection {
    /// The connection is there: its idle time is watched from now on.
    pub(crate) fn start(&mut self, now: Instant) {
        self.set_idle_timer(now);
        self.set_keepalive_timer(now);
    }

    /// The peer has begun its first frame, of which some is missing.
    pub(crate) fn handle_first_bytes(&mut self, now: Instant) {
        if self.keepalive.first_frame_by.is_none()
            && let Some(at) = now.checked_add(self.config.first_frame_timeout)
        {
            // PROTOCOL 40
            self.keepalive.first_frame_by = Some(at);
            self.timers.set(at, Timer::FirstFrame);
        }
    }

    /// The peer has sent a whole frame, its first.
    pub(crate) fn handle_first_frame(&mut self) {
        self.timers.clear(self.keepalive.first_frame_by, Timer::FirstFrame);
    }

    pub(super) fn look_if_idle(&mut self, now: Instant) {
        let Some(limit) = self.config.idle_timeout else { return };
        let moved = std::mem::replace(&mut self.keepalive.at_idle, self.keepalive.moves)
            != self.keepalive.moves;
        // PROTOCOL 40, 42
        // A client that sends nothing more may be gone, and nobody waits for its calls.
        let may_end = self.is_idle() || self.input_ended;
        self.keepalive.idle_looks =
            if moved || !may_end { 0 } else { self.keepalive.idle_looks + 1 };
        if self.keepalive.idle_looks == IDLE_LOOKS {
            self.handle_lost(&ConnError::Idle(limit));
        } else {
            self.set_idle_timer(now);
        }
    }

    /// Ends the stream if no message came or went for too long. Credit and heartbeats do not count.
    pub(super) fn look_if_stream_idle(&mut self, key: StreamKey, now: Instant) {
        let stream = self.streams.get_mut(key);
        let moved = stream.moved.take(Look::Idle);
        let Some(idle) = stream.rare.as_mut().and_then(|rare| rare.idle.as_mut()) else { return };
        let limit = idle.limit();
        idle.take_next();
        if !idle.look(moved) {
            self.set_stream_idle_timer(key, now);
            return;
        }
        // PROTOCOL 38
        let failure = Reason::IdleTimeout.at(self.streams_at());
        let text = format!("no message came or went for {limit:?} (stream_idle_timeout)");
        self.break_off(key, Outcome::failed(failure, text));
        self.end_stream(key, Ending::Idle(limit));
    }

    pub(super) fn set_stream_idle_timer(&mut self, key: StreamKey, now: Instant) {
        let rare = self.streams.get_mut(key).rare.as_mut();
        let idle = rare.and_then(|rare| rare.idle.as_mut());
        if let Some(at) = idle.and_then(|idle| idle.set_next(now)) {
            self.timers.set(at, Timer::StreamIdle(key));
        }
    }

    /// Sends something that means nothing, if nothing came and went since the last look and
    /// somebody waits for the peer.
    pub(super) fn keep_alive(&mut self, now: Instant) {
        // One-way calls go on without their connection: nobody is left to hear of it.
        if self.lost.is_some() {
            return;
        }
        let moved = std::mem::replace(&mut self.keepalive.at_keepalive, self.keepalive.moves)
            != self.keepalive.moves;
        if !moved {
            let waits = self.streams.live() > 0 || !self.calls.is_empty();
            // PROTOCOL 39
            let asks = waits && self.side == Side::Client && self.config.probes();
            let accepted = self.streams.any_accepted();
            if accepted.is_some() || asks {
                self.wire.beat(&mut self.output, self.side, accepted);
            }
        }
        self.set_keepalive_timer(now);
    }

    fn set_idle_timer(&mut self, now: Instant) {
        if let Some(at) =
            self.config.idle_timeout.and_then(|limit| now.checked_add(limit / IDLE_LOOKS))
        {
            self.timers.set(at, Timer::Idle);
        }
    }

    fn set_keepalive_timer(&mut self, now: Instant) {
        if let Some(at) = self.config.keepalive_every().and_then(|every| now.checked_add(every)) {
            self.timers.set(at, Timer::Keepalive);
        }
    }
}
