//! What hostile clients cost the others: `hostile`, or `hostile --seconds 3 --rounds 5 --only INIT`.
//!
//! A server, well-behaved callers and hostile ones, each in a process of their own, over the loopback interface. The latency of the
//! well-behaved ones is measured *calm*, that is undisturbed; with the hostile clients *elsewhere*, at another server that no
//! well-behaved caller uses; and with them *here*, at the callers' own server. That is done in turns, several rounds, and the medians
//! are shown. All processes share the machine's processors, and who uses those slows everybody down whichever server it talks to: so
//! what "elsewhere" costs is the machine's doing, and what "here" costs beyond it is the server's.
//!
//! The p50 bears some noise, the p99 does not: it is the slowest hundredth of the answers that the table counts, and compilers that
//! run on the same two processors, at the lowest priority, move a calm p99 from 0.2 ms to anything between 1 and 8 ms. So measure on
//! a machine that does nothing else, and distrust a table whose first lines, of a process that sleeps, are far from 1.

mod attacks;
mod callers;
mod report;
mod server;

use std::process::ExitCode;
use std::time::Duration;

use attacks::ATTACKS;
use callers::Callers;
use report::{Report, Round};
use trill_tests::process::Process;

/// What is measured, and for how long.
struct Options {
    seconds: u64,
    rounds: usize,
    only: String,
}

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        // The processes that it starts.
        ["serve"] => server::serve().await,
        ["attack", name, address] => attacks::run(name, address).await,
        ["hold", address] => attacks::hold(address).await,
        _ => match Options::read(&arguments) {
            Ok(options) => return measure(&options).await,
            Err(why) => {
                eprintln!("{why}\nusage: hostile [--seconds COUNT] [--rounds COUNT] [--only PART_OF_A_NAME]");
                return ExitCode::from(2);
            }
        },
    }
    ExitCode::SUCCESS
}

async fn measure(options: &Options) -> ExitCode {
    let [server, elsewhere] = [Process::start(&["serve"]).await, Process::start(&["serve"]).await];
    let callers = Callers::connect(&server.said).await;
    let length = Duration::from_secs(options.seconds);
    callers.measure(length).await;
    println!("{}", report::HEAD);
    let mut fine = true;
    for attack in ATTACKS.iter().filter(|attack| attack.name.contains(&options.only)) {
        let mut report = Report::new(attack);
        for _ in 0..options.rounds {
            let calm = callers.measure(length).await;
            let mut beside = async |target: &Process| {
                let mut attacker = Process::start(&["attack", attack.name, &target.said]).await;
                let seen = callers.measure(length).await;
                fine &= attacker.is_running();
                let resident = target.resident();
                attacker.kill().await;
                // What is left of it ends before the next measurement.
                tokio::time::sleep(Duration::from_millis(500)).await;
                (seen, resident)
            };
            let (elsewhere, _) = beside(&elsewhere).await;
            let (here, resident) = beside(&server).await;
            report.add(Round { calm, elsewhere, here }, resident);
        }
        println!("{report}");
    }
    let errors = callers.errors();
    println!("\n{errors} errors at well-behaved callers");
    if !fine {
        println!("an attacker ended by itself; it has said why above");
    }
    if fine && errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl Options {
    fn read(arguments: &[&str]) -> Result<Self, String> {
        let mut options = Self { seconds: 2, rounds: 5, only: String::new() };
        for pair in arguments.chunks(2) {
            let [name, value] = pair else { return Err(format!("{} needs a value", pair[0])) };
            let number =
                || value.parse().ok().filter(|number| *number > 0).ok_or(format!("{name} needs a number"));
            match *name {
                "--seconds" => options.seconds = number()?,
                "--rounds" => options.rounds = usize::try_from(number()?).map_err(|e| e.to_string())?,
                "--only" => (*value).clone_into(&mut options.only),
                _ => return Err(format!("there is no {name}")),
            }
        }
        Ok(options)
    }
}
