//! The workloads, and the contenders that take part in each.

use std::fmt;

use crate::contender::Contender;
use crate::message::{LARGE, MIDDLE, SMALL};
use crate::work::Work;

/// A kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Workload {
    Unary,
    UnaryOneThread,
    UnaryMany,
    PingPong,
    PingPongOneThread,
    Download,
    Upload,
    Talk,
    TalkMany,
    Idle,
    Churn,
    Connections,
    Neighbour,
    Floods,
}

/// The figure by which contenders are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Figure {
    /// Work a second.
    Rate,
    /// The median time of one piece of work.
    P50,
    /// The time that one piece of work in a hundred exceeds.
    P99,
    /// Processor time of both sides for a piece of work.
    Cpu,
    /// Server memory for each stream or connection; of floods the peak of both sides.
    BytesEach,
}

impl Figure {
    pub(crate) fn better(self, one: f64, other: f64) -> f64 {
        match self {
            Self::Rate => one.max(other),
            Self::P50 | Self::P99 | Self::Cpu | Self::BytesEach => one.min(other),
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rate => "rate",
            Self::P50 => "p50",
            Self::P99 => "p99",
            Self::Cpu => "cpu",
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
        Self::Idle,
        Self::Churn,
        Self::Connections,
        Self::Neighbour,
        Self::Floods,
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
            Self::Idle => "W9",
            Self::Churn => "W10",
            Self::Connections => "W11",
            Self::Neighbour => "W12",
            Self::Floods => "W13",
        }
    }

    pub(crate) fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|workload| workload.name().eq_ignore_ascii_case(name))
    }

    /// The title of the workload with its usual parameters.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Unary => "unary, one at a time",
            Self::UnaryOneThread | Self::PingPongOneThread => "the same on one thread",
            Self::UnaryMany => "unary, many in flight",
            Self::PingPong => "ping-pong on a stream",
            Self::Download => "server stream",
            Self::Upload => "client stream",
            Self::Talk => "echo on a stream",
            Self::TalkMany => "echo on many streams",
            Self::Idle => "idle streams",
            Self::Churn => "short streams",
            Self::Connections => "many connections",
            Self::Neighbour => "ping-pong by a flood",
            Self::Floods => "floods",
        }
    }

    pub(crate) fn figure(self) -> Figure {
        match self {
            Self::Unary
            | Self::UnaryOneThread
            | Self::PingPong
            | Self::PingPongOneThread
            | Self::Neighbour => Figure::P50,
            Self::Idle | Self::Floods => Figure::BytesEach,
            _ => Figure::Rate,
        }
    }

    /// The workload with the parameters that it has if none are given.
    pub(crate) const fn usual(self) -> Work {
        let size = match self {
            Self::Neighbour => LARGE,
            Self::Floods => MIDDLE,
            _ => SMALL,
        };
        let count = match self {
            Self::UnaryMany => 128,
            Self::TalkMany => 100,
            Self::Idle => 10_000,
            Self::Churn => 64,
            Self::Connections | Self::Floods => 1_000,
            _ => 1,
        };
        Work { workload: self, size, count, delay_ms: 0 }
    }

    pub(crate) fn has_size(self) -> bool {
        // The bound writes all requests of W2 before it reads an answer: if they were large, it
        // and its server would wait for each other.
        !matches!(self, Self::Idle | Self::UnaryMany)
    }

    pub(crate) fn has_count(self) -> bool {
        self.usual().count > 1
    }

    /// Tells whether it may go through the proxy, which has four threads for each connection.
    pub(crate) fn has_distance(self) -> bool {
        self != Self::Connections
    }

    /// Tells whether there is processor time for each piece of its work.
    pub(crate) fn has_cost(self) -> bool {
        !matches!(self, Self::Idle | Self::Neighbour | Self::Floods)
    }

    /// Tells whether both sides have one thread instead of two.
    pub(crate) fn one_thread(self) -> bool {
        matches!(self, Self::UnaryOneThread | Self::PingPongOneThread)
    }

    /// In the order in which they run, one after the other, in each round.
    pub(crate) fn contenders(self) -> &'static [Contender] {
        use Contender::{
            GrpcGo, Tarpc, Tcp, TcpNaive, Tonic, TonicChannel, TonicIter, Trill, TrillPerCore,
            TrpcGo, Ttrpc,
        };
        match self {
            Self::Unary => &[Trill, Tonic, Tarpc, Ttrpc, TcpNaive, GrpcGo, TrpcGo],
            Self::UnaryOneThread => &[Trill, Tonic, Tarpc, Ttrpc, TcpNaive],
            Self::UnaryMany => &[Trill, TrillPerCore, Tonic, Tarpc, Ttrpc, Tcp, GrpcGo, TrpcGo],
            Self::PingPong => &[Trill, Tonic, Ttrpc, TcpNaive, GrpcGo, TrpcGo],
            Self::PingPongOneThread => &[Trill, Tonic, Ttrpc, TcpNaive],
            Self::Download => &[Trill, TonicIter, TonicChannel, Ttrpc, Tcp, GrpcGo, TrpcGo],
            // Not ttrpc: its server starts a task for each message that comes, and so does not keep
            // their order.
            Self::Upload | Self::Talk | Self::TalkMany => {
                &[Trill, TonicIter, TonicChannel, Tcp, GrpcGo, TrpcGo]
            }
            Self::Idle => &[Trill, Tonic, Ttrpc],
            Self::Churn => &[Trill, TrillPerCore, Tonic, Ttrpc, GrpcGo, TrpcGo],
            Self::Connections => &[Trill, Tonic, Tarpc, Ttrpc],
            Self::Floods => &[Trill, TonicIter, TonicChannel],
            // The bound has a connection for each of the two: it shows what the machine alone does.
            Self::Neighbour => &[Trill, TonicIter, TonicChannel, Tcp, GrpcGo, TrpcGo],
        }
    }
}
