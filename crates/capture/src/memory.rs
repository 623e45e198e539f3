//! The bounded memory of recent events, so that a cause can be told in words.

use std::collections::VecDeque;

use septet_core::{Event, EventId};

/// How many events are remembered at least. Few stay in the cache.
const FEWEST: usize = 512;
/// How many are at most.
const MOST: usize = 128 * 1024;
/// How many times as many are remembered as have happened between a frame's cause and the frame: the next may be on its
/// way for longer.
const SPARE: u64 = 4;
/// How many tellings are: a frame passes its next port soon after the last. Few, so that they stay in the cache.
const TOLD: usize = 256;

/// The latest events by name, and the tellings of those that were needed last.
#[derive(Debug)]
pub(crate) struct Memory {
    /// In the order in which they were told. It grows before frames are on their way for longer than it remembers.
    ring: Vec<Option<Box<Event>>>,
    /// How many were told.
    count: u64,
    /// Of each station and, before them, of the world itself: which in this order each event that is remembered was.
    numbers: Vec<Numbers>,
    told: Vec<(EventId, String)>,
}

/// Of one station's events, which count up as they are named, the numbers of those that are remembered.
#[derive(Clone, Debug, Default)]
struct Numbers {
    /// The name of the first.
    first: u64,
    /// [`NONE`](Self::NONE) where an event was named and not told, or is forgotten.
    list: VecDeque<u64>,
}

impl Numbers {
    const NONE: u64 = u64::MAX;

    fn set(&mut self, name: u64, number: u64) {
        let next = self.first + self.list.len() as u64;
        if self.list.is_empty() || name > next + MOST as u64 {
            // The first, or so far behind the others that none of them still counts.
            self.list.clear();
            self.first = name;
        } else if name + (MOST as u64) < self.first {
            return;
        }
        while name < self.first {
            self.list.push_front(Self::NONE);
            self.first -= 1;
        }
        let at = (name - self.first) as usize;
        if at == self.list.len() {
            self.list.push_back(number);
            return;
        }
        if at > self.list.len() {
            self.list.resize(at + 1, Self::NONE);
        }
        self.list[at] = number;
    }

    fn get(&self, name: u64) -> Option<u64> {
        let number = *self.list.get(name.checked_sub(self.first)? as usize)?;
        (number != Self::NONE).then_some(number)
    }

    fn forget(&mut self, name: u64) {
        if let Some(number) = name.checked_sub(self.first).and_then(|at| self.list.get_mut(at as usize)) {
            *number = Self::NONE;
        }
        while self.list.front() == Some(&Self::NONE) {
            self.list.pop_front();
            self.first += 1;
        }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            ring: empty(FEWEST),
            count: 0,
            numbers: Vec::new(),
            told: core::iter::repeat_with(Default::default).take(TOLD).collect(),
        }
    }
}

impl Memory {
    /// Remembers `event` and forgets an old one.
    pub(crate) fn add(&mut self, event: Box<Event>) {
        let (station, name) = parts(event.id);
        if station >= self.numbers.len() {
            self.numbers.resize(station + 1, Numbers::default());
        }
        self.numbers[station].set(name, self.count);
        let place = self.place(self.count);
        self.count += 1;
        if let Some(old) = &self.ring[place] {
            let (station, name) = parts(old.id);
            self.numbers[station].forget(name);
        }
        self.ring[place] = Some(event);
    }

    /// Which of those that were told the event called `id` was, where it is not forgotten.
    fn number(&self, id: EventId) -> Option<u64> {
        let (station, name) = parts(id);
        self.numbers.get(station)?.get(name)
    }

    /// The event called `id`, where it is not forgotten.
    pub(crate) fn get(&self, id: EventId) -> Option<&Event> {
        self.ring[self.place(self.number(id)?)].as_deref()
    }

    /// The telling of `id`, written by `tell` where it is not at hand.
    pub(crate) fn told(&mut self, id: EventId, tell: impl FnOnce(&Self, &Event, &mut String)) -> Option<&str> {
        if id == EventId::NONE {
            return None;
        }
        let number = self.number(id);
        if number.is_none_or(|number| self.count - number > self.ring.len() as u64 / SPARE) {
            self.grow();
        }
        let number = number?;
        let event = self.ring[self.place(number)].as_deref()?;
        let at = (number % TOLD as u64) as usize;
        if self.told[at].0 != id {
            let mut text = core::mem::take(&mut self.told[at].1);
            text.clear();
            tell(self, event, &mut text);
            self.told[at] = (id, text);
        }
        Some(&self.told[at].1)
    }

