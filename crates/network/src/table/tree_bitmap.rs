//! Longest-prefix match for large tables: a tree bitmap (W. Eatherton, G. Varghese, Z. Dittia, "Tree Bitmap: Hardware/Software
//! IP Lookups with Incremental Updates", 2004) below a table of the first 18 bits, with leaves in place of nodes that would
//! hold one prefix only.
//!
//! A node stands for six bits of the address. One bitmap tells which of the 63 prefixes that end within it are there, another
//! which of its 64 children; their numbers lie behind the bitmaps, which say where. A look-up
//! touches a slot of the root and, for a /24 of IPv4, one node; a change rewrites one node, and never what lies
//! beside it, which is why it is this and not a poptrie or DIR-24-8: those push routes down into leaves, so that a route that
//! comes or goes rewrites all below it, or need a second tree beside them from which they are built anew. Prefixes shorter
//! than 18 bits are few; they are spread over the slots of the root.

use smallvec::SmallVec;

use crate::trie::{Bits, NONE, Trie};

/// Bits of an address that the root resolves: with six bits a node below it, the common /24 is a child of the first node.
const ROOT: u8 = 18;
/// Bits that a node resolves.
const STRIDE: u8 = 6;
/// Marks the number of a prefix where there could be that of a node: a leaf.
const LEAF: u32 = 1 << 31;
/// Marks a leaf that holds all addresses which lead to it, so that nothing is left to compare.
const WHOLE: u32 = 1 << 30;
/// What of a leaf is the number of its prefix.
const NUMBER: u32 = WHOLE - 1;

/// The leaf of a prefix of `len` bits where all else of the first `depth` bits is resolved.
const fn leaf(number: u32, len: u8, depth: u8) -> u32 {
    LEAF | number | if len == depth { WHOLE } else { 0 }
}

/// By six bits of an address: the bits of a node's bitmap of prefixes whose prefixes hold it. The prefix of `l` bits and value
/// `v` is bit `(1 << l) - 1 + v`, so that longer ones are higher.
const HOLDERS: [u64; 1 << STRIDE] = {
    let mut all = [0; 1 << STRIDE];
    let mut chunk = 0;
    while chunk < all.len() {
        let mut len = 0;
        while len < STRIDE {
            all[chunk] |= 1 << inner(chunk, len);
            len += 1;
        }
        chunk += 1;
    }
    all
};

/// The bit of the prefix of `len` bits that holds `chunk`.
const fn inner(chunk: usize, len: u8) -> usize {
    (1 << len) - 1 + (chunk >> (STRIDE - len))
}

/// What numbers stand for: the prefix behind each.
pub(super) trait Prefixes<B> {
    fn prefix(&self, number: u32) -> (B, u8);
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    /// The longest prefix of fewer than 18 bits that holds all of the slot.
    best: u32,
    below: u32,
}

/// The head of a node; its numbers follow it: those of its prefixes, then those of its children.
#[derive(Clone, Copy, Debug)]
struct Node {
    /// Which prefixes end here.
    ends: u64,
    /// Which children there are.
    children: u64,
}

/// Words of a node's head: its two bitmaps, and how many numbers there is room for.
const HEAD: usize = 5;

impl Node {
    /// How many numbers it has.
    const fn len(self) -> usize {
        (self.ends.count_ones() + self.children.count_ones()) as usize
    }

    /// Which of its numbers is that of the prefix at `bit`.
    #[inline]
    const fn end(self, bit: usize) -> usize {
        (self.ends & ((1 << bit) - 1)).count_ones() as usize
    }

    /// Which of its numbers is that of the child at `chunk`.
    #[inline]
    const fn child(self, chunk: usize) -> usize {
        (self.ends.count_ones() + (self.children & ((1 << chunk) - 1)).count_ones()) as usize
    }
}

/// Where the number of a leaf or node is kept.
#[derive(Clone, Copy)]
enum Place {
    Root(usize),
    Child(u32, usize),
}

/// Maps prefixes to the numbers under which [`Prefixes`] knows them.
#[derive(Clone, Debug)]
pub(super) struct TreeBitmap<B> {
    /// Prefixes of fewer than 18 bits.
    short: Trie<B>,
    root: Box<[Slot]>,
    /// Nodes, one behind the other; the number of a node is where it begins.
    words: Vec<u32>,
    /// How much of `words` belongs to no node any more.
    waste: usize,
}

