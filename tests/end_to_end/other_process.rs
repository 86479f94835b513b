//! A process that a test can stop and kill.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A running `peer`. **On drop** it is killed.
pub(crate) struct OtherProcess {
    child: Child,
    /// The first line it said.
    pub(crate) said: String,
}

impl OtherProcess {
    /// Starts it, and waits until it is ready.
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_peer"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).await.unwrap();
        assert!(!said.is_empty(), "{arguments:?} ended before it was ready");
        Self { child, said: said.trim_end().to_owned() }
    }

    /// Sends it `STOP`, after which it does nothing, and the system goes on for it.
    pub(crate) async fn freeze(&self) {
        let id = self.child.id().expect("it runs");
        let killed = Command::new("sh").args(["-c", &format!("kill -STOP {id}")]).status().await.unwrap();
        assert!(killed.success());
    }

    /// Kills it, as `kill -9` does.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }
}
