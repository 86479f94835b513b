//! How long to wait between attempts to connect.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Origin, Reason, Result};

/// How long a channel waits before it tries again to connect.
///
/// The first wait is `first`, and each further one `factor` times longer, up to `max`. Of each wait
/// a random part, `jitter` of it, is left out, so that clients that failed at the same moment do
/// not come back at the same moment. A connection that lasts longer than the next wait would be
/// starts the count again.
///
/// ```
/// use std::time::Duration;
/// use trill::client::Backoff;
///
/// use trill::Channel;
///
/// let patient = Backoff::default().first(Duration::from_secs(1)).max(Duration::from_secs(60));
/// let builder = Channel::builder().reconnect(patient);
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
#[must_use = "a back-off counts when a builder gets it"]
pub struct Backoff {
    pub(super) first: Duration,
    pub(super) max: Duration,
    pub(super) factor: f64,
    pub(super) jitter: f64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(100),
            max: Duration::from_secs(10),
            factor: 2.0,
            jitter: 0.5,
        }
    }
}

impl Backoff {
    /// The longest that the first wait can be. Default: 100 ms.
    pub fn first(mut self, wait: Duration) -> Self {
        self.first = wait;
        self
    }

    /// The longest that any wait can be. Default: 10 seconds.
    pub fn max(mut self, wait: Duration) -> Self {
        self.max = wait;
        self
    }

    /// By how much each wait is longer than the one before. Default: 2.
    pub fn factor(mut self, factor: f64) -> Self {
        self.factor = factor;
        self
    }

    /// Which part of a wait is random, from 0 (none) to 1 (all of it). Default: 0.5, so that the
    /// first wait is 50 to 100 ms.
    pub fn jitter(mut self, part: f64) -> Self {
        self.jitter = part;
        self
    }

    pub(super) fn check(&self) -> Result<()> {
        let wrong =
            |text: String| Err(Error::new(ErrorKind::Config, Origin::Caller, Reason::Config, text));
        if self.first.is_zero() || self.max < self.first {
            return wrong(format!(
                "reconnect waits from {:?} up to {:?}: the first wait must not be zero, nor longer than the longest",
                self.first, self.max
            ));
        }
        if !(1.0..=1000.0).contains(&self.factor) {
            return wrong(format!(
                "reconnect has the factor {}: it must be from 1 to 1000",
                self.factor
            ));
        }
        if !(0.0..=1.0).contains(&self.jitter) {
            return wrong(format!(
                "reconnect has the jitter {}: it must be from 0 to 1",
                self.jitter
            ));
        }
        Ok(())
    }

    /// The wait after so many failures in a row, the random part included.
    fn longest(&self, failures: u32) -> Duration {
        let exponent = i32::try_from(failures.saturating_sub(1)).unwrap_or(i32::MAX);
        let seconds = self.first.as_secs_f64() * self.factor.powi(exponent);
        Duration::try_from_secs_f64(seconds).map_or(self.max, |wait| wait.min(self.max))
    }

    /// The same, with `random` (0 to 1) of the random part left out.
    pub(super) fn wait(&self, failures: u32, random: f64) -> Duration {
        let longest = self.longest(failures);
        // Near the greatest duration, rounding goes beyond it.
        let seconds = longest.as_secs_f64() * (1.0 - self.jitter * random);
        Duration::try_from_secs_f64(seconds).unwrap_or(longest)
    }
}

/// The moment after a wait, however long that is.
pub(super) fn after(now: Instant, wait: Duration) -> Instant {
    now.checked_add(wait).unwrap_or_else(|| now + FAR)
}

/// So far away tokio puts timers that are further away than it can count: 30 years.
const FAR: Duration = Duration::from_secs(86_400 * 365 * 30);

/// The attempts at one connection, as a value: what happened goes in, how long to wait comes out.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    /// Failures in a row, connections that did not last included.
    failures: u32,
    connected: Option<Instant>,
}

impl Attempts {
    pub(super) fn handle_connected(&mut self, now: Instant) {
        self.connected = Some(now);
    }

    pub(super) fn handle_failed(&mut self, backoff: &Backoff, random: f64) -> Duration {
        self.failures = self.failures.saturating_add(1);
        backoff.wait(self.failures, random)
    }

    /// The first new attempt is made at once. It is a failure all the same if the connection did
    /// not last, so that a server that accepts connections and closes them is not called without a
    /// pause.
    pub(super) fn handle_lost(&mut self, backoff: &Backoff, now: Instant, random: f64) -> Duration {
        let lasted = self
            .connected
            .take()
            .map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        if lasted >= backoff.longest(self.failures.saturating_add(1)) {
            self.failures = 0;
            return Duration::ZERO;
        }
        self.first_at_once(backoff, random)
    }

    /// An attempt panicked. That is no answer of the peer, so the first new attempt is made at
    /// once: those who wait fail with the panic, and the next call has another attempt.
    pub(super) fn handle_panicked(&mut self, backoff: &Backoff, random: f64) -> Duration {
        self.first_at_once(backoff, random)
    }

