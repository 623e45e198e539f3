//! Packet filters and address translation, from the words in a lab file to what becomes of packets.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};

use septet_capture::Shared;
use septet_core::{Monitor, Observation, StationId};
use septet_lab::{BuildOptions, Lab};

/// A client and a neighbour behind a router, a server beyond it.
fn lab(router: &str, client: &str, server: &str, expect: &str) -> String {
    format!(
        r#"
[lab]
stop = "60s"
[topology]
links = ["client, other -- s", "s -- r : delay 1ms", "r -- server : delay 5ms"]
[switch.s]
[router.r]
{router}
[host.client]
{client}
[host.other]
http = {{ body = "1kb" }}
[host.server]
http = {{ body = "5kb" }}
{server}
[expect]
{expect}
"#
    )
}

fn play(text: &str) -> septet_lab::Outcome {
    let lab = Lab::parse("lab.toml", text).unwrap_or_else(|mistakes| panic!("{mistakes:?}\n{text}"));
    lab.build(&BuildOptions::default()).unwrap().finish().unwrap()
}

/// Its expectations hold, and not without what the router is told.
#[track_caller]
fn holds(router: &str, client: &str, server: &str, expect: &str) {
    let lab = |router: &str| lab(router, client, server, expect);
    let outcome = play(&lab(router));
    for verdict in &outcome.verdicts {
        assert!(verdict.held, "{}: {} ({})", verdict.name, verdict.text, verdict.found_in_words());
    }
    assert!(!play(&lab("")).ok(), "it holds without it");
}

#[test]
fn answers_pass_and_what_comes_unasked_does_not() {
    holds(
        r#"
        [router.r.firewall]
        forward = ["policy drop", "ct state established,related accept", "iifname s accept"]
        "#,
        r#"run = ["at 1s: curl http://server/", "at 2s: ping -c 2 server"]"#,
        r#"run = ["at 3s: ping -c 2 client", "at 6s: curl http://other/ --max-time 3"]"#,
        r#"
        out   = "client.http.ok == 1 and client.ping.ok == 2"
        in    = "server.ping.ok == 0 and server.ping.lost == 2 and server.http.ok == 0"
        count = "r.FirewallDrop > 2"
        "#,
    );
}

#[test]
fn a_refusal_is_told_at_once_and_a_drop_is_not() {
    holds(
        r#"
        [router.r.firewall]
        forward = ["tcp dport 80 reject with tcp reset", "tcp dport 7 reject", "tcp dport 9 drop", "icmp type echo-request reject with icmp type admin-prohibited"]
        "#,
        r#"run = ["at 1s: curl http://server/", "at 2s: tcp-send server 7 1kb", "at 3s: tcp-send server 9 1kb", "at 4s: ping -c 2 server"]"#,
        r#"run = ["tcp-sink 7", "tcp-sink 9"]"#,
        r#"
        reset  = "client.http.exit.7 == 1 and last(client.program.curl.exit) < 1.1s"
        icmp   = "first(client.program.tcp-send.exit) < 2.1s"
        silent = "count(within(client.program.tcp-send.exit, after = 2.1s, before = 30s)) == 0"
        ping   = "client.ping.error == 2"
        count  = "r.FirewallReject == 4 and r.FirewallDrop >= 4"
        "#,
    );
}

#[test]
fn two_hosts_behind_one_address_and_a_forward_to_one_of_them() {
    holds(
        r#"nat = { masquerade = "r--server", forward = "tcp 8080 -> other:80" }"#,
        r#"run = ["at 1s: curl http://server/", "at 2s: ping -c 2 server", "at 4s: curl http://10.0.2.1:8080/"]"#,
        r#"run = ["at 5s: curl http://10.0.2.1:8080/", "at 6s: curl http://10.0.2.1/ --max-time 3"]"#,
        r#"
        out     = "client.http.ok == 2 and client.ping.ok == 2"
        in      = "server.http.ok == 1 and server.http.exit.7 == 1"
        count   = "r.NatNew == 4"
        "#,
    );
}

