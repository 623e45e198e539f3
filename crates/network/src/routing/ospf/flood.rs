//! Reliable flooding (RFC 2328 §13): what is newer goes on to all others, until each has acknowledged it.

use core::cmp::Ordering;
use core::time::Duration;
use std::net::IpAddr;

use septet_wire::ospf::{HEADER_LEN, LSA_HEADER_LEN, Lsa, LsaHeader, LsaKey, LsaType, MAX_AGE, MAX_SEQUENCE, Message};

use super::super::act::Context;
use super::database::Source;
use super::exchange::IP_HEADER;
use super::interface::State;
use super::neighbor::{At, Stage};
use super::router::Ospf;
use crate::route::Iface;

/// RFC 2328 appendix B: how often one advertisement may come by flooding.
const MIN_ARRIVAL: Duration = Duration::from_secs(1);
/// How long acknowledgements wait for others: "the fixed interval between delayed acknowledgments must be short".
const ACK_DELAY: Duration = Duration::from_secs(1);
/// RFC 2328 appendix C.3's InfTransDelay, by which an advertisement ages on its way.
const TRANSMIT_DELAY: u16 = 1;

impl Ospf {
    /// RFC 2328 §13.
    pub(super) fn hear_update(&mut self, cx: &mut Context<'_>, at: At, lsas: Vec<Lsa>) {
        if !self.neighbor(at).is_some_and(|n| n.is_exchanging()) {
            return;
        }
        let mut direct = Vec::new();
        for lsa in lsas {
            if !self.hear_lsa(cx, at, lsa, &mut direct) {
                return;
            }
        }
        if !direct.is_empty() {
            self.send(cx, at.0, at.1, Message::Acknowledge(direct));
        }
        self.granted(cx, at);
        if self.neighbor(at).is_some_and(|n| matches!(n.stage, Stage::Exchange | Stage::Loading)) {
            // What was asked for has come, or some of it: the rest is asked for without waiting.
            if let Some(neighbor) = self.neighbor(at) {
                neighbor.ask_at = None;
            }
            self.ask(cx, at);
        }
    }

    /// One advertisement of an update; says whether the next is to be looked at.
    fn hear_lsa(&mut self, cx: &mut Context<'_>, at: At, lsa: Lsa, direct: &mut Vec<LsaHeader>) -> bool {
        let (now, header) = (cx.now, lsa.header);
        let key = header.key;
        // (3) "If this is an AS-external-LSA … and the area has been configured as a stub area, discard the LSA".
        if key.kind == LsaType::External && self.settings.stub {
            return true;
        }
        let own = self.database.get(&key).map(|stored| (stored.header(now), stored.since, stored.source));
        let asked_for = self.neighbor(at).is_some_and(|n| n.wanted.contains_key(&key));
        // (4) One that ends what is not there, and that nobody may be about to fetch, is only acknowledged.
        if header.age >= MAX_AGE && own.is_none() && !self.is_fetching() {
            direct.push(header);
            return true;
        }
        let order = own.map_or(Ordering::Greater, |(own, ..)| header.newer_than(&own));
        match order {
            Ordering::Greater => {
                // (5a) "if the database copy was received via flooding and installed less than MinLSArrival seconds ago, discard
                // the new LSA"; it comes again.
                let too_soon = |(_, since, source)| source == Source::Flooded && now < since + MIN_ARRIVAL;
                if own.is_some_and(too_soon) && !asked_for {
                    return true;
                }
                self.counters.received += 1;
                let passed_back = self.flood(cx, &lsa, Some(at));
                let same = self.database.get(&key).is_some_and(|stored| {
                    stored.lsa.says_as(&lsa) && (stored.age(now) >= MAX_AGE) == (header.age >= MAX_AGE)
                });
                let source = if asked_for { Source::Other } else { Source::Flooded };
                self.database.install(now, lsa, source);
                self.fulfilled(at, &header);
                self.acknowledge(cx, at, header, passed_back);
                if self.is_own(&key) {
                    self.take_back(cx, key);
                } else if !same {
                    self.want_spf(now);
                }
            }
            // (6) "if there is an instance of the LSA on the sending neighbor's Link state request list, an error has
            // occurred in the Database Exchange process".
            _ if self
                .neighbor(at)
                .is_some_and(|n| n.wanted.get(&key).is_some_and(|w| header.newer_than(w).is_lt())) =>
            {
                self.mismatch(cx, at, "it sends an older advertisement than it has described");
                return false;
            }
            Ordering::Equal => {
                self.fulfilled(at, &header);
                let Some(neighbor) = self.neighbor(at) else { return true };
                // (7) An acknowledgement that is implied; only the backup tells the designated router so.
                if neighbor.unacknowledged.remove(&key).is_some() {
                    let backup =
                        self.interfaces.get(&at.0).is_some_and(|i| i.state == State::Backup && i.designated == at.1);
                    if backup {
                        self.delay_ack(cx, at.0, header);
                    }
                } else {
                    direct.push(header);
                }
            }
            Ordering::Less => {
                // (8) "If the database copy has LS age equal to MaxAge and LS sequence number equal to MaxSequenceNumber, simply
                // discard the received LSA"; else the sender is told of the newer one.
                let Some(stored) = self.database.get(&key) else { return true };
                let ending = stored.age(now) >= MAX_AGE && stored.lsa.header.sequence == MAX_SEQUENCE;
                if !ending {
                    let newer = stored.lsa.aged(stored.age(now));
                    self.updates.entry(at).or_default().push(newer);
                }
            }
        }
        true
    }

