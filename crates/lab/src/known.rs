//! What a lab file can name, each with a word of explanation.

use septet_core::{Metric, PortReport, Reading};
use septet_language::schema::AnyKey;

use crate::expect::eval::Unit;
use crate::expect::{function, metric as metrics};
use crate::fault::script;
use crate::model::medium;

/// Something that a lab file can name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Known {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub meaning: &'static str,
    /// How it is counted, where it is something that nodes record or count.
    pub counted: Option<Counted>,
}

/// How something is recorded or counted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Counted {
    /// How its samples are read as a whole.
    pub reading: Reading,
    /// What its values count.
    pub unit: Unit,
    /// Who records or counts it.
    pub by: Vec<&'static str>,
}

/// Lists all things of one kind.
pub type Listing = fn() -> Vec<Known>;

/// The kinds of things that can be listed, and what there is of each.
pub const KINDS: &[(&str, Listing)] = &[
    ("media", || list(medium::keys().iter().map(|key| (key.name(), key.doc())))),
    ("queues", || list(septet_physical::queue::DISCIPLINES.iter().map(|d| (d.name, d.help)))),
    ("phys", || list(septet_physical::phy::TABLE.iter().map(|p| (p.name, p.cable)))),
    ("controllers", || list(septet_transport::tcp::controllers())),
    ("services", || list(septet_service::keys().iter().map(|key| (key.name(), key.doc())))),
    ("routing", || list(septet_network::routing::PROTOCOLS.iter().map(|kind| (kind.name, kind.doc)))),
    ("policies", || list(septet_application::balancer::policy::POLICIES.iter().map(|p| (p.name, p.summary)))),
    ("flaws", || list(septet_presentation::ca::FLAWS.iter().map(|f| (f.name, f.summary)))),
    ("programs", || list(septet_application::programs::PROGRAMS.iter().map(|p| (p.name(), p.summary())))),
    ("faults", || list(script::known())),
    ("functions", || list(function::known())),
    ("metrics", || metrics::recorded().iter().map(|declared| metric(&declared.metric, declared.by.clone())).collect()),
    ("counters", || metrics::counters().map(|(by, counter)| metric(counter, vec![by])).collect()),
    ("port-counters", || PortReport::metrics().map(|counter| metric(counter, vec!["port"])).collect()),
];

fn metric(metric: &Metric, by: Vec<&'static str>) -> Known {
    let counted = Counted { reading: metric.reading, unit: Unit::from(metrics::dimension(metric.unit)), by };
    Known { name: metric.name, meaning: metric.doc, counted: Some(counted) }
}

fn list(of: impl Iterator<Item = (&'static str, &'static str)>) -> Vec<Known> {
    of.map(|(name, meaning)| Known { name, meaning, counted: None }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_has_a_name_and_a_meaning() {
        for (kind, list) in KINDS {
            let known = list();
            assert!(!known.is_empty(), "{kind}");
            assert!(known.iter().all(|k| !k.name.is_empty() && !k.meaning.is_empty()), "{kind}: {known:?}");
        }
    }
}
