//! Line charts as SVG, both axes logarithmic, readable on white and on black.

use std::fmt::Write;

/// A line with points.
#[derive(Clone, Debug)]
pub struct Series {
    /// Shown in the legend.
    pub name: String,
    /// (x, y), both above 0, by x.
    pub points: Vec<(f64, f64)>,
}

/// One chart.
#[derive(Clone, Debug)]
pub struct Panel {
    /// What the y axis shows.
    pub title: String,
    /// What the x axis shows.
    pub across: &'static str,
    /// Its lines.
    pub series: Vec<Series>,
    /// Horizontal lines to compare with: name and y.
    pub lines: Vec<(String, f64)>,
}

const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 44.0;
const LEGEND_LINE: f64 = 18.0;

/// Tell well apart on white, on black, and for the colour-blind (after Okabe and Ito).
const COLOURS: [&str; 6] = ["#0072b2", "#56b4e9", "#d55e00", "#e69f00", "#009e73", "#cc79a7"];
/// Text and axes, of equal contrast on white and on black.
const GREY: &str = "#7a828b";

/// From a value to a place on paper, through decades.
struct Axis {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Axis {
    /// Covers all values, in whole decades.
    fn new(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Axis {
        let (low, high) = values
            .map(f64::log10)
            .fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
        let (low, high) = if low <= high { (low.floor(), high.ceil()) } else { (0.0, 1.0) };
        Axis { low, high: high.max(low + 1.0), from, to }
    }

    fn place(&self, value: f64) -> f64 {
        let share = (value.log10() - self.low) / (self.high - self.low);
        self.from + share * (self.to - self.from)
    }

    fn decades(&self) -> impl Iterator<Item = f64> {
        (self.low as i32..=self.high as i32).map(|exponent| 10f64.powi(exponent))
    }
}

/// The panels side by side, one legend below.
pub fn svg(panels: &[Panel]) -> String {
    let entries = panels.first().map_or(0, |panel| panel.series.len() + panel.lines.len());
    let width = WIDTH * panels.len() as f64;
    let height = HEIGHT + LEGEND_LINE * entries.div_ceil(panels.len().max(1)) as f64 + 8.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\" \
         fill=\"{GREY}\">\n"
    );
    for (number, panel) in panels.iter().enumerate() {
        draw(&mut svg, panel, WIDTH * number as f64);
    }
    if let Some(panel) = panels.first() {
        legend(&mut svg, panel, panels.len());
    }
    svg.push_str("</svg>\n");
    svg
}

/// Adds one element; writing to a string doesn't fail.
macro_rules! element {
    ($svg:expr, $($part:tt)*) => {
        writeln!($svg, $($part)*).expect("a string takes everything")
    };
}

fn draw(svg: &mut String, panel: &Panel, left: f64) {
    let points = || panel.series.iter().flat_map(|series| &series.points);
    let ys = points().map(|point| point.1).chain(panel.lines.iter().map(|line| line.1));
    let x = Axis::new(points().map(|point| point.0), left + LEFT, left + WIDTH - RIGHT);
    let y = Axis::new(ys, HEIGHT - BOTTOM, TOP);
    element!(svg, "<text x=\"{}\" y=\"18\" font-weight=\"bold\">{}</text>", x.from, panel.title);
    for value in y.decades() {
        let at = y.place(value);
        grid(svg, (x.from, at), (x.to, at));
        let label = short(value);
        let (x, y) = (x.from - 6.0, at + 4.0);
        element!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"end\">{label}</text>");
    }
    for value in x.decades() {
        let at = x.place(value);
        grid(svg, (at, y.from), (at, y.to));
        let (label, y) = (short(value), y.from + 16.0);
        element!(svg, "<text x=\"{at:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">{label}</text>");
    }
    let (middle, below, across) = (f64::midpoint(x.from, x.to), HEIGHT - 10.0, panel.across);
    element!(svg, "<text x=\"{middle:.1}\" y=\"{below}\" text-anchor=\"middle\">{across}</text>");
    for (series, colour) in panel.series.iter().zip(COLOURS) {
        let places: Vec<_> =
            series.points.iter().map(|point| (x.place(point.0), y.place(point.1))).collect();
        let path: Vec<_> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        element!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            path.join(" ")
        );
        for (x, y) in places {
            element!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>");
        }
    }
    for ((_, value), colour) in panel.lines.iter().zip(line_colours(panel)) {
        let at = y.place(*value);
        dashes(svg, (x.from, at), (x.to, at), colour);
    }
}

fn line_colours(panel: &Panel) -> impl Iterator<Item = &'static str> {
    COLOURS.into_iter().cycle().skip(panel.series.len())
}

fn grid(svg: &mut String, from: (f64, f64), to: (f64, f64)) {
    element!(
        svg,
        "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"{GREY}\" \
         stroke-opacity=\"0.35\"/>",
        from.0,
        from.1,
        to.0,
        to.1
    );
}

fn dashes(svg: &mut String, from: (f64, f64), to: (f64, f64), colour: &str) {
    element!(
        svg,
        "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"{colour}\" \
         stroke-width=\"2\" stroke-dasharray=\"6 4\"/>",
        from.0,
        from.1,
        to.0,
        to.1
    );
}

fn legend(svg: &mut String, panel: &Panel, columns: usize) {
    let series = panel.series.iter().map(|series| &series.name).zip(COLOURS);
    let lines = panel.lines.iter().map(|line| &line.0).zip(line_colours(panel));
    for (number, (name, colour)) in series.chain(lines).enumerate() {
        let x = LEFT + WIDTH * (number % columns) as f64;
        let y = HEIGHT + LEGEND_LINE * (number / columns) as f64;
        match number < panel.series.len() {
            true => element!(
                svg,
                "<line x1=\"{x}\" y1=\"{y}\" x2=\"{}\" y2=\"{y}\" stroke=\"{colour}\" \
                 stroke-width=\"3\"/>",
                x + 26.0
            ),
            false => dashes(svg, (x, y), (x + 26.0, y), colour),
        }
        element!(svg, "<text x=\"{}\" y=\"{}\">{name}</text>", x + 34.0, y + 4.0);
    }
}

/// A decade's label.
fn short(value: f64) -> String {
    match value {
        1e6.. => format!("{}M", value / 1e6),
        1e3.. => format!("{}k", value / 1e3),
        _ => format!("{value}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_lie_between_their_decades() {
        let axis = Axis::new([20.0, 3000.0].into_iter(), 0.0, 300.0);
        assert_eq!(axis.decades().collect::<Vec<_>>(), [10.0, 100.0, 1000.0, 10_000.0]);
        assert_eq!(axis.place(100.0), 100.0);
    }

    #[test]
    fn a_plot_has_every_line_and_survives_none() {
        let series = Series { name: "a".into(), points: vec![(1.0, 10.0), (10.0, 100.0)] };
        let lines = vec![("floor".into(), 20.0)];
        let panel = Panel { title: "t".into(), across: "x", series: vec![series], lines };
        let drawn = svg(&[panel]);
        assert_eq!(drawn.matches("<polyline").count(), 1);
        assert!(drawn.contains(">floor</text>") && drawn.ends_with("</svg>\n"));
        let empty = Panel { title: "t".into(), across: "x", series: vec![], lines: vec![] };
        assert!(svg(&[empty]).contains("<text"));
    }
}
