//! Hostile clients, and what they cost the others: `hostile`, or
//! `hostile --modes places,bytes --rounds 5 --seconds 2`.
//!
//! A server, strangers who mean well and hostile clients, each in a process of their own, over the
//! loopback interface; the hostile ones come from 127.0.0.2 and up, the strangers from 127.0.0.1.
//! Each sort of hostile client is a *mode*, and gets a verdict from several rounds:
//!
//! - *memory*: the peak of the server's resident memory less the calm server's, against the
//!   greatest `ServerHandle::buffered` in the same second: at most half as much again, and 64 MiB;
//! - *served*: at least nine of ten pieces of the strangers' work are done, of each kind;
//! - *latency*: the strangers' median is at most twice, and their 99th percentile at most four
//!   times, what it is while the same attack goes on at *another* server. All processes share the
//!   machine's processors, and who uses those slows everybody down whichever server it talks to: so
//!   what an attack costs elsewhere is the machine's doing, and what it costs beyond that is the
//!   server's.
//!
//! A mode fails if three of five rounds do, and the program if a mode does. Rounds that cannot
//! change that are left out. Latency bears some noise, but not a machine that compiles something
//! meanwhile: measure on one that does nothing else, and distrust a table in which `nothing`, a
//! process that sleeps, fails.
//!
//! `--short` is for a machine that is busy, and for a build without optimisation: one round a mode,
//! of the modes that take memory and places, and no verdict on latency. `hostile serve` is a server
//! with default settings, for other programs. It has the tests' service, and methods that keep
//! their requests.

mod attacks;
mod keeping;
mod measure;
mod memory;
mod never_ends;
mod server;
mod strangers;
mod verdict;

use std::process::ExitCode;
use std::time::Duration;

use attacks::{MODES, Mode};
use measure::{Lengths, Side, measure};
use verdict::{HEAD, Report, Round};

/// The modes of the short form. `places-of-eight` and `unread-large` are not among them: on a busy
/// machine a build without optimisation works on what they have sent for 10 s and more.
const SHORT: &[&str] = &[
    "silent",
    "inits",
    "window",
    "unread-downloads",
    "places",
    "one-way-places",
    "bytes",
    "bytes-dropped",
    "partial-frames",
    "call-metadata",
    "stream-metadata",
    "unread-answers",
    "unread-small",
    "unpacked-calls",
    "unpacked-streams",
    "stream-requests",
    "pinned-buffers",
    "pinned-bodies",
    "empty-elements",
    "gzip-bombs",
    "gzip-members",
    "empty-metadata",
];

/// The program's arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Options {
    modes: Vec<String>,
    rounds: usize,
    seconds: u64,
    short: bool,
}

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        // The processes that it starts.
        ["serve"] => server::serve(false).await,
        ["serve", "--watch"] => server::serve(true).await,
        ["attack", name, address] => attacks::run(name, address).await,
        ["hold", address] => attacks::hold_one_of_each_kind(address).await,
        _ => match Options::read(&arguments) {
            Ok(options) => return judge_all(&options).await,
            Err(why) => Err(why),
        },
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}\n{}", usage());
            ExitCode::from(2)
        }
    }
}

