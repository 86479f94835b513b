//! The server, and the processes of this program.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use trill_tests::listen;

/// Serves with the default settings until its input ends.
pub(crate) async fn serve() {
    let (_handle, address, log) = listen("127.0.0.1:0").await;
    drop(log);
    say(&address).await;
}

/// Says a line, and waits until whoever reads it lets go of this process or has ended.
pub(crate) async fn say(line: &str) {
    let mut output = tokio::io::stdout();
    // If nobody listens, the input has ended as well.
    let _ = output.write_all(format!("{line}\n").as_bytes()).await;
    let _ = output.flush().await;
    let _ = tokio::io::stdin().read_to_end(&mut Vec::new()).await;
}

/// This program in another process. **On drop** it is killed.
pub(crate) struct Process {
    child: Child,
    /// Its end ends the process.
    _input: ChildStdin,
    /// The first line it said.
    pub(crate) said: String,
}

impl Process {
    /// Starts it, and waits until it is ready.
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this program has a path"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("it starts");
        let input = child.stdin.take().expect("it is piped");
        let output = child.stdout.take().expect("it is piped");
        let mut said = String::new();
        BufReader::new(output).read_line(&mut said).await.expect("its output is text");
        assert!(!said.is_empty(), "{arguments:?} ended before it was ready");
        Self { child, _input: input, said: said.trim_end().to_owned() }
    }

    /// Kills it, as `kill -9` does, and waits until it is gone.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.expect("it is ours");
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|ended| ended.is_none())
    }

    /// Its resident memory in KiB; 0 elsewhere than on Linux.
    pub(crate) fn resident(&self) -> u64 {
        let id = self.child.id().unwrap_or(0);
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    }
}
