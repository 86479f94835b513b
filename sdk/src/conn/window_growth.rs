//! Windows that fit the path.
//!
//! A sender that stands still for lack of credit carries one window in a round trip, so a window
//! that is smaller than what the path holds is a wall. tRPC has no ping, so the round trip is
//! measured by credit: bytes beyond what the peer had credit for can only have been sent after it
//! got more. The time from giving credit to consuming them is a round trip at least, and no more
//! than that if the peer had stood still. An answer to the opening of a stream takes as long. So
//! the least of many such times is the round trip of the connection.
//!
//! A stream that takes most of its window within a round trip would take more of a larger one. So
//! its window is doubled, or becomes at once what another stream of the connection has needed. A
//! stream whose reader always has messages waiting gets no more.
//!
//! The path may get longer, and the least of the old times stays. So when no new time has come near
//! it for long, a larger window is tried. If the stream gets faster by that, the old times are
//! forgotten. A sender that produces slowly gets no faster, and the pause before the next trial is
//! longer.
//!
//! All of it is done when credit is given, and nothing for a message.

use std::time::{Duration, Instant};

use crate::framing::{MESSAGE_COST, StreamId};
use crate::wires::CreditRule;

use super::Connection;
use super::credit::RecvWindow;
use super::event::StreamKey;
use super::streaming::Consumed;

/// The shortest time in which the bytes of a stream are counted, because on a path without delay
/// they come in bursts.
const SHORTEST_TURN: Duration = Duration::from_millis(2);

/// A round trip below this counts as one of it: on a path without delay it is tasks that wait for a
/// processor, and a window must last for so long. But a window there is no larger than `CACHED`, or
/// one message. 10 Gbit/s carry as much in that time. Bytes beyond it would leave the processor's
/// cache before they are read.
const NEAR: Duration = Duration::from_millis(1);
const CACHED: u32 = 1024 * 1024;

/// The part of a window that may stand still on both sides beside what is on the path: peers send
/// many messages with one write, and it takes its time on the line.
const AT_ONCE: u32 = 64 * 1024;

/// The time for which the use of a window is watched before it shrinks, and for which a larger one
/// is tried; four round trips if that is longer.
const WATCHED: Duration = Duration::from_secs(1);

/// The longest pause between two trials, in seconds. A trial that fails doubles the pause.
const MAX_PAUSE: u64 = 64;

/// A connection's path to its peer, as far as it is known.
#[derive(Debug)]
pub(super) struct Path {
    /// The shortest time in which more came back than the peer had credit for.
    round_trip: Option<Duration>,
    /// A stream that was opened, and when, until the answer.
    asked: Option<(StreamId, Instant)>,
    /// The largest window that a stream has use for.
    window: u32,
    /// A larger window may be tried from then on, and a trial that fails makes the next pause
    /// twice as long, in seconds.
    try_at: Option<Instant>,
    pause: u64,
}

/// The use of a stream for its window, as far as it is known.
#[derive(Debug)]
pub(crate) struct Growth {
    /// The window of a new stream, and what the path has use for so far.
    start: u32,
    wanted: u32,
    /// Since credit was given, the window that the peer had then, and how long that lasted the last
    /// time.
    trip: Span,
    window: u32,
    took: Duration,
    /// At most one round trip, or [`SHORTEST_TURN`].
    turn: Span,
    /// The reader has waited in this turn, and in this watch.
    waited: bool,
    waited_before: bool,
    /// The use of the window is watched, with the most bytes of a turn and some of the messages.
    watch: Span,
    most: u64,
    sample: Consumed,
    trial: Option<Trial>,
}

/// The bytes for which credit was given since some moment.
#[derive(Clone, Copy, Debug)]
struct Span {
    since: Instant,
    bytes: u64,
}

/// A larger window, of which it is not known yet whether it helps.
#[derive(Clone, Copy, Debug)]
struct Trial {
    /// The window before, and its rate in bytes per second.
    window: u32,
    rate: u64,
}

/// Credit that is about to be given.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grant {
    pub(super) now: Instant,
    /// The bytes that it is for, and messages that are among them.
    pub(super) bytes: u64,
    pub(super) sample: Consumed,
    /// The window up to now, and the most that it may be.
    pub(super) size: u32,
    pub(super) most: u32,
    /// The reader has waited since the last grant.
    pub(super) waited: bool,
    /// It is for a message that is on its way.
    pub(super) ahead: bool,
}

impl Path {
    pub(super) const fn new() -> Self {
        Self { round_trip: None, asked: None, window: 0, try_at: None, pause: 1 }
    }

    /// More came than the peer had credit for, so long after it was given.
    fn measure(&mut self, took: Duration, now: Instant) {
        let round_trip = self.round_trip.map_or(took, |least| least.min(took));
        self.round_trip = Some(round_trip);
        if took <= counted(round_trip) {
            self.pause = 1;
            self.rest(now);
        }
    }

