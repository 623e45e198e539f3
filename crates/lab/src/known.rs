//! What a lab file can name, each with a word of explanation.

use septet_language::schema::AnyKey;

use crate::expect;
use crate::fault;
use crate::model::medium;
use crate::service;
use crate::stage::ports;

/// Something that a lab file can name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Known {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub meaning: &'static str,
}

/// Lists all things of one kind.
pub type Listing = fn() -> Vec<Known>;

/// The kinds of things that can be listed, and what there is of each.
pub const KINDS: &[(&str, Listing)] = &[
    ("media", || list(medium::keys().iter().map(|key| (key.name(), key.doc())))),
    ("queues", || list(septet_physical::queue::DISCIPLINES.iter().map(|d| (d.name, d.help)))),
    ("phys", || list(septet_physical::phy::TABLE.iter().map(|p| (p.name, p.cable)))),
    ("controllers", || list(septet_transport::tcp::controllers())),
    ("services", || list(service::keys().iter().map(|key| (key.name(), key.doc())))),
    ("policies", || list(septet_application::balancer::policy::POLICIES.iter().map(|p| (p.name, p.summary)))),
    ("flaws", || list(septet_presentation::ca::FLAWS.iter().map(|f| (f.name, f.summary)))),
    ("programs", || list(septet_application::programs::PROGRAMS.iter().map(|p| (p.name(), p.summary())))),
    ("faults", || list(fault::known())),
    ("functions", || list(expect::functions())),
    ("metrics", || list(expect::metrics())),
    ("counters", || list(expect::counters().iter().map(|name| (*name, "as `nstat` or `ethtool -S` counts it")))),
    ("port-counters", || list(ports::NAMES.iter().copied().chain([DROPS]))),
];

/// Every reason is a counter of its own.
const DROPS: (&str, &str) = ("drop.*", "frames dropped for this reason: `drop.queue`, `drop.fcs`, `drop.stp-blocking`");

fn list(of: impl Iterator<Item = (&'static str, &'static str)>) -> Vec<Known> {
    of.map(|(name, meaning)| Known { name, meaning }).collect()
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
