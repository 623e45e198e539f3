//! The routes of one version of IP: lists of routes to the same prefix, and an index of the prefixes.

use core::iter::successors;

use smallvec::SmallVec;

use super::tree_bitmap::{Prefixes, TreeBitmap};
use crate::route::Origin;
use crate::tight::push_tight;
use crate::trie::{Bits, NONE, Trie};

/// From how many routes on a tree bitmap finds them, whose root alone takes 2 MiB; fewer are as well off in a binary trie,
/// which takes some 20 octets a node.
#[cfg(not(test))]
const MANY: usize = 1 << 15;
/// As few as a test can try all ways of.
#[cfg(test)]
const MANY: usize = 24;

/// A route but for its prefix and its target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Standing {
    pub(super) metric: u32,
    pub(super) origin: Origin,
    pub(super) distance: u8,
}

impl Standing {
    /// What decides between routes to the same prefix; the lower one wins.
    const fn rank(self) -> (u8, u32) {
        (self.distance, self.metric)
    }
}

/// A route but for its prefix: the number of its target, and the rest.
pub(super) type Line = (u32, Standing);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Entry<B> {
    bits: B,
    metric: u32,
    /// The next route to the same prefix, or the next free entry.
    next: u32,
    /// Bits of the prefix; [`FREE`] where the entry holds none.
    pub(super) len: u8,
    origin: Origin,
    distance: u8,
}

const FREE: u8 = u8::MAX;

impl<B> Entry<B> {
    pub(super) const fn standing(&self) -> Standing {
        Standing { metric: self.metric, origin: self.origin, distance: self.distance }
    }
}

/// Finds the first entry of a prefix, which stays the same as long as there is one.
#[derive(Clone, Debug)]
enum Index<B> {
    Few(Trie<B>),
    Many(Box<TreeBitmap<B>>),
}

/// Routes of one version.
#[derive(Clone, Debug)]
pub(super) struct Family<B> {
    entries: Vec<Entry<B>>,
    /// The target of each entry: all that most look-ups read of it, and so apart.
    targets: Vec<u32>,
    free: u32,
    used: u32,
    index: Index<B>,
}

impl<B> Default for Family<B> {
    fn default() -> Self {
        Self { entries: Vec::new(), targets: Vec::new(), free: NONE, used: 0, index: Index::Few(Trie::default()) }
    }
}

impl<B: Bits> Prefixes<B> for Vec<Entry<B>> {
    #[inline]
    fn prefix(&self, number: u32) -> (B, u8) {
        let entry = &self[number as usize];
        (entry.bits, entry.len)
    }
}

impl<B: Bits> Family<B> {
    pub(super) fn len(&self) -> usize {
        self.used as usize
    }

    /// Adds a route, behind those to the same prefix of the same rank.
    pub(super) fn add(&mut self, bits: B, len: u8, line: Line) {
        let head = self.head(bits, len);
        let new = self.make(bits, len, line);
        let Some(head) = head else {
            match &mut self.index {
                Index::Few(trie) => *trie.slot(bits, len) = new,
                Index::Many(tree) => tree.insert(new, &self.entries),
            }
            return self.grow();
        };
        // The first entry keeps its number: what ranks before it changes places with it.
        let (mut at, mut carried) = (head, line);
        loop {
            let there = self.line(at);
            // Those behind it all move down.
            if line.1.rank() < there.1.rank() {
                self.put(at, carried);
                carried = there;
            }
            let next = self.entries[at as usize].next;
            if next == NONE {
                break;
            }
            at = next;
        }
        self.entries[at as usize].next = new;
        self.put(new, carried);
    }

    /// Removes a route; returns whether it was there.
    pub(super) fn remove(&mut self, bits: B, len: u8, line: Line) -> bool {
        let Some(head) = self.head(bits, len) else { return false };
        let numbers: SmallVec<[u32; 8]> = self.list(Some(head)).collect();
        let Some(place) = numbers.iter().position(|at| self.line(*at) == line) else { return false };
        // Those behind it move up, so that the first entry stays.
        for pair in numbers[place..].windows(2) {
            self.put(pair[0], self.line(pair[1]));
        }
        let last = numbers[numbers.len() - 1];
        match numbers.iter().nth_back(1) {
            Some(before) => self.entries[*before as usize].next = NONE,
            None => match &mut self.index {
                Index::Few(trie) => trie.remove(bits, len),
                Index::Many(tree) => tree.remove(head, &self.entries),
            },
        }
        let entry = &mut self.entries[last as usize];
        (entry.len, entry.next) = (FREE, self.free);
        self.free = last;
        self.used -= 1;
        self.shrink();
        true
    }

