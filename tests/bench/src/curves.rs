//! The results of a sweep as a picture: each figure along the parameter, a line for each contender.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use crate::chart::{Area, Drawn, color, draw_legend, draw_text};
use crate::contender::Contender;
use crate::report::Report;
use crate::sweep::{Curve, Sweep};
use crate::workload::Figure;

/// Draws the panels of a sweep, in rows of their own for each workload. Gives `false` and draws
/// nothing if nothing of the sweep was measured at two values of its parameter.
pub(crate) fn draw(report: &Report, sweep: Sweep, path: &Path) -> Result<bool> {
    let mut rows: Vec<Vec<Panel>> = Vec::new();
    for curve in sweep.curves() {
        let panels = curve.figures.iter().filter_map(|figure| Panel::new(report, &curve, *figure));
        let mut panels = panels.peekable();
        while panels.peek().is_some() {
            rows.push(panels.by_ref().take(ACROSS).collect());
        }
    }
    if rows.is_empty() {
        return Ok(false);
    }
    let size = (WIDTH * ACROSS as i32, TOP + HEIGHT * rows.len() as i32);
    let size = (size.0.cast_unsigned(), size.1.cast_unsigned());
    let area = SVGBackend::new(path, size).into_drawing_area();
    // The errors of the backend borrow it, so only their text survives.
    draw_all(&area, &rows).map_err(|error| anyhow!("drawing: {error}"))?;
    area.present().map_err(|error| anyhow!("writing {}: {error}", path.display()))?;
    Ok(true)
}

fn draw_all(area: &Area<'_>, rows: &[Vec<Panel>]) -> Drawn {
    area.fill(&WHITE)?;
    let drawn = |contender| {
        rows.iter()
            .flatten()
            .any(|panel| panel.lines.iter().any(|line| line.contender == contender))
    };
    draw_legend(area, (LEFT, 14), drawn)?;
    let mut top = TOP;
    for panels in rows {
        let mut left = 0;
        for panel in panels {
            panel.draw(area, (left, top))?;
            left += WIDTH;
        }
        top += HEIGHT;
    }
    Ok(())
}

/// One figure of one workload along its parameter.
struct Panel {
    title: String,
    along: &'static str,
    labels: Vec<String>,
    lines: Vec<Line>,
    scale: Scale,
}

/// The figures of one contender, and where along the parameter they are.
#[derive(Debug, PartialEq)]
struct Line {
    contender: Contender,
    points: Vec<(usize, f64)>,
}

impl Panel {
    fn new(report: &Report, curve: &Curve, figure: Figure) -> Option<Self> {
        let line = |contender: Contender| {
            let points = curve.points.iter().enumerate().filter_map(|(at, point)| {
                let value = report.figure(point.work, contender, figure)?;
                // Nothing else can be drawn on such a scale.
                (value.is_finite() && value > 0.0).then_some((at, value))
            });
            Line { contender, points: points.collect() }
        };
        let mut lines: Vec<Line> = Contender::ALL.iter().copied().map(line).collect();
        lines.retain(|line| !line.points.is_empty());
        if lines.iter().all(|line| line.points.len() < 2) {
            return None;
        }
        Some(Self {
            title: format!("{}: {}", curve.title, figure_title(figure)),
            along: curve.along,
            labels: curve.points.iter().map(|point| point.label.clone()).collect(),
            scale: Scale::of(&lines),
            lines,
        })
    }

    fn draw(&self, area: &Area<'_>, (left, top): (i32, i32)) -> Drawn {
        draw_text(area, &self.title, (left + LEFT, top + 10), 13, HPos::Left)?;
        let (first, last) = (left + LEFT, left + WIDTH - RIGHT);
        for tick in self.scale.ticks() {
            let y = top + self.scale.y(tick);
            area.draw(&PathElement::new(vec![(first - 6, y), (last + 6, y)], GRID))?;
            draw_text(area, &short(tick), (first - 10, y), 11, HPos::Right)?;
        }
        for (at, label) in self.labels.iter().enumerate() {
            draw_text(area, label, (left + self.x(at), top + LOW + 16), 11, HPos::Center)?;
        }
        let middle = i32::midpoint(first, last);
        draw_text(area, self.along, (middle, top + LOW + 32), 11, HPos::Center)?;
        for line in self.lines.iter().rev() {
            self.draw_line(area, line, (left, top))?;
        }
        Ok(())
    }

    fn draw_line(&self, area: &Area<'_>, line: &Line, (left, top): (i32, i32)) -> Drawn {
        let width = if line.contender == Contender::Trill { 3 } else { 1 };
        let style = color(line.contender).stroke_width(width);
        let points: Vec<(i32, i32)> = line
            .points
            .iter()
            .map(|(at, value)| (left + self.x(*at), top + self.scale.y(*value)))
            .collect();
        for point in &points {
            area.draw(&Circle::new(*point, 3, color(line.contender).filled()))?;
        }
        area.draw(&PathElement::new(points, style))?;
        Ok(())
    }

