//! The whole comparison: who runs when, and what is done with what comes out.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use crate::baseline::{Baseline, Line};
use crate::chart;
use crate::contender::Contender;
use crate::curves;
use crate::go;
use crate::machine::Machine;
use crate::process;
use crate::report::Report;
use crate::row::Row;
use crate::sweep::{self, Sweep};
use crate::work::Work;

/// The settings of a comparison.
#[derive(Args)]
pub(crate) struct Comparison {
    /// How often everything is measured; medians are reported
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// How long each measurement takes
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Only these works: W4, or W4@4k with messages of 4 KiB, or W2x32 with 32 calls in flight
    #[arg(long, value_delimiter = ',')]
    only: Vec<Work>,
    /// Only the works of these sets
    #[arg(long, value_delimiter = ',')]
    sweep: Vec<Sweep>,
    /// Only these contenders; `tonic` means all its forms
    #[arg(long, value_delimiter = ',')]
    contenders: Vec<Contender>,
    /// Measure grpc-go and trpc-go, too, if Go is installed
    #[arg(long)]
    with_go: bool,
    /// Write each measurement as a line of JSON to this file, after a line about the machine
    #[arg(long)]
    json: Option<PathBuf>,
    /// Compare with the medians of such a file
    #[arg(long, value_name = "JSON")]
    beside: Option<PathBuf>,
    /// Draw a picture of the medians into this file, and one of each set beside it: of `a.svg` and
    /// the set `sizes` into `a-sizes.svg`
    #[arg(long)]
    svg: Option<PathBuf>,
}

/// Measures, and prints what came out.
pub(crate) async fn run(comparison: &Comparison) -> Result<()> {
    let with_go = comparison.with_go && go::build()?;
    if comparison.with_go && !with_go {
        eprintln!("WARNING: Go is not installed. NOT RUN: grpc-go and trpc-go.");
    }
    let pairs = comparison.pairs(with_go);
    ensure!(!pairs.is_empty(), "none of these contenders takes part in these workloads");
    // Before anything is written or measured: the files may be the same, and the machine quiet.
    let baseline = comparison.beside.as_deref().map(Baseline::read).transpose()?;
    let machine = Machine::describe();
    let mut json = comparison.json.as_deref().map(|path| create(path, &machine)).transpose()?;
    let rows = measure_all(comparison, &pairs, json.as_mut()).await?;
    let report = Report::new(&rows);
    print!("{report}");
    if let Some(baseline) = &baseline {
        print!("{}", baseline.beside(&machine, &report));
    }
    match &comparison.svg {
        Some(path) => comparison.draw(&report, path),
        None => Ok(()),
    }
}

fn create(path: &Path, machine: &Machine) -> Result<File> {
    let mut file = File::create(path).with_context(|| path.display().to_string())?;
    let line = Line::Machine { machine: machine.clone() };
    writeln!(file, "{}", serde_json::to_string(&line)?)?;
    Ok(file)
}

/// Measures each contender in turn, in each work, in each round; so what disturbs the machine for a
/// while disturbs all of them.
async fn measure_all(
    comparison: &Comparison,
    pairs: &[(Work, Contender)],
    mut json: Option<&mut File>,
) -> Result<Vec<Row>> {
    let start = Instant::now();
    let mut rows = Vec::new();
    for round in 1..=comparison.rounds {
        for (at, &(work, contender)) in pairs.iter().enumerate() {
            let seconds = start.elapsed().as_secs();
            eprint!(
                "{seconds:4} s  round {round}/{}  {:3}/{}  ",
                comparison.rounds,
                at + 1,
                pairs.len()
            );
            eprint!("{work:<12} {:<14}", contender.name());
            let row = process::measure(contender, work, comparison.seconds)
                .await
                .with_context(|| format!("{work} with {}", contender.name()))?;
            let row = Row { round, ..row };
            eprintln!("{}", brief(&row));
            let line = Line::Row(row.clone());
            if let Some(file) = &mut json {
                writeln!(file, "{}", serde_json::to_string(&line)?)?;
            }
            rows.push(row);
        }
    }
    Ok(rows)
}

impl Comparison {
    fn works(&self) -> Vec<Work> {
        if self.only.is_empty() && self.sweep.is_empty() {
            return Work::all_usual();
        }
        sweep::chosen(&self.only, &self.sweep)
    }

    fn draw(&self, report: &Report, path: &Path) -> Result<()> {
        let mut is_drawn = chart::draw(report, path)?;
        for sweep in &self.sweep {
            let mut name = path.file_stem().unwrap_or_default().to_owned();
            name.push(format!("-{}.svg", sweep.name()));
            is_drawn |= curves::draw(report, *sweep, &path.with_file_name(name))?;
        }
        ensure!(is_drawn, "a picture needs Trill and tonic in the same work, or a set of works");
        Ok(())
    }

    fn pairs(&self, with_go: bool) -> Vec<(Work, Contender)> {
        let wanted = |contender: &Contender| {
            let is_asked_for = self.contenders.is_empty()
                || self.contenders.iter().any(|asked| contender.is_meant_by(*asked));
            is_asked_for && (with_go || !contender.is_go())
        };
        let pairs = |work: Work| {
            let contenders = work.contenders().iter().copied().filter(&wanted);
            contenders.map(move |contender| (work, contender))
        };
        self.works().into_iter().flat_map(pairs).collect()
    }
}

/// Gives the figures to show while the comparison goes on.
fn brief(row: &Row) -> String {
    let figures = [
        row.rate.map(|rate| format!("{rate:.0}/s")),
        row.p50_us.map(|us| format!("p50 {us:.1} µs")),
        row.p99_us.map(|us| format!("p99 {us:.1} µs")),
        row.cpu_us_per_msg.map(|us| format!("{us:.2} µs cpu")),
        row.bytes_each.map(|bytes| format!("{bytes:.0} B each")),
    ];
    figures.into_iter().flatten().collect::<Vec<_>>().join("  ")
}
