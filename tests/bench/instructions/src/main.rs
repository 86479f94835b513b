//! Counts what a message costs in instructions. See the README of the folder above.
//!
//! A program of its own: what the compiler makes of the loops depends on what else is in the
//! program.

mod counts;
mod sides;
mod work;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::counts::Counting;
use crate::sides::Sides;

#[derive(Parser)]
#[command(about = "Counts what a message costs in instructions")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Counts under valgrind, and compares with the recorded counts
    Count(Counting),
    /// Runs both sides once, for a profiler
    Run(Sides),
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Count(counting) => counting.run(),
        Command::Run(sides) => sides.run(),
    }
}
