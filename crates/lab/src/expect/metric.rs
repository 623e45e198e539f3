//! The names that expectations may ask for: what programs record, what nodes count, what links know.

use std::sync::LazyLock;

use septet_core::{Metric, Reading, Star, Unit};
use septet_datalink::{card, hub, switch};
use septet_language::units::Dimension;
use septet_network::routing::{self, PROTOCOLS};

use crate::expect::gauges;
use crate::model::node::NodeKind;

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

/// What is left to others to record.
const METRICS: &[Metric] =
    &[Metric::counter(OWN, "what programs of your own record; `app.….time` in seconds, `app.….bytes` in bytes")
        .of(Star::Anything)];

/// A metric, and who records or counts it.
#[derive(Clone, Debug)]
pub(crate) struct Declared {
    pub(crate) metric: Metric,
    pub(crate) by: Vec<&'static str>,
}

/// Everything that is recorded at hosts and routers, as those declare it who do.
pub(crate) fn recorded() -> &'static [Declared] {
    static ALL: LazyLock<Vec<Declared>> = LazyLock::new(|| {
        let protocols = PROTOCOLS.iter().map(|kind| (kind.name, kind.metrics));
        let others = septet_service::recorders()
            .chain(septet_application::recorders())
            .chain(protocols)
            .chain([("routing protocols", routing::METRICS)])
            .flat_map(|(by, metrics)| metrics.iter().map(move |m| (by, *m)));
        let counters = septet_network::firewall::METRICS.iter().map(|metric| ("the firewall", *metric));
        let gauges = gauges::metrics().map(|metric| ("`lab.sample`", metric));
        let own = METRICS.iter().map(|metric| ("programs of your own", *metric));
        let mut all: Vec<Declared> = Vec::new();
        for (by, metric) in others.chain(counters).chain(gauges).chain(own) {
            match all.iter_mut().find(|known| known.metric.name == metric.name) {
                Some(known) => known.by.push(by),
                None => all.push(Declared { metric, by: vec![by] }),
            }
        }
        all
    });
    &ALL
}

/// What a node of this kind counts as a whole, as its station and the cards in its ports declare it.
pub(crate) fn counted(kind: NodeKind) -> Box<dyn Iterator<Item = &'static Metric>> {
    let cards = card::metrics();
    match kind {
        NodeKind::Host | NodeKind::Router => Box::new(septet_host::metrics().chain(cards)),
        NodeKind::Switch => Box::new(switch::metrics().chain(cards)),
        NodeKind::L3Switch => Box::new(septet_host::metrics().chain(switch::metrics()).chain(cards)),
        NodeKind::Hub => Box::new(hub::Counters::METRICS.iter()),
    }
}

/// What nodes of any kind count as wholes, with who does: hosts and routers by the names of `nstat`, cards by those of
/// `ethtool -S`, switches and hubs by their own.
pub(crate) fn counters() -> impl Iterator<Item = (&'static str, &'static Metric)> {
    let hubs = hub::Counters::METRICS.iter().map(|metric| ("hub", metric));
    let hosts = septet_host::metrics().map(|metric| ("host, router", metric));
    let cards = card::metrics().map(|metric| ("card", metric));
    hosts.chain(cards).chain(switch::metrics().map(|metric| ("switch", metric))).chain(hubs)
}

/// Whether a node of this kind counts something as a whole under `name`.
pub(crate) fn counts(kind: NodeKind, name: &str) -> bool {
    counted(kind).any(|metric| metric.name == name)
}

fn known(name: &str) -> Option<&'static Metric> {
    let all = || recorded().iter().map(|declared| &declared.metric);
    // A full name goes before a family that it would belong to.
    all().find(|m| m.name == name && !name.contains('*')).or_else(|| all().find(|m| m.is(name)))
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
    use septet_core::PortReport;

    use super::*;

    #[test]
    fn names_are_unique() {
        let recorded = recorded().iter().map(|declared| &declared.metric);
        let counted = counters().map(|(_, metric)| metric).chain(PortReport::metrics());
        let all: Vec<&Metric> = recorded.chain(counted).collect();
        for (i, metric) in all.iter().enumerate() {
            assert!(all[..i].iter().all(|m| m.name != metric.name), "{}", metric.name);
            assert!(!metric.doc.is_empty(), "{}", metric.name);
        }
    }

    #[test]
    fn what_several_record_is_one_thing() {
        for (by, metrics) in septet_service::recorders().chain(septet_application::recorders()) {
            for metric in metrics {
                let known = recorded().iter().find(|known| known.metric.name == metric.name).unwrap();
                assert_eq!(known.metric, *metric, "{by} declares another thing than {:?}", known.by);
            }
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
        assert!(find("http.status.").is_none() && find("http.okay").is_none() && find("http.status.ok").is_none());
        assert!(find("queue.eth0").is_some() && find("queue.s1").is_none() && find("program.curl.time").is_none());
    }
}
