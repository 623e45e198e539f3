//! The groups of one interface, and what its link knows of them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use septet_core::Instant;

use crate::membership::{Family, Memberships, Querier};

/// The groups of one interface: those that this host is in, and as a router those that others on the link are in.
#[derive(Debug, Default)]
pub(super) struct Groups {
    pub(super) own: PerFamily<Memberships>,
    pub(super) others: PerFamily<Querier>,
    /// Those that this host has left: when, and when the link last carried something for them.
    pub(super) left: BTreeMap<IpAddr, (Instant, Option<Instant>)>,
}

/// One for each version of IP, where there is something to know.
#[derive(Debug)]
pub(super) struct PerFamily<T> {
    pub(super) v4: Option<Box<T>>,
    pub(super) v6: Option<Box<T>>,
}

impl<T> Default for PerFamily<T> {
    fn default() -> Self {
        Self { v4: None, v6: None }
    }
}

impl<T> PerFamily<T> {
    pub(super) const fn of(&self, family: Family) -> &Option<Box<T>> {
        match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        }
    }

    pub(super) const fn of_mut(&mut self, family: Family) -> &mut Option<Box<T>> {
        match family {
            Family::V4 => &mut self.v4,
            Family::V6 => &mut self.v6,
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &T> {
        [&self.v4, &self.v6].into_iter().flatten().map(|it| &**it)
    }
}

impl Groups {
    /// Whether the host is in `group`.
    pub(super) fn contains(&self, group: IpAddr) -> bool {
        let family = Family::of(group);
        group == family.all_systems() || self.own.of(family).as_ref().is_some_and(|own| own.contains(group))
    }

    /// Whether this router hears what members tell on the link.
    pub(super) const fn is_router(&self, family: Family) -> bool {
        self.others.of(family).is_some()
    }

    /// Whether somebody on the link wants what `source` sends to `group`.
    pub(super) fn wanted(&self, group: IpAddr, source: IpAddr) -> bool {
        self.others.of(Family::of(group)).as_ref().is_some_and(|others| others.wants(group, source))
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let own = self.own.all().filter_map(Memberships::deadline);
        own.chain(self.others.all().filter_map(Querier::deadline)).min()
    }
}