    fn x(&self, at: usize) -> i32 {
        let steps = (self.labels.len() - 1).max(1) as i32;
        LEFT + at as i32 * (WIDTH - LEFT - RIGHT) / steps
    }
}

/// A logarithmic scale between two powers of ten, or their halves and fifths.
#[derive(Debug, PartialEq)]
struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    fn of(lines: &[Line]) -> Self {
        let values = || lines.iter().flat_map(|line| &line.points).map(|(_, value)| *value);
        let low = values().fold(f64::INFINITY, f64::min);
        let high = values().fold(0.0, f64::max);
        let below = steps(low.log10().floor() as i32 - 1).filter(|step| *step <= low).last();
        let above = steps(high.log10().floor() as i32).find(|step| *step >= high * 1.05);
        Self { low: below.unwrap_or(low), high: above.unwrap_or(high) }
    }

    fn y(&self, value: f64) -> i32 {
        let part = (value / self.low).ln() / (self.high / self.low).ln();
        LOW - (part * f64::from(LOW - HIGH)).round() as i32
    }

    /// All steps if they are few, otherwise the powers of ten.
    fn ticks(&self) -> Vec<f64> {
        let from = self.low.log10().floor() as i32;
        // The steps are computed, and so not quite what they seem to be.
        let within = |step: &f64| *step >= self.low * 0.999 && *step <= self.high * 1.001;
        let all: Vec<f64> = steps(from).take(40).filter(within).collect();
        if all.len() <= 8 {
            return all;
        }
        (from..from + 12).map(|power| 10_f64.powi(power)).filter(within).collect()
    }
}

/// 1, 2, 5, 10, 20, 50 and so on, from that power of ten.
fn steps(power: i32) -> impl Iterator<Item = f64> {
    (power..).take(16).flat_map(|power| [1.0, 2.0, 5.0].map(|step| step * 10_f64.powi(power)))
}

fn short(value: f64) -> String {
    let (value, unit) = match value {
        0.999e6.. => (value / 1e6, " M"),
        0.999e3.. => (value / 1e3, " k"),
        _ => (value, ""),
    };
    // Three digits are enough for 1, 2 and 5.
    let text = format!("{value:.3}");
    format!("{}{unit}", text.trim_end_matches('0').trim_end_matches('.'))
}

fn figure_title(figure: Figure) -> &'static str {
    match figure {
        Figure::Rate => "rate, each a second",
        Figure::P50 => "median µs",
        Figure::P99 => "µs that one in a hundred exceeds",
        Figure::Cpu => "CPU µs each, both sides",
        Figure::BytesEach => "bytes of server memory each",
    }
}

const GRID: RGBColor = RGBColor(225, 225, 225);

/// A panel and its margins. Heights count from its top.
const WIDTH: i32 = 460;
const HEIGHT: i32 = 340;
const LEFT: i32 = 64;
const RIGHT: i32 = 36;
const HIGH: i32 = 34;
const LOW: i32 = 284;

/// The most panels side by side.
const ACROSS: usize = 2;

/// Room for the legend.
const TOP: i32 = 36;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::Row;

    fn row(work: &str, cpu: f64) -> Row {
        Row {
            workload: work.to_owned(),
            contender: "trill".to_owned(),
            cpu_us_per_msg: Some(cpu),
            ..Row::default()
        }
    }

    #[test]
    fn a_line_goes_through_what_was_measured() {
        let report = Report::new(&[row("W4", 0.5), row("W4@4k", 4.0), row("W8", 300.0)]);
        let curve = &Sweep::Sizes.curves()[0];
        let panel = Panel::new(&report, curve, Figure::Cpu).expect("there are three points");
        let points = vec![(1, 0.5), (3, 4.0), (6, 300.0)];
        assert_eq!(panel.lines, [Line { contender: Contender::Trill, points }]);
        assert!(Panel::new(&report, curve, Figure::Rate).is_none());
        let one = Report::new(&[row("W4", 0.5)]);
        assert!(Panel::new(&one, curve, Figure::Cpu).is_none(), "one point is no line");
    }

    #[test]
    fn the_scale_holds_all_values_and_few_lines() {
        let scale = |low, high| {
            Scale::of(&[Line { contender: Contender::Trill, points: vec![(0, low), (1, high)] }])
        };
        let narrow = scale(0.3, 4.0);
        assert_eq!(
            narrow.ticks().iter().map(|tick| short(*tick)).collect::<Vec<_>>(),
            ["0.2", "0.5", "1", "2", "5"]
        );
        let wide = scale(3.0, 2e6);
        assert!(wide.ticks().len() <= 8, "{:?}", wide.ticks());
        for scale in [narrow, wide] {
            assert_eq!((scale.y(scale.low), scale.y(scale.high)), (LOW, HIGH));
        }
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(
            [0.05, 5.0, 200.0, 1e3, 2e4, 5e6].map(short),
            ["0.05", "5", "200", "1 k", "20 k", "5 M"]
        );
    }
}
