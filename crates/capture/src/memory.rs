//! The bounded memory of recent events, so that a cause can be told in words.

use septet_core::{Event, EventId};

/// How many events are remembered: enough for every frame that may still be on its way in a busy lab.
const KEPT: usize = 16 * 1024;
/// How many tellings are: a frame passes its next port soon after the last. Few, so that they stay in the cache.
const TOLD: usize = 256;

/// The latest events by name, and the tellings of those that were needed last.
#[derive(Debug)]
pub(crate) struct Memory {
    /// Names are numbers that grow, give or take those that were reserved for later: each has its place in a ring.
    ring: Vec<Option<Event>>,
    told: Vec<(EventId, String)>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            ring: core::iter::repeat_with(|| None).take(KEPT).collect(),
            told: core::iter::repeat_with(Default::default).take(TOLD).collect(),
        }
    }
}

impl Memory {
    /// Remembers `event` and forgets an old one.
    pub(crate) fn add(&mut self, event: &Event) {
        match &mut self.ring[place(event.id)] {
            Some(old) => old.clone_from(event),
            empty => *empty = Some(event.clone()),
        }
    }

    /// The event called `id`, where it is not forgotten.
    pub(crate) fn get(&self, id: EventId) -> Option<&Event> {
        self.ring[place(id)].as_ref().filter(|e| e.id == id)
    }

    /// The telling of `id`, written by `tell` where it is not at hand.
    pub(crate) fn told(&mut self, id: EventId, tell: impl FnOnce(&Self, &Event, &mut String)) -> Option<&str> {
        let event = self.ring[place(id)].as_ref().filter(|e| e.id == id)?;
        let at = (id.0 % TOLD as u64) as usize;
        if self.told[at].0 != id {
            let mut text = core::mem::take(&mut self.told[at].1);
            text.clear();
            tell(self, event, &mut text);
            self.told[at] = (id, text);
        }
        Some(&self.told[at].1)
    }
}

fn place(id: EventId) -> usize {
    (id.0 % KEPT as u64) as usize
}

#[cfg(test)]
mod tests {
    use septet_core::{Fields, Instant, StationId, Storey};

    use super::*;

    fn event(id: u64) -> Event {
        Event {
            id: EventId(id),
            at: Instant::ZERO,
            station: StationId(0),
            storey: Storey::Transport,
            kind: "tcp.ack",
            cause: EventId::NONE,
            fields: Fields::default(),
        }
    }

    #[test]
    fn forgets_the_oldest_and_finds_the_rest_across_gaps() {
        let mut memory = Memory::default();
        let last = KEPT as u64 + 10;
        for id in (1..=last).filter(|id| id % 3 != 0) {
            memory.add(&event(id));
        }
        for (id, known) in [(1, false), (10, false), (11, true), (12, false), (13, true), (last - 1, true), (0, false)]
        {
            assert_eq!(memory.get(EventId(id)).map(|e| e.id.0), known.then_some(id), "{id}");
        }
        let told = memory.told(EventId(13), |_, e, out| out.push_str(&format!("event {}", e.id.0))).unwrap();
        assert_eq!(told, "event 13");
        assert_eq!(memory.told(EventId(13), |_, _, _| panic!("told before")).unwrap(), "event 13");
    }
}
