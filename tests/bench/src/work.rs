//! A workload with its parameters, and how the command line, the tables and the results name it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, Error, Result, bail, ensure};

use crate::contender::Contender;
use crate::message::LARGE;
use crate::workload::{Figure, Workload};

/// One row of a comparison: `W4`, `W4@4k` with messages of 4 KiB, `W2x32` with 32 calls at a time,
/// `W4+10ms` over a distance of 10 ms each way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Work {
    pub(crate) workload: Workload,
    /// The bytes of a payload.
    pub(crate) size: usize,
    /// The calls, streams or connections at a time; 1 for a workload that has no such number.
    pub(crate) count: usize,
    /// How long each direction takes through the proxy; 0 is without one.
    pub(crate) delay_ms: u32,
}

impl Work {
    /// The server stream of 1 MiB, which has a name of its own.
    pub(crate) const LARGE: Self = Self { size: LARGE, ..Workload::Download.usual() };

    /// The rows of a comparison for which nothing else is chosen.
    pub(crate) fn all_usual() -> Vec<Self> {
        let mut works: Vec<Self> = Workload::ALL.iter().map(|workload| workload.usual()).collect();
        let after_streams = works.iter().position(|work| work.workload == Workload::Idle);
        works.insert(after_streams.unwrap_or(works.len()), Self::LARGE);
        works
    }

    pub(crate) fn name(self) -> String {
        if self == Self::LARGE {
            return LARGE_NAME.to_owned();
        }
        let usual = self.workload.usual();
        let mut name = self.workload.name().to_owned();
        if self.count != usual.count {
            name += &format!("x{}", self.count);
        }
        if self.size != usual.size {
            name += &format!("@{}", short_size(self.size));
        }
        if self.delay_ms > 0 {
            name += &format!("+{}ms", self.delay_ms);
        }
        name
    }

    pub(crate) fn title(self) -> String {
        let mut title = match self.workload {
            Workload::Neighbour => format!("ping-pong by a flood of {}", size_text(self.size)),
            Workload::UnaryMany => format!("unary, {} in flight", thousands(self.count)),
            Workload::TalkMany if self.count == 1 => "echo on 1 stream".to_owned(),
            Workload::TalkMany => format!("echo on {} streams", thousands(self.count)),
            Workload::Idle => format!("{} idle streams", thousands(self.count)),
            Workload::Connections => format!("{} connections", thousands(self.count)),
            Workload::Floods => {
                format!("{} floods of {}", thousands(self.count), size_text(self.size))
            }
            workload => workload.title().to_owned(),
        };
        let usual = self.workload.usual();
        if self.workload == Workload::Churn && self.count != usual.count {
            title += &format!(", {} at a time", thousands(self.count));
        }
        if self.size != usual.size
            && !matches!(self.workload, Workload::Neighbour | Workload::Floods)
        {
            title += &format!(", {}", size_text(self.size));
        }
        if self.delay_ms > 0 {
            title += &format!(", {} ms away", self.delay_ms);
        }
        title
    }

    /// The shortest run that tells the rate: forty times there and back, of which the first
    /// ones find out the window.
    pub(crate) fn least(self) -> Duration {
        80 * Duration::from_millis(self.delay_ms.into())
    }

    pub(crate) fn figure(self) -> Figure {
        self.workload.figure()
    }

    /// In the order in which they run, one after the other, in each round.
    pub(crate) fn contenders(self) -> &'static [Contender] {
        self.workload.contenders()
    }
}

impl From<Workload> for Work {
    fn from(workload: Workload) -> Self {
        workload.usual()
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name())
    }
}

impl FromStr for Work {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let text = text.to_ascii_lowercase();
        let (rest, delay) = cut(&text, '+');
        let (rest, size) = cut(rest, '@');
        let (name, count) = cut(rest, 'x');
        let usual = if name.eq_ignore_ascii_case(LARGE_NAME) {
            Self::LARGE
        } else {
            Workload::by_name(name).with_context(|| format!("there is no workload {name}"))?.usual()
        };
        let mut work = usual;
        if let Some(size) = size {
            ensure!(usual.workload.has_size(), "{} has messages of one size", usual.name());
            work.size = bytes(size)?;
        }
        if let Some(count) = count {
            ensure!(usual.workload.has_count(), "{} does one thing at a time", usual.name());
            work.count = count.parse().with_context(|| format!("{count} is not a number"))?;
            ensure!((1..=MOST).contains(&work.count), "{count} is not from 1 to {MOST}");
        }
        if let Some(delay) = delay {
            ensure!(usual.workload.has_distance(), "{} has too many connections", usual.name());
            work.delay_ms = milliseconds(delay)?;
        }
        Ok(work)
    }
}

