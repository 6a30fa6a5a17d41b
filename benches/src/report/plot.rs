//! Line plots as SVG that stands for itself: axes with labels and ticks, a legend, marks.
//!
//! Colours come from the page, which has a set for dark and one for light.

use std::fmt::Write;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 340.0;
/// Room for ticks and labels.
const LEFT: f64 = 72.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 52.0;

/// With more points than this a line is drawn thinner.
const POINTS_DENSE: usize = 300;

/// Colours that the page knows; further lines begin again with dashes.
const COLOURS: usize = 6;

/// How numbers are laid out along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    /// In proportion, from zero on.
    Linear,
    /// By their logarithm.
    Log,
    /// Percentiles, so that 90, 99 and 99.9 are equally far apart.
    Percentile,
}

/// A line, or single points.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Series {
    pub(super) name: String,
    pub(super) points: Vec<(f64, f64)>,
    /// Whether each point is shown.
    pub(super) has_dots: bool,
}

/// A part of the x axis with something to say.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mark {
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) label: String,
}

/// A plot of lines.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plot {
    pub(super) title: String,
    pub(super) x: (String, Scale),
    pub(super) y: (String, Scale),
    pub(super) series: Vec<Series>,
    pub(super) marks: Vec<Mark>,
}

/// An axis with the numbers at its ends.
struct Axis {
    scale: Scale,
    low: f64,
    high: f64,
}

impl Axis {
    fn over(scale: Scale, values: impl Iterator<Item = f64> + Clone) -> Self {
        let usable =
            values.filter(|value| value.is_finite() && (scale != Scale::Log || *value > 0.0));
        let low = usable.clone().fold(f64::INFINITY, f64::min);
        let high = usable.fold(f64::NEG_INFINITY, f64::max);
        let (low, high) = if low <= high { (low, high) } else { (0.1, 1.0) };
        match scale {
            Scale::Linear => Self { scale, low: 0.0, high: (high * 1.05).max(1e-9) },
            Scale::Log => {
                let low = 10_f64.powf(low.log10().floor());
                Self { scale, low, high: 10_f64.powf(high.log10().ceil()).max(low * 10.0) }
            }
            Scale::Percentile => Self { scale, low: 0.0, high: 99.999 },
        }
    }

    /// Where a value lies, from zero to one.
    fn place(&self, value: f64) -> f64 {
        let position = |value: f64| match self.scale {
            Scale::Linear => value,
            Scale::Log => value.max(f64::MIN_POSITIVE).log10(),
            Scale::Percentile => -(1.0 - value.min(self.high) / 100.0).log10(),
        };
        let (low, high) = (position(self.low), position(self.high));
        ((position(value) - low) / (high - low)).clamp(0.0, 1.0)
    }

    fn ticks(&self) -> Vec<f64> {
        match self.scale {
            Scale::Linear => {
                let step = round_step(self.high / 5.0);
                (0..=10).map(|n| f64::from(n) * step).filter(|tick| *tick <= self.high).collect()
            }
            Scale::Log => {
                let first = self.low.log10().round() as i32;
                let last = self.high.log10().round() as i32;
                (first..=last).map(|power| 10_f64.powi(power)).collect()
            }
            Scale::Percentile => vec![0.0, 50.0, 90.0, 99.0, 99.9, 99.99],
        }
    }
}

/// Both axes: where things lie on the page.
struct Frame {
    x: Axis,
    y: Axis,
}

impl Frame {
    /// Where the x axis is.
    const BOTTOM: f64 = HEIGHT - BOTTOM;

    fn across(&self, value: f64) -> f64 {
        LEFT + self.x.place(value) * (WIDTH - LEFT - RIGHT)
    }

    fn down(&self, value: f64) -> f64 {
        Self::BOTTOM - self.y.place(value) * (Self::BOTTOM - TOP)
    }

