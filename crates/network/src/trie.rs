//! A path-compressed binary trie: longest-prefix match in as many steps as prefixes nest, and insertion in place.

use crate::tight::push_tight;

/// The bits of an address, the most significant first.
pub(crate) trait Bits: Copy + Ord {
    const WIDTH: u8;
    fn bit(self, at: u8) -> usize;
    fn masked(self, len: u8) -> Self;
    /// How many leading bits the two share.
    fn common(self, other: Self) -> u8;
    /// `len` bits from `at` on as a number, at most 24; what lies beyond the last is zero.
    fn chunk(self, at: u8, len: u8) -> usize;
}

macro_rules! bits {
    ($t:ty) => {
        impl Bits for $t {
            const WIDTH: u8 = <$t>::BITS as u8;

            #[inline]
            fn bit(self, at: u8) -> usize {
                (self >> (Self::WIDTH - 1 - at) & 1) as usize
            }

            #[inline]
            fn masked(self, len: u8) -> Self {
                if len == 0 { 0 } else { self & (<$t>::MAX << (Self::WIDTH - len)) }
            }

            #[inline]
            fn common(self, other: Self) -> u8 {
                (self ^ other).leading_zeros() as u8
            }

            #[inline]
            fn chunk(self, at: u8, len: u8) -> usize {
                ((self << at) >> (Self::WIDTH - len)) as usize
            }
        }
    };
}
bits!(u32);
bits!(u128);

/// No value; no node.
pub(crate) const NONE: u32 = u32::MAX;

#[derive(Clone, Debug)]
struct Node<B> {
    bits: B,
    len: u8,
    children: [u32; 2],
    value: u32,
}

/// Maps prefixes to small numbers.
#[derive(Clone, Debug)]
pub(crate) struct Trie<B> {
    nodes: Vec<Node<B>>,
}

impl<B> Default for Trie<B> {
    fn default() -> Self {
        Self { nodes: Vec::new() }
    }
}

impl<B: Bits> Trie<B> {
    /// The value at exactly this prefix, to be read or set; made where there is none. [`NONE`] where there is none yet.
    pub(crate) fn slot(&mut self, bits: B, len: u8) -> &mut u32 {
        let bits = bits.masked(len);
        if self.nodes.is_empty() {
            push_tight(&mut self.nodes, Node { bits, len, children: [NONE; 2], value: NONE });
            return &mut self.nodes[0].value;
        }
        let mut at = 0;
        loop {
            let node = &self.nodes[at];
            let common = node.bits.common(bits).min(node.len).min(len);
            if common < node.len {
                let new = self.split(at, bits, len, common);
                return &mut self.nodes[new].value;
            }
            if node.len == len {
                return &mut self.nodes[at].value;
            }
            let side = bits.bit(node.len);
            let child = node.children[side];
            if child == NONE {
                let new = self.nodes.len();
                push_tight(&mut self.nodes, Node { bits, len, children: [NONE; 2], value: NONE });
                self.nodes[at].children[side] = new as u32;
                return &mut self.nodes[new].value;
            }
            at = child as usize;
        }
    }

    /// The value at exactly this prefix; [`NONE`] where there is none.
    pub(crate) fn get(&self, bits: B, len: u8) -> u32 {
        let bits = bits.masked(len);
        let mut at = 0;
        while let Some(node) = self.nodes.get(at as usize) {
            if node.len > len || node.bits.common(bits) < node.len {
                return NONE;
            }
            if node.len == len {
                return node.value;
            }
            at = node.children[bits.bit(node.len)];
        }
        NONE
    }

    /// Puts a node of `common` bits in the place of the one at `at`, which becomes its child; returns the index of the
    /// node for `bits`.
    fn split(&mut self, at: usize, bits: B, len: u8, common: u8) -> usize {
        let fork = Node { bits: bits.masked(common), len: common, children: [NONE; 2], value: NONE };
        let old = core::mem::replace(&mut self.nodes[at], fork);
        let old_side = old.bits.bit(common);
        self.nodes[at].children[old_side] = self.nodes.len() as u32;
        push_tight(&mut self.nodes, old);
        if common == len {
            return at;
        }
        let new = self.nodes.len();
        self.nodes[at].children[1 - old_side] = new as u32;
        push_tight(&mut self.nodes, Node { bits, len, children: [NONE; 2], value: NONE });
        new
    }

