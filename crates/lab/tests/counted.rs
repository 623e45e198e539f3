//! What nodes record and count while labs play is what is declared: nothing else, and all of it but for what is listed here.

use std::collections::BTreeSet;
use std::path::Path;

use septet_lab::{BuildOptions, Lab, NodeKind, Run};

fn built(text: &str) -> Run {
    let lab = Lab::parse("lab.toml", text).unwrap_or_else(|e| panic!("{e}"));
    lab.build(&BuildOptions::default()).unwrap()
}

fn declared(kind: &str) -> Vec<septet_lab::Known> {
    septet_lab::KINDS.iter().find(|(name, _)| *name == kind).unwrap().1()
}

/// Nodes of each kind, with each kind of card.
const STATIONS: &str = r#"
[lab]
stop = "2s"
[media]
line = { rate = "10mbit", delay = "500ns" }
serial = { rate = "1mbit", delay = "1ms", arq = "go-back-n" }
[topology]
links = ["hub -- a, b : line", "a -- r : serial", "r -- s1", "s1 -- c"]
[hub.hub]
[switch.s1]
flow_control = true
[router.r]
rip = {}
ospf = {}
bgp = { as = 65001, neighbors = "192.0.2.1 as 65002" }
[host.a]
[host.b]
[host.c]
"#;

#[test]
fn stations_count_what_is_declared_of_their_kind() {
    let mut run = built(STATIONS);
    run.play().unwrap();
    let mut shown: BTreeSet<(&str, &str)> = BTreeSet::new();
    for (index, node) in run.lab().nodes.iter().enumerate() {
        run.world.show_counters(run.station(index).unwrap(), &mut |name, _| {
            let by = match node.kind() {
                NodeKind::Host | NodeKind::Router if name.starts_with(char::is_uppercase) => "host, router",
                NodeKind::Switch if name.starts_with("switch_") => "switch",
                NodeKind::Hub => "hub",
                NodeKind::Host | NodeKind::Router | NodeKind::Switch | NodeKind::L3Switch => "card",
            };
            shown.insert((by, name));
        });
    }
    let declared = declared("counters");
    let declared: BTreeSet<(&str, &str)> =
        declared.iter().map(|known| (known.counted.as_ref().unwrap().by[0], known.name)).collect();
    let difference: Vec<_> = shown.symmetric_difference(&declared).collect();
    assert!(difference.is_empty(), "shown or declared alone: {difference:?}");
}

