//! Drops counted by reason.

use crate::DropReason;

/// How often each reason applied; empty and without memory until the first.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Tally(Vec<(DropReason, u64)>);

impl Tally {
    /// One more for `reason`.
    pub fn add(&mut self, reason: DropReason) {
        self.add_many(reason, 1);
    }

    /// `more` more for `reason`.
    pub fn add_many(&mut self, reason: DropReason, more: u64) {
        match self.0.iter_mut().find(|(r, _)| *r == reason) {
            Some((_, n)) => *n += more,
            None => {
                self.0.push((reason, more));
                self.0.sort_unstable_by_key(|(r, _)| *r);
            }
        }
    }

    /// One less for `reason`: what was counted did not happen after all.
    pub fn take_back(&mut self, reason: DropReason) {
        if let Some((_, n)) = self.0.iter_mut().find(|(r, _)| *r == reason) {
            *n = n.saturating_sub(1);
        }
    }

    /// How often `reason` applied.
    pub fn get(&self, reason: DropReason) -> u64 {
        self.0.iter().find(|(r, _)| *r == reason).map_or(0, |(_, n)| *n)
    }

    /// All reasons that applied, in their own order.
    pub fn iter(&self) -> impl Iterator<Item = (DropReason, u64)> + '_ {
        self.0.iter().copied().filter(|(_, n)| *n > 0)
    }

    /// The sum over all reasons.
    pub fn total(&self) -> u64 {
        self.0.iter().map(|(_, n)| n).sum()
    }
}
