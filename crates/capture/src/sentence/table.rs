//! The table of sentences: one line a kind of event. A new kind needs a line here only to be told well; without one
//! it is told by its name and fields.

use std::sync::LazyLock;

use hashbrown::HashMap;
use septet_core::{Event, FixedState, Value};

use super::Facing::{self, Everyone, From, To};
use super::Weight::{self, Detail, Headline, Moment, Tick};
use super::template::Template;

/// How one kind of event is told.
#[derive(Clone, Copy, Debug)]
pub struct Telling {
    /// The kind.
    pub kind: &'static str,
    /// Only events in whose field these words stand; an empty name stands for all.
    pub when: (&'static str, &'static str),
    /// What many of them are called.
    pub many: &'static str,
    /// How much it matters.
    pub weight: Weight,
    /// Which way the event faces its peer.
    pub facing: Facing,
    /// The sentence, as a template; the first whose fields are all there is taken.
    pub texts: &'static [&'static str],
}

const fn all(
    kind: &'static str,
    many: &'static str,
    weight: Weight,
    facing: Facing,
    texts: &'static [&'static str],
) -> Telling {
    Telling { kind, when: ("", ""), many, weight, facing, texts }
}

const fn when(field: &'static str, value: &'static str, telling: Telling) -> Telling {
    Telling { when: (field, value), ..telling }
}

