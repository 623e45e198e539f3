//! What neighbour discovery tells the cache beyond what ARP does (RFC 4861 §7.2.5).

use std::net::IpAddr;

use septet_core::{Frame, Instant};
use septet_datalink::ethernet::MacAddr;

use super::cache::{Cache, Learned, NeighborId, State};
use crate::route::Iface;

/// What a neighbour advertises of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Advertised {
    /// Its link address, where it is told.
    pub mac: Option<MacAddr>,
    /// Whether it was asked.
    pub solicited: bool,
    /// Whether what was known before is void.
    pub overrides: bool,
}

impl Cache {
    /// Takes an advertisement; `None` where the cache has no use for it.
    pub fn advertised(&mut self, now: Instant, iface: Iface, addr: IpAddr, told: Advertised) -> Option<Learned> {
        let reachable = self.timing(iface, addr).reachable;
        // "If no entry exists, the advertisement SHOULD be silently discarded."
        let at = self.find(iface, addr)?;
        let entry = &mut self.entries[at as usize];
        let Advertised { mac, solicited, overrides } = told;
        let fresh = if solicited { State::Reachable } else { State::Stale };
        match entry.state {
            State::Permanent => return None,
            State::Incomplete | State::Failed => {
                // "If the link layer has addresses and no Target Link-Layer Address option is included, the receiving node
                // SHOULD silently discard the received advertisement."
                entry.mac = mac?;
                (entry.state, entry.updated) = (fresh, now);
            }
            State::Reachable | State::Stale | State::Delay | State::Probe => {
                let other = mac.filter(|mac| *mac != entry.mac);
                if other.is_some() && !overrides {
                    // "a. If the state of the entry is REACHABLE, set it to STALE, but do not update the entry in any other
                    // way. b. Otherwise, the received advertisement should be ignored".
                    if entry.state == State::Reachable {
                        entry.state = State::Stale;
                    }
                    return None;
                }
                if let Some(mac) = other {
                    (entry.mac, entry.updated) = (mac, now);
                }
                if solicited || other.is_some() {
                    entry.state = fresh;
                }
            }
        }
        if entry.state == State::Reachable && solicited {
            (entry.timer, entry.confirmed) = (now + reachable, now);
        }
        entry.solicitations = 0;
        let waiting = core::mem::take(&mut entry.waiting);
        let asked = (!waiting.is_empty()).then_some(entry.asked);
        Some(Learned { asked, waiting })
    }

    /// Takes the link address that a neighbour told beside what it said. RFC 4861 §7.2.3: "If an entry does not already
    /// exist, the node SHOULD create a new one and set its reachability state to STALE"; where it differs from what was
    /// known, "the receiver of the solicitation MUST … set the entry's reachability state to STALE."
    pub fn heard(&mut self, now: Instant, iface: Iface, addr: IpAddr, mac: MacAddr) -> Learned {
        let NeighborId(at) = self.entry(now, iface, addr);
        let entry = &mut self.entries[at as usize];
        let had_address = !matches!(entry.state, State::Incomplete | State::Failed);
        if entry.state == State::Permanent || had_address && entry.mac == mac {
            return Learned { asked: None, waiting: Default::default() };
        }
        (entry.mac, entry.state, entry.updated, entry.solicitations) = (mac, State::Stale, now, 0);
        let waiting = core::mem::take(&mut entry.waiting);
        let asked = (!waiting.is_empty()).then_some(entry.asked);
        Learned { asked, waiting }
    }

    /// The packet that has waited longest for this neighbour's link address.
    pub fn waits(&self, iface: Iface, addr: IpAddr) -> Option<&Frame> {
        let entry = &self.entries[self.find(iface, addr)? as usize];
        entry.waiting.front().map(|waiting| &waiting.packet)
    }

    /// Whether the link address of a neighbour is known there.
    pub fn knows(&self, iface: Iface, addr: IpAddr) -> bool {
        let entry = self.find(iface, addr).map(|at| &self.entries[at as usize]);
        entry.is_some_and(|entry| !matches!(entry.state, State::Incomplete | State::Failed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::neighbor::{Output, RETRANS};
    use septet_core::{EventId, Seed};

    const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 9]);
    const OTHER: MacAddr = MacAddr([2, 0, 0, 0, 0, 8]);

    fn addr() -> IpAddr {
        "fe80::9".parse().unwrap()
    }

    /// A cache in which the neighbour is in a state, and what it says of it after `told`.
    fn after(begin: State, told: Advertised) -> Option<(State, MacAddr)> {
        let mut c = Cache::new(&mut Seed::new(1).stream("t"));
        let id = c.entry(Instant::ZERO, 0, addr());
        let asks = c.output(Instant::ZERO, id, EventId::NONE);
        assert!(matches!(asks, Output::Wait(Some(_))));
        if begin != State::Incomplete {
            let solicited = begin == State::Reachable;
            let told = Advertised { mac: Some(MAC), solicited, overrides: true };
            c.advertised(Instant::ZERO, 0, addr(), told).unwrap();
            assert_eq!(c.get(Instant::ZERO, 0, addr()), Some((begin, MAC)));
        }
        c.advertised(Instant::ZERO, 0, addr(), told);
        c.get(Instant::ZERO, 0, addr())
    }

    #[test]
    fn advertisements_change_entries_as_rfc_4861_appendix_c_says() {
        use State::{Incomplete, Reachable, Stale};
        let told = |mac, solicited, overrides| Advertised { mac, solicited, overrides };
        for (begin, told, state, mac) in [
            (Incomplete, told(None, true, true), Incomplete, MacAddr([0; 6])),
            (Incomplete, told(Some(MAC), false, false), Stale, MAC),
            (Incomplete, told(Some(MAC), true, false), Reachable, MAC),
            (Reachable, told(Some(OTHER), true, false), Stale, MAC),
            (Stale, told(Some(OTHER), true, false), Stale, MAC),
            (Stale, told(Some(MAC), true, false), Reachable, MAC),
            (Stale, told(None, true, false), Reachable, MAC),
            (Stale, told(Some(OTHER), true, true), Reachable, OTHER),
            (Reachable, told(Some(OTHER), false, true), Stale, OTHER),
            (Reachable, told(Some(MAC), false, true), Reachable, MAC),
        ] {
            assert_eq!(after(begin, told), Some((state, mac)), "{begin:?} {told:?}");
        }
    }

    #[test]
    fn what_is_told_beside_makes_an_entry_that_is_stale() {
        let mut c = Cache::new(&mut Seed::new(1).stream("t"));
        assert!(!c.knows(0, addr()));
        c.heard(Instant::ZERO, 0, addr(), MAC);
        assert_eq!(c.get(Instant::ZERO, 0, addr()), Some((State::Stale, MAC)));
        c.heard(Instant::ZERO + RETRANS / 2, 0, addr(), OTHER);
        assert_eq!(c.get(Instant::ZERO, 0, addr()), Some((State::Stale, OTHER)), "no time locks it");
        let unasked = Advertised { mac: Some(MAC), solicited: false, overrides: true };
        assert!(c.advertised(Instant::ZERO, 1, addr(), unasked).is_none(), "nobody asked on that link");
    }
}
