//! Routes by hand: what is refused, what a host does with them, and what `ip` shows and changes.

use septet_lab::{BuildOptions, Lab, Run};

fn parse(text: &str) -> Result<Lab, Vec<(String, Option<String>)>> {
    Lab::parse("lab.toml", text)
        .map_err(|mistakes| mistakes.iter().map(|m| (m.reason().to_owned(), m.mend().map(str::to_owned))).collect())
}

fn run(text: &str) -> Run {
    let lab = parse(text).unwrap();
    assert!(lab.warnings.is_empty(), "{:?}", lab.warnings);
    let mut run = lab.build(&BuildOptions::default()).unwrap();
    run.play().unwrap();
    run
}

/// What a program of `a` printed, by its command line.
fn printed(run: &Run, command: &str) -> String {
    let lab = run.lab();
    let output = run.outputs().into_iter().find(|o| lab.nodes[o.node].commands()[o.command].line == command);
    let console = output.unwrap_or_else(|| panic!("nobody ran {command}")).console;
    console.output() + &console.errors()
}

const ROUTERS: &str = r#"[lab]
stop = "10s"
[topology]
links = ["a -- r1", "a -- r2", "r1 -- b", "r2 -- b"]
[router.r1]
[router.r2]
[host.b]
[host.a]
"#;

fn with(routes: &str) -> String {
    format!("{ROUTERS}routes = [{routes}]\n")
}

#[test]
fn what_is_no_route_is_told_with_the_mend() {
    for (route, reason, mend) in [
        ("10.0.0.0/8", "the gateway is missing", "for example 10.0.0.0/8 via r2"),
        ("10.0.0.0/8 via", "a gateway is missing", "for example 10.0.0.0/8 via r2"),
        (
            "10.0.0.0/33 via r1",
            "`10.0.0.0/33` is the prefix length is 0 to 32 for IPv4, 0 to 128 for IPv6",
            "write a prefix",
        ),
        ("10.0.1.7/8 via r1", "`10.0.1.7/8` has bits set behind its 8 first", "write `10.0.0.0/8`"),
        ("10.0.0.0/8 via r9", "no node is called `r9`", "r1"),
        ("10.0.0.0/8 via b", "`b` is on no network of `a`", ""),
        ("10.0.0.0/8 via 10.77.0.1", "`10.77.0.1` is on no network of `a`", ""),
        ("10.0.0.0/8 via a", "`a` is `a` itself", ""),
        ("10.0.0.0/8 via r1 metrik 5", "`metrik` is no part of a route", "metric"),
        ("10.0.0.0/8 via r1 metric five", "`five` is no metric", ""),
        ("10.0.0.0/8 via r1 via r2", "`via` is said twice", ""),
        ("10.0.0.0/8 dev eth7", "`a` has no interface `eth7`", "it has eth0, eth1"),
        ("10.0.0.0/8 via r1 dev eth0", "the interface is the one on whose link the gateway is", "leave out `dev`"),
        ("blackhole 10.0.0.0/8 via r1", "what is `blackhole` goes nowhere, and so through nobody", "leave out"),
        ("fd00::/8 via r1", "`fd00::/8` and `r1` are not of the same version of IP", ""),
    ] {
        let mistakes = parse(&with(&format!("\"{route}\""))).expect_err(route);
        assert_eq!(mistakes.len(), 1, "{route}: {mistakes:?}");
        assert_eq!(mistakes[0].0, reason, "{route}");
        assert!(mistakes[0].1.as_deref().unwrap_or_default().contains(mend), "{route}: {mistakes:?}");
    }
    let twice = parse(&with("\"10.9.0.0/16 via r1\", \"10.9.0.0/16 via r2\"")).unwrap_err();
    assert_eq!(twice[0].0, "`a` has a route to 10.9.0.0/16 of metric 0 already");
    assert!(parse(&with("\"10.9.0.0/16 via r1\", \"10.9.0.0/16 via r2 metric 1\"")).is_ok());
}

