//! How fast connections are accepted.

use std::time::{Duration, Instant};

use crate::transport::now;

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

    /// Waits until one more may pass. **Cancel safety**: dropping the future lets nobody pass.
    pub(super) async fn wait(&mut self) {
        let Some(limit) = self.per_second else { return };
        if self.passed >= limit {
            tokio::time::sleep_until((self.since + SECOND).into()).await;
        }
        let now = now();
        if now.saturating_duration_since(self.since) >= SECOND {
            (self.since, self.passed) = (now, 0);
        }
        self.passed += 1;
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
            pace.wait().await;
            passed.push(now().duration_since(start).as_secs());
        }
        assert_eq!(passed, [0, 0, 0, 1, 1, 1, 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn quiet_seconds_do_not_add_up() {
        let mut pace = Pace::new(Some(1));
        tokio::time::sleep(10 * SECOND).await;
        let start = now();
        pace.wait().await;
        pace.wait().await;
        assert_eq!(now().duration_since(start), SECOND);
    }
}
