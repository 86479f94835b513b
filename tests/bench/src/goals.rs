//! The goals of Trill, as ratios to the others in the same run.

use crate::contender::Contender;
use crate::report::Report;
use crate::sweep::Sweep;
use crate::work::Work;
use crate::workload::{Figure, Workload};

/// One aim of one work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Goal {
    work: Work,
    figure: Figure,
    against: Against,
    wanted: Wanted,
}

#[derive(Clone, Copy, Debug)]
enum Against {
    /// The best of tonic's forms.
    Tonic,
    TonicChannel,
    Tcp,
    TcpNaive,
    GrpcGo,
    /// The figure itself counts.
    Nobody,
}

#[derive(Clone, Copy, Debug)]
enum Wanted {
    AtLeast(f64),
    AtMost(f64),
}

/// How a goal stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Standing {
    pub(crate) aim: String,
    pub(crate) reached: f64,
    pub(crate) met: bool,
}

impl Goal {
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        use Against::{GrpcGo, Nobody, Tcp, TcpNaive, Tonic, TonicChannel};
        use Figure::{BytesEach, Cpu, P50, P99, Rate};
        use Wanted::{AtLeast, AtMost};
        use Workload as W;
        let usual = [
            (W::Unary.usual(), P50, Tonic, AtMost(0.75)),
            (W::Unary.usual(), P50, TcpNaive, AtMost(1.15)),
            (W::UnaryOneThread.usual(), P50, TcpNaive, AtMost(1.15)),
            (W::UnaryMany.usual(), Rate, Tonic, AtLeast(12.0)),
            (W::UnaryMany.usual(), Rate, Tcp, AtLeast(0.5)),
            (W::PingPong.usual(), P50, Tonic, AtMost(0.9)),
            (W::PingPong.usual(), P50, TcpNaive, AtMost(1.15)),
            (W::PingPongOneThread.usual(), P50, TcpNaive, AtMost(1.15)),
            (W::Download.usual(), Rate, Tonic, AtLeast(1.1)),
            (W::Download.usual(), Rate, TonicChannel, AtLeast(2.2)),
            (W::Upload.usual(), Rate, Tonic, AtLeast(1.1)),
            (W::Upload.usual(), Rate, TonicChannel, AtLeast(2.2)),
            (W::Upload.usual(), Rate, Tcp, AtLeast(0.8)),
            (W::Talk.usual(), Rate, Tonic, AtLeast(1.1)),
            (W::Talk.usual(), Rate, TonicChannel, AtLeast(2.2)),
            (W::Talk.usual(), Rate, Tcp, AtLeast(0.75)),
            (W::TalkMany.usual(), Rate, Tonic, AtLeast(1.0)),
            (W::TalkMany.usual(), Rate, TonicChannel, AtLeast(2.0)),
            (W::TalkMany.usual(), Rate, Tcp, AtLeast(0.7)),
            (Work::LARGE, Rate, Tonic, AtLeast(1.6)),
            (W::Idle.usual(), BytesEach, Tonic, AtMost(0.1)),
            (W::Idle.usual(), BytesEach, Nobody, AtMost(1024.0)),
            (W::Churn.usual(), Rate, Tonic, AtLeast(4.0)),
            (W::Connections.usual(), Rate, Tonic, AtLeast(2.0)),
            (W::Connections.usual(), BytesEach, Tonic, AtMost(0.25)),
            (Work { count: 5_000, ..W::Connections.usual() }, P99, Tonic, AtMost(1.0)),
            (W::Floods.usual(), BytesEach, Tonic, AtMost(1.0)),
        ];
        let sizes = Sweep::Sizes
            .works()
            .into_iter()
            .flat_map(|work| [(work, Cpu, Tonic, AtMost(1.0)), (work, Rate, Tcp, AtLeast(0.85))]);
        let far = Sweep::Distances
            .works()
            .into_iter()
            .filter(|work| work.delay_ms > 0 && work.workload == W::Download);
        let far = far
            .flat_map(|work| [(work, Rate, Tcp, AtLeast(0.9)), (work, Rate, GrpcGo, AtLeast(1.0))]);
        let neighbours =
            Sweep::Neighbours.works().into_iter().map(|work| (work, P99, Tonic, AtMost(1.0)));
        usual
            .into_iter()
            .chain(neighbours)
            .chain(sizes)
            .chain(far)
            .map(|(work, figure, against, wanted)| Self { work, figure, against, wanted })
    }

    pub(crate) fn work(&self) -> Work {
        self.work
    }

    /// `None` if what it compares was not measured.
    pub(crate) fn standing(&self, report: &Report) -> Option<Standing> {
        let (form, ours) = report.best_of_trill(self.work, self.figure)?;
        let theirs = match self.against {
            Against::Nobody => 1.0,
            Against::Tonic => report.best_of_tonic(self.work, self.figure)?,
            Against::TonicChannel => {
                report.figure(self.work, Contender::TonicChannel, self.figure)?
            }
            Against::Tcp => report.figure(self.work, Contender::Tcp, self.figure)?,
            Against::TcpNaive => report.figure(self.work, Contender::TcpNaive, self.figure)?,
            Against::GrpcGo => report.figure(self.work, Contender::GrpcGo, self.figure)?,
        };
        let reached = ours / theirs;
        let (met, bound, limit) = match self.wanted {
            Wanted::AtLeast(limit) => (reached >= limit, "at least", limit),
            Wanted::AtMost(limit) => (reached <= limit, "at most", limit),
        };
        let by = if form == Contender::Trill { "" } else { ", by trill-per-core" };
        Some(Standing {
            aim: format!("{} {bound} {limit}{}{by}", self.figure, self.against.text()),
            reached,
            met,
        })
    }
}

