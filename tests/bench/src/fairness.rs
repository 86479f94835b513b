//! Measures whether a stream that floods takes anything from the others on its connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use tokio::task::JoinSet;

use crate::contender::Contender;
use crate::contenders::trill::Client;
use crate::contenders::{Streams as _, Unary as _};
use crate::message::{Check, Echo, LARGE, SMALL, Source, payload};
use crate::process;
use crate::workload::Workload;

/// How long to measure.
#[derive(Args)]
pub(crate) struct Fairness {
    /// How often everything is measured; the median is reported
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long each measurement takes
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
}

/// The work of the hundredth stream.
#[derive(Clone, Copy, Debug)]
enum Hundredth {
    Absent,
    /// The server writes as much as it can, and nobody reads.
    Unread,
    /// The server writes small messages as fast as they are read.
    Small,
    /// The same with messages of 1 MiB, each of which holds the connection for its length.
    Large,
}

/// Measures 99 streams that echo as fast as they can, alone and beside each sort of hundredth.
pub(crate) async fn run(fairness: &Fairness) -> Result<()> {
    let (server, address) =
        process::start_server(Contender::Trill, Workload::TalkMany.usual()).await?;
    let address = address.parse()?;
    let time = Duration::from_secs_f64(fairness.seconds);
    let mut kept: Vec<Vec<f64>> = vec![Vec::new(); BESIDE.len()];
    for round in 1..=fairness.rounds {
        // Before and after: a machine that changes its mood in between does not count for one side.
        for (beside, kept) in BESIDE.iter().zip(&mut kept) {
            let before = rate(address, time, Hundredth::Absent).await?;
            let with = rate(address, time, *beside).await?;
            let after = rate(address, time, Hundredth::Absent).await?;
            let part = with / f64::midpoint(before, after);
            eprintln!(
                "round {round}: {beside:?}: alone {before:.0}/s and {after:.0}/s, beside it {with:.0}/s"
            );
            kept.push(part);
        }
    }
    drop(server);
    println!("| beside 99 streams that echo, one | they keep of their rate |\n|---|--:|");
    for (beside, mut kept) in BESIDE.iter().zip(kept) {
        kept.sort_by(f64::total_cmp);
        println!("| {} | {:.3} |", beside.title(), kept[kept.len() / 2]);
    }
    Ok(())
}

/// Messages a second of the 99 together, on a connection of their own.
async fn rate(address: SocketAddr, time: Duration, hundredth: Hundredth) -> Result<f64> {
    let mut client = Client::connect(address).await?;
    let echoed = Arc::new(AtomicU64::new(0));
    let mut tasks: JoinSet<Result<()>> = JoinSet::new();
    for _ in 0..OTHERS {
        let small = payload(SMALL);
        let (mut writer, mut reader) = client.open().await?;
        // A writer goes on without its reader: it must end with this measurement, too.
        let source = Source::new(u64::MAX, small.clone());
        tasks.spawn(async move {
            for echo in source {
                writer.write(echo).await?;
            }
            anyhow::bail!("the source ended")
        });
        let echoed = Arc::clone(&echoed);
        tasks.spawn(async move {
            let mut check = Check::new(small);
            while let Some(echo) = reader.read().await? {
                check.accept(&echo)?;
                echoed.fetch_add(1, Ordering::Relaxed);
            }
            anyhow::bail!("an echo ended")
        });
    }
    let size = if matches!(hundredth, Hundredth::Large) { LARGE } else { SMALL };
    let flood = match hundredth {
        Hundredth::Absent => None,
        _ => Some(client.download(Echo { payload: payload(size), seq: u64::MAX }).await?),
    };
    let unread = match (hundredth, flood) {
        (Hundredth::Small | Hundredth::Large, Some(mut flood)) => {
            tasks.spawn(async move {
                while flood.read().await?.is_some() {}
                anyhow::bail!("the flood ended")
            });
            None
        }
        (_, flood) => flood,
    };
    tokio::time::sleep(time / 4).await;
    let (start, before) = (std::time::Instant::now(), echoed.load(Ordering::Relaxed));
    tokio::select! {
        () = tokio::time::sleep(time) => {}
        Some(ended) = tasks.join_next() => ended??,
    }
    let count = echoed.load(Ordering::Relaxed) - before;
    let rate = count as f64 / start.elapsed().as_secs_f64();
    tasks.shutdown().await;
    drop(unread);
    Ok(rate)
}

impl Hundredth {
    fn title(self) -> &'static str {
        match self {
            Self::Absent => "that is not there",
            Self::Unread => "that floods and is never read",
            Self::Small => "that floods with messages of 32 bytes, and is read",
            Self::Large => "that floods with messages of 1 MiB, and is read",
        }
    }
}

const BESIDE: [Hundredth; 3] = [Hundredth::Unread, Hundredth::Small, Hundredth::Large];
const OTHERS: usize = 99;