    /// The best route to the longest prefix that holds `bits`, of those whose target fits.
    #[inline]
    pub(super) fn lookup(&self, bits: B, fits: impl Fn(u32) -> bool) -> Option<(u32, &Entry<B>)> {
        let longest = match &self.index {
            Index::Few(trie) => trie.longest(bits),
            Index::Many(tree) => tree.longest(bits, &self.entries),
        }?;
        let target = self.targets[longest as usize];
        if fits(target) {
            return Some((target, &self.entries[longest as usize]));
        }
        self.lookup_slowly(bits, fits)
    }

    #[cold]
    fn lookup_slowly(&self, bits: B, fits: impl Fn(u32) -> bool) -> Option<(u32, &Entry<B>)> {
        let mut best = None;
        let pick = |head| best = self.list(Some(head)).find(|at| fits(self.targets[*at as usize])).or(best);
        match &self.index {
            Index::Few(trie) => trie.walk(bits, pick),
            Index::Many(tree) => tree.walk(bits, &self.entries, pick),
        }
        best.map(|at| (self.targets[at as usize], &self.entries[at as usize]))
    }

    /// The routes to exactly this prefix, the best first.
    pub(super) fn at(&self, bits: B, len: u8) -> impl Iterator<Item = Line> {
        self.list(self.head(bits, len)).map(|at| self.line(at))
    }

    /// All routes, by prefix and rank.
    pub(super) fn lines(&self) -> Vec<(B, u8, Line)> {
        let mut heads: Vec<u32> = self.heads().collect();
        heads.sort_unstable_by_key(|head| self.entries.prefix(*head));
        let lists = heads.into_iter().flat_map(|head| self.list(Some(head)));
        lists.map(|at| (self.entries[at as usize].bits, self.entries[at as usize].len, self.line(at))).collect()
    }

    /// Octets of memory that the routes take.
    pub(super) fn bytes(&self) -> usize {
        let index = match &self.index {
            Index::Few(trie) => trie.bytes(),
            Index::Many(tree) => size_of::<TreeBitmap<B>>() + tree.bytes(),
        };
        self.entries.capacity() * size_of::<Entry<B>>() + self.targets.capacity() * size_of::<u32>() + index
    }

    fn head(&self, bits: B, len: u8) -> Option<u32> {
        match &self.index {
            Index::Few(trie) => Some(trie.get(bits, len)).filter(|head| *head != NONE),
            Index::Many(tree) => tree.get(bits, len, &self.entries),
        }
    }

    /// The entries from a first one on.
    fn list(&self, head: Option<u32>) -> impl Iterator<Item = u32> + use<'_, B> {
        successors(head, |at| Some(self.entries[*at as usize].next).filter(|next| *next != NONE))
    }

    fn line(&self, at: u32) -> Line {
        (self.targets[at as usize], self.entries[at as usize].standing())
    }

    fn put(&mut self, at: u32, (target, standing): Line) {
        let Standing { metric, origin, distance } = standing;
        self.targets[at as usize] = target;
        let entry = &mut self.entries[at as usize];
        (entry.metric, entry.origin, entry.distance) = (metric, origin, distance);
    }

    fn make(&mut self, bits: B, len: u8, (target, standing): Line) -> u32 {
        self.used += 1;
        let Standing { metric, origin, distance } = standing;
        let entry = Entry { bits, metric, next: NONE, len, origin, distance };
        let Some(free) = self.entries.get_mut(self.free as usize) else {
            push_tight(&mut self.entries, entry);
            push_tight(&mut self.targets, target);
            return self.entries.len() as u32 - 1;
        };
        let number = core::mem::replace(&mut self.free, free.next);
        *free = entry;
        self.targets[number as usize] = target;
        number
    }

    fn grow(&mut self) {
        if matches!(self.index, Index::Few(_)) && self.len() >= MANY {
            let mut tree = Box::new(TreeBitmap::new());
            self.heads().for_each(|head| tree.insert(head, &self.entries));
            self.index = Index::Many(tree);
        }
    }

    /// Goes back to the small index once there are far fewer routes, so that one that comes and goes moves nothing.
    fn shrink(&mut self) {
        if matches!(self.index, Index::Many(_)) && self.len() < MANY / 4 {
            let mut trie = Trie::default();
            for head in self.heads() {
                let (bits, len) = self.entries.prefix(head);
                *trie.slot(bits, len) = head;
            }
            self.index = Index::Few(trie);
        }
    }

    /// The first entry of each prefix.
    fn heads(&self) -> impl Iterator<Item = u32> {
        let mut first = vec![true; self.entries.len()];
        for entry in self.entries.iter().filter(|entry| entry.len != FREE && entry.next != NONE) {
            first[entry.next as usize] = false;
        }
        (0..).zip(first).filter(|(at, first)| *first && self.entries[*at as usize].len != FREE).map(|(at, _)| at)
    }
}
