//! A peer that dies in silence: between two network namespaces packets are dropped and nobody is
//! told. Every operation that waits has to end, on both sides, within the limit.
//! `tests/deadpeer/run` makes the namespaces and starts this.

mod caller;
mod judge;
mod roles;

use std::process::ExitCode;
use std::time::Duration;

type Fault = Box<dyn std::error::Error + Send + Sync>;

const USAGE: &str =
    "deadpeer judge CALLER-NS ROUTER-NS SERVER-NS SERVER-ADDRESS default|MILLISECONDS
deadpeer serve ADDRESS default|MILLISECONDS
deadpeer call ADDRESS default|MILLISECONDS";

#[tokio::main]
async fn main() -> Result<ExitCode, Fault> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words[..] {
        ["judge", caller, router, server, address, limit] => {
            let spaces = judge::Spaces { caller, router, server };
            judge::run(&spaces, address, limit, setting(limit)?).await
        }
        ["serve", address, limit] => roles::serve(address, setting(limit)?).await,
        ["call", address, limit] => caller::call(address, setting(limit)?).await,
        _ => Err(USAGE.into()),
    }
}

/// The dead peer timeout to set, if it is not to be the default.
fn setting(limit: &str) -> Result<Option<Duration>, Fault> {
    if limit == "default" { Ok(None) } else { Ok(Some(Duration::from_millis(limit.parse()?))) }
}
