//! Medians of the rounds, as a line of a table.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use crate::attacks::Attack;
use crate::callers::{Latency, Seen};

/// The table's head.
pub(crate) const HEAD: &str = "\
latency in µs: undisturbed, beside the hostile clients, and the median of the rounds' ratios

                                                        unary p50             unary p99         ping-pong p50         ping-pong p99     server
hostile clients                                   calm  beside  ratio   calm  beside  ratio   calm  beside  ratio   calm  beside  ratio        MiB";

/// The rounds of one sort of hostile clients.
pub(crate) struct Report {
    name: &'static str,
    rounds: Vec<(Seen, Seen)>,
    resident: u64,
}

impl Report {
    pub(crate) fn new(attack: &Attack) -> Self {
        Self { name: attack.name, rounds: Vec::new(), resident: 0 }
    }

    /// Adds a round: what was seen undisturbed and beside, and the server's memory in KiB then.
    pub(crate) fn add(&mut self, undisturbed: Seen, beside: Seen, resident: u64) {
        self.rounds.push((undisturbed, beside));
        self.resident = self.resident.max(resident);
    }

    fn show(&self, f: &mut Formatter<'_>, which: fn(&Seen) -> Duration) -> fmt::Result {
        let us = |seen: &Seen| which(seen).as_secs_f64() * 1e6;
        let calm = median(self.rounds.iter().map(|(calm, _)| us(calm)));
        let beside = median(self.rounds.iter().map(|(_, beside)| us(beside)));
        let ratio = median(self.rounds.iter().map(|(calm, beside)| us(beside) / us(calm)));
        write!(f, "  {calm:>5.0}  {beside:>6.0}  {ratio:>5.2}")
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:<47}", self.name)?;
        self.show(f, |Seen { call: Latency { p50, .. }, .. }| *p50)?;
        self.show(f, |Seen { call: Latency { p99, .. }, .. }| *p99)?;
        self.show(f, |Seen { talk: Latency { p50, .. }, .. }| *p50)?;
        self.show(f, |Seen { talk: Latency { p99, .. }, .. }| *p99)?;
        write!(f, "  {:>9}", self.resident / 1024)
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
