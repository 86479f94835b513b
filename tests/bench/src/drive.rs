//! The client's side of a measurement: the loops of the workloads, the same for all contenders.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use tokio::task::JoinSet;

use crate::contenders::{Reader, Streams, Unary, Writer, read_all};
use crate::message::{Check, Echo, SMALL, Source, check_answer, payload};
use crate::usage;
use crate::work::Work;
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
    /// Resident memory of the server for each stream or connection; of floods the peak of both
    /// sides.
    pub(crate) bytes_each: Option<f64>,
}

/// How long to measure, and whom to watch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Driver {
    pub(crate) time: Duration,
    /// A shorter run does not tell the rate, because the way there and back is most of it.
    pub(crate) least: Duration,
    /// Without it neither processor time nor memory is measured.
    pub(crate) server: Option<u32>,
}

/// Nanoseconds of each piece of work, if they were taken.
type Latencies = Vec<u32>;

impl Driver {
    /// Does the work with a contender that has streams.
    pub(crate) async fn streams<C: Streams>(
        self,
        work: Work,
        address: SocketAddr,
    ) -> Result<Measured> {
        let (payload, many) = (payload(work.size), work.count as u64);
        let connect = || C::connect(address);
        match work.workload {
            Workload::Unary
            | Workload::UnaryOneThread
            | Workload::UnaryMany
            | Workload::Connections => self.unary::<C>(work, address).await,
            Workload::PingPong | Workload::PingPongOneThread => {
                let client = connect().await?;
                self.measure(1, |count| ping_pong(client.clone(), count, payload.clone())).await
            }
            Workload::Download => {
                let client = connect().await?;
                self.measure(1, |count| download(client.clone(), count, payload.clone())).await
            }
            Workload::Upload => {
                let client = connect().await?;
                self.measure(1, |count| upload(client.clone(), count, payload.clone())).await
            }
            Workload::Talk => {
                let client = connect().await?;
                self.measure(1, |count| talk(client.clone(), count, payload.clone())).await
            }
            Workload::TalkMany => {
                let client = connect().await?;
                let run = |count| talk_many(client.clone(), work.count, count, payload.clone());
                self.measure(many, run).await
            }
            Workload::Churn => {
                let client = connect().await?;
                let run = |count| churn(client.clone(), many, count, payload.clone());
                self.measure(many, run).await
            }
            Workload::Idle => self.idle(connect().await?, work.count, payload).await,
            Workload::Neighbour => self.neighbour(connect().await?, payload).await,
            Workload::Floods => self.floods(connect().await?, work.count, payload).await,
        }
    }

