//! The names that expectations may ask for: what programs record, what nodes count, what links know.

use crate::units::Dimension;

/// Something that programs and services record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Metric {
    /// Its name behind the node's: `http.ok`.
    pub(crate) name: &'static str,
    pub(crate) kind: MetricKind,
    pub(crate) doc: &'static str,
}

/// How a metric is read where it stands without a function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum MetricKind {
    /// The sum of its samples.
    Counter(Dimension),
    /// Not at all: a function must say which of its samples are meant.
    Series(Dimension),
}

impl Metric {
    const fn counter(name: &'static str, doc: &'static str) -> Self {
        Self { name, kind: MetricKind::Counter(Dimension::Number), doc }
    }

    const fn series(name: &'static str, dimension: Dimension, doc: &'static str) -> Self {
        Self { name, kind: MetricKind::Series(dimension), doc }
    }
}

/// What is known of links.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum LinkMetric {
    /// Frames put on the wire.
    Sent,
    /// Bytes of the frames put on the wire.
    Bytes,
    /// Frames that did not arrive, whatever the reason.
    Drops,
    /// Frames that the queue did not take.
    QueueDrops,
    /// Frames that the channel lost.
    Lost,
    /// Frames that arrived with flipped bits.
    Damaged,
    /// The share of frames put on the wire that the channel lost.
    LossRatio,
    /// The most that ever waited.
    QueueMost(Amount),
    /// What waited in the mean over time.
    QueueMean(Amount),
    /// The share of its rate that a direction used.
    Utilization,
}

/// How the content of a queue is counted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Amount {
    /// In bytes.
    Bytes,
    /// In packets.
    Packets,
}

/// What the programs and services record.
pub(crate) static METRICS: &[Metric] = &[
    Metric::counter("http.ok", "requests answered with a status below 400 and a whole body"),
    Metric::counter("http.failed", "requests without such an answer"),
    Metric::series("http.time", Dimension::Time, "from the start of a request to the last byte of its answer"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        for (i, metric) in METRICS.iter().enumerate() {
            assert!(METRICS[..i].iter().all(|m| m.name != metric.name), "{}", metric.name);
            assert!(!metric.doc.is_empty());
        }
    }
}
