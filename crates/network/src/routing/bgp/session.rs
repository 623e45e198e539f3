//! A session with a neighbour (RFC 4271 §8): from a connection to OPEN, from OPEN to KEEPALIVE, and what ends it.

use core::time::Duration;
use std::net::{IpAddr, Ipv4Addr};

use septet_core::Instant;
use septet_wire::bgp::{Fault, Message, Open, Unicast, error};

use super::super::act::{Action, Context, Conversation};
use super::peer::{Peer, Stage};
use super::router::Bgp;
use crate::addr::Prefix;

/// How long a connection that was refused is not tried again. RFC 4271 §10 suggests 120 s for ConnectRetryTime; this is BIRD's.
const RETRY: Duration = Duration::from_secs(5);

impl Bgp {
    pub(super) fn peer_of(&self, conversation: Conversation) -> Option<Ipv4Addr> {
        self.peers.iter().find(|(_, peer)| peer.conversation == Some(conversation)).map(|(address, _)| *address)
    }

    pub(super) fn connect(&mut self, cx: &mut Context<'_>, to: Ipv4Addr) {
        let Some((_, own)) = self.own_address(to) else { return };
        let Some(peer) = self.peers.get_mut(&to) else { return };
        peer.retry_at = None;
        // Of two that would open a connection at once, the one with the lower address waits for the other, which spares both the
        // collision of RFC 4271 §6.8; if nobody calls, it calls itself.
        if peer.stage == Stage::Idle && own < to {
            peer.stage = Stage::Connect;
            peer.retry_at = Some(cx.now + RETRY);
            return;
        }
        self.conversation += 1;
        peer.stage = Stage::Connect;
        peer.conversation = Some(self.conversation);
        cx.act(Action::Connect(self.conversation, own.into(), to.into()));
    }

    pub(super) fn accepted(&mut self, cx: &mut Context<'_>, conversation: Conversation, from: IpAddr) {
        let IpAddr::V4(from) = from else { return self.close(cx, conversation) };
        let Some(peer) = self.peers.get_mut(&from) else { return self.close(cx, conversation) };
        match peer.conversation {
            // RFC 4271 §6.8: a connection in Established stays; of two younger ones that of the higher address does.
            Some(_) if peer.stage >= Stage::OpenConfirm => return self.close(cx, conversation),
            Some(own) => {
                let lower = self.own_address(from).is_some_and(|(_, address)| address > from);
                if lower && self.peers[&from].stage == Stage::OpenSent {
                    return self.close(cx, conversation);
                }
                self.close(cx, own);
            }
            None => {}
        }
        if let Some(peer) = self.peers.get_mut(&from) {
            peer.conversation = Some(conversation);
            peer.unread.clear();
        }
        self.say_open(cx, from);
    }

    pub(super) fn say_open(&mut self, cx: &mut Context<'_>, to: Ipv4Addr) {
        let hold = self.settings.hold;
        let open = Open {
            system: self.settings.system,
            hold: hold.as_secs() as u16,
            id: self.id,
            four_octets: true,
            // A speaker says so by "the Capability Advertisement procedures" (RFC 4760 §8); who names other capabilities and not
            // this one is refused by BIRD.
            unicast: Unicast::Announced,
        };
        let Some(peer) = self.peers.get_mut(&to) else { return };
        peer.stage = Stage::OpenSent;
        peer.retry_at = None;
        // §8.2.2: "sets the HoldTimer to a large value", four minutes.
        peer.dead_at = Some(cx.now + Duration::from_secs(240));
        cx.tell("bgp.open", |f| {
            f.set("peer", IpAddr::V4(to)).set("as", self.settings.system);
        });
        self.say(cx, to, &Message::Open(open));
    }

    pub(super) fn say(&self, cx: &mut Context<'_>, to: Ipv4Addr, message: &Message) {
        let Some(peer) = self.peers.get(&to) else { return };
        if let Some(conversation) = peer.conversation {
            cx.say(conversation, message.to_bytes(peer.four_octets));
        }
    }

    /// Reads what has come.
    pub(super) fn hear(&mut self, cx: &mut Context<'_>, conversation: Conversation, bytes: &[u8]) {
        let Some(from) = self.peer_of(conversation) else { return };
        if let Some(peer) = self.peers.get_mut(&from) {
            peer.unread.extend(bytes);
        }
        while let Some(peer) = self.peers.get_mut(&from).filter(|p| p.conversation == Some(conversation)) {
            match Message::parse(&peer.unread, peer.four_octets) {
                Ok(None) => return,
                Ok(Some((message, len))) => {
                    peer.unread.drain(..len);
                    self.hear_message(cx, from, message);
                }
                Err(fault) => return self.end(cx, from, Some(fault), "a message of it is wrong"),
            }
        }
    }

