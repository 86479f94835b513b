//! The verdict on a mode, from its rounds.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use crate::attacks::Mode;
use crate::measure::Measured;
use crate::memory::Growth;
use crate::strangers::{Kind, Served};

/// The part of the strangers' work that must be served.
const SERVED: f64 = 0.9;

/// How many times as long the strangers' work may take as beside the same attack at another server.
const P50: f64 = 2.0;
const P99: f64 = 4.0;

/// One round: the attack at the strangers' server, and at another one if latency is judged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    pub(crate) here: Measured,
    pub(crate) elsewhere: Option<Measured>,
}

/// The faults of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Memory,
    Served,
    Latency,
}

impl Round {
    /// Memory that is not counted, or a server that has ended.
    fn is_over_memory(&self) -> bool {
        !self.here.growth.is_some_and(Growth::is_within)
    }

    fn is_unserved(&self) -> bool {
        self.here.seen.iter().any(|served| served.part < SERVED)
    }

    fn is_slow(&self) -> bool {
        let Some(elsewhere) = &self.elsewhere else { return false };
        self.here.seen.iter().zip(&elsewhere.seen).any(|(here, elsewhere)| {
            ratio(here.p50, elsewhere.p50) > P50 || ratio(here.p99, elsewhere.p99) > P99
        })
    }

    fn has(&self, fault: Fault) -> bool {
        match fault {
            Fault::Memory => self.is_over_memory(),
            Fault::Served => self.is_unserved(),
            Fault::Latency => self.is_slow(),
        }
    }

    fn fails(&self) -> bool {
        [Fault::Memory, Fault::Served, Fault::Latency].iter().any(|it| self.has(*it))
    }

    /// Tells whether the machine was too busy for a verdict: strangers were not served beside an
    /// attack that did not concern them.
    fn is_void(&self) -> bool {
        self.elsewhere.is_some_and(|it| it.seen.iter().any(|served| served.part < SERVED))
    }
}

/// A mode and its rounds.
pub(crate) struct Report {
    name: &'static str,
    text: &'static str,
    rounds: Vec<Round>,
    /// The reason for which a round means nothing.
    broken: Option<String>,
}

impl Report {
    pub(crate) fn new(mode: &Mode) -> Self {
        Self { name: mode.name, text: mode.text, rounds: Vec::new(), broken: None }
    }

    pub(crate) fn add(&mut self, round: Result<Round, String>) {
        match round {
            Ok(round) => self.rounds.push(round),
            Err(why) => self.broken = Some(why),
        }
    }

    /// A mode fails when most of its rounds do, three of five.
    pub(crate) fn is_good(&self) -> bool {
        self.broken.is_none() && !self.is_void() && !self.fails()
    }

    /// The rest of so many rounds cannot change the verdict: most of them are alike.
    pub(crate) fn is_decided(&self, rounds: usize) -> bool {
        let bad = self.rounds.iter().filter(|round| round.is_void() || round.fails()).count();
        let good = self.rounds.len() - bad;
        self.broken.is_some() || bad.max(good) > rounds / 2
    }

    fn is_void(&self) -> bool {
        self.most(Round::is_void)
    }

    fn fails(&self) -> bool {
        self.most(Round::fails)
    }

    fn most(&self, is_so: impl Fn(&Round) -> bool) -> bool {
        2 * self.rounds.iter().filter(|round| is_so(round)).count() >= self.rounds.len().max(1)
    }

    /// The verdict in words, such as `FAIL: memory 5/5, latency 3/5`.
    fn verdict(&self) -> String {
        if let Some(why) = &self.broken {
            return format!("FAIL: {why}");
        }
        let faults =
            [(Fault::Memory, "memory"), (Fault::Served, "served"), (Fault::Latency, "latency")];
        let counted = faults.map(|(fault, name)| {
            let count = self.rounds.iter().filter(|round| round.has(fault)).count();
            (count > 0).then(|| format!("{name} {count}/{}", self.rounds.len()))
        });
        let seen: Vec<_> = counted.into_iter().flatten().collect();
        match (self.fails(), self.is_void(), &seen[..]) {
            (_, true, _) => "FAIL: the machine is too busy for a verdict".to_owned(),
            (true, ..) => format!("FAIL: {}", seen.join(", ")),
            (false, _, []) => "good".to_owned(),
            (false, ..) => format!("good; {}", seen.join(", ")),
        }
    }

