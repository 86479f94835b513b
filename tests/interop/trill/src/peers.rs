//! The programs on the other side.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout, Command};
use trill_tests::listen;

/// A server in a process of its own; it ends with the value.
pub(crate) struct ServerProcess {
    child: Child,
    pub(crate) address: String,
}

impl ServerProcess {
    pub(crate) async fn start(program: &str) -> Self {
        Self::start_at(program, &free_address()).await
    }

    /// Starts a program's server at an address: the Go program's, or Trill's.
    pub(crate) async fn start_at(program: &str, address: &str) -> Self {
        let address = address.to_owned();
        let child = Command::new(program)
            .args(["server", &address])
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let ready = async {
            while TcpStream::connect(&address).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), ready).await.expect("the server listens");
        Self { child, address }
    }

    /// Asks it to stop, as an operator would.
    pub(crate) async fn terminate(&mut self) {
        let process = self.child.id().expect("it runs").to_string();
        Command::new("kill").args(["-TERM", &process]).status().await.expect("kill is there");
    }

    /// kill -9.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.expect("it runs");
    }

    /// Whether the process has ended by itself.
    pub(crate) fn has_died(&mut self) -> bool {
        self.child.try_wait().expect("it can be asked").is_some()
    }
}

/// An address that nobody listens at.
pub(crate) fn free_address() -> String {
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    free.expect("a free port").to_string()
}

/// A Go client that holds a stream open, and says what becomes of it.
pub(crate) struct Holder {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Holder {
    pub(crate) fn start(program: &str, address: &str) -> Self {
        let mut child = Command::new(program)
            .args(["hold", address])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the Go program starts");
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        Self { child, lines }
    }

    /// The next thing it says.
    pub(crate) async fn says(&mut self) -> String {
        self.lines.next_line().await.ok().flatten().unwrap_or_else(|| "nothing".to_owned())
    }

    /// kill -9.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.expect("it runs");
    }
}

/// Lets the Go client run its cells against a Trill server, and counts those that failed.
pub(crate) async fn go_calls_trill(program: &str) -> usize {
    let (_handle, address, log) = listen("127.0.0.1:0").await;
    // The service reports what becomes of its handlers; here nobody asks.
    drop(log);
    go_client(program, &address, "Go client -> Trill server").await
}

/// Lets the Go client run its cells against what is at an address, and counts those that failed.
pub(crate) async fn go_client(program: &str, address: &str, pair: &str) -> usize {
    let mut child = Command::new(program)
        .args(["client", address, pair])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the Go program starts");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let (mut failed, mut cells) = (0, 0);
    while let Ok(Some(line)) = lines.next_line().await {
        failed += usize::from(line.starts_with("FAIL"));
        cells += 1;
        println!("{line}");
    }
    let status = child.wait().await.expect("it has been started");
    // A client that died in the middle has printed less than it should, and no failure.
    if !status.success() && failed == 0 {
        println!("FAIL  the Go client ended with {status} after {cells} cells");
        failed += 1;
    }
    failed
}