/// As iproute2 6.1 prints the same routes in a namespace of Linux.
#[test]
fn ip_route_prints_what_iproute2_prints() {
    let routes = r#""default via r1 metric 5", "10.2.0.0/16 via r1, r2", "blackhole 10.9.0.0/16", "unreachable 10.10.0.0/16 metric 7",
        "prohibit 10.11.0.0/16", "10.12.0.0/16 dev eth1", "10.13.0.1 via 10.0.2.1 metric 20""#;
    let run = r#"run = ["at 1s: ip route", "at 1s: ip -o r", "at 1s: ip route show table local", "at 1s: ip route show dev eth1",
        "at 1s: ip ro get 8.8.8.8", "at 1s: ip route get 10.0.1.10", "at 1s: ip route get 10.12.0.4", "at 1s: ip route get 10.0.1.255",
        "at 1s: ip route get 10.9.0.1", "at 1s: ip route get 10.10.0.1", "at 1s: ip route get 10.11.0.1",
        "at 2s: ip route add 10.20.0.0/16 via 10.0.2.1 metric 3", "at 2s: ip route show 10.20.0.0/16",
        "at 3s: ip route del 10.20.0.0/16", "at 3s: ip route list exact 10.20.0.0/16", "at 4s: ip route add 10.20.0.0/16 via 10.77.0.1"]"#;
    let outcome = self::run(&format!("{}{run}\nrouting = \"none\"\n", with(routes)));
    assert_eq!(
        printed(&outcome, "ip route"),
        "default via 10.0.1.1 dev eth0 proto static metric 5 \n\
         10.0.1.0/24 dev eth0 proto kernel scope link src 10.0.1.10 \n\
         10.0.2.0/24 dev eth1 proto kernel scope link src 10.0.2.10 \n\
         10.2.0.0/16 proto static \n\
         \tnexthop via 10.0.1.1 dev eth0 weight 1 \n\
         \tnexthop via 10.0.2.1 dev eth1 weight 1 \n\
         blackhole 10.9.0.0/16 proto static \n\
         unreachable 10.10.0.0/16 proto static metric 7 \n\
         prohibit 10.11.0.0/16 proto static \n\
         10.12.0.0/16 dev eth1 proto static scope link \n\
         10.13.0.1 via 10.0.2.1 dev eth1 proto static metric 20 \n"
    );
    assert!(printed(&outcome, "ip -o r").contains(
        "10.2.0.0/16 proto static \\\tnexthop via 10.0.1.1 dev eth0 weight 1 \\\tnexthop via 10.0.2.1 dev eth1 weight 1 \n"
    ));
    assert_eq!(
        printed(&outcome, "ip route show table local").lines().next(),
        Some("local 10.0.1.10 dev eth0 proto kernel scope host src 10.0.1.10 ")
    );
    assert_eq!(
        printed(&outcome, "ip route show dev eth1"),
        "10.0.2.0/24 proto kernel scope link src 10.0.2.10 \n10.2.0.0/16 proto static \n\
         \tnexthop via 10.0.1.1 dev eth0 weight 1 \n\tnexthop via 10.0.2.1 dev eth1 weight 1 \n\
         10.12.0.0/16 proto static scope link \n10.13.0.1 via 10.0.2.1 proto static metric 20 \n"
    );
    let get = |to: &str| printed(&outcome, to);
    assert_eq!(get("ip ro get 8.8.8.8"), "8.8.8.8 via 10.0.1.1 dev eth0 src 10.0.1.10 uid 0 \n    cache \n");
    assert_eq!(get("ip route get 10.0.1.10"), "local 10.0.1.10 dev lo src 10.0.1.10 uid 0 \n    cache <local> \n");
    assert_eq!(get("ip route get 10.12.0.4"), "10.12.0.4 dev eth1 src 10.0.2.10 uid 0 \n    cache \n");
    assert_eq!(
        get("ip route get 10.0.1.255"),
        "broadcast 10.0.1.255 dev eth0 src 10.0.1.10 uid 0 \n    cache <local,brd> \n"
    );
    assert_eq!(get("ip route get 10.9.0.1"), "RTNETLINK answers: Invalid argument\n");
    assert_eq!(get("ip route get 10.10.0.1"), "RTNETLINK answers: No route to host\n");
    assert_eq!(get("ip route get 10.11.0.1"), "RTNETLINK answers: Permission denied\n");
    assert_eq!(get("ip route show 10.20.0.0/16"), "10.20.0.0/16 via 10.0.2.1 dev eth1 proto static metric 3 \n");
    assert_eq!(get("ip route list exact 10.20.0.0/16"), "");
    assert_eq!(get("ip route add 10.20.0.0/16 via 10.77.0.1"), "Error: Nexthop has invalid gateway.\n");
}

