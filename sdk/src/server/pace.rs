//! How fast accepted connections are served.

use std::time::{Duration, Instant};

use crate::clock::now;

const SECOND: Duration = Duration::from_secs(1);

/// Lets so many pass in each second. The seconds are counted from the first that passes.
#[derive(Debug)]
pub(super) struct Pace {
    per_second: Option<u32>,
    since: Instant,
    passed: u32,
}

impl Pace {
    pub(super) fn new(per_second: Option<u32>) -> Self {
        Self { per_second, since: now(), passed: 0 }
    }

    /// Tells whether one more may pass now.
    pub(super) fn is_open(&mut self) -> bool {
        let now = now();
        if now.saturating_duration_since(self.since) >= SECOND {
            (self.since, self.passed) = (now, 0);
        }
        self.per_second.is_none_or(|limit| self.passed < limit)
    }

    /// One more passes.
    pub(super) fn pass(&mut self) {
        self.passed = self.passed.saturating_add(1);
    }

    /// Waits until the next second, after one who may not pass. **Cancel safe**: it changes
    /// nothing.
    pub(super) async fn wait(&self) {
        tokio::time::sleep_until((self.since + SECOND).into()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn so_many_pass_in_a_second_and_the_rest_in_the_next() {
        let mut pace = Pace::new(Some(3));
        let start = now();
        let mut passed = Vec::new();
        for _ in 0..7 {
            if !pace.is_open() {
                pace.wait().await;
                assert!(pace.is_open());
            }
            pace.pass();
            passed.push(now().duration_since(start).as_secs());
        }
        assert_eq!(passed, [0, 0, 0, 1, 1, 1, 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn quiet_seconds_do_not_add_up() {
        let mut pace = Pace::new(Some(1));
        tokio::time::sleep(10 * SECOND).await;
        let start = now();
        assert!(pace.is_open());
        pace.pass();
        assert!(!pace.is_open());
        pace.wait().await;
        assert!(pace.is_open());
        assert_eq!(now().duration_since(start), SECOND);
    }
}
