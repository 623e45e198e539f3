//! What an expectation comes to at the end of a run.

use core::fmt;
use core::ops::{Deref, Range};

use septet_core::{Instant, Sample, Series as Recorded};
use septet_language::units::{self, Dimension};

use crate::expect::expr::{
    Comparison, Condition, Expectation, Expr, ExprKind, Operator, Probe, Quantifier, QueueProbe, Series, Subject,
};
use crate::expect::function;
use crate::expect::metric::{self, Amount, LinkMetric};
use crate::expect::window::Window;
use crate::model::topology::LinkRef;

/// What a run has to say to expectations.
pub trait Observed {
    /// When the run ended.
    fn end(&self) -> Instant;

    /// What was recorded at `node` under `name`; an empty series where nothing was.
    fn series(&self, node: usize, name: &str) -> Recorded;

    /// How much the counter `name` of `node` grew in `window`.
    fn counter(&self, node: usize, name: &str, window: Window) -> Option<f64>;

    /// The value of `metric` at a link, in `window`.
    fn link(&self, link: LinkRef, metric: LinkMetric, window: Window) -> Option<f64>;

    /// When a queue first held more than it may, and how much.
    fn excess(&self, probe: QueueProbe) -> Option<Excess>;
}

/// A queue held more than the limit that a probe was for.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Excess {
    /// When it first did.
    pub at: Instant,
    /// How much it held then.
    pub amount: u64,
}

/// What a run found for an expectation.
#[derive(Clone, PartialEq, Debug)]
pub struct Verdict {
    /// The expectation's name.
    pub name: String,
    /// Its text.
    pub text: String,
    /// Whether it holds.
    pub held: bool,
    /// The comparisons that decided, each with what was found.
    pub found: Vec<Found>,
}

/// One comparison and what was found.
#[derive(Clone, PartialEq, Debug)]
pub struct Found {
    /// The comparison as it is written.
    pub comparison: String,
    /// Whether it held.
    pub held: bool,
    /// The value that was found, as a person would write it.
    pub value: String,
    /// The value as a number, where there is one.
    pub number: Option<f64>,
    /// What the number counts.
    pub unit: Unit,
}

/// What a number counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Unit {
    /// Things, or shares of a whole.
    Count,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// Bits a second.
    BitsPerSecond,
}

impl Unit {
    /// What the metric of this name counts, the name being that behind the node's: `http.time`. A count where nothing is
    /// known of it.
    pub fn of(name: &str) -> Self {
        metric::find(name).map_or(Self::Count, |m| metric::dimension(m.unit).into())
    }

    /// The unit as it stands behind a number; empty for a count.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Count => "",
            Self::Seconds => "s",
            Self::Bytes => "B",
            Self::BitsPerSecond => "bit/s",
        }
    }

    /// The unit that [`as_str`](Self::as_str) names.
    pub fn find(name: &str) -> Option<Self> {
        [Self::Count, Self::Seconds, Self::Bytes, Self::BitsPerSecond].into_iter().find(|u| u.as_str() == name)
    }

    /// The number as a person would write it: `355.752ms`, `64kb`.
    pub fn show(self, number: f64) -> String {
        let dimension = match self {
            Self::Count => Dimension::Number,
            Self::Seconds => Dimension::Time,
            Self::Bytes => Dimension::Size,
            Self::BitsPerSecond => Dimension::Rate,
        };
        units::render(number, dimension)
    }
}

impl From<Dimension> for Unit {
    fn from(dimension: Dimension) -> Self {
        match dimension {
            Dimension::Number => Self::Count,
            Dimension::Time => Self::Seconds,
            Dimension::Size => Self::Bytes,
            Dimension::Rate => Self::BitsPerSecond,
        }
    }
}

