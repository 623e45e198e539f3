//! The candidates for the engine's event queue, under the same load: what is taken out is put back later.
//!
//! Increments are those of our worlds: most are the next frame of a link (microseconds to a few milliseconds), some a
//! timer (tens to hundreds of milliseconds), and many fall on the same instant.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use cpu_time::ProcessTime;
use septet_core::{Rng, Seed};

use crate::{Failure, Options, Report};

/// Time in nanoseconds, then station, kind and path: as the engine's own key.
type Key = (u64, u64);

/// One number to compare, without a branch.
fn num((at, what): Key) -> u128 {
    u128::from(at) << 64 | u128::from(what)
}

trait Queue: Default {
    const NAME: &'static str;
    fn push(&mut self, key: Key);
    fn pop(&mut self) -> Option<Key>;
    /// Takes the first out and puts `later` of it in.
    fn hold(&mut self, later: impl FnOnce(Key) -> Key) -> Option<Key> {
        let first = self.pop()?;
        self.push(later(first));
        Some(first)
    }
}

#[derive(Default)]
struct Binary(BinaryHeap<Reverse<Key>>);

impl Queue for Binary {
    const NAME: &'static str = "BinaryHeap";
    fn push(&mut self, key: Key) {
        self.0.push(Reverse(key));
    }
    fn pop(&mut self) -> Option<Key> {
        self.0.pop().map(|Reverse(k)| k)
    }
    fn hold(&mut self, later: impl FnOnce(Key) -> Key) -> Option<Key> {
        let mut first = self.0.peek_mut()?;
        let key = first.0;
        first.0 = later(key);
        Some(key)
    }
}

/// The same over one number a key.
#[derive(Default)]
struct Packed(BinaryHeap<Reverse<u128>>);

fn unpack(n: u128) -> Key {
    ((n >> 64) as u64, n as u64)
}

impl Queue for Packed {
    const NAME: &'static str = "packed keys";
    fn push(&mut self, key: Key) {
        self.0.push(Reverse(num(key)));
    }
    fn pop(&mut self) -> Option<Key> {
        self.0.pop().map(|Reverse(k)| unpack(k))
    }
    fn hold(&mut self, later: impl FnOnce(Key) -> Key) -> Option<Key> {
        let mut first = self.0.peek_mut()?;
        let key = unpack(first.0);
        first.0 = num(later(key));
        Some(key)
    }
}

/// A heap whose nodes have `N` children.
#[derive(Default)]
struct Wide<const N: usize>(Vec<Key>);

impl<const N: usize> Wide<N> {
    fn sink(&mut self, key: Key) {
        let heap = &mut self.0[..];
        let mut at = 0;
        loop {
            let child = at * N + 1;
            let (offset, least) = if N == 4
                && let Some(c) = heap.get(child..child + 4)
            {
                let a = usize::from(num(c[1]) < num(c[0]));
                let b = 2 + usize::from(num(c[3]) < num(c[2]));
                let m = if num(c[b]) < num(c[a]) { b } else { a };
                (m, c[m])
            } else {
                let Some(children) = heap.get(child..heap.len().min(child + N)) else { break };
                let Some(found) = children.iter().copied().enumerate().min_by_key(|(_, k)| num(*k)) else { break };
                found
            };
            if num(key) <= num(least) {
                break;
            }
            heap[at] = least;
            at = child + offset;
        }
        heap[at] = key;
    }
}

impl<const N: usize> Queue for Wide<N> {
    const NAME: &'static str = match N {
        4 => "4-ary heap",
        8 => "8-ary heap",
        _ => "wide heap",
    };
    fn push(&mut self, key: Key) {
        self.0.push(key);
        let heap = &mut self.0[..];
        let mut at = heap.len() - 1;
        while at > 0 {
            let parent = (at - 1) / N;
            if heap[parent] <= key {
                break;
            }
            heap[at] = heap[parent];
            at = parent;
        }
        heap[at] = key;
    }
    fn pop(&mut self) -> Option<Key> {
        let last = self.0.pop()?;
        let Some(first) = self.0.first().copied() else { return Some(last) };
        self.sink(last);
        Some(first)
    }
    fn hold(&mut self, later: impl FnOnce(Key) -> Key) -> Option<Key> {
        let first = self.0.first().copied()?;
        self.sink(later(first));
        Some(first)
    }
}

/// A radix heap (Ahuja, Mehlhorn, Orlin, Tarjan 1990): time only moves on, so a key lies in the bucket of the highest
/// bit in which its time differs from the last taken; equal times form a heap.
struct Radix {
    now: u64,
    same: Vec<Reverse<Key>>,
    buckets: [Vec<Key>; 64],
}

impl Default for Radix {
    fn default() -> Self {
        Self { now: 0, same: Vec::new(), buckets: [const { Vec::new() }; 64] }
    }
}

impl Queue for Radix {
    const NAME: &'static str = "radix heap";
    fn push(&mut self, key: Key) {
        match (key.0 ^ self.now).checked_ilog2() {
            None => {
                let at = self.same.partition_point(|k| *k < Reverse(key));
                self.same.insert(at, Reverse(key));
            }
            Some(bit) => self.buckets[bit as usize].push(key),
        }
    }
    fn pop(&mut self) -> Option<Key> {
        if self.same.is_empty() {
            let at = self.buckets.iter().position(|b| !b.is_empty())?;
            let mut bucket = core::mem::take(&mut self.buckets[at]);
            self.now = bucket.iter().map(|k| k.0).min().unwrap_or(self.now);
            for key in bucket.drain(..) {
                self.push(key);
            }
            self.buckets[at] = bucket;
        }
        self.same.pop().map(|Reverse(k)| k)
    }
}

