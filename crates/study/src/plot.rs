//! A drawing of curves and dots over a logarithmic axis, as SVG without scripts or outside resources.

use core::fmt::Write as _;

/// A drawing.
pub(crate) struct Plot {
    pub(crate) title: &'static str,
    pub(crate) x: &'static str,
    pub(crate) y: &'static str,
    pub(crate) series: Vec<Series>,
}

/// One curve with its dots; x is from 0.1 to 10, y from 0 to 1.
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) curve: Vec<(f64, f64)>,
    pub(crate) dots: Vec<(f64, f64)>,
}

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 480.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 260.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 50.0;

/// Colours that the colour-blind can tell apart (Okabe and Ito), one a group of three; within a group the stroke differs.
const COLOURS: [&str; 3] = ["#0072b2", "#d55e00", "#009e73"];
const STROKES: [&str; 3] = ["", "6 3", "2 3"];

impl Plot {
    pub(crate) fn svg(&self) -> String {
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
             font-size=\"13\" role=\"img\" aria-label=\"{}\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
            self.title
        );
        let _ = writeln!(out, "<text x=\"{LEFT}\" y=\"24\" font-size=\"16\">{}</text>", self.title);
        self.axes(&mut out);
        for (i, series) in self.series.iter().enumerate() {
            let (colour, dash) = (COLOURS[i / 3 % 3], STROKES[i % 3]);
            let mut path = String::new();
            for (n, &(x, y)) in series.curve.iter().enumerate() {
                let _ = write!(path, "{}{:.1} {:.1}", if n == 0 { "M" } else { "L" }, at_x(x), at_y(y));
            }
            let _ = writeln!(
                out,
                "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\" stroke-dasharray=\"{dash}\"/>"
            );
            for &(x, y) in &series.dots {
                let _ =
                    writeln!(out, "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\" fill=\"{colour}\"/>", at_x(x), at_y(y));
            }
            let y = TOP + 20.0 * i as f64;
            let x = WIDTH - RIGHT + 20.0;
            let _ = writeln!(
                out,
                "<line x1=\"{x}\" y1=\"{y}\" x2=\"{}\" y2=\"{y}\" stroke=\"{colour}\" stroke-width=\"2\" \
                 stroke-dasharray=\"{dash}\"/><text x=\"{}\" y=\"{}\">{}</text>",
                x + 30.0,
                x + 38.0,
                y + 4.0,
                series.name
            );
        }
        out.push_str("</svg>\n");
        out
    }

    fn axes(&self, out: &mut String) {
        let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
        for step in 0..=5 {
            let value = f64::from(step) / 5.0;
            let y = at_y(value);
            let _ = writeln!(
                out,
                "<line x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\" stroke=\"#dddddd\"/>\
                 <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{value}</text>",
                LEFT - 6.0,
                y + 4.0
            );
        }
        for value in [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0] {
            let x = at_x(value);
            let _ = writeln!(
                out,
                "<line x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{bottom}\" stroke=\"#eeeeee\"/>\
                 <text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{value}</text>",
                bottom + 18.0
            );
        }
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>\
             <text x=\"16\" y=\"{:.1}\" transform=\"rotate(-90 16 {:.1})\" text-anchor=\"middle\">{}</text>",
            (LEFT + right) / 2.0,
            bottom + 38.0,
            self.x,
            (TOP + bottom) / 2.0,
            (TOP + bottom) / 2.0,
            self.y
        );
    }
}

fn at_x(x: f64) -> f64 {
    LEFT + (x / 0.1).log10() / 2.0 * (WIDTH - LEFT - RIGHT)
}

fn at_y(y: f64) -> f64 {
    HEIGHT - BOTTOM - y * (HEIGHT - TOP - BOTTOM)
}