    fn hear_message(&mut self, cx: &mut Context<'_>, from: Ipv4Addr, message: Message) {
        let Some(peer) = self.peers.get_mut(&from) else { return };
        if peer.stage >= Stage::OpenConfirm && !peer.hold.is_zero() {
            peer.dead_at = Some(cx.now + peer.hold);
        }
        match (peer.stage, message) {
            (Stage::OpenSent, Message::Open(open)) => self.hear_open(cx, from, open),
            (Stage::OpenConfirm, Message::Keepalive) => {
                peer.stage = Stage::Established;
                peer.update_at = Some(cx.now);
                self.counters.established += 1;
                let system = peer.system;
                cx.tell("bgp.established", |f| {
                    f.set("peer", IpAddr::V4(from)).set("as", system);
                });
                let all: Vec<Prefix> = self.networks.iter().chain(self.best.keys()).copied().collect();
                self.owe(cx, from, all);
            }
            (Stage::Established, Message::Keepalive) => {}
            (Stage::Established, Message::Update(update)) => self.take(cx, from, update),
            (_, Message::Notification(Fault(code, subcode))) => {
                self.lost(cx, from, &format!("it has sent a notification, code {code}, subcode {subcode}"));
            }
            // "Finite State Machine Error".
            _ => self.end(cx, from, Some(Fault(error::STATE, 0)), "a message comes at the wrong time"),
        }
    }

    fn hear_open(&mut self, cx: &mut Context<'_>, from: Ipv4Addr, open: Open) {
        let (own, id) = (self.settings.hold, self.id);
        let Some(peer) = self.peers.get_mut(&from) else { return };
        if open.system != peer.system {
            return self.end(cx, from, Some(Fault(error::OPEN, 2)), "it is of another autonomous system than was set");
        }
        if open.id == id {
            return self.end(cx, from, Some(Fault(error::OPEN, 3)), "it has this router's identifier");
        }
        // RFC 5492 §5: "Unsupported Capability".
        if open.unicast == Unicast::Absent {
            return self.end(cx, from, Some(Fault(error::OPEN, 7)), "it tells no routes of IPv4");
        }
        (peer.id, peer.four_octets) = (open.id, open.four_octets);
        // RFC 4271 §4.2: "the smaller of its configured Hold Time and the Hold Time received in the OPEN message".
        peer.hold = own.min(Duration::from_secs(u64::from(open.hold)));
        peer.stage = Stage::OpenConfirm;
        peer.dead_at = (!peer.hold.is_zero()).then(|| cx.now + peer.hold);
        // §10: "one third of the HoldTime interval".
        peer.keepalive_at = (!peer.hold.is_zero()).then(|| cx.now + peer.hold / 3);
        self.say(cx, from, &Message::Keepalive);
    }

    /// The neighbour may have to be told of these, soon.
    pub(super) fn owe(&mut self, cx: &mut Context<'_>, to: Ipv4Addr, prefixes: impl IntoIterator<Item = Prefix>) {
        let Some(peer) = self.peers.get_mut(&to).filter(|peer| peer.stage == Stage::Established) else { return };
        peer.owed.extend(prefixes);
        if peer.update_at.is_none_or(|at| at <= cx.now) {
            peer.update_at = Some(cx.now + self.settings.interval);
            self.send_owed(cx, to);
        }
    }

    pub(super) fn peer_timers(&mut self, cx: &mut Context<'_>, address: Ipv4Addr) {
        let now = cx.now;
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let Some(peer) = self.peers.get_mut(&address) else { return };
        if due(peer.dead_at) {
            return self.end(cx, address, Some(Fault(error::HOLD, 0)), "nothing has come within the hold time");
        }
        if due(peer.retry_at) {
            peer.stage = Stage::Connect;
            return self.connect(cx, address);
        }
        if due(peer.keepalive_at) {
            peer.keepalive_at = Some(now + peer.hold / 3);
            self.say(cx, address, &Message::Keepalive);
        }
        let Some(peer) = self.peers.get_mut(&address) else { return };
        if due(peer.update_at) && !peer.owed.is_empty() {
            peer.update_at = Some(now + self.settings.interval);
            self.send_owed(cx, address);
        }
    }

    /// Ends a session, with a NOTIFICATION where there is something to say.
    pub(super) fn end(&mut self, cx: &mut Context<'_>, address: Ipv4Addr, fault: Option<Fault>, why: &str) {
        let Some(conversation) = self.peers.get(&address).and_then(|peer| peer.conversation) else {
            return self.lost(cx, address, why);
        };
        if let Some(fault) = fault {
            self.counters.notifications += 1;
            cx.tell("bgp.notification", |f| {
                f.set("peer", IpAddr::V4(address)).set("code", u32::from(fault.0)).set("subcode", u32::from(fault.1));
                f.set("why", why.to_owned());
            });
            self.say(cx, address, &Message::Notification(fault));
        }
        self.close(cx, conversation);
        self.lost(cx, address, why);
    }

    /// A session is over: what the neighbour told no longer holds, and another is tried.
    pub(super) fn lost(&mut self, cx: &mut Context<'_>, address: Ipv4Addr, why: &str) {
        let reachable = self.own_address(address).is_some();
        let Some(peer) = self.peers.get_mut(&address) else { return };
        let was = peer.stage;
        let routes = core::mem::replace(peer, Peer::new(peer.system)).routes;
        peer.retry_at = reachable.then(|| cx.now + RETRY);
        if was == Stage::Established {
            cx.tell("bgp.closed", |f| {
                f.set("peer", IpAddr::V4(address)).set("why", why.to_owned());
            });
        }
        self.decide(cx, routes.into_keys());
    }
}
