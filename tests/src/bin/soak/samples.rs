//! The resources of this process: memory, tasks, open files.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use trill_tests::process;

const MIB: u64 = 1024 * 1024;

/// Growth that is not held against it: pages that the allocator has not given back.
const SLACK: u64 = 4 * MIB;

/// How long tasks and sockets may take to end.
const LEAVE_LIMIT: Duration = Duration::from_secs(20);

/// One look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// Bytes of resident memory.
    pub(crate) resident: u64,
    pub(crate) tasks: usize,
    pub(crate) files: usize,
}

/// Looks now.
pub(crate) fn look() -> Sample {
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    Sample { resident: process::resident() * 1024, tasks, files: files() }
}

impl Sample {
    /// Waits until there are no more tasks and files than then.
    pub(crate) async fn is_all_that_is_left(&self) -> Result<(), String> {
        let mut now = look();
        let ended = async {
            while now.tasks > self.tasks || now.files > self.files {
                tokio::time::sleep(Duration::from_millis(10)).await;
                now = look();
            }
        };
        let ended = tokio::time::timeout(LEAVE_LIMIT, ended).await;
        ended.map_err(|_| {
            let Self { tasks, files, .. } = now;
            format!("{tasks} tasks and {files} files, there were {} and {}", self.tasks, self.files)
        })
    }
}

impl Display for Sample {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { resident, tasks, files } = self;
        write!(f, "{:>5.1} MiB  {tasks:>6}  {files:>5}", in_mib(*resident))
    }
}

/// Resident memory over the whole run.
#[derive(Debug, Default)]
pub(crate) struct Samples(Vec<u64>);

impl Samples {
    pub(crate) fn add(&mut self, resident: u64) {
        self.0.push(resident);
    }

    /// Flat means: behind the first fifth, in which buffers and the allocator's arenas are made,
    /// the median of the last third is at most the median of the first third, a tenth of that, and
    /// 4 MiB. Medians, because a peak is no growth.
    pub(crate) fn are_flat(&self) -> Result<(), String> {
        let (first, last) = self.thirds();
        if last <= first + first / 10 + SLACK {
            return Ok(());
        }
        Err(format!("it grew from {:.1} to {:.1} MiB", in_mib(first), in_mib(last)))
    }

    pub(crate) fn summary(&self) -> String {
        let (first, last) = self.thirds();
        let most = self.0.iter().max().copied().unwrap_or(0);
        format!(
            "resident memory after the first fifth: median of the first third {:.1} MiB, of the last third {:.1} MiB; {:.1} MiB at most",
            in_mib(first),
            in_mib(last),
            in_mib(most)
        )
    }

    fn thirds(&self) -> (u64, u64) {
        let steady = &self.0[self.0.len() / 5..];
        let third = steady.len().div_ceil(3);
        (median(&steady[..third]), median(&steady[steady.len() - third..]))
    }
}

fn median(samples: &[u64]) -> u64 {
    let mut samples = samples.to_vec();
    samples.sort_unstable();
    samples.get(samples.len() / 2).copied().unwrap_or(0)
}

#[expect(clippy::cast_precision_loss, reason = "for people to read")]
fn in_mib(bytes: u64) -> f64 {
    bytes as f64 / MIB as f64
}

/// The look itself opens one.
fn files() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}
