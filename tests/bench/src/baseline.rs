//! The results of a comparison as a file, and another comparison beside them.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::machine::Machine;
use crate::report::Report;
use crate::row::Row;
use crate::workload::Figure;

/// A line of the file. The machine is the first.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Line {
    Machine { machine: Machine },
    Row(Row),
}

/// The medians of an earlier comparison, and where it ran.
pub(crate) struct Baseline {
    machine: Machine,
    report: Report,
}

impl Baseline {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        Self::parse(&text).with_context(|| path.display().to_string())
    }

    fn parse(text: &str) -> Result<Self> {
        let (mut machine, mut rows) = (None, Vec::new());
        for line in text.lines() {
            match serde_json::from_str(line)? {
                Line::Machine { machine: described } => machine = Some(described),
                Line::Row(row) => rows.push(row),
            }
        }
        ensure!(!rows.is_empty(), "there is no measurement");
        let machine = machine.context("there is no machine: `compare --json` writes both")?;
        Ok(Self { machine, report: Report::new(&rows) })
    }

    /// The figures of a comparison divided by these, as Markdown.
    pub(crate) fn beside(&self, machine: &Machine, report: &Report) -> String {
        let mut text = format!("\nnow ÷ then, {} ÷ {}\n", machine.commit, self.machine.commit);
        for difference in machine.differences(&self.machine) {
            let _ = writeln!(text, "\n**Warning**, {difference}");
        }
        text +=
            "\n| | contender | rate | p50 | p99 | CPU | bytes |\n|---|---|--:|--:|--:|--:|--:|\n";
        for now in report.medians() {
            let same =
                |then: &&Row| (&then.workload, &then.contender) == (&now.workload, &now.contender);
            let Some(then) = self.report.medians().iter().find(same) else { continue };
            let _ = write!(text, "| {} | {} |", now.workload, now.contender);
            for figure in FIGURES {
                let ratio = now.figure(figure).zip(then.figure(figure));
                let ratio = ratio.map(|(now, then)| format!("{:.2}", now / then));
                let _ = write!(text, " {} |", ratio.unwrap_or_default());
            }
            text.push('\n');
        }
        text
    }
}

const FIGURES: [Figure; 5] =
    [Figure::Rate, Figure::P50, Figure::P99, Figure::Cpu, Figure::BytesEach];

#[cfg(test)]
mod tests {
    use super::*;

    fn file(rows: &[Row], machine: &Machine) -> String {
        let machine = Line::Machine { machine: machine.clone() };
        let rows = rows.iter().map(|row| Line::Row(row.clone()));
        let lines = std::iter::once(machine).chain(rows);
        lines.map(|line| serde_json::to_string(&line).expect("it is JSON") + "\n").collect()
    }

    fn row(workload: &str, rate: f64, cpu: Option<f64>) -> Row {
        Row {
            workload: workload.to_owned(),
            contender: "trill".to_owned(),
            rate: Some(rate),
            cpu_us_per_msg: cpu,
            ..Row::default()
        }
    }

    #[test]
    fn what_was_measured_both_times_is_set_beside() {
        let machine = Machine { load: 0.0, ..Machine::describe() };
        let then = [row("W4", 100.0, Some(2.0)), row("W4", 200.0, Some(4.0)), row("W5", 1.0, None)];
        let baseline = Baseline::parse(&file(&then, &machine)).expect("it is whole");
        let now = Report::new(&[row("W4", 300.0, Some(1.5)), row("W6", 1.0, None)]);
        let text = baseline.beside(&machine, &now);
        assert!(text.ends_with("--:|\n| W4 | trill | 2.00 |  |  | 0.50 |  |\n"), "{text}");
        assert!(!text.contains("Warning"), "{text}");
        let other = Machine { cores: machine.cores + 1, ..machine };
        let text = baseline.beside(&other, &now);
        assert!(text.contains("**Warning**, another number of cores"), "{text}");
    }

    #[test]
    fn a_file_without_a_machine_or_without_rows_is_refused() {
        let machine = Machine::describe();
        let rows = serde_json::to_string(&row("W4", 1.0, None)).expect("it is JSON");
        assert!(Baseline::parse(&rows).is_err());
        assert!(Baseline::parse(&file(&[], &machine)).is_err());
        assert!(Baseline::parse("{}").is_err());
    }
}