    /// The largest window that is of use for messages of that size.
    fn most(&self, message: u32) -> u32 {
        let is_near = self.round_trip.is_some_and(|round_trip| round_trip < NEAR);
        if is_near { CACHED.max(message) } else { u32::MAX }
    }

    fn rest(&mut self, now: Instant) {
        self.try_at = now.checked_add(Duration::from_secs(self.pause));
    }

    /// A stream has use for a window of that size, and had for one of `before`.
    fn note_window(&mut self, before: u32, window: u32) {
        if window > self.window || before >= self.window {
            self.window = window;
        }
    }
}

/// The time in which all that one window carries in a round trip has come: a quarter more, since
/// not all of it comes at once.
fn counted(round_trip: Duration) -> Duration {
    round_trip.max(NEAR) * 5 / 4
}

impl Span {
    fn begin(now: Instant) -> Self {
        Self { since: now, bytes: 0 }
    }

    fn rate(self, now: Instant) -> u64 {
        let took = now.saturating_duration_since(self.since).as_nanos().max(1);
        u64::try_from(u128::from(self.bytes) * 1_000_000_000 / took).unwrap_or(u64::MAX)
    }
}

impl Growth {
    /// The first credit is given now.
    pub(super) fn new(start: u32, now: Instant) -> Self {
        Self {
            start,
            wanted: start,
            trip: Span::begin(now),
            window: start,
            took: Duration::ZERO,
            turn: Span::begin(now),
            waited: false,
            waited_before: false,
            watch: Span::begin(now),
            most: 0,
            sample: Consumed::default(),
            trial: None,
        }
    }

    /// The window that the path has use for, from this grant on.
    pub(super) fn after(&mut self, grant: Grant, path: &mut Path) -> u32 {
        let Grant { now, bytes, .. } = grant;
        let came = self.trip.bytes + if grant.ahead { 0 } else { bytes };
        for span in [&mut self.trip, &mut self.turn, &mut self.watch] {
            span.bytes += bytes;
        }
        self.waited |= grant.waited;
        self.sample.messages += grant.sample.messages;
        self.sample.bytes += grant.sample.bytes;
        let came_back = came > u64::from(self.window);
        if came_back {
            self.took = now.saturating_duration_since(self.trip.since);
            path.measure(self.took, now);
        }
        if let Some(round_trip) = path.round_trip {
            self.end_turn(grant, counted(round_trip), path);
        }
        let watched = now.saturating_duration_since(self.watch.since);
        if watched >= WATCHED.max(4 * self.took) {
            self.end_watch(grant, path);
        }
        if came_back {
            self.trip = Span::begin(now);
            self.window = self.wanted.max(grant.size);
        }
        self.wanted
    }

    /// Begins a new turn if this one is over, or if it has let the window grow.
    fn end_turn(&mut self, grant: Grant, length: Duration, path: &mut Path) {
        let turn = length.max(SHORTEST_TURN);
        let is_over = grant.now.saturating_duration_since(self.turn.since) > turn;
        if is_over || self.grow(self.came_in(length, turn), grant.most, path) {
            self.turn = Span::begin(grant.now);
            self.sample = Consumed::default();
            self.waited_before |= std::mem::take(&mut self.waited);
        }
    }

    /// The part of the turn's bytes that came in that time.
    fn came_in(&self, length: Duration, turn: Duration) -> u64 {
        let bytes = u128::from(self.turn.bytes) * length.as_nanos() / turn.as_nanos();
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }

    /// Grows the window if so many bytes of a round trip are most of it. Tells whether it did.
    fn grow(&mut self, bytes: u64, most: u32, path: &mut Path) -> bool {
        self.most = self.most.max(bytes);
        // A window of less than two messages carries one at a time, however large it is.
        let message = self.sample.bytes / self.sample.messages.max(1);
        let message = u32::try_from(message).unwrap_or(u32::MAX);
        let most = most.min(path.most(message));
        // Three quarters are enough, or half to get what another stream has had use for; in both
        // cases without what stands still.
        let quarters = if self.wanted < path.window { 2 } else { 3 };
        let enough = self.wanted / 4 * quarters - AT_ONCE.min(self.wanted / 4);
        let is_used_up = bytes >= u64::from(enough) || message > self.wanted / 2;
        let grows = is_used_up && self.waited && self.wanted < most && !self.is_tiny();
        if grows {
            let before = self.wanted;
            let larger = before.max(message).saturating_mul(2);
            self.wanted = larger.max(path.window).min(most);
            path.note_window(before, self.wanted);
            self.trial = None;
        }
        grows
    }

    /// The room of a window has half as much again for headers. Tiny messages take more.
    fn is_tiny(&self) -> bool {
        self.sample.messages * MESSAGE_COST > self.sample.bytes / 2
    }

