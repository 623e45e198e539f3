//! Filters, holds and resets as faults: what becomes of the packets that they mean, and of no others.

use septet_capture::Shared;
use septet_core::{Event, Interest, Monitor};
use septet_lab::{BuildOptions, Lab};

#[derive(Default)]
struct Events(Vec<Event>);

impl Monitor for Events {
    fn interest(&self) -> Interest {
        Interest::Events
    }

    fn event(&mut self, event: &Event) {
        self.0.push(event.clone());
    }
}

/// A client and a server with a router between them.
fn lab(client: &str, server: &str, faults: &str, expect: &str) -> String {
    format!(
        r#"
[lab]
stop = "20s"
[topology]
links = ["client -- r1 : delay 5ms, rate 10mbit", "r1 -- server : delay 5ms"]
[router.r1]
[host.client]
run = [{client}]
[host.server]
{server}
[faults]
script = [{faults}]
[expect]
{expect}
"#
    )
}

#[track_caller]
fn holds(text: &str) {
    let lab = Lab::parse("lab.toml", text).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
    let outcome = lab.build(&BuildOptions::default()).unwrap().finish().unwrap();
    for verdict in &outcome.verdicts {
        assert!(verdict.held, "{}: {} ({})", verdict.name, verdict.text, verdict.found_in_words());
    }
    // Without the fault at least one expectation fails.
    let start = text.find("script = [").unwrap();
    let end = start + text[start..].find("]\n").unwrap();
    let calm = format!("{}script = [{}", &text[..start], &text[end..]);
    let lab = Lab::parse("lab.toml", &calm).unwrap();
    assert!(!lab.build(&BuildOptions::default()).unwrap().finish().unwrap().ok(), "it holds without the fault");
}

#[track_caller]
fn refused(fault: &str) -> String {
    let lab = Lab::parse("lab.toml", &lab("", "", "", "")).unwrap();
    let mistakes = lab.fault(fault).unwrap_err();
    let first = mistakes.iter().next().unwrap();
    format!("{} | {}", first.reason(), first.mend().unwrap_or_default())
}

const PINGS: &str = r#""at 1s: ping -c 10 -i 1s server""#;

#[test]
fn a_protocol_is_dropped_and_no_other() {
    holds(&lab(
        r#""at 1s: ping -c 10 -i 1s server", "at 1s: udp-send server 9 --size 100 --rate 80kbit --count 1000""#,
        r#"run = ["udp-sink 9"]"#,
        r#""3.5s..6.5s: drop icmp on client->r1""#,
        r#"
pings = "sum(client.ping.lost) == 3"
udp   = "server.sink.datagrams == 1000"
count = "filtered(client->r1) == 3 and drops(client->r1) == 3 and client.drop.filter == 3"
other = "filtered(r1->client) == 0"
"#,
    ));
}