/// What the server saw of those behind the router, by their address.
#[test]
fn nobody_outside_sees_an_address_inside() {
    let text = lab(
        r#"nat = "masquerade on eth1""#,
        r#"run = ["at 1s: curl http://server/", "at 2s: ping -c 2 server", "at 4s: traceroute server"]"#,
        "",
        r#"out = "client.http.ok == 1 and client.ping.ok == 2 and client.traceroute.ok >= 4""#,
    );
    let lab = Lab::parse("lab.toml", &text).unwrap();
    let mut run = lab.build(&BuildOptions::default()).unwrap();
    let seen = Shared::new(Seen { server: run.station(lab.node("server").unwrap()), ..Seen::default() });
    run.world.add_monitor(seen.clone());
    assert!(run.finish().unwrap().ok());
    seen.with(|Seen { packets, .. }| {
        assert!(packets.contains(&([10, 0, 2, 1], [10, 0, 2, 10])), "{packets:?}");
        assert!(packets.iter().all(|(src, dst)| src[2] == 2 && dst[2] == 2), "{packets:?}");
    });
}

/// Sources and destinations of packets of IPv4 at the server.
#[derive(Default)]
struct Seen {
    server: Option<StationId>,
    packets: BTreeSet<([u8; 4], [u8; 4])>,
}

impl Monitor for Seen {
    fn frame(&mut self, seen: &Observation<'_>) {
        let bytes = seen.frame.bytes();
        if Some(seen.station) == self.server && bytes[12..14] == [8, 0] {
            let address = |at: usize| bytes[at..at + 4].try_into().unwrap();
            self.packets.insert((address(26), address(30)));
        }
    }
}

#[test]
fn rules_count_limit_and_log() {
    holds(
        r#"
        [router.r.firewall]
        forward = ["icmp type echo-request limit rate 1/second burst 2 packets counter name pings accept", "icmp type echo-request log prefix \"too many: \" drop"]
        "#,
        r#"run = ["at 1s: ping -c 20 -i 0.1 server"]"#,
        "",
        r#"
        some  = "3 <= client.ping.ok <= 4"
        named = "r.firewall.pings.packets == client.ping.ok and r.firewall.pings.bytes == 84 * client.ping.ok * 1b"
        logs  = "r.FirewallLog == 20 - client.ping.ok"
        "#,
    );
}

#[test]
fn the_hosts_own_packets_are_filtered_too() {
    let outcome = play(&lab(
        "",
        r#"
        run = ["at 1s: curl http://server/ --max-time 2", "at 5s: ping -c 1 server", "at 6s: ping -c 1 127.0.0.1"]
        [host.client.firewall]
        output = ["ip daddr server tcp dport http drop", "oifname lo accept"]
        "#,
        "",
        r#"
        silent = "client.http.ok == 0 and client.FirewallDrop >= 1 and client.FirewallDrop == client.IpOutDiscards"
        ping   = "client.ping.ok == 2"
        "#,
    ));
    assert!(outcome.ok(), "{:?}", outcome.verdicts);
}

#[test]
fn fragments_are_seen_whole_and_translated() {
    holds(
        r#"nat = "server""#,
        r#"run = ["at 1s: ping -c 2 -s 4000 server"]"#,
        "",
        r#"out = "client.ping.ok == 2 and r.IpReasmOKs == 4 and r.NatNew == 1""#,
    );
}

#[test]
fn what_was_known_is_forgotten_when_a_router_starts_again() {
    let text = lab(
        r#"nat = "server""#,
        r#"run = ["at 1s: udp-send server 9 --size 100 --rate 800bit --count 12 --receive"]"#,
        r#"run = ["udp-echo 9"]"#,
        r#"
        new = "r.NatNew == 2"
        "#,
    ) + "[faults]\nscript = [\"5s: crash r\", \"7s: restart r\"]\n";
    assert!(play(&text).ok());
}

