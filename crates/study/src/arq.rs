//! The utilisation of a noisy line under the three schemes of ARQ, measured with two real LAPB ends, and by formula.
//!
//! Time is counted in frames: `a` is the one-way delay in frames. A share `p` of the I frames is lost; supervisory
//! frames, some thousand times shorter, are not. Formulas after M. Schwartz, "Telecommunication Networks", 1987, §4.3:
//!
//! - stop-and-wait: `U = (1 − p) / (1 + 2a)`;
//! - go-back-N with a window that covers the round trip: `U = (1 − p) / (1 + (α − 1) p)`, where a lost frame costs α frame
//!   times. HDLC discards a damaged frame without a word, so the reject is sent when the frame behind it has come; and a
//!   sender does not break off the frame that it is sending when the reject comes: `α = ⌈2a + 2⌉`. (Stallings, "Data and
//!   Computer Communications", has the receiver reject the damaged frame itself, and so `α = 2a + 1`.)
//! - selective repeat with a window that covers the repetition too: `U = 1 − p`.

use core::fmt::Write as _;
use core::time::Duration;
use std::collections::VecDeque;

use septet_core::{Frame, Instant, Rng, Seed};
use septet_datalink::lapb::{Arq, Config, Control, Event, LapbFrame, Link, Modulo, Side};

use septet_report::{Axis, Chart, Look, Panel, Scale, Series};

/// How long a frame is, in time: a thousandth of it is far above a nanosecond.
const FRAME: Duration = Duration::from_millis(10);
/// How long a supervisory frame is.
const SUPERVISORY: Duration = Duration::from_micros(10);

/// A measured point.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Point {
    /// The scheme.
    pub arq: Arq,
    /// The one-way delay, in frames.
    pub a: f64,
    /// The share of frames lost.
    pub p: f64,
    /// The share of time in which the line carried frames that were then delivered.
    pub measured: f64,
    /// The same by formula.
    pub expected: f64,
}

impl Point {
    /// How far the measurement is off, as a share of the formula.
    pub fn deviation(&self) -> f64 {
        self.measured / self.expected - 1.0
    }
}

/// One-way delays of the grid, in frames.
pub const DELAYS: [f64; 5] = [0.1, 0.5, 1.0, 4.0, 10.0];
/// Shares of lost frames of the grid.
pub const LOSSES: [f64; 5] = [0.0, 0.001, 0.01, 0.05, 0.1];

/// The formula's utilisation.
pub fn expected(arq: Arq, a: f64, p: f64) -> f64 {
    // The answer's own length adds to the delay.
    let a = a + SUPERVISORY.as_secs_f64() / FRAME.as_secs_f64() / 2.0;
    match arq {
        Arq::StopAndWait => (1.0 - p) / (1.0 + 2.0 * a),
        Arq::GoBackN => (1.0 - p) / (1.0 + ((2.0 * a + 2.0).ceil() - 1.0) * p),
        Arq::SelectiveRepeat => 1.0 - p,
    }
}

/// Measures over the whole grid, `frames` frames a point.
pub fn grid(frames: u64, seed: u64) -> Vec<Point> {
    let mut points = Vec::new();
    for arq in Arq::ALL {
        for a in DELAYS {
            for p in LOSSES {
                let mut rng = Seed::new(seed).stream(&format!("arq {} {a} {p}", arq.name()));
                let measured = measure(arq, a, p, frames, &mut rng);
                points.push(Point { arq, a, p, measured, expected: expected(arq, a, p) });
            }
        }
    }
    points
}

/// Sends `frames` frames over a line with a delay of `a` frames that loses a share `p`, and returns its utilisation.
pub fn measure(arq: Arq, a: f64, p: f64, frames: u64, rng: &mut Rng) -> f64 {
    let delay = FRAME.mul_f64(a);
    let trip = 2 * delay + FRAME + SUPERVISORY;
    // Stop-and-wait lives by its timer, which is as tight as it may be; the others only fall back on it.
    let t1 = match arq {
        Arq::StopAndWait => trip + Duration::from_nanos(1),
        Arq::GoBackN | Arq::SelectiveRepeat => trip + FRAME + SUPERVISORY,
    };
    let config = Config { modulo: Modulo::OneTwentyEight, window: 127, arq, t1, n2: u32::MAX, ..Config::default() };
    let mut line = Line {
        now: Instant::from_millis(1),
        ends: [Link::new(config), Link::new(Config { side: Side::Dce, ..config })],
        flights: Default::default(),
        free: [Instant::ZERO; 2],
        delay,
        delivered: 0,
    };
    let now = line.now;
    line.ends[0].connect(now);
    let mut start = None;
    loop {
        while line.ends[0].held() < 256 {
            // It cannot be too long.
            let _ = line.ends[0].send(Frame::new(8, b"info"));
        }
        line.step(&mut |frame| matches!(frame, Control::I { .. }) && rng.chance(p));
        match start {
            // The set-up is not part of it.
            None if line.delivered > 0 => start = Some((line.now, line.delivered)),
            Some((at, before)) if line.delivered - before >= frames => {
                let sent = FRAME.as_secs_f64() * (line.delivered - before) as f64;
                return sent / (line.now - at).as_secs_f64();
            }
            _ => {}
        }
    }
}