#[test]
fn a_node_s_filter_sees_what_it_passes_on_once_and_what_it_sends() {
    // Five echoes that pass through r1 come later once each way; the router's own answers are held back once.
    holds(&lab(
        r#""at 1s: ping -c 5 -i 1s server", "at 10s: ping -c 3 -i 1s r1""#,
        "",
        r#""delay 100ms icmp on r1""#,
        r#"
passed = "219ms < p50(within(client.ping.time, before = 9s)) < 222ms"
own    = "209ms < p50(within(client.ping.time, after = 9s)) < 212ms"
"#,
    ));
    holds(&lab(
        PINGS,
        "",
        r#""drop out icmp on r1.eth1""#,
        r#"one = "filtered(r1->server) == 10 and filtered(client--r1) == 0""#,
    ));
    holds(&lab(PINGS, "", r#""drop in icmp echo-request on server""#, r#"one = "sum(client.ping.lost) == 10""#));
}

#[test]
fn by_port_flag_address_and_size() {
    let tcp = r#""at 1s: tcp-send server 7 100kb""#;
    let sink = r#"run = ["tcp-sink 7"]"#;
    // The handshake is repeated a second later.
    holds(&lab(tcp, sink, r#""500ms..1.5s: drop syn not ack on client->r1""#, r#"syn = "client.TcpRetransSegs == 1""#));
    holds(&lab(
        tcp,
        sink,
        r#""drop tcp dport 7 src client host server first 2 on r1""#,
        r#"n = "client.TcpRetransSegs == 2""#,
    ));
    holds(&lab(
        tcp,
        sink,
        r#""drop tcp size 1400.. nth 5 on client--r1""#,
        r#"
one  = "filtered(client->r1) == 1 and filtered(r1->client) == 0"
sent = "client.TcpRetransSegs == 1"
"#,
    ));
    holds(&lab(PINGS, "", r#""drop icmp echo-request every 3 on client->r1""#, r#"n = "sum(client.ping.lost) == 3""#));
    holds(&lab(
        r#""at 1s: ping -c 10 -i 1s -s 1000 server", "at 1s: ping -c 10 -i 1s server""#,
        "",
        r#""drop icmp size ..100 dst server on r1""#,
        r#"n = "sum(client.ping.lost) == 10 and count(client.ping.time) == 10""#,
    ));
}

#[test]
fn what_is_refused_is_told() {
    let tcp = r#""at 1s: tcp-send server 7 1kb""#;
    let sink = r#"run = ["tcp-sink 7"]"#;
    let soon = r#"soon = "client.send.error == 1 and last(client.program.tcp-send.exit) < 1.1s""#;
    // A reset, as from a closed port; an ICMP error, which ends a connection that is being opened.
    holds(&lab(tcp, sink, r#""reject tcp dport 7 on r1""#, soon));
    holds(&lab(tcp, sink, r#""reject tcp dport 7 with icmp-admin-prohibited on r1""#, soon));
    holds(&lab(tcp, sink, r#""reject tcp dport 7 on r1->server with port-unreachable""#, soon));
    // Before the sender's own card.
    holds(&lab(tcp, sink, r#""reject out tcp on client""#, soon));
}

#[test]
fn copies_and_shares() {
    let udp = r#""at 1s: udp-send server 9 --size 100 --rate 800kbit --count 2000""#;
    let sink = r#"run = ["udp-sink 9"]"#;
    holds(&lab(udp, sink, r#""duplicate udp dport 9 on client->r1""#, r#"twice = "server.UdpInDatagrams == 4000""#));
    holds(&lab(
        udp,
        sink,
        r#""loss 25% udp dport 9 on client->r1""#,
        r#"some = "1300 < server.UdpInDatagrams < 1700""#,
    ));
    holds(&lab(
        udp,
        sink,
        r#""drop 25% udp dport 9 on client->r1""#,
        r#"some = "1300 < server.UdpInDatagrams < 1700""#,
    ));
}

#[test]
fn a_hold_lets_nothing_pass_and_loses_nothing() {
    let udp = r#""at 1s: udp-send server 9 --size 100 --rate 80kbit --count 1000""#;
    let sink = r#"run = ["udp-sink 9"]"#;
    holds(&lab(
        udp,
        sink,
        r#""3s..5s: hold client->r1""#,
        r#"
all     = "server.sink.datagrams == 1000 and server.sink.late == 0"
nothing = "count(within(server.sink.bytes, after = 3.02s, before = 5s)) == 0"
"#,
    ));
    // One direction, and one sort of packet: the answers to what was asked before still come.
    holds(&lab(
        PINGS,
        "",
        r#""3.5s..6.5s: hold icmp echo-reply on server->r1""#,
        r#"
late = "sum(client.ping.lost) == 0 and max(client.ping.time) > 2.4s"
one  = "filtered(r1->server) == 0"
"#,
    ));
    // Two that overlap: the second keeps what the first lets go.
    holds(&lab(
        udp,
        sink,
        r#""3s..5s: hold r1--client", "4s..7s: hold client--r1""#,
        r#"
all     = "server.sink.datagrams == 1000 and server.sink.late == 0"
nothing = "count(within(server.sink.bytes, after = 3.02s, before = 7s)) == 0"
"#,
    ));
}

#[test]
fn a_cut_loses_what_is_held() {
    let udp = r#""at 1s: udp-send server 9 --size 100 --rate 80kbit --count 1000""#;
    holds(&lab(
        udp,
        r#"run = ["udp-sink 9"]"#,
        r#""3s..5s: hold client->r1", "4s..4.5s: cut client--r1""#,
        r#"lost = "server.sink.datagrams < 900 and drops(client->r1) >= 100""#,
    ));
}

#[test]
fn living_connections_are_reset_at_both_ends() {
    let client = r#""at 1s: tcp-send server 7 200mb""#;
    let server = r#"run = ["tcp-sink 7"]"#;
    for fault in [
        "2s: reset client->server",
        "2s: reset server",
        "2s: reset server--client port 7",
        "2s..3s: reset client->server",
    ] {
        let text = lab(
            client,
            server,
            &format!("\"{fault}\""),
            r#"
client = "client.send.error == 1 and 2s <= last(client.program.tcp-send.exit) < 2.1s"
resets = "client.TcpEstabResets == 1 and server.TcpEstabResets == 1"
"#,
        );
        holds(&text.replace("\"20s\"", "\"4s\""));
    }
    // Another port is another connection.
    let other = lab(client, server, r#""2s: reset server port 8""#, r#"none = "client.TcpEstabResets == 0""#);
    let other = other.replace("\"20s\"", "\"4s\"");
    assert!(Lab::parse("t", &other).unwrap().build(&BuildOptions::default()).unwrap().finish().unwrap().ok());
}

#[test]
fn what_a_filter_stopped_says_which_rule_did() {
    let text = lab(PINGS, "", r#""3s..5s: drop icmp on client->r1""#, "");
    let mut run = Lab::parse("t", &text).unwrap().build(&BuildOptions::default()).unwrap();
    let events = Shared::new(Events::default());
    run.world.add_monitor(events.clone());
    run.play().unwrap();
    let events = events.with(|e| std::mem::take(&mut e.0));
    let drops: Vec<_> = events.iter().filter(|e| e.kind == "filter.drop").collect();
    assert_eq!(drops.len(), 2);
    for drop in drops {
        assert_eq!(drop.field("rule").unwrap().to_string(), "drop icmp on client->r1");
        let cause = events.iter().find(|e| e.id == drop.cause).unwrap();
        assert_eq!(cause.kind, "fault.filter");
    }
}

#[test]
fn a_filter_comes_and_goes_while_the_lab_runs() {
    let mut run = Lab::parse("t", &lab(PINGS, "", "", "")).unwrap().build(&BuildOptions::default()).unwrap();
    run.world.run_until(septet_core::Instant::from_millis(2500)).unwrap();
    let fault = run.lab().fault("drop icmp on r1").unwrap();
    let id = run.inject(&fault);
    run.world.run_until(septet_core::Instant::from_millis(4500)).unwrap();
    assert!(run.cancel(id) && !run.cancel(id));
    run.play().unwrap();
    let lost = run.recorders().find(|(name, _)| *name == "client").unwrap().1.series("ping.lost").unwrap();
    assert_eq!(lost.samples()[0].value, 2.0);
}

#[test]
fn mistakes_stand_where_they_are_with_the_nearest_word() {
    for (fault, reason) in [
        ("drop tpc on r1", "`tpc` says nothing of a packet"),
        ("drop tpc on r1", "`tcp`"),
        ("drop tcp dport http on r1", "`http` is no port"),
        ("drop tcp udp on r1", "a packet is not two things at once"),
        ("drop udp syn on r1", "control bits are tcp's"),
        ("drop icmp dport 53 on r1", "ports are tcp and udp's"),
        ("drop tcp", "where?"),
        ("drop tcp on", "a link, a port or a node is missing"),
        ("drop tcp on r9", "no node is called `r9`"),
        ("drop tcp on r1.eth7", "`r1` has no port eth7"),
        ("drop in tcp on r1->server", "`in` is said of a node or its port"),
        ("drop tcp src nobody on r1", "no node is called `nobody`"),
        ("drop tcp src 10.0.0.0/99 on r1", "`10.0.0.0/99` is no network"),
        ("drop tcp size 100..50 on r1", "no packet has such a size"),
        ("drop tcp nth 0 on r1", "`0` is not a number of packets"),
        ("drop tcp nth 1 every 2 on r1", "packets are counted twice"),
        ("drop not on r1", "not what?"),
        ("reject tcp with tcp-rst on r1", "`tcp-reset`"),
        ("drop tcp with tcp-reset on r1", "`with` says nothing of a packet"),
        ("delay 5 tcp on r1", "a time needs a unit"),
        ("delay 5ms tpc on r1", "`tpc` is not a word of netem"),
        ("hold r1--nobody", "no node is called `nobody`"),
        ("reset r9", "no node is called `r9`"),
        ("reset client port x", "`x` is no port"),
    ] {
        let found = refused(fault);
        assert!(found.contains(reason), "{fault}: {found}");
    }
}
