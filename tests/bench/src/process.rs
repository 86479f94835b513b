//! The processes of a measurement: a server, a client and perhaps a proxy in between, all of them
//! this very program.

use std::fmt;
use std::io::{Read as _, Write as _};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::contender::Contender;
use crate::row::Row;
use crate::work::Work;

/// Runs server and client, and gives what the client measured.
///
/// # Errors
/// One of them fails, goes away, or does not end in time.
pub(crate) async fn measure(contender: Contender, work: Work, seconds: f64) -> Result<Row> {
    let limit = Duration::from_secs_f64(60.0 + 20.0 * seconds);
    match tokio::time::timeout(limit, run_pair(contender, work, seconds)).await {
        Ok(row) => row,
        Err(_) => bail!("it did not end within {limit:?}"),
    }
}

async fn run_pair(contender: Contender, work: Work, seconds: f64) -> Result<Row> {
    let (mut server, mut address) = start_server(contender, work).await?;
    // Waiting for a process would close its input.
    let lifeline = server.stdin.take();
    let mut proxy = None;
    if work.delay_ms > 0 {
        let (process, in_front) = start_proxy(&address, work.delay_ms).await?;
        (proxy, address) = (Some(process), in_front);
    }
    let mut client = command()?
        .args(["drive", contender.name(), &work.name(), "--address", &address])
        .args(["--seconds", &seconds.to_string()])
        .args(["--server", &server.id().context("the server went away")?.to_string()])
        .stdin(Stdio::null())
        .spawn()?;
    let mut output = client.stdout.take().context("the client's output is piped")?;
    let mut row = String::new();
    let ended = tokio::select! {
        ended = async { output.read_to_string(&mut row).await?; client.wait().await } => ended?,
        ended = server.wait() => bail!("the server went away: {}", ended?),
    };
    ensure!(ended.success(), "the client failed: {ended}");

    drop(proxy);
    drop(lifeline);
    let ended =
        tokio::time::timeout(GOODBYE, server.wait()).await.context("the server does not end")??;
    ensure!(ended.success(), "the server failed: {ended}");
    serde_json::from_str(&row).context("the client's row")
}

/// Starts a server, which ends when its input does, and waits until it listens.
pub(crate) async fn start_server(contender: Contender, work: Work) -> Result<(Child, String)> {
    let mut command = command()?;
    command.args(["serve", contender.name(), "--until-eof"]).stdin(Stdio::piped());
    if work.workload.one_thread() {
        command.arg("--one-thread");
    }
    listening(command).await
}

/// Starts a proxy, which ends when its input does, and waits until it listens.
async fn start_proxy(to: &str, delay_ms: u32) -> Result<(Child, String)> {
    let mut command = command()?;
    command.args(["proxy", "--to", to, "--delay-ms", &delay_ms.to_string(), "--until-eof"]);
    command.stdin(Stdio::piped());
    listening(command).await
}

/// Starts a process that announces where it listens.
async fn listening(mut command: Command) -> Result<(Child, String)> {
    let mut process = command.spawn()?;
    let output = process.stdout.take().context("the output is piped")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line).await?;
    let address = line.trim().strip_prefix(LISTENING).context("the process does not listen")?;
    Ok((process, address.to_owned()))
}

/// This program again. It is killed when the handle is dropped.
fn command() -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.stdout(Stdio::piped()).kill_on_drop(true);
    Ok(command)
}

/// Tells whoever started this server where it is.
pub(crate) fn announce(address: impl fmt::Display) -> Result<()> {
    println!("{LISTENING}{address}");
    Ok(std::io::stdout().flush()?)
}

/// Ends this process when its input ends, so that no server outlives whoever started it.
pub(crate) fn end_with_input() {
    std::thread::spawn(|| {
        let mut nothing = [0];
        while matches!(std::io::stdin().read(&mut nothing), Ok(1..)) {}
        std::process::exit(0);
    });
}

const LISTENING: &str = "listening on ";

/// How long a server may take to end.
const GOODBYE: Duration = Duration::from_secs(10);