/// Everything that programs and services record in the course of their work, and much of what they record when it fails.
const BUSY: &str = r#"
[lab]
stop = "40s"
sample = "5ms"
[topology]
links = ["c -- r : rate 10mbit delay 5ms", "r -- web, lb, names, sink : rate 100mbit delay 1ms", "r -- bad, dctcp, bbr : delay 1ms", "r -- r2 : delay 1ms", "sw -- r, d, e, f", "r -- io, box"]
[router.r]
rip = {}
ospf = { type = "point-to-point" }
bgp = { as = 65001, neighbors = "r2" }
[router.r2]
rip = {}
ospf = { type = "point-to-point" }
bgp = { as = 65002, neighbors = "r", networks = "10.77.0.0/16" }
[host.web.http]
listen = ["http://:80", "https://web"]
answers = ["/none: 404"]
[host.bad.http]
listen = ["http://:80", "https://bad"]
certificate = "self-signed"
[host.lb.balancer]
listen = "https://lb"
to = "web:80, bad:80"
health = { every = "500ms" }
[host.bad.balancer]
listen = "http://:8080"
to = "sink:81, web:80"
[host.names.dns]
zones = { "x.test" = { www = "web" } }
[host.dctcp]
tcp = "dctcp"
run = ["at 3s: tcp-send sink 5001 1mb"]
[host.bbr]
tcp = "bbr"
run = ["at 3s: tcp-send sink 5001 1mb"]
[switch.sw]
[router.r.dhcp_relay]
to = "names"
[router.r.firewall]
forward = "udp dport 5004 counter name voices"
[host.names.dhcp]
pools = "10.0.10.100 - 10.0.10.120"
lease = "20s"
[host.d]
address = "dhcp"
run = "at 35s: dhclient -r"
[host.e]
run = ["at 5s: arpspoof -c 3 -f -r -t f 10.0.10.1", "at 2s: stream 239.1.1.1:5005 --for 8s", "at 3s: stream f:9999 --tcp"]
[host.f]
run = ["at 6s: ping -c 2 web", "at 3s: stream --listen 239.1.1.1:5005 --for 2s"]
[host.io]
costs = { cores = 1, slice = "20us" }
run = ["io-server 7 --style threads --work 5ms", "at 16s: io-server 8 --style non-blocking"]
[host.box]
run = ["receive inbox", "chat -l --port 103 --line yes --line no"]
[host.sink]
run = ["tcp-sink 5001 --check", "tcp-echo 7", "udp-echo 7", "udp-sink 5002 --time 20s", "iperf3 -s", "stream --listen 5004 --buffer 1ms", "keys-receive", "text-receive --charset us-ascii --expect hello"]
[host.c]
run = [
    "at 1s: curl -s http://web/",
    "at 1s: curl -s http://web/none -d hello",
    "at 2s: curl -s https://www.x.test/",
    "at 2s: curl -s https://bad/",
    "at 2s: curl -s https://lb/ --repeat 20 --interval 100ms",
    "at 12s: curl -s http://r/ --retry 1 --retry-connrefused",
    "at 2s: dig none.x.test",
    "at 2s: dig @web www.x.test",
    "at 2s: ping -c 3 -i 1s sink",
    "at 2s: ping -c 1 192.0.2.1",
    "at 2s: traceroute sink",
    "at 3s: tcp-send sink 5001 1mb",
    "at 3s: tcp-send sink 7 10kb --receive",
    "at 3s: tcp-send r 9 1kb",
    "at 3s: udp-send sink 7 --size 100 --count 5 --receive",
    "at 4s: udp-send sink 5002 --size 100 --rate 1mbit --count 200",
    "at 2s: stream sink:5004 --for 5s --packet 8",
    "at 8s: iperf3 -c sink -t 2",
    "at 8s: send film box --bytes 4m --checkpoint 256k --patience 1s",
    "at 30s: send film box --bytes 10k",
    "at 30s: chat box:103 --half-duplex --line well --quiet 1s",
    "at 8s: io-client io 7 --connections 8 --requests 4",
    "at 17.5s: io-client io 8 --requests 2 --slow 2s",
    "at 13s: iperf3 -c sink -u -t 2",
    "at 3s: curl -s http://bad:8080/",
    "at 3s: keys-send agreement sink hello",
    "at 3s: keys-send hybrid web:80 hello",
    "at 3s: text-send --charset cp037 --picture sink hello",
    "at 4s: text-send sink good-bye",
    "at 4s: text-send r hello",
    "at 5s: tcp-send sink 1103 1kb",
    "at 2s: arping -c 2 r",
    "at 2s: tracepath sink",
    "at 3s: mtr --report -c 40 -i 50ms sink",
    "at 2s: nc -z web 80-81",
    "at 2s: nc --data hello sink 7",
    "at 3s: curl -s http://sink:5001/ -m 1",
    "at 3s: tcp-send web 80 1kb",
    "at 3s: tcp-send lb 443 1kb",
    "at 3s: dig other.test",
    "at 14.9s: curl -s http://www.x.test/",
    "at 15.1s: curl -s http://www.x.test/",
    "at 18.1s: curl -s https://lb/",
    "at 22s: curl -s https://lb/",
    "at 22s: tcp-send sink 5001 10mb",
    "at 22s: tcp-send sink 7 10mb --receive",
]
[faults]
script = ["3s..6s: loss 20% on r->sink", "4s..6s: duplicate 20% on r->sink", "4s..6s: reorder 20% on r->sink", "6s: crash bad", "9s: restart bad",
    "15s..17s: drop udp dport 53 on r", "18s: crash web, bad, io", "19s: restart io", "9s: reset c->box", "24s: reset c->sink"]
