//! The live matrix: real tRPC-Go programs call Trill, and are called by it.
//!
//! `trill-interop GO_PROGRAM` runs all cells against freshly started processes on loopback ports, prints one line a cell, and fails if
//! one does. A cell that hangs is a failed cell.

mod cells;
mod ends;
mod peers;

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let program = match &args[..] {
        [program] => program.clone(),
        // The Trill side as a process of its own, so that it can be killed.
        [server, address] if server == "server" => {
            let (_handle, _, log) = trill_tests::listen(address).await;
            drop(log);
            return std::future::pending().await;
        }
        _ => {
            eprintln!("usage: trill-interop GO_PROGRAM | trill-interop server ADDRESS");
            return ExitCode::from(2);
        }
    };
    let mut failed = 0;
    failed += peers::go_calls_trill(&program).await;
    failed += cells::trill_calls_go(&program).await;
    failed += cells::through_a_router(&program).await;
    failed += ends::all(&program).await;
    if failed > 0 {
        eprintln!("{failed} cells failed");
        return ExitCode::FAILURE;
    }
    println!("all cells passed");
    ExitCode::SUCCESS
}
