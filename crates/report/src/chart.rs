//! A drawing of curves and dots, one panel above the other over a common axis.

use core::fmt::Write as _;

use crate::Axis;
use crate::axis::number;

/// A drawing.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Chart {
    /// What stands above it.
    pub title: String,
    /// The axis that all panels share.
    pub x: Axis,
    /// From top to bottom.
    pub panels: Vec<Panel>,
}

/// What has one vertical axis.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Panel {
    /// The vertical axis.
    pub y: Axis,
    /// What is drawn.
    pub series: Vec<Series>,
}

/// One curve with its dots.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Series {
    /// What it is called in the legend.
    pub name: String,
    /// The points that are joined, in the order of x.
    pub curve: Vec<(f64, f64)>,
    /// The points that are marked.
    pub dots: Vec<(f64, f64)>,
    /// How it is painted; `None` for what its place among the others gives it.
    pub look: Option<Look>,
}

/// How a series is painted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Look {
    /// Which colour of the palette.
    pub colour: usize,
    /// Which stroke: 0 solid, 1 dashed, 2 dotted.
    pub stroke: usize,
}

const WIDTH: f64 = 960.0;
const LEFT: f64 = 76.0;
const RIGHT: f64 = 240.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 52.0;
const GAP: f64 = 26.0;
/// The height of a panel: alone, and among others.
const ALONE: f64 = 390.0;
const TOGETHER: f64 = 210.0;

/// Colours that the colour-blind can tell apart (Okabe and Ito); when they are through, the stroke changes.
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00"];
const STROKES: [&str; 3] = ["", "6 3", "2 3"];

/// Where a panel lies on the paper.
struct Place<'a> {
    panel: &'a Panel,
    top: f64,
    height: f64,
    reach: (f64, f64),
}

impl Place<'_> {
    fn y(&self, value: f64) -> f64 {
        self.top + self.height * (1.0 - self.panel.y.place(self.reach, value))
    }
}

impl Chart {
    /// The drawing as SVG.
    pub fn svg(&self) -> String {
        let each = if self.panels.len() > 1 { TOGETHER } else { ALONE };
        let panels = self.panels.len().max(1) as f64;
        let height = TOP + panels * each + (panels - 1.0) * GAP + BOTTOM;
        let title = escape(&self.title);
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
             font-size=\"13\" role=\"img\" aria-label=\"{title}\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
        );
        let _ = writeln!(out, "<text x=\"{LEFT}\" y=\"26\" font-size=\"16\">{title}</text>");
        let all = self.panels.iter().flat_map(|p| &p.series).flat_map(|s| s.curve.iter().chain(&s.dots));
        let reach = self.x.reach(all.map(|(x, _)| *x));
        for (i, panel) in self.panels.iter().enumerate() {
            let values = panel.series.iter().flat_map(|s| s.curve.iter().chain(&s.dots)).map(|(_, y)| *y);
            let top = TOP + i as f64 * (each + GAP);
            let place = Place { panel, top, height: each, reach: panel.y.reach(values) };
            self.axes(&mut out, &place, reach, i + 1 == self.panels.len());
            for (n, series) in panel.series.iter().enumerate() {
                self.series(&mut out, &place, reach, n, series);
            }
        }
        out.push_str("</svg>\n");
        out
    }

    fn x(&self, reach: (f64, f64), value: f64) -> f64 {
        LEFT + self.x.place(reach, value) * (WIDTH - LEFT - RIGHT)
    }

    fn series(&self, out: &mut String, place: &Place<'_>, reach: (f64, f64), n: usize, series: &Series) {
        let look = series.look.unwrap_or(Look { colour: n, stroke: n / COLOURS.len() });
        let (colour, dash) = (COLOURS[look.colour % COLOURS.len()], STROKES[look.stroke % STROKES.len()]);
        let shown = |&(x, y): &(f64, f64)| {
            let inside = x >= reach.0 && x <= reach.1 && y >= place.reach.0 && y <= place.reach.1;
            (inside && self.x.shows(x) && place.panel.y.shows(y)).then(|| (self.x(reach, x), place.y(y)))
        };
        let path = path(series.curve.iter().map(shown));
        if !path.is_empty() {
            let _ = writeln!(
                out,
                "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\" stroke-linejoin=\"round\" \
                 stroke-dasharray=\"{dash}\"/>"
            );
        }
        for (x, y) in series.dots.iter().filter_map(shown) {
            let _ = writeln!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{colour}\"/>");
        }
        let (x, y) = (WIDTH - RIGHT + 20.0, place.top + 8.0 + 20.0 * n as f64);
        let _ = writeln!(
            out,
            "<line x1=\"{x}\" y1=\"{y}\" x2=\"{}\" y2=\"{y}\" stroke=\"{colour}\" stroke-width=\"2\" \
             stroke-dasharray=\"{dash}\"/><text x=\"{}\" y=\"{}\">{}</text>",
            x + 26.0,
            x + 33.0,
            y + 4.0,
            escape(&series.name)
        );
    }

    fn axes(&self, out: &mut String, place: &Place<'_>, reach: (f64, f64), is_last: bool) {
        let (top, bottom, right) = (place.top, place.top + place.height, WIDTH - RIGHT);
        for value in place.panel.y.ticks(place.reach, 6) {
            let y = place.y(value);
            let _ = writeln!(
                out,
                "<line x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\" stroke=\"#dddddd\"/>\
                 <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 6.0,
                y + 4.0,
                number(value)
            );
        }
        for value in self.x.ticks(reach, 10) {
            let x = self.x(reach, value);
            let _ =
                writeln!(out, "<line x1=\"{x:.1}\" y1=\"{top}\" x2=\"{x:.1}\" y2=\"{bottom}\" stroke=\"#eeeeee\"/>");
            if is_last {
                let _ = writeln!(
                    out,
                    "<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                    bottom + 18.0,
                    number(value)
                );
            }
        }
        let middle = (top + bottom) / 2.0;
        let _ = writeln!(
            out,
            "<text x=\"18\" y=\"{middle:.1}\" transform=\"rotate(-90 18 {middle:.1})\" text-anchor=\"middle\">{}</text>",
            escape(&place.panel.y.label)
        );
        if is_last {
            let _ = writeln!(
                out,
                "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                (LEFT + right) / 2.0,
                bottom + 40.0,
                escape(&self.x.label)
            );
        }
    }
}

