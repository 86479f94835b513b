//! How many instructions a call of W2, a message of W3, W4 (of three sizes) and W6 and a stream of
//! W10 cost each side, counted by valgrind, beside what was recorded before.
//!
//! Counted is all that a side does in user space between the handler's loop and the connection, and
//! between the connection and the reader's loop: the program's own part (making a message, checking
//! one), the SDK, the runtime's scheduling, allocation, and half of the connection in memory that
//! stands for a socket. Not counted: system calls and the kernel. The cost of opening a stream and
//! of buffers that grow is taken out by counting a short and a long run, and dividing the
//! difference.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::sides::{COUNTED, Side};
use crate::work::Work;

/// How much a count may grow before it is an error, in per cent.
const WITHIN: f64 = 5.0;

/// Where the counts are kept.
const RECORD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../instructions.json");

/// The settings of the count.
#[derive(Args)]
pub(crate) struct Counting {
    /// Record what is counted instead of comparing with it
    #[arg(long, conflicts_with = "within")]
    record: bool,
    /// By how many per cent a count may grow before it is an error
    #[arg(long, value_name = "PERCENT", default_value_t = WITHIN, value_parser = percent)]
    within: f64,
    /// The file of recorded counts
    #[arg(long, default_value = RECORD)]
    file: PathBuf,
    /// Keep the profiles of the long runs in this folder, for `callgrind_annotate`
    #[arg(long)]
    keep: Option<PathBuf>,
}

/// Counts, and what they hold for.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Counts {
    rustc: String,
    architecture: String,
    w2: BothSides,
    w3: BothSides,
    w4: BothSides,
    #[serde(rename = "w4-1k")]
    w4_1k: BothSides,
    #[serde(rename = "w4-64k")]
    w4_64k: BothSides,
    w6: BothSides,
    w10: BothSides,
}

/// Instructions per message, which for W2 is a call and for W10 a stream.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
struct BothSides {
    server: f64,
    client: f64,
}

impl Counting {
    pub(crate) fn run(&self) -> Result<()> {
        ensure!(
            !cfg!(debug_assertions),
            "counts of a debug build mean nothing: build with --profile counted"
        );
        let counted = Counts {
            rustc: env!("RUSTC_VERSION").to_owned(),
            architecture: std::env::consts::ARCH.to_owned(),
            w2: BothSides::count(Work::W2, self.keep.as_deref())?,
            w3: BothSides::count(Work::W3, self.keep.as_deref())?,
            w4: BothSides::count(Work::W4, self.keep.as_deref())?,
            w4_1k: BothSides::count(Work::W4Of1K, self.keep.as_deref())?,
            w4_64k: BothSides::count(Work::W4Of64K, self.keep.as_deref())?,
            w6: BothSides::count(Work::W6, self.keep.as_deref())?,
            w10: BothSides::count(Work::W10, self.keep.as_deref())?,
        };
        if self.record {
            let text = serde_json::to_string_pretty(&counted)? + "\n";
            std::fs::write(&self.file, text)
                .with_context(|| format!("writing {}", self.file.display()))?;
            for work in Work::ALL {
                let BothSides { server, client } = counted.of(work);
                println!(
                    "recorded, per message of {}: server {server}, client {client}",
                    work.name()
                );
            }
            return Ok(());
        }
        let text = std::fs::read_to_string(&self.file)
            .with_context(|| format!("reading {}; --record makes it", self.file.display()))?;
        let verdict = serde_json::from_str::<Counts>(&text)?.compare(&counted, self.within)?;
        print!("{}", verdict.text);
        ensure!(!verdict.grown, "a count has grown by more than {} %", self.within);
        Ok(())
    }
}

struct Verdict {
    text: String,
    grown: bool,
}

impl BothSides {
    fn count(work: Work, keep: Option<&Path>) -> Result<Self> {
        let server = per_message(work, Side::Server, keep)?;
        Ok(Self { server, client: per_message(work, Side::Client, keep)? })
    }

    fn of(self, side: Side) -> f64 {
        match side {
            Side::Server => self.server,
            Side::Client => self.client,
        }
    }
}

impl Counts {
    fn of(&self, work: Work) -> BothSides {
        match work {
            Work::W2 => self.w2,
            Work::W3 => self.w3,
            Work::W4 => self.w4,
            Work::W4Of1K => self.w4_1k,
            Work::W4Of64K => self.w4_64k,
            Work::W6 => self.w6,
            Work::W10 => self.w10,
        }
    }

    /// Sets `counted` beside what was recorded, from which it may differ by `within` per cent.
    fn compare(&self, counted: &Self, within: f64) -> Result<Verdict> {
        if self.architecture != counted.architecture {
            bail!(
                "the recorded counts are for {}, not for {}",
                self.architecture,
                counted.architecture
            );
        }
        let mut verdict = Verdict { text: String::new(), grown: false };
        if self.rustc != counted.rustc {
            verdict.text +=
                &format!("recorded with {}, counted with {}\n", self.rustc, counted.rustc);
        }
        for work in Work::ALL {
            verdict.text += &format!("instructions per message of {}\n", work.name());
            for side in Side::ALL {
                let (before, now) = (self.of(work).of(side), counted.of(work).of(side));
                let growth = (now / before - 1.0) * 100.0;
                verdict.grown |= growth > within;
                verdict.text +=
                    &format!("  {}: recorded {before}, now {now}, {growth:+.1} %\n", side.name());
            }
        }
        Ok(verdict)
    }
}

