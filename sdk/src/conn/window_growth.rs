//! Windows that fit the path.
//!
//! A sender that stands still for lack of credit carries one window in a round trip, so a window
//! that is smaller than what the path holds is a wall. The wires have no ping, so the round trip is
//! not known: a sender that waits for credit, one that has nothing to send, and a slow line look
//! alike from here. So a larger window is tried, and kept if the stream gets faster by it.
//!
//! Time is counted in *rounds*. In a round more bytes come than the peer had credit for at its
//! begin, so it lasts for a round trip at least, and for two if the last burst was a little short.
//! So the rate of a window is that of the faster of two rounds. A window is tried only if the
//! reader had taken everything at some moment of the round: else the reader is what the stream
//! waits for. All of it is done when credit is given, and nothing for a message.

use std::time::{Duration, Instant};

use crate::framing::MESSAGE_COST;
use crate::wires::CreditRule;

use super::Connection;
use super::credit::RecvWindow;
use super::event::StreamKey;
use super::streaming::Consumed;

/// The shortest round. On a path without delay a window lasts for 0.1 ms, in which one task that
/// waits for a processor makes a difference.
const MIN_ROUND: Duration = Duration::from_millis(1);

/// The longest round. It may take two round trips, so windows grow well up to half a second of
/// them. A stream that does not use up its window in this time has no use for it.
const MAX_ROUND: Duration = Duration::from_secs(1);

/// The most rounds between two trials. A trial that fails doubles the pause.
const MAX_PAUSE: u8 = 64;

/// The part by which a stream must get faster by a trial, so that the next one begins at once, and
/// so that the larger window is kept. The first is a quarter, as for the end of a start in BBR (RFC
/// draft-cardwell-iccrg-bbr-congestion-control, section 4.3.1.2).
const PAYS: u64 = 4;
const HELPS: u64 = 16;

/// The use of a stream for its window, as far as it is known.
#[derive(Debug)]
pub(crate) struct Growth {
    /// The window of a new stream, and what the path has use for so far.
    start: u32,
    wanted: u32,
    /// The begin of the round, the window that the peer had then, and the bytes for which credit
    /// was given since.
    since: Instant,
    window: u32,
    given: u64,
    /// The reader has waited in this round.
    waited: bool,
    /// Some of the messages of this round, which stand for all.
    sample: Consumed,
    /// The rate of the round before in bytes per second; 0 if it was one of another window.
    last: u64,
    trial: Option<Trial>,
    /// The rounds before the next trial, and after the next one that fails.
    rest: u8,
    pause: u8,
}

/// A larger window, of which it is not known yet whether it helps.
#[derive(Clone, Copy, Debug)]
struct Trial {
    /// The window before, and its rate.
    window: u32,
    rate: u64,
    /// It has had a round, which was not enough.
    again: bool,
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
}

impl Growth {
    /// The first credit is given now, so the first round begins.
    pub(super) fn new(start: u32, now: Instant) -> Self {
        Self {
            start,
            wanted: start,
            since: now,
            window: start,
            given: 0,
            waited: false,
            sample: Consumed::default(),
            last: 0,
            trial: None,
            rest: 0,
            pause: 1,
        }
    }

    /// The window that the path has use for, from this grant on.
    pub(super) fn after(&mut self, grant: Grant) -> u32 {
        self.given += grant.bytes;
        self.waited |= grant.waited;
        self.sample.messages += grant.sample.messages;
        self.sample.bytes += grant.sample.bytes;
        let took = grant.now.saturating_duration_since(self.since);
        if took >= MAX_ROUND {
            self.give_back();
        } else if self.given > u64::from(self.window) && took >= MIN_ROUND {
            self.end_round(took, grant.most);
        } else {
            return self.wanted;
        }
        (self.since, self.given, self.waited) = (grant.now, 0, false);
        self.sample = Consumed::default();
        self.window = self.wanted.max(grant.size);
        self.wanted
    }

    /// The stream has less use for its window than it had.
    fn give_back(&mut self) {
        self.last = 0;
        if let Some(trial) = self.trial.take() {
            self.wanted = trial.window;
            self.rest_longer();
        } else {
            self.wanted = (self.wanted / 2).max(self.start);
            (self.rest, self.pause) = (0, 1);
        }
    }

    /// A trial has failed.
    fn rest_longer(&mut self) {
        self.rest = self.pause;
        self.pause = (self.pause * 2).min(MAX_PAUSE);
    }

    fn end_round(&mut self, took: Duration, most: u32) {
        // The room of a window has half as much again for headers. Smaller messages take more.
        if self.sample.messages * MESSAGE_COST > self.sample.bytes / 2 {
            return self.give_back();
        }
        let rate = u128::from(self.given) * 1_000_000_000 / took.as_nanos();
        let rate = u64::try_from(rate).unwrap_or(u64::MAX);
        // Else it began with a larger window, which was not used up yet.
        let is_settled = self.window == self.wanted;
        let best = rate.max(std::mem::replace(&mut self.last, if is_settled { rate } else { 0 }));
        if let Some(trial) = self.trial {
            if rate < trial.rate.saturating_add(trial.rate / PAYS) && !trial.again {
                self.trial = Some(Trial { again: true, ..trial });
                return;
            }
            self.end_trial(trial, best);
        }
        if is_settled {
            self.begin_trial(best, most);
        }
    }

    fn end_trial(&mut self, trial: Trial, best: u64) {
        self.trial = None;
        let faster_by = |part: u64| best >= trial.rate.saturating_add(trial.rate / part);
        if faster_by(PAYS) {
            self.pause = 1;
            return;
        }
        if !faster_by(HELPS) {
            self.wanted = trial.window;
        }
        self.rest_longer();
    }

    /// Tries a larger window, unless the last trials have failed, or it would be of no use.
    fn begin_trial(&mut self, rate: u64, most: u32) {
        if self.rest > 0 {
            self.rest -= 1;
        } else if self.waited && self.wanted < most {
            self.trial = Some(Trial { window: self.wanted, rate, again: false });
            // A window of less than two messages carries one at a time, however large it is.
            let message = self.sample.bytes / self.sample.messages.max(1);
            let message = u32::try_from(message).unwrap_or(u32::MAX);
            self.wanted = self.wanted.max(message).saturating_mul(2).min(most);
        }
    }
}

impl RecvWindow {
    /// The window of all streams together from now on, when credit is about to be given. Its
    /// readers are many, and some may wait at any time.
    pub(super) fn next_size(
        self,
        growth: &mut Option<Growth>,
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
        growth.after(Grant { now, bytes, sample, size, most, waited: true }).min(most).max(start)
    }
}

impl Connection {
    /// Something of the peer's has come.
    #[inline]
    pub(crate) fn note_input(&mut self, now: Instant) {
        self.input_at = Some(now);
    }

    /// The window of a stream from now on, when credit for so many bytes is about to be given.
    pub(super) fn next_window(&mut self, key: StreamKey, bytes: u64, sample: Consumed) -> u32 {
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
        let Some(now) = self.input_at.filter(|_| self.config.max_window > start) else {
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
            growth.give_back();
        }
        let waited = std::mem::take(&mut stream.recv.waited);
        let wanted = growth.after(Grant { now, bytes, sample, size, most, waited });
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
        let next = self.next_window(key, size.into(), sample);
        self.streams.get_mut(key).recv.window.grow(next)
    }
}