    #[cold]
    fn grow(&mut self) {
        if self.ring.len() < MOST {
            let more = empty(self.ring.len() * 2);
            for event in core::mem::replace(&mut self.ring, more).into_iter().flatten() {
                if let Some(number) = self.number(event.id) {
                    let place = self.place(number);
                    self.ring[place] = Some(event);
                }
            }
        }
    }

    /// Where the event has its place that so many were told before.
    fn place(&self, number: u64) -> usize {
        number as usize & (self.ring.len() - 1)
    }
}

/// Whose event it is, the world's before all stations', and which of theirs.
fn parts(id: EventId) -> (usize, u64) {
    let (station, name) = id.parts();
    (station.0.wrapping_add(1) as usize, name)
}

/// A ring of so many places, which is a power of two.
fn empty(places: usize) -> Vec<Option<Box<Event>>> {
    core::iter::repeat_with(|| None).take(places).collect()
}

#[cfg(test)]
mod tests {
    use septet_core::{Fields, Instant, StationId, Storey};

    use super::*;

    fn event(id: u64) -> Box<Event> {
        Box::new(Event {
            id: EventId(id),
            at: Instant::ZERO,
            station: StationId(0),
            storey: Storey::Transport,
            kind: "tcp.ack",
            cause: EventId::NONE,
            fields: Fields::default(),
        })
    }

    #[test]
    fn forgets_the_oldest_and_finds_the_rest_across_gaps() {
        let mut memory = Memory::default();
        // Two stations that tell in turns, and not of all that they named.
        let other = |id: u64| 5 << 40 | id;
        for id in (1..).filter(|id| id % 12 != 0).take(FEWEST / 2 + 10) {
            memory.add(event(id));
            memory.add(event(other(id)));
        }
        let last = memory.ring.iter().flatten().map(|e| e.id.0).filter(|id| *id < other(0)).max().unwrap();
        for (id, known) in [(1, false), (10, false), (11, true), (12, false), (13, true), (last, true), (0, false)] {
            for id in [id, other(id)] {
                assert_eq!(memory.get(EventId(id)).map(|e| e.id.0), known.then_some(id), "{id}");
            }
        }
        let told = memory.told(EventId(13), |_, e, out| out.push_str(&format!("event {}", e.id.0))).unwrap();
        assert_eq!(told, "event 13");
        assert_eq!(memory.told(EventId(13), |_, _, _| panic!("told before")).unwrap(), "event 13");
    }

    #[test]
    fn an_event_may_be_told_later_than_those_named_after_it() {
        let mut memory = Memory::default();
        for id in [100, 103, 99, 101, 100 + 2 * MOST as u64, 102] {
            memory.add(event(id));
        }
        let known = |id| memory.get(EventId(id)).is_some();
        // Of what is so far behind the rest, nothing is found any more.
        assert_eq!(
            [99, 100, 101, 102, 103, 100 + 2 * MOST as u64].map(known),
            [false, false, false, false, false, true]
        );
        let mut memory = Memory::default();
        [100, 103, 99, 101].into_iter().for_each(|id| memory.add(event(id)));
        let known = |id| memory.get(EventId(id)).is_some();
        assert_eq!([98, 99, 100, 101, 102, 103, 104].map(known), [false, true, true, true, false, true, false]);
    }

    #[test]
    fn remembers_for_longer_where_frames_are_on_their_way_for_longer() {
        let mut memory = Memory::default();
        let mut id = 0;
        // Each frame is on its way for half as many events more than the last.
        for way in core::iter::successors(Some(100), |way| Some(way * 3 / 2)).take_while(|way| *way < MOST as u64) {
            let cause = id + 1;
            for _ in 0..=way {
                id += 1;
                memory.add(event(id));
            }
            assert!(memory.told(EventId(cause), |_, _, out| out.push('x')).is_some(), "after {way} events");
        }
        assert_eq!(memory.ring.len(), MOST);
    }
}
