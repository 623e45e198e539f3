//! The ports of one address, a bit each: which are given, and a free one near to what was wished for.

use core::ops::RangeInclusive;

use septet_core::Rng;

/// Which ports are given.
#[derive(Debug)]
pub(super) struct Ports {
    given: Box<[u64; 1024]>,
    count: u32,
}

impl Default for Ports {
    fn default() -> Self {
        Self { given: Box::new([0; 1024]), count: 0 }
    }
}

/// The bits of even ports.
const EVEN: u64 = 0x5555_5555_5555_5555;

impl Ports {
    fn is_given(&self, port: u16) -> bool {
        self.given[usize::from(port / 64)] >> (port % 64) & 1 == 1
    }

    /// Takes `wish` where it is free, else one of the same parity (RFC 4787 §4.2 REQ-4), else any of `range`, each from a place
    /// on that is drawn; `None` where all are given. What `is_taken` names is left out.
    pub(super) fn take(
        &mut self,
        wish: u16,
        range: RangeInclusive<u16>,
        rng: &mut Rng,
        is_taken: impl Fn(u16) -> bool,
    ) -> Option<u16> {
        let found = if range.contains(&wish) && !self.is_given(wish) && !is_taken(wish) {
            Some(wish)
        } else {
            let span = u64::from(range.end().saturating_sub(*range.start())) + 1;
            let start = *range.start() + rng.below(span) as u16;
            let parity = if wish.is_multiple_of(2) { EVEN } else { !EVEN };
            [parity, u64::MAX].into_iter().find_map(|mask| {
                let behind = self.find(start, *range.end(), mask, &is_taken);
                behind.or_else(|| self.find(*range.start(), start, mask, &is_taken))
            })
        }?;
        self.given[usize::from(found / 64)] |= 1 << (found % 64);
        self.count += 1;
        Some(found)
    }

    /// The first free one of `first..=last` whose bit `mask` has.
    fn find(&self, first: u16, last: u16, mask: u64, is_taken: &impl Fn(u16) -> bool) -> Option<u16> {
        (first / 64..=last / 64).find_map(|word| {
            let mut free = !self.given[usize::from(word)] & mask;
            while free != 0 {
                let port = word * 64 + free.trailing_zeros() as u16;
                if (first..=last).contains(&port) && !is_taken(port) {
                    return Some(port);
                }
                free &= free - 1;
            }
            None
        })
    }

    pub(super) fn give(&mut self, port: u16) {
        if self.is_given(port) {
            self.given[usize::from(port / 64)] &= !(1 << (port % 64));
            self.count -= 1;
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.count == 0
    }
}