impl<B: Bits> TreeBitmap<B> {
    pub(super) fn new() -> Self {
        let root = vec![Slot { best: NONE, below: NONE }; 1 << ROOT].into();
        Self { short: Trie::default(), root, words: Vec::new(), waste: 0 }
    }

    /// The longest prefix that holds `bits`.
    #[inline]
    pub(super) fn longest(&self, bits: B, prefixes: &impl Prefixes<B>) -> Option<u32> {
        let Slot { best, mut below } = self.root[bits.chunk(0, ROOT)];
        let mut depth = ROOT;
        // The number of a prefix is read once it is known to be the longest.
        let mut at = None;
        while below & LEAF == 0 {
            let node = self.node(below);
            let numbers = below as usize + HEAD;
            let chunk = bits.chunk(depth, STRIDE);
            let holders = node.ends & HOLDERS[chunk];
            if holders != 0 {
                at = Some(numbers + node.end(holders.ilog2() as usize));
            }
            below = match node.children >> chunk & 1 {
                0 => NONE,
                _ => self.words[numbers + node.child(chunk)],
            };
            depth += STRIDE;
        }
        if below != NONE {
            let leaf = below & NUMBER;
            if below & WHOLE != 0 {
                return Some(leaf);
            }
            let (own, len) = prefixes.prefix(leaf);
            if bits.masked(len) == own {
                return Some(leaf);
            }
        }
        let best = at.map_or(best, |at| self.words[at]);
        (best != NONE).then_some(best)
    }

    /// The prefixes that hold `bits`, from the shortest to the longest.
    pub(super) fn walk(&self, bits: B, prefixes: &impl Prefixes<B>, mut pick: impl FnMut(u32)) {
        self.short.walk(bits, &mut pick);
        let (mut below, mut depth) = (self.root[bits.chunk(0, ROOT)].below, ROOT);
        while below & LEAF == 0 {
            let node = self.node(below);
            let chunk = bits.chunk(depth, STRIDE);
            let mut holders = node.ends & HOLDERS[chunk];
            while holders != 0 {
                pick(self.number(below, node.end(holders.trailing_zeros() as usize)));
                holders &= holders - 1;
            }
            below = self.below(below, chunk);
            depth += STRIDE;
        }
        if below != NONE {
            let (own, len) = prefixes.prefix(below & NUMBER);
            if bits.masked(len) == own {
                pick(below & NUMBER);
            }
        }
    }

    /// The number of exactly this prefix.
    pub(super) fn get(&self, bits: B, len: u8, prefixes: &impl Prefixes<B>) -> Option<u32> {
        if len < ROOT {
            return Some(self.short.get(bits, len)).filter(|number| *number != NONE);
        }
        let (mut below, mut depth) = (self.root[bits.chunk(0, ROOT)].below, ROOT);
        while below & LEAF == 0 {
            let chunk = bits.chunk(depth, STRIDE);
            if len < depth + STRIDE {
                let (node, bit) = (self.node(below), inner(chunk, len - depth));
                return (node.ends >> bit & 1 == 1).then(|| self.number(below, node.end(bit)));
            }
            below = self.below(below, chunk);
            depth += STRIDE;
        }
        let leaf = below & NUMBER;
        (below != NONE && prefixes.prefix(leaf) == (bits.masked(len), len)).then_some(leaf)
    }

    /// Adds a prefix that is not there; `prefixes` knows it under `number`.
    pub(super) fn insert(&mut self, number: u32, prefixes: &impl Prefixes<B>) {
        let (bits, len) = prefixes.prefix(number);
        if len < ROOT {
            *self.short.slot(bits, len) = number;
            for slot in &mut self.root[slots(bits, len)] {
                if slot.best == NONE || prefixes.prefix(slot.best).1 < len {
                    slot.best = number;
                }
            }
            return;
        }
        // Where a third is waste, all are put together anew: that costs as much as was wasted since the last time.
        if self.words.capacity() - self.words.len() < LARGEST && self.waste > self.words.len() / 3 {
            self.compact();
        }
        let mut place = Place::Root(bits.chunk(0, ROOT));
        let mut depth = ROOT;
        loop {
            let mut below = self.at(place);
            if below == NONE {
                return self.set(place, leaf(number, len, depth));
            }
            if below & LEAF != 0 {
                // There are two now: a node takes the place of the one.
                let leaf = below & NUMBER;
                below = self.make(Node { ends: 0, children: 0 }, 2);
                self.set(place, below);
                self.hang(place, depth, leaf, prefixes);
            }
            let chunk = bits.chunk(depth, STRIDE);
            if len < depth + STRIDE || self.node(below).children >> chunk & 1 == 0 {
                return self.hang(place, depth, number, prefixes);
            }
            place = Place::Child(below, chunk);
            depth += STRIDE;
        }
    }