    /// Lines and numbers along both axes.
    fn put_grid(&self, svg: &mut String) {
        let (bottom, right) = (Self::BOTTOM, WIDTH - RIGHT);
        for tick in self.x.ticks() {
            let (at, label, below) = (self.across(tick), shown(tick), bottom + 16.0);
            put(
                svg,
                format_args!(
                    "<line class=\"grid\" x1=\"{at:.1}\" y1=\"{TOP}\" x2=\"{at:.1}\" y2=\"{bottom}\"/>"
                ),
            );
            put(
                svg,
                format_args!(
                    "<text class=\"tick\" x=\"{at:.1}\" y=\"{below:.1}\" text-anchor=\"middle\">{label}</text>"
                ),
            );
        }
        for tick in self.y.ticks() {
            let (at, label) = (self.down(tick), shown(tick));
            let (beside, base) = (LEFT - 6.0, at + 4.0);
            put(
                svg,
                format_args!(
                    "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{right}\" y2=\"{at:.1}\"/>"
                ),
            );
            put(
                svg,
                format_args!(
                    "<text class=\"tick\" x=\"{beside:.1}\" y=\"{base:.1}\" text-anchor=\"end\">{label}</text>"
                ),
            );
        }
    }

    /// A line across the plot, and a shade as far as it goes. Labels of neighbours are on different
    /// rows.
    fn put_mark(&self, mark: &Mark, number: usize, svg: &mut String) {
        const ROWS: usize = 4;
        let Mark { from, to, label } = mark;
        let (width, height) = (self.across(*to) - self.across(*from), Self::BOTTOM - TOP);
        let (at, row) = (self.across(*from), TOP + 12.0 + 13.0 * (number % ROWS) as f64);
        let (beside, bottom) = (at + 3.0, Self::BOTTOM);
        put(
            svg,
            format_args!(
                "<rect class=\"span\" x=\"{at:.1}\" y=\"{TOP}\" width=\"{width:.1}\" height=\"{height}\"/>"
            ),
        );
        put(
            svg,
            format_args!(
                "<line class=\"mark\" x1=\"{at:.1}\" y1=\"{TOP}\" x2=\"{at:.1}\" y2=\"{bottom}\"/>"
            ),
        );
        put(
            svg,
            format_args!(
                "<text class=\"tick\" x=\"{beside:.1}\" y=\"{row:.1}\">{}</text>",
                escaped(label)
            ),
        );
    }
}

/// The next larger of 1, 2 or 5 times a power of ten.
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|n| n * power).find(|n| *n >= step).unwrap_or(step)
}

impl Plot {
    /// The plot as an SVG element.
    pub(super) fn svg(&self) -> String {
        let points = || self.series.iter().flat_map(|series| series.points.iter());
        let marks = self.marks.iter().map(|mark| mark.from);
        let frame = Frame {
            x: Axis::over(self.x.1, points().map(|point| point.0).chain(marks)),
            y: Axis::over(self.y.1, points().map(|point| point.1)),
        };
        let mut svg = format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{0}\">\n\
             <text class=\"title\" x=\"{LEFT}\" y=\"18\">{0}</text>\n",
            escaped(&self.title)
        );
        frame.put_grid(&mut svg);
        self.put_labels(&mut svg);
        for (number, mark) in self.marks.iter().enumerate() {
            frame.put_mark(mark, number, &mut svg);
        }
        for (number, series) in self.series.iter().enumerate() {
            let points = series.points.iter().map(|(x, y)| (frame.across(*x), frame.down(*y)));
            let density = if series.points.len() > POINTS_DENSE { " thin" } else { "" };
            let style = style(number) + density;
            put_line(&mut svg, &style, points, series.has_dots);
        }
        svg + "</svg>\n" + &self.legend()
    }

    fn put_labels(&self, svg: &mut String) {
        let (middle, centre) = ((LEFT + WIDTH - RIGHT) / 2.0, (TOP + HEIGHT - BOTTOM) / 2.0);
        put(
            svg,
            format_args!(
                "<text class=\"label\" x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                HEIGHT - 12.0,
                escaped(&self.x.0)
            ),
        );
        put(
            svg,
            format_args!(
                "<text class=\"label\" transform=\"translate(16 {centre}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
                escaped(&self.y.0)
            ),
        );
    }

    fn legend(&self) -> String {
        let mut html = String::from("<p class=\"legend\">");
        for (number, series) in self.series.iter().enumerate() {
            put(
                &mut html,
                format_args!(
                    "<span><svg viewBox=\"0 0 24 8\" class=\"key\"><line class=\"{}\" x1=\"0\" y1=\"4\" x2=\"24\" y2=\"4\"/></svg>{}</span>",
                    style(number),
                    escaped(&series.name)
                ),
            );
        }
        html + "</p>\n"
    }
}

