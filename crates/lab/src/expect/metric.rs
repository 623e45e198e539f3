//! The names that expectations may ask for: what programs record, what nodes count, what links know.

use std::sync::LazyLock;

use septet_core::{Metric, Reading, Unit};
use septet_language::units::Dimension;

use crate::stage::gauges;

/// How the metric called `name` behind a node's name is read; what is not known is a series.
pub fn reading(name: &str) -> Reading {
    find(name).map_or(Reading::Each, |metric| metric.reading)
}

/// The metric called `name`. Of what programs of one's own record, the end of the name says what it counts: `.time`
/// seconds, `.bytes` bytes.
pub(crate) fn find(name: &str) -> Option<Metric> {
    let known = known(name)?;
    if known.name != OWN {
        return Some(*known);
    }
    let (reading, unit) = match name.rsplit('.').next() {
        Some("time") => (Reading::Each, Unit::Time),
        Some("bytes") => (Reading::Sum, Unit::Size),
        _ => (Reading::Sum, Unit::Number),
    };
    Some(Metric { reading, unit, ..*known })
}

/// What values that are counted so measure.
pub(crate) fn dimension(unit: Unit) -> Dimension {
    match unit {
        Unit::Number => Dimension::Number,
        Unit::Time => Dimension::Time,
        Unit::Size => Dimension::Size,
        Unit::Rate => Dimension::Rate,
    }
}

/// The family of what programs of one's own record.
const OWN: &str = "app.*";

/// What the lab itself records at its nodes, and leaves to others to record.
const METRICS: &[Metric] = &[
    Metric::counter("service.failed.*", "services that could not run"),
    Metric::counter(OWN, "what programs of your own record; `app.….time` in seconds, `app.….bytes` in bytes"),
];

/// Everything that is recorded, as those declare it who do.
pub(crate) fn all() -> &'static [Metric] {
    static ALL: LazyLock<Vec<Metric>> = LazyLock::new(|| {
        let others = septet_application::metrics().into_iter();
        others.chain(gauges::METRICS).chain(METRICS).copied().collect()
    });
    &ALL
}

fn known(name: &str) -> Option<&'static Metric> {
    // A full name goes before a family that it would belong to.
    all().iter().find(|m| m.name == name).or_else(|| all().iter().find(|m| m.is(name)))
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
    /// Frames about which a filter had something to say.
    Filtered,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        for (i, metric) in all().iter().enumerate() {
            assert!(all()[..i].iter().all(|m| m.name != metric.name), "{}", metric.name);
            assert!(!metric.doc.is_empty());
        }
    }

    #[test]
    fn families_and_their_exceptions() {
        assert_eq!(find("http.status.404").unwrap().name, "http.status.*");
        assert_eq!(find("http.time.connect").unwrap().name, "http.time.connect");
        let read = |name| find(name).map(|m| (m.reading, m.unit)).unwrap();
        assert_eq!(read("app.order.time"), (Reading::Each, Unit::Time));
        assert_eq!(read("app.orders"), (Reading::Sum, Unit::Number));
        assert_eq!(read("http.refused"), (Reading::Sum, Unit::Number));
        assert_eq!(find("backend.web1.requests").unwrap().name, "backend.*.requests");
        assert!(find("backend.requests").is_none() && find("backend.web1.okay").is_none());
        assert!(find("http.status.").is_none() && find("http.okay").is_none());
    }
}
