//! Starts both sides, stops the packets, and measures how long everything takes to end.

use std::process::{ExitCode, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Fault;
use super::roles::{CUT, READY};

/// With default settings everything ends within this.
const DEFAULT_LIMIT: Duration = Duration::from_secs(30);

/// A server notices that a client with nothing but unary calls is gone within this at the earliest.
const UNARY_LIMIT: Duration = Duration::from_millis(2_500);

/// The operations that must end: the side, the operation, how often, and the setting that its error
/// names.
const EXPECTED: &[(&str, &str, usize, &str)] = &[
    ("client", "read, quiet", 1, "dead_peer_timeout"),
    ("client", "reply, quiet", 1, "dead_peer_timeout"),
    ("client", "finish, quiet", 1, "dead_peer_timeout"),
    ("client", "write, quiet", 1, "dead_peer_timeout"),
    ("client", "unary, quiet", 1, "dead_peer_timeout"),
    ("client", "unary, alone", 1, "dead_peer_timeout"),
    ("client", "write, busy", 1, "dead_peer_timeout"),
    ("client", "open, busy", 1, "timeout"),
    ("client", "unary, busy", 1, "timeout"),
    ("client", "connect", 1, "connect_timeout"),
    ("server", "talk dropped", 3, ""),
    ("server", "upload dropped", 2, ""),
    ("server", "download dropped", 1, ""),
    ("server", "unary dropped", 2, ""),
];

/// The network namespaces.
pub(super) struct Spaces<'a> {
    pub(super) caller: &'a str,
    pub(super) router: &'a str,
    pub(super) server: &'a str,
}

/// One line of one side.
struct Line {
    side: &'static str,
    at: Instant,
    text: String,
}

pub(super) async fn run(
    spaces: &Spaces<'_>,
    address: &str,
    setting: &str,
    limit: Option<Duration>,
) -> Result<ExitCode, Fault> {
    forward(spaces.router, true).await?;
    let (say, mut lines) = mpsc::channel(1024);
    let _server = start(spaces.server, "serve", address, setting, "server", say.clone())?;
    until_ready(&mut lines, "server").await?;
    let mut caller = start(spaces.caller, "call", address, setting, "client", say)?;
    until_ready(&mut lines, "client").await?;

    forward(spaces.router, false).await?;
    let cut = now();
    let mut stdin = caller.stdin.take().ok_or("the caller has no stdin")?;
    stdin.write_all(format!("{CUT}\n").as_bytes()).await?;

    let limit = limit.unwrap_or(DEFAULT_LIMIT);
    let all: usize = EXPECTED.iter().map(|(_, _, count, _)| count).sum();
    let mut ended = Vec::new();
    let patience = tokio::time::sleep_until(cut + limit + Duration::from_secs(10));
    tokio::pin!(patience);
    while ended.len() < all {
        tokio::select! {
            line = lines.recv() => ended.push(line.ok_or("both sides are gone")?),
            () = &mut patience => break,
        }
    }
    println!("\ndead_peer_timeout: {setting}; everything must end within {limit:?}\n");
    Ok(if table(&ended, cut, limit) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints what ended when, and says whether all of it did as it must.
fn table(ended: &[Line], cut: Instant, limit: Duration) -> bool {
    println!(
        "| side | operation | times | last after | verdict | error |\n|---|---|--:|--:|---|---|"
    );
    let mut good = true;
    for &(side, name, count, setting) in EXPECTED {
        let mine: Vec<_> = ended
            .iter()
            .filter(|line| line.side == side)
            .filter_map(|line| {
                Some((line.at, line.text.split_once('\t').filter(|it| it.0 == name)?.1))
            })
            .collect();
        let last = mine.iter().map(|(at, _)| at.duration_since(cut)).max();
        let error = mine.first().map_or("", |(_, error)| error);
        // A server may not ask a client with unary calls alone, and TCP counts in seconds.
        let limit = if name == "unary dropped" { limit.max(UNARY_LIMIT) } else { limit };
        let verdict = match last {
            _ if mine.len() < count => "NEVER",
            Some(last) if last > limit => "LATE",
            _ if !error.contains(setting) => "UNCLEAR",
            _ => "ok",
        };
        good &= verdict == "ok";
        let last = last.map_or("-".to_owned(), |last| format!("{:.2} s", last.as_secs_f64()));
        println!("| {side} | {name} | {} of {count} | {last} | {verdict} | {error} |", mine.len());
    }
    for line in ended.iter().filter(|line| line.at < cut) {
        println!("before the cut: {} {}", line.side, line.text);
        good = false;
    }
    good
}

/// Starts one side; its lines go to `say` until it is killed with the [`Child`].
fn start(
    space: &str,
    role: &str,
    address: &str,
    setting: &str,
    side: &'static str,
    say: mpsc::Sender<Line>,
) -> Result<Child, Fault> {
    let mut child = Command::new("ip")
        .args(["netns", "exec", space])
        .arg(std::env::current_exe()?)
        .args([role, address, setting])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut lines = BufReader::new(child.stdout.take().ok_or("a child has no stdout")?).lines();
    tokio::spawn(async move {
        while let Ok(Some(text)) = lines.next_line().await {
            let line = Line { side, at: now(), text };
            if say.send(line).await.is_err() {
                return;
            }
        }
    });
    Ok(child)
}

async fn until_ready(lines: &mut mpsc::Receiver<Line>, side: &str) -> Result<(), Fault> {
    loop {
        let next = tokio::time::timeout(Duration::from_secs(60), lines.recv()).await?;
        let line = next.ok_or("a side is gone")?;
        if line.side == side && line.text == READY {
            return Ok(());
        }
        println!("{}: {}", line.side, line.text);
    }
}

/// A router that does not forward drops what is not for itself, and says nothing.
async fn forward(router: &str, on: bool) -> Result<(), Fault> {
    let command = format!("echo {} > /proc/sys/net/ipv4/ip_forward", u8::from(on));
    let status =
        Command::new("ip").args(["netns", "exec", router, "sh", "-c", &command]).status().await?;
    if status.success() { Ok(()) } else { Err(format!("{command} in {router}: {status}").into()) }
}

fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "this measures real time between processes")]
    Instant::now()
}
