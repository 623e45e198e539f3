//! Name servers of the lab file: sizes, times to live, and every kind of record.

use septet_lab::{BuildOptions, Lab};

/// Plays a lab whose expectations hold, and gives what its programs print.
fn play(text: &str) -> String {
    let lab = Lab::parse("lab.toml", text).unwrap_or_else(|e| panic!("{e}"));
    let mut run = lab.build(&BuildOptions::default()).unwrap();
    run.play().unwrap();
    for verdict in &run.outcome().verdicts {
        assert!(verdict.held, "{verdict}");
    }
    run.outputs().iter().map(|o| o.console.output()).collect()
}

/// Asks for 128 addresses, some 2 KB.
fn many(options: &str, server: &str, expected: &str) {
    let addresses: Vec<String> = (1..=128).map(|i| format!("\"10.8.0.{i}\"")).collect();
    let text = format!(
        r#"
[lab]
stop = "20s"
[topology]
links = ["c -- r -- ns : rate 10mbit delay 10ms"]
[router.r]
[host.ns.dns]
{server}
zones = {{ "size.test" = {{ many = [{}] }} }}
[host.c]
run = ["at 1s: dig many.size.test {options}"]
[expect]
answer = "c.dns.ok == 1 and {expected}"
"#,
        addresses.join(", ")
    );
    play(&text);
}

#[test]
fn an_answer_that_is_too_long_for_a_datagram_comes_over_tcp() {
    let tcp = "c.TcpActiveOpens == 1 and ns.IpFragCreates == 0";
    let fragments = "c.TcpActiveOpens == 0 and ns.IpFragCreates >= 2";
    many("+noedns", "", tcp);
    many("+bufsize=1232", "", tcp);
    many("+bufsize=4096", "udp_size = 4096", fragments);
    many("+bufsize=4096", "", tcp);
    many("+noedns +ignore", "", "c.TcpActiveOpens == 0 and ns.IpFragCreates == 0");
}

#[test]
fn a_rate_limit_leaves_tcp_to_honest_clients() {
    let text = |slip, expected: &str| {
        let questions = vec!["\"at 1s: dig +tries=1 www.rate.test\""; 20].join(", ");
        format!(
            r#"
[lab]
stop = "30s"
[topology]
links = ["c, ns -- s"]
[switch.s]
[host.ns.dns]
rate_limit = 5
slip = {slip}
zones = {{ "rate.test" = {{ www = "c" }} }}
[host.c]
run = [{questions}]
[expect]
answer = "{expected}"
"#
        )
    };
    play(&text(1, "ns.dns.limited == 15 and c.TcpActiveOpens == 15 and c.dns.ok == 20"));
    play(&text(2, "ns.dns.limited == 15 and c.TcpActiveOpens == 7 and c.dns.ok == 12"));
    play(&text(0, "ns.dns.limited == 15 and c.TcpActiveOpens == 0 and c.dns.ok == 5"));
    play(&text(0, "ns.dns.limited == 0 and c.dns.ok == 20").replace("rate_limit = 5\n", ""));
}

