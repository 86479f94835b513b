//! Where a comparison ran, so that its figures can be set beside others later.

use std::fs;
use std::process::Command;

use serde::{Deserialize, Serialize};

/// The machine, the program, and how busy the machine was before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) cores: usize,
    pub(crate) model: String,
    pub(crate) kernel: String,
    pub(crate) rustc: String,
    /// The commit of the tree, with `-dirty` if it has changes.
    pub(crate) commit: String,
    /// The processes that ran or wanted to, on average of the last minute.
    pub(crate) load: f64,
}

impl Machine {
    pub(crate) fn describe() -> Self {
        let load = file("/proc/loadavg");
        Self {
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            model: model(&file("/proc/cpuinfo")),
            kernel: file("/proc/sys/kernel/osrelease").trim().to_owned(),
            rustc: env!("RUSTC_VERSION").to_owned(),
            commit: commit(),
            load: load.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or(0.0),
        }
    }

    /// Sentences about all that makes figures of the two not comparable.
    pub(crate) fn differences(&self, before: &Self) -> Vec<String> {
        let facts = |machine: &Self| {
            [
                ("number of cores", machine.cores.to_string()),
                ("processor", machine.model.clone()),
                ("kernel", machine.kernel.clone()),
                ("compiler", machine.rustc.clone()),
            ]
        };
        let differing = facts(self).into_iter().zip(facts(before));
        let mut differences: Vec<String> = differing
            .filter(|(now, before)| now != before)
            .map(|((name, now), (_, before))| format!("another {name}: {now}, it was {before}"))
            .collect();
        for (when, machine) in [("now", self), ("then", before)] {
            if machine.load > machine.cores as f64 / 2.0 {
                differences.push(format!("the machine was busy {when}: load {}", machine.load));
            }
        }
        differences
    }
}

/// The text of a file of the kernel, or nothing.
fn file(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn model(cpuinfo: &str) -> String {
    let model =
        |line: &str| Some(line.strip_prefix("model name")?.split_once(':')?.1.trim().into());
    cpuinfo.lines().find_map(model).unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

fn commit() -> String {
    let described = Command::new("git")
        .args(["-C", env!("CARGO_MANIFEST_DIR"), "describe", "--always", "--dirty"])
        .args(["--exclude=*", "--abbrev=12"])
        .output();
    match described {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        }
        _ => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_a_description() {
        let machine = Machine::describe();
        assert!(machine.cores > 0 && !machine.kernel.is_empty(), "{machine:?}");
        assert!(machine.rustc.starts_with("rustc 1."), "{machine:?}");
        assert_eq!(model("processor\t: 0\nmodel name\t: AMD EPYC\n"), "AMD EPYC");
        assert_eq!(model("processor\t: 0\n"), std::env::consts::ARCH);
    }

    #[test]
    fn another_kernel_and_a_busy_machine_are_told() {
        let before = Machine { load: 0.1, cores: 2, ..Machine::describe() };
        assert_eq!(before.differences(&before), Vec::<String>::new());
        let now = Machine {
            kernel: "7.0".to_owned(),
            commit: "other".to_owned(),
            load: 1.5,
            ..before.clone()
        };
        let kernel = format!("another kernel: 7.0, it was {}", before.kernel);
        assert_eq!(
            now.differences(&before),
            [kernel, "the machine was busy now: load 1.5".to_owned()]
        );
    }
}
