//! The server's memory beside what the library counts.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use trill_tests::process::Process;

/// The memory that is neither counted nor a fault: allocators, stacks, tables.
const MARGIN: u64 = 64 * 1024;

/// Growth within this much of the moment at which memory was read counts as the same moment.
const SECOND: Duration = Duration::from_secs(1);

/// One report of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    /// Since the server began to report.
    pub(crate) at: Duration,
    /// The resident memory in KiB.
    pub(crate) resident: u64,
    /// The bytes that `ServerHandle::buffered` tells, unread and unsent.
    pub(crate) counted: u64,
}

impl Display for Sample {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.at.as_millis(), self.resident, self.counted)
    }
}

impl FromStr for Sample {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let numbers: Result<Vec<u64>, _> = line.split(' ').map(str::parse).collect();
        match numbers.map_err(|error| format!("{line}: {error}"))?[..] {
            [at, resident, counted] => {
                Ok(Self { at: Duration::from_millis(at), resident, counted })
            }
            _ => Err(format!("{line}: three numbers were expected")),
        }
    }
}

/// The samples of a server, as they come.
#[derive(Clone, Default)]
pub(crate) struct Watch(Arc<Mutex<Vec<Sample>>>);

impl Watch {
    /// Collects what a server reports from now on, until it ends.
    pub(crate) fn over(server: &mut Process) -> Self {
        let watch = Self::default();
        let (samples, mut lines) = (watch.clone(), server.lines().expect("it is watched once"));
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let sample = line.parse().expect("a server reports samples");
                samples.0.lock().unwrap_or_else(PoisonError::into_inner).push(sample);
            }
        });
        watch
    }

    /// The samples since the last call of this.
    pub(crate) fn take(&self) -> Vec<Sample> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The memory of a server under attack, in KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Growth {
    /// The peak above the calm server's.
    pub(crate) grown: u64,
    /// The greatest count in the same second.
    pub(crate) counted: u64,
}

impl Growth {
    /// The growth from a calm time to an attack. Without samples of both there is none to judge.
    pub(crate) fn between(calm: &[Sample], attacked: &[Sample]) -> Option<Self> {
        let resident = |samples: &[Sample]| samples.iter().map(|sample| sample.resident).max();
        let (before, peak) = (resident(calm)?, resident(attacked)?);
        let grown = peak.saturating_sub(before);
        // An allocator keeps what was freed, so the peak is reached again and again later, when
        // nothing is counted any more: the moment is the first one that comes near it.
        let near = peak - grown / 20;
        let moment = attacked.iter().find(|sample| sample.resident >= near)?.at;
        let same = attacked.iter().filter(|sample| sample.at.abs_diff(moment) <= SECOND);
        let counted = same.map(|sample| sample.counted).max()? / 1024;
        Some(Self { grown, counted })
    }

    /// The growth that is allowed: half as much again as was counted, and a margin.
    pub(crate) fn limit(self) -> u64 {
        MARGIN + self.counted * 3 / 2
    }

    pub(crate) fn is_within(self) -> bool {
        self.grown <= self.limit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(at: u64, resident_mib: u64, counted_mib: u64) -> Sample {
        let (resident, counted) = (resident_mib * 1024, counted_mib * 1024 * 1024);
        Sample { at: Duration::from_millis(at), resident, counted }
    }

    fn growth(attacked: &[Sample]) -> Growth {
        Growth::between(&[sample(0, 9, 0), sample(100, 10, 0)], attacked)
            .expect("there are samples")
    }

    #[test]
    fn what_is_not_counted_may_be_64_mib() {
        assert!(growth(&[sample(200, 74, 0)]).is_within());
        assert!(!growth(&[sample(200, 75, 0)]).is_within());
    }

    #[test]
    fn what_is_counted_may_be_half_as_much_again() {
        assert!(growth(&[sample(200, 374, 200)]).is_within());
        assert!(!growth(&[sample(200, 376, 200)]).is_within());
    }

    #[test]
    fn what_was_counted_at_another_time_does_not_excuse_the_peak() {
        assert!(!growth(&[sample(200, 20, 200), sample(1_500, 200, 0)]).is_within());
        assert!(growth(&[sample(200, 20, 200), sample(1_100, 200, 0)]).is_within());
    }

    #[test]
    fn memory_that_an_allocator_keeps_is_judged_by_the_time_at_which_it_grew() {
        let kept = [sample(200, 310, 200), sample(5_000, 311, 0), sample(9_000, 312, 0)];
        assert!(growth(&kept).is_within());
    }

    #[test]
    fn a_sample_survives_being_written() {
        let sample = sample(1, 2, 3);
        assert_eq!(sample.to_string().parse(), Ok(sample));
        assert!("1 2".parse::<Sample>().is_err() && "x y z".parse::<Sample>().is_err());
    }
}
