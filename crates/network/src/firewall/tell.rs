//! What a firewall tells the trace.

use std::net::SocketAddr;

use septet_core::{DropReason, EventId, Fields, Frame, Storey, Trace};
use septet_wire::packet::{Packet, ports};
use septet_wire::protocol;

use crate::conntrack::{Connection, Ends, Tuple};
use crate::filter::{Headers, Passage, Reject};
use crate::nat::Endpoint;
use crate::route::Iface;

/// A packet goes no further.
pub(super) fn dropped(
    kind: &'static str,
    at: &mut Passage<'_>,
    frame: &Frame,
    rule: &str,
    reason: DropReason,
    why: &'static str,
) {
    let (hook, input, output) = (at.hook, at.input, at.output);
    at.trace.emit(Storey::Network, kind, frame.cause, |f| {
        f.set("chain", hook.as_str());
        if !rule.is_empty() {
            f.set("rule", rule.to_owned());
        }
        packet(f, frame, input, output);
        f.set("frame", frame.id).set("reason", reason).set("why", why);
    });
}

/// The same, and its sender is told.
pub(super) fn rejected(at: &mut Passage<'_>, frame: &mut Frame, rule: &str, how: Reject) {
    let (hook, input, output) = (at.hook, at.input, at.output);
    frame.cause = at.trace.emit(Storey::Network, "firewall.reject", frame.cause, |f| {
        f.set("chain", hook.as_str()).set("rule", rule.to_owned());
        packet(f, frame, input, output);
        f.set("frame", frame.id).set("with", words(how)).set("why", "a rule of the firewall");
    });
}

/// `log`
pub(super) fn logged(at: &mut Passage<'_>, headers: &Headers, frame: &Frame, prefix: &str, rule: &str) {
    let (input, output) = (at.input, at.output);
    at.counters.firewall_logs += 1;
    at.trace.emit(Storey::Network, "firewall.log", frame.cause, |f| {
        f.set("prefix", prefix.trim_end().to_owned());
        packet(f, frame, input, output);
        f.set("len", headers.len).set("frame", frame.id).set("rule", rule.to_owned());
    });
}

/// A conversation that begins is translated; gives the event.
pub(super) fn translated(connection: &Connection, cause: EventId, trace: &mut Trace) -> EventId {
    let [original, reply] = connection.tuples;
    let becomes = reply.inverted();
    trace.emit(Storey::Network, "nat.new", cause, |f| {
        f.set("protocol", name(original.protocol));
        set(f, "from", &original, sender(&original));
        set(f, "to", &original, receiver(&original));
        if connection.translated.source {
            set(f, "as", &becomes, sender(&becomes));
        }
        if connection.translated.destination {
            set(f, "for", &becomes, receiver(&becomes));
        }
    })
}

/// A mapping is given up.
pub(super) fn unmapped(protocol: u8, inside: Endpoint, outside: Endpoint, trace: &mut Trace) {
    trace.emit(Storey::Network, "nat.expired", EventId::NONE, |f| {
        f.set("protocol", name(protocol))
            .set("inside", SocketAddr::from(inside))
            .set("outside", SocketAddr::from(outside));
        f.set("why", "nothing went out by it for a while");
    });
}

/// A conversation makes way for another.
pub(super) fn early_drop(gone: &Connection, frame: &Frame, trace: &mut Trace) {
    let [original, _] = gone.tuples;
    trace.emit(Storey::Network, "conntrack.early-drop", frame.cause, |f| {
        f.set("protocol", name(original.protocol));
        set(f, "from", &original, sender(&original));
        set(f, "to", &original, receiver(&original));
        f.set("why", "the table of connections is full, and no answer had come");
    });
}

fn sender(tuple: &Tuple) -> Endpoint {
    (tuple.src, tuple.from())
}

fn receiver(tuple: &Tuple) -> Endpoint {
    (tuple.dst, tuple.to())
}

fn set(f: &mut Fields, field: &'static str, tuple: &Tuple, (addr, port): Endpoint) {
    match tuple.ends {
        Ends::Ports(..) => f.set(field, SocketAddr::new(addr, port)),
        Ends::Query(..) | Ends::None => f.set(field, addr),
    };
}

/// What a packet is, from where to where.
fn packet(f: &mut Fields, frame: &Frame, input: Option<Iface>, output: Option<Iface>) {
    if let Some(iface) = input {
        f.set("in", format!("eth{iface}"));
    }
    if let Some(iface) = output {
        f.set("out", format!("eth{iface}"));
    }
    let Some(read) = Packet::read(frame.bytes()) else { return };
    let ports = match read.protocol {
        Some(protocol::TCP | protocol::UDP) => ports(read.upper(frame.bytes())),
        _ => None,
    };
    if let Some(protocol) = read.protocol {
        f.set("protocol", name(protocol));
    }
    match ports {
        Some((from, to)) => {
            f.set("src", SocketAddr::new(read.src, from)).set("dst", SocketAddr::new(read.dst, to));
        }
        None => {
            f.set("src", read.src).set("dst", read.dst);
        }
    }
}

fn name(protocol: u8) -> String {
    match protocol {
        protocol::TCP => "TCP".to_owned(),
        protocol::UDP => "UDP".to_owned(),
        protocol::ICMP => "ICMP".to_owned(),
        protocol::ICMPV6 => "ICMPv6".to_owned(),
        protocol::IGMP => "IGMP".to_owned(),
        other => format!("protocol {other}"),
    }
}

/// How a sender is told, in nft's words.
const fn words(how: Reject) -> &'static str {
    match how {
        Reject::NoRoute => "no-route",
        Reject::HostUnreachable => "host-unreachable",
        Reject::ProtocolUnreachable => "prot-unreachable",
        Reject::PortUnreachable => "port-unreachable",
        Reject::NetProhibited => "net-prohibited",
        Reject::HostProhibited => "host-prohibited",
        Reject::AdminProhibited => "admin-prohibited",
        Reject::TcpReset => "tcp reset",
    }
}
