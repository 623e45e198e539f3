//! Sockets by index and generation, and flows by their four addresses.

use std::net::SocketAddr;

use hashbrown::HashTable;

use super::listen::{Listener, Request};
use super::rfc6191_time_wait::TimeWait;
use super::rfc6528_isn::words;
use crate::tcp::{Connection, Error};

/// Names a socket of one endpoint; a name is never used for another socket again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SocketId {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

impl SocketId {
    /// A small number that no other open socket of the endpoint has, to index what belongs to it.
    pub const fn index(self) -> usize {
        self.index as usize
    }
}

/// What a slot holds.
#[derive(Debug)]
pub(crate) enum Entry {
    Free { next: u32 },
    Connection(Box<Connection>),
    Listener(Box<Listener>),
    Request(Box<Request>),
    TimeWait(Box<TimeWait>),
}

impl Entry {
    /// The near and the far end, where there is a far one.
    fn flow(&self) -> Option<(SocketAddr, SocketAddr)> {
        match self {
            Self::Connection(c) => Some(c.ends.get()),
            Self::Request(r) => Some((r.local, r.remote)),
            Self::TimeWait(t) => Some((t.local, t.remote)),
            Self::Listener(_) | Self::Free { .. } => None,
        }
    }
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    /// Whether the flow table knows it.
    linked: bool,
    entry: Entry,
}

const NIL: u32 = u32::MAX;

/// All sockets of an endpoint.
#[derive(Debug)]
pub(crate) struct Slots {
    slots: Vec<Slot>,
    free: u32,
    flows: HashTable<u32>,
    departures: u64,
}

/// A fixed hash: the same order of the table on every run.
fn hash(local: SocketAddr, remote: SocketAddr) -> u64 {
    let mut h = 0x9e37_79b9_7f4a_7c15u64;
    for w in words(local, remote) {
        h = (h ^ w).wrapping_mul(0xff51_afd7_ed55_8ccd);
        h ^= h >> 32;
    }
    h
}

impl Slots {
    pub(crate) fn new() -> Self {
        Self { slots: Vec::new(), free: NIL, flows: HashTable::new(), departures: 0 }
    }

    pub(crate) fn insert(&mut self, entry: Entry) -> SocketId {
        if self.free == NIL {
            self.slots.push(Slot { generation: 0, linked: false, entry });
            return SocketId { index: self.slots.len() as u32 - 1, generation: 0 };
        }
        let index = self.free;
        let slot = &mut self.slots[index as usize];
        if let Entry::Free { next } = slot.entry {
            self.free = next;
        }
        slot.entry = entry;
        slot.linked = false;
        SocketId { index, generation: slot.generation }
    }

    /// Takes an entry out; its name is void from now on.
    pub(crate) fn remove(&mut self, index: u32) -> Entry {
        self.unlink(index);
        let slot = &mut self.slots[index as usize];
        let entry = core::mem::replace(&mut slot.entry, Entry::Free { next: self.free });
        slot.generation = slot.generation.wrapping_add(1);
        self.free = index;
        entry
    }

    /// Makes the flow table point at the entry.
    pub(crate) fn link(&mut self, index: u32) {
        let Some((local, remote)) = self.slots[index as usize].entry.flow() else { return };
        if self.slots[index as usize].linked {
            return;
        }
        self.slots[index as usize].linked = true;
        let slots = &self.slots;
        self.flows.insert_unique(hash(local, remote), index, |i| {
            slots[*i as usize].entry.flow().map_or(0, |(l, r)| hash(l, r))
        });
    }

    /// Takes the entry out of the flow table; whether it was in it.
    pub(crate) fn unlink(&mut self, index: u32) -> bool {
        let slot = &mut self.slots[index as usize];
        if !core::mem::take(&mut slot.linked) {
            return false;
        }
        if let Some((local, remote)) = slot.entry.flow()
            && let Ok(found) = self.flows.find_entry(hash(local, remote), |i| *i == index)
        {
            found.remove();
            self.departures += 1;
        }
        true
    }

    pub(crate) fn find(&self, local: SocketAddr, remote: SocketAddr) -> Option<u32> {
        self.flows.find(hash(local, remote), |i| self.slots[*i as usize].entry.flow() == Some((local, remote))).copied()
    }

    pub(crate) fn id(&self, index: u32) -> SocketId {
        SocketId { index, generation: self.slots[index as usize].generation }
    }

    pub(crate) fn resolve(&self, id: SocketId) -> Result<u32, Error> {
        match self.slots.get(id.index as usize) {
            Some(slot) if slot.generation == id.generation && !matches!(slot.entry, Entry::Free { .. }) => Ok(id.index),
            _ => Err(Error::BadSocket),
        }
    }

    pub(crate) fn is_current(&self, index: u32, generation: u32) -> bool {
        self.slots.get(index as usize).is_some_and(|s| s.generation == generation)
    }

    pub(crate) fn entry(&self, index: u32) -> &Entry {
        &self.slots[index as usize].entry
    }

    pub(crate) fn entry_mut(&mut self, index: u32) -> &mut Entry {
        &mut self.slots[index as usize].entry
    }

    pub(crate) fn connection(&self, id: SocketId) -> Result<&Connection, Error> {
        match self.entry(self.resolve(id)?) {
            Entry::Connection(c) => Ok(c),
            _ => Err(Error::NotConnected),
        }
    }

    /// The near ends of all that is open or not quite over.
    pub(crate) fn near_ends(&self) -> impl Iterator<Item = SocketAddr> {
        self.slots.iter().filter_map(|slot| match &slot.entry {
            Entry::Listener(listener) => Some(listener.local),
            other => other.flow().map(|(local, _)| local),
        })
    }

    /// All connections by index.
    pub(crate) fn connections(&self) -> impl Iterator<Item = (SocketId, &Connection)> {
        self.slots.iter().enumerate().filter_map(|(index, slot)| match &slot.entry {
            Entry::Connection(c) => Some((SocketId { index: index as u32, generation: slot.generation }, &**c)),
            _ => None,
        })
    }

    pub(crate) fn connection_mut(&mut self, index: u32) -> Option<&mut Connection> {
        match self.entry_mut(index) {
            Entry::Connection(c) => Some(c),
            _ => None,
        }
    }

    pub(crate) fn listener(&self, id: SocketId) -> Option<&Listener> {
        match self.entry(self.resolve(id).ok()?) {
            Entry::Listener(l) => Some(l),
            _ => None,
        }
    }

    pub(crate) fn listener_mut(&mut self, index: u32) -> Option<&mut Listener> {
        match self.entry_mut(index) {
            Entry::Listener(l) => Some(l),
            _ => None,
        }
    }

    /// How many flows have gone so far.
    pub(crate) fn departures(&self) -> u64 {
        self.departures
    }

    /// How many flows there are.
    pub(crate) fn flow_count(&self) -> usize {
        self.flows.len()
    }
}
