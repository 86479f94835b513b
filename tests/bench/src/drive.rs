//! The client's side of a measurement: the loops of the workloads, the same for all contenders.

use std::future::Future;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use tokio::task::JoinSet;

use crate::contenders::{Reader as _, Streams, Unary, Writer as _, read_all};
use crate::message::{Echo, LARGE, SMALL, Source, check_answer, payload};
use crate::usage;
use crate::workload::Workload;

/// The results of one run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Measured {
    /// Pieces of work a second.
    pub(crate) rate: Option<f64>,
    pub(crate) p50_us: Option<f64>,
    pub(crate) p99_us: Option<f64>,
    /// Processor time of both sides for a piece of work.
    pub(crate) cpu_us: Option<f64>,
    /// Resident memory of the server for each stream or connection.
    pub(crate) bytes_each: Option<f64>,
}

/// How long to measure, and whom to watch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Driver {
    pub(crate) time: Duration,
    /// Without it neither processor time nor memory is measured.
    pub(crate) server: Option<u32>,
}

/// Nanoseconds of each piece of work, if they were taken.
type Latencies = Vec<u32>;

impl Driver {
    /// Does the work with a contender that has streams.
    pub(crate) async fn streams<C: Streams>(
        self,
        workload: Workload,
        address: SocketAddr,
    ) -> Result<Measured> {
        let small = payload(SMALL);
        match workload {
            Workload::Unary
            | Workload::UnaryOneThread
            | Workload::UnaryMany
            | Workload::Connections => self.unary::<C>(workload, address).await,
            Workload::PingPong | Workload::PingPongOneThread => {
                let client = C::connect(address).await?;
                self.measure(1, |count| ping_pong(client.clone(), count, small.clone())).await
            }
            Workload::Download => {
                let client = C::connect(address).await?;
                self.measure(1, |count| download(client.clone(), count, small.clone())).await
            }
            Workload::Large => {
                let client = C::connect(address).await?;
                let large = payload(LARGE);
                self.measure(1, |count| download(client.clone(), count, large.clone())).await
            }
            Workload::Upload => {
                let client = C::connect(address).await?;
                self.measure(1, |count| upload(client.clone(), count, small.clone())).await
            }
            Workload::Talk => {
                let client = C::connect(address).await?;
                self.measure(1, |count| talk(client.clone(), count, small.clone())).await
            }
            Workload::TalkMany => {
                let client = C::connect(address).await?;
                let run = |count| talk_many(client.clone(), count, small.clone());
                self.measure(STREAMS as u64, run).await
            }
            Workload::Churn => {
                let client = C::connect(address).await?;
                let run = |count| churn(client.clone(), count, small.clone());
                self.measure(AT_A_TIME, run).await
            }
            Workload::Idle => self.idle(C::connect(address).await?, small).await,
        }
    }

    /// Does the work with a contender that may know nothing but calls.
    pub(crate) async fn unary<C: Unary>(
        self,
        workload: Workload,
        address: SocketAddr,
    ) -> Result<Measured> {
        let small = payload(SMALL);
        let client = C::connect(address).await?;
        match workload {
            Workload::Unary | Workload::UnaryOneThread => {
                self.measure(1, |count| calls(client.clone(), count, small.clone())).await
            }
            Workload::UnaryMany => {
                self.measure(1, |count| {
                    let (client, small) = (client.clone(), small.clone());
                    async move {
                        client.call_many(IN_FLIGHT, count, small).await?;
                        Ok(Latencies::new())
                    }
                })
                .await
            }
            Workload::Connections => self.connections(client, address, small).await,
            _ => anyhow::bail!("{} is about streams, and this contender has none", workload.name()),
        }
    }

