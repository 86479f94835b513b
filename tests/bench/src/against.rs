//! This program against the one of another commit: the processor time that a message costs.

use std::fmt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;

use crate::row::Row;
use crate::sweep::{self, Sweep};
use crate::work::Work;

/// A row is slower when its median ratio and its lower quartile are above this. A machine's mood
/// moves single rounds by more, and three quarters of them by less.
const SLOWER: f64 = 1.03;

/// The settings of the comparison.
#[derive(Args)]
pub(crate) struct Against {
    /// The other commit's `trill-bench`
    #[arg(long)]
    other: PathBuf,
    /// How often each row is measured with each program, in turns
    #[arg(long, default_value_t = 10)]
    rounds: u32,
    /// How long each measurement takes
    #[arg(long, default_value_t = 0.5)]
    seconds: f64,
    /// The works, such as W4 or W4@4k
    #[arg(required_unless_present = "sweep")]
    rows: Vec<Work>,
    /// The works of these sets
    #[arg(long, value_delimiter = ',')]
    sweep: Vec<Sweep>,
}

impl Against {
    /// Measures, prints a line for each row, and fails if one is slower.
    pub(crate) fn run(&self) -> Result<()> {
        ensure!(self.rounds > 0, "without a round there is nothing to compare");
        let rows = sweep::chosen(&self.rows, &self.sweep);
        if let Some(row) = rows.iter().find(|row| !row.workload.has_cost()) {
            bail!("{row} has no processor time per message");
        }
        let this = std::env::current_exe()?;
        let mut ratios = vec![Vec::new(); rows.len()];
        for round in 0..self.rounds {
            for (row, ratios) in rows.iter().zip(&mut ratios) {
                // Neither program always runs first.
                let (now, before) = if round.is_multiple_of(2) {
                    let before = self.cost(&self.other, *row)?;
                    (self.cost(&this, *row)?, before)
                } else {
                    (self.cost(&this, *row)?, self.cost(&self.other, *row)?)
                };
                eprintln!("round {:2}  {row:<12} {before:7.3} -> {now:7.3} µs", round + 1);
                ratios.push(now / before);
            }
        }
        println!("processor time per message, this tree's part of the other commit's");
        let quartiles: Vec<_> = ratios.into_iter().map(Quartiles::of).collect();
        for (row, quartiles) in rows.iter().zip(&quartiles) {
            println!("{row:<12} {quartiles}");
        }
        ensure!(!quartiles.iter().any(Quartiles::are_slower), "slower than the other commit");
        Ok(())
    }

    /// Microseconds of processor time of both sides for a message.
    fn cost(&self, program: &PathBuf, row: Work) -> Result<f64> {
        let run = Command::new(program)
            .args(["one", "trill", &row.name(), "--seconds", &self.seconds.to_string()])
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| program.display().to_string())?;
        ensure!(run.status.success(), "{} failed: {}", program.display(), run.status);
        let measured: Row =
            serde_json::from_slice(&run.stdout).context("the row of the measurement")?;
        measured.cpu_us_per_msg.context("the processor time was not measured")
    }
}

/// The ratios of the rounds of one row.
#[derive(Debug, PartialEq)]
struct Quartiles {
    lower: f64,
    median: f64,
    upper: f64,
}

impl Quartiles {
    fn of(mut ratios: Vec<f64>) -> Self {
        ratios.sort_unstable_by(f64::total_cmp);
        let at = |part: f64| {
            let place = part * (ratios.len() - 1) as f64;
            let (below, above) = (ratios[place.floor() as usize], ratios[place.ceil() as usize]);
            below + (above - below) * place.fract()
        };
        Self { lower: at(0.25), median: at(0.5), upper: at(0.75) }
    }

    fn are_slower(&self) -> bool {
        self.median > SLOWER && self.lower > SLOWER
    }
}

impl fmt::Display for Quartiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lower, median, upper } = self;
        let verdict = if self.are_slower() { "  SLOWER" } else { "" };
        write!(f, "median {median:.3}  quartiles {lower:.3} to {upper:.3}{verdict}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_lie_between_the_ratios() {
        let quartiles = Quartiles::of(vec![1.4, 1.0, 1.2, 1.1, 1.3]);
        assert_eq!(quartiles, Quartiles { lower: 1.1, median: 1.2, upper: 1.3 });
        let two = Quartiles::of(vec![1.0, 2.0]);
        assert_eq!(two, Quartiles { lower: 1.25, median: 1.5, upper: 1.75 });
        assert_eq!(Quartiles::of(vec![0.9]), Quartiles { lower: 0.9, median: 0.9, upper: 0.9 });
    }

    #[test]
    fn one_good_quarter_of_the_rounds_is_not_slower() {
        assert!(Quartiles { lower: 1.031, median: 1.1, upper: 1.2 }.are_slower());
        assert!(!Quartiles { lower: 1.03, median: 1.1, upper: 1.2 }.are_slower());
        assert!(!Quartiles { lower: 0.9, median: 1.0, upper: 1.5 }.are_slower());
    }
}
