//! How two routers bring their databases into line (RFC 2328 §10.6 to §10.9): each describes what it has, and asks for what the
//! other has more.

use std::net::IpAddr;

use septet_wire::ospf::{
    DESCRIPTION_LEN, Description, HEADER_LEN, LSA_HEADER_LEN, LsaHeader, LsaKey, LsaType, MAX_AGE, Message,
};

use super::super::act::Context;
use super::neighbor::{At, Stage};
use super::router::Ospf;

/// Octets of IP's header before a packet.
pub(super) const IP_HEADER: usize = 20;
/// Octets of one name in a request.
const REQUEST_LEN: usize = 12;

impl Ospf {
    /// RFC 2328 §10.3: to ExStart, in which both claim to lead.
    pub(super) fn begin_exchange(&mut self, cx: &mut Context<'_>, at: At) {
        let (options, again) = (self.options(), cx.now + self.settings.retransmit);
        let Some(mtu) = self.interfaces.get(&at.0).map(|i| i.mtu) else { return };
        self.sequence = self.sequence.wrapping_add(1);
        let sequence = self.sequence;
        let Some(neighbor) = self.neighbor(at) else { return };
        neighbor.clear();
        neighbor.stage = Stage::ExStart;
        (neighbor.leads, neighbor.sequence) = (true, sequence);
        let first = Description {
            mtu: mtu as u16,
            options,
            init: true,
            more: true,
            master: true,
            sequence,
            headers: Vec::new(),
        };
        neighbor.described = Some(first);
        neighbor.describe_at = Some(again);
        self.send_description(cx, at, "a neighbour's map is to be compared");
    }

    /// Sends the description that was made last.
    fn send_description(&mut self, cx: &mut Context<'_>, at: At, why: &'static str) {
        let Some(dd) = self.neighbor(at).and_then(|n| n.described.clone()) else { return };
        cx.tell("ospf.describe", |f| {
            f.set("neighbor", IpAddr::V4(at.1)).set("headers", dd.headers.len()).set("why", why);
        });
        self.send(cx, at.0, at.1, Message::Description(dd));
    }

    pub(super) fn repeat_description(&mut self, cx: &mut Context<'_>, at: At) {
        let again = cx.now + self.settings.retransmit;
        let Some(neighbor) = self.neighbor(at) else { return };
        if neighbor.describe_at.is_some_and(|due| due <= cx.now) {
            neighbor.describe_at = Some(again);
            self.counters.out_retransmits += 1;
            self.send_description(cx, at, "no answer has come");
        }
    }

    /// The exchange begins anew: RFC 2328 §10.3's SeqNumberMismatch and BadLSReq.
    pub(super) fn mismatch(&mut self, cx: &mut Context<'_>, at: At, why: &'static str) {
        self.lose_adjacency(cx, at, Stage::TwoWay, why);
        self.adjacency_ok(cx, at);
    }

    /// RFC 2328 §10.6.
    pub(super) fn hear_description(&mut self, cx: &mut Context<'_>, at: At, dd: Description) {
        let (id, options) = (self.id, self.options());
        let Some(interface) = self.interfaces.get(&at.0) else { return };
        // "an IP datagram size that is larger than the router can accept on the receiving interface without fragmentation".
        if u32::from(dd.mtu) > interface.mtu {
            return cx.tell("ospf.mismatch", |f| {
                f.set("from", IpAddr::V4(at.1)).set("why", "its link takes larger packets than this router's");
            });
        }
        if interface.neighbors.get(&at.1).is_some_and(|n| n.stage == Stage::Init) {
            // "the neighbor state machine is executed with the event 2-WayReceived".
            if let Some(neighbor) = self.neighbor(at) {
                neighbor.stage = Stage::TwoWay;
            }
            self.adjacency_ok(cx, at);
        }
        let Some(neighbor) = self.neighbor(at) else { return };
        let bare = Description { headers: Vec::new(), mtu: 0, ..dd.clone() };
        let repeated = neighbor.heard.as_ref() == Some(&bare);
        match neighbor.stage {
            Stage::Init | Stage::TwoWay => {}
            Stage::ExStart => {
                let follows = dd.init && dd.more && dd.master && dd.headers.is_empty() && neighbor.router > id;
                let leads = !dd.init && !dd.master && dd.sequence == neighbor.sequence && neighbor.router < id;
                if !follows && !leads {
                    return;
                }
                neighbor.leads = leads;
                neighbor.heard = Some(bare);
                // NegotiationDone.
                neighbor.stage = Stage::Exchange;
                neighbor.describe_at = None;
                self.list_database(at);
                if leads { self.take_headers(cx, at, dd) } else { self.answer_description(cx, at, &dd) }
            }
            Stage::Exchange if repeated => {
                // "the slave must respond … by repeating the last Database Description packet that it had sent".
                if !neighbor.leads {
                    self.send_description(cx, at, "the question came again");
                }
            }
            Stage::Exchange => {
                let expected = if neighbor.leads { neighbor.sequence } else { neighbor.sequence.wrapping_add(1) };
                let heard_options = neighbor.heard.as_ref().map_or(options, |heard| heard.options);
                if dd.master == neighbor.leads || dd.init || dd.options != heard_options || dd.sequence != expected {
                    return self.mismatch(cx, at, "its descriptions do not follow one another");
                }
                neighbor.heard = Some(bare);
                self.take_headers(cx, at, dd);
            }
            Stage::Loading | Stage::Full if repeated => {
                if !neighbor.leads {
                    self.send_description(cx, at, "the question came again");
                }
            }
            Stage::Loading | Stage::Full => self.mismatch(cx, at, "it begins its description anew"),
        }
    }