/// All kinds that are told by a sentence of their own, sorted; of several lines of one kind the first that fits is
/// taken. A line whose kind ends in `.*` is for what has no line of its own.
#[rustfmt::skip]
pub const TELLINGS: &[Telling] = &[
    all("address.expired", "addresses that end", Moment, To, &["{address:ip} is gone — {why}"]),
    all("arp.announce", "ARP announcements", Detail, Everyone, &["ARP: {is:ip} is at {at:ip}, asked by nobody"]),
    all("arp.conflict", "address conflicts", Moment, From, &["{mac:ip} uses {ip:ip} too — {why}"]),
    all("arp.drop", "dropped ARP packets", Moment, From, &["drops an ARP packet: {why}"]),
    all("arp.failed", "ARP failures", Moment, To, &["ARP: {why}, {waiting} packets for {ip:ip} are given up"]),
    all("arp.probe", "ARP probes", Detail, Everyone, &["ARP: does anybody have {who-has:ip}? — {why}"]),
    all("arp.reply", "ARP replies", Detail, To, &["ARP: {is:ip} is at {at:ip}"]),
    all("arp.request", "ARP requests", Detail, Everyone, &["ARP: who has {who-has:ip}[ ({who-has})]? Tell {tell:ip} — {why}"]),
    all("arp.resolved", "ARP answers", Tick, To, &["ARP: {ip:ip} is at {mac:ip}, after {after}"]),
    all("arping.request", "ARP questions", Detail, To, &["arping: who has {who-has:ip}?"]),
    all("arpspoof.forged", "forged ARP packets", Moment, To, &["tells {to:ip} that {is:ip} is at {at:ip}"]),
    all("balancer.admin", "orders", Headline, To, &["takes no orders at {at} — {why}"]),
    all("balancer.close", "ends", Detail, To, &["closes {client} ↔ {backend}: {to_backend:bytes} there, {to_client:bytes} back — {why}"]),
    all("balancer.down", "outages", Headline, To, &["{backend} is taken out — {why}"]),
    all("balancer.drain", "drains", Headline, To, &["gives {backend} nothing new — {why}"]),
    all("balancer.drained", "ends of drains", Headline, To, &["{backend} is drained — {why}"]),
    all("balancer.enable", "returns", Headline, To, &["{backend} gets its share again — {why}"]),
    all("balancer.pick", "picks", Moment, To, &["gives [{request} of ]{client} to {backend} — {why}"]),
    all("balancer.refused", "refusals", Moment, To, &["refuses [{request} of ]{client}[ with {status}] — {why}"]),
    all("balancer.retry", "second tries", Moment, To, &["tries another server[ for {request} of {client}] — {why}"]),
    all("balancer.route", "routes", Detail, To, &["takes {request} of {client} by the route {route}"]),
    all("balancer.up", "returns", Headline, To, &["{backend} is taken in — {why}"]),
    all("balancer.wait", "waits", Moment, To, &["lets {client} wait, as one of {waiting} — {why}"]),
    all("bgp.closed", "ends of BGP sessions", Headline, From, &["BGP with {peer} is over — {why}"]),
    all("bgp.established", "BGP sessions", Headline, From, &["BGP with {peer}, AS {as}, is established"]),
    all("bgp.notification", "BGP notifications", Moment, To, &["BGP: tells {peer}: {why}"]),
    all("bgp.open", "BGP openings", Detail, To, &["BGP: opens to {peer} as AS {as}"]),
    all("bgp.update", "BGP updates", Detail, To, &["BGP: tells {peer} of {routes} routes and takes back {withdrawn}"]),
    all("ca.answer", "certificates got", Moment, From, &["gets a chain of {certificates} certificates from {peer}"]),
    all("ca.refused", "requests refused", Headline, To, &["refuses a certificate — {why}"]),
    all("ca.request", "requests for certificates", Moment, To, &["makes a key, and asks {peer} for a certificate for {names}"]),
    all("ca.signed", "requests signed", Headline, To, &["signs a certificate for {names} — {why}"]),
    all("call.accepted", "accepted connections", Detail, From, &["{thread} calls {call}: a connection of {from}, from now on {fd}"]),
    all("call.copied", "copies", Moment, From, &["{thread} calls {call}: {bytes:bytes} are copied from the receive buffer, and their number is returned"]),
    all("call.done", "calls", Tick, To, &["{thread} calls {call}"]),
    all("call.end", "ends of streams", Detail, From, &["{thread} calls {call}: nothing more will come, 0 is returned"]),
    all("call.failed", "failed calls", Moment, To, &["{thread} calls {call}: {why}"]),
    all("call.ready", "calls that tell what is ready", Detail, To, &["{thread} calls {call}: {sockets} sockets are ready"]),
    all("call.sent", "writes", Detail, To, &["{thread} calls {call}: {bytes:bytes} are copied to the send buffer"]),
    all("call.waits", "waits", Moment, To, &["{thread} calls {call}: nothing is there, so it sleeps in the call"]),
    all("call.woken", "wake-ups", Moment, To, &["{thread} is woken in {call}"]),
    all("call.would-block", "calls that would block", Moment, To, &["{thread} calls {call}: {why}, at once"]),
    all("chat.begun", "conversations", Headline, Everyone, &["talks, {how}"]),
    all("chat.heard", "lines heard", Moment, Everyone, &["hears: {text}"]),
    all("chat.said", "lines said", Moment, Everyone, &["says: {text}"]),
    all("chat.token", "turns", Moment, Everyone, &["has the data token"]),
    all("chat.token-asked", "requests for the token", Moment, Everyone, &["asks for the data token"]),
    all("chat.token-given", "tokens given", Moment, Everyone, &["gives the data token"]),
    all("connect.failed", "failed connections", Moment, To, &["cannot connect — {why}"]),
    all("connect.next", "second addresses", Moment, To, &["tries {to} over {over}, too — {why}"]),
    all("conntrack.drop", "packets of connections that could not be tracked", Moment, From, &["drops {protocol} from {src} to {dst} — {why}"]),
    all("conntrack.early-drop", "connections forgotten early", Moment, To, &["forgets {protocol} from {from} to {to} — {why}"]),
    all("dad.ask", "questions whether an address is free", Detail, To, &["asks whether anybody has {ip:ip}"]),
    all("dad.conflict", "addresses claimed by two", Moment, From, &["hears of another who has {ip:ip} — {why}"]),
    all("dad.duplicate", "addresses that others have", Moment, From, &["cannot have {ip:ip} — {why}"]),
    all("dad.unique", "new addresses", Moment, To, &["has the address {ip:ip} — {why}"]),
    all("dhcp.bound", "addresses by DHCP", Headline, From, &["has {address} from {server:ip} for {lease} — {why}"]),
    all("dhcp.failed", "failures of DHCP", Headline, To, &["DHCP on {interface} fails — {why}"]),
    all("dhcp.lease", "leases", Moment, To, &["leases {address:ip} to {to:ip} for {lease}[ ({name})] — {why}", "gets {address:ip} back from {from:ip} — {why}", "leaves {address:ip} alone — {why}", "has no address for {to:ip} — {why}"]),
    all("dhcp.lost", "addresses let go", Headline, To, &["lets go of {address:ip} — {why}"]),
    all("dhcp.name", "names told to name servers", Moment, To, &["tells {server:ip} {what} {name}[ — {why}]"]),
    all("dhcp.received", "DHCP messages received", Detail, From, &["{type}[ with {address:ip}]"]),
    all("dhcp.relayed", "relayed DHCP messages", Detail, To, &["relays {type} of {client:ip} — {why}"]),
    all("dhcp.sent", "DHCP messages", Moment, To, &["{type}[ for {address:ip}]"]),
    all("dns-forge.round", "rounds of forged answers", Moment, To, &["has {to:ip} ask for {name:dns}, and answers {answers} times as if it were {as:ip}: {is:ip}"]),
    all("dns.answer", "DNS answers", Detail, To, &["answers {name:dns} {type}: {code}[, {answer}][ — {why}]"]),
    all("dns.cached", "answers from the cache", Detail, To, &["knows {name:dns} {type} — {why}"]),
    all("dns.expired", "zones that expired", Headline, To, &["answers nothing of {zone} any more — {why}"]),
    all("dns.failed", "failed lookups", Moment, To, &["cannot look up {name:dns}[ {type}] — {why}"]),
    all("dns.limited", "answers kept back", Detail, To, &["{to:ip} is {what} — {why}"]),
    all("dns.notified", "changes of zones heard of", Moment, From, &["hears that {zone} has changed: {code}[ — {why}]"]),
    all("dns.notify", "changes of zones told", Moment, To, &["tells {to:ip} that {zone} is at {serial}[ — {why}]"]),
    all("dns.query", "DNS queries", Moment, To, &["asks for {name:dns} {type} over {over}"]),
    all("dns.refused", "refused DNS queries", Moment, From, &["no answer for {name:dns} {type} — {why}"]),
    all("dns.reply", "DNS answers", Moment, From, &["{name:dns} {type} is {answer}, after {took}", "{name:dns} {type}: {code}, after {took}"]),
    all("dns.timeout", "DNS queries without an answer", Moment, From, &["no answer for {name:dns} {type} after {took}", "no answer for {name:dns} {type}[ — {why}]"]),
    all("dns.transfer", "zones fetched", Moment, From, &["has {zone} at {serial}, {records} records"]),
    all("dns.transfer.failed", "zones not fetched", Moment, From, &["does not get {zone} — {why}"]),
    all("dns.truncated", "truncated DNS answers", Moment, From, &["the answer for {name:dns} is cut off — {why}"]),
    all("dns.update", "changes of zones", Detail, From, &["a change of {zone}: {code}[ — {why}]"]),
    all("dns.update.retry", "second tries to change a zone", Moment, To, &["asks {server:ip} again to change {name} — {why}"]),
    all("eavesdrop.closed", "conversations that stay closed", Headline, Everyone, &["{from} ↔ {to}: {why}"]),
    all("eavesdrop.found", "texts found", Headline, Everyone, &["hears {from} tell {to}: {text}"]),
    all("eavesdrop.opened", "texts opened later", Headline, Everyone, &["{from} ↔ {to}: {why}: {text}"]),
    all("eavesdrop.read", "texts read", Headline, Everyone, &["{from} ↔ {to}: {why}[: {text}]"]),
    all("echo.failed", "broken connections", Moment, From, &["the connection breaks off — {why}"]),
    all("eth.collision", "collisions", Moment, To, &["collision {after} after it began, attempt {attempt}[ — {why}]", "collision[ — {why}]"]),
    all("eth.drop", "frames refused", Moment, From, &["drops a frame ({reason}): {why}", "drops a frame: {why}"]),
    all("eth.fragment", "pieces of frames", Moment, From, &["hears {bits} bits that are no frame ({reason}): {why}"]),
    all("eth.pause", "pauses", Moment, From, &["is asked to pause until {until}[ — {why}]"]),
    all("fault.*", "faults", Headline, To, &["fault: {fault}", "fault[ — {why}]"]),
    all("fault.end", "ends of faults", Headline, To, &["over: {fault}"]),
    all("filter.drop", "packets that a filter stops", Moment, From, &["{rule}: stops a packet of {len} bytes — {why}"]),
    all("firewall.drop", "packets that the firewall drops", Moment, From, &["firewall: drops {protocol} from {src} to {dst} — {chain}[: {rule}]"]),
    all("firewall.log", "packets that the firewall logs", Moment, From, &["firewall: [{prefix} ]{protocol} from {src} to {dst}, {len} bytes"]),
    all("firewall.reject", "packets that the firewall rejects", Moment, From, &["firewall: rejects {protocol} from {src} to {dst} with {with} — {chain}: {rule}"]),
    all("guard.bound", "addresses of clients", Moment, Everyone, &["{ip} is {mac}'s, behind {port} — {why}"]),
    all("guard.denied", "frames that are not believed", Moment, From, &["drops {what} at {port}[ about {ip}] — {why}"]),
    all("guard.released", "addresses given back", Moment, Everyone, &["{ip} is {mac}'s no more — {why}"]),
    all("http.cut", "answers broken off", Moment, To, &["{how} in the answer to {target} — {why}"]),
    when("way", "received", all("http.failed", "broken connections", Detail, From, &["the connection breaks off — {why}"])),
    all("http.failed", "failed requests", Moment, To, &["{target} fails[ after {took}] — {why}"]),
    when("way", "received", all("http.request", "arrivals of requests", Detail, From, &["{method} {target} arrives"])),
    all("http.request", "requests", Moment, To, &["{method} {target}[, {version}]"]),
    when("way", "received", all("http.response", "responses", Moment, From, &["{status}, {bytes:bytes} for {target}[, after {took}]"])),
    all("http.response", "responses sent", Detail, To, &["{status}, {bytes:bytes} for {target}[ — {why}]"]),
    all("http.retry", "second tries", Moment, To, &["{target} is tried again — {why}"]),
    all("hub.collision", "collisions", Moment, Everyone, &["{talkers} stations talk at once[ — {why}]"]),
    all("icmp.echo-reply", "echo replies sent", Detail, To, &["echo reply[, seq {seq}]"]),
    all("icmp.echo-request", "echo requests", Moment, To, &["echo request, seq {seq}"]),
    all("icmp.error", "ICMP errors", Moment, To, &["ICMP: {why}[, MTU {mtu}][ (on the way to {about})]"]),
    all("icmp.error-received", "ICMP errors received", Detail, From, &["ICMP received: {why}"]),
    all("icmp.redirect", "redirects", Moment, To, &["ICMP: what is for {about} is better sent to {gateway:ip} — {why}"]),
    all("icmp.redirect-ignored", "redirects ignored", Detail, From, &["does not send what is for {about} to {gateway:ip} — {why}"]),
    all("icmp.redirect-over", "better ways forgotten", Detail, To, &["knows no better way to {about} any more — {why}"]),
    all("icmp.redirected", "redirects believed", Moment, From, &["sends what is for {about} to {gateway:ip} from now on"]),
    all("icmp.reply", "echo replies", Moment, From, &["echo reply, seq {seq}, TTL {ttl}, {bytes} bytes"]),
    all("igmp.leave", "leaves", Detail, Everyone, &["IGMP: leaves {group}"]),
    all("igmp.query", "membership queries", Detail, Everyone, &["IGMP: {why} (groups: {group})"]),
    all("igmp.report", "membership reports", Detail, Everyone, &["IGMP: {group}"]),
    all("inbox.begun", "files begun", Headline, Everyone, &["takes {file}, {bytes:bytes}"]),
    all("inbox.broken", "broken connections", Moment, Everyone, &["keeps {kept:bytes} — {why}"]),
    all("inbox.failed", "connections without a file", Moment, Everyone, &["takes no file — {why}"]),
    all("inbox.resumed", "files resumed", Headline, Everyone, &["goes on with {file} at {from:bytes}"]),
    all("inbox.whole", "whole files", Headline, Everyone, &["has {file} whole: {bytes:bytes}"]),
    all("ip.drop", "dropped packets", Detail, To, &["drops a packet from {src} to {dst}: {why}", "drops a packet: {why}"]),
    all("ip.fragment", "fragmented packets", Detail, To, &["fragments a packet[ — {why}]"]),
    all("ip.reassembled", "reassembled packets", Detail, From, &["puts a packet together from its fragments"]),
    all("iperf3.end", "ends of tests", Headline, To, &["iperf3: {sent:bytes} sent, {received:bytes} received[ — {why}]"]),
    all("iperf3.failed", "failed tests", Headline, To, &["iperf3 fails — {why}"]),
    all("iperf3.start", "tests", Headline, To, &["iperf3 begins[, {streams} streams]"]),
    when("way", "received", all("keys.message", "messages received", Tick, From, &["hears {what}, {bytes} bytes"])),
    all("keys.message", "messages", Moment, To, &["says {what}, {bytes} bytes"]),
    all("keys.stolen", "private keys stolen", Headline, To, &["loses the private keys to {to}"]),
    all("lapb.down", "broken links", Headline, To, &["the link is down — {why}"]),
    all("lapb.repeat", "frames sent again", Moment, To, &["sends frame {ns} again — {why}"]),
    all("link.damage", "damaged frames", Moment, To, &["{bits} bits flip in a frame of {len} bytes — {why}"]),
    all("link.down", "cuts", Headline, To, &["{link} is dead[ — {why}]"]),
    all("link.drop", "frames dropped before the wire", Moment, To, &["a frame of {len} bytes is dropped before the wire — {why}"]),
    all("link.lost", "lost frames", Moment, To, &["a frame of {len} bytes is lost — {why}"]),
    all("link.up", "mended cables", Headline, To, &["{link} carries a signal again[ — {why}]"]),
    all("mld.done", "leaves", Detail, Everyone, &["MLD: leaves {group}"]),
    all("mld.query", "membership queries", Detail, Everyone, &["MLD: {why} (groups: {group})"]),
    all("mld.report", "membership reports", Detail, Everyone, &["MLD: {group}"]),
    all("multicast.drop", "datagrams to groups that came in elsewhere", Moment, From, &["does not pass on what {src:ip} sends to {group}: {why}"]),
    all("multicast.forgotten", "groups without members", Moment, Everyone, &["eth{iface}: {group} has no members any more — {why}"]),
    all("multicast.forward", "datagrams to groups passed on", Tick, From, &["passes on what {src:ip} sends to {group}, from {from} to {to}"]),
    all("multicast.member", "groups with members", Moment, Everyone, &["eth{iface}: {group} has a member — {why}"]),
    all("multicast.querier", "queriers", Moment, Everyone, &["eth{iface}: {querier:ip} asks for members — {why}", "eth{iface}: asks for members — {why}"]),
    all("nat.drop", "packets that address translation drops", Moment, From, &["NAT: drops {protocol} from {src} to {dst} — {why}"]),
    all("nat.expired", "ports that are given back", Detail, To, &["NAT: {outside} stands for {inside} no more — {why}"]),
    all("nat.new", "translations", Moment, To, &["NAT: {protocol} from {from} to {to}[ goes out as {as}][ goes in to {for}]"]),
    all("nd.advertise", "neighbours' answers", Detail, To, &["ND: {is:ip} is at {at:ip}"]),
    all("nd.failed", "unanswered solicitations", Moment, To, &["ND: {why}, {waiting} packets for {ip:ip} are given up"]),
    all("nd.resolved", "link addresses found", Tick, From, &["ND: {ip:ip} is at {mac:ip}, after {after}"]),
    all("nd.router-advert", "router advertisements heard", Detail, From, &["hears that {from} is a router, for {lifetime}, with {prefixes} prefixes"]),
    all("nd.router-advertise", "router advertisements", Moment, Everyone, &["advertises itself as a router, with {prefixes} prefixes — {why}"]),
    all("nd.router-solicit", "questions for routers", Moment, Everyone, &["asks for routers — {why}"]),
    all("nd.solicit", "neighbour solicitations", Detail, Everyone, &["ND: who has {who-has:ip}[ ({who-has})]? Tell {tell:ip} — {why}"]),
    all("ospf.describe", "descriptions of databases", Detail, To, &["OSPF: describes {headers} advertisements to {neighbor}[ — {why}]"]),
    all("ospf.elected", "elections", Moment, Everyone, &["OSPF: the designated router of eth{iface} is {designated}, its backup {backup}"]),
    all("ospf.flood", "floods", Detail, Everyone, &["OSPF: passes on {advertisements} advertisements[ — {why}]"]),
    all("ospf.heard", "neighbours heard", Detail, From, &["OSPF: hears of {router} for the first time"]),
    all("ospf.hello", "Hellos", Tick, Everyone, &["OSPF: says hello to {neighbors} neighbours at eth{iface}"]),
    all("ospf.interface", "interfaces", Detail, Everyone, &["OSPF: eth{iface} is up ({state})"]),
    all("ospf.mismatch", "neighbours that do not fit", Moment, From, &["OSPF: ignores {from} — {why}"]),
    all("ospf.neighbor-full", "neighbours with the same map", Headline, From, &["OSPF: has the same map as {neighbor} ({router})"]),
    all("ospf.neighbor-lost", "lost neighbours", Headline, From, &["OSPF: loses {neighbor} — {why}"]),
    all("ospf.originate", "own advertisements", Moment, Everyone, &["OSPF: advertises {what} {id} anew[ — {why}]"]),
    all("ospf.repeat", "repetitions", Moment, To, &["OSPF: sends {what} to {neighbor} again — {why}"]),
    all("ospf.request", "requests", Detail, To, &["OSPF: asks {neighbor} for {advertisements} advertisements"]),
    all("ospf.spf", "shortest paths", Moment, Everyone, &["OSPF: computes its shortest paths: {routers} routers, {networks} networks, {routes} routes, {changed} changed"]),
    all("ospf.two-way", "neighbours that hear one another", Detail, From, &["OSPF: {from} hears this router too"]),
    all("ping.failed", "pings without a reply", Moment, From, &["seq {seq} fails: {why}"]),
    all("ping.reply", "replies", Moment, From, &["reply, seq {seq}, TTL {ttl}, after {took}"]),
    all("ping.request", "pings", Detail, To, &["ping, seq {seq}"]),
    all("place.left", "departures", Headline, To, &["a real program leaves — {why}"]),
    all("place.taken", "arrivals", Headline, To, &["a real program takes this host's place — {why}"]),
    all("power.off", "crashes", Headline, To, &["is switched off[ — {why}]"]),
    all("power.on", "boots", Headline, To, &["is switched on[ — {why}]"]),
    all("ppp.dead", "dead links", Headline, To, &["the link is dead after {echoes} echoes — {why}"]),
    all("ppp.down", "broken links", Headline, To, &["the link is down[ — {why}]"]),
    all("ppp.drop", "dropped frames of PPP", Moment, From, &["drops a frame ({reason})[: {why}]"]),
    all("ppp.phase", "phases of PPP", Moment, To, &["phase {phase}[ — {why}]"]),
    all("ppp.received", "PPP packets received", Detail, From, &["{protocol} {code} {id}: {options}", "{protocol} {code} {id}", "{protocol} packet"]),
    all("ppp.sent", "PPP packets sent", Detail, To, &["{protocol} {code} {id}: {options}", "{protocol} {code} {id}", "{protocol} packet"]),
    all("ppp.up", "links", Headline, To, &["the link is up: {local:ip} to {remote:ip}[ — {why}]"]),
    all("program.exit", "ends of programs", Headline, To, &["ends with status {status} after {took}: {command}[ — {why}]"]),
    all("program.killed", "killed programs", Headline, To, &["kills its programs — {why}"]),
    all("program.start", "starts of programs", Headline, To, &["runs: {command}"]),
    all("program.unfinished", "programs that the stop cuts off", Headline, To, &["has not ended when the lab stops, after {ran}: {command}", "is never run: {command} — {why}"]),
    all("proxy.header", "headers of the PROXY protocol", Detail, From, &["{peer} passes on {source} → {destination}", "{peer} begins with no header — {why}", "{peer} begins with a header for itself"]),
    all("recursor.ask", "questions of a recursive resolver to servers", Moment, To, &["asks {server:ip}, of the zone {zone:dns}, for {name:dns} {type} over {over}"]),
    all("recursor.failed", "names that cannot be found out", Moment, To, &["cannot find out {name:dns} {type} — {why}"]),
    all("recursor.ignored", "datagrams that are no answer", Moment, From, &["ignores a datagram from {server:ip} while it waits for {name:dns} — {why}"]),
    all("recursor.joined", "questions that are asked already", Detail, To, &["asks nobody for {name:dns} {type} — {why}"]),
    all("recursor.lame", "servers that are no use", Moment, From, &["{server:ip} is no use for the zone {zone:dns} — {why}"]),
    all("recursor.referral", "referrals", Moment, From, &["is referred by {server:ip} to those who have the zone {zone:dns}"]),
    all("recursor.stranger", "records outside of a server's zone", Moment, From, &["leaves out {name:dns} {type} that {server:ip} tells — {why}"]),
    all("recursor.timeout", "servers that do not answer", Moment, From, &["no answer from {server:ip} for {name:dns} {type}[ — {why}]"]),
    all("rip.answer", "answers to RIP requests", Detail, To, &["RIP: answers {to} with {routes} routes"]),
    all("rip.heard", "RIP responses", Tick, From, &["RIP: hears of {routes} routes from {from}"]),
    all("rip.request", "RIP requests", Detail, Everyone, &["RIP: asks at eth{iface} for all routes — {why}"]),
    all("rip.timeout", "routes given up", Moment, Everyone, &["RIP: gives up {prefix} — {why}"]),
    all("rip.triggered", "triggered updates", Moment, Everyone, &["RIP: tells {routes} routes at eth{iface} — {why}"]),
    all("rip.update", "RIP updates", Detail, Everyone, &["RIP: tells {routes} routes at eth{iface} — {why}"]),
    all("route.changed", "changes of routes", Moment, Everyone, &["the route to {prefix} goes by {via}, metric {metric}", "there is no route to {prefix} any more"]),
    all("send.done", "transfers", Moment, To, &["has sent {bytes:bytes} in {took}"]),
    all("send.failed", "failed transfers", Moment, To, &["datagram {number} is not sent — {why}", "fails — {why}"]),
    all("service.failed", "failed services", Headline, To, &["its service {service} fails — {why}"]),
    all("sink.done", "transfers", Moment, From, &["has read {bytes:bytes} in {took}[ — {why}]"]),
    all("sink.failed", "broken transfers", Moment, From, &["breaks off after {bytes:bytes} in {took}[ — {why}]"]),
    all("slaac.address", "addresses made of prefixes", Moment, To, &["makes itself the address {ip:ip} — {why}"]),
    all("slaac.deprecated", "addresses that age", Detail, To, &["uses {ip:ip} for nothing new — {why}"]),
    all("slaac.expired", "addresses that end", Moment, To, &["gives up {ip:ip} — {why}"]),
    all("slaac.name-server", "name servers told", Moment, To, &["asks {ip:ip} for names, as a router tells"]),
    all("slaac.name-server-gone", "name servers forgotten", Detail, To, &["asks {ip:ip} for names no more — {why}"]),
    all("slaac.router", "routers found", Moment, From, &["takes {ip} for a default router"]),
    all("slaac.router-gone", "routers lost", Moment, From, &["takes {ip} no longer for a router — {why}"]),
    all("snooping.gone", "groups left at a port", Moment, Everyone, &["{port}: {group} is not wanted there any more — {why}"]),
    all("snooping.member", "groups joined at a port", Moment, Everyone, &["{port}: {group} is wanted there — {why}"]),
    all("snooping.router", "routers found", Moment, Everyone, &["{port}: a router is there — {why}"]),
    all("stp.change", "changes of the tree", Moment, Everyone, &["addresses now age in {ageing} — {why}"]),
    all("stp.port", "ports changed", Moment, To, &["spanning tree: {port} is {state} — {why}"]),
    all("stp.root", "roots of the tree", Moment, Everyone, &["spanning tree: the root is {root:ip}, priority {priority} — {why}"]),
    all("stream.begin", "streams begun", Moment, Everyone, &["hears the source {ssrc}, {after} after it began to listen"]),
    all("stream.failed", "failed streams", Moment, Everyone, &["packet {number} is not sent — {why}", "the stream breaks — {why}"]),
    all("svi.state", "interfaces of VLANs changed", Moment, Everyone, &["{iface} is {state} — {why}"]),
    all("switch.drop", "dropped frames", Moment, From, &["drops a frame ({reason}): {why}"]),
    all("switch.flood", "floods", Tick, Everyone, &["floods a frame for {mac:ip} — {why}"]),
    all("switch.forget", "lapses of memory", Detail, From, &["forgets who was behind {port}: {addresses} known — {why}"]),
    all("switch.full", "addresses without room", Moment, From, &["does not learn {mac:ip} — {why}"]),
    all("switch.group", "frames for groups", Tick, From, &["sends a frame for {mac:ip} only to who wants it — {why}"]),
    all("switch.learn", "learnt addresses", Detail, From, &["learns: {mac} is behind {port}"]),
    all("switch.move", "moved addresses", Moment, From, &["learns: {mac} is now behind {port} — {why}"]),
    all("switch.pause", "pauses asked for", Moment, To, &["asks for a pause: {bytes} bytes wait for {congested} — {why}"]),
    all("switch.resume", "pauses ended", Detail, To, &["ends the pause — {why}"]),
    all("tap.drop", "frames dropped at the TAP", Moment, From, &["drops a frame: {reason}"]),
    all("tcp.cwnd", "changes of the congestion window", Detail, To, &["congestion window {was} → {cwnd} bytes[, ssthresh {ssthresh}] — {why}"]),
    all("tcp.drop", "dropped segments", Detail, From, &["drops a segment: seq {seq}, {len} bytes — {why}", "drops a segment: {why}"]),
    all("tcp.icmp", "ICMP errors heard", Detail, From, &["hears from {reporter}: {why}"]),
    all("tcp.pmtu", "changes of the path MTU", Moment, To, &["path MTU {was} → {mtu} — {why}", "MSS {mss} — {why}"]),
    all("tcp.receive", "segments received", Tick, From, &["receives {flags}: seq {seq}, {len} bytes[, ack {ack}], window {window}"]),
    all("tcp.retransmit", "segments sent again", Moment, To, &["sends again: {flags}, seq {seq}, {len} bytes — {why}"]),
    all("tcp.rtt", "RTT samples", Tick, From, &["RTT {rtt}, smoothed {srtt}, RTO {rto}"]),
    when("flags", "SYN,ACK", all("tcp.send", "SYN-ACKs", Moment, To, &["SYN-ACK, window {window}"])),
    when("flags", "SYN", all("tcp.send", "SYNs", Moment, To, &["SYN, window {window}"])),
    when("flags", "FIN", all("tcp.send", "FINs", Moment, To, &["FIN at seq {seq}[ — {why}]"])),
    when("flags", "RST", all("tcp.send", "RSTs", Moment, To, &["RST[ — {why}]"])),
    all("tcp.send", "segments", Tick, To, &["sends {flags}: seq {seq}, {len} bytes[, ack {ack}], window {window}[ — {why}]", "sends {flags}[ — {why}]"]),
    when("from", "SYN-SENT", all("tcp.state", "handshakes", Moment, To, &["{from} → {to} — {why}"])),
    all("tcp.state", "changes of state", Detail, To, &["{from} → {to} — {why}"]),
    all("tcp.timer", "timers", Detail, To, &["timer: {why}"]),
    all("tcp.window", "changes of the window", Moment, To, &["receive window is {window} — {why}"]),
    all("tcp.write", "writes", Tick, To, &["the program writes {len} bytes"]),
    all("text.arrived", "texts that arrived", Moment, From, &["{bytes:bytes} arrive, {octets}: that looks like {looks}"]),
    all("text.compressed", "compressions", Moment, To, &["compresses {from:bytes} to {to:bytes} by {coding}: {octets}"]),
    all("text.converted", "conversions", Headline, From, &["converts {charset} to {own}: {before} becomes {after}, which reads “{text}”"]),
    all("text.decompressed", "decompressions", Moment, From, &["decompresses {from:bytes} to {to:bytes} by {coding}: {octets}"]),
    all("text.encoded", "texts", Headline, To, &["writes “{text}” in {charset}: {octets}"]),
    all("text.failed", "texts that cannot be read or sent", Headline, From, &["can do nothing with a text — {why}"]),
    all("text.packed", "messages", Moment, To, &["packs {parts} into a message: {from:bytes} become {to:bytes}, {octets}"]),
    all("text.taken", "texts as they are", Headline, From, &["takes {octets} for {own}, which reads “{text}”"]),
    all("text.unpacked", "parts", Moment, From, &["finds {bytes:bytes} of {said} in the message, {octets}: that looks like {looks}"]),
    all("thread.panicked", "panics", Headline, To, &["{thread} panics: {why}"]),
    when("way", "received", all("tls.alert", "alerts received", Moment, From, &["TLS alert: {description}[ — {why}]"])),
    when("description", "close_notify", all("tls.alert", "orderly ends", Detail, To, &["TLS ends in order: close_notify"])),
    all("tls.alert", "alerts", Moment, To, &["TLS alert: {description}[ — {why}]"]),
    when("way", "received", all("tls.certificate", "certificates checked", Moment, From, &["certificate of {name}: {why}"])),
    all("tls.certificate", "certificates shown", Moment, To, &["certificate chain of {certificates}, {bytes} bytes"]),
    when("way", "received", all("tls.client-hello", "ClientHellos received", Tick, From, &["ClientHello arrives"])),
    all("tls.client-hello", "ClientHellos", Moment, To, &["ClientHello[ for {sni}], {versions}[, ALPN {alpn}][ — {why}]"]),
    all("tls.finished", "TLS handshakes", Moment, To, &["TLS is up: {version}, {suite}[, ALPN {alpn}], after {took}[ — {why}]"]),
    when("way", "received", all("tls.server-hello", "ServerHellos received", Tick, From, &["ServerHello arrives"])),
    all("tls.server-hello", "ServerHellos", Moment, To, &["ServerHello: {version}, {suite}[ — {why}]"]),
    all("traceroute.answer", "answers", Moment, From, &["TTL {ttl}: {why}, after {took}"]),
    all("traceroute.failed", "probes without an answer", Moment, To, &["TTL {ttl}: {why}"]),
    all("transfer.anew", "files begun anew", Headline, Everyone, &["begins {file} anew — {why}"]),
    all("transfer.broken", "broken connections", Headline, Everyone, &["{file}: {confirmed:bytes} of {of:bytes} are confirmed — {why}"]),
    all("transfer.done", "files sent", Headline, Everyone, &["has sent {file}: {bytes:bytes} in {took}, {again:bytes} of it again"]),
    all("transfer.failed", "files not sent", Headline, Everyone, &["does not send {file} — {why}"]),
    all("transfer.resumed", "files resumed", Headline, Everyone, &["goes on with {file} at {from:bytes}"]),
    all("udp.drop", "dropped datagrams", Detail, From, &["drops a datagram: {why}"]),
    all("udp.icmp", "ICMP errors heard", Detail, From, &["hears from {reporter}: {why}"]),
    all("udp.receive", "datagrams received", Tick, From, &["receives a datagram of {bytes} bytes"]),
    all("udp.send", "datagrams", Tick, To, &["sends a datagram of {bytes} bytes"]),
];

