//! The live matrix: real tRPC-Go programs call Trill, and are called by it.
//!
//! `trill-interop GO_PROGRAM` runs all cells against freshly started processes on loopback ports,
//! prints one line a cell, and fails if one does. A cell that hangs is a failed cell. The other
//! arguments make it one of those processes.

mod cancels;
mod cell;
mod cells;
mod ends;
mod hold;
mod missing;
mod peers;
mod router;
mod shapes;

use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> ExitCode {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    const USAGE: &str = "usage: trill-interop GO_PROGRAM | server ADDRESS | hold ADDRESS KIND WORKER | router ADDRESS UPSTREAM";
    match args[..] {
        [program] => return all(program).await,
        ["server", address] => return serve(address).await,
        ["hold", address, kind, worker] => {
            hold::hold(address, kind, worker).await;
            return ExitCode::SUCCESS;
        }
        ["router", address, upstream] => {
            router::serve(address, upstream).await;
            return std::future::pending().await;
        }
        _ => eprintln!("{USAGE}"),
    }
    ExitCode::from(2)
}

async fn all(program: &str) -> ExitCode {
    let mut failed = 0;
    failed += peers::go_calls_trill(program).await;
    failed += cells::trill_calls_go(program).await;
    failed += cells::through_a_router(program).await;
    failed += cancels::all(program).await;
    failed += ends::all(program).await;
    if failed > 0 {
        eprintln!("{failed} cells failed");
        return ExitCode::FAILURE;
    }
    println!("all cells passed");
    ExitCode::SUCCESS
}

/// Serves until an operator asks it to stop, and tells what becomes of the handlers.
async fn serve(address: &str) -> ExitCode {
    let mut stop = signal(SignalKind::terminate()).expect("the runtime handles signals");
    let (handle, _, mut log) = peers::listen(address).await;
    tokio::spawn(async move {
        while let Some(line) = log.recv().await {
            println!("{line}");
        }
    });
    stop.recv().await;
    handle.shutdown(Duration::from_millis(100)).await;
    ExitCode::SUCCESS
}