    /// All that is to be described: RFC 2328 §10.3 leaves out what is at MaxAge, which is put "into the neighbor's
    /// retransmission list instead".
    fn list_database(&mut self, at: At) {
        let (now, stub) = (self.database.now(), self.settings.stub);
        let mut alive = Vec::new();
        let mut dying = Vec::new();
        for stored in self.database.iter().filter(|s| !(stub && s.lsa.header.key.kind == LsaType::External)) {
            let header = LsaHeader { age: stored.age(now), ..stored.lsa.header };
            if header.age >= MAX_AGE { dying.push(header) } else { alive.push(header) }
        }
        let again = now + self.settings.retransmit;
        let Some(neighbor) = self.neighbor(at) else { return };
        neighbor.summary = alive.into();
        dying.into_iter().for_each(|header| neighbor.await_ack(header, again));
    }

    /// Notes what the neighbour has more, and goes on with the exchange.
    fn take_headers(&mut self, cx: &mut Context<'_>, at: At, dd: Description) {
        if !self.want(cx, at, &dd.headers) {
            return;
        }
        let leads = self.neighbor(at).is_some_and(|n| n.leads);
        if !leads {
            return self.answer_description(cx, at, &dd);
        }
        let Some(neighbor) = self.neighbor(at) else { return };
        neighbor.sequence = neighbor.sequence.wrapping_add(1);
        let said_all = neighbor.described.as_ref().is_some_and(|d| !d.more);
        neighbor.describe_at = None;
        if said_all && !dd.more {
            return self.exchange_done(cx, at);
        }
        self.describe_more(cx, at, "the neighbour has heard the last");
        self.ask(cx, at);
    }

    /// Whether the headers were in order; what of them is newer goes onto the list of what is asked for.
    fn want(&mut self, cx: &mut Context<'_>, at: At, headers: &[LsaHeader]) -> bool {
        let stub = self.settings.stub;
        if headers.iter().any(|h| stub && h.key.kind == LsaType::External) {
            self.mismatch(cx, at, "it describes what a stub area does not have");
            return false;
        }
        let now = cx.now;
        let newer: Vec<LsaHeader> = headers
            .iter()
            .filter(|header| {
                let own = self.database.get(&header.key).map(|stored| stored.header(now));
                own.is_none_or(|own| header.newer_than(&own).is_gt())
            })
            .copied()
            .collect();
        if let Some(neighbor) = self.neighbor(at) {
            neighbor.wanted.extend(newer.into_iter().map(|header| (header.key, header)));
        }
        true
    }

    /// The one who follows answers with what it has, under the same number.
    fn answer_description(&mut self, cx: &mut Context<'_>, at: At, dd: &Description) {
        if self.neighbor(at).is_some_and(|n| n.heard.as_ref().is_some_and(|h| h.init)) && !dd.headers.is_empty() {
            return;
        }
        let Some(neighbor) = self.neighbor(at) else { return };
        neighbor.sequence = dd.sequence;
        self.describe_more(cx, at, "the neighbour leads, and asks for it");
        let said_all = self.neighbor(at).is_some_and(|n| n.described.as_ref().is_some_and(|d| !d.more));
        if said_all && !dd.more { self.exchange_done(cx, at) } else { self.ask(cx, at) }
    }