    /// Whether a neighbour may be about to be asked for what it has described.
    fn is_fetching(&self) -> bool {
        let mut near = self.interfaces.values().flat_map(|i| i.neighbors.values());
        near.any(|n| matches!(n.stage, Stage::Exchange | Stage::Loading))
    }

    /// What was asked for has come.
    fn fulfilled(&mut self, at: At, header: &LsaHeader) {
        if let Some(neighbor) = self.neighbor(at)
            && neighbor.wanted.get(&header.key).is_some_and(|wanted| header.newer_than(wanted).is_ge())
        {
            neighbor.wanted.remove(&header.key);
        }
    }

    /// RFC 2328 §13.4: "self-originated".
    fn is_own(&self, key: &LsaKey) -> bool {
        let own_address = || self.interfaces.values().any(|i| i.address == key.id);
        key.router == self.id || key.kind == LsaType::Network && own_address()
    }

    /// RFC 2328 §13.3; gives whether it left by the interface on which it came. Each neighbour that is to have it is waited for.
    pub(super) fn flood(&mut self, cx: &mut Context<'_>, lsa: &Lsa, from: Option<At>) -> bool {
        let key = lsa.header.key;
        let again = cx.now + self.settings.retransmit;
        let mut passed_back = false;
        let stub = key.kind == LsaType::External && self.settings.stub;
        for (iface, interface) in self.interfaces.iter_mut().filter(|_| !stub) {
            let mut waited_for = false;
            for (address, neighbor) in interface.neighbors.iter_mut().filter(|(_, n)| n.is_exchanging()) {
                // An older instance is waited for no longer.
                neighbor.unacknowledged.remove(&key);
                if !neighbor.is_full()
                    && let Some(wanted) = neighbor.wanted.get(&key)
                {
                    match lsa.header.newer_than(wanted) {
                        Ordering::Less => continue,
                        Ordering::Equal => {
                            neighbor.wanted.remove(&key);
                            continue;
                        }
                        Ordering::Greater => {
                            neighbor.wanted.remove(&key);
                        }
                    }
                }
                if from == Some((*iface, *address)) {
                    continue;
                }
                neighbor.await_ack(lsa.header, again);
                waited_for = true;
            }
            let came_here = from.filter(|(at, _)| at == iface);
            // (3) and (4): the designated router, or its backup, sends it to the others itself.
            let theirs = came_here.is_some_and(|(_, sender)| {
                interface.state != State::PointToPoint
                    && (sender == interface.designated
                        || sender == interface.backup
                        || interface.state == State::Backup)
            });
            if waited_for && !theirs {
                passed_back |= came_here.is_some();
                self.updates.entry((*iface, interface.all())).or_default().push(lsa.clone());
            }
        }
        passed_back
    }