/// A line of the table with its templates read.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) telling: &'static Telling,
    pub(super) texts: Vec<Template>,
}

impl Line {
    fn read(telling: &'static Telling) -> Self {
        Self { telling, texts: telling.texts.iter().filter_map(|text| Template::read(text)).collect() }
    }

    fn fits(&self, event: &Event) -> bool {
        let (field, value) = self.telling.when;
        field.is_empty()
            || match event.field(field) {
                Some(Value::Text(text)) => text.contains(value),
                Some(other) => other.to_string().contains(value),
                None => false,
            }
    }
}

/// For each kind its lines and those of its protocol, in the order of the table; read once.
static LINES: LazyLock<HashMap<&'static str, Vec<Line>, FixedState>> = LazyLock::new(|| {
    let mut lines: HashMap<&'static str, Vec<Line>, FixedState> = HashMap::default();
    for telling in TELLINGS {
        lines.entry(telling.kind).or_insert_with(|| {
            let own = TELLINGS.iter().filter(|t| t.kind == telling.kind);
            let whole = protocol(telling.kind);
            let rest = TELLINGS.iter().filter(|t| t.kind == whole && t.kind != telling.kind);
            own.chain(rest).map(Line::read).collect()
        });
    }
    lines
});

/// `tcp.*` for all events of TCP.
fn protocol(kind: &str) -> String {
    format!("{}.*", kind.split('.').next().unwrap_or_default())
}

/// How `event` is told: the lines of its kind that fit it, then those of its protocol.
pub(super) fn find(event: &Event) -> impl Iterator<Item = &'static Line> + '_ {
    let lines = LINES.get(event.kind).or_else(|| LINES.get(&*protocol(event.kind)));
    lines.into_iter().flatten().filter(|line| line.fits(event))
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
            assert!(Template::read(text).is_some(), "{text}");
            assert_eq!(text.matches('{').count(), text.matches('}').count(), "{text}");
            assert_eq!(text.matches('[').count(), text.matches(']').count(), "{text}");
        }
    }
}
