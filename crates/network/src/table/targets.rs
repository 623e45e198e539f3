//! The targets of a table's routes, each kept once: a million routes lead to a handful of routers.

use core::ops::Index;
use std::collections::BTreeMap;

use crate::route::{RouteMtu, Target};
use crate::tight::push_tight;

/// From how many targets on they are found by a search tree.
const MANY: usize = 16;

/// Where a route leads, and what a person says that it takes whole.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Leads {
    pub(super) target: Target,
    pub(super) mtu: Option<RouteMtu>,
}

/// Targets by number.
#[derive(Clone, Default, Debug)]
pub(super) struct Targets {
    /// Each with the number of routes that lead there; where none does, its number is free.
    list: Vec<(Leads, u32)>,
    changed: Option<Box<Changed>>,
}

/// What only tables need that change, or that have many targets.
#[derive(Clone, Default, Debug)]
struct Changed {
    /// Numbers without a target.
    free: Vec<u32>,
    by_target: Option<BTreeMap<Leads, u32>>,
}

impl Index<u32> for Targets {
    type Output = Leads;

    #[inline]
    fn index(&self, number: u32) -> &Leads {
        &self.list[number as usize].0
    }
}

impl Targets {
    /// The number of a target to which a route leads.
    pub(super) fn number(&self, target: &Leads) -> Option<u32> {
        match self.changed.as_ref().and_then(|changed| changed.by_target.as_ref()) {
            Some(by_target) => by_target.get(target).copied(),
            None => self.list.iter().position(|(t, routes)| *routes > 0 && t == target).map(|at| at as u32),
        }
    }

    /// A further route leads to `target`: gives its number.
    pub(super) fn hold(&mut self, target: Leads) -> u32 {
        if let Some(number) = self.number(&target) {
            self.list[number as usize].1 += 1;
            return number;
        }
        let free = self.changed.as_mut().and_then(|changed| changed.free.pop());
        let number = free.unwrap_or(self.list.len() as u32);
        if let Some(by_target) = self.changed.as_mut().and_then(|changed| changed.by_target.as_mut()) {
            by_target.insert(target.clone(), number);
        }
        match self.list.get_mut(number as usize) {
            Some(entry) => *entry = (target, 1),
            None => push_tight(&mut self.list, (target, 1)),
        }
        if self.list.len() > MANY {
            let held = (0..).zip(&self.list).filter(|(_, (_, routes))| *routes > 0);
            let all = || held.map(|(number, (target, _))| (target.clone(), number)).collect();
            self.changed.get_or_insert_default().by_target.get_or_insert_with(all);
        }
        number
    }

    /// A route leads there no more.
    pub(super) fn release(&mut self, number: u32) {
        let (target, routes) = &mut self.list[number as usize];
        *routes -= 1;
        if *routes == 0 {
            let Changed { free, by_target } = &mut **self.changed.get_or_insert_default();
            if let Some(by_target) = by_target {
                by_target.remove(target);
            }
            *target = Leads { target: Target::Unreachable, mtu: None };
            free.push(number);
        }
    }

    /// Octets of memory that they take, about.
    pub(super) fn bytes(&self) -> usize {
        let number = size_of::<u32>();
        let of_changed = |Changed { free, by_target }: &Changed| {
            let tree = by_target.as_ref().map_or(0, |tree| tree.len() * (size_of::<Leads>() + number) * 3 / 2);
            size_of::<Changed>() + free.capacity() * number + tree
        };
        self.list.capacity() * size_of::<(Leads, u32)>() + self.changed.as_deref().map_or(0, of_changed)
    }
}
