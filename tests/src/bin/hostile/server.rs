//! The server, and the memory that it reports.

use std::io::Write;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use trill::Server;
use trill::server::ServerHandle;
use trill_tests::{Obedient, now, process};

use crate::keeping::Keeper;
use crate::memory::Sample;

/// How often the server reports its memory. Each report looks at every connection.
const EVERY: Duration = Duration::from_millis(100);

/// A server that has more than this many KiB has failed, and ends before the machine suffers.
const TOO_MUCH: u64 = 4 * 1024 * 1024;

/// Serves with the default settings until its input ends. With `watch`, reports its memory.
pub(crate) async fn serve(watch: bool) -> Result<(), String> {
    let (service, _) = Obedient::new();
    let bound = Server::builder().service(service).service(Keeper).bind("127.0.0.1:0").await;
    let bound = bound.map_err(|error| error.to_string())?;
    let (handle, address) = (bound.handle(), bound.local_addr().to_string());
    tokio::spawn(bound.serve());
    if watch {
        std::thread::spawn(move || report(&handle));
    }
    say(&address).await;
    Ok(())
}

/// Writes a [`Sample`] a line. On a thread of its own, because an attack may keep the others.
fn report(handle: &ServerHandle) {
    let began = now();
    // The address is the first line, and whoever reads begins when it has been connected to.
    std::thread::sleep(EVERY);
    loop {
        let buffered = handle.buffered();
        let counted = (buffered.unread + buffered.unsent) as u64;
        let sample = Sample { at: began.elapsed(), resident: process::resident(), counted };
        if sample.resident > TOO_MUCH {
            eprintln!("the server ends itself: {} MiB are resident", sample.resident / 1024);
            std::process::exit(3);
        }
        if writeln!(std::io::stdout(), "{sample}").is_err() {
            return;
        }
        std::thread::sleep(EVERY);
    }
}

/// Says a line, and waits until whoever reads it lets go of this process or has ended.
pub(crate) async fn say(line: &str) {
    let mut output = tokio::io::stdout();
    // If nobody listens, the input has ended as well.
    let _ = output.write_all(format!("{line}\n").as_bytes()).await;
    let _ = output.flush().await;
    let _ = tokio::io::stdin().read_to_end(&mut Vec::new()).await;
}