/// The classes of the line with this number.
fn style(number: usize) -> String {
    let dashes = if number >= COLOURS { " dashed" } else { "" };
    format!("line c{}{dashes}", number % COLOURS)
}

fn put_line(
    svg: &mut String,
    style: &str,
    points: impl Iterator<Item = (f64, f64)> + Clone,
    has_dots: bool,
) {
    let path: Vec<String> = points.clone().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    put(svg, format_args!("<polyline class=\"{style}\" points=\"{}\"/>", path.join(" ")));
    for (x, y) in points.filter(|_| has_dots) {
        put(svg, format_args!("<circle class=\"{style}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>"));
    }
}

fn put(out: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = writeln!(out, "{line}");
}

/// A tick as short as it can be.
fn shown(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{}M", value / 1e6),
        value if value >= 1e4 => format!("{}k", value / 1e3),
        value => format!("{}", (value * 1e6).round() / 1e6),
    }
}

/// Text as it may stand in HTML, also in an attribute.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(x: Scale, y: Scale, points: Vec<(f64, f64)>) -> Plot {
        let series = Series { name: "a < b".into(), points, has_dots: true };
        Plot {
            title: "\"T\" & more".into(),
            x: ("x".into(), x),
            y: ("y".into(), y),
            series: vec![series],
            marks: vec![Mark { from: 1.0, to: 1.5, label: "kill".into() }],
        }
    }

    #[test]
    fn every_point_lies_inside_the_plot() {
        for scale in [Scale::Linear, Scale::Log, Scale::Percentile] {
            let points = vec![(0.0, 0.0), (1.0, 0.001), (50.0, 7.0), (100.0, 1e6)];
            let svg = plot(scale, Scale::Log, points).svg();
            let numbers = svg.split("cx=\"").skip(1).filter_map(|rest| rest.split('"').next());
            let across: Vec<f64> = numbers.map(|text| text.parse().expect("a number")).collect();
            assert_eq!(across.len(), 4);
            assert!(across.iter().all(|x| (LEFT..=WIDTH).contains(x)), "{scale:?}: {across:?}");
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
    }

    #[test]
    fn text_is_escaped() {
        let svg = plot(Scale::Linear, Scale::Linear, vec![(1.0, 2.0)]).svg();
        assert!(svg.contains("&quot;T&quot; &amp; more") && svg.contains("a &lt; b"));
    }

    #[test]
    fn a_plot_of_nothing_is_a_plot() {
        let svg = plot(Scale::Linear, Scale::Log, vec![]).svg();
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }

    #[test]
    fn ticks_are_round() {
        let axis = Axis::over(Scale::Linear, [3.0, 970.0].into_iter());
        assert_eq!(axis.ticks(), [0.0, 500.0, 1000.0]);
        let axis = Axis::over(Scale::Log, [0.3, 40.0].into_iter());
        assert_eq!(axis.ticks().len(), 4);
        assert_eq!([shown(0.001), shown(20_000.0), shown(1.5e6)], ["0.001", "20k", "1.5M"]);
    }
}