    /// Removes a prefix that is there, and that `prefixes` still knows under `number`.
    pub(super) fn remove(&mut self, number: u32, prefixes: &impl Prefixes<B>) {
        let (bits, len) = prefixes.prefix(number);
        if len < ROOT {
            self.short.remove(bits, len);
            let mut cover = NONE;
            self.short.walk(bits, |holder| {
                if prefixes.prefix(holder).1 < len {
                    cover = holder;
                }
            });
            for slot in self.root[slots(bits, len)].iter_mut().filter(|slot| slot.best == number) {
                slot.best = cover;
            }
            return;
        }
        let mut path = SmallVec::<[(Place, u32); 8]>::new();
        let mut place = Place::Root(bits.chunk(0, ROOT));
        let mut depth = ROOT;
        loop {
            let below = self.at(place);
            if below & LEAF != 0 {
                self.clear(place);
                break;
            }
            path.push((place, below));
            let chunk = bits.chunk(depth, STRIDE);
            if len < depth + STRIDE {
                let (node, bit) = (self.node(below), inner(chunk, len - depth));
                self.cut(below, node.end(bit), Node { ends: node.ends & !(1 << bit), ..node });
                break;
            }
            place = Place::Child(below, chunk);
            depth += STRIDE;
        }
        // A node with nothing in it goes, and one with a single prefix becomes a leaf.
        while let Some((place, at)) = path.pop() {
            let node = self.node(at);
            if node.len() > 1 {
                return;
            }
            let only = self.number(at, 0);
            match (node.ends, node.children) {
                (0, 0) => self.clear(place),
                (0, _) if only & LEAF == 0 => return,
                _ => {
                    let depth = ROOT + STRIDE * path.len() as u8;
                    let number = only & NUMBER;
                    self.set(place, leaf(number, prefixes.prefix(number).1, depth));
                }
            }
            self.waste += HEAD + self.room(at);
        }
    }

    /// Octets of memory that it takes.
    pub(super) fn bytes(&self) -> usize {
        self.short.bytes() + size_of_val(&*self.root) + self.words.capacity() * size_of::<u32>()
    }

    #[inline]
    fn node(&self, at: u32) -> Node {
        let at = at as usize;
        let word = |n: usize| u64::from(self.words[at + n]);
        let _ = self.words[at + HEAD - 1];
        Node { ends: word(0) | word(1) << 32, children: word(2) | word(3) << 32 }
    }

    fn put(&mut self, at: u32, node: Node) {
        let words = [node.ends, node.ends >> 32, node.children, node.children >> 32].map(|word| word as u32);
        self.words[at as usize..][..words.len()].copy_from_slice(&words);
    }

    fn room(&self, at: u32) -> usize {
        self.words[at as usize + HEAD - 1] as usize
    }

    /// A number of the node at `at`.
    fn number(&self, at: u32, index: usize) -> u32 {
        self.words[at as usize + HEAD + index]
    }

    /// The child at `chunk` of the node at `at`.
    fn below(&self, at: u32, chunk: usize) -> u32 {
        let node = self.node(at);
        if node.children >> chunk & 1 == 0 { NONE } else { self.number(at, node.child(chunk)) }
    }

    fn at(&self, place: Place) -> u32 {
        match place {
            Place::Root(slot) => self.root[slot].below,
            Place::Child(node, chunk) => self.below(node, chunk),
        }
    }

