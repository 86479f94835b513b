//! What came out, as text.

use std::fmt;

use crate::row::Row;

/// The medians of all measurements.
pub(crate) struct Report {
    medians: Vec<Row>,
}

impl Report {
    pub(crate) fn new(rows: &[Row]) -> Self {
        let mut medians: Vec<Row> = Vec::new();
        for row in rows {
            let same = |other: &&Row| other.workload == row.workload && other.contender == row.contender;
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
}

fn median(rows: &[&Row], figure: impl Fn(&Row) -> Option<f64>) -> Option<f64> {
    let mut figures: Vec<f64> = rows.iter().filter_map(|row| figure(row)).collect();
    figures.sort_by(f64::total_cmp);
    let middle = figures.len().checked_sub(1)? / 2;
    // Of an even number the two in the middle count.
    Some((figures[middle] + figures[figures.len() / 2]) / 2.0)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in &self.medians {
            writeln!(f, "{row:?}")?;
        }
        Ok(())
    }
}
