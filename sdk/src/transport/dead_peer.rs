//! A peer that is dead: how the system is told to notice one. Below [`NOTICED_FROM`] the connection
//! itself sends what makes the system notice (`conn/keepalive.rs`).

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

/// The shortest time in which the system notices a dead peer of a quiet connection. TCP asks after
/// a second at the earliest, and gives the peer up after another.
pub(crate) const NOTICED_FROM: Duration = Duration::from_secs(2);

/// Tells the system to notice within `limit` that the peer is dead.
pub(super) fn watch(socket: &SockRef<'_>, limit: Duration) -> io::Result<()> {
    let times = Times::of(limit);
    let keepalive = TcpKeepalive::new()
        .with_time(times.idle)
        .with_interval(times.interval)
        .with_retries(times.probes);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(times.unacknowledged))?;
    Ok(())
}

/// How the system is told to notice a dead peer.
///
/// Keepalive is for a connection on which nothing is under way: a probe after `idle`, and one each
/// `interval` after that. It counts in whole seconds, so that a limit below 2 s is kept by what the
/// connection sends itself. TCP_USER_TIMEOUT is for bytes that were sent and not
/// acknowledged; on Linux it also ends the probing. It counts from the first time the bytes are
/// sent again, 0.2 s after the first time or a few round trips, so it gets a part of the limit.
#[derive(Debug, PartialEq)]
struct Times {
    idle: Duration,
    interval: Duration,
    probes: u32,
    unacknowledged: Duration,
}

impl Times {
    fn of(limit: Duration) -> Self {
        let seconds = limit.as_secs().max(1);
        let interval = (seconds / 4).max(1);
        // The last probe is due when the limit has passed.
        let probes = if seconds > 2 { 2 } else { 1 };
        let idle = seconds.saturating_sub(interval * u64::from(probes)).max(1);
        let unacknowledged =
            if limit < NOTICED_FROM { limit / 4 } else { Duration::from_secs(seconds) };
        Self {
            idle: Duration::from_secs(idle),
            interval: Duration::from_secs(interval),
            probes,
            unacknowledged,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probes_end_when_the_limit_has_passed() {
        for seconds in 2..=120 {
            let limit = Duration::from_secs(seconds);
            let times = Times::of(limit);
            assert_eq!(times.idle + times.interval * times.probes, limit, "{times:?}");
            assert_eq!(times.unacknowledged, limit);
        }
        let short = Times::of(Duration::from_millis(900));
        assert_eq!((short.idle, short.interval), (Duration::from_secs(1), Duration::from_secs(1)));
        assert_eq!(short.unacknowledged, Duration::from_millis(225));
    }
}