/// Flows are spread by their addresses, or by their ports too; each keeps its way, and all take the other where one is dead.
#[test]
fn flows_are_spread_over_equal_gateways() {
    let lab = |policy: &str| {
        format!(
            r#"[lab]
stop = "20s"
[topology]
links = ["a -- r0", "r0 -- r1", "r0 -- r2", "r1 -- r3", "r2 -- r3", "r3 -- b"]
[router.r0]
routes = ["10.0.6.0/24 via r1, r2"]
{policy}
[router."r[1..2]"]
[router.r3]
routes = ["10.0.1.0/24 via r1, r2"]
[host.a]
run = ["at 1s: iperf3 -c b -u -b 80k -t 2 -P 16", "at 6s: ping -c 4 b", "at 10s: ping -c 6 b"]
[host.b]
run = ["iperf3 -s"]
[faults]
script = ["9.5s..30s: cut r0--r1", "9.5s..30s: cut r1--r3"]
"#
        )
    };
    let shares = |policy: &str| {
        let outcome = run(&lab(policy)).outcome();
        let forwarded = |node: &str| outcome.counters[node].get("IpForwDatagrams").copied().unwrap_or_default();
        let answered: f64 = {
            let of_a = outcome.recorders.iter().find(|(name, _)| name == "a");
            of_a.and_then(|(_, recorder)| recorder.series("ping.ok")).map_or(0.0, |series| series.sum())
        };
        (forwarded("r1"), forwarded("r2"), answered)
    };
    // Two hosts are one flow by their addresses: until the cut all goes through one router.
    let (one, other, answered) = shares("");
    assert!(one.min(other) < 80 && one.max(other) > 200, "{one} and {other}");
    assert!(answered >= 9.0, "{answered}");
    let (one, other, answered) = shares("multipath = \"ports\"");
    assert!(one.min(other) > 40, "{one} and {other}");
    assert!(answered >= 9.0, "{answered}");
}

#[test]
fn ip_route_says_which_protocol_knows_a_route() {
    for (table, protocol, metric) in [
        ("ospf]\ntype = \"point-to-point\"\nhello = \"1s\"", "ospf", 2),
        ("rip]\nupdate = \"1s\"", "rip", 2),
        ("bgp]\nas = 65001\nneighbors = [\"10.0.2.2 as 65002\"]", "bgp", 0),
    ] {
        let other = if protocol == "bgp" {
            "bgp]\nas = 65002\nneighbors = [\"10.0.2.1 as 65001\"]\nnetworks = [\"10.0.3.0/24\"]"
        } else {
            table
        };
        let lab = format!(
            "[lab]\nstop = \"30s\"\n[topology]\nlinks = [\"a -- r1 -- r2 -- b\"]\n[host.a]\n[host.b]\n[router.r1]\n\
             run = [\"at 29s: ip route\"]\n[router.r1.{table}\n[router.r2.{other}\n"
        );
        let metric = if metric == 0 { String::new() } else { format!("metric {metric} ") };
        let shown = printed(&run(&lab), "ip route");
        let line = format!("10.0.3.0/24 via 10.0.2.2 dev eth1 proto {protocol} {metric}");
        assert!(shown.lines().any(|shown| shown == line), "{line}\n{shown}");
    }
}

/// A run whose expectations all hold.
fn holds(text: &str) -> Run {
    let mut run = run(text);
    let outcome = run.outcome();
    assert!(!outcome.verdicts.is_empty());
    for verdict in &outcome.verdicts {
        assert!(verdict.held, "{verdict}\n{text}");
    }
    run
}

/// On one LAN are two routers, and the host's is the wrong one.
fn two_routers(of_r1: &str, of_a: &str, run: &str, expect: &str) -> String {
    format!(
        r#"[lab]
ip = "dual"
stop = "20s"
[topology]
links = ["a, r1, r2 -- s", "r2 -- b"]
[switch.s]
[router.r1]
{of_r1}
[router.r2]
[host.b]
[host.a]
routing = "none"
gateway = "r1"
{of_a}
run = [{run}]
[expect]
{expect}
"#
    )
}

#[test]
fn a_host_is_told_by_the_wrong_router_of_the_right_one() {
    let run = r#""at 1s: ping -4 -c 5 b", "at 1s: ping -6 -c 6 b", "at 9s: ip route", "at 9s: ip route get 10.0.2.10", "at 9s: ip -6 route""#;
    let told = holds(&two_routers(
        "",
        "",
        run,
        "all = 'a.ping.ok == 11'
         once = 'r1.IpForwDatagrams == 1 and r1.IcmpOutRedirects == 1 and a.IcmpInRedirects == 1'
         six = 'r1.Ip6OutForwDatagrams <= 3 and r1.Icmp6OutRedirects == 1 and a.Icmp6InRedirects == 1'",
    ));
    assert!(printed(&told, "ip route").contains("10.0.2.10 via 10.0.1.2 dev eth0 proto redirect \n"));
    let get = printed(&told, "ip route get 10.0.2.10");
    assert_eq!(get, "10.0.2.10 via 10.0.1.2 dev eth0 src 10.0.1.10 uid 0 \n    cache <redirected> expires 292sec \n");
    let six = printed(&told, "ip -6 route");
    assert!(six.lines().any(|l| l.starts_with("2001:db8:0:2::10 via fe80::") && l.contains("proto redirect")), "{six}");
    // Neither where the router keeps it to itself, nor where the host does not listen.
    let all = "all = 'a.ping.ok == 11 and r1.IpForwDatagrams == 5 and r1.Ip6OutForwDatagrams == 6'";
    holds(&two_routers("redirects = false", "", run, &format!("{all}\nnone = 'r1.IcmpOutRedirects == 0'")));
    holds(&two_routers("", "redirects = false", run, &format!("{all}\nvain = 'a.IcmpInRedirects >= 2'")));
}

