//! The workloads, and the contenders that take part in each.

use std::fmt;

use clap::ValueEnum;
use serde::Serialize;

use crate::contender::Contender;

/// A kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
pub(crate) enum Workload {
    #[value(name = "W1")]
    #[serde(rename = "W1")]
    Unary,
    #[value(name = "W1-ct")]
    #[serde(rename = "W1-ct")]
    UnaryOneThread,
    #[value(name = "W2")]
    #[serde(rename = "W2")]
    UnaryMany,
    #[value(name = "W3")]
    #[serde(rename = "W3")]
    PingPong,
    #[value(name = "W3-ct")]
    #[serde(rename = "W3-ct")]
    PingPongOneThread,
    #[value(name = "W4")]
    #[serde(rename = "W4")]
    Download,
    #[value(name = "W5")]
    #[serde(rename = "W5")]
    Upload,
    #[value(name = "W6")]
    #[serde(rename = "W6")]
    Talk,
    #[value(name = "W7")]
    #[serde(rename = "W7")]
    TalkMany,
    #[value(name = "W8")]
    #[serde(rename = "W8")]
    Large,
    #[value(name = "W9")]
    #[serde(rename = "W9")]
    Idle,
    #[value(name = "W10")]
    #[serde(rename = "W10")]
    Churn,
    #[value(name = "W11")]
    #[serde(rename = "W11")]
    Connections,
}

/// The figure by which contenders are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Figure {
    /// Work a second.
    Rate,
    /// The median time of one piece of work.
    P50,
    /// Server memory for each stream or connection.
    BytesEach,
}

impl Figure {
    pub(crate) fn better(self, one: f64, other: f64) -> f64 {
        match self {
            Self::Rate => one.max(other),
            Self::P50 | Self::BytesEach => one.min(other),
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rate => "rate",
            Self::P50 => "p50",
            Self::BytesEach => "bytes",
        })
    }
}

impl Workload {
    pub(crate) const ALL: &[Self] = &[
        Self::Unary,
        Self::UnaryOneThread,
        Self::UnaryMany,
        Self::PingPong,
        Self::PingPongOneThread,
        Self::Download,
        Self::Upload,
        Self::Talk,
        Self::TalkMany,
        Self::Large,
        Self::Idle,
        Self::Churn,
        Self::Connections,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unary => "W1",
            Self::UnaryOneThread => "W1-ct",
            Self::UnaryMany => "W2",
            Self::PingPong => "W3",
            Self::PingPongOneThread => "W3-ct",
            Self::Download => "W4",
            Self::Upload => "W5",
            Self::Talk => "W6",
            Self::TalkMany => "W7",
            Self::Large => "W8",
            Self::Idle => "W9",
            Self::Churn => "W10",
            Self::Connections => "W11",
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Unary => "unary, one at a time",
            Self::UnaryOneThread => "the same on one thread",
            Self::UnaryMany => "unary, 128 in flight",
            Self::PingPong => "ping-pong on a stream",
            Self::PingPongOneThread => "the same on one thread",
            Self::Download => "server stream",
            Self::Upload => "client stream",
            Self::Talk => "echo on a stream",
            Self::TalkMany => "echo on 100 streams",
            Self::Large => "server stream of 1 MiB",
            Self::Idle => "10,000 idle streams",
            Self::Churn => "short streams",
            Self::Connections => "1,000 connections",
        }
    }

    pub(crate) fn figure(self) -> Figure {
        match self {
            Self::Unary | Self::UnaryOneThread | Self::PingPong | Self::PingPongOneThread => {
                Figure::P50
            }
            Self::Idle => Figure::BytesEach,
            _ => Figure::Rate,
        }
    }

    /// Tells whether both sides have one thread instead of two.
    pub(crate) fn one_thread(self) -> bool {
        matches!(self, Self::UnaryOneThread | Self::PingPongOneThread)
    }

    /// In the order in which they run, one after the other, in each round.
    pub(crate) fn contenders(self) -> &'static [Contender] {
        use Contender::{Tarpc, Tcp, TcpNaive, Tonic, TonicChannel, TonicIter, Trill, Ttrpc};
        match self {
            Self::Unary | Self::UnaryOneThread => &[Trill, Tonic, Tarpc, Ttrpc, TcpNaive],
            Self::UnaryMany => &[Trill, Tonic, Tarpc, Ttrpc, Tcp],
            Self::PingPong | Self::PingPongOneThread => &[Trill, Tonic, Ttrpc, TcpNaive],
            Self::Download | Self::Large => &[Trill, TonicIter, TonicChannel, Ttrpc, Tcp],
            // Not ttrpc: its server starts a task for each message that comes, and so does not keep
            // their order.
            Self::Upload | Self::Talk | Self::TalkMany => &[Trill, TonicIter, TonicChannel, Tcp],
            Self::Idle | Self::Churn => &[Trill, Tonic, Ttrpc],
            Self::Connections => &[Trill, Tonic, Tarpc, Ttrpc],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_has_the_same_name_everywhere() {
        for workload in Workload::ALL {
            let option = workload.to_possible_value().expect("none is hidden");
            assert_eq!(option.get_name(), workload.name());
            assert_eq!(serde_json::to_value(workload).expect("it is a string"), workload.name());
        }
    }
}
