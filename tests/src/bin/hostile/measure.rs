//! One measurement: a fresh server, strangers, and attackers at it or at another one.

use std::net::SocketAddr;
use std::time::Duration;

use trill_tests::process::Process;

use crate::attacks::Mode;
use crate::memory::{Growth, Sample, Watch};
use crate::strangers::{Seen, Strangers};

/// How long, and how patient.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lengths {
    /// The strangers' work while the attack is under way.
    pub(crate) attacked: Duration,
    /// A stranger's patience.
    pub(crate) limit: Duration,
}

/// The strangers' work before an attack, for buffers and memory to have their size.
const CALM: Duration = Duration::from_millis(500);

/// Growth below so many KiB a second is no growth.
const SETTLED: u64 = 1024;

/// The measurement of one attack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    pub(crate) seen: Seen,
    /// `None` if the server has ended.
    pub(crate) growth: Option<Growth>,
}

/// The server that is attacked: the strangers' own, or another that none of them uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    Here,
    Elsewhere,
}

/// Measures one attack.
///
/// # Errors
/// The measurement means nothing, because an attacker has ended or the strangers find no server.
pub(crate) async fn measure(mode: &Mode, side: Side, lengths: Lengths) -> Result<Measured, String> {
    let mut server = Process::start(&["serve", "--watch"]).await;
    let other = Process::start(&["serve"]).await;
    let memory = Watch::over(&mut server);
    let address = address(&server)?;
    let strangers =
        Strangers::connect(address, lengths.limit).await.map_err(|error| error.to_string())?;
    strangers.measure(CALM).await;
    let calm = until_sampled(&memory).await;

    let target = if side == Side::Here { &server.said } else { &other.said };
    let mut attacker = Process::start(&["attack", mode.name, target]).await;
    let seen = strangers.measure(lengths.attacked).await;
    if !attacker.is_running() {
        return Err("the attacker has ended; it has said why above".to_owned());
    }
    let attacked = if side == Side::Here { until_settled(&memory).await } else { memory.take() };
    attacker.kill().await;
    let growth = if server.is_running() { Growth::between(&calm, &attacked) } else { None };
    Ok(Measured { seen, growth })
}

fn address(server: &Process) -> Result<SocketAddr, String> {
    server.said.parse().map_err(|error| format!("the server says {}: {error}", server.said))
}

/// The samples so far, and at least one.
async fn until_sampled(memory: &Watch) -> Vec<Sample> {
    loop {
        let samples = memory.take();
        if !samples.is_empty() {
            return samples;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The samples of the attack, until memory has not grown for a second. Ten seconds of growth are
/// enough.
async fn until_settled(memory: &Watch) -> Vec<Sample> {
    let mut samples = memory.take();
    for _ in 0..10 {
        let before = peak(&samples);
        tokio::time::sleep(Duration::from_secs(1)).await;
        samples.extend(memory.take());
        if peak(&samples) <= before + SETTLED {
            break;
        }
    }
    samples
}

fn peak(samples: &[Sample]) -> u64 {
    samples.iter().map(|sample| sample.resident).max().unwrap_or(0)
}