    /// Changes a number that is there; in the root also one that is not.
    fn set(&mut self, place: Place, number: u32) {
        match place {
            Place::Root(slot) => self.root[slot].below = number,
            Place::Child(at, chunk) => {
                let index = self.node(at).child(chunk);
                self.words[at as usize + HEAD + index] = number;
            }
        }
    }

    /// Takes a number away.
    fn clear(&mut self, place: Place) {
        match place {
            Place::Root(slot) => self.root[slot].below = NONE,
            Place::Child(at, chunk) => {
                let node = self.node(at);
                self.cut(at, node.child(chunk), Node { children: node.children & !(1 << chunk), ..node });
            }
        }
    }

    /// Hangs a prefix into the node at `place`: it ends there, or is a child of its own, for which there must be none.
    fn hang(&mut self, place: Place, depth: u8, number: u32, prefixes: &impl Prefixes<B>) {
        let (bits, len) = prefixes.prefix(number);
        let chunk = bits.chunk(depth, STRIDE);
        let node = self.node(self.at(place));
        if len < depth + STRIDE {
            let bit = inner(chunk, len - depth);
            self.splice(place, node.end(bit), number, Node { ends: node.ends | 1 << bit, ..node });
        } else {
            let index = node.child(chunk);
            let leaf = leaf(number, len, depth + STRIDE);
            self.splice(place, index, leaf, Node { children: node.children | 1 << chunk, ..node });
        }
    }

    /// Puts a number among those of the node at `place`, which becomes `node`.
    fn splice(&mut self, place: Place, index: usize, number: u32, node: Node) {
        let mut at = self.at(place);
        let len = node.len() - 1;
        if self.room(at) == len {
            let (old, new) = (at as usize + HEAD, self.make(node, len + 1 + len / 4));
            self.words.copy_within(old..old + len, new as usize + HEAD);
            self.waste += HEAD + len;
            self.set(place, new);
            at = new;
        }
        self.put(at, node);
        let (start, end) = (at as usize + HEAD + index, at as usize + HEAD + len);
        self.words.copy_within(start..end, start + 1);
        self.words[start] = number;
    }

    /// Takes a number from those of a node, which becomes `node`.
    fn cut(&mut self, at: u32, index: usize, node: Node) {
        let numbers = at as usize + HEAD;
        self.words.copy_within(numbers + index + 1..numbers + node.len() + 1, numbers + index);
        self.put(at, node);
    }

    /// A further node, with room for some numbers.
    fn make(&mut self, node: Node, room: usize) -> u32 {
        let at = self.words.len();
        if self.words.capacity() - at < HEAD + room {
            self.words.reserve_exact(LARGEST + at / 4);
        }
        self.words.resize(at + HEAD + room, NONE);
        self.words[at + HEAD - 1] = room as u32;
        self.put(at as u32, node);
        at as u32
    }

    /// Puts all nodes together, each before those below it.
    fn compact(&mut self) {
        let old = core::mem::take(&mut self.words);
        self.words.reserve_exact(old.len() - self.waste + LARGEST);
        self.waste = 0;
        for slot in 0..self.root.len() {
            if self.root[slot].below & LEAF == 0 {
                self.root[slot].below = self.adopt(&old, self.root[slot].below);
            }
        }
    }

    /// Takes a node over from where it was, and those below it; returns where it is now.
    fn adopt(&mut self, old: &[u32], from: u32) -> u32 {
        let from = from as usize;
        let word = |n: usize| u64::from(old[from + n]);
        let node = Node { ends: word(0) | word(1) << 32, children: word(2) | word(3) << 32 };
        let len = node.len();
        let at = self.make(node, len);
        let numbers = at as usize + HEAD;
        self.words[numbers..numbers + len].copy_from_slice(&old[from + HEAD..from + HEAD + len]);
        for child in numbers + node.ends.count_ones() as usize..numbers + len {
            if self.words[child] & LEAF == 0 {
                self.words[child] = self.adopt(old, self.words[child]);
            }
        }
        at
    }
}

/// Room for the largest node there is, and to spare.
const LARGEST: usize = 1 << 9;

/// The slots of the root that a prefix of fewer than 18 bits holds.
fn slots<B: Bits>(bits: B, len: u8) -> core::ops::Range<usize> {
    let first = bits.chunk(0, ROOT);
    first..first + (1 << (ROOT - len))
}
