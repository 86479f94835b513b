//! Runs the simulation for many seeds: `--seeds 10000 --start 0`, or for one of them again:
//! `--seed 42`.

use std::process::ExitCode;
use std::time::Duration;

use trill_tests::sim;

fn main() -> ExitCode {
    let options = match Options::read(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(why) => {
            eprintln!("{why}\nusage: sim [--seeds COUNT] [--start SEED] | --seed SEED");
            return ExitCode::from(2);
        }
    };
    let (mut lines, mut took) = (0, Duration::ZERO);
    for seed in options.start..options.start + options.seeds {
        match sim::run(seed) {
            Ok(report) => {
                lines += report.lines;
                took += report.took;
            }
            Err(failure) => {
                eprintln!("{failure}");
                return ExitCode::FAILURE;
            }
        }
        if (seed + 1 - options.start).is_multiple_of(1_000) {
            println!("{} seeds", seed + 1 - options.start);
        }
    }
    println!(
        "{} seeds kept all promises: {lines} events in {took:?} of virtual time",
        options.seeds
    );
    ExitCode::SUCCESS
}

struct Options {
    start: u64,
    seeds: u64,
}

impl Options {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self { start: 0, seeds: 10_000 };
        while let Some(name) = arguments.next() {
            let number = arguments.next().and_then(|text| text.parse().ok());
            let number = number.ok_or_else(|| format!("{name} needs a number"))?;
            match name.as_str() {
                "--seeds" => options.seeds = number,
                "--start" => options.start = number,
                "--seed" => options = Self { start: number, seeds: 1 },
                _ => return Err(format!("there is no {name}")),
            }
        }
        Ok(options)
    }
}
