//! The groups of one interface, and what its link knows of them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use septet_core::Instant;

use crate::membership::{Family, Memberships, Querier};

/// The groups of one interface, which take no room where there are none: most hosts of a large world are in no group.
#[derive(Debug, Default)]
pub(super) struct Groups(Option<Box<Kept>>);

/// Those that this host is in, and as a router those that others on the link are in.
#[derive(Debug, Default)]
pub(super) struct Kept {
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
    /// What is kept, where anything is.
    pub(super) fn kept(&self) -> Option<&Kept> {
        self.0.as_deref()
    }

    /// The same, to be changed.
    pub(super) fn kept_mut(&mut self) -> Option<&mut Kept> {
        self.0.as_deref_mut()
    }

    /// The same, made where nothing was.
    pub(super) fn made(&mut self) -> &mut Kept {
        self.0.get_or_insert_default()
    }

    pub(super) fn own_mut(&mut self, family: Family) -> Option<&mut Memberships> {
        self.kept_mut()?.own.of_mut(family).as_deref_mut()
    }

    fn others(&self, family: Family) -> Option<&Querier> {
        self.kept()?.others.of(family).as_deref()
    }

    pub(super) fn others_mut(&mut self, family: Family) -> Option<&mut Querier> {
        self.kept_mut()?.others.of_mut(family).as_deref_mut()
    }

    /// Whether the host is in `group`.
    pub(super) fn contains(&self, group: IpAddr) -> bool {
        let family = Family::of(group);
        let own = || self.kept().and_then(|kept| kept.own.of(family).as_ref());
        group == family.all_systems() || own().is_some_and(|own| own.contains(group))
    }

    /// Whether this router hears what members tell on the link.
    pub(super) fn is_router(&self, family: Family) -> bool {
        self.others(family).is_some()
    }

    /// Whether somebody on the link wants what `source` sends to `group`.
    pub(super) fn wanted(&self, group: IpAddr, source: IpAddr) -> bool {
        self.others(Family::of(group)).is_some_and(|others| others.wants(group, source))
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let Kept { own, others, .. } = self.kept()?;
        own.all().filter_map(Memberships::deadline).chain(others.all().filter_map(Querier::deadline)).min()
    }
}