    /// RFC 2328 §13.5, table 19.
    fn acknowledge(&mut self, cx: &mut Context<'_>, at: At, header: LsaHeader, passed_back: bool) {
        let Some(interface) = self.interfaces.get(&at.0) else { return };
        let backup = interface.state == State::Backup;
        if !passed_back && (!backup || interface.designated == at.1) {
            self.delay_ack(cx, at.0, header);
        }
    }

    fn delay_ack(&mut self, cx: &mut Context<'_>, iface: Iface, header: LsaHeader) {
        if let Some(interface) = self.interfaces.get_mut(&iface) {
            interface.acks.push(header);
            interface.ack_at = interface.ack_at.or(Some(cx.now + ACK_DELAY));
        }
    }

    /// Sends the acknowledgements whose time has come.
    pub(super) fn send_acks(&mut self, cx: &mut Context<'_>, iface: Iface) {
        let Some(interface) = self.interfaces.get_mut(&iface) else { return };
        if interface.ack_at.is_none_or(|due| due > cx.now) {
            return;
        }
        interface.ack_at = None;
        let room = (interface.mtu as usize).saturating_sub(IP_HEADER + HEADER_LEN) / LSA_HEADER_LEN;
        let (acks, to) = (core::mem::take(&mut interface.acks), interface.all());
        for some in acks.chunks(room.max(1)) {
            self.send(cx, iface, to, Message::Acknowledge(some.to_vec()));
        }
    }

    /// Sends what has gathered during a call, as many to a packet as fit.
    pub(super) fn send_updates(&mut self, cx: &mut Context<'_>) {
        for ((iface, to), lsas) in core::mem::take(&mut self.updates) {
            let Some(interface) = self.interfaces.get(&iface) else { continue };
            let room = (interface.mtu as usize).saturating_sub(IP_HEADER + HEADER_LEN + 4);
            let lsas: Vec<Lsa> =
                lsas.into_iter().map(|lsa| lsa.aged(lsa.header.age.saturating_add(TRANSMIT_DELAY))).collect();
            cx.tell("ospf.flood", |f| {
                f.set("iface", iface).set("to", IpAddr::V4(to)).set("advertisements", lsas.len());
            });
            let mut packet: Vec<Lsa> = Vec::new();
            let mut used = 0;
            for lsa in lsas {
                if !packet.is_empty() && used + lsa.len() > room {
                    self.send(cx, iface, to, Message::Update(core::mem::take(&mut packet)));
                    used = 0;
                }
                used += lsa.len();
                packet.push(lsa);
            }
            self.send(cx, iface, to, Message::Update(packet));
        }
    }

    /// RFC 2328 §13.6: what was not acknowledged is sent again, to that neighbour alone.
    pub(super) fn repeat_updates(&mut self, cx: &mut Context<'_>, at: At) {
        let (now, again) = (cx.now, cx.now + self.settings.retransmit);
        let Some(neighbor) = self.neighbor(at).filter(|n| n.repeat_at.is_some_and(|due| due <= now)) else { return };
        let mut keys: Vec<LsaKey> = Vec::new();
        for (key, (_, due)) in neighbor.unacknowledged.iter_mut().filter(|(_, (_, due))| *due <= now) {
            *due = again;
            keys.push(*key);
        }
        neighbor.repeat_at = neighbor.unacknowledged.values().map(|(_, due)| *due).min();
        if keys.is_empty() {
            return;
        }
        let stored = keys.iter().filter_map(|key| self.database.get(key));
        let lsas: Vec<Lsa> = stored.map(|stored| stored.lsa.aged(stored.age(now))).collect();
        self.counters.out_retransmits += lsas.len() as u64;
        cx.tell("ospf.repeat", |f| {
            f.set("what", format!("{} advertisements", lsas.len())).set("neighbor", IpAddr::V4(at.1));
            f.set("why", "they were not acknowledged");
        });
        self.updates.entry(at).or_default().extend(lsas);
    }
}