    /// Forgets the value at exactly this prefix.
    pub(crate) fn remove(&mut self, bits: B, len: u8) {
        let bits = bits.masked(len);
        // The node, and the way by which it was reached.
        let (mut above, mut at): (Option<(usize, usize)>, usize) = (None, 0);
        loop {
            let Some(node) = self.nodes.get(at).filter(|n| n.len <= len && n.bits.common(bits) >= n.len) else {
                return;
            };
            if node.len == len {
                break;
            }
            let side = bits.bit(node.len);
            above = Some((at, side));
            at = node.children[side] as usize;
        }
        self.nodes[at].value = NONE;
        match self.nodes[at].children {
            [NONE, NONE] => match above {
                None => self.nodes.clear(),
                Some((parent, side)) => {
                    self.nodes[parent].children[side] = NONE;
                    let parent = self.give_up(at, parent);
                    self.shorten(parent);
                }
            },
            _ => self.shorten(at),
        }
    }

    /// Puts the only child of a node without a value in the node's place.
    fn shorten(&mut self, at: usize) {
        let (NONE, [child, NONE] | [NONE, child]) = (self.nodes[at].value, self.nodes[at].children) else { return };
        if child != NONE {
            self.nodes[at] = self.nodes[child as usize].clone();
            self.give_up(child as usize, at);
        }
    }

    /// Removes a node to which nothing leads any more; the last one takes its number. Returns what the number of `other` is
    /// now.
    fn give_up(&mut self, at: usize, other: usize) -> usize {
        self.nodes.swap_remove(at);
        let last = self.nodes.len();
        if at == last {
            return other;
        }
        // Who led to the last one is found on the way to it.
        let (bits, mut above) = (self.nodes[at].bits, 0);
        loop {
            let side = bits.bit(self.nodes[above].len);
            let child = &mut self.nodes[above].children[side];
            if *child as usize == last {
                *child = at as u32;
                return if other == last { at } else { other };
            }
            above = *child as usize;
        }
    }

    /// The value of the longest prefix that holds `bits`.
    #[inline]
    pub(crate) fn longest(&self, bits: B) -> Option<u32> {
        let mut longest = None;
        self.walk(bits, |value| longest = Some(value));
        longest
    }

    /// Octets of memory that it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<Node<B>>()
    }

    /// The values of the prefixes that hold `bits`, handed to `pick` from the shortest to the longest.
    #[inline]
    pub(crate) fn walk(&self, bits: B, mut pick: impl FnMut(u32)) {
        let Some(mut node) = self.nodes.first() else { return };
        loop {
            if node.bits.common(bits) < node.len {
                return;
            }
            if node.value != NONE {
                pick(node.value);
            }
            if node.len == B::WIDTH {
                return;
            }
            let Some(child) = self.nodes.get(node.children[bits.bit(node.len)] as usize) else { return };
            node = child;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn finds_what_a_linear_search_finds(
            prefixes in proptest::collection::vec((any::<u32>(), 0u8..=32), 0..60),
            gone in proptest::collection::vec(any::<proptest::sample::Index>(), 0..60),
            probes in proptest::collection::vec(any::<u32>(), 40)
        ) {
            // Few distinct high bits, so that prefixes nest.
            let prefixes: Vec<(u32, u8)> = prefixes.iter().map(|&(b, l)| ((b & 0xc0c0_c0c1).masked(l), l)).collect();
            let mut trie = Trie::default();
            for (i, &(bits, len)) in prefixes.iter().enumerate() {
                *trie.slot(bits, len) = i as u32;
            }
            let gone: Vec<_> = gone.iter().filter(|_| !prefixes.is_empty()).map(|i| prefixes[i.index(prefixes.len())]).collect();
            for &(bits, len) in &gone {
                trie.remove(bits, len);
                prop_assert_eq!(trie.get(bits, len), NONE);
            }
            let left: std::collections::BTreeSet<_> = prefixes.iter().filter(|p| !gone.contains(p)).collect();
            prop_assert!(trie.nodes.len() <= (2 * left.len()).saturating_sub(1), "{} nodes for {}", trie.nodes.len(), left.len());
            for probe in probes.iter().map(|p| p & 0xc0c0_c0c1) {
                let mut found = Vec::new();
                trie.walk(probe, |v| found.push(prefixes[v as usize]));
                let mut expect: Vec<_> = prefixes.iter().copied().filter(|&(b, l)| probe.masked(l) == b && !gone.contains(&(b, l))).collect();
                expect.sort_by_key(|&(_, l)| l);
                expect.dedup();
                prop_assert_eq!(found, expect);
            }
        }
    }
}