#[test]
fn a_router_that_translates_tells_of_no_way_past_itself() {
    // What comes back to its own link through a forward must come back through the router again.
    holds(
        r#"[lab]
stop = "10s"
[topology]
links = ["a, web, r -- s", "r -- isp"]
[switch.s]
[router.r.nat]
masquerade = "r--isp"
forward = ["tcp 8080 -> web:80"]
[host.isp]
[host.web.http]
[host.a]
run = ["at 1s: curl http://10.0.2.1:8080/"]
[expect]
fetched = "a.http.ok == 1"
none = "r.IcmpOutRedirects == 0"
"#,
    );
}

/// The link between the routers takes so many octets, and `a` has these routes to what is behind it.
fn narrow(mtu: u16, routes: &str, run: &str, expect: &str) -> String {
    format!(
        r#"[lab]
ip = "dual"
stop = "20s"
[topology]
links = ["a -- r", "r -- q : mtu {mtu}", "q -- b"]
[router.r]
[router.q]
[host.b]
http = {{ body = "20kb" }}
[host.a]
{routes}
run = [{run}]
[expect]
{expect}
"#
    )
}

#[test]
fn a_locked_mtu_is_kept_to_and_nothing_smaller_is_looked_for() {
    let ping = r#""at 1s: ping -4 -c 3 -s 1300 b""#;
    // As it is, the first is too large, and then the source cuts.
    let found =
        "told = 'r.IcmpOutDestUnreachs == 1 and a.IpFragCreates == 4 and r.IpFragCreates == 0 and a.ping.ok == 2'";
    holds(&narrow(1000, "", ping, found));
    // Locked, the router may cut, and does.
    let locked = r#"routes = ["10.0.3.0/24 via r mtu lock 1400"]"#;
    let cut = "cut = 'r.IcmpOutDestUnreachs == 0 and a.IpFragCreates == 0 and r.IpFragCreates == 6 and a.ping.ok == 3'";
    holds(&narrow(1000, locked, ping, cut));
    // An MTU that is only said is what the source cuts at, from the first packet on.
    let said = r#"routes = ["10.0.3.0/24 via r mtu 900", "2001:db8:0:3::/64 via r mtu 1300"]"#;
    let both = r#""at 1s: ping -4 -c 3 -s 1300 b", "at 6s: ip route get 10.0.3.10", "at 6s: ip route", "at 6s: ip -6 route get 2001:db8:0:3::10""#;
    let cut = "cut = 'r.IcmpOutDestUnreachs == 0 and a.IpFragCreates == 6 and r.IpFragCreates == 0 and a.ping.ok == 3'";
    let run = holds(&narrow(1000, said, both, cut));
    assert!(printed(&run, "ip route").contains("10.0.3.0/24 via 10.0.1.1 dev eth0 proto static mtu 900 \n"));
    assert_eq!(
        printed(&run, "ip route get 10.0.3.10"),
        "10.0.3.10 via 10.0.1.1 dev eth0 src 10.0.1.10 uid 0 \n    cache mtu 900 \n"
    );
    assert!(printed(&run, "ip -6 route get 2001:db8:0:3::10").ends_with(" metric 1024 mtu 1300 pref medium\n"));
    // TCP makes its segments for it; locked, it sends without DF and is cut on the way.
    let sends = r#""at 1s: tcp-send -4 b 80 20000""#;
    let cut = "cut = 'r.IcmpOutDestUnreachs == 0 and r.IpFragCreates > 20'";
    holds(&narrow(1000, locked, sends, cut));
    // Of IPv6 it is the source that cuts, at what is locked, whatever routers say.
    let locked = r#"routes = ["2001:db8:0:3::/64 via r mtu lock 1400"]"#;
    let vain = "vain = 'r.Icmp6OutPktTooBigs == 3 and a.Ip6FragCreates == 6 and a.ping.ok == 0'";
    holds(&narrow(1300, locked, r#""at 1s: ping -6 -c 3 -s 2000 b""#, vain));
}

#[test]
fn a_way_that_takes_less_than_552_octets_is_gone_without_df() {
    let run = r#""at 1s: ping -4 -c 4 -s 1000 b", "at 6s: ip route get 10.0.3.10", "at 8s: curl -4 http://b/ -o /dev/null", "at 8s: tcp-send -4 b 80 3000""#;
    let run = holds(&narrow(
        300,
        "",
        run,
        "cut = 'a.ping.ok == 3 and r.IpFragCreates > 10'
         fetched = 'a.http.ok == 1'",
    ));
    assert_eq!(
        printed(&run, "ip route get 10.0.3.10"),
        "10.0.3.10 via 10.0.1.1 dev eth0 src 10.0.1.10 uid 0 \n    cache expires 595sec mtu lock 552 \n"
    );
}

const SLAAC: &str = r#"[lab]
ip = "6"
stop = "120s"
[topology]
links = ["a, r -- s", "r -- dns", "r -- web"]
[switch.s]
[host.dns.dns]
zones = { "shop.test" = { www = "web" } }
[host.web.http]
"#;

#[test]
fn a_host_that_configures_itself_is_told_whom_to_ask_for_names() {
    let with = |router: &str, host: &str| {
        format!("{SLAAC}[router.r]\n[router.r.eth0]\nadvertise = {router}\n[host.a]\naddress = \"slaac\"\n{host}\n")
    };
    let fetch = r#"run = ["at 5s: curl http://www.shop.test/ -o /dev/null", "at 6s: curl http://web/ -o /dev/null"]"#;
    let both = "\n[expect]\nboth = 'a.http.ok == 2'";
    holds(&(with("true", fetch) + both));
    holds(&(with(r#"{ name_servers = "dns", domain = "lab" }"#, fetch) + both));
    // Where it is told of nobody, or of one who answers nothing, there are no names.
    let none = "\n[expect]\nnone = 'count(a.http.ok) == 0'";
    holds(&(with("{ name_servers = [] }", fetch) + none));
    let wrong = parse(&with(r#"{ name_servers = "10.0.0.1" }"#, "")).unwrap_err();
    assert_eq!(wrong[0].0, "a router tells name servers of IPv6 alone, and `10.0.0.1` is of IPv4");
}

#[test]
fn a_private_host_is_not_known_by_its_address() {
    let text = |privacy: &str| {
        format!(
            "{SLAAC}[router.r]\n[router.r.eth0]\nadvertise = true\n[host.a]\naddress = \"slaac\"\n{privacy}\n\
             run = [\"at 5s: curl http://www.shop.test/ -o /dev/null\", \"at 60s: ip -6 addr\"]\n[expect]\nok = 'a.http.ok == 1'\n"
        )
    };
    let addresses = |run: &Run| printed(run, "ip -6 addr").matches("scope global").count();
    assert_eq!(addresses(&holds(&text(""))), 1);
    let private = holds(&text("privacy = { preferred = \"30s\", valid = \"100s\" }"));
    assert!(addresses(&private) >= 3, "{}", printed(&private, "ip -6 addr"));
    let idle = parse(&text("privacy = true").replace("address = \"slaac\"\n", "")).unwrap_err();
    assert_eq!(idle[0].0, "`a` makes itself no addresses, and so no temporary ones");
}

/// RFC 4861 §3.1: what works on links with multicast works on lines of two as well.
#[test]
fn a_host_at_the_end_of_a_serial_line_configures_itself() {
    let run = holds(
        r#"[lab]
ip = "6"
stop = "20s"
[media]
line = { framing = "ppp", rate = "1mbit", delay = "1ms" }
[topology]
links = ["a -- r : line", "r -- web"]
[router.r]
[router.r.eth0]
advertise = true
[host.web.http]
[host.a]
address = "slaac"
run = ["at 8s: curl http://web/ -o /dev/null", "at 9s: ping -c 2 web", "at 12s: ip -6 neigh", "at 12s: ip -6 route"]
[expect]
fetched = "a.http.ok == 1 and a.ping.ok == 2"
asked = "a.Icmp6OutRouterSolicits >= 1 and a.Icmp6InRouterAdvertisements >= 1"
"#,
    );
    assert!(printed(&run, "ip -6 route").contains("default via fe80::"), "{}", printed(&run, "ip -6 route"));
    assert!(printed(&run, "ip -6 neigh").contains("fe80::"), "{}", printed(&run, "ip -6 neigh"));
}