#[test]
fn every_kind_of_record_of_the_reference_is_answered() {
    let reference = include_str!("../../../docs/lab.md");
    let zone =
        reference.split("```toml\n[host.ns.dns.zones.\"shop.test\"]").nth(1).unwrap().split("```").next().unwrap();
    let text = format!(
        r#"
[lab]
stop = "30s"
[topology]
links = ["client, ns, lb, mail -- s"]
[switch.s]
[host.lb]
[host.mail]
[host.ns.dns]
ttl = "10min"
[host.ns.dns.zones."shop.test"]
{zone}
[host.client]
run = [
    "at 1s: dig +noall +answer shop.test MX",
    "at 2s: dig +noall +answer shop.test TXT",
    "at 3s: dig +noall +answer shop.test NS",
    "at 4s: dig +noall +answer shop.test SOA",
    "at 5s: dig +noall +answer www.shop.test A",
    "at 6s: dig +noall +answer front.shop.test A",
    "at 6500ms: dig +noall +answer node.shop.test A",
    "at 7s: dig +noall +answer six.shop.test AAAA",
    "at 8s: dig +noall +answer _sip._udp.shop.test SRV",
    "at 9s: dig +noall +answer 9.shop.test PTR",
    "at 11s: dig +noall +answer moved.shop.test A",
    "at 26s: dig +noall +answer moved.shop.test A",
]
"#
    );
    let printed = play(&text);
    let words: Vec<String> = printed.lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for line in [
        "shop.test. 600 IN MX 10 mail.shop.test.",
        "shop.test. 600 IN TXT \"v=spf1 mx -all\" \"and more\"",
        "shop.test. 600 IN NS ns.shop.test.",
        "www.shop.test. 600 IN CNAME front.shop.test.",
        "front.shop.test. 30 IN A 10.9.9.9",
        "six.shop.test. 600 IN AAAA 2001:db8::5",
        "_sip._udp.shop.test. 600 IN SRV 10 60 5060 front.shop.test.",
        "9.shop.test. 600 IN PTR www.shop.test.",
        "moved.shop.test. 600 IN A 10.9.9.1",
        "moved.shop.test. 600 IN A 10.9.9.2",
    ] {
        assert!(words.iter().any(|l| l == line), "{line}:\n{printed}");
    }
    assert!(
        words.iter().any(|l| l.starts_with("shop.test. 600 IN SOA ns.shop.test. hostmaster.shop.test. ")),
        "{printed}"
    );
    assert!(words.iter().any(|l| l.starts_with("node.shop.test. 600 IN A 10.0.1.")), "{printed}");
}

#[test]
fn records_that_will_not_do_are_shown_in_their_places() {
    for (record, what) in [
        ("A 2001:db8::5", "is not an IPv4 address"),
        ("AAAA 10.0.0.1", "is not an IPv6 address"),
        ("MX ten mail", "is not a preference"),
        ("SRV 10 60 sip x", "is not a port"),
        ("SOA ns", "the server makes the SOA record itself"),
        ("ns ttl soon", "soon"),
        ("8s..5s: ns", "the time window ends before it begins"),
        ("ns ttl 5s 6s", "is left over"),
    ] {
        let text = format!(
            "[topology]\nlinks = [\"ns -- c\"]\n[host.c]\n[host.ns.dns]\nzones = {{ \"a.test\" = {{ x = '{record}' }} }}\n"
        );
        let mistakes = format!("{:?}", Lab::parse("lab.toml", &text).unwrap_err());
        assert!(mistakes.contains(what), "{record}: {mistakes}");
    }
}

#[test]
fn a_host_with_a_leased_address_is_found_by_its_name_while_it_has_it() {
    let printed = play(
        r#"
[lab]
stop = "70s"
[topology]
links = ["s -- ns, server, c, alice"]
[switch.s]
[host.ns.dns]
[host.server.dhcp]
pools = "10.0.1.200 - 10.0.1.210"
lease = "20s"
[host.alice]
address = "dhcp"
[host.c]
run = [
  "at 500ms: dig alice.lab",
  "at 15s: dig +short alice.lab",
  "at 16s: dig +short -x 10.0.1.200",
  "at 17s: ping -c 1 alice",
  "at 48s: dig +short alice.lab",
  "at 60s: dig alice.lab",
  "at 61s: dig -x 10.0.1.200",
]
[faults]
# The lease ends while the server is off, which is seen to when it is back.
script = ["20s: crash alice", "22s..50s: crash server"]
[expect]
asked = "c.dns.code.NXDOMAIN == 3 and c.dns.code.NOERROR == 3 and c.ping.ok == 1"
told  = "ns.dns.updates == 4 and ns.dns.updates.refused == 0 and server.dhcp.server.named == 4"
"#,
    );
    let short: Vec<&str> = printed.lines().filter(|line| !line.contains([' ', '\t']) && !line.is_empty()).collect();
    assert!(short.starts_with(&["10.0.1.200", "alice.lab."]), "{printed}");
}
