//! The targets of a table's routes, each kept once: a million routes lead to a handful of routers.

use core::ops::Index;
use std::collections::BTreeMap;

use super::push_tight;
use crate::route::Target;

/// From how many targets on they are found by a search tree.
const MANY: usize = 16;

/// Targets by number.
#[derive(Clone, Default, Debug)]
pub(super) struct Targets {
    /// Each with the number of routes that lead there; where none does, its number is free.
    list: Vec<(Target, u32)>,
    free: Vec<u32>,
    #[allow(clippy::box_collection, reason = "hardly any host has so many, and each has this field")]
    by_target: Option<Box<BTreeMap<Target, u32>>>,
}

impl Index<u32> for Targets {
    type Output = Target;

    #[inline]
    fn index(&self, number: u32) -> &Target {
        &self.list[number as usize].0
    }
}

impl Targets {
    /// The number of a target to which a route leads.
    pub(super) fn number(&self, target: &Target) -> Option<u32> {
        match &self.by_target {
            Some(by_target) => by_target.get(target).copied(),
            None => self.list.iter().position(|(t, routes)| *routes > 0 && t == target).map(|at| at as u32),
        }
    }

    /// A further route leads to `target`: gives its number.
    pub(super) fn hold(&mut self, target: Target) -> u32 {
        if let Some(number) = self.number(&target) {
            self.list[number as usize].1 += 1;
            return number;
        }
        let number = self.free.pop().unwrap_or(self.list.len() as u32);
        if let Some(by_target) = &mut self.by_target {
            by_target.insert(target.clone(), number);
        }
        match self.list.get_mut(number as usize) {
            Some(entry) => *entry = (target, 1),
            None => push_tight(&mut self.list, (target, 1)),
        }
        if self.by_target.is_none() && self.list.len() > MANY {
            let held = (0..).zip(&self.list).filter(|(_, (_, routes))| *routes > 0);
            self.by_target = Some(Box::new(held.map(|(number, (target, _))| (target.clone(), number)).collect()));
        }
        number
    }

    /// A route leads there no more.
    pub(super) fn release(&mut self, number: u32) {
        let (target, routes) = &mut self.list[number as usize];
        *routes -= 1;
        if *routes == 0 {
            if let Some(by_target) = &mut self.by_target {
                by_target.remove(target);
            }
            *target = Target::Unreachable;
            self.free.push(number);
        }
    }

    /// Octets of memory that they take, about.
    pub(super) fn bytes(&self) -> usize {
        let (entry, number) = (size_of::<(Target, u32)>(), size_of::<u32>());
        let tree = self.by_target.as_ref().map_or(0, |tree| tree.len() * (size_of::<Target>() + number) * 3 / 2);
        self.list.capacity() * entry + self.free.capacity() * number + tree
    }
}
