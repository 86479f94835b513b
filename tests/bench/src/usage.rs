//! The resources that processes use.

use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::time::{ClockId, clock_getcpuclockid};
use nix::unistd::Pid;

/// The processor time of this process and another, in user and system mode.
pub(crate) fn processor_time_with(other: u32) -> Result<Duration> {
    let clock =
        clock_getcpuclockid(Pid::from_raw(i32::try_from(other)?)).context("the server's clock")?;
    let (here, there) = (ClockId::CLOCK_PROCESS_CPUTIME_ID.now()?, clock.now()?);
    Ok(Duration::from(here) + Duration::from(there))
}

/// The memory of a process that is in use and not on a disk.
pub(crate) fn resident_bytes(process: u32) -> Result<u64> {
    memory(process, "VmRSS:")
}

/// The most memory of a process that was in use at a time, since [`reset_peak`] or its begin.
pub(crate) fn peak_bytes(process: u32) -> Result<u64> {
    memory(process, "VmHWM:")
}

/// Begins the search for the peak anew. Gives what is in use now.
pub(crate) fn reset_peak(process: u32) -> Result<u64> {
    // proc(5): 5 resets the peak.
    std::fs::write(format!("/proc/{process}/clear_refs"), "5")?;
    resident_bytes(process)
}

fn memory(process: u32, name: &str) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let line = line.with_context(|| format!("no {name} of {process}"))?;
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kibibytes * 1024)
}

/// Lets this process open as many files as it may.
pub(crate) fn allow_many_files() -> Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, most, most)?)
}
