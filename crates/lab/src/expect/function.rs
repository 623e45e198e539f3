//! The functions of expectations: one table, one line a function.

use septet_core::Sample;
use septet_language::units::Dimension;

use crate::expect::metric::{Amount, LinkMetric};
use crate::expect::window::Window;

/// Folds the samples of a series within a window into one value.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Fold {
    /// How many there are.
    Count,
    Sum,
    Min,
    Max,
    Mean,
    /// The value below which this many per cent of the samples lie, by nearest rank.
    Percentile(f64),
    /// The time of the first.
    First,
    /// The time of the last.
    Last,
    /// The sum divided by the length of the window, per second.
    PerSecond,
    /// The mean time from one sample to the next.
    Interval,
}

impl Fold {
    /// The dimension of the result over samples of `dimension`; none where the function makes no sense of them.
    pub(super) fn dimension(self, of: Dimension) -> Option<Dimension> {
        match self {
            Self::Count => Some(Dimension::Number),
            Self::First | Self::Last | Self::Interval => Some(Dimension::Time),
            Self::PerSecond => match of {
                Dimension::Number => Some(Dimension::Number),
                Dimension::Size => Some(Dimension::Rate),
                Dimension::Time | Dimension::Rate => None,
            },
            Self::Sum | Self::Min | Self::Max | Self::Mean | Self::Percentile(_) => Some(of),
        }
    }

    /// The value over `samples`, which lie in `window` and in the order of time; the run ended at `end` (seconds).
    /// None where it takes at least one sample and there is none.
    pub(super) fn over(self, samples: &[Sample], of: Dimension, window: Window, end: f64) -> Option<f64> {
        let values = || samples.iter().map(|s| s.value);
        match self {
            Self::Count => Some(samples.len() as f64),
            // The sum of nothing is minus zero.
            Self::Sum => Some(values().sum::<f64>() + 0.0),
            Self::Min => values().reduce(f64::min),
            Self::Max => values().reduce(f64::max),
            Self::Mean => (!samples.is_empty()).then(|| values().sum::<f64>() / samples.len() as f64),
            Self::Percentile(p) => percentile(values().collect(), p),
            Self::First => samples.first().map(|s| s.at.as_secs_f64()),
            Self::Last => samples.last().map(|s| s.at.as_secs_f64()),
            Self::PerSecond => {
                let length = end.min(window.before.as_secs_f64()) - window.after.as_secs_f64();
                let bits = if of == Dimension::Size { 8.0 } else { 1.0 };
                // As above, nothing sums to minus zero.
                (length > 0.0).then(|| (values().sum::<f64>() + 0.0) * bits / length)
            }
            Self::Interval => match samples {
                [first, .., last] => Some((last.at - first.at).as_secs_f64() / (samples.len() - 1) as f64),
                _ => None,
            },
        }
    }
}

/// The nearest-rank percentile: the smallest value such that at least `p` per cent are not larger.
fn percentile(mut values: Vec<f64>, p: f64) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    values.sort_by(f64::total_cmp);
    let rank = (p / 100.0 * values.len() as f64).ceil() as usize;
    Some(values[rank.clamp(1, values.len()) - 1])
}

/// A function of values alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pure {
    Abs,
    Sqrt,
    Cbrt,
    Pow,
}

impl Pure {
    pub(super) fn arity(self) -> usize {
        match self {
            Self::Abs | Self::Sqrt | Self::Cbrt => 1,
            Self::Pow => 2,
        }
    }

    /// The dimension of the result; none where the function makes no sense of the arguments.
    pub(super) fn dimension(self, arguments: &[Dimension]) -> Option<Dimension> {
        match (self, arguments) {
            (Self::Abs, [of]) => Some(*of),
            (Self::Sqrt | Self::Cbrt, [Dimension::Number]) => Some(Dimension::Number),
            (Self::Pow, [Dimension::Number, Dimension::Number]) => Some(Dimension::Number),
            _ => None,
        }
    }

    /// The value; that of what has none is no number.
    pub(super) fn apply(self, arguments: &[f64]) -> f64 {
        match (self, arguments) {
            (Self::Abs, [x]) => x.abs(),
            (Self::Sqrt, [x]) => libm::sqrt(*x),
            (Self::Cbrt, [x]) => libm::cbrt(*x),
            (Self::Pow, [x, y]) => libm::pow(*x, *y),
            _ => f64::NAN,
        }
    }
}

/// Jain's fairness index (Jain, Chiu and Hawe 1984): (Σx)² / (n Σx²), 1 where all have the same, 1/n where one has all.
pub(super) fn fairness(shares: &[f64]) -> Option<f64> {
    let sum: f64 = shares.iter().sum();
    let squares: f64 = shares.iter().map(|x| x * x).sum();
    (squares > 0.0).then(|| sum * sum / (shares.len() as f64 * squares))
}

/// What a function is applied to.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Function {
    /// To a series.
    Series(Fold),
    /// To a series, of which it keeps a part.
    Within,
    /// To a series and a moment.
    At,
    /// To a series of several nodes.
    Fairness,
    /// To values.
    Pure(Pure),
    /// To a link.
    Link(LinkMetric, Dimension),
    /// To the queues of a link: its worst value at the end, and over time behind `always`.
    Queue(Amount),
}