/// The first mistake of a router with these keys: its reason, and its mend.
#[track_caller]
fn wrong(router: &str) -> String {
    let mistakes = Lab::parse("lab.toml", &lab(router, "", "", "")).expect_err(router);
    let first = mistakes.iter().next().unwrap();
    format!("{} | {}", first.reason(), first.mend().unwrap_or_default())
}

#[track_caller]
fn rule(text: &str) -> String {
    wrong(&format!("[router.r.firewall]\nforward = ['{text}']\n"))
}

#[test]
fn mistakes_say_what_is_wrong_and_what_is_right() {
    let mut others = Vec::new();
    for (text, said) in [
        ("tcp dport 80 acept", "no statement begins with `acept` | did you mean `accept`?"),
        ("tcp dport 80 allow", "no statement begins with `allow` | nft's word is `accept`"),
        (
            "-A INPUT -p tcp",
            "no statement begins with `-A` | rules are written in nft's words, not in those of iptables: `tcp dport 22 accept`",
        ),
        ("tcp port 80 accept", "`tcp port` is not known | did you mean `sport`?"),
        ("tcp dport 80, 443 accept", "several values stand in braces | `{ 80, 443 }`"),
        ("tcp dport 70000 accept", "`70000` is no port | from 0 to 65535"),
        ("tcp dport 90-80 accept", "`90-80` ends before it begins | write `80-90`"),
        ("tcp dport accept", "`accept` is no port | port: "),
        ("ip saddr clinet drop", "no node is called `clinet` | did you mean `client`?"),
        ("ip saddr fd00::1 drop", "fd00::1 is no address of IPv4 | it stands behind `ip6`"),
        ("ct state establisched accept", "`establisched` is no state | did you mean `established`?"),
        ("iifname eth7 accept", "`r` has no port eth7 | interfaces of r: eth0 (to s), eth1 (to server)"),
        ("iifname client accept", "no link leads from `r` to `client` | interfaces of r"),
        ("accept drop", "`accept` ends the rule, and this stands behind it"),
        ("limit rate 5 accept", "`accept` is no rate"),
        ("limit rate 5/fortnight accept", "`fortnight` is no unit of time"),
        ("jump web", "there is no chain `web` | chains of your own"),
        ("masquerade", "`masquerade` stands in the chain `postrouting`"),
        ("log prefix \"x accept", "the quote does not end"),
        ("reject with icmp type nobody-home", "`nobody-home` is no ICMP code"),
        ("ip saddr @admins drop", "there is no set `admins`"),
        ("tcp dport { 80, 443 accept", "`}` is missing"),
    ] {
        let found = rule(text);
        if !found.starts_with(said) {
            others.push(format!("{text}:\n  {found}\n  {said}"));
        }
    }
    for (router, said) in [
        ("nat = 'masquerade on eth9'", "`r` has no port eth9"),
        ("nat = 'client'", "no link leads from `r` to `client`"),
        (
            "nat = { forward = 'tcp 80 other:80' }",
            "`->` is missing, and where it leads | for example `tcp 8080 -> web:80`",
        ),
        ("nat = { forward = ['tcp 80 -> other', 'tcp 70-90 -> client'] }", "this port is forwarded already"),
        ("nat = { forward = 'icmp 80 -> other' }", "`icmp` is no protocol that has ports"),
        ("nat = { forward = 'tcp 80 -> othr' }", "no node is called `othr` | did you mean `other`?"),
        ("nat = { mapping = 'symmetric' }", "`router.r.nat.mapping` cannot be `symmetric`"),
        ("nat = { filter = 'x' }", "there is no key `filter` in `router.r.nat`"),
        (
            "[router.r.firewall]\ninput = ['oifname eth0 drop']",
            "where a packet leaves is not known in the chain `input`",
        ),
        ("[router.r.firewall]\ninput = ['policy deny']", "`deny` is no policy"),
        ("[router.r.firewall]\npolicy = 'deny'", "`router.r.firewall.policy` cannot be `deny`"),
        ("[router.r.firewall]\nchains = { a = 'jump b', b = 'goto a' }", "the chain `a` leads to itself"),
        (
            "[router.r.firewall]\nforward = 'ip saddr @x drop'\nsets = { x = '{ 10.0.0.0/99 }' }",
            "`10.0.0.0/99` is no network",
        ),
        ("[router.r.firewall]\nconntrack = { udp = '0s' }", "no time at all"),
    ] {
        let found = wrong(router);
        if !found.starts_with(said) {
            others.push(format!("{router}:\n  {found}\n  {said}"));
        }
    }
    assert!(others.is_empty(), "{}", others.join("\n"));
}