    /// Describes as much more as goes into a packet.
    fn describe_more(&mut self, cx: &mut Context<'_>, at: At, why: &'static str) {
        let (options, again) = (self.options(), cx.now + self.settings.retransmit);
        let Some(mtu) = self.interfaces.get(&at.0).map(|i| i.mtu) else { return };
        let room = (mtu as usize).saturating_sub(IP_HEADER + HEADER_LEN + DESCRIPTION_LEN) / LSA_HEADER_LEN;
        let Some(neighbor) = self.neighbor(at) else { return };
        let count = room.max(1).min(neighbor.summary.len());
        let headers: Vec<LsaHeader> = neighbor.summary.drain(..count).collect();
        neighbor.described = Some(Description {
            mtu: mtu as u16,
            options,
            init: false,
            more: !neighbor.summary.is_empty(),
            master: neighbor.leads,
            sequence: neighbor.sequence,
            headers,
        });
        neighbor.describe_at = neighbor.leads.then_some(again);
        self.send_description(cx, at, why);
    }

    fn exchange_done(&mut self, cx: &mut Context<'_>, at: At) {
        if let Some(neighbor) = self.neighbor(at) {
            neighbor.stage = Stage::Loading;
            neighbor.describe_at = None;
        }
        if self.neighbor(at).is_some_and(|n| n.wanted.is_empty()) {
            return self.become_full(cx, at);
        }
        self.ask(cx, at);
    }

    /// RFC 2328 §10.3's LoadingDone.
    fn become_full(&mut self, cx: &mut Context<'_>, at: At) {
        let Some(neighbor) = self.neighbor(at) else { return };
        neighbor.stage = Stage::Full;
        neighbor.ask_at = None;
        let router = neighbor.router;
        cx.tell("ospf.neighbor-full", |f| {
            f.set("neighbor", IpAddr::V4(at.1)).set("router", IpAddr::V4(router)).set("iface", at.0);
        });
        self.stale = true;
    }

    /// Asks for what is wanted, unless an answer is still to come.
    pub(super) fn ask(&mut self, cx: &mut Context<'_>, at: At) {
        let again = cx.now + self.settings.retransmit;
        let Some(mtu) = self.interfaces.get(&at.0).map(|i| i.mtu) else { return };
        let room = (mtu as usize).saturating_sub(IP_HEADER + HEADER_LEN) / REQUEST_LEN;
        let Some(neighbor) = self.neighbor(at) else { return };
        if neighbor.wanted.is_empty() || neighbor.ask_at.is_some_and(|due| due > cx.now) {
            return;
        }
        neighbor.ask_at = Some(again);
        let keys: Vec<LsaKey> = neighbor.wanted.keys().take(room.max(1)).copied().collect();
        cx.tell("ospf.request", |f| {
            f.set("neighbor", IpAddr::V4(at.1)).set("advertisements", keys.len());
        });
        self.send(cx, at.0, at.1, Message::Request(keys));
    }

    pub(super) fn ask_again(&mut self, cx: &mut Context<'_>, at: At) {
        if self.neighbor(at).is_some_and(|n| n.ask_at.is_some_and(|due| due <= cx.now)) {
            self.counters.out_retransmits += 1;
            self.ask(cx, at);
        }
    }

    /// One that was wanted has come, or a newer one.
    pub(super) fn granted(&mut self, cx: &mut Context<'_>, at: At) {
        let Some(neighbor) = self.neighbor(at) else { return };
        if !neighbor.wanted.is_empty() {
            return;
        }
        neighbor.ask_at = None;
        if neighbor.stage == Stage::Loading {
            self.become_full(cx, at);
        }
    }

    /// RFC 2328 §10.7: "each LSA specified in the Link State Request packet should be located in the router's database".
    pub(super) fn hear_request(&mut self, cx: &mut Context<'_>, at: At, keys: &[LsaKey]) {
        if !self.neighbor(at).is_some_and(|n| n.is_exchanging()) {
            return;
        }
        let now = cx.now;
        let mut answers = Vec::new();
        for key in keys {
            match self.database.get(key) {
                Some(stored) => answers.push(stored.lsa.aged(stored.age(now))),
                None => return self.mismatch(cx, at, "it asks for what this router does not have"),
            }
        }
        self.updates.entry(at).or_default().extend(answers);
    }

    /// RFC 2328 §13.7, for headers of any packet.
    pub(super) fn hear_acknowledgement(&mut self, at: At, headers: &[LsaHeader]) {
        let Some(neighbor) = self.neighbor(at).filter(|n| n.is_exchanging()) else { return };
        for header in headers {
            if neighbor.unacknowledged.get(&header.key).is_some_and(|(sent, _)| header.newer_than(sent).is_eq()) {
                neighbor.unacknowledged.remove(&header.key);
            }
        }
        if neighbor.unacknowledged.is_empty() {
            neighbor.repeat_at = None;
        }
    }
}