async fn judge_all(options: &Options) -> ExitCode {
    println!("{HEAD}");
    let (mut good, mut lines) = (true, Vec::new());
    for mode in MODES.iter().filter(|mode| options.has(mode.name)) {
        let report = judge(mode, options).await;
        println!("{report}");
        good &= report.is_good();
        lines.push(report.line());
    }
    // It takes up to a minute, whatever the rounds.
    if options.has(never_ends::NAME) {
        let (let_go, verdict) = never_ends::judge().await;
        good &= let_go;
        lines.push(format!("{:<18} {verdict}", never_ends::NAME));
    }
    println!("{}", lines.join("\n"));
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn judge(mode: &Mode, options: &Options) -> Report {
    let mut report = Report::new(mode);
    for number in 0..options.rounds {
        report.add(round(mode, options, number).await);
        if report.is_decided(options.rounds) {
            break;
        }
    }
    report
}

/// Both sides in turns, so that neither always comes first.
async fn round(mode: &Mode, options: &Options, number: usize) -> Result<Round, String> {
    let lengths = options.lengths();
    if options.short {
        return Ok(Round { here: measure(mode, Side::Here, lengths).await?, elsewhere: None });
    }
    if number.is_multiple_of(2) {
        let elsewhere = Some(measure(mode, Side::Elsewhere, lengths).await?);
        return Ok(Round { here: measure(mode, Side::Here, lengths).await?, elsewhere });
    }
    let here = measure(mode, Side::Here, lengths).await?;
    Ok(Round { here, elsewhere: Some(measure(mode, Side::Elsewhere, lengths).await?) })
}

impl Options {
    fn read(arguments: &[&str]) -> Result<Self, String> {
        let short = arguments.first() == Some(&"--short");
        let (rounds, seconds) = if short { (1, 1) } else { (5, 2) };
        let mut options = Self { modes: Vec::new(), rounds, seconds, short };
        for pair in arguments[usize::from(short)..].chunks(2) {
            let [name, value] = pair else { return Err(format!("{} needs a value", pair[0])) };
            let number = || match value.parse::<u32>() {
                Ok(number) if number > 0 => Ok(number),
                _ => Err(format!("{name} needs a number")),
            };
            match *name {
                "--modes" => options.modes = modes(value)?,
                "--rounds" => options.rounds = number()? as usize,
                "--seconds" => options.seconds = number()?.into(),
                _ => return Err(format!("there is no {name}")),
            }
        }
        Ok(options)
    }

    fn has(&self, mode: &str) -> bool {
        if self.modes.is_empty() {
            return !self.short || SHORT.contains(&mode);
        }
        self.modes.iter().any(|name| name == mode)
    }

    fn lengths(&self) -> Lengths {
        // A machine that is busy makes strangers wait, and is not what the short form judges.
        let limit = Duration::from_secs(if self.short { 30 } else { 2 });
        Lengths { attacked: Duration::from_secs(self.seconds), limit }
    }
}

fn modes(names: &str) -> Result<Vec<String>, String> {
    let is_there =
        |name: &str| name == never_ends::NAME || MODES.iter().any(|mode| mode.name == name);
    match names.split(',').find(|name| !is_there(name)) {
        Some(name) => Err(format!("there is no mode {name}")),
        None => Ok(names.split(',').map(str::to_owned).collect()),
    }
}

fn usage() -> String {
    let names: Vec<_> = MODES.iter().map(|mode| mode.name).chain([never_ends::NAME]).collect();
    format!(
        "usage: hostile [--short] [--modes NAME,NAME] [--rounds COUNT] [--seconds COUNT]\nmodes: {}",
        names.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_what_is_none_is_refused() {
        let read = |line: &str| Options::read(&line.split_whitespace().collect::<Vec<_>>());
        let all = read("").expect("nothing is needed");
        assert_eq!((all.rounds, all.seconds, all.short, all.has("places")), (5, 2, false, true));
        let some = read("--short --modes places,never-ends --rounds 3").expect("they are options");
        assert_eq!((some.rounds, some.seconds, some.short), (3, 1, true));
        assert!(some.has("places") && some.has("never-ends") && !some.has("bytes"));
        let short = read("--short").expect("it is an option");
        assert!(
            SHORT.iter().all(|name| MODES.iter().any(|mode| mode.name == *name) && short.has(name))
        );
        assert!(!short.has("nothing") && !short.has(never_ends::NAME));
        for wrong in ["--modes none", "--rounds", "--rounds 0", "--seconds x", "--only INIT"] {
            assert!(read(wrong).is_err(), "{wrong} was taken");
        }
    }

    #[test]
    fn no_two_modes_have_one_name() {
        let names: std::collections::BTreeSet<_> = MODES.iter().map(|mode| mode.name).collect();
        assert_eq!(names.len(), MODES.len());
    }
}