/// Rules that nft takes, too.
const GOOD: &[&str] = &[
    "accept",
    "ct state established,related accept",
    "ct state { new, untracked } tcp dport { 22, 80, 443, 8000-8999 } accept",
    "ct state vmap { established : accept, related : accept, invalid : drop }",
    "tcp dport vmap { 22 : accept, 23 : drop, 80-90 : jump web }",
    "ip saddr 10.0.1.0/24 ip daddr != 10.0.2.0/24 drop",
    "ip saddr { 10.0.1.1, 10.0.1.5-10.0.1.9 } accept",
    "ip6 saddr fd00::/8 ip6 daddr ::/0 accept",
    "ip protocol { tcp, udp, icmp } accept",
    "ip6 nexthdr icmpv6 accept",
    "icmp type { echo-request, destination-unreachable } limit rate 5/second accept",
    "icmp type echo-request limit rate over 10/minute burst 20 packets drop",
    "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept",
    "limit rate 1 mbytes/second burst 100 kbytes accept",
    "meta l4proto { tcp, udp } th dport 53 accept",
    "meta nfproto ipv6 drop",
    "iifname \"eth0\" oifname \"eth1\" accept",
    "iifname { \"eth0\", \"eth1\" } accept",
    "tcp flags syn accept",
    "tcp flags & (fin|syn|rst|ack) == syn ct state new accept",
    "tcp flags != syn counter drop",
    "tcp sport > 1023 tcp dport <= 1023 accept",
    "ip ttl < 5 drop",
    "ip dscp ef accept",
    "ip dscp { cs0, af11, 46 } counter",
    "ip length 100-200 accept",
    "meta length 1400-1500 counter",
    "fib daddr type local accept",
    "ct direction reply accept",
    "ct status dnat accept",
    "counter packets 0 bytes 0 log prefix \"seen: \" level info continue",
    "udp dport domain accept comment \"names\"",
    "reject",
    "reject with tcp reset",
    "reject with icmp type host-unreachable",
    "reject with icmp admin-prohibited",
    "reject with icmpv6 type no-route",
    "reject with icmpx type port-unreachable",
    "jump web",
    "goto web",
    "return",
];

fn with_rules(rules: &[&str]) -> String {
    let rules = rules.iter().map(|rule| format!("    '{rule}',\n")).collect::<String>();
    lab(
        &format!(
            "[router.r.firewall]\nforward = [\n{rules}]\nchains = {{ web = [\"tcp dport 80 accept\", \"drop\"] }}\n"
        ),
        "",
        "",
        "",
    )
}

#[test]
fn nfts_rules_are_understood() {
    for rule in GOOD {
        let lab = Lab::parse("lab.toml", &with_rules(&[rule])).unwrap_or_else(|m| panic!("{rule}: {m:?}"));
        drop(lab);
    }
    Lab::parse("lab.toml", &with_rules(GOOD)).unwrap();
}

/// Rules that neither takes.
const BAD: &[&str] = &[
    "tcp dport 80, 443 accept",
    "tcp dport 70000 accept",
    "tcp dport 90-80 accept",
    "tcp dport { } accept",
    "tcp dport { 80, 443 accept",
    "tcp port 80 accept",
    "tcp flags syn,sin accept",
    "ip saddr fd00::1 drop",
    "ip saddr 10.0.0.0/33 drop",
    "ip saddr @nobody drop",
    "icmp type nd-neighbor-solicit accept",
    "ct state establisched accept",
    "ct direction sideways accept",
    "accept drop",
    "jump nowhere",
    "limit rate 5 accept",
    "limit rate 0/second accept",
    "reject with icmp type nobody-home",
];

