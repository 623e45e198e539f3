//! An interface of OSPF: its state, and who is the designated router of its link (RFC 2328 §9).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use septet_core::Instant;
use septet_wire::ospf::{self, LsaHeader};

use super::super::{Action, Context, Link};
use super::Ospf;
use super::hello::{Neighbor, Stage};
use super::settings::LinkType;
use crate::addr::Prefix;
use crate::route::Iface;

/// RFC 2328 §9.1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// Nobody is looked for there.
    Passive,
    /// Who is the designated router is not decided yet.
    Waiting,
    /// The link has two ends.
    PointToPoint,
    /// Neither designated router nor backup.
    DrOther,
    /// The backup.
    Backup,
    /// The designated router.
    Dr,
}

impl State {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Passive => "passive",
            Self::Waiting => "waiting",
            Self::PointToPoint => "point-to-point",
            Self::DrOther => "neither",
            Self::Backup => "the backup",
            Self::Dr => "the designated router",
        }
    }
}

#[derive(Debug)]
pub(super) struct Interface {
    pub(super) state: State,
    pub(super) address: Ipv4Addr,
    pub(super) prefix: Prefix,
    pub(super) mtu: u32,
    pub(super) cost: u16,
    pub(super) priority: u8,
    /// Whom this router takes for the designated router and its backup, by address; unspecified for nobody.
    pub(super) designated: Ipv4Addr,
    pub(super) backup: Ipv4Addr,
    pub(super) hello_at: Option<Instant>,
    wait_until: Option<Instant>,
    /// By their addresses on the link.
    pub(super) neighbors: BTreeMap<Ipv4Addr, Neighbor>,
    /// Acknowledgements that wait to be sent together.
    pub(super) acks: Vec<LsaHeader>,
    pub(super) ack_at: Option<Instant>,
    /// A change of neighbours, after which it is decided anew who the designated router is.
    pub(super) unsure: bool,
}

/// Who stands for election.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    priority: u8,
    router: Ipv4Addr,
    address: Ipv4Addr,
    designated: Ipv4Addr,
    backup: Ipv4Addr,
}

impl Interface {
    pub(super) fn is_broadcast(&self) -> bool {
        !matches!(self.state, State::PointToPoint)
    }

    /// To whom what all routers of the link are to hear is sent (RFC 2328 §13.3 and §13.5).
    pub(super) fn all(&self) -> Ipv4Addr {
        match self.state {
            State::Dr | State::Backup | State::PointToPoint => ospf::ALL_ROUTERS,
            State::DrOther | State::Waiting | State::Passive => ospf::ALL_DESIGNATED,
        }
    }

    /// The mask of its network.
    pub(super) fn mask(&self) -> Ipv4Addr {
        mask(self.prefix)
    }

    /// The network that it is on.
    pub(super) fn network(&self) -> Ipv4Addr {
        match self.prefix.addr() {
            IpAddr::V4(network) => network,
            IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let near = self.neighbors.values().filter_map(Neighbor::deadline);
        near.chain(self.hello_at).chain(self.wait_until).chain(self.ack_at).min()
    }

    /// RFC 2328 §10.4: whether an adjacency is formed with a neighbour.
    pub(super) fn should_be_adjacent(&self, neighbor: Ipv4Addr) -> bool {
        match self.state {
            State::PointToPoint | State::Dr | State::Backup => true,
            State::DrOther => neighbor == self.designated || neighbor == self.backup,
            State::Waiting | State::Passive => false,
        }
    }

    /// RFC 2328 §9.4, steps 2 and 3: the backup, then the designated router, among those who may be.
    fn elect(candidates: &[Candidate]) -> (Ipv4Addr, Ipv4Addr) {
        let best = |among: &mut dyn Iterator<Item = &Candidate>| {
            among.max_by_key(|c| (c.priority, c.router)).map(|c| c.address)
        };
        let eligible = || candidates.iter().filter(|c| c.priority > 0);
        let mut others = eligible().filter(|c| c.designated != c.address);
        let mut declared = others.clone().filter(|c| c.backup == c.address);
        let backup = best(&mut declared).or_else(|| best(&mut others)).unwrap_or(Ipv4Addr::UNSPECIFIED);
        let mut declared = eligible().filter(|c| c.designated == c.address);
        (best(&mut declared).unwrap_or(backup), backup)
    }
}

pub(super) fn mask(prefix: Prefix) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::MAX.checked_shl(32 - u32::from(prefix.prefix_len())).unwrap_or(0))
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
            (interface.designated, interface.backup) = Interface::elect(&candidates);
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
