//! Copies a directory tree of any size to another machine, over one stream, in bounded memory.
//!
//! `filesync serve --listen 127.0.0.1:8000 --into DIR` takes trees,
//! `filesync push --to 127.0.0.1:8000 DIR` sends one. Either side may be killed and started again:
//! files that are complete are not sent again, and a file that is not goes on where it stopped.
//! Every file is checked by its SHA-256. Without arguments the program copies a small tree to
//! itself.

mod demo;
mod gate;
mod hash;
mod push;
mod receive;
mod scan;
mod send;
mod serve;
mod tree;
mod wire;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Parser, Subcommand};
use indicatif::HumanBytes;
use trill_examples::memory;

#[derive(Parser)]
#[command(about = "Copies a directory tree over one stream")]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Takes trees from others
    Serve {
        /// The address to listen on
        #[arg(long)]
        listen: String,
        /// The directory to copy into
        #[arg(long)]
        into: PathBuf,
    },
    /// Sends a tree to a server
    Push {
        /// The server's address
        #[arg(long)]
        to: String,
        /// The directory to copy
        dir: PathBuf,
        /// How often to try again, a second apart, when the connection is lost
        #[arg(long, default_value_t = 30)]
        retries: u32,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        None => demo::run().await,
        Some(Command::Serve { listen, into }) => serve(&listen, &into).await,
        Some(Command::Push { to, dir, retries }) => push(&to, &dir, retries).await,
    }
}

async fn serve(listen: &str, into: &Path) -> anyhow::Result<()> {
    let server = serve::bind(listen, into).await?;
    println!("listening on {}", server.local_addr());
    let handle = server.handle();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            handle.shutdown(GRACE).await;
        }
    });
    server.serve().await?;
    print_memory();
    Ok(())
}

async fn push(to: &str, dir: &Path, retries: u32) -> anyhow::Result<()> {
    let bar = push::bar();
    let report = push::push(to, dir, retries, &bar).await?;
    bar.finish_and_clear();
    let done = &report.summary;
    println!(
        "{} files and {} sent, {} files were there; each checked by SHA-256; {} directories, {} links",
        done.files,
        HumanBytes(done.bytes),
        done.same,
        done.dirs,
        done.links
    );
    print_memory();
    for failure in &done.failures {
        let path = String::from_utf8_lossy(&failure.path);
        eprintln!("not written: {}: {}", shown(&path), shown(&failure.why));
    }
    match done.failed + report.problems {
        0 => Ok(()),
        missing => anyhow::bail!("the copy is not complete: {missing} failures"),
    }
}

/// A text of somebody else's, such as a file's name, for a terminal: what would move the cursor or
/// begin a line is escaped.
fn shown(text: &str) -> String {
    let shown = text.chars().map(|letter| {
        if letter.is_control() { letter.escape_debug().to_string() } else { letter.to_string() }
    });
    shown.collect()
}

fn print_memory() {
    if let Some(bytes) = memory::peak() {
        println!("peak memory {}", HumanBytes(bytes));
    }
}

const GRACE: Duration = Duration::from_secs(5);
