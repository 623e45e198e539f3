//! How neighbours are found and lost: Hellos (RFC 2328 §9.5, §10.5) and their silence.

use std::net::{IpAddr, Ipv4Addr};

use septet_wire::ospf::{self, Hello, Message};

use super::super::act::Context;
use super::interface::State;
use super::neighbor::{At, Neighbor, Stage};
use super::router::Ospf;
use crate::route::Iface;

impl Ospf {
    pub(super) fn neighbor(&mut self, (iface, address): At) -> Option<&mut Neighbor> {
        self.interfaces.get_mut(&iface)?.neighbors.get_mut(&address)
    }

    pub(super) fn say_hello(&mut self, cx: &mut Context<'_>, iface: Iface) {
        let Some(interface) = self.interfaces.get(&iface) else { return };
        let hello = Hello {
            mask: interface.mask(),
            interval: self.settings.hello.as_secs() as u16,
            options: self.options(),
            priority: interface.priority,
            dead: self.settings.dead().as_secs() as u32,
            designated: interface.designated,
            backup: interface.backup,
            neighbors: interface.neighbors.values().map(|n| n.router).collect(),
        };
        cx.tell("ospf.hello", |f| {
            f.set("iface", iface)
                .set("neighbors", hello.neighbors.len())
                .set("why", "others are to know that it is there");
        });
        self.send(cx, iface, ospf::ALL_ROUTERS, Message::Hello(hello));
    }

    /// RFC 2328 §10.5.
    pub(super) fn hear_hello(&mut self, cx: &mut Context<'_>, at: At, router: Ipv4Addr, hello: &Hello) {
        let (iface, src) = at;
        let (options, dead) = (self.options(), self.settings.dead());
        let interval = self.settings.hello.as_secs();
        let Some(interface) = self.interfaces.get_mut(&iface) else { return };
        // "any mismatch causes processing to stop and the packet to be dropped"; the mask does not count on point-to-point links.
        let same = u64::from(hello.interval) == interval
            && u64::from(hello.dead) == dead.as_secs()
            && (hello.options ^ options) & ospf::OPTION_EXTERNAL == 0
            && (!interface.is_broadcast() || hello.mask == interface.mask());
        if !same {
            self.counters.in_hello_mismatch += 1;
            cx.tell("ospf.mismatch", |f| {
                f.set("from", IpAddr::V4(src));
                f.set("why", "its mask, its times or its area's kind are not this router's");
            });
            return;
        }
        let dead_at = cx.now + dead;
        let own = interface.address;
        let fresh = !interface.neighbors.contains_key(&src);
        let neighbor = interface.neighbors.entry(src).or_insert_with(|| Neighbor::new(router, dead_at));
        neighbor.dead_at = dead_at;
        let claims = |d: Ipv4Addr, b: Ipv4Addr| (d == src, b == src);
        let before = (neighbor.priority, claims(neighbor.designated, neighbor.backup));
        let after = (hello.priority, claims(hello.designated, hello.backup));
        (neighbor.priority, neighbor.designated, neighbor.backup) = (hello.priority, hello.designated, hello.backup);
        let renamed = core::mem::replace(&mut neighbor.router, router) != router;
        if fresh {
            cx.tell("ospf.heard", |f| {
                f.set("from", IpAddr::V4(src)).set("router", IpAddr::V4(router)).set("iface", iface);
            });
        }
        if renamed {
            self.lose_adjacency(cx, at, Stage::Init, "it goes by another name");
        }
        let hears_us = hello.neighbors.contains(&self.id);
        let two_way = self.neighbor(at).is_some_and(|n| n.stage >= Stage::TwoWay);
        if !hears_us {
            // 1-WayReceived: "the neighbor has lost this router", as after it was restarted.
            if two_way {
                self.lose_adjacency(cx, at, Stage::Init, "it no longer hears this router");
                self.unsure(iface);
            }
        } else if !two_way {
            if let Some(neighbor) = self.neighbor(at) {
                neighbor.stage = Stage::TwoWay;
            }
            cx.tell("ospf.two-way", |f| {
                f.set("from", IpAddr::V4(src));
            });
            self.unsure(iface);
            self.adjacency_ok(cx, at);
        } else if before != after {
            self.unsure(iface);
        }
        // BackupSeen: "Bidirectional communication has been established with" who claims to be one of both.
        let nobody_else = hello.designated == src && hello.backup.is_unspecified();
        if hears_us && own != src && (nobody_else || hello.backup == src) {
            self.backup_seen(cx, iface);
        }
        self.decide(cx, iface);
    }

    fn unsure(&mut self, iface: Iface) {
        if let Some(interface) = self.interfaces.get_mut(&iface) {
            interface.unsure = true;
        }
    }

    /// RFC 2328 §10.3's AdjOK?: an adjacency is begun, or given up.
    pub(super) fn adjacency_ok(&mut self, cx: &mut Context<'_>, at: At) {
        let Some(interface) = self.interfaces.get(&at.0) else { return };
        let should = interface.should_be_adjacent(at.1);
        let Some(stage) = interface.neighbors.get(&at.1).map(|n| n.stage) else { return };
        match stage {
            Stage::TwoWay if should => self.begin_exchange(cx, at),
            stage if stage >= Stage::ExStart && !should => {
                self.lose_adjacency(cx, at, Stage::TwoWay, "neither is the designated router or its backup")
            }
            _ => {}
        }
    }

    /// A neighbour falls back to an earlier stage.
    pub(super) fn lose_adjacency(&mut self, cx: &mut Context<'_>, at: At, stage: Stage, why: &'static str) {
        let Some(neighbor) = self.neighbor(at) else { return };
        let was_full = neighbor.is_full();
        neighbor.clear();
        neighbor.stage = stage;
        if was_full {
            cx.tell("ospf.neighbor-lost", |f| {
                f.set("neighbor", IpAddr::V4(at.1)).set("iface", at.0).set("why", why);
            });
            self.stale = true;
        }
    }

    /// A neighbour is gone.
    pub(super) fn lose_neighbor(&mut self, cx: &mut Context<'_>, at: At, why: &'static str) {
        self.lose_adjacency(cx, at, Stage::Init, why);
        if let Some(interface) = self.interfaces.get_mut(&at.0) {
            interface.neighbors.remove(&at.1);
            interface.unsure = true;
        }
        self.updates.remove(&at);
        self.stale = true;
    }

    pub(super) fn neighbor_timers(&mut self, cx: &mut Context<'_>) {
        let now = cx.now;
        let due: Vec<At> = self
            .interfaces
            .iter()
            .flat_map(|(iface, i)| i.neighbors.iter().map(|(address, n)| ((*iface, *address), n)))
            .filter(|(_, n)| n.deadline().is_some_and(|deadline| deadline <= now))
            .map(|(at, _)| at)
            .collect();
        for at in due {
            if self.neighbor(at).is_some_and(|n| n.dead_at <= now) {
                self.lose_neighbor(cx, at, "it has been silent for the dead time");
                self.decide(cx, at.0);
                continue;
            }
            self.repeat_description(cx, at);
            self.ask_again(cx, at);
            self.repeat_updates(cx, at);
        }
    }

    /// Whether an interface has a full neighbour.
    pub(super) fn has_full(&self, iface: Iface) -> bool {
        self.interfaces
            .get(&iface)
            .is_some_and(|i| i.state != State::Passive && i.neighbors.values().any(Neighbor::is_full))
    }
}