impl Verdict {
    /// What was found, in words; of several comparisons each with its own.
    pub fn found_in_words(&self) -> String {
        match &self.found[..] {
            [one] => one.value.clone(),
            many => many.iter().map(|f| format!("{}: {}", f.comparison, f.value)).collect::<Vec<_>>().join("; "),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: found {}", self.name, self.text, self.found_in_words())
    }
}

impl Expectation {
    /// What the run `observed` comes to.
    pub fn verdict(&self, observed: &dyn Observed) -> Verdict {
        let mut judge = Judge { text: &self.text, observed, found: Vec::new() };
        let held = judge.condition(&self.condition);
        let mut found = judge.found;
        // Where it fails, only what failed is of interest.
        if !held && found.iter().any(|f| !f.held) {
            found.retain(|f| !f.held);
        }
        Verdict { name: self.name.clone(), text: self.text.clone(), held, found }
    }
}

impl Expectation {
    /// What must be prepared before the run.
    pub fn probes(&self) -> Vec<Probe> {
        let mut probes = Vec::new();
        self.condition.visit(&mut |part| match part {
            Part::Value(ExprKind::Counter { nodes, name, window }) => probes
                .extend(nodes.iter().map(|node| Probe::Counter { node: *node, name: name.clone(), window: *window })),
            Part::Value(ExprKind::Link { metric, links, window }) => {
                probes.extend(links.iter().map(|link| Probe::Link { link: *link, metric: *metric, window: *window }));
            }
            Part::Always(Subject::Queue { links, amount, window, limit }) => {
                let probe =
                    |link: &LinkRef| QueueProbe { link: *link, amount: *amount, limit: *limit, window: *window };
                probes.extend(links.iter().map(|link| Probe::Queue(probe(link))));
            }
            Part::Value(_) | Part::Always(Subject::Samples { .. }) => {}
        });
        probes
    }

    /// The series that it looks at.
    pub(crate) fn series(&self) -> Vec<&Series> {
        let mut all = Vec::new();
        self.condition.visit(&mut |part| match part {
            Part::Value(
                ExprKind::Fold { fold: _, series } | ExprKind::Fairness(series) | ExprKind::At { series, moment: _ },
            )
            | Part::Always(Subject::Samples { series }) => all.push(series),
            Part::Value(_) | Part::Always(Subject::Queue { .. }) => {}
        });
        all
    }
}

/// Where an expectation touches the run.
enum Part<'a> {
    /// A value, or a part of one.
    Value(&'a ExprKind),
    /// What must hold all the time.
    Always(&'a Subject),
}

impl Condition {
    /// Shows each part to `see`, a whole before its parts, from left to right.
    fn visit<'a>(&'a self, see: &mut dyn FnMut(Part<'a>)) {
        match self {
            Self::And(list) | Self::Or(list) => list.iter().for_each(|c| c.visit(see)),
            Self::Not(inner) => inner.visit(see),
            Self::Compare { first, rest, at: _ } => {
                first.visit(see);
                rest.iter().for_each(|(_, e)| e.visit(see));
            }
            Self::Over { subject, .. } => see(Part::Always(subject)),
        }
    }
}

impl Expr {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(Part<'a>)) {
        see(Part::Value(&self.kind));
        match &self.kind {
            ExprKind::Constant(_)
            | ExprKind::Fold { .. }
            | ExprKind::Fairness(_)
            | ExprKind::Counter { .. }
            | ExprKind::Link { .. } => {}
            ExprKind::At { series: _, moment } => moment.visit(see),
            ExprKind::Apply { function: _, arguments } => arguments.iter().for_each(|a| a.visit(see)),
            ExprKind::Negate(inner) => inner.visit(see),
            ExprKind::Binary { operator: _, left, right } => {
                left.visit(see);
                right.visit(see);
            }
        }
    }
}

impl Operator {
    pub(super) fn apply(self, (a, left): (f64, Dimension), (b, right): (f64, Dimension)) -> f64 {
        use Dimension::{Rate, Size, Time};
        match (self, left, right) {
            // Sizes are in bytes, rates in bits a second.
            (Self::Divide, Size, Time | Rate) => a * 8.0 / b,
            (Self::Multiply, Rate, Time) | (Self::Multiply, Time, Rate) => a * b / 8.0,
            (Self::Add, ..) => a + b,
            (Self::Subtract, ..) => a - b,
            (Self::Multiply, ..) => a * b,
            (Self::Divide, ..) => a / b,
        }
    }
}

struct Judge<'a> {
    text: &'a str,
    observed: &'a dyn Observed,
    found: Vec<Found>,
}

impl Judge<'_> {
    fn condition(&mut self, condition: &Condition) -> bool {
        match condition {
            // Every part is looked at, so that a person sees all that failed.
            Condition::And(list) => list.iter().filter(|c| !self.condition(c)).count() == 0,
            Condition::Or(list) => list.iter().filter(|c| self.condition(c)).count() > 0,
            Condition::Not(inner) => {
                let before = self.found.len();
                let held = !self.condition(inner);
                for found in &mut self.found[before..] {
                    found.held = held;
                }
                held
            }
            Condition::Compare { first, rest, at } => self.compare(first, rest, at),
            Condition::Over { quantifier, subject, comparison, bound, at } => {
                self.over(*quantifier, subject, *comparison, *bound, at)
            }
        }
    }