    /// Does the work shortly, and more and more of it, until it is known how much fills the time.
    /// Then does that and measures. `unit` is how many pieces of work a round has.
    async fn measure<F, Fut>(self, unit: u64, run: F) -> Result<Measured>
    where
        F: Fn(u64) -> Fut,
        Fut: Future<Output = Result<Latencies>>,
    {
        let mut rounds = 8;
        loop {
            let start = Instant::now();
            run(rounds).await.context("warming up")?;
            let elapsed = start.elapsed();
            let fill = self.time.as_secs_f64() / elapsed.as_secs_f64();
            if fill <= WARM {
                rounds = ((rounds as f64 * fill) as u64).max(1);
                break;
            }
            rounds = (rounds as f64 * (1.2 * fill / WARM).clamp(1.5, 16.0)) as u64;
        }

        let before = self.server.map(usage::processor_time_with).transpose()?;
        let start = Instant::now();
        let mut latencies = run(rounds).await?;
        let elapsed = start.elapsed();
        let after = self.server.map(usage::processor_time_with).transpose()?;

        let count = (rounds * unit) as f64;
        latencies.sort_unstable();
        Ok(Measured {
            rate: Some(count / elapsed.as_secs_f64()),
            p50_us: quantile(&latencies, 0.50),
            p99_us: quantile(&latencies, 0.99),
            cpu_us: before
                .zip(after)
                .map(|(before, after)| (after - before).as_secs_f64() * 1e6 / count),
            bytes_each: None,
        })
    }

    /// Streams that have done something and are then left alone.
    async fn idle<C: Streams>(self, mut client: C, payload: Bytes) -> Result<Measured> {
        // The cost of a connection's first stream is not counted.
        let mut streams = vec![greet(&mut client, &payload).await?];
        let before = self.server.map(usage::resident_bytes).transpose()?;
        while streams.len() <= IDLE {
            streams.push(greet(&mut client, &payload).await?);
        }
        let after = self.server.map(usage::resident_bytes).transpose()?;
        for (writer, mut reader) in streams {
            writer.finish().await?;
            ensure!(reader.read().await?.is_none(), "an idle stream had a second message");
        }
        Ok(Measured { bytes_each: each(before, after, IDLE), ..Measured::default() })
    }

    async fn connections<C: Unary>(
        self,
        mut first: C,
        address: SocketAddr,
        payload: Bytes,
    ) -> Result<Measured> {
        // The cost of a server's first connection is not counted.
        first.call(Echo { payload: payload.clone(), seq: 0 }).await?;
        let before = self.server.map(usage::resident_bytes).transpose()?;
        let mut clients = Vec::with_capacity(CONNECTIONS);
        while clients.len() < CONNECTIONS {
            clients.push(C::connect(address).await?);
        }
        let run = |count| call_on_each(clients.clone(), count, payload.clone());
        let measured = self.measure(CONNECTIONS as u64, run).await?;
        let after = self.server.map(usage::resident_bytes).transpose()?;
        Ok(Measured { bytes_each: each(before, after, CONNECTIONS), ..measured })
    }
}

async fn calls(mut client: impl Unary, count: u64, payload: Bytes) -> Result<Latencies> {
    let mut latencies = Vec::with_capacity(usize::try_from(count)?);
    for seq in 0..count {
        let start = Instant::now();
        let answer = client.call(Echo { payload: payload.clone(), seq }).await?;
        latencies.push(nanoseconds_since(start));
        check_answer(&answer, seq, &payload)?;
    }
    Ok(latencies)
}

async fn ping_pong(mut client: impl Streams, count: u64, payload: Bytes) -> Result<Latencies> {
    let (mut writer, mut reader) = client.open().await?;
    let mut latencies = Vec::with_capacity(usize::try_from(count)?);
    for seq in 0..count {
        let start = Instant::now();
        writer.write(Echo { payload: payload.clone(), seq }).await?;
        let answer = reader.read().await?.context("the stream ended early")?;
        latencies.push(nanoseconds_since(start));
        check_answer(&answer, seq, &payload)?;
    }
    writer.finish().await?;
    ensure!(reader.read().await?.is_none(), "there was a message too many");
    Ok(latencies)
}

