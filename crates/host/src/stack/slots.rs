//! Sockets by index and generation, so that the handle of a closed one finds nothing.

use slab::Slab;

/// Names a socket of one kind of one host.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct SlotId {
    index: u32,
    generation: u32,
}

/// Sockets of one kind.
#[derive(Debug)]
pub(crate) struct Slots<T> {
    slab: Slab<(u32, T)>,
    made: u32,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { slab: Slab::new(), made: 0 }
    }
}

impl<T> Slots<T> {
    pub(crate) fn insert(&mut self, value: T) -> SlotId {
        self.made = self.made.wrapping_add(1);
        SlotId { index: self.slab.insert((self.made, value)) as u32, generation: self.made }
    }

    /// Closes all; handles from before stay invalid.
    pub(crate) fn clear(&mut self) {
        self.slab = Slab::new();
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.slab.iter_mut().map(|(_, (_, value))| value)
    }

    pub(crate) fn get(&self, id: SlotId) -> Option<&T> {
        self.slab.get(id.index as usize).filter(|(g, _)| *g == id.generation).map(|(_, v)| v)
    }

    pub(crate) fn get_mut(&mut self, id: SlotId) -> Option<&mut T> {
        self.slab.get_mut(id.index as usize).filter(|(g, _)| *g == id.generation).map(|(_, v)| v)
    }

    pub(crate) fn remove(&mut self, id: SlotId) -> Option<T> {
        self.get(id)?;
        Some(self.slab.remove(id.index as usize).1)
    }
}
