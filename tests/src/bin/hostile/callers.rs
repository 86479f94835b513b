//! The well-behaved callers, and how long they wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::join_all;
use trill::{Channel, Result};
use trill_tests::{EverythingClient, now, text};

/// How many call, and as many talk on a stream.
const OF_EACH_KIND: usize = 4;

/// How long each rests between an answer and its next question. It keeps the processors free for the others.
const REST: Duration = Duration::from_millis(1);

/// Two connections: those who call share one, those who talk the other.
pub(crate) struct Callers {
    call: EverythingClient,
    talk: EverythingClient,
    errors: Arc<AtomicUsize>,
}

/// Quantiles of latencies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Latency {
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    /// Of how many.
    pub(crate) count: usize,
}

/// What the callers saw for some time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) call: Latency,
    pub(crate) talk: Latency,
}

impl Callers {
    pub(crate) async fn connect(address: &str) -> Self {
        let client = async || EverythingClient::new(Channel::connect(address).await.expect("it listens"));
        Self { call: client().await, talk: client().await, errors: Arc::default() }
    }

    /// How many calls and streams have failed so far.
    pub(crate) fn errors(&self) -> usize {
        self.errors.load(Ordering::Relaxed)
    }

    pub(crate) async fn measure(&self, length: Duration) -> Seen {
        let calls = (0..OF_EACH_KIND).map(|_| tokio::spawn(calls(self.call.clone(), length)));
        let talks = (0..OF_EACH_KIND).map(|_| tokio::spawn(talks(self.talk.clone(), length)));
        let (calls, talks) = tokio::join!(join_all(calls), join_all(talks));
        let latency = |results: Vec<Result<Result<Vec<Duration>>, tokio::task::JoinError>>| {
            let mut all = Vec::new();
            for result in results {
                match result.expect("it does not panic") {
                    Ok(latencies) => all.extend(latencies),
                    Err(error) => {
                        eprintln!("a well-behaved caller failed: {error}");
                        self.errors.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
            Latency::of(all)
        };
        Seen { call: latency(calls), talk: latency(talks) }
    }
}

impl Latency {
    fn of(mut latencies: Vec<Duration>) -> Self {
        latencies.sort_unstable();
        let at = |hundredth: usize| {
            latencies.get(latencies.len() * hundredth / 100).copied().unwrap_or(Duration::MAX)
        };
        Self { p50: at(50), p99: at(99), count: latencies.len() }
    }
}

async fn calls(client: EverythingClient, length: Duration) -> Result<Vec<Duration>> {
    let (began, mut latencies) = (now(), Vec::new());
    while began.elapsed() < length {
        let asked = now();
        client.unary(text("hello")).await?;
        latencies.push(asked.elapsed());
        tokio::time::sleep(REST).await;
    }
    Ok(latencies)
}

async fn talks(client: EverythingClient, length: Duration) -> Result<Vec<Duration>> {
    let (began, mut latencies) = (now(), Vec::new());
    let mut rw = client.talk().await?;
    while began.elapsed() < length {
        let asked = now();
        rw.write(text("hello")).await?;
        rw.read().await?;
        latencies.push(asked.elapsed());
        tokio::time::sleep(REST).await;
    }
    rw.finish().await?;
    Ok(latencies)
}
