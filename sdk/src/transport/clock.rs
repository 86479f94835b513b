//! The only place that reads the time. It is tokio's, so that tests can pause it.

use std::time::Instant;

pub(crate) fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "this is the one clock that everything else asks")]
    tokio::time::Instant::now().into_std()
}