/// Every function beside the percentiles, with what it means.
pub(super) const FUNCTIONS: &[(&str, Function, &str)] = &[
    ("count", Function::Series(Fold::Count), "how many samples there are"),
    ("sum", Function::Series(Fold::Sum), "the sum of the samples"),
    ("min", Function::Series(Fold::Min), "the smallest sample"),
    ("max", Function::Series(Fold::Max), "the largest sample"),
    ("mean", Function::Series(Fold::Mean), "the mean of the samples"),
    ("median", Function::Series(Fold::Percentile(50.0)), "the sample in the middle"),
    ("first", Function::Series(Fold::First), "when the first sample was recorded"),
    ("last", Function::Series(Fold::Last), "when the last sample was recorded"),
    ("rate", Function::Series(Fold::PerSecond), "the sum of the samples a second"),
    ("interval", Function::Series(Fold::Interval), "the mean time from one sample to the next"),
    ("within", Function::Within, "the samples of a part of the run"),
    ("at", Function::At, "the last sample at a moment: `at(client.tcp.cwnd, 5s)`"),
    ("jain", Function::Fairness, "Jain's index of the nodes' sums: 1 where all are equal, 1/n where one has all"),
    ("abs", Function::Pure(Pure::Abs), "the value without its sign"),
    ("sqrt", Function::Pure(Pure::Sqrt), "the square root"),
    ("cbrt", Function::Pure(Pure::Cbrt), "the cube root"),
    ("pow", Function::Pure(Pure::Pow), "the first value to the power of the second"),
    ("queue", Function::Queue(Amount::Bytes), "bytes that wait before a link"),
    ("backlog", Function::Queue(Amount::Packets), "packets that wait before a link"),
    ("mean_queue", link(LinkMetric::QueueMean(Amount::Bytes), Dimension::Size), "bytes that wait in the mean"),
    ("mean_backlog", link(LinkMetric::QueueMean(Amount::Packets), Dimension::Number), "packets that wait in the mean"),
    ("sent", link(LinkMetric::Sent, Dimension::Number), "frames put on a link"),
    ("bytes", link(LinkMetric::Bytes, Dimension::Size), "bytes put on a link"),
    ("drops", link(LinkMetric::Drops, Dimension::Number), "frames that did not cross a link, whatever the reason"),
    ("queue_drops", link(LinkMetric::QueueDrops, Dimension::Number), "frames that the queue before a link dropped"),
    ("filtered", link(LinkMetric::Filtered, Dimension::Number), "frames that met a filter which had something to say"),
    ("lost", link(LinkMetric::Lost, Dimension::Number), "frames that a link's channel lost"),
    ("damaged", link(LinkMetric::Damaged, Dimension::Number), "frames that a link delivered with flipped bits"),
    ("loss", link(LinkMetric::LossRatio, Dimension::Number), "the share of frames that a link's channel lost"),
    ("utilization", link(LinkMetric::Utilization, Dimension::Number), "the share of a link's rate that was used"),
];

const fn link(metric: LinkMetric, dimension: Dimension) -> Function {
    Function::Link(metric, dimension)
}

/// The function called `name`; percentiles are `p50`, `p99.9` and any other number from 0 to 100.
pub(super) fn find(name: &str) -> Option<Function> {
    if let Some(p) = name.strip_prefix('p').and_then(|n| n.parse::<f64>().ok())
        && (0.0..=100.0).contains(&p)
    {
        return Some(Function::Series(Fold::Percentile(p)));
    }
    FUNCTIONS.iter().find(|(n, ..)| *n == name).map(|(_, f, _)| *f)
}

/// The names of all functions, some percentiles among them.
pub(super) fn names() -> impl Iterator<Item = &'static str> + Clone {
    FUNCTIONS.iter().map(|(name, ..)| *name).chain(["p50", "p90", "p95", "p99", "p99.9"])
}

/// The functions, each with what it means.
pub(crate) fn known() -> impl Iterator<Item = (&'static str, &'static str)> {
    let percentile = ("p99", "the value that 99 % of the samples do not exceed; likewise p50, p99.9 and others");
    FUNCTIONS.iter().map(|(name, _, doc)| (*name, *doc)).chain([percentile])
}

#[cfg(test)]
mod tests {
    use super::*;
    use septet_core::Instant;

    #[test]
    fn percentiles_by_nearest_rank() {
        let values = || (1..=10).map(f64::from).collect::<Vec<_>>();
        for (p, found) in [(0.0, 1.0), (10.0, 1.0), (11.0, 2.0), (50.0, 5.0), (99.0, 10.0), (100.0, 10.0)] {
            assert_eq!(percentile(values(), p), Some(found), "{p}");
        }
        assert_eq!(percentile(vec![], 50.0), None);
    }

    #[test]
    fn folds() {
        let samples: Vec<_> =
            [(1, 4.0), (2, 2.0), (4, 6.0)].map(|(s, value)| Sample { at: Instant::from_secs(s), value }).into();
        let fold = |fold: Fold, of| fold.over(&samples, of, Window::ALL, 8.0);
        assert_eq!(fold(Fold::Count, Dimension::Number), Some(3.0));
        assert_eq!(fold(Fold::Mean, Dimension::Number), Some(4.0));
        assert_eq!(fold(Fold::First, Dimension::Number), Some(1.0));
        assert_eq!(fold(Fold::Last, Dimension::Number), Some(4.0));
        assert_eq!(fold(Fold::PerSecond, Dimension::Number), Some(1.5));
        assert_eq!(fold(Fold::PerSecond, Dimension::Size), Some(12.0));
        assert_eq!(Fold::Min.over(&[], Dimension::Time, Window::ALL, 8.0), None);
        assert_eq!(Fold::PerSecond.dimension(Dimension::Time), None);
    }

    #[test]
    fn every_function_is_found_by_its_name() {
        for name in names() {
            assert!(find(name).is_some(), "{name}");
        }
        assert!(find("p101").is_none() && find("pi").is_none());
    }
}
