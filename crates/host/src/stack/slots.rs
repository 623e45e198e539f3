//! Sockets by index and generation, so that the handle of a closed one finds nothing.

use slab::Slab;

/// Names a socket of one kind of one host.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct SlotId {
    index: u32,
    generation: u32,
}

/// Sockets of one kind, which take no room until there is one: most hosts of a large world have none of most kinds.
#[derive(Debug)]
pub(crate) struct Slots<T>(Option<Box<Made<T>>>);

#[derive(Debug)]
struct Made<T> {
    slab: Slab<(u32, T)>,
    made: u32,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Default for Made<T> {
    fn default() -> Self {
        Self { slab: Slab::new(), made: 0 }
    }
}

impl<T> Slots<T> {
    pub(crate) fn insert(&mut self, value: T) -> SlotId {
        let Made { slab, made } = &mut **self.0.get_or_insert_default();
        *made = made.wrapping_add(1);
        SlotId { index: slab.insert((*made, value)) as u32, generation: *made }
    }

    /// Closes all; handles from before stay invalid.
    pub(crate) fn clear(&mut self) {
        if let Some(Made { slab, .. }) = self.0.as_deref_mut() {
            *slab = Slab::new();
        }
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.0.iter_mut().flat_map(|made| made.slab.iter_mut()).map(|(_, (_, value))| value)
    }

    pub(crate) fn get(&self, id: SlotId) -> Option<&T> {
        let slot = self.0.as_ref()?.slab.get(id.index as usize);
        slot.filter(|(g, _)| *g == id.generation).map(|(_, v)| v)
    }

    pub(crate) fn get_mut(&mut self, id: SlotId) -> Option<&mut T> {
        let slot = self.0.as_mut()?.slab.get_mut(id.index as usize);
        slot.filter(|(g, _)| *g == id.generation).map(|(_, v)| v)
    }

    pub(crate) fn remove(&mut self, id: SlotId) -> Option<T> {
        self.get(id)?;
        Some(self.0.as_mut()?.slab.remove(id.index as usize).1)
    }
}