/// Two ends and the line between them.
struct Line {
    now: Instant,
    ends: [Link; 2],
    /// Frames on the way to the end of this index, by arrival.
    flights: [VecDeque<(Instant, Frame)>; 2],
    free: [Instant; 2],
    delay: Duration,
    delivered: u64,
}

impl Line {
    /// Lets everything happen that happens now, and goes on to the next moment.
    fn step(&mut self, loses: &mut impl FnMut(Control) -> bool) {
        for from in 0..2 {
            while self.free[from] <= self.now
                && let Some(body) = self.ends[from].poll_transmit(self.now)
            {
                let control = LapbFrame::parse(body.bytes(), Modulo::OneTwentyEight).map(|f| f.control);
                let is_information = matches!(control, Ok(Control::I { .. }));
                self.free[from] = self.now + if is_information { FRAME } else { SUPERVISORY };
                if !control.is_ok_and(&mut *loses) {
                    self.flights[1 - from].push_back((self.free[from] + self.delay, body));
                }
            }
        }
        let arrivals = self.flights.iter().filter_map(|line| line.front().map(|(at, _)| *at));
        let timers = self.ends.iter().filter_map(Link::poll_timeout);
        let free = (0..2).filter(|&i| self.ends[i].wants_line()).map(|i| self.free[i]);
        let Some(next) = arrivals.chain(timers).chain(free).min() else { return };
        self.now = self.now.max(next);
        for to in 0..2 {
            while self.flights[to].front().is_some_and(|(at, _)| *at <= self.now)
                && let Some((_, body)) = self.flights[to].pop_front()
            {
                // What is no frame of this link is dropped, as on any line.
                let _ = self.ends[to].receive(self.now, body);
            }
            if self.ends[to].poll_timeout().is_some_and(|at| at <= self.now) {
                self.ends[to].on_timeout(self.now);
            }
            while let Some(event) = self.ends[to].poll_event() {
                self.delivered += u64::from(to == 1 && matches!(event, Event::Deliver(_)));
            }
        }
    }
}

/// The points as a table.
pub fn table(points: &[Point]) -> String {
    let mut text = format!("{:<18}{:>6}{:>8}{:>11}{:>11}{:>10}\n", "scheme", "a", "p", "measured", "formula", "off");
    for point in points {
        let _ = writeln!(
            text,
            "{:<18}{:>6}{:>7.1}%{:>11.4}{:>11.4}{:>9.2}%",
            point.arq.name(),
            point.a,
            point.p * 100.0,
            point.measured,
            point.expected,
            point.deviation() * 100.0
        );
    }
    text
}

/// The points as a drawing (SVG): utilisation over delay, one line a scheme and loss, formulas as lines and
/// measurements as dots.
pub fn svg(points: &[Point]) -> String {
    let mut series = Vec::new();
    for (colour, arq) in Arq::ALL.into_iter().enumerate() {
        for (stroke, p) in [0.0, 0.01, 0.1].into_iter().enumerate() {
            let of: Vec<&Point> = points.iter().filter(|point| point.arq == arq && point.p == p).collect();
            let curve = (0..=100).map(|i| {
                let a = 0.1 * 100f64.powf(f64::from(i) / 100.0);
                (a, expected(arq, a, p))
            });
            series.push(Series {
                name: format!("{}, {} % lost", arq.name(), p * 100.0),
                curve: curve.collect(),
                dots: of.iter().map(|point| (point.a, point.measured)).collect(),
                look: Some(Look { colour, stroke }),
            });
        }
    }
    let x = Axis { label: "one-way delay a, in frames".into(), scale: Scale::Logarithmic, range: Some((0.1, 10.0)) };
    let y = Axis { range: Some((0.0, 1.0)), ..Axis::linear("utilisation") };
    let title = "Utilisation of a noisy line: formulas (lines) and LAPB measured (dots)".into();
    Chart { title, x, panels: vec![Panel { y, series }] }.svg()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_measurements_are_the_formulas_within_three_per_cent() {
        for arq in Arq::ALL {
            for a in [0.1, 1.0, 10.0] {
                for p in [0.0, 0.01, 0.1] {
                    // What go-back-N loses with a frame grows with the delay, and so does the spread of the measurement.
                    let frames = if p == 0.0 {
                        1000
                    } else if arq == Arq::GoBackN {
                        20_000
                    } else {
                        6000
                    };
                    let measured = measure(arq, a, p, frames, &mut Seed::new(2).stream("arq"));
                    let point = Point { arq, a, p, measured, expected: expected(arq, a, p) };
                    assert!(point.deviation().abs() < 0.03, "{point:?}: {:.1} %", point.deviation() * 100.0);
                }
            }
        }
    }

    #[test]
    fn the_drawing_has_a_dot_for_each_measurement_of_its_series() {
        let points = grid(50, 1);
        let svg = svg(&points);
        assert_eq!(svg.matches("<circle").count(), 3 * 3 * DELAYS.len());
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
    }
}