/// The path through `points`, broken where one has no place. Of many that share a column of the paper, only the first,
/// the highest, the lowest and the last are kept: the picture is the same.
fn path(points: impl Iterator<Item = Option<(f64, f64)>>) -> String {
    let mut out = String::new();
    let mut run: Vec<(f64, f64)> = Vec::new();
    for point in points.chain([None]) {
        if let Some(point) = point {
            run.push(point);
            continue;
        }
        for (n, (x, y)) in thin(&run).into_iter().enumerate() {
            let _ = write!(out, "{}{x:.1} {y:.1}", if n == 0 { "M" } else { "L" });
        }
        run.clear();
    }
    out
}

fn thin(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut kept = Vec::new();
    for column in points.chunk_by(|a, b| (2.0 * a.0).floor() == (2.0 * b.0).floor()) {
        let by = |a: &usize, b: &usize| column[*a].1.total_cmp(&column[*b].1);
        let all = 0..column.len();
        let mut of = [0, all.clone().min_by(by).unwrap_or(0), all.max_by(by).unwrap_or(0), column.len() - 1];
        of.sort_unstable();
        let mut last = None;
        for i in of {
            if last.replace(i) != Some(i) {
                kept.push(column[i]);
            }
        }
    }
    kept
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_points_make_a_small_path_that_keeps_the_peaks() {
        let peak = |i: u32| if i == 50_000 { 99.0 } else { f64::from(i % 7) };
        let curve: Vec<_> = (0..100_000).map(|i| (f64::from(i) / 1000.0, peak(i))).collect();
        let series = Series { name: "a<b".into(), curve, ..Series::default() };
        let panel = Panel { y: Axis::linear("y"), series: vec![series] };
        let svg = Chart { title: "many".into(), x: Axis::linear("time, s"), panels: vec![panel] }.svg();
        assert!(svg.len() < 120_000, "{}", svg.len());
        assert!(svg.contains("a&lt;b") && svg.contains("time, s") && svg.ends_with("</svg>\n"));
        // 99 of 99 · 1.03 lies just below the top.
        assert!(svg.contains(" 55.4L"), "the peak is drawn");
    }

    #[test]
    fn what_has_no_place_breaks_the_curve() {
        assert_eq!(
            path([Some((1.0, 1.0)), None, Some((2.0, 2.0)), Some((3.0, 3.0))].into_iter()),
            "M1.0 1.0M2.0 2.0L3.0 3.0"
        );
    }
}