    /// Does the work with a contender that may know nothing but calls.
    pub(crate) async fn unary<C: Unary>(self, work: Work, address: SocketAddr) -> Result<Measured> {
        let payload = payload(work.size);
        let client = C::connect(address).await?;
        match work.workload {
            Workload::Unary | Workload::UnaryOneThread => {
                self.measure(1, |count| calls(client.clone(), count, payload.clone())).await
            }
            Workload::UnaryMany => {
                self.measure(1, |count| {
                    let (client, payload) = (client.clone(), payload.clone());
                    async move {
                        client.call_many(work.count as u64, count, payload).await?;
                        Ok(Latencies::new())
                    }
                })
                .await
            }
            Workload::Connections => self.connections(client, work.count, address, payload).await,
            _ => anyhow::bail!("{work} is about streams, and this contender has none"),
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
            if fill <= WARM && elapsed >= self.least {
                // A run that is as long as the least again is long enough.
                let fill = if self.least.is_zero() { fill } else { fill.max(1.0) };
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
    async fn idle<C: Streams>(
        self,
        mut client: C,
        count: usize,
        payload: Bytes,
    ) -> Result<Measured> {
        // The cost of a connection's first stream is not counted.
        let mut streams = vec![greet(&mut client, &payload).await?];
        let before = self.server.map(usage::resident_bytes).transpose()?;
        while streams.len() <= count {
            streams.push(greet(&mut client, &payload).await?);
        }
        let after = self.server.map(usage::resident_bytes).transpose()?;
        for (writer, mut reader) in streams {
            writer.finish().await?;
            ensure!(reader.read().await?.is_none(), "an idle stream had a second message");
        }
        Ok(Measured { bytes_each: each(before, after, count), ..Measured::default() })
    }

    /// Connections that are opened, left silent, and then call all at once: of that the times are
    /// taken. Then each has one call in flight all the time.
    async fn connections<C: Unary>(
        self,
        mut first: C,
        count: usize,
        address: SocketAddr,
        payload: Bytes,
    ) -> Result<Measured> {
        // The cost of a server's first connection is not counted.
        first.call(Echo { payload: payload.clone(), seq: 0 }).await?;
        let before = self.server.map(usage::resident_bytes).transpose()?;
        let mut clients = Vec::with_capacity(count);
        while clients.len() < count {
            clients.push(C::connect(address).await?);
        }
        tokio::time::sleep(self.time).await;
        let mut latencies = call_at_once(clients.clone(), payload.clone()).await?;
        latencies.sort_unstable();
        let run = |count| call_on_each(clients.clone(), count, payload.clone());
        let measured = self.measure(count as u64, run).await?;
        let after = self.server.map(usage::resident_bytes).transpose()?;
        Ok(Measured {
            p50_us: quantile(&latencies, 0.50),
            p99_us: quantile(&latencies, 0.99),
            bytes_each: each(before, after, count),
            ..measured
        })
    }

    /// Server streams on one connection, each as fast as it goes, for a while.
    async fn floods<C: Streams>(
        self,
        mut client: C,
        count: usize,
        payload: Bytes,
    ) -> Result<Measured> {
        // The cost of a connection's first stream is not counted.
        download(client.clone(), 1, payload.clone()).await?;
        let processes = [Some(std::process::id()), self.server];
        let of_all = |bytes: fn(u32) -> Result<u64>| -> Result<u64> {
            processes.into_iter().flatten().map(bytes).sum()
        };
        let before = of_all(usage::reset_peak)?;
        let read = Arc::new(AtomicU64::new(0));
        let mut floods: JoinSet<Result<()>> = JoinSet::new();
        let start = Instant::now();
        for _ in 0..count {
            let request = Echo { payload: payload.clone(), seq: u64::MAX };
            let mut reader = client.download(request).await?;
            let (mut check, read) = (Check::new(payload.clone()), Arc::clone(&read));
            floods.spawn(async move {
                while let Some(echo) = reader.read().await? {
                    check.accept(&echo)?;
                    read.fetch_add(1, Ordering::Relaxed);
                }
                anyhow::bail!("the flood ended")
            });
        }
        tokio::select! {
            () = tokio::time::sleep(self.time) => {}
            Some(ended) = floods.join_next() => ended??,
        }
        let rate = read.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64();
        let peak = of_all(usage::peak_bytes)?;
        floods.shutdown().await;
        let bytes = (peak.saturating_sub(before)) as f64 / count as f64;
        Ok(Measured { rate: Some(rate), bytes_each: Some(bytes), ..Measured::default() })
    }

    /// A ping-pong of small messages beside a server stream of large ones, as fast as it goes. The
    /// rate is that of the stream.
    async fn neighbour<C: Streams>(self, mut client: C, large: Bytes) -> Result<Measured> {
        let flooded = Arc::new(AtomicU64::new(0));
        let mut reader = client.download(Echo { payload: large.clone(), seq: u64::MAX }).await?;
        let counted = Arc::clone(&flooded);
        let mut flood: JoinSet<Result<()>> = JoinSet::new();
        flood.spawn(async move {
            let mut check = Check::new(large);
            while let Some(echo) = reader.read().await? {
                check.accept(&echo)?;
                counted.fetch_add(1, Ordering::Relaxed);
            }
            anyhow::bail!("the flood ended")
        });
        let (mut writer, mut reader) = client.open().await?;
        let play = async {
            let mut seq = 0;
            play(&mut writer, &mut reader, &mut seq, self.time / 4).await?;
            let (start, before) = (Instant::now(), flooded.load(Ordering::Relaxed));
            let latencies = play(&mut writer, &mut reader, &mut seq, self.time).await?;
            let count = flooded.load(Ordering::Relaxed) - before;
            anyhow::Ok((latencies, count as f64 / start.elapsed().as_secs_f64()))
        };
        let (mut latencies, rate) = tokio::select! {
            played = play => played?,
            Some(ended) = flood.join_next() => {
                ended??;
                anyhow::bail!("the flood ended")
            }
        };
        flood.shutdown().await;
        latencies.sort_unstable();
        Ok(Measured {
            rate: Some(rate),
            p50_us: quantile(&latencies, 0.50),
            p99_us: quantile(&latencies, 0.99),
            ..Measured::default()
        })
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

async fn talk_many(
    client: impl Streams,
    streams: usize,
    count: u64,
    payload: Bytes,
) -> Result<Latencies> {
    client.talk_many(streams, count, payload).await?;
    Ok(Latencies::new())
}

async fn churn(
    client: impl Streams,
    at_a_time: u64,
    count: u64,
    payload: Bytes,
) -> Result<Latencies> {
    let mut tasks = JoinSet::new();
    for number in 0..at_a_time {
        let place = client.place(number);
        let (mut client, payload) = (client.clone(), payload.clone());
        let exchanges = async move {
            for seq in 0..count {
                let answer = client.exchange(Echo { payload: payload.clone(), seq }).await?;
                check_answer(&answer, seq, &payload)?;
            }
            anyhow::Ok(())
        };
        tasks.spawn_on(exchanges, &place);
    }
    all(tasks).await
}

/// Messages to and fro for a while, one at a time.
async fn play(
    writer: &mut impl Writer,
    reader: &mut impl Reader,
    seq: &mut u64,
    time: Duration,
) -> Result<Latencies> {
    let (small, started) = (payload(SMALL), Instant::now());
    let mut latencies = Latencies::new();
    while latencies.is_empty() || started.elapsed() < time {
        let start = Instant::now();
        writer.write(Echo { payload: small.clone(), seq: *seq }).await?;
        let answer = reader.read().await?.context("the stream ended early")?;
        latencies.push(nanoseconds_since(start));
        check_answer(&answer, *seq, &small)?;
        *seq += 1;
    }
    Ok(latencies)
}

/// One call on each connection. The time of each counts from the moment at which all begin.
async fn call_at_once<C: Unary>(clients: Vec<C>, payload: Bytes) -> Result<Latencies> {
    let mut tasks = JoinSet::new();
    let start = Instant::now();
    for (seq, mut client) in clients.into_iter().enumerate() {
        let (payload, seq) = (payload.clone(), seq as u64);
        tasks.spawn(async move {
            let answer = client.call(Echo { payload: payload.clone(), seq }).await?;
            let latency = nanoseconds_since(start);
            check_answer(&answer, seq, &payload)?;
            anyhow::Ok(latency)
        });
    }
    let mut latencies = Latencies::new();
    while let Some(ended) = tasks.join_next().await {
        latencies.push(ended??);
    }
    Ok(latencies)
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