"#;

/// What the lab above does not come to: what is recorded where things go wrong in rare ways, or by programs of one's own.
const ELSEWHERE: &[&str] = &[
    "http.corrupt",
    "iperf3.error",
    // Tests of what a balancer does with too much, and what it is told, do: `balancer_rules`, `balancer-drain`.
    "balancer.admin.failed",
    "balancer.cut",
    "balancer.queue.full",
    "balancer.queue.timeout",
    "balancer.queued",
    "balancer.unproxied",
    "balancer.unrouted",
    "balancer.wait",
    // The labs of names and the tests of the PROXY protocol do.
    "forge.sent",
    "http.unproxied",
    "recursor.asked",
    "recursor.asked.tcp",
    "recursor.failed",
    "recursor.hits",
    "recursor.ignored",
    "recursor.joined",
    "recursor.lame",
    "recursor.queries",
    "recursor.referrals",
    "recursor.refused",
    "recursor.stale",
    "recursor.strangers",
    "recursor.time",
    "recursor.timeouts",
    "dns.limited",
    "dns.transfers",
    "dns.transfers.failed",
    "dns.truncated",
    "dns.ignored",
    "dhcp.declined",
    "dhcp.server.abandoned",
    "dhcp.server.refused",
    "dhcp.server.exhausted",
    "dhcp.server.unnamed",
    "dns.updates.refused",
    "service.failed.*",
    "app.*",
    // The tests of sessions break one before anything is confirmed.
    "transfer.anew",
    // The lab `dual-stack` expects it: it takes a path of IPv6 that is broken.
    "connect.raced",
    // The lab `certificate-flow` does.
    "authority.signed",
    "authority.refused",
    // `text-send` says of all that it sends what it is.
    "text.mislabelled",
    // The labs `keys-symmetric`, `keys-public`, `keys-hybrid` and `https` do: it takes a hub.
    "eavesdrop.conversations",
    "eavesdrop.bytes",
    "eavesdrop.read",
    "eavesdrop.opened",
    "eavesdrop.closed",
    "eavesdrop.found",
];

#[test]
fn programs_and_services_record_what_is_declared() {
    let mut recorded: BTreeSet<&str> = BTreeSet::new();
    let declared = declared("metrics");
    let outcome = built(BUSY).finish().unwrap();
    for (node, recorder) in &outcome.recorders {
        for name in recorder.names() {
            // A full name goes before a family.
            let of = declared.iter().find(|known| known.name == name).or_else(|| {
                declared.iter().find(|known| {
                    known
                        .name
                        .split_once('*')
                        .is_some_and(|(start, end)| name.starts_with(start) && name.ends_with(end))
                })
            });
            recorded.insert(of.unwrap_or_else(|| panic!("{node} records {name}, which is not declared")).name);
        }
    }
    let missing: BTreeSet<&str> =
        declared.iter().map(|known| known.name).filter(|name| !recorded.contains(name)).collect();
    assert_eq!(missing, ELSEWHERE.iter().copied().collect());
}

/// The sources of a crate, in one text.
fn sources(directory: &Path, text: &mut String) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|e| e == "rs") {
            text.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}

/// A counter that nobody counts up would be zero for ever, and an expectation of it would say nothing.
#[test]
fn whatever_is_declared_is_counted_by_somebody() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut all = 0;
    for name in ["network", "transport", "datalink"] {
        let mut text = String::new();
        sources(&crates.join(name).join("src"), &mut text);
        for block in text.split("counters! {").skip(1) {
            let rows = block.lines().take_while(|line| !line.starts_with('}'));
            for field in rows.filter_map(|row| Some(row.split_once(" = \"")?.0.trim())) {
                all += 1;
                let counts = ["{} += ", "&mut self.mib.{}", "{}, .."].map(|how| how.replace("{}", field));
                assert!(counts.iter().any(|c| text.contains(c)), "{name} declares `{field}`, and nobody counts it");
            }
        }
    }
    assert!(all > 120, "the search has lost its way: {all}");
}