/// A limit of growth. A negative one would call every count grown.
fn percent(text: &str) -> Result<f64> {
    let percent: f64 = text.parse()?;
    ensure!(percent >= 0.0 && percent.is_finite(), "it must be a number of per cent, 0 or more");
    Ok(percent)
}

/// Gives the cost of one more message, to a tenth of an instruction.
fn per_message(work: Work, side: Side, keep: Option<&Path>) -> Result<f64> {
    let profile =
        keep.map(|folder| folder.join(format!("callgrind.out.{}.{}", work.name(), side.name())));
    let (few, many) = work.lengths();
    let short = count(work, side, few, None)?;
    let long = count(work, side, many, profile.as_deref())?;
    let more = long.checked_sub(short).context("a longer run took fewer instructions")?;
    Ok((more as f64 / (many - few) as f64 * 10.0).round() / 10.0)
}

/// The instructions of one side in one run.
fn count(work: Work, side: Side, messages: u64, profile: Option<&Path>) -> Result<u64> {
    let profile = profile.unwrap_or(Path::new("/dev/null"));
    let mut out_file = std::ffi::OsString::from("--callgrind-out-file=");
    out_file.push(profile);
    let run = Command::new("valgrind")
        .args(["--tool=callgrind", &format!("--toggle-collect={COUNTED}")])
        .arg(out_file)
        .arg(std::env::current_exe()?)
        .args(["run", work.name(), side.name(), &messages.to_string()])
        .output()
        .context("valgrind does not start; is it installed?")?;
    let said = String::from_utf8_lossy(&run.stderr);
    ensure!(run.status.success(), "the run under valgrind failed:\n{said}");
    let collected =
        collected(&said).with_context(|| format!("valgrind names no count:\n{said}"))?;
    ensure!(collected > 0, "nothing was counted: no function is called like {COUNTED}");
    Ok(collected)
}

/// The count in what valgrind says at the end: `==7== Collected : 123`.
fn collected(said: &str) -> Option<u64> {
    said.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(server: f64, client: f64) -> Counts {
        let other = BothSides { server: 10.0, client: 20.0 };
        let (w2, w3, w4, w6, w10) = (other, other, other, BothSides { server, client }, other);
        Counts {
            rustc: "rustc 1".to_owned(),
            architecture: "x86_64".to_owned(),
            w2,
            w3,
            w4,
            w4_1k: other,
            w4_64k: other,
            w6,
            w10,
        }
    }

    #[test]
    fn a_count_may_grow_by_as_much_as_is_said_and_no_more() {
        let recorded = counts(100.0, 200.0);
        let grown = |server, within| {
            recorded.compare(&counts(server, 150.0), within).expect("they compare").grown
        };
        assert!(!grown(104.9, WITHIN));
        assert!(grown(105.1, WITHIN));
        assert!(!grown(100.9, 1.0));
        assert!(grown(101.1, 1.0));
        let verdict = recorded.compare(&counts(90.0, 212.0), WITHIN).expect("they compare");
        assert!(verdict.grown);
        assert!(verdict.text.contains("client: recorded 200, now 212, +6.0 %"), "{}", verdict.text);
    }

    #[test]
    fn a_limit_that_is_no_limit_is_refused() {
        assert_eq!(percent("1").expect("it is a limit"), 1.0);
        for text in ["-1", "NaN", "inf", "one"] {
            assert!(percent(text).is_err(), "{text} was taken");
        }
    }

    #[test]
    fn another_compiler_is_told_and_another_architecture_is_an_error() {
        let recorded = counts(100.0, 200.0);
        let newer = Counts { rustc: "rustc 2".to_owned(), ..recorded.clone() };
        let verdict = recorded.compare(&newer, WITHIN).expect("they compare");
        assert!(
            verdict.text.contains("recorded with rustc 1, counted with rustc 2"),
            "{}",
            verdict.text
        );
        let other = Counts { architecture: "aarch64".to_owned(), ..recorded.clone() };
        assert!(recorded.compare(&other, WITHIN).is_err());
    }

    #[test]
    fn the_count_is_found_in_what_valgrind_says() {
        let said =
            "==7== Events    : Ir\n==7== Collected : 1234\n==7== \n==7== I   refs:      1,234\n";
        assert_eq!(collected(said), Some(1234));
        assert_eq!(collected("==7== Events    : Ir\n"), None);
    }

    #[test]
    fn the_recorded_counts_can_be_read() {
        let text = std::fs::read_to_string(RECORD).expect("the file is there");
        let recorded: Counts = serde_json::from_str(&text).expect("it holds counts");
        for work in Work::ALL {
            assert!(Side::ALL.into_iter().all(|side| recorded.of(work).of(side) > 0.0));
        }
    }
}