    /// The wait after a failure, which is none if it is the first in a row.
    fn first_at_once(&mut self, backoff: &Backoff, random: f64) -> Duration {
        let wait =
            if self.failures == 0 { Duration::ZERO } else { backoff.wait(self.failures, random) };
        self.failures = self.failures.saturating_add(1);
        wait
    }
}

/// A number from 0 to 1, from the keys that the standard library draws for its maps.
pub(super) fn random() -> f64 {
    RandomState::new().hash_one(0_u8) as f64 / u64::MAX as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff {
        first: Duration::from_millis(100),
        max: Duration::from_secs(10),
        factor: 2.0,
        jitter: 0.5,
    };

    #[test]
    fn waits_grow_by_the_factor_up_to_the_longest() {
        let mut attempts = Attempts::default();
        let waits: Vec<_> =
            (0..9).map(|_| attempts.handle_failed(&BACKOFF, 0.0).as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
        attempts.failures = u32::MAX;
        assert_eq!(attempts.handle_failed(&BACKOFF, 1.0), BACKOFF.max / 2);
    }

    #[test]
    fn the_longest_wait_is_a_wait_like_others() {
        let endless = Backoff { first: Duration::MAX, max: Duration::MAX, ..BACKOFF };
        endless.check().unwrap();
        let mut attempts = Attempts::default();
        let wait = attempts.handle_failed(&endless, 0.0);
        assert_eq!(wait, Duration::MAX);
        let now = crate::clock::now();
        assert_eq!(after(now, wait), now + FAR);
        assert!(attempts.handle_failed(&endless, 1.0) >= Duration::MAX / 3);
        let ns = Duration::from_nanos(1);
        assert_eq!(
            Backoff { first: ns, max: Duration::MAX, ..BACKOFF }.wait(u32::MAX, 0.0),
            Duration::MAX
        );
    }

    #[test]
    fn a_thousand_clients_spread_their_first_attempts_over_half_of_the_wait() {
        let mut waits: Vec<_> =
            (0..1000).map(|_| Attempts::default().handle_failed(&BACKOFF, random())).collect();
        waits.sort();
        let (first, last) = (waits[0], waits[999]);
        assert!(
            first >= Duration::from_millis(50) && last <= Duration::from_millis(100),
            "{first:?} {last:?}"
        );
        assert!(last - first >= Duration::from_millis(40), "they came within {:?}", last - first);
        // Not in a few heaps either: each tenth of the spread has its share of about 100.
        for tenth in 0..10 {
            let from = Duration::from_millis(50 + 5 * tenth);
            let count = waits
                .iter()
                .filter(|wait| (from..from + Duration::from_millis(5)).contains(*wait))
                .count();
            assert!((40..200).contains(&count), "{count} waits from {from:?} on");
        }
    }

    #[test]
    fn a_connection_that_lasted_is_replaced_at_once_and_one_that_did_not_only_the_first_time() {
        let start = crate::clock::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut attempts = Attempts::default();
        let mut lose = |from: u64, to: u64| {
            attempts.handle_connected(at(from));
            attempts.handle_lost(&BACKOFF, at(to), 0.0).as_millis()
        };
        let waits =
            [lose(0, 1000), lose(1000, 1001), lose(1001, 1002), lose(1102, 1103), lose(1303, 1304)];
        assert_eq!(waits, [0, 0, 100, 200, 400]);
        assert_eq!([lose(2000, 20_000), lose(20_000, 20_001), lose(20_001, 20_002)], [0, 0, 100]);
    }

    #[test]
    fn only_the_first_panic_in_a_row_is_followed_by_no_wait() {
        let mut attempts = Attempts::default();
        let mut panic = || attempts.handle_panicked(&BACKOFF, 0.0).as_millis();
        assert_eq!([panic(), panic(), panic()], [0, 100, 200]);
        let mut attempts = Attempts::default();
        attempts.handle_failed(&BACKOFF, 0.0);
        assert_eq!(
            attempts.handle_panicked(&BACKOFF, 0.0).as_millis(),
            100,
            "after another failure"
        );
    }

    #[test]
    fn waits_that_make_no_sense_are_refused() {
        assert!(BACKOFF.check().is_ok());
        for wrong in [
            Backoff { first: Duration::ZERO, ..BACKOFF },
            Backoff { max: Duration::from_millis(99), ..BACKOFF },
            Backoff { factor: 0.5, ..BACKOFF },
            Backoff { factor: f64::NAN, ..BACKOFF },
            Backoff { jitter: 1.5, ..BACKOFF },
            Backoff { jitter: f64::NAN, ..BACKOFF },
        ] {
            let error = wrong.check().unwrap_err();
            assert!(
                error.kind() == ErrorKind::Config && error.to_string().contains("reconnect"),
                "{error}"
            );
        }
    }
}