/// A wheel of buckets of 2^13 ns with a heap for what lies beyond one turn; the bucket under way is kept sorted.
struct Wheel {
    slots: Vec<Vec<Key>>,
    /// One bit a slot: whether it holds anything.
    filled: Vec<u64>,
    current: Vec<Key>,
    slot: u64,
    far: Wide<4>,
    inside: usize,
}

const SLOTS: u64 = 4096;
const SHIFT: u32 = 13;

impl Default for Wheel {
    fn default() -> Self {
        Self {
            slots: vec![Vec::new(); SLOTS as usize],
            filled: vec![0; SLOTS as usize / 64],
            current: Vec::new(),
            slot: 0,
            far: Wide::default(),
            inside: 0,
        }
    }
}

impl Wheel {
    fn put(&mut self, key: Key) {
        let at = (key.0 >> SHIFT) % SLOTS;
        self.slots[at as usize].push(key);
        self.filled[at as usize / 64] |= 1 << (at % 64);
        self.inside += 1;
    }

    /// The first slot after the present one that holds anything.
    fn next_slot(&self) -> Option<u64> {
        let begin = (self.slot + 1) % SLOTS;
        let words = SLOTS as usize / 64;
        for step in 0..=words {
            let word = (begin as usize / 64 + step) % words;
            let mut bits = self.filled[word];
            if step == 0 {
                bits &= !0 << (begin % 64);
            } else if step == words {
                bits &= !(!0 << (begin % 64));
            }
            if bits != 0 {
                let at = word as u64 * 64 + u64::from(bits.trailing_zeros());
                return Some(self.slot + 1 + (at + SLOTS - begin) % SLOTS);
            }
        }
        None
    }
}

impl Queue for Wheel {
    const NAME: &'static str = "bucket wheel";
    fn push(&mut self, key: Key) {
        let slot = key.0 >> SHIFT;
        if slot <= self.slot {
            let at = self.current.partition_point(|k| *k > key);
            self.current.insert(at, key);
        } else if slot < self.slot + SLOTS {
            self.put(key);
        } else {
            self.far.push(key);
        }
    }
    fn pop(&mut self) -> Option<Key> {
        while self.current.is_empty() {
            let near = self.next_slot();
            let far = self.far.0.first().map(|k| k.0 >> SHIFT);
            self.slot = match (near, far) {
                (None, None) => return None,
                (a, b) => a.unwrap_or(u64::MAX).min(b.unwrap_or(u64::MAX)),
            };
            while self.far.0.first().is_some_and(|k| k.0 >> SHIFT < self.slot + SLOTS) {
                if let Some(key) = self.far.pop() {
                    self.put(key);
                }
            }
            let at = self.slot % SLOTS;
            core::mem::swap(&mut self.current, &mut self.slots[at as usize]);
            self.filled[at as usize / 64] &= !(1 << (at % 64));
            self.inside -= self.current.len();
            self.current.sort_unstable_by(|a, b| b.cmp(a));
        }
        self.current.pop()
    }
}

fn later(rng: &mut Rng, (at, what): Key) -> Key {
    let draw = rng.next_u64();
    let step = match draw % 10 {
        0 => 0,
        1..=4 => 8_528,
        5..=6 => 80_000 + draw % 65_536,
        7 => 10_000_000,
        8 => 100_000 + draw % 1_048_576,
        _ => 40_000_000 + draw % 134_217_728,
    };
    (at + step, what)
}

fn cost<Q: Queue>(pending: u64, operations: u64, seed: Seed) -> (f64, u64) {
    let mut rng = seed.stream("queues");
    let mut queue = Q::default();
    for n in 0..pending {
        let at = rng.below(10_000_000);
        queue.push(later(&mut rng, (at, n)));
    }
    let mut sum = 0u64;
    let start = ProcessTime::now();
    for _ in 0..operations {
        if let Some((at, what)) = queue.hold(|first| later(&mut rng, first)) {
            sum = sum.rotate_left(5) ^ at ^ what;
        }
    }
    (start.elapsed().as_secs_f64() / operations as f64 * 1e9, sum)
}

/// Prints nanoseconds an operation to standard error, and reports the choice of the engine.
pub(crate) fn compare(options: &Options) -> Result<Report, Failure> {
    let (operations, seed) = (options.scaled(4_000_000), Seed::new(options.seed));
    let mut report = Report::default();
    eprintln!("{:>8}  {:>12}  ns an event", "pending", "queue");
    for pending in [10, 100, 1_000, 10_000, 100_000] {
        let costs = [
            (Binary::NAME, cost::<Binary>(pending, operations, seed)),
            (Packed::NAME, cost::<Packed>(pending, operations, seed)),
            (Wide::<4>::NAME, cost::<Wide<4>>(pending, operations, seed)),
            (Wide::<8>::NAME, cost::<Wide<8>>(pending, operations, seed)),
            (Radix::NAME, cost::<Radix>(pending, operations, seed)),
            (Wheel::NAME, cost::<Wheel>(pending, operations, seed)),
        ];
        for (name, (nanos, order)) in costs {
            eprintln!("{pending:>8}  {name:>12}  {nanos:.1}");
            if order != costs[0].1.1 {
                return Err(Failure::new(format!("the {name} gave another order than the {}", costs[0].0)));
            }
            if name == Packed::NAME {
                report.cpu_s += nanos * operations as f64 / 1e9;
            }
        }
        report.events = Some(report.events.unwrap_or(0) + operations);
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_give_the_same_order() {
        compare(&Options { scale: 0.001, ..Options::default() }).unwrap();
    }
}