    fn memory(&self) -> String {
        let growths: Vec<_> = self.rounds.iter().map(|round| round.here.growth).collect();
        if growths.iter().any(Option::is_none) {
            return "the server has ended".to_owned();
        }
        // The worst round: the one that is furthest above its limit, or nearest to it.
        let worst = growths.into_iter().flatten().max_by_key(|it| it.grown * 1_000 / it.limit());
        worst.map_or_else(String::new, |it| {
            format!(
                "{:>5} of {:>5} MiB, {} counted",
                it.grown / 1024,
                it.limit() / 1024,
                it.counted / 1024
            )
        })
    }

    fn of(&self, at: usize, which: impl Fn(&Served) -> f64) -> f64 {
        median(self.rounds.iter().map(|round| which(&round.here.seen[at])))
    }

    fn elsewhere(&self, at: usize, which: impl Fn(&Served) -> Duration) -> Option<f64> {
        let rounds = self.rounds.iter().filter_map(|round| round.elsewhere);
        let figures: Vec<_> =
            rounds.map(|measured| milliseconds(which(&measured.seen[at]))).collect();
        (!figures.is_empty()).then(|| median(figures.into_iter()))
    }

    fn ratio(&self, at: usize, which: impl Fn(&Served) -> Duration) -> Option<f64> {
        let ratios: Vec<_> = self
            .rounds
            .iter()
            .filter_map(|round| {
                Some(ratio(which(&round.here.seen[at]), which(&round.elsewhere?.seen[at])))
            })
            .collect();
        (!ratios.is_empty()).then(|| median(ratios.into_iter()))
    }
}

/// The head of the table.
pub(crate) const HEAD: &str = "\
Strangers' work beside an attack at another server (elsewhere) and at their own (here), in
milliseconds: medians of the rounds, and of the rounds' ratios. Memory: the worst round's growth
above the calm server, its limit, and what the library counted in the same second.
";

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} ({}): {}", self.name, self.text, self.verdict())?;
        writeln!(f, "    memory     {}", self.memory())?;
        for (at, kind) in Kind::ALL.into_iter().enumerate() {
            write!(
                f,
                "    {:<10} {:>5.1} % served",
                kind.name(),
                self.of(at, |served| served.part) * 100.0
            )?;
            let (p50, p99) = (|it: &Served| it.p50, |it: &Served| it.p99);
            self.latency(f, "p50", at, p50)?;
            self.latency(f, "p99", at, p99)?;
            writeln!(f)?;
        }
        Ok(())
    }
}

impl Report {
    fn latency(
        &self,
        f: &mut Formatter<'_>,
        name: &str,
        at: usize,
        which: impl Fn(&Served) -> Duration + Copy,
    ) -> fmt::Result {
        let here = self.of(at, |served| milliseconds(which(served)));
        match self.elsewhere(at, which).zip(self.ratio(at, which)) {
            Some((elsewhere, ratio)) => {
                write!(f, "   {name} {elsewhere:>7.2} -> {here:>8.2} ({ratio:>6.2} x)")
            }
            None => write!(f, "   {name} {here:>8.2}"),
        }
    }

    /// The last table's line.
    pub(crate) fn line(&self) -> String {
        format!("{:<18} {}", self.name, self.verdict())
    }
}

fn ratio(here: Duration, elsewhere: Duration) -> f64 {
    here.as_secs_f64() / elsewhere.as_secs_f64().max(1e-9)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use crate::attacks::MODES;

    use super::*;

    fn round(is_good: bool) -> Round {
        let part = if is_good { 1.0 } else { 0.5 };
        let served = Served { part, p50: Duration::from_millis(1), p99: Duration::from_millis(2) };
        let here = Measured { seen: [served; 3], growth: Some(Growth { grown: 0, counted: 0 }) };
        Round { here, elsewhere: None }
    }

    #[test]
    fn rounds_that_cannot_change_a_verdict_are_left_out() {
        for (rounds, needed, is_good) in [
            (&[true, true, true][..], 3, true),
            (&[false, true, false, true, true], 5, true),
            (&[false, true, true, false, false], 5, false),
            (&[false, false, false], 3, false),
        ] {
            let mut report = Report::new(&MODES[0]);
            let decided: Vec<_> = rounds
                .iter()
                .map(|is_good| {
                    report.add(Ok(round(*is_good)));
                    report.is_decided(5)
                })
                .collect();
            assert_eq!(decided.iter().position(|decided| *decided), Some(needed - 1), "{rounds:?}");
            assert_eq!(report.is_good(), is_good, "{rounds:?}");
        }
    }
}
