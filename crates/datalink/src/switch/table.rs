//! The filtering database (IEEE 802.1D §7.9): which address is behind which port, until it ages out.

use core::time::Duration;

use hashbrown::HashMap;
use septet_core::{FixedState, Instant, Port};

use crate::ethernet::MacAddr;
use crate::vlan::VlanId;

/// What became of an address that was heard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Learned {
    /// It was known to be there.
    Known,
    /// It was not known.
    New,
    /// It was known to be elsewhere.
    Moved,
    /// There is no room for it.
    NoRoom,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    port: Port,
    heard: Instant,
}

/// Which address is behind which port.
///
/// Each VLAN has its own (independent learning).
#[derive(Debug)]
pub struct Table {
    entries: HashMap<u64, Entry, FixedState>,
    ageing: Duration,
    capacity: usize,
    /// No sweep before: so that a full table is not searched for every frame.
    next_sweep: Instant,
}

impl Table {
    /// An empty table for `capacity` addresses, each remembered for `ageing`.
    pub fn new(ageing: Duration, capacity: usize) -> Self {
        Self { entries: HashMap::default(), ageing, capacity, next_sweep: Instant::ZERO }
    }

    /// From now on addresses age out in `ageing`.
    pub fn set_ageing(&mut self, ageing: Duration) {
        self.ageing = ageing;
        self.next_sweep = Instant::ZERO;
    }

    /// Notes that a frame of `vlan` from `mac` came in at `port`.
    pub fn learn(&mut self, now: Instant, vlan: VlanId, mac: MacAddr, port: Port) -> Learned {
        let heard = Entry { port, heard: now };
        if let Some(entry) = self.entries.get_mut(&key(vlan, mac)) {
            let old = core::mem::replace(entry, heard);
            return match () {
                () if is_old(&old, now, self.ageing) => Learned::New,
                () if old.port == port => Learned::Known,
                () => Learned::Moved,
            };
        }
        if self.entries.len() >= self.capacity {
            self.sweep(now);
            if self.entries.len() >= self.capacity {
                return Learned::NoRoom;
            }
        }
        self.entries.insert(key(vlan, mac), heard);
        Learned::New
    }

    /// The port behind which `mac` is in `vlan`, where that was heard recently enough.
    pub fn look_up(&self, now: Instant, vlan: VlanId, mac: MacAddr) -> Option<Port> {
        let entry = self.entries.get(&key(vlan, mac))?;
        if is_old(entry, now, self.ageing) { None } else { Some(entry.port) }
    }

    /// Forgets everyone behind `port` and returns how many there were.
    pub fn forget_port(&mut self, port: Port) -> usize {
        let before = self.entries.len();
        self.entries.retain(|_, e| e.port != port);
        before - self.entries.len()
    }

    /// Every address that is remembered at `now`, sorted, with its port and how long ago it was heard.
    pub fn iter(&self, now: Instant) -> impl Iterator<Item = (MacAddr, Port, Duration)> {
        let mut all: Vec<_> = self
            .entries
            .iter()
            .filter(|(_, e)| !is_old(e, now, self.ageing))
            .map(|(mac, e)| {
                let [_, _, octets @ ..] = mac.to_be_bytes();
                (MacAddr(octets), e.port, now.saturating_since(e.heard))
            })
            .collect();
        all.sort_unstable();
        all.into_iter()
    }

    fn sweep(&mut self, now: Instant) {
        if now >= self.next_sweep {
            let ageing = self.ageing;
            self.entries.retain(|_, e| !is_old(e, now, ageing));
            self.next_sweep = now + ageing / 16;
        }
    }
}

/// Sixteen bits of VLAN over 48 of address.
fn key(vlan: VlanId, mac: MacAddr) -> u64 {
    u64::from(vlan.get()) << 48 | mac.to_u64()
}

fn is_old(entry: &Entry, now: Instant, ageing: Duration) -> bool {
    now.saturating_since(entry.heard) >= ageing
}
