//! The strangers: well-behaved clients of the same server, from another address than the attackers.

use std::net::SocketAddr;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use trill::{Channel, Result};
use trill_tests::{EverythingClient, now, text};

/// Pieces of work of one kind begin as a clock says, however long those before them take: a server
/// that stands still for a second keeps a second's worth of them waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A call on a connection that is there.
    Call,
    /// A stream on a connection that is there: opened, one message to and fro, ended.
    Stream,
    /// A connection of its own, and a call on it.
    Newcomer,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Call, Self::Stream, Self::Newcomer];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Call => "calls",
            Self::Stream => "streams",
            Self::Newcomer => "newcomers",
        }
    }

    fn every(self) -> Duration {
        Duration::from_millis(match self {
            Self::Call => 5,
            Self::Stream => 10,
            Self::Newcomer => 20,
        })
    }
}

/// Clients with a connection for their calls and one for their streams.
pub(crate) struct Strangers {
    address: SocketAddr,
    call: EverythingClient,
    stream: EverythingClient,
    /// How long each piece of work may take before it counts as not served.
    limit: Duration,
}

/// The pieces of work of one kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Served {
    /// The part that was served, from 0 to 1.
    pub(crate) part: f64,
    /// Of all, served or not.
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

/// One for each [`Kind`].
pub(crate) type Seen = [Served; 3];

impl Strangers {
    pub(crate) async fn connect(address: SocketAddr, limit: Duration) -> Result<Self> {
        let client =
            async || Channel::connect(address.to_string()).await.map(EverythingClient::new);
        Ok(Self { address, call: client().await?, stream: client().await?, limit })
    }

    /// Works for some time, and waits for the end of all that was begun.
    pub(crate) async fn measure(&self, length: Duration) -> Seen {
        let [call, stream, newcomer] = Kind::ALL.map(|kind| self.measure_one(kind, length));
        tokio::join!(call, stream, newcomer).into()
    }

    async fn measure_one(&self, kind: Kind, length: Duration) -> Served {
        let mut ticks = interval_at(now() + kind.every(), kind.every());
        // A client that comes late is late because the machine is: its work is measured from when
        // it was due.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut begun = JoinSet::new();
        for _ in 0..length.as_millis() / kind.every().as_millis() {
            let due = ticks.tick().await;
            begun.spawn(timed(self.piece(kind), due, self.limit));
        }
        Served::of(begun.join_all().await, self.limit)
    }

    fn piece(&self, kind: Kind) -> BoxFuture<'static, Result<()>> {
        let (address, limit) = (self.address, self.limit);
        match kind {
            Kind::Call => {
                let client = self.call.clone();
                Box::pin(async move { client.unary(text("hello")).timeout(limit).await.map(drop) })
            }
            Kind::Stream => {
                let client = self.stream.clone();
                Box::pin(async move {
                    let mut rw = client.talk().await?;
                    rw.write(text("hello")).await?;
                    rw.read().await?;
                    rw.finish().await.map(drop)
                })
            }
            Kind::Newcomer => Box::pin(async move {
                let channel = Channel::connect(address.to_string()).await?;
                EverythingClient::new(channel).unary(text("hello")).timeout(limit).await.map(drop)
            }),
        }
    }
}

/// How long a piece of work took from when it was due, if it was served.
async fn timed(
    piece: BoxFuture<'static, Result<()>>,
    due: Instant,
    limit: Duration,
) -> Option<Duration> {
    let ended = tokio::time::timeout_at(due + limit, piece).await;
    matches!(ended, Ok(Ok(()))).then(|| due.elapsed())
}

impl Served {
    fn of(pieces: Vec<Option<Duration>>, limit: Duration) -> Self {
        let all = pieces.len();
        let served = pieces.iter().flatten().count();
        // Work that was refused is not quick work.
        let mut took: Vec<_> = pieces.into_iter().map(|took| took.unwrap_or(limit)).collect();
        took.sort_unstable();
        let at = |hundredth: usize| took.get(all * hundredth / 100).copied().unwrap_or(limit);
        Self { part: served as f64 / all.max(1) as f64, p50: at(50), p99: at(99) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_was_not_served_counts_as_work_that_took_all_the_time() {
        let limit = Duration::from_secs(2);
        let quick = Some(Duration::from_millis(1));
        let served = Served::of([vec![quick; 98], vec![None; 2]].concat(), limit);
        assert_eq!(served, Served { part: 0.98, p50: Duration::from_millis(1), p99: limit });
        assert_eq!(Served::of(vec![None; 10], limit).p50, limit);
    }
}