#[test]
fn what_nft_refuses_is_refused() {
    for rule in BAD {
        assert!(Lab::parse("lab.toml", &with_rules(&[rule])).is_err(), "{rule}");
    }
}

/// What nft itself says of these rules; nothing where it is not there.
fn nft(rule: &str) -> Option<bool> {
    let table = format!(
        "table inet t {{\n chain web {{ tcp dport 80 accept; drop; }}\n chain forward {{ type filter hook forward priority 0; \
         policy drop;\n {rule}\n }}\n}}\n"
    );
    judged(&table).map(|said| said.is_ok())
}

/// What `nft -c` says of a whole ruleset; nothing where it is not there.
fn judged(ruleset: &str) -> Option<Result<(), String>> {
    let mut nft = Command::new("unshare");
    nft.args(["--map-root-user", "--net", "nft", "-c", "-f", "-"]);
    let spawned = nft.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let output = spawned.and_then(|mut child| {
        child.stdin.take().expect("it is piped").write_all(ruleset.as_bytes())?;
        child.wait_with_output()
    });
    let said = |output: &std::process::Output| String::from_utf8_lossy(&output.stderr).into_owned();
    match output {
        Ok(output) if output.status.success() => Some(Ok(())),
        // nft says where a rule is wrong; whoever cannot run it says something else.
        Ok(output) if said(&output).contains("Error") => Some(Err(said(&output))),
        other => {
            assert!(std::env::var_os("SEPTET_REQUIRE_JUDGES").is_none_or(|v| v != "1"), "nft is missing: {other:?}");
            eprintln!("SKIPPED: nft is not there, or may not run: {other:?}");
            None
        }
    }
}

#[test]
fn nft_takes_the_same_rules() {
    for (rules, takes) in [(GOOD, true), (BAD, false)] {
        for rule in rules {
            let Some(taken) = nft(rule) else { return };
            assert_eq!(taken, takes, "{rule}");
        }
    }
}

#[test]
fn rules_without_effect_are_warned_of() {
    let lab = Lab::parse("lab.toml", &with_rules(&["tcp dport 22"])).unwrap();
    let warned: Vec<_> = lab.warnings.iter().map(|m| m.reason().to_owned()).collect();
    assert_eq!(warned, ["this rule does nothing with the packets that fit"]);
}

/// The lab above over IPv6, and a router that lets answers, errors and what `forward` says pass.
#[track_caller]
fn holds_over_v6(forward: &str, client: &str, server: &str, expect: &str) {
    let router = format!(
        "[router.r.firewall]\nforward = ['policy drop', 'ct state established,related accept', {forward}]\n\
         input = ['policy drop', 'ct state established,related accept', 'icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert, \
         nd-router-solicit, echo-request }} accept', 'meta l4proto ipv6-icmp accept']"
    );
    let over_v6 = |router: &str| lab(router, client, server, expect).replace("[lab]\n", "[lab]\nip = \"6\"\n");
    let outcome = play(&over_v6(&router));
    for verdict in &outcome.verdicts {
        assert!(verdict.held, "{}: {} ({})", verdict.name, verdict.text, verdict.found_in_words());
    }
    assert!(!play(&over_v6("")).ok(), "it holds without it");
}

#[test]
fn over_ipv6_answers_and_errors_pass_and_what_comes_unasked_does_not() {
    holds_over_v6(
        "'iifname s accept'",
        r#"run = ["at 1s: curl http://server/", "at 2s: ping -6 -c 2 server", "at 3s: nc -u -z server 9", "at 4s: traceroute -6 -n server"]"#,
        r#"run = ["at 8s: ping -6 -c 2 client", "at 11s: curl http://other/ --max-time 3"]"#,
        r#"
        page     = "client.http.ok == 1 and client.ping.ok == 2"
        told     = "client.nc.failed == 1"
        way      = "client.traceroute.ok == 6"
        unasked  = "server.ping.lost == 2 and server.http.exit.28 == 1 and other.http.requests == 0"
        "#,
    );
}