/// The two sides of a character, of which the second may be missing.
fn cut(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at).map_or((text, None), |(before, after)| (before, Some(after)))
}

/// The number in `32`, `4k` or `1m`.
fn bytes(text: &str) -> Result<usize> {
    let (digits, unit) = match text.strip_suffix('k') {
        Some(digits) => (digits, KIB),
        None => text.strip_suffix('m').map_or((text, 1), |digits| (digits, MIB)),
    };
    let number: usize = digits.parse().with_context(|| format!("{text} is not a size"))?;
    match number.checked_mul(unit) {
        Some(size) if size <= LARGE => Ok(size),
        _ => bail!("{text} is larger than 1m"),
    }
}

/// The number in `10ms`.
fn milliseconds(text: &str) -> Result<u32> {
    let digits = text.strip_suffix("ms").with_context(|| format!("{text} is not like 10ms"))?;
    let delay = digits.parse().with_context(|| format!("{digits} is not a number"))?;
    ensure!((1..=1_000).contains(&delay), "{text} is not from 1ms to 1000ms");
    Ok(delay)
}

fn short_size(size: usize) -> String {
    match size {
        0 => "0".to_owned(),
        size if size.is_multiple_of(MIB) => format!("{}m", size / MIB),
        size if size.is_multiple_of(KIB) => format!("{}k", size / KIB),
        size => size.to_string(),
    }
}

/// A size for a person.
pub(crate) fn size_text(size: usize) -> String {
    match size {
        0 => "0 B".to_owned(),
        size if size.is_multiple_of(MIB) => format!("{} MiB", size / MIB),
        size if size.is_multiple_of(KIB) => format!("{} KiB", size / KIB),
        size => format!("{size} B"),
    }
}

/// A number for a person: `10,000`.
pub(crate) fn thousands(number: usize) -> String {
    if number < 1_000 {
        return number.to_string();
    }
    format!("{},{:03}", thousands(number / 1_000), number % 1_000)
}

const LARGE_NAME: &str = "W8";
const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// No workload does more at a time: the files of a process are limited.
const MOST: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn work(text: &str) -> Work {
        text.parse().expect("it names a work")
    }

    #[test]
    fn every_name_means_the_work_that_has_it() {
        let more = [
            "W4@0",
            "W4@1k",
            "W4@1000",
            "W2x1024",
            "W11x5000",
            "W7x1",
            "W7x8@4k",
            "W12@64k",
            "W6@64k+50ms",
        ];
        for usual in Work::all_usual() {
            assert_eq!(work(&usual.name()), usual);
        }
        for name in more {
            assert_eq!(work(name).name(), name);
            assert_eq!(work(&name.to_lowercase()), work(name));
        }
    }

    #[test]
    fn the_usual_parameters_are_left_out_of_the_name() {
        let shorter = [("W4@32", "W4"), ("W2x128", "W2"), ("W4@1m", "W8"), ("W4@1024k", "W8")];
        for (long, short) in shorter {
            assert_eq!(work(long), work(short));
            assert_eq!(work(long).name(), short);
        }
        assert_eq!(work("W8@4k").name(), "W4@4k");
    }

    #[test]
    fn a_parameter_that_a_work_does_not_have_is_refused() {
        let wrong = [
            "W14", "W4x2", "W9@1k", "W2@4k", "W2x0", "W2x10001", "W4@2m", "W4@", "W4@k", "W2x", "",
        ];
        for name in wrong {
            assert!(name.parse::<Work>().is_err(), "{name} was taken");
        }
    }

    #[test]
    fn titles_are_written_for_a_person() {
        assert_eq!(work("W2x1024").title(), "unary, 1,024 in flight");
        assert_eq!(work("W4@4k").title(), "server stream, 4 KiB");
        assert_eq!(work("W11x5000").title(), "5,000 connections");
        assert_eq!(work("W6@1k+10ms").title(), "echo on a stream, 1 KiB, 10 ms away");
        assert_eq!(work("W10x8").title(), "short streams, 8 at a time");
        assert_eq!(work("W12").title(), "ping-pong by a flood of 1 MiB");
        assert_eq!(thousands(1_002_003), "1,002,003");
    }
}
