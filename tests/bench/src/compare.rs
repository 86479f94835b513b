//! The whole comparison: who runs when, and what is done with what comes out.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use crate::chart;
use crate::contender::Contender;
use crate::process;
use crate::report::Report;
use crate::row::Row;
use crate::workload::Workload;

/// The settings of a comparison.
#[derive(Args)]
pub(crate) struct Comparison {
    /// How often everything is measured; medians are reported
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// How long each measurement takes
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Only these workloads
    #[arg(long, value_delimiter = ',', ignore_case = true)]
    only: Vec<Workload>,
    /// Only these contenders; `tonic` means all its forms
    #[arg(long, value_delimiter = ',')]
    contenders: Vec<Contender>,
    /// Write each measurement as a line of JSON to this file
    #[arg(long)]
    json: Option<PathBuf>,
    /// Draw a picture of the medians into this file
    #[arg(long)]
    svg: Option<PathBuf>,
}

/// Measures each contender in turn, in each workload, in each round; so what disturbs the machine
/// for a while disturbs all of them.
pub(crate) async fn run(comparison: &Comparison) -> Result<()> {
    let pairs = comparison.pairs();
    ensure!(!pairs.is_empty(), "none of these contenders takes part in these workloads");
    let mut json = match &comparison.json {
        Some(path) => {
            Some(std::fs::File::create(path).with_context(|| path.display().to_string())?)
        }
        None => None,
    };

    let start = Instant::now();
    let mut rows = Vec::new();
    for round in 1..=comparison.rounds {
        for (at, &(workload, contender)) in pairs.iter().enumerate() {
            let seconds = start.elapsed().as_secs();
            eprint!(
                "{seconds:4} s  round {round}/{}  {:3}/{}  ",
                comparison.rounds,
                at + 1,
                pairs.len()
            );
            eprint!("{:<6} {:<14}", workload.name(), contender.name());
            let row = process::measure(contender, workload, comparison.seconds)
                .await
                .with_context(|| format!("{} with {}", workload.name(), contender.name()))?;
            let row = Row { round, ..row };
            eprintln!("{}", brief(&row));
            if let Some(file) = &mut json {
                writeln!(file, "{}", serde_json::to_string(&row)?)?;
            }
            rows.push(row);
        }
    }

    let report = Report::new(&rows);
    print!("{report}");
    match &comparison.svg {
        Some(path) => chart::draw(&report, path),
        None => Ok(()),
    }
}

impl Comparison {
    fn pairs(&self) -> Vec<(Workload, Contender)> {
        let wanted = |contender: &Contender| {
            self.contenders.is_empty()
                || self.contenders.iter().any(|asked| contender.is_meant_by(*asked))
        };
        Workload::ALL
            .iter()
            .filter(|workload| self.only.is_empty() || self.only.contains(workload))
            .flat_map(|&workload| {
                let contenders = workload.contenders().iter().copied().filter(&wanted);
                contenders.map(move |contender| (workload, contender))
            })
            .collect()
    }
}

/// Gives the figures to show while the comparison goes on.
fn brief(row: &Row) -> String {
    let figures = [
        row.rate.map(|rate| format!("{rate:.0}/s")),
        row.p50_us.map(|us| format!("p50 {us:.1} µs")),
        row.cpu_us_per_msg.map(|us| format!("{us:.2} µs cpu")),
        row.bytes_each.map(|bytes| format!("{bytes:.0} B each")),
    ];
    figures.into_iter().flatten().collect::<Vec<_>>().join("  ")
}
