//! Faults on purpose: restarts and kills.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use trill::server::ServerHandle;
use trill_tests::process::Process;

use crate::verdict::{Verdict, count};
use crate::world;

/// How long after a fault its errors may be seen.
const ECHO: Duration = Duration::from_secs(2);

/// How long a shutdown may take beyond its grace: the second that it promises, and a busy machine.
const SHUTDOWN_SLACK: Duration = Duration::from_secs(10);

/// Tells calls whether a fault may have hit them. Odd while one goes on.
#[derive(Debug, Default)]
pub(crate) struct Incidents(AtomicU64);

impl Incidents {
    pub(crate) fn begin(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }

    /// Waits until nobody can still see it.
    pub(crate) async fn end(&self) {
        tokio::time::sleep(ECHO).await;
        self.0.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn so_far(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Tells whether there was no incident since then, and is none.
    pub(crate) fn none_since(&self, then: u64) -> bool {
        then.is_multiple_of(2) && self.so_far() == then
    }
}

/// Shuts a server down and starts it again at the same address, some times a minute.
pub(crate) async fn restart(
    mut handle: ServerHandle,
    address: String,
    incidents: Arc<Incidents>,
    verdict: Arc<Verdict>,
    mut stopping: tokio::sync::watch::Receiver<bool>,
) -> ServerHandle {
    while pause(6_000..12_000, &mut stopping).await {
        incidents.begin();
        let grace = Duration::from_millis(fastrand::u64(0..1_500));
        if tokio::time::timeout(grace + SHUTDOWN_SLACK, handle.shutdown(grace)).await.is_err() {
            verdict.fail(format!("a shutdown with a grace of {grace:?} hangs"));
        }
        let left = handle.buffered();
        if left != trill::server::Buffered::default() {
            verdict.fail(format!("a server that is shut down holds {left:?}"));
        }
        (handle, _) = world::listen(&address).await;
        count(&verdict.restarts);
        incidents.end().await;
    }
    handle
}

/// Kills a server's process and starts it again at the same address, some times a minute.
pub(crate) async fn kill_server(
    mut process: Process,
    incidents: Arc<Incidents>,
    verdict: Arc<Verdict>,
    mut stopping: tokio::sync::watch::Receiver<bool>,
) -> Process {
    while pause(4_000..9_000, &mut stopping).await {
        incidents.begin();
        process.kill().await;
        process = Process::start(&["serve", &process.said]).await;
        count(&verdict.kills);
        incidents.end().await;
    }
    process
}

/// Kills a process of callers and starts another one, every few seconds.
pub(crate) async fn kill_callers(
    address: String,
    verdict: Arc<Verdict>,
    mut stopping: tokio::sync::watch::Receiver<bool>,
) {
    loop {
        let mut process = Process::start(&["call", &address]).await;
        let go_on = tokio::select! {
            go_on = pause(500..4_000, &mut stopping) => go_on,
            how = process.ended() => {
                verdict.fail(format!("a process of callers ended by itself: {how:?}; it has said why above"));
                false
            }
        };
        process.kill().await;
        count(&verdict.kills);
        if !go_on {
            return;
        }
    }
}

/// Waits for some time of that many milliseconds. Gives whether to go on.
async fn pause(
    milliseconds: std::ops::Range<u64>,
    stopping: &mut tokio::sync::watch::Receiver<bool>,
) -> bool {
    let time = Duration::from_millis(fastrand::u64(milliseconds));
    tokio::time::timeout(time, stopping.wait_for(|stopping| *stopping)).await.is_err()
}