#[test]
fn programs_list_the_rules_as_nft_takes_them_and_the_connections_as_conntrack_does() {
    let router = r#"
        run = ["at 3s: nft list ruleset", "at 3s: nft list tables", "at 3s: conntrack -L", "at 3s: conntrack -L -p tcp", "at 3s: conntrack -C"]
        [router.r.firewall]
        forward = [
            "policy drop",
            "ct state established,related accept",
            "iif s tcp dport {22,80} ct state new counter accept",
            "ip saddr @known counter name asked log prefix \"in: \" accept",
            "ip daddr vmap { server : accept, other : jump own }",
        ]
        postrouting = ["oifname server masquerade"]
        sets = { known = "{ client, 10.9.0.0/16 }" }
        chains = { own = ["ip daddr != server reject with icmp type port-unreachable"] }
    "#;
    let text = lab(
        router,
        r#"run = ["at 1s: curl http://server/", "at 2s: ping -c 1 server"]"#,
        "",
        "a = \"client.http.ok == 1\"",
    );
    let lab = Lab::parse("lab.toml", &text).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
    let mut run = lab.build(&BuildOptions::default()).unwrap();
    run.play().unwrap();
    let router = lab.nodes.iter().position(|node| node.name == "r").unwrap();
    let outputs = run.outputs();
    let printed: Vec<String> = outputs.iter().filter(|o| o.node == router).map(|o| o.console.output()).collect();
    let [ruleset, tables, all, tcp, count] = &printed[..] else { panic!("{printed:?}") };
    assert_eq!(
        ruleset,
        "table inet filter {
\tcounter asked {
\t\tpackets 1 bytes 84
\t}

\tchain forward {
\t\ttype filter hook forward priority filter; policy drop;
\t\tct state established,related accept
\t\tiifname \"eth0\" tcp dport { 22, 80 } ct state new counter packets 1 bytes 60 accept
\t\tip saddr { 10.0.1.10, 10.9.0.0/16 } counter name \"asked\" log prefix \"in: \" accept
\t\tip daddr vmap { 10.0.2.10 : accept, 10.0.1.11 : jump own }
\t}

\tchain postrouting {
\t\ttype filter hook postrouting priority filter; policy accept;
\t}

\tchain own {
\t\tip daddr != 10.0.2.10 reject with icmp type port-unreachable
\t}
}
table inet nat {
\tchain postrouting {
\t\ttype nat hook postrouting priority srcnat; policy accept;
\t\toifname \"eth1\" masquerade
\t}
}
"
    );
    assert_eq!(tables, "table inet filter\ntable inet nat\n");
    if let Some(said) = judged(ruleset) {
        assert_eq!(said, Ok(()), "{ruleset}");
    }
    let lines: Vec<String> = all.lines().map(without_numbers).collect();
    // In the order in which they began; what was closed is in TIME_WAIT.
    assert_eq!(
        lines,
        [
            "tcp 6 N TIME_WAIT src=10.0.1.10 dst=10.0.2.10 sport=N dport=80 src=10.0.2.10 dst=10.0.2.1 sport=80 dport=N [ASSURED] mark=0 use=1",
            "icmp 1 N src=10.0.1.10 dst=10.0.2.10 type=8 code=0 id=N src=10.0.2.10 dst=10.0.2.1 type=0 code=0 id=N mark=0 use=1",
        ]
    );
    assert_eq!((tcp.lines().count(), count.as_str()), (1, "2\n"));
}

/// A line without what differs from host to host: times, ports that the host chose, identifiers.
fn without_numbers(line: &str) -> String {
    let mut words = line.split_whitespace().enumerate().map(|(at, word)| match word.split_once('=') {
        Some((name @ ("sport" | "dport" | "id"), number)) if number != "80" => format!("{name}=N"),
        None if at == 2 => "N".to_owned(),
        _ => word.to_owned(),
    });
    let first = words.next().unwrap_or_default();
    words.fold(first, |line, word| line + " " + &word)
}
