//! Rows that belong together: a workload at several values of one parameter.

use clap::ValueEnum;

use crate::work::{Work, size_text, thousands};
use crate::workload::{Figure, Workload};

/// A set of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sweep {
    /// A server stream with messages of 0 bytes to 1 MiB
    Sizes,
    /// 1 to 1,024 calls in flight
    InFlight,
    /// Echo on 1 to 1,000 streams
    Streams,
    /// 100 to 5,000 connections
    Connections,
    /// A ping-pong beside floods of large messages
    Neighbours,
    /// A server stream and echo, 1, 10 and 50 ms away
    Distances,
}

/// One workload along its parameter.
#[derive(Clone, Debug)]
pub(crate) struct Curve {
    pub(crate) title: String,
    /// The name of the parameter.
    pub(crate) along: &'static str,
    pub(crate) points: Vec<Point>,
    /// The figures that the picture shows.
    pub(crate) figures: &'static [Figure],
}

/// One value of the parameter.
#[derive(Clone, Debug)]
pub(crate) struct Point {
    pub(crate) label: String,
    pub(crate) work: Work,
}

impl Sweep {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sizes => "sizes",
            Self::InFlight => "in-flight",
            Self::Streams => "streams",
            Self::Connections => "connections",
            Self::Neighbours => "neighbours",
            Self::Distances => "distances",
        }
    }

    pub(crate) fn curves(self) -> Vec<Curve> {
        use Figure::{BytesEach, Cpu, P50, P99, Rate};
        match self {
            Self::Sizes => vec![Curve {
                title: "W4: server stream".to_owned(),
                along: "payload of a message",
                points: sizes(
                    Workload::Download,
                    &[0, 32, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 1 << 20],
                ),
                figures: &[Cpu, Rate],
            }],
            Self::InFlight => vec![Curve {
                title: "W2: unary".to_owned(),
                along: "calls in flight",
                points: counts(Workload::UnaryMany, &[1, 8, 32, 128, 1_024]),
                figures: &[Cpu, Rate],
            }],
            Self::Streams => vec![Curve {
                title: "W7: echo on streams of one connection".to_owned(),
                along: "streams",
                points: counts(Workload::TalkMany, &[1, 10, 100, 1_000]),
                figures: &[Cpu, Rate],
            }],
            Self::Connections => vec![Curve {
                title: "W11: connections that call all at once".to_owned(),
                along: "connections",
                points: counts(Workload::Connections, &[100, 1_000, 5_000]),
                figures: &[P50, P99, Cpu, BytesEach],
            }],
            Self::Neighbours => vec![Curve {
                title: "W12: ping-pong beside a flood".to_owned(),
                along: "payload of the flood's messages",
                points: sizes(Workload::Neighbour, &[1 << 10, 64 << 10, 1 << 20]),
                figures: &[P50, P99, Rate],
            }],
            Self::Distances => [Workload::Download, Workload::Talk]
                .into_iter()
                .flat_map(|workload| [32, 1 << 10, 64 << 10].map(|size| far(workload, size)))
                .collect(),
        }
    }

    pub(crate) fn works(self) -> Vec<Work> {
        self.curves().into_iter().flat_map(|curve| curve.points).map(|point| point.work).collect()
    }
}

/// The works that were named, and then those of the sets, each once.
pub(crate) fn chosen(named: &[Work], sweeps: &[Sweep]) -> Vec<Work> {
    let mut chosen: Vec<Work> = Vec::new();
    let works = sweeps.iter().flat_map(|sweep| sweep.works());
    for work in named.iter().copied().chain(works) {
        if !chosen.contains(&work) {
            chosen.push(work);
        }
    }
    chosen
}

fn sizes(workload: Workload, sizes: &[usize]) -> Vec<Point> {
    let point = |&size| Point { label: size_text(size), work: Work { size, ..workload.usual() } };
    sizes.iter().map(point).collect()
}

/// A workload without a distance, and over several.
fn far(workload: Workload, size: usize) -> Curve {
    let point = |delay_ms: u32| Point {
        label: delay_ms.to_string(),
        work: Work { size, delay_ms, ..workload.usual() },
    };
    Curve {
        title: format!("{}, {}", workload.name(), size_text(size)),
        along: "ms away",
        points: [0, 1, 10, 50].into_iter().map(point).collect(),
        figures: &[Figure::Rate, Figure::Cpu],
    }
}

fn counts(workload: Workload, counts: &[usize]) -> Vec<Point> {
    let point =
        |&count| Point { label: thousands(count), work: Work { count, ..workload.usual() } };
    counts.iter().map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_has_the_same_name_everywhere() {
        for sweep in Sweep::value_variants() {
            let option = sweep.to_possible_value().expect("none is hidden");
            assert_eq!(option.get_name(), sweep.name());
        }
    }

    #[test]
    fn the_rows_of_a_sweep_can_be_chosen_one_by_one() {
        let names: Vec<String> = Sweep::Sizes.works().into_iter().map(Work::name).collect();
        assert_eq!(names, ["W4@0", "W4", "W4@1k", "W4@4k", "W4@16k", "W4@64k", "W8"]);
        for work in chosen(&[], Sweep::value_variants()) {
            assert_eq!(work.name().parse::<Work>().expect("it is a name"), work);
        }
    }

    #[test]
    fn a_work_that_is_chosen_twice_runs_once() {
        let named = [Work::LARGE, Workload::Talk.usual(), Work::LARGE];
        let works = chosen(&named, &[Sweep::Sizes]);
        assert_eq!(works.len(), 2 + 6);
        assert_eq!(works[..2], named[..2]);
    }
}
