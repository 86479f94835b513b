//! The servers, their clients and their faults.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use trill::Server;
use trill::server::{Buffered, ServerHandle};
use trill_tests::Obedient;
use trill_tests::process::Process;

use crate::calls::{Caller, Callers};
use crate::faults::{self, Incidents};
use crate::verdict::Verdict;

/// How long nothing may be counted as unread or unsent any more.
const EMPTY_LIMIT: Duration = Duration::from_secs(20);

/// How many processes call home.
const PROCESSES: usize = 2;

pub(crate) struct World {
    verdict: Arc<Verdict>,
    callers: Vec<Callers>,
    stop: watch::Sender<bool>,
    home: JoinHandle<ServerHandle>,
    away: JoinHandle<Process>,
    others: Vec<JoinHandle<()>>,
}

impl World {
    pub(crate) async fn start(verdict: &Arc<Verdict>) -> Self {
        let (stop, stopping) = watch::channel(false);
        let (handle, home) = listen("127.0.0.1:0").await;
        let away = Process::start(&["serve", "127.0.0.1:0"]).await;
        let mut callers = Vec::new();
        let (of_home, of_away) = (Arc::new(Incidents::default()), Arc::new(Incidents::default()));
        callers.push(Caller::several(&home, verdict, Some(&of_home)));
        callers.push(Caller::several(&away.said, verdict, Some(&of_away)));
        let others = (0..PROCESSES)
            .map(|_| {
                tokio::spawn(faults::kill_callers(
                    home.clone(),
                    Arc::clone(verdict),
                    stopping.clone(),
                ))
            })
            .collect();
        let home = faults::restart(handle, home, of_home, Arc::clone(verdict), stopping.clone());
        let away = faults::kill_server(away, of_away, Arc::clone(verdict), stopping);
        let (home, away) = (tokio::spawn(home), tokio::spawn(away));
        Self { verdict: Arc::clone(verdict), callers, stop, home, away, others }
    }

    /// Lets every call come to its end, and closes everything.
    pub(crate) async fn stop(self) {
        for callers in self.callers {
            callers.stop().await;
        }
        self.stop.send_replace(true);
        for other in self.others {
            other.await.expect("it does not panic");
        }
        let handle = self.home.await.expect("it does not panic");
        self.verdict.judge("home, without callers", is_empty(&handle).await);
        handle.shutdown(Duration::ZERO).await;
        let mut process = self.away.await.expect("it does not panic");
        process.kill().await;
    }
}

/// A server at an address that was just given back, perhaps.
pub(crate) async fn listen(address: &str) -> (ServerHandle, String) {
    let mut patience = 100;
    loop {
        match Server::builder().service(Obedient::new().0).bind(address).await {
            Ok(bound) => {
                let (handle, local) = (bound.handle(), bound.local_addr().to_string());
                tokio::spawn(bound.serve());
                return (handle, local);
            }
            Err(error) => {
                patience -= 1;
                assert!(patience > 0, "{error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn is_empty(handle: &ServerHandle) -> Result<(), String> {
    let empty = async {
        while handle.buffered() != Buffered::default() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(EMPTY_LIMIT, empty)
        .await
        .map_err(|_| format!("{:?} is left", handle.buffered()))
}
