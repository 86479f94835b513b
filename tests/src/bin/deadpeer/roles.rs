//! The server, and the way in which both sides report: one line for each thing that ends.

use std::process::ExitCode;
use std::time::Duration;

use trill::Server;
use trill_tests::Obedient;

use super::Fault;

/// Everything that was to wait does.
pub(super) const READY: &str = "ready";

/// From now on no packet arrives.
pub(super) const CUT: &str = "cut";

pub(super) async fn serve(address: &str, limit: Option<Duration>) -> Result<ExitCode, Fault> {
    let (service, mut log) = Obedient::new();
    let mut server = Server::builder().service(service);
    if let Some(limit) = limit {
        server = server.dead_peer_timeout(limit);
    }
    let bound = server.bind(address).await?;
    tokio::spawn(bound.serve());
    println!("{READY}");
    while let Some(report) = log.recv().await {
        println!("{report}\tits connection is gone");
    }
    Ok(ExitCode::SUCCESS)
}