async fn download(mut client: impl Streams, count: u64, payload: Bytes) -> Result<Latencies> {
    let reader = client.download(Echo { payload: payload.clone(), seq: count }).await?;
    read_all(reader, count, payload).await?;
    Ok(Latencies::new())
}

async fn upload(mut client: impl Streams, count: u64, payload: Bytes) -> Result<Latencies> {
    let answer = client.upload(Source::new(count, payload)).await?;
    ensure!(answer.seq == count, "{} of {count} messages came", answer.seq);
    Ok(Latencies::new())
}

async fn talk(mut client: impl Streams, count: u64, payload: Bytes) -> Result<Latencies> {
    let reader = client.talk(Source::new(count, payload.clone())).await?;
    read_all(reader, count, payload).await?;
    Ok(Latencies::new())
}

async fn talk_many(client: impl Streams, count: u64, payload: Bytes) -> Result<Latencies> {
    client.talk_many(STREAMS, count, payload).await?;
    Ok(Latencies::new())
}

async fn churn(client: impl Streams, count: u64, payload: Bytes) -> Result<Latencies> {
    let mut tasks = JoinSet::new();
    for _ in 0..AT_A_TIME {
        let (mut client, payload) = (client.clone(), payload.clone());
        tasks.spawn(async move {
            for seq in 0..count {
                let answer = client.exchange(Echo { payload: payload.clone(), seq }).await?;
                check_answer(&answer, seq, &payload)?;
            }
            anyhow::Ok(())
        });
    }
    all(tasks).await
}

async fn call_on_each<C: Unary>(clients: Vec<C>, count: u64, payload: Bytes) -> Result<Latencies> {
    let mut tasks = JoinSet::new();
    for mut client in clients {
        let payload = payload.clone();
        tasks.spawn(async move {
            for seq in 0..count {
                let answer = client.call(Echo { payload: payload.clone(), seq }).await?;
                check_answer(&answer, seq, &payload)?;
            }
            anyhow::Ok(())
        });
    }
    all(tasks).await
}

async fn all(mut tasks: JoinSet<Result<()>>) -> Result<Latencies> {
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(Latencies::new())
}

/// Opens a stream on which one message has gone each way.
async fn greet<C: Streams>(client: &mut C, payload: &Bytes) -> Result<(C::Writer, C::Reader)> {
    let (mut writer, mut reader) = client.open().await?;
    writer.write(Echo { payload: payload.clone(), seq: 7 }).await?;
    let answer = reader.read().await?.context("the stream ended early")?;
    check_answer(&answer, 7, payload)?;
    Ok((writer, reader))
}

fn nanoseconds_since(start: Instant) -> u32 {
    u32::try_from(start.elapsed().as_nanos()).unwrap_or(u32::MAX)
}

/// In microseconds.
fn quantile(sorted: &[u32], part: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    Some(f64::from(sorted[(last as f64 * part).round() as usize]) / 1e3)
}

fn each(before: Option<u64>, after: Option<u64>, count: usize) -> Option<f64> {
    Some((after? as f64 - before? as f64) / count as f64)
}

const IN_FLIGHT: u64 = 128;
const STREAMS: usize = 100;
const AT_A_TIME: u64 = 64;
const IDLE: usize = 10_000;
const CONNECTIONS: usize = 1_000;

/// A run that takes more than one part in so many of the time is long enough to tell the rate, and
/// to be warm.
const WARM: f64 = 6.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_taken_from_the_sorted_times() {
        let sorted: Vec<u32> = (0..=100).map(|step| step * 1000).collect();
        assert_eq!(quantile(&sorted, 0.5), Some(50.0));
        assert_eq!(quantile(&sorted, 0.99), Some(99.0));
        assert_eq!(quantile(&[], 0.5), None);
    }
}