impl Against {
    fn text(self) -> &'static str {
        match self {
            Self::Tonic => " of tonic's best",
            Self::TonicChannel => " of tonic-channel's",
            Self::Tcp => " of tcp's",
            Self::TcpNaive => " of tcp-naive's",
            Self::GrpcGo => " of grpc-go's",
            Self::Nobody => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::Row;

    fn row(contender: Contender, rate: f64) -> Row {
        Row {
            workload: Workload::Download.name().to_owned(),
            contender: contender.name().to_owned(),
            rate: Some(rate),
            ..Row::default()
        }
    }

    #[test]
    fn a_goal_stands_by_the_best_of_tonics_forms() {
        let rows = [
            row(Contender::Trill, 12.0),
            row(Contender::TonicIter, 10.0),
            row(Contender::TonicChannel, 6.0),
        ];
        let report = Report::new(&rows);
        let of_downloads = Goal::all().filter(|goal| goal.work == Workload::Download.usual());
        let standings: Vec<_> = of_downloads.filter_map(|goal| goal.standing(&report)).collect();
        assert_eq!(standings.len(), 2, "neither tcp nor processor time was measured");
        assert!(standings[0].met && standings[0].reached == 1.2, "{:?}", standings[0]);
        assert!(!standings[1].met && standings[1].reached == 2.0, "{:?}", standings[1]);
        assert_eq!(standings[1].aim, "rate at least 2.2 of tonic-channel's");
    }

    #[test]
    fn a_goal_stands_by_the_better_form_of_trill_and_names_it() {
        let churn = Workload::Churn.usual();
        let of_churn = |contender, rate| Row { workload: churn.name(), ..row(contender, rate) };
        let mut rows = vec![of_churn(Contender::Trill, 12.0), of_churn(Contender::Tonic, 2.0)];
        let aim = |rows: &[Row]| {
            let goal = Goal::all().find(|goal| goal.work == churn).expect("it has one");
            goal.standing(&Report::new(rows)).expect("all was measured")
        };
        assert_eq!(
            (aim(&rows).aim.as_str(), aim(&rows).reached),
            ("rate at least 4 of tonic's best", 6.0)
        );
        rows.push(of_churn(Contender::TrillPerCore, 14.0));
        let aim = aim(&rows);
        assert_eq!(
            (aim.aim.as_str(), aim.reached),
            ("rate at least 4 of tonic's best, by trill-per-core", 7.0)
        );
    }
}
