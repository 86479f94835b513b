//! The contenders in Go: a program of their own, which is built beside this one.

use std::convert::Infallible;
use std::io::ErrorKind;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, anyhow, ensure};

use crate::contender::Contender;
use crate::work::Work;

/// Where the Go program's source is.
const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/go");

/// Builds the program. Gives `false` if there is no Go.
pub(crate) fn build() -> Result<bool> {
    let built = Command::new("go")
        .args(["build", "-o"])
        .arg(program()?)
        .arg(".")
        .current_dir(SOURCE)
        // Nothing else than what is installed and pinned.
        .env("GOTOOLCHAIN", "local")
        .status();
    match built {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).context("starting go"),
        Ok(status) => {
            ensure!(status.success(), "go build in {SOURCE}: {status}");
            Ok(true)
        }
    }
}

/// Becomes the server.
pub(crate) fn serve(contender: Contender, until_eof: bool) -> Result<Infallible> {
    let mut command = Command::new(program()?);
    command.args(["serve", contender.name()]);
    if until_eof {
        command.arg("--until-eof");
    }
    become_it(&mut command)
}

/// Becomes the client, which prints a row.
pub(crate) fn drive(
    contender: Contender,
    work: Work,
    address: &str,
    seconds: f64,
    server: Option<u32>,
) -> Result<Infallible> {
    let mut command = Command::new(program()?);
    command.args(["drive", contender.name(), "--workload", work.workload.name()]);
    command.args(["--name", &work.name(), "--address", address]);
    command.args(["--size", &work.size.to_string(), "--count", &work.count.to_string()]);
    command.args(["--seconds", &seconds.to_string()]);
    command.args(["--least", &work.least().as_secs_f64().to_string()]);
    command.args(["--server", &server.unwrap_or(0).to_string()]);
    become_it(&mut command)
}

/// Keeps the number of this process, by which others know it.
fn become_it(command: &mut Command) -> Result<Infallible> {
    let error = command.exec();
    let program = command.get_program().display();
    Err(anyhow!("{program}: {error}; `compare --with-go` and `one` build it"))
}

fn program() -> Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name("trill-bench-go"))
}
