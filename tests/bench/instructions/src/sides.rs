//! The two sides of a workload on one thread, each in a runtime of its own, taking turns: every run
//! does the same, instruction by instruction.

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use tokio::runtime::{Builder, Runtime};

use crate::work::{self, Work};

/// The pattern of the only functions in which the profiler counts.
pub(crate) const COUNTED: &str = "*counted_turn*";

/// Which side is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Side {
    Server,
    Client,
}

impl Side {
    pub(crate) const ALL: [Self; 2] = [Self::Server, Self::Client];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
        }
    }
}

/// One run, to be watched by a profiler.
#[derive(Args)]
pub(crate) struct Sides {
    /// The work of the two sides
    work: Work,
    /// The side whose turns are counted
    counted: Side,
    /// How many messages each side sends, or how many calls
    messages: u64,
}

impl Sides {
    /// Sends and checks the messages over a connection in memory.
    pub(crate) fn run(&self) -> Result<()> {
        let (server, client) = (runtime()?, runtime()?);
        let channel = trill::__bench::in_memory_between(
            work::server(),
            server.handle(),
            self.work.channel(),
            client.handle(),
        )?;
        let reading = client.spawn(self.work.run(channel, self.messages));
        let mut turns = 0;
        while !reading.is_finished() {
            turns += 1;
            ensure!(turns <= 1_000 + 4 * self.messages, "the two sides wait for each other");
            turn(&server, self.counted == Side::Server);
            turn(&client, self.counted == Side::Client);
        }
        client.block_on(reading)?
    }
}

fn runtime() -> Result<Runtime> {
    Ok(Builder::new_current_thread().enable_time().build()?)
}

fn turn(runtime: &Runtime, counted: bool) {
    if counted { counted_turn(runtime) } else { run_what_is_ready(runtime) }
}

/// A function of its own in the finished program, found by its name.
#[inline(never)]
fn counted_turn(runtime: &Runtime) {
    run_what_is_ready(runtime);
}

/// The runtime goes through its tasks before it comes back to the one that yields.
#[inline(always)]
fn run_what_is_ready(runtime: &Runtime) {
    runtime.block_on(tokio::task::yield_now());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_come_to_the_end() {
        for (work, counted) in
            Work::ALL.into_iter().flat_map(|work| Side::ALL.map(|side| (work, side)))
        {
            Sides { work, counted, messages: 3_000 }.run().expect("every message arrives");
        }
    }
}
