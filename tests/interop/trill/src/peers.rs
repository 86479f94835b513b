//! The programs on the other side.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use trill::server::ServerHandle;
use trill::trpc::AppErrors;
use trill::{Compression, Limits, Server};
use trill_tests::{Log, Obedient};

use crate::cell::{hear, print_pending};
use crate::shapes::Mirror;

/// A program in a process of its own, which ends with the value, and what it says line by line.
pub(crate) struct Peer {
    child: Child,
    lines: UnboundedReceiver<String>,
}

impl Peer {
    pub(crate) fn start(program: &str, args: &[&str]) -> Self {
        let mut child = Command::new(program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let lines = heard(child.stdout.take().expect("it is piped"));
        Self { child, lines }
    }

    /// The next line it prints.
    pub(crate) async fn says(&mut self) -> String {
        self.lines.recv().await.unwrap_or_else(|| "nothing".to_owned())
    }

    /// Waits until it has printed that line.
    pub(crate) async fn has_said(&mut self, line: &str) {
        while self.says().await != line {}
    }

    /// Takes the lines that it has printed so far.
    pub(crate) fn said(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.lines.try_recv().ok()).collect()
    }

    /// Asks it to stop, as an operator would.
    pub(crate) async fn terminate(&mut self) {
        let process = self.child.id().expect("it runs").to_string();
        Command::new("kill").args(["-TERM", &process]).status().await.expect("kill is there");
    }

    /// Closes its input, which tells a client to end what it does and leave.
    pub(crate) fn close_input(&mut self) {
        drop(self.child.stdin.take());
    }

    /// kill -9.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.expect("it runs");
    }

    /// Waits until the process has ended.
    pub(crate) async fn exit(&mut self) {
        self.child.wait().await.expect("it has been started");
    }

    /// Tells whether the process has ended by itself.
    pub(crate) fn has_died(&mut self) -> bool {
        self.child.try_wait().expect("it can be asked").is_some()
    }
}

/// A server in a process of its own.
pub(crate) struct ServerProcess {
    pub(crate) peer: Peer,
    pub(crate) address: String,
}

impl ServerProcess {
    pub(crate) async fn start(program: &str) -> Self {
        Self::start_at(program, &free_address()).await
    }

    /// Starts a program's server at an address: the Go program's, or Trill's.
    pub(crate) async fn start_at(program: &str, address: &str) -> Self {
        Self::start_as(program, &["server", address], address).await
    }

    /// Starts a program with these arguments, and waits until it listens at an address.
    pub(crate) async fn start_as(program: &str, args: &[&str], address: &str) -> Self {
        let (peer, address) = (Peer::start(program, args), address.to_owned());
        let ready = async {
            while TcpStream::connect(&address).await.is_err() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), ready).await.expect("the server listens");
        Self { peer, address }
    }

    /// Tells whether the process has ended by itself.
    pub(crate) fn has_died(&mut self) -> bool {
        self.peer.has_died()
    }
}

/// An address that nobody listens at.
pub(crate) fn free_address() -> String {
    let free =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    free.expect("a free port").to_string()
}

/// The windows of servers and of the router grow once, so that it is known how much is under way.
pub(crate) fn limits() -> Limits {
    Limits::default().max_window(2 * 65_535)
}

/// A Trill server of both services in this process.
pub(crate) async fn listen(address: &str) -> (ServerHandle, String, Log) {
    let (service, log) = Obedient::new();
    let server = Server::builder().limits(limits()).service(service).service(Mirror);
    let bound = server.bind(address).await.expect("it is free");
    let (handle, local) = (bound.handle(), bound.local_addr().to_string());
    tokio::spawn(bound.serve());
    (handle, local, log)
}

/// Lets the Go client run its cells against a Trill server, and counts those that failed.
pub(crate) async fn go_calls_trill(program: &str) -> usize {
    let (_handle, address, log) = listen("127.0.0.1:0").await;
    // The service reports what becomes of its handlers; here nobody asks.
    drop(log);
    let mut failed = go_client(program, &address, "Go client -> Trill server", 1).await;
    let pair = "Go client -> Trill server with settings";
    let (service, log) = Obedient::new();
    drop(log);
    let server = Server::builder()
        .service(service)
        .trpc(trill::trpc::Settings::default().app_errors(AppErrors::Close))
        .compression(Compression::Gzip);
    let bound = server.bind("127.0.0.1:0").await.expect("it is free");
    let address = bound.local_addr().to_string();
    tokio::spawn(bound.serve());
    failed += run_cells(Peer::start(program, &["settings", &address, pair])).await;
    failed
}

/// Lets the Go client run its cells against what is at an address, so many connections away, and
/// counts those that failed.
pub(crate) async fn go_client(program: &str, address: &str, pair: &str, hops: usize) -> usize {
    run_cells(Peer::start(program, &["client", address, pair, &hops.to_string()])).await
}

/// Prints the cells that a Go client runs, and counts those that failed.
async fn run_cells(mut client: Peer) -> usize {
    let (mut failed, mut cells) = (0, 0);
    while let Some(line) = client.lines.recv().await {
        println!("{line}");
        cells += 1;
        if line.starts_with("FAIL") {
            failed += 1;
            print_pending();
        }
    }
    let status = client.child.wait().await.expect("it has been started");
    // A client that died in the middle has printed less than it should, and no failure.
    if !status.success() && failed == 0 {
        println!("FAIL  the Go client ended with {status} after {cells} cells");
        failed += 1;
    }
    failed
}

/// Reads a program's lines all the time, so that it never waits for a reader.
fn heard(stdout: ChildStdout) -> UnboundedReceiver<String> {
    let (sender, receiver) = unbounded_channel();
    tokio::spawn(async move {
        let mut lines = BufReader::new(stdout).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            // The lines of cells are printed anyway.
            if !line.contains(" | ") {
                hear(&line);
            }
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}
