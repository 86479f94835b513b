//! Hours of everything: calls and streams of all kinds, given up and broken off, clients and
//! servers that are killed and start again. `soak --minutes 60`. Fails if a call hangs, a message
//! is lost or out of order, memory grows, or a task or a file descriptor is left.
//!
//! One process is measured. It has a server, `home`, that is shut down and started again; clients
//! of it; and clients of `away`, a server in a process of its own, which is killed and started
//! again. More clients of `home` are in processes that are killed.

mod calls;
mod faults;
mod samples;
mod verdict;
mod world;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use calls::Caller;
use samples::{Sample, Samples};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use verdict::Verdict;
use world::World;

/// How often memory is looked at.
const SAMPLE: Duration = Duration::from_secs(1);

/// How many samples make a line of the table.
const LINE: usize = 10;

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => soak(Duration::from_secs(120)).await,
        ["--minutes", minutes] if minutes.parse::<u32>().is_ok_and(|minutes| minutes > 0) => {
            soak(Duration::from_secs(60) * minutes.parse().unwrap_or(1)).await
        }
        // The processes that it starts.
        ["serve", address] => serve(address).await,
        ["call", address] => call(address).await,
        _ => {
            eprintln!(
                "usage: soak [--minutes COUNT], a whole number of at least 1; 2 if it is not said"
            );
            ExitCode::from(2)
        }
    }
}

async fn soak(length: Duration) -> ExitCode {
    // Resources that start once and stay are no leak: the allocator's arenas, and the files that
    // tokio keeps to hear of child processes.
    let (rehearsal, fresh) = (Arc::new(Verdict::new()), samples::look());
    World::start(&rehearsal).await.stop().await;
    tokio::time::sleep(SAMPLE).await;
    let before = Sample { tasks: fresh.tasks, ..samples::look() };

    let verdict = Arc::new(Verdict::new());
    let world = World::start(&verdict).await;
    let mut samples = Samples::default();
    println!(
        "{:>7}  {:>9}  {:>6}  {:>5}  {}",
        "seconds",
        "resident",
        "tasks",
        "files",
        verdict::HEAD
    );
    let seconds = usize::try_from(length.as_secs()).unwrap_or(usize::MAX);
    for second in 1..=seconds {
        tokio::time::sleep(SAMPLE).await;
        let now = samples::look();
        samples.add(now.resident);
        if second % LINE == 0 || second == seconds {
            println!("{second:>7}  {now}  {}", verdict.counts());
        }
        if verdict.has_failed() {
            break;
        }
    }
    world.stop().await;
    verdict.judge("flat memory", samples.are_flat());
    verdict.judge("nothing left", before.is_all_that_is_left().await);
    println!("\nbefore: {before}\nafter:  {}\n{}", samples::look(), samples.summary());
    for failure in rehearsal.failures().into_iter().chain(verdict.failures()) {
        println!("FAILED {failure}");
    }
    if rehearsal.has_failed() || verdict.has_failed() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// A server until its input ends.
async fn serve(address: &str) -> ExitCode {
    let (_handle, address) = world::listen(address).await;
    say(&address).await;
    ExitCode::SUCCESS
}

/// Calls until its input ends. It does not know when the server is restarted, so errors are not
/// judged here; messages and hangs are.
async fn call(address: &str) -> ExitCode {
    let verdict = Arc::new(Verdict::new());
    let callers = Caller::several(address, &verdict, None);
    let failed = async {
        while !verdict.has_failed() {
            tokio::time::sleep(SAMPLE).await;
        }
    };
    tokio::select! {
        () = say("calling") => {}
        () = failed => {}
    }
    drop(callers);
    for failure in verdict.failures() {
        eprintln!("{failure}");
    }
    if verdict.has_failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Says a line, and waits until whoever reads it lets go of this process or has ended.
async fn say(line: &str) {
    let mut output = tokio::io::stdout();
    // If nobody listens, the input has ended as well.
    let _ = output.write_all(format!("{line}\n").as_bytes()).await;
    let _ = output.flush().await;
    let _ = tokio::io::stdin().read_to_end(&mut Vec::new()).await;
}