    fn compare(&mut self, first: &Expr, rest: &[(Comparison, Expr)], at: &Range<usize>) -> bool {
        let mut left = self.value(first);
        let mut held = true;
        let mut values = vec![(first, left)];
        for (comparison, expr) in rest {
            let right = self.value(expr);
            held &= matches!((left, right), (Some(a), Some(b)) if comparison.holds(a, b));
            values.push((expr, right));
            left = right;
        }
        let measured: Vec<_> = values.iter().filter(|(e, _)| !matches!(e.kind, ExprKind::Constant(_))).collect();
        let shown: Vec<_> = measured.iter().map(|(e, v)| show(*v, e.dimension)).collect();
        let value = if shown.is_empty() { "constants only".to_owned() } else { shown.join(" and ") };
        let dimension = measured.first().map_or(Dimension::Number, |(e, _)| e.dimension);
        self.note(at, held, value, measured.first().and_then(|(_, v)| *v), dimension);
        held
    }

    fn over(
        &mut self,
        quantifier: Quantifier,
        subject: &Subject,
        comparison: Comparison,
        bound: f64,
        at: &Range<usize>,
    ) -> bool {
        match subject {
            Subject::Samples { series } => {
                let samples = &*self.samples(series);
                let wanted = quantifier != Quantifier::Always;
                let decisive = samples.iter().find(|s| comparison.holds(s.value, bound) == wanted);
                let held = decisive.is_some() == (quantifier == Quantifier::Eventually);
                let shown = decisive.or(samples.last());
                let value = shown.map_or_else(|| "no samples".to_owned(), |s| moment(s.value, series.dimension, s.at));
                self.note(at, held, value, shown.map(|s| s.value), series.dimension);
                held
            }
            Subject::Queue { links, amount, window, limit } => {
                let (amount, window, limit) = (*amount, *window, *limit);
                let excess = links
                    .iter()
                    .filter_map(|link| self.observed.excess(QueueProbe { link: *link, amount, limit, window }))
                    .min_by_key(|e| e.at);
                let held = excess.is_some() == (quantifier == Quantifier::Eventually);
                let dimension = if amount == Amount::Bytes { Dimension::Size } else { Dimension::Number };
                let (value, number) = match excess {
                    Some(excess) => (moment(excess.amount as f64, dimension, excess.at), Some(excess.amount as f64)),
                    None if window == Window::ALL => {
                        let most = self.link(LinkMetric::QueueMost(amount), links, window);
                        (format!("at most {}", show(most, dimension)), most)
                    }
                    None => (format!("never more than {}", units::render(limit as f64, dimension)), None),
                };
                self.note(at, held, value, number, dimension);
                held
            }
        }
    }

