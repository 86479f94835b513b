//! Medians of the rounds, as lines of a table.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use crate::attacks::Attack;
use crate::callers::{Latency, Seen};

/// The table's head.
pub(crate) const HEAD: &str = "\
latency in µs: calm, with the hostile clients at another server, with them here; and the medians of the rounds' ratios
of here to calm and of here to elsewhere. Of how many answers in one measurement, and the server's memory.

                                                                       p50                                   p99            least  server
hostile clients                                    calm  elsewh.   here  /calm  /els.    calm  elsewh.   here  /calm  /els.  answers     MiB";

/// The rounds of one sort of hostile clients.
pub(crate) struct Report {
    name: &'static str,
    rounds: Vec<Round>,
    resident: u64,
}

/// What was seen in one round.
pub(crate) struct Round {
    pub(crate) calm: Seen,
    pub(crate) elsewhere: Seen,
    pub(crate) here: Seen,
}

impl Report {
    pub(crate) fn new(attack: &Attack) -> Self {
        Self { name: attack.name, rounds: Vec::new(), resident: 0 }
    }

    /// Adds a round, and the server's memory in KiB meanwhile.
    pub(crate) fn add(&mut self, round: Round, resident: u64) {
        self.rounds.push(round);
        self.resident = self.resident.max(resident);
    }

    fn line(&self, f: &mut Formatter<'_>, which: fn(&Seen) -> &Latency) -> fmt::Result {
        self.show(f, |seen| which(seen).p50)?;
        self.show(f, |seen| which(seen).p99)?;
        let all = self.rounds.iter().flat_map(|round| [round.calm, round.elsewhere, round.here]);
        write!(f, "  {:>7}", all.map(|seen| which(&seen).count).min().unwrap_or(0))
    }

    fn show(&self, f: &mut Formatter<'_>, which: impl Fn(&Seen) -> Duration) -> fmt::Result {
        let us = |seen: &Seen| which(seen).as_secs_f64() * 1e6;
        let of = |value: &dyn Fn(&Round) -> f64| median(self.rounds.iter().map(value));
        write!(f, "  {:>6.0}", of(&|round| us(&round.calm)))?;
        write!(f, "   {:>6.0}", of(&|round| us(&round.elsewhere)))?;
        write!(f, " {:>6.0}", of(&|round| us(&round.here)))?;
        write!(f, "  {:>5.2}", of(&|round| us(&round.here) / us(&round.calm)))?;
        write!(f, "  {:>5.2}", of(&|round| us(&round.here) / us(&round.elsewhere)))
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:<47}", self.name)?;
        self.line(f, |seen| &seen.call)?;
        writeln!(f, "  {:>6}", self.resident / 1024)?;
        write!(f, "{:>47}", "ping-pong")?;
        self.line(f, |seen| &seen.talk)
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