    /// Looks at the use of the window in the last second.
    fn end_watch(&mut self, grant: Grant, path: &mut Path) {
        let now = grant.now;
        let (rate, most) = (self.watch.rate(now), std::mem::take(&mut self.most));
        let waited = std::mem::take(&mut self.waited_before);
        let is_tiny = self.is_tiny();
        let is_in_use = waited && self.watch.bytes >= 2 * u64::from(self.wanted);
        self.watch = Span::begin(now);
        if let Some(trial) = self.trial.take() {
            if rate >= trial.rate.saturating_add(trial.rate / 2) && !is_tiny {
                path.round_trip = Some(self.took);
                path.pause = 1;
            } else {
                self.wanted = trial.window;
                path.pause = (path.pause * 2).min(MAX_PAUSE);
            }
            path.rest(now);
        } else if most < u64::from(self.wanted / 4) || is_tiny {
            self.give_back(path);
        } else if is_in_use && self.wanted < grant.most && path.try_at.is_some_and(|at| now >= at) {
            self.trial = Some(Trial { window: self.wanted, rate });
            self.wanted = self.wanted.saturating_mul(2).min(grant.most);
            path.rest(now);
        }
    }

    /// The stream has less use for its window than it had.
    fn give_back(&mut self, path: &mut Path) {
        let before = self.trial.take().map_or(self.wanted, |trial| trial.window);
        self.wanted = (before / 2).max(self.start);
        path.note_window(before, self.wanted);
    }
}

impl RecvWindow {
    /// The window of all streams together from now on, when credit is about to be given. Its
    /// readers are many, and some may wait at any time.
    pub(super) fn next_size(
        self,
        growth: &mut Option<Growth>,
        path: &mut Path,
        now: Option<Instant>,
        most: u32,
    ) -> u32 {
        let size = self.size();
        let Some(now) = now.filter(|_| most > size || growth.is_some()) else { return size };
        let Some(growth) = growth else {
            *growth = Some(Growth::new(size, now));
            return size;
        };
        let (bytes, sample) = (self.owed(), Consumed::default());
        let start = growth.start;
        let grant = Grant { now, bytes, sample, size, most, waited: true, ahead: false };
        growth.after(grant, path).min(most).max(start)
    }
}

impl Connection {
    /// This side has opened a stream. The answer comes after a round trip at least.
    #[inline]
    pub(super) fn note_asked(&mut self, id: StreamId, now: Instant) {
        self.path.asked = Some((id, now));
    }

    /// The answer has come.
    #[inline]
    pub(super) fn note_answered(&mut self, id: StreamId, now: Instant) {
        if let Some((asked, at)) = self.path.asked
            && asked == id
        {
            self.path.asked = None;
            self.path.measure(now.saturating_duration_since(at), now);
        }
    }

    /// It is so late now, when something of the peer's has come or credit is about to be given.
    #[inline]
    pub(crate) fn note_time(&mut self, now: Instant) {
        self.now = Some(now);
    }

    /// The window of a stream from now on, when credit for so many bytes is about to be given.
    pub(super) fn next_window(
        &mut self,
        key: StreamKey,
        bytes: u64,
        sample: Consumed,
        ahead: bool,
    ) -> u32 {
        let stream = self.streams.get_mut(key);
        let (size, charged) = (stream.recv.window.size(), stream.recv.charged);
        let start = match self.rules.credit {
            CreditRule::Announced => self.config.window,
            CreditRule::Strict { stream, .. } => stream,
            CreditRule::Chosen { .. } => return size,
        };
        if size == 0 {
            return 0;
        }
        // PROTOCOL 20
        let usual = self.recv_window(self.unread.share(charged));
        let Some(now) = self.now.filter(|_| self.config.max_window > start) else {
            return usual;
        };
        // PROTOCOL 47
        let most = self.config.grown_window_of(self.unread.share_of_grown(charged));
        let stream = self.streams.get_mut(key);
        let rare = stream.rare.get_or_insert_default();
        let Some(growth) = &mut rare.growth else {
            rare.growth = Some(Box::new(Growth::new(start, now)));
            return usual;
        };
        if stream.recv.discard {
            growth.give_back(&mut self.path);
        }
        let waited = std::mem::take(&mut stream.recv.waited);
        let grant = Grant { now, bytes, sample, size, most, waited, ahead };
        let wanted = growth.after(grant, &mut self.path);
        let grown = wanted.min(most);
        let next = if grown > start { grown } else { usual };
        if next > size {
            let stall_at = self.stall_at(next);
            self.streams.get_mut(key).recv.set_stall_at(stall_at);
        }
        next
    }

    /// The stream has a window of so many bytes from now on, and its peer as much more credit.
    #[cfg(test)]
    pub(super) fn grow_window(&mut self, key: StreamKey, size: u32) {
        let stall_at = self.stall_at(size);
        let recv = &mut self.streams.get_mut(key).recv;
        let before = recv.held();
        recv.window.grow(size);
        recv.set_stall_at(stall_at);
        self.count_unread(key, before);
    }

    /// The credit that is given beyond a message that is on its way, when credit for that is given.
    pub(super) fn grow_ahead(&mut self, key: StreamKey, size: u32) -> u32 {
        let sample = Consumed { messages: 1, bytes: size as usize };
        let next = self.next_window(key, size.into(), sample, true);
        self.streams.get_mut(key).recv.window.grow(next)
    }
}
