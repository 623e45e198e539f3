//! The table of sentences: one line a kind of event. A new kind needs a line here only to be told well; without one
//! it is told by its name and fields.

use septet_core::Event;

use super::Facing::{self, Everyone, From, To};
use super::Weight::{self, Detail, Headline, Moment, Tick};

/// How one kind of event is told.
#[derive(Clone, Copy, Debug)]
pub struct Telling {
    /// The kind.
    pub kind: &'static str,
    /// Only events in whose field these words stand; an empty name stands for all.
    pub when: (&'static str, &'static str),
    /// How much it matters.
    pub weight: Weight,
    /// Which way the event faces its peer.
    pub facing: Facing,
    /// The sentence, as a template; the first whose fields are all there is taken.
    pub texts: &'static [&'static str],
}

const fn all(kind: &'static str, weight: Weight, facing: Facing, texts: &'static [&'static str]) -> Telling {
    Telling { kind, when: ("", ""), weight, facing, texts }
}

const fn when(
    kind: &'static str,
    field: &'static str,
    value: &'static str,
    weight: Weight,
    facing: Facing,
    texts: &'static [&'static str],
) -> Telling {
    Telling { kind, when: (field, value), weight, facing, texts }
}

/// All kinds that are told by a sentence of their own, sorted; of several lines of one kind the first that fits is
/// taken.
#[rustfmt::skip]
pub const TELLINGS: &[Telling] = &[
    all("arp.announce", Detail, Everyone, &["ARP: {is:ip} is at {at:ip}, asked by nobody"]),
    all("arp.failed", Moment, To, &["ARP: {why}, {waiting} packets for {ip:ip} are given up"]),
    all("arp.reply", Detail, To, &["ARP: {is:ip} is at {at:ip}"]),
    all("arp.request", Detail, Everyone, &["ARP: who has {who-has:ip}[ ({who-has})]? Tell {tell:ip} — {why}"]),
    all("balancer.close", Detail, To, &["closes {client} ↔ {backend}: {to_backend:bytes} there, {to_client:bytes} back — {why}"]),
    all("balancer.down", Headline, To, &["{backend} is taken out — {why}"]),
    all("balancer.pick", Moment, To, &["gives {client} to {backend} — {why}"]),
    all("balancer.refused", Moment, To, &["refuses {client} — {why}"]),
    all("balancer.retry", Moment, To, &["tries another server — {why}"]),
    all("balancer.up", Headline, To, &["{backend} is taken in — {why}"]),
    all("dns.answer", Detail, To, &["answers {name} {type}: {code}[, {answer}][ — {why}]"]),
    all("dns.cached", Detail, To, &["knows {name} {type} — {why}"]),
    all("dns.query", Moment, To, &["asks for {name} {type} over {over}"]),
    all("dns.reply", Moment, From, &["{name} {type} is {answer}, after {took}", "{name} {type}: {code}, after {took}"]),
    all("dns.timeout", Moment, From, &["no answer for {name} {type}[ — {why}]"]),
    all("dns.truncated", Moment, From, &["the answer for {name} is cut off — {why}"]),
    all("eth.drop", Moment, From, &["drops a frame: {why}"]),
    when("http.request", "way", "received", Detail, From, &["{method} {target} arrives"]),
    all("http.request", Moment, To, &["{method} {target}[, {version}]"]),
    when("http.response", "way", "received", Moment, From, &["{status}, {bytes:bytes} for {target}[, after {took}]"]),
    all("http.response", Detail, To, &["{status}, {bytes:bytes} for {target}"]),
    all("icmp.echo-reply", Detail, To, &["echo reply[, seq {seq}]"]),
    all("icmp.echo-request", Moment, To, &["echo request, seq {seq}"]),
    all("icmp.error", Moment, To, &["ICMP: {why}[, MTU {mtu}][ (on the way to {about})]"]),
    all("icmp.error-received", Detail, From, &["ICMP received: {why}"]),
    all("icmp.reply", Moment, From, &["echo reply, seq {seq}, TTL {ttl}, {bytes} bytes"]),
    all("ip.drop", Detail, To, &["drops a packet from {src} to {dst}: {why}", "drops a packet: {why}"]),
    all("ip.fragment", Detail, To, &["fragments a packet[ — {why}]"]),
    all("ip.reassembled", Detail, From, &["puts a packet together from its fragments"]),
    all("link.damage", Moment, To, &["{bits} bits flip in a frame of {len} bytes — {why}"]),
    all("link.down", Headline, To, &["{link} is dead[ — {why}]"]),
    all("link.drop", Moment, To, &["a frame of {len} bytes is dropped before the wire — {why}"]),
    all("link.lost", Moment, To, &["a frame of {len} bytes is lost — {why}"]),
    all("link.up", Headline, To, &["{link} carries a signal again[ — {why}]"]),
    all("power.off", Headline, To, &["is switched off[ — {why}]"]),
    all("power.on", Headline, To, &["is switched on[ — {why}]"]),
    all("program.exit", Headline, To, &["ends with status {status} after {took}: {command}"]),
    all("program.killed", Headline, To, &["kills its programs — {why}"]),
    all("program.start", Headline, To, &["runs: {command}"]),
    all("switch.drop", Moment, From, &["drops a frame: {why}"]),
    all("switch.flood", Tick, Everyone, &["floods a frame for {mac:ip} — {why}"]),
    all("switch.forget", Detail, From, &["forgets {addresses} addresses — {why}"]),
    all("switch.full", Moment, From, &["does not learn {mac:ip} — {why}"]),
    all("switch.learn", Detail, From, &["learns: {mac} is behind {port}"]),
    all("switch.move", Moment, From, &["learns: {mac} is now behind {port} — {why}"]),
    all("tcp.cwnd", Detail, To, &["congestion window {was} → {cwnd} bytes[, ssthresh {ssthresh}] — {why}"]),
    all("tcp.drop", Detail, From, &["drops a segment: seq {seq}, {len} bytes — {why}"]),
    all("tcp.pmtu", Moment, To, &["path MTU {was} → {mtu} — {why}", "MSS {mss} — {why}"]),
    all("tcp.receive", Tick, From, &["{flags}: seq {seq}, {len} bytes[, ack {ack}], window {window}"]),
    all("tcp.retransmit", Moment, To, &["sends again: {flags}, seq {seq}, {len} bytes — {why}"]),
    all("tcp.rtt", Tick, From, &["RTT {rtt}, smoothed {srtt}, RTO {rto}"]),
    when("tcp.send", "flags", "SYN,ACK", Moment, To, &["SYN-ACK, window {window}"]),
    when("tcp.send", "flags", "SYN", Moment, To, &["SYN, window {window}"]),
    when("tcp.send", "flags", "FIN", Moment, To, &["FIN at seq {seq}[ — {why}]"]),
    when("tcp.send", "flags", "RST", Moment, To, &["RST[ — {why}]"]),
    all("tcp.send", Tick, To, &["{flags}: seq {seq}, {len} bytes[, ack {ack}], window {window}[ — {why}]"]),
    when("tcp.state", "from", "SYN-SENT", Moment, To, &["{from} → {to} — {why}"]),
    all("tcp.state", Detail, To, &["{from} → {to} — {why}"]),
    all("tcp.timer", Detail, To, &["timer: {why}"]),
    all("tcp.window", Moment, To, &["receive window is {window} — {why}"]),
    all("tcp.write", Tick, To, &["the program writes {len} bytes"]),
    when("tls.alert", "way", "received", Moment, From, &["TLS alert: {description}[ — {why}]"]),
    all("tls.alert", Moment, To, &["TLS alert: {description}[ — {why}]"]),
    when("tls.certificate", "way", "received", Moment, From, &["certificate of {name}: {why}"]),
    all("tls.certificate", Moment, To, &["certificate chain of {certificates}, {bytes} bytes"]),
    when("tls.client-hello", "way", "received", Tick, From, &["ClientHello arrives"]),
    all("tls.client-hello", Moment, To, &["ClientHello[ for {sni}], {versions}[, ALPN {alpn}][ — {why}]"]),
    all("tls.finished", Moment, To, &["TLS is up: {version}, {suite}[, ALPN {alpn}], after {took}[ — {why}]"]),
    when("tls.server-hello", "way", "received", Tick, From, &["ServerHello arrives"]),
    all("tls.server-hello", Moment, To, &["ServerHello: {version}, {suite}[ — {why}]"]),
    all("udp.drop", Detail, From, &["drops a datagram: {why}"]),
    all("udp.receive", Tick, From, &["{bytes} bytes"]),
    all("udp.send", Tick, To, &["{bytes} bytes"]),
];

/// How `event` is told: the lines of its kind that fit it.
pub(super) fn find(event: &Event) -> impl Iterator<Item = &'static Telling> + '_ {
    let first = TELLINGS.partition_point(|t| t.kind < event.kind);
    TELLINGS[first..].iter().take_while(|t| t.kind == event.kind).filter(|t| {
        let (field, value) = t.when;
        field.is_empty() || event.field(field).is_some_and(|v| v.to_string().contains(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorted_and_well_formed() {
        for pair in TELLINGS.windows(2) {
            let (a, b) = (pair[0], pair[1]);
            assert!(a.kind < b.kind || a.kind == b.kind && !a.when.0.is_empty(), "{} after {}", b.kind, a.kind);
        }
        for text in TELLINGS.iter().flat_map(|t| t.texts) {
            assert_eq!(text.matches('{').count(), text.matches('}').count(), "{text}");
            assert_eq!(text.matches('[').count(), text.matches(']').count(), "{text}");
        }
    }
}
