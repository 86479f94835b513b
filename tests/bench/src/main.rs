//! Compares Trill with what could be used instead, side by side in one run. See the README beside
//! it.

mod against;
mod baseline;
mod chart;
mod compare;
mod contender;
mod contenders;
mod curves;
mod drive;
mod fairness;
mod go;
mod goals;
mod machine;
mod message;
mod process;
mod proxy;
mod report;
mod row;
mod sweep;
mod usage;
mod work;
mod workload;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::{Args, Parser, Subcommand};
use tokio::runtime::{Builder, Runtime};

use crate::against::Against;
use crate::compare::Comparison;
use crate::contender::Contender;
use crate::drive::Driver;
use crate::fairness::Fairness;
use crate::proxy::Proxy;
use crate::row::Row;
use crate::work::Work;

#[derive(Parser)]
#[command(about = "Compares Trill with what could be used instead")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs all contenders side by side and prints what came out
    Compare(Comparison),
    /// Runs one contender's server and client once
    One {
        contender: Contender,
        /// The work: W4, or W4@4k with messages of 4 KiB, or W2x32 with 32 calls in flight
        work: Work,
        /// How long to measure
        #[arg(long, default_value_t = 2.0)]
        seconds: f64,
    },
    /// Compares this program with another commit's: `bash .ci/against COMMIT ROW...` builds both
    Against(Against),
    /// Measures what 99 streams keep of their rate beside one that floods
    Fairness(Fairness),
    /// Only serves, for a profiler
    Serve {
        contender: Contender,
        /// Use the runtime of one thread
        #[arg(long)]
        one_thread: bool,
        /// End when the input does
        #[arg(long, hide = true)]
        until_eof: bool,
    },
    /// Only calls a server, for a profiler
    Drive(Drive),
    /// Only delays what goes to a server and comes back, at a rate of 1 Gbit/s
    Proxy(Proxy),
}

#[derive(Args)]
struct Drive {
    contender: Contender,
    /// The work: W4, W4@4k, W2x32
    work: Work,
    /// Where the server listens
    #[arg(long)]
    address: SocketAddr,
    /// How long to measure
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// The server's process, whose processor time and memory are to be measured
    #[arg(long)]
    server: Option<u32>,
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Compare(comparison) => runtime(true)?.block_on(compare::run(&comparison)),
        Command::Against(against) => against.run(),
        Command::Fairness(fairness) => {
            usage::allow_many_files()?;
            runtime(false)?.block_on(async move {
                tokio::spawn(async move { fairness::run(&fairness).await }).await?
            })
        }
        Command::One { contender, work, seconds } => {
            if contender.is_go() {
                ensure!(go::build()?, "{} needs Go", contender.name());
            }
            let row = runtime(true)?.block_on(process::measure(contender, work, seconds))?;
            println!("{}", serde_json::to_string(&row)?);
            Ok(())
        }
        Command::Serve { contender, one_thread, until_eof } => {
            usage::allow_many_files()?;
            if contender.is_go() {
                match go::serve(contender, until_eof)? {}
            }
            if until_eof {
                process::end_with_input();
            }
            let runtime = runtime(one_thread)?;
            // On a worker: the thread that waits is not one of the runtime's.
            runtime.block_on(async { tokio::spawn(contender.serve()).await? })
        }
        Command::Drive(drive) => drive.run(),
        Command::Proxy(proxy) => proxy.run(),
    }
}

impl Drive {
    fn run(self) -> Result<()> {
        usage::allow_many_files()?;
        if self.contender.is_go() {
            let address = self.address.to_string();
            match go::drive(self.contender, self.work, &address, self.seconds, self.server)? {}
        }
        let driver = Driver {
            time: Duration::try_from_secs_f64(self.seconds)?,
            least: self.work.least(),
            server: self.server,
        };
        let driving = self.contender.drive(self.work, self.address, driver);
        let measured = runtime(self.work.workload.one_thread())?
            .block_on(async { tokio::spawn(driving).await? })?;
        let row = Row::new(self.work, self.contender.name(), &measured);
        println!("{}", serde_json::to_string(&row)?);
        Ok(())
    }
}

fn runtime(one_thread: bool) -> Result<Runtime> {
    let runtime = if one_thread {
        Builder::new_current_thread().enable_all().build()
    } else {
        Builder::new_multi_thread().worker_threads(2).enable_all().build()
    };
    Ok(runtime?)
}
