//! The results as a picture: how many times better than tonic each contender is.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::contender::Contender;
use crate::report::Report;
use crate::work::Work;
use crate::workload::Figure;

/// Draws one group of bars for each work in which both Trill and tonic were measured. A bar starts
/// at tonic's best form: to the right is better, to the left is worse. Gives `false` and draws
/// nothing if there is no such work.
pub(crate) fn draw(report: &Report, path: &Path) -> Result<bool> {
    let groups: Vec<Group> =
        report.works().into_iter().filter_map(|work| Group::new(report, work)).collect();
    if groups.is_empty() {
        return Ok(false);
    }
    let scale = Scale::of(&groups);
    let rows: i32 = groups.iter().map(Group::height).sum();
    let area =
        SVGBackend::new(path, (WIDTH.cast_unsigned(), (TOP + rows + BOTTOM).cast_unsigned()))
            .into_drawing_area();
    // The errors of the backend borrow it, so only their text survives.
    draw_all(&area, &groups, &scale, rows).map_err(|error| anyhow!("drawing: {error}"))?;
    area.present().map_err(|error| anyhow!("writing {}: {error}", path.display()))?;
    Ok(true)
}

pub(crate) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
pub(crate) type Drawn = Result<(), Box<dyn std::error::Error>>;

fn draw_all(area: &Area<'_>, groups: &[Group], scale: &Scale, rows: i32) -> Drawn {
    area.fill(&WHITE)?;
    draw_text(
        area,
        "Times better than tonic's best form (logarithmic)",
        (LEFT, 24),
        16,
        HPos::Left,
    )?;
    let drawn =
        |contender| groups.iter().any(|group| group.bars.iter().any(|(of, _)| *of == contender));
    draw_legend(area, (LEFT, 50), drawn)?;
    for tick in scale.ticks() {
        let x = scale.x(tick);
        let color = if tick == 1.0 { BLACK } else { RGBColor(225, 225, 225) };
        area.draw(&PathElement::new(vec![(x, TOP - 4), (x, TOP + rows)], color))?;
        let label =
            if tick < 1.0 { format!("1/{:.0}", tick.recip()) } else { format!("{tick:.0}") };
        draw_text(area, &label, (x, TOP + rows + 14), 12, HPos::Center)?;
    }
    let mut y = TOP;
    for group in groups {
        draw_group(area, group, scale, y)?;
        y += group.height();
    }
    Ok(())
}

/// Draws the colours of those contenders that are in the picture, in a line that begins there.
pub(crate) fn draw_legend(
    area: &Area<'_>,
    (mut x, y): (i32, i32),
    is_drawn: impl Fn(Contender) -> bool,
) -> Drawn {
    for contender in Contender::ALL.iter().filter(|contender| is_drawn(**contender)) {
        area.draw(&Rectangle::new([(x, y - 6), (x + 12, y + 6)], color(*contender).filled()))?;
        draw_text(area, contender.name(), (x + 18, y), 13, HPos::Left)?;
        x += 46 + 8 * i32::try_from(contender.name().len())?;
    }
    Ok(())
}

fn draw_group(area: &Area<'_>, group: &Group, scale: &Scale, top: i32) -> Drawn {
    let name = format!("{}  {}", group.work, group.work.title());
    let what = match group.work.figure() {
        Figure::Rate => "rate",
        Figure::P50 => "median time",
        Figure::P99 => "time of the slowest in a hundred",
        Figure::Cpu => "processor time",
        Figure::BytesEach => "server memory",
    };
    let middle = top + group.height() / 2;
    draw_text(area, &name, (LEFT - 12, middle - 8), 13, HPos::Right)?;
    draw_text(area, what, (LEFT - 12, middle + 8), 11, HPos::Right)?;
    let mut y = top + GAP / 2;
    for (contender, times) in &group.bars {
        let (one, end) = (scale.x(1.0), scale.x(*times));
        let bar = [(one.min(end), y + 1), (one.max(end), y + BAR - 1)];
        area.draw(&Rectangle::new(bar, color(*contender).filled()))?;
        let label = format!("{times:.2}");
        if *times < 1.0 {
            draw_text(area, &label, (end - 5, y + BAR / 2), 11, HPos::Right)?;
        } else {
            draw_text(area, &label, (end + 5, y + BAR / 2), 11, HPos::Left)?;
        }
        y += BAR;
    }
    Ok(())
}

