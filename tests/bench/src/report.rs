//! The results as Markdown, to be pasted where it is needed: medians, ratios, and how the goals
//! stand.

use std::fmt;

use clap::ValueEnum as _;

use crate::contender::Contender;
use crate::goals::Goal;
use crate::row::Row;
use crate::workload::{Figure, Workload};

/// The medians of all measurements, and the first measurements' order.
pub(crate) struct Report {
    medians: Vec<Row>,
}

impl Report {
    pub(crate) fn new(rows: &[Row]) -> Self {
        let mut medians: Vec<Row> = Vec::new();
        for row in rows {
            let same =
                |other: &&Row| other.workload == row.workload && other.contender == row.contender;
            if medians.iter().any(|known| same(&known)) {
                continue;
            }
            let rounds: Vec<&Row> = rows.iter().filter(same).collect();
            medians.push(Row {
                workload: row.workload.clone(),
                contender: row.contender.clone(),
                round: 0,
                rate: median(&rounds, |row| row.rate),
                p50_us: median(&rounds, |row| row.p50_us),
                p99_us: median(&rounds, |row| row.p99_us),
                cpu_us_per_msg: median(&rounds, |row| row.cpu_us_per_msg),
                bytes_each: median(&rounds, |row| row.bytes_each),
            });
        }
        Self { medians }
    }

    /// The median of a figure, if it was measured.
    pub(crate) fn figure(
        &self,
        workload: Workload,
        contender: Contender,
        figure: Figure,
    ) -> Option<f64> {
        self.row(workload, contender)?.figure(figure)
    }

    /// The best median among tonic's forms.
    pub(crate) fn best_of_tonic(&self, workload: Workload, figure: Figure) -> Option<f64> {
        Contender::value_variants()
            .iter()
            .filter(|contender| contender.is_tonic())
            .filter_map(|contender| self.figure(workload, *contender, figure))
            .reduce(|one, other| figure.better(one, other))
    }

    fn row(&self, workload: Workload, contender: Contender) -> Option<&Row> {
        self.medians
            .iter()
            .find(|row| row.workload == workload.name() && row.contender == contender.name())
    }

    /// Trill's figures divided by the other's. Processor time goes along, because it is steadier
    /// than rates on a busy machine.
    fn ratios(&self, workload: Workload, contender: Contender) -> String {
        let mut figures = vec![workload.figure()];
        if workload == Workload::Connections {
            figures.push(Figure::BytesEach);
        }
        let ratio = |figure| {
            let ours = self.figure(workload, Contender::Trill, figure)?;
            let theirs = self.figure(workload, contender, figure)?;
            Some(format!("{figure} {:.2}", ours / theirs))
        };
        let cpu = |contender| self.row(workload, contender)?.cpu_us_per_msg;
        let cpu = cpu(Contender::Trill)
            .zip(cpu(contender))
            .map(|(ours, theirs)| format!("cpu {:.2}", ours / theirs));
        figures.into_iter().filter_map(ratio).chain(cpu).collect::<Vec<_>>().join(", ")
    }

    fn write_workload(&self, f: &mut fmt::Formatter<'_>, workload: Workload) -> fmt::Result {
        for contender in workload.contenders() {
            let Some(row) = self.row(workload, *contender) else { continue };
            let ratios = if *contender == Contender::Trill {
                String::new()
            } else {
                self.ratios(workload, *contender)
            };
            let figures = [
                row.rate.map(|rate| rate_text(workload, rate)),
                row.p50_us.map(|us| format!("{us:.1}")),
                row.p99_us.map(|us| format!("{us:.1}")),
                row.cpu_us_per_msg.map(|us| format!("{us:.3}")),
                row.bytes_each.map(|bytes| format!("{bytes:.0}")),
            ];
            write!(f, "| {} | {} | {} |", workload.name(), workload.title(), contender.name())?;
            for figure in figures {
                write!(f, " {} |", figure.unwrap_or_default())?;
            }
            writeln!(f, " {ratios} |")?;
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\n| | work | contender | a second | p50 µs | p99 µs | CPU µs each | bytes each | Trill ÷ it |"
        )?;
        writeln!(f, "|---|---|---|--:|--:|--:|--:|--:|---|")?;
        for workload in Workload::ALL {
            self.write_workload(f, *workload)?;
        }

        writeln!(f, "\n| | goal | reached | |")?;
        writeln!(f, "|---|---|--:|---|")?;
        for goal in Goal::all() {
            if let Some(standing) = goal.standing(self) {
                let met = if standing.met { "met" } else { "**not met**" };
                let workload = goal.workload().name();
                writeln!(f, "| {workload} | {} | {:.2} | {met} |", standing.aim, standing.reached)?;
            }
        }
        Ok(())
    }
}

fn rate_text(workload: Workload, rate: f64) -> String {
    if workload == Workload::Large {
        return format!("{:.2} GiB", rate / 1024.0);
    }
    match rate {
        1e6.. => format!("{:.2} M", rate / 1e6),
        1e4.. => format!("{:.1} k", rate / 1e3),
        _ => format!("{rate:.0}"),
    }
}

fn median(rows: &[&Row], figure: impl Fn(&Row) -> Option<f64>) -> Option<f64> {
    let mut figures: Vec<f64> = rows.iter().filter_map(|row| figure(row)).collect();
    figures.sort_by(f64::total_cmp);
    // Of an even number the two in the middle count.
    let low = figures.len().checked_sub(1)? / 2;
    let high = figures.len() / 2;
    Some(f64::midpoint(figures[low], figures[high]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(round: u32, p50: f64) -> Row {
        Row {
            workload: "W1".to_owned(),
            contender: "trill".to_owned(),
            round,
            p50_us: Some(p50),
            ..Row::default()
        }
    }

    #[test]
    fn one_bad_round_does_not_matter() {
        let report = Report::new(&[row(1, 20.0), row(2, 900.0), row(3, 22.0)]);
        assert_eq!(report.figure(Workload::Unary, Contender::Trill, Figure::P50), Some(22.0));
        let report = Report::new(&[row(1, 20.0), row(2, 22.0)]);
        assert_eq!(report.figure(Workload::Unary, Contender::Trill, Figure::P50), Some(21.0));
        assert_eq!(report.figure(Workload::Unary, Contender::Trill, Figure::Rate), None);
    }
}
