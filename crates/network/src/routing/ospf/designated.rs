//! How interfaces come and go, and who is the designated router of a link (RFC 2328 §9.4).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use septet_wire::ospf;

use super::super::act::{Action, Context};
use super::super::link::Link;
use super::interface::{Interface, State};
use super::neighbor::Stage;
use super::router::Ospf;
use super::settings::LinkType;
use crate::addr::Prefix;
use crate::route::Iface;

/// Who stands for election.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    priority: u8,
    router: Ipv4Addr,
    address: Ipv4Addr,
    designated: Ipv4Addr,
    backup: Ipv4Addr,
}

/// RFC 2328 §9.4, steps 2 and 3: the backup, then the designated router, among those who may be.
fn elect(candidates: &[Candidate]) -> (Ipv4Addr, Ipv4Addr) {
    let best =
        |among: &mut dyn Iterator<Item = &Candidate>| among.max_by_key(|c| (c.priority, c.router)).map(|c| c.address);
    let eligible = || candidates.iter().filter(|c| c.priority > 0);
    let mut others = eligible().filter(|c| c.designated != c.address);
    let mut declared = others.clone().filter(|c| c.backup == c.address);
    let backup = best(&mut declared).or_else(|| best(&mut others)).unwrap_or(Ipv4Addr::UNSPECIFIED);
    let mut declared = eligible().filter(|c| c.designated == c.address);
    (best(&mut declared).unwrap_or(backup), backup)
}

impl Ospf {
    pub(super) fn interface_up(&mut self, cx: &mut Context<'_>, link: &Link, address: Ipv4Addr, prefix: Prefix) {
        let iface = link.iface;
        let priority = self.settings.priority(iface);
        let state = match self.settings.link_type(iface) {
            _ if self.settings.is_passive(iface) => State::Passive,
            LinkType::PointToPoint => State::PointToPoint,
            // RFC 2328 §9.3: one that cannot be designated need not wait for who is.
            LinkType::Broadcast if priority == 0 => State::DrOther,
            LinkType::Broadcast => State::Waiting,
        };
        let interface = Interface {
            state,
            address,
            prefix,
            mtu: link.mtu,
            cost: self.settings.cost(link),
            priority,
            designated: Ipv4Addr::UNSPECIFIED,
            backup: Ipv4Addr::UNSPECIFIED,
            hello_at: (state != State::Passive).then_some(cx.now),
            wait_until: (state == State::Waiting).then(|| cx.now + self.settings.dead()),
            neighbors: BTreeMap::new(),
            acks: Vec::new(),
            ack_at: None,
            unsure: false,
        };
        self.interfaces.insert(iface, interface);
        if state != State::Passive {
            cx.act(Action::Join(iface, ospf::ALL_ROUTERS.into()));
        }
        cx.tell("ospf.interface", |f| {
            f.set("iface", iface).set("address", IpAddr::V4(address)).set("state", state.as_str());
        });
        self.stale = true;
    }

    pub(super) fn interface_down(&mut self, cx: &mut Context<'_>, iface: Iface) {
        let Some(interface) = self.interfaces.get(&iface) else { return };
        let near: Vec<Ipv4Addr> = interface.neighbors.keys().copied().collect();
        for address in near {
            self.lose_neighbor(cx, (iface, address), "the link has no carrier");
        }
        let Some(interface) = self.interfaces.remove(&iface) else { return };
        if interface.state != State::Passive {
            cx.act(Action::Leave(iface, ospf::ALL_ROUTERS.into()));
        }
        if matches!(interface.state, State::Dr | State::Backup) {
            cx.act(Action::Leave(iface, ospf::ALL_DESIGNATED.into()));
        }
        self.updates.retain(|(at, _), _| *at != iface);
        self.stale = true;
        self.want_spf(cx.now);
    }

    pub(super) fn interface_timers(&mut self, cx: &mut Context<'_>) {
        let now = cx.now;
        let ifaces: Vec<Iface> = self.interfaces.keys().copied().collect();
        for iface in ifaces {
            let Some(interface) = self.interfaces.get_mut(&iface) else { continue };
            if interface.hello_at.is_some_and(|at| at <= now) {
                interface.hello_at = Some(now + self.settings.hello);
                self.say_hello(cx, iface);
            }
            let Some(interface) = self.interfaces.get_mut(&iface) else { continue };
            if interface.wait_until.is_some_and(|at| at <= now) {
                interface.unsure = true;
                self.decide(cx, iface);
            }
            self.send_acks(cx, iface);
        }
    }

    /// A neighbour claims to be what is waited for: RFC 2328 §9.2's BackupSeen.
    pub(super) fn backup_seen(&mut self, cx: &mut Context<'_>, iface: Iface) {
        let waiting = self.interfaces.get(&iface).is_some_and(|i| i.state == State::Waiting);
        if waiting && let Some(interface) = self.interfaces.get_mut(&iface) {
            interface.unsure = true;
            interface.wait_until = None;
            self.decide(cx, iface);
        }
    }

    /// RFC 2328 §9.4: decides who is the designated router, where something has changed and the time of waiting is over.
    pub(super) fn decide(&mut self, cx: &mut Context<'_>, iface: Iface) {
        let (now, id) = (cx.now, self.id);
        let Some(interface) = self.interfaces.get_mut(&iface) else { return };
        let over = interface.wait_until.is_none_or(|at| at <= now);
        if !core::mem::take(&mut interface.unsure)
            || !over
            || !interface.is_broadcast()
            || interface.state == State::Passive
        {
            return;
        }
        interface.wait_until = None;
        let before = (interface.state, interface.designated, interface.backup);
        // Step 1, and again from step 2 where this router's own part has changed: "so that no router will declare itself both
        // Backup Designated Router and Designated Router".
        for _ in 0..2 {
            let was = (interface.designated == interface.address, interface.backup == interface.address);
            let own = Candidate {
                priority: interface.priority,
                router: id,
                address: interface.address,
                designated: interface.designated,
                backup: interface.backup,
            };
            let near = interface.neighbors.iter().filter(|(_, n)| n.stage >= Stage::TwoWay);
            let near = near.map(|(address, n)| Candidate {
                priority: n.priority,
                router: n.router,
                address: *address,
                designated: n.designated,
                backup: n.backup,
            });
            let candidates: Vec<Candidate> = near.chain([own]).collect();
            (interface.designated, interface.backup) = elect(&candidates);
            let is = (interface.designated == interface.address, interface.backup == interface.address);
            if was == is {
                break;
            }
        }
        interface.state = match interface.address {
            own if own == interface.designated => State::Dr,
            own if own == interface.backup => State::Backup,
            _ => State::DrOther,
        };
        let (state, designated, backup) = (interface.state, interface.designated, interface.backup);
        if (state, designated, backup) == before {
            return;
        }
        let speaks = |state| matches!(state, State::Dr | State::Backup);
        if speaks(state) != speaks(before.0) {
            let group = ospf::ALL_DESIGNATED.into();
            cx.act(if speaks(state) { Action::Join(iface, group) } else { Action::Leave(iface, group) });
        }
        cx.tell("ospf.elected", |f| {
            f.set("designated", IpAddr::V4(designated)).set("backup", IpAddr::V4(backup)).set("iface", iface);
            f.set("own", state.as_str());
        });
        self.stale = true;
        // Step 7: "if … the identity of the Backup Designated Router or Designated Router changed", AdjOK?.
        let near: Vec<Ipv4Addr> = self.interfaces[&iface].neighbors.keys().copied().collect();
        for address in near {
            self.adjacency_ok(cx, (iface, address));
        }
    }
}
