//! The results as Markdown, to be pasted where it is needed: medians, ratios, and how the goals
//! stand.

use std::fmt;

use crate::contender::Contender;
use crate::goals::Goal;
use crate::row::Row;
use crate::work::Work;
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
    pub(crate) fn figure(&self, work: Work, contender: Contender, figure: Figure) -> Option<f64> {
        self.row(work, contender)?.figure(figure)
    }

    /// The best median among tonic's forms.
    pub(crate) fn best_of_tonic(&self, work: Work, figure: Figure) -> Option<f64> {
        Contender::ALL
            .iter()
            .filter(|contender| contender.is_tonic())
            .filter_map(|contender| self.figure(work, *contender, figure))
            .reduce(|one, other| figure.better(one, other))
    }

    /// The better median of Trill's forms, and which form it is.
    pub(crate) fn best_of_trill(&self, work: Work, figure: Figure) -> Option<(Contender, f64)> {
        let usual = self.figure(work, Contender::Trill, figure)?;
        let per_core = self.figure(work, Contender::TrillPerCore, figure);
        let better = per_core.filter(|per_core| figure.better(*per_core, usual) != usual);
        Some(better.map_or((Contender::Trill, usual), |better| (Contender::TrillPerCore, better)))
    }

    pub(crate) fn medians(&self) -> &[Row] {
        &self.medians
    }

    /// All works that were measured, in the order of their first measurements.
    pub(crate) fn works(&self) -> Vec<Work> {
        let mut works = Vec::new();
        for work in self.medians.iter().filter_map(|row| row.workload.parse().ok()) {
            if !works.contains(&work) {
                works.push(work);
            }
        }
        works
    }

    fn row(&self, work: Work, contender: Contender) -> Option<&Row> {
        self.medians
            .iter()
            .find(|row| row.workload == work.name() && row.contender == contender.name())
    }

    /// Trill's figures divided by the other's. Processor time goes along, because it is steadier
    /// than rates on a busy machine.
    fn ratios(&self, work: Work, contender: Contender) -> String {
        let mut figures = vec![work.figure()];
        match work.workload {
            Workload::Connections => figures.extend([Figure::P99, Figure::BytesEach]),
            Workload::Neighbour => figures.extend([Figure::P99, Figure::Rate]),
            Workload::Floods => figures.push(Figure::Rate),
            _ => {}
        }
        figures.push(Figure::Cpu);
        let ratio = |figure| {
            let ours = self.figure(work, Contender::Trill, figure)?;
            let theirs = self.figure(work, contender, figure)?;
            Some(format!("{figure} {:.2}", ours / theirs))
        };
        figures.into_iter().filter_map(ratio).collect::<Vec<_>>().join(", ")
    }

    fn write_work(&self, f: &mut fmt::Formatter<'_>, work: Work) -> fmt::Result {
        for contender in work.contenders() {
            let Some(row) = self.row(work, *contender) else { continue };
            let ratios = if *contender == Contender::Trill {
                String::new()
            } else {
                self.ratios(work, *contender)
            };
            let figures = [
                row.rate.map(|rate| rate_text(work, rate)),
                row.p50_us.map(|us| format!("{us:.1}")),
                row.p99_us.map(|us| format!("{us:.1}")),
                row.cpu_us_per_msg.map(|us| format!("{us:.3}")),
                row.bytes_each.map(|bytes| format!("{bytes:.0}")),
            ];
            write!(f, "| {work} | {} | {} |", work.title(), contender.name())?;
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
        for work in self.works() {
            self.write_work(f, work)?;
        }

        writeln!(f, "\n| | goal | reached | |")?;
        writeln!(f, "|---|---|--:|---|")?;
        for goal in Goal::all() {
            if let Some(standing) = goal.standing(self) {
                let met = if standing.met { "met" } else { "**not met**" };
                let work = goal.work();
                writeln!(f, "| {work} | {} | {:.2} | {met} |", standing.aim, standing.reached)?;
            }
        }
        Ok(())
    }
}

/// Pieces of work a second, and the bytes that they carry where those are many.
fn rate_text(work: Work, rate: f64) -> String {
    let pieces = match rate {
        1e6.. => format!("{:.2} M", rate / 1e6),
        1e4.. => format!("{:.1} k", rate / 1e3),
        _ => format!("{rate:.0}"),
    };
    let mebibytes = rate * work.size as f64 / f64::from(1 << 20);
    match mebibytes {
        _ if work.size < 1 << 10 => pieces,
        1024.0.. => format!("{pieces}, {:.2} GiB", mebibytes / 1024.0),
        _ => format!("{pieces}, {mebibytes:.0} MiB"),
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
        assert_eq!(
            report.figure(Workload::Unary.usual(), Contender::Trill, Figure::P50),
            Some(22.0)
        );
        let report = Report::new(&[row(1, 20.0), row(2, 22.0)]);
        assert_eq!(
            report.figure(Workload::Unary.usual(), Contender::Trill, Figure::P50),
            Some(21.0)
        );
        assert_eq!(report.figure(Workload::Unary.usual(), Contender::Trill, Figure::Rate), None);
    }
    #[test]
    fn the_bytes_of_large_messages_are_told() {
        assert_eq!(rate_text(Workload::Download.usual(), 2.5e6), "2.50 M");
        assert_eq!(rate_text(Work::LARGE, 4_096.0), "4096, 4.00 GiB");
        let work = Work { size: 4 << 10, ..Workload::Download.usual() };
        assert_eq!(rate_text(work, 25_600.0), "25.6 k, 100 MiB");
    }
}