    fn value(&self, expr: &Expr) -> Option<f64> {
        match &expr.kind {
            ExprKind::Constant(n) => Some(*n),
            ExprKind::Negate(of) => self.value(of).map(|v| -v),
            ExprKind::Binary { operator, left, right } => {
                let (a, b) = (self.value(left)?, self.value(right)?);
                let value = operator.apply((a, left.dimension), (b, right.dimension));
                value.is_finite().then_some(value)
            }
            ExprKind::Fold { fold, series } => {
                let samples = self.samples(series);
                fold.over(&samples, series.dimension, series.window, self.observed.end().as_secs_f64())
            }
            ExprKind::At { series, moment } => {
                let moment = self.value(moment)?;
                let samples = self.samples(series);
                let after = samples.partition_point(|s| s.at.as_secs_f64() <= moment);
                Some(samples[after.checked_sub(1)?].value)
            }
            ExprKind::Fairness(series) => {
                let sum = |node: &usize| self.within(*node, series).iter().map(|s| s.value).sum::<f64>();
                function::fairness(&series.nodes.iter().map(sum).collect::<Vec<f64>>())
            }
            ExprKind::Apply { function, arguments } => {
                let arguments: Option<Vec<f64>> = arguments.iter().map(|a| self.value(a)).collect();
                let value = function.apply(&arguments?);
                value.is_finite().then_some(value)
            }
            ExprKind::Counter { nodes, name, window } => {
                nodes.iter().map(|node| self.observed.counter(*node, name, *window)).sum()
            }
            ExprKind::Link { metric, links, window } => self.link(*metric, links, *window),
        }
    }

    /// A metric over several links and both their directions: sums of counts, the worst of what is a level.
    fn link(&self, metric: LinkMetric, links: &[LinkRef], window: Window) -> Option<f64> {
        let all = |metric| links.iter().map(move |l| self.observed.link(*l, metric, window));
        match metric {
            LinkMetric::LossRatio => {
                let (lost, sent): (Option<f64>, Option<f64>) =
                    (all(LinkMetric::Lost).sum(), all(LinkMetric::Sent).sum());
                let (lost, sent) = (lost?, sent?);
                (sent > 0.0).then(|| lost / sent)
            }
            LinkMetric::QueueMost(_) | LinkMetric::QueueMean(_) | LinkMetric::Utilization => {
                all(metric).flatten().reduce(f64::max)
            }
            LinkMetric::Sent
            | LinkMetric::Bytes
            | LinkMetric::Drops
            | LinkMetric::QueueDrops
            | LinkMetric::Filtered
            | LinkMetric::Lost
            | LinkMetric::Damaged => all(metric).sum(),
        }
    }

    /// The samples of all nodes, in the order of time.
    fn samples(&self, series: &Series) -> Samples {
        if let [node] = series.nodes[..] {
            return self.within(node, series);
        }
        let parts: Vec<Samples> = series.nodes.iter().map(|node| self.within(*node, series)).collect();
        let mut merged = parts.iter().map(|part| &**part).collect::<Vec<_>>().concat();
        merged.sort_by_key(|s| s.at);
        let range = 0..merged.len();
        Samples { of: merged.into_iter().collect(), range }
    }

    /// The samples of one node that lie in the series' window.
    fn within(&self, node: usize, series: &Series) -> Samples {
        let of = self.observed.series(node, &series.name);
        let until = |at| of.samples().partition_point(|s| s.at < at);
        let range = until(series.window.after)..until(series.window.before);
        Samples { of, range }
    }

    fn note(&mut self, at: &Range<usize>, held: bool, value: String, number: Option<f64>, dimension: Dimension) {
        let comparison = self.text[at.clone()].to_owned();
        self.found.push(Found { comparison, held, value, number, unit: dimension.into() });
    }
}

/// A part of what was recorded, which stays where it is.
struct Samples {
    of: Recorded,
    range: Range<usize>,
}

impl Deref for Samples {
    type Target = [Sample];

    fn deref(&self) -> &[Sample] {
        &self.of.samples()[self.range.clone()]
    }
}

fn moment(value: f64, dimension: Dimension, at: Instant) -> String {
    format!("{} at {}", units::render(value, dimension), units::render(at.as_secs_f64(), Dimension::Time))
}

fn show(value: Option<f64>, dimension: Dimension) -> String {
    value.map_or_else(|| "no samples".to_owned(), |v| units::render(v, dimension))
}
