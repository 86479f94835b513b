//! Other processes, which a test or a program can watch, stop and kill.

use std::ffi::OsStr;
use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// A process that says a line when it is ready, and ends with its input. **On drop** it is killed.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// Its end ends the process. Not the child's own any more, which would end it in `wait`.
    _input: ChildStdin,
    output: Option<BufReader<ChildStdout>>,
    /// The first line it said.
    pub said: String,
}

impl Process {
    /// Starts this program once more, and waits until it is ready.
    ///
    /// # Panics
    /// It does not start, or ends before it is ready.
    pub async fn start(arguments: &[&str]) -> Self {
        Self::start_other(std::env::current_exe().expect("this program has a path"), arguments)
            .await
    }

    /// Starts a program, and waits until it is ready.
    ///
    /// # Panics
    /// It does not start, or ends before it is ready.
    pub async fn start_other(program: impl AsRef<OsStr>, arguments: &[&str]) -> Self {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("it starts");
        let input = child.stdin.take().expect("it is piped");
        let output = child.stdout.take().expect("it is piped");
        let (mut output, mut said) = (BufReader::new(output), String::new());
        output.read_line(&mut said).await.expect("its output is text");
        assert!(!said.is_empty(), "{arguments:?} ended before it was ready");
        Self { child, _input: input, output: Some(output), said: said.trim_end().to_owned() }
    }

    /// The lines that follow the first one, for a process that says more. They can be had once.
    pub fn lines(&mut self) -> Option<Lines<BufReader<ChildStdout>>> {
        self.output.take().map(AsyncBufReadExt::lines)
    }

    /// Sends it `STOP`, after which it does nothing, and the system goes on for it.
    ///
    /// # Panics
    /// It runs no more.
    pub async fn freeze(&self) {
        let id = self.child.id().expect("it runs");
        let stopped = Command::new("sh").args(["-c", &format!("kill -STOP {id}")]).status().await;
        assert!(stopped.expect("there is a shell").success());
    }

    /// Kills it, as `kill -9` does, and waits until it is gone.
    ///
    /// # Panics
    /// It cannot be killed.
    pub async fn kill(&mut self) {
        self.child.kill().await.expect("it is ours");
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// The system does not tell.
    pub async fn ended(&mut self) -> std::io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Tells whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|ended| ended.is_none())
    }
}

/// The resident memory of this process in KiB; 0 elsewhere than on Linux.
#[must_use]
pub fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