pub(crate) fn draw_text(
    area: &Area<'_>,
    text: &str,
    at: (i32, i32),
    size: i32,
    anchor: HPos,
) -> Drawn {
    let style = ("sans-serif", size).into_text_style(area).color(&RGBColor(40, 40, 40));
    area.draw(&Text::new(text.to_owned(), at, style.pos(Pos::new(anchor, VPos::Center))))?;
    Ok(())
}

/// The bars of one work.
struct Group {
    work: Work,
    bars: Vec<(Contender, f64)>,
}

impl Group {
    fn new(report: &Report, work: Work) -> Option<Self> {
        let figure = work.figure();
        let tonic = report.best_of_tonic(work, figure)?;
        report.figure(work, Contender::Trill, figure)?;
        let times = |contender: &Contender| {
            let theirs = report.figure(work, *contender, figure)?;
            let times = if figure == Figure::Rate { theirs / tonic } else { tonic / theirs };
            // A figure that cannot be drawn on such a scale is left out, such as memory that
            // shrank.
            (times.is_finite() && times > 0.0).then_some((*contender, times))
        };
        // Tonic's best form is where the bars start, so it has none of its own.
        let bars = Contender::ALL
            .iter()
            .filter_map(times)
            .filter(|(of, times)| !of.is_tonic() || *times != 1.0);
        Some(Self { work, bars: bars.collect() })
    }

    fn height(&self) -> i32 {
        let bars = i32::try_from(self.bars.len()).unwrap_or(i32::MAX);
        (bars * BAR).max(2 * 16) + GAP
    }
}

/// Powers of two.
struct Scale {
    low: i32,
    high: i32,
}

impl Scale {
    fn of(groups: &[Group]) -> Self {
        let exponents =
            || groups.iter().flat_map(|group| &group.bars).map(|(_, times)| times.log2());
        let low = exponents().fold(-1.0, f64::min).floor() as i32;
        let high = exponents().fold(1.0, f64::max).ceil() as i32;
        Self { low, high }
    }

    fn x(&self, times: f64) -> i32 {
        let part = (times.log2() - f64::from(self.low)) / f64::from(self.high - self.low);
        // Room for the labels at both ends.
        let (start, end) = (f64::from(LEFT + 36), f64::from(WIDTH - 50));
        (start + part * (end - start)).round() as i32
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        (self.low..=self.high).map(|exponent| f64::from(exponent).exp2())
    }
}

pub(crate) fn color(contender: Contender) -> RGBColor {
    match contender {
        Contender::Trill => RGBColor(201, 79, 24),
        Contender::TrillPerCore => RGBColor(228, 140, 90),
        Contender::Tonic | Contender::TonicIter => RGBColor(90, 130, 180),
        Contender::TonicChannel => RGBColor(140, 172, 208),
        Contender::Tarpc => RGBColor(120, 160, 110),
        Contender::Ttrpc => RGBColor(160, 135, 190),
        Contender::Tcp => RGBColor(150, 150, 150),
        Contender::TcpNaive => RGBColor(190, 190, 190),
        Contender::GrpcGo => RGBColor(30, 145, 145),
        Contender::TrpcGo => RGBColor(205, 165, 40),
    }
}

const WIDTH: i32 = 900;
const LEFT: i32 = 210;
const TOP: i32 = 76;
const BOTTOM: i32 = 30;
const BAR: i32 = 14;
const GAP: i32 = 12;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::Row;
    use crate::workload::Workload;

    fn row(contender: Contender, p50: f64) -> Row {
        Row {
            workload: "W1".to_owned(),
            contender: contender.name().to_owned(),
            p50_us: Some(p50),
            ..Row::default()
        }
    }

    #[test]
    fn half_the_time_is_twice_as_good() {
        let report = Report::new(&[row(Contender::Trill, 10.0), row(Contender::Tonic, 20.0)]);
        let group = Group::new(&report, Workload::Unary.usual()).expect("both were measured");
        assert_eq!(group.bars, [(Contender::Trill, 2.0)]);
        assert!(Group::new(&report, Workload::Download.usual()).is_none());
    }

    #[test]
    fn the_scale_goes_from_edge_to_edge() {
        let scale = Scale { low: -2, high: 4 };
        assert_eq!(scale.x(0.25), LEFT + 36);
        assert_eq!(scale.x(16.0), WIDTH - 50);
        assert_eq!(scale.ticks().collect::<Vec<_>>(), [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0]);
    }
}
