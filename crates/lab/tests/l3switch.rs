//! Switches that route: interfaces that follow their VLANs, and all that a router can do.

use std::cell::RefCell;
use std::rc::Rc;

use septet_core::{Event, Interest, Monitor};
use septet_lab::{BuildOptions, L3Switch, Lab, LabBuilder, Run};

fn parse(text: &str) -> Result<Lab, Vec<(String, Option<String>)>> {
    Lab::parse("lab.toml", text)
        .map_err(|mistakes| mistakes.iter().map(|m| (m.reason().to_owned(), m.mend().map(str::to_owned))).collect())
}

#[track_caller]
fn played(lab: &Lab) -> Run {
    assert!(lab.warnings.is_empty(), "{:?}", lab.warnings);
    let mut run = lab.build(&BuildOptions::default()).unwrap();
    run.play().unwrap();
    run
}

#[track_caller]
fn run(text: &str) -> Run {
    played(&parse(text).unwrap())
}

/// What the programs with this command line printed, one after the other.
#[track_caller]
fn printed(run: &Run, command: &str) -> String {
    let lab = run.lab();
    let outputs = run.outputs().into_iter();
    let of: Vec<_> = outputs.filter(|o| lab.nodes[o.node].commands()[o.command].line == command).collect();
    assert!(!of.is_empty(), "nobody ran {command}");
    of.iter().map(|output| output.console.output() + &output.console.errors()).collect()
}

/// Three VLANs, in each a host; behind the third a router.
const SITE: &str = r#"[lab]
stop = "100s"
[topology]
links = ["s1 -- a, b, r", "r -- far"]
[router.r]
KEYS_OF_R
[host.far]
RUN_OF_FAR
[host.b]
[host.a]
[l3switch.s1]
vlans = { a = 10, b = 20, r = 30 }
"#;

fn site(r: &str, far: &str, s1: &str) -> String {
    format!("{}{s1}\n", SITE.replace("KEYS_OF_R", r).replace("RUN_OF_FAR", far))
}

#[test]
fn an_interface_goes_with_the_last_port_of_its_vlan_and_comes_with_the_first() {
    let far = r#"run = ["at 20s: ping -c 1 b", "at 45s: ping -c 1 -W 1 b.lab", "at 90s: ping -c 1 10.0.2.10"]"#;
    let s1 = r#"routing = "rip"
run = ["at 41s: ip route", "at 42s: ip link show dev eth0.20", "at 43s: ip link show dev eth0.10"]
[faults]
script = ["40s..60s: cut s1--b"]"#;
    let run = run(&site(r#"routing = "rip""#, far, s1));
    assert!(printed(&run, "ping -c 1 b").contains(" 0% packet loss"), "it is heard of by RIP");
    let routes = printed(&run, "ip route");
    let of = |net: &str| routes.lines().find(|line| line.starts_with(net)).unwrap_or_default().to_owned();
    assert!(of("10.0.2.0/24").contains("linkdown") && !of("10.0.1.0/24").contains("linkdown"), "{routes}");
    assert!(printed(&run, "ip link show dev eth0.20").contains("NO-CARRIER"));
    assert!(!printed(&run, "ip link show dev eth0.10").contains("NO-CARRIER"));
    // Five seconds after the cut the router beyond knows that nobody leads there.
    assert!(
        printed(&run, "ping -c 1 -W 1 b.lab").contains("Destination Net Unreachable"),
        "{:?}",
        printed(&run, "ping -c 1 -W 1 b.lab")
    );
    assert!(printed(&run, "ping -c 1 10.0.2.10").contains(" 0% packet loss"), "and it comes back");
}

#[test]
fn a_trunk_keeps_its_vlans_up_and_a_port_that_the_tree_blocks_does_not() {
    // Two ways from s1 to s2: VLAN 20 has no other port on s1, and is up from when the tree lets one of them forward.
    let text = r#"[lab]
stop = "60s"
[topology]
links = ["s1 -- a", "s1 -- s2", "s2 -- b"]
[host.a]
[host.b]
[switch.s2]
stp = "stp"
vlans = { b = 20 }
trunks = "s1"
[l3switch.s1]
stp = "stp"
vlans = { a = 10 }
trunks = "s2"
addresses = { 20 = "10.9.0.1/24" }
run = ["at 10s: ip link show dev eth0.20", "at 31s: ip link show eth0.20"]
"#;
    let run = run(text);
    assert!(printed(&run, "ip link show dev eth0.20").contains("NO-CARRIER"), "the ports listen and learn");
    assert!(!printed(&run, "ip link show eth0.20").contains("NO-CARRIER"), "twice the forward delay of 15 s is over");
}

#[test]
fn what_is_switched_off_and_on_again_routes_as_before() {
    let s1 = "[faults]\nscript = [\"10s: crash s1\", \"12s: restart s1\"]";
    let run = run(&site("", r#"run = ["at 5s: ping -c 1 a", "at 20s: ping -c 1 b"]"#, s1));
    for command in ["ping -c 1 a", "ping -c 1 b"] {
        assert!(printed(&run, command).contains(" 0% packet loss"), "{command}");
    }
}

/// Everything that a router's interface can have: a DHCP server for one VLAN, a relay to it from another switch, OSPF with what
/// is said of single interfaces, address translation, advertisements and multicast.
const ALL: &str = r#"[lab]
stop = "150s"
ip = "dual"
[topology]
links = ["s1 -- a, b, s2", "s2 -- c, d", "s1 -- r", "r -- far"]
[host.a]
address = "dhcp"
run = ["at 130s: ping -4 -c 1 far", "at 135s: ping -4 -c 1 d"]
[host.b]
address = ["slaac", "10.0.2.77/24"]
run = ["at 50s: ping -6 -c 1 far"]
[host.c]
address = "dhcp"
run = ["at 140s: ping -4 -c 1 far"]
[host.d]
run = ["at 1s: stream --listen 239.1.2.3:5004 --for 140s"]
[host.far]
run = ["at 100s: stream 239.1.2.3:5004 --packet 800 --ttl 8 --for 5s"]
[router.r]
routing = "ospf"
multicast = "239.0.0.0/8 to s1"
[l3switch.s2]
vlans = { c = 40, d = 50, s1 = 60 }
addresses = { 40 = "10.40.0.1/24" }
routing = "ospf"
multicast = "239.0.0.0/8 to members"
[l3switch.s2.dhcp_relay]
to = "s1"
[l3switch.s1]
vlans = { a = 10, b = 20, s2 = 60, r = 30 }
multicast = "239.0.0.0/8 to s2"
[l3switch.s1.eth0.20]
advertise = true
[l3switch.s1.dhcp]
pools = ["10.0.1.100 - 10.0.1.199", "10.40.0.100 - 10.40.0.199"]
[l3switch.s1.ospf]
reference = 1000
[l3switch.s1.ospf.eth0.10]
passive = true
[l3switch.s1.ospf.eth0.30]
cost = 77
"#;

#[test]
fn it_does_what_routers_do() {
    let run = run(ALL);
    for command in ["ping -4 -c 1 far", "ping -4 -c 1 d", "ping -6 -c 1 far"] {
        let said = printed(&run, command);
        assert_eq!(said.matches(" 0% packet loss").count(), said.matches("--- ").count(), "{command}: {said}");
        assert!(said.contains(" 0% packet loss"), "{command}: {said}");
    }
    // Through two switches that route, from VLAN to VLAN.
    let heard = "sum(d.stream.received) == sum(far.stream.sent) and sum(far.stream.sent) == 50";
    let text = format!("{ALL}\n[expect]\nheard = \"{heard}\"\n");
    let outcome = parse(&text).unwrap().build(&BuildOptions::default()).unwrap().finish().unwrap();
    assert!(outcome.verdicts.iter().all(|verdict| verdict.held), "{:?}", outcome.verdicts);
}

#[test]
fn code_says_what_text_says() {
    let built: LabBuilder = Lab::builder("lab")
        .link("s1 -- a, b, r")
        .link("r -- far")
        .host("a", |h| h.address("dhcp"))
        .host("b", |h| h)
        .host("far", |h| h)
        .router("r", |r| {
            r.protocol("ospf", |ospf| ospf.set("area", "0.0.0.1")).route("10.99.0.0/16 via far").gateway("far")
        })
        .l3switch("s1", |s: L3Switch| {
            s.vlan("a", 10)
                .vlan("b", 20)
                .vlan("r", 30)
                .stp("rstp")
                .priority(4096)
                .address(20, "192.168.20.1/24")
                .interface(10, |eth| eth.set("address", "192.168.10.1/24").set("advertise", true))
                .ip("dual")
                .protocol("ospf", |ospf| {
                    ospf.set("area", "0.0.0.1").table("eth0", |eth| eth.table("10", |vlan| vlan.set("passive", true)))
                })
                .service("dhcp", |dhcp| dhcp.set("lease", "60s"))
                .route("10.88.0.0/16 via r")
        });
    let text = r#"[lab]
name = "lab"
[topology]
links = ["s1 -- a, b, r", "r -- far"]
[host.a]
address = "dhcp"
[host.b]
[host.far]
[router.r]
routes = ["10.99.0.0/16 via far"]
gateway = "far"
[router.r.ospf]
area = "0.0.0.1"
[l3switch.s1]
vlans = { a = 10, b = 20, r = 30 }
stp = "rstp"
priority = 4096
addresses = { 20 = "192.168.20.1/24" }
ip = "dual"
routes = ["10.88.0.0/16 via r"]
[l3switch.s1.eth0.10]
address = "192.168.10.1/24"
advertise = true
[l3switch.s1.ospf]
area = "0.0.0.1"
[l3switch.s1.ospf.eth0.10]
passive = true
[l3switch.s1.dhcp]
lease = "60s"
"#;
    let digest = |lab: &Lab| lab.build(&BuildOptions::default()).unwrap().finish().unwrap().digest.to_string();
    assert_eq!(digest(&built.build().unwrap()), digest(&parse(text).unwrap()));
}

#[test]
fn what_cannot_be_is_told_with_the_mend() {
    for (keys, reason, mend) in [
        (
            "[l3switch.s1.eth1.10]\nadvertise = true",
            "`s1` has its interfaces behind one port, eth0",
            "[l3switch.s1.eth0.10]",
        ),
        (
            "addresses = { 10 = \"10.5.0.1/24\" }\n[l3switch.s1.eth0.10]\naddress = \"10.6.0.1/24\"",
            "the address in VLAN 10 is said twice",
            "",
        ),
        ("[l3switch.s1.ospf.eth0.99]\ncost = 5", "`s1` has no interface eth0.99", "eth0.10, eth0.20, eth0.30"),
        ("[l3switch.s1.ospf.eth2]\ncost = 5", "`s1` has no port eth2", "eth0.10"),
        ("[l3switch.s1.eth0]\naddress = \"10.6.0.1/24\"", "there is no key `address` in `l3switch.s1.eth0`", ""),
        ("firewall = { forward = [\"iif eth0.99 drop\"] }", "`s1` has no port eth0.99", "eth0.10, eth0.20, eth0.30"),
    ] {
        let mistakes = parse(&site("", "", keys)).unwrap_err();
        let found = mistakes.iter().find(|(said, _)| said == reason);
        let (_, help) = found.unwrap_or_else(|| panic!("{keys}: {mistakes:?}"));
        assert!(help.as_deref().unwrap_or_default().contains(mend), "{keys}: {help:?}");
    }
}

#[test]
fn a_filter_names_the_interfaces_of_vlans_and_those_that_lead_to_a_neighbour() {
    let ping = r#"run = ["at 5s: ping -c 1 a", "at 8s: ping -c 1 -W 1 b"]"#;
    for rule in ["iif eth0.30 oif eth0.20 drop", "iif r oif b drop", "iif s1--r oif s1--b drop"] {
        let run = run(&site("", ping, &format!("firewall = {{ forward = [\"{rule}\"] }}")));
        assert!(printed(&run, "ping -c 1 a").contains(" 0% packet loss"), "{rule}");
        assert!(printed(&run, "ping -c 1 -W 1 b").contains("100% packet loss"), "{rule}");
    }
}

/// A site behind a switch that routes: two VLANs inside, the provider in a third.
const TRANSLATED: &str = r#"[lab]
stop = "90s"
[topology]
links = ["phone, laptop, nas -- s1", "s1 -- isp : delay 8ms", "isp -- server : delay 5ms"]
[host.phone]
run = [
    "at 1s: curl http://server/",
    "at 2s: ping -c 3 server",
    "at 12s: curl http://198.51.100.2:8080/",
    "at 20s: udp-send server 9 --size 100 --count 2 --interval 40s --receive",
]
[host.laptop]
run = ["at 1s: curl http://server/", "at 2s: ping -c 3 server", "at 5s: traceroute server", "at 12s: curl http://198.51.100.2:8080/"]
[host.nas]
http = { body = "20kb" }
[host.server]
http = { body = "50kb" }
run = [
    "at 10s: curl http://198.51.100.2:8080/",
    "at 15s: curl http://198.51.100.2:8081/ --max-time 2",
    "at 16s: ping -c 1 -W 1 10.20.0.2",
    "udp-echo 9",
]
[router.isp]
routing = "none"
[router.isp.eth0]
address = "198.51.100.1/24"
[l3switch.s1]
vlans = { phone = 10, laptop = 20, nas = 20, isp = 30 }
addresses = { 10 = "10.10.0.1/24", 20 = "10.20.0.1/24", 30 = "198.51.100.2/24" }
run = ["at 3s: conntrack -L"]
[l3switch.s1.firewall]
forward = ["udp dport 9 ct state new counter name questions"]
[l3switch.s1.nat]
masquerade = "OUTSIDE"
forward = ["tcp 8080 -> nas:80"]
[expect]
out       = "phone.http.ok == 2 and laptop.http.ok == 2 and phone.ping.ok == 3 and laptop.ping.ok == 3"
trace     = "laptop.traceroute.ok == 9"
forward   = "server.http.ok == 1 and nas.http.requests == 3"
hairpin   = "count(within(phone.http.ok, after = 12s)) == 1 and count(within(laptop.http.ok, after = 12s)) == 1"
closed    = "server.http.exit.7 == 1 and s1.NatFiltered == 0 and server.ping.ok == 0"
forgotten = "s1.firewall.questions.packets == 2 and sum(phone.send.received) == 200b"
"#;

#[track_caller]
fn held(text: &str) -> Run {
    let lab = parse(text).unwrap();
    let outcome = lab.build(&BuildOptions::default()).unwrap().finish().unwrap();
    let missed: Vec<_> = outcome.verdicts.iter().filter(|verdict| !verdict.held).collect();
    assert!(missed.is_empty() && !outcome.verdicts.is_empty(), "{missed:?}");
    played(&lab)
}

#[test]
fn what_leaves_by_one_vlan_has_the_address_that_the_switch_has_there() {
    for outside in ["isp", "s1--isp", "eth0.30"] {
        let run = held(&TRANSLATED.replace("OUTSIDE", outside));
        let tracked = printed(&run, "conntrack -L");
        assert!(tracked.contains("src=10.10.0.10") && tracked.contains("dst=198.51.100.2"), "{tracked}");
    }
    // Of another VLAN nothing is translated: without an answer from beyond, where nobody has a route back.
    let run = run(TRANSLATED.split("[expect]").next().unwrap().replace("OUTSIDE", "eth0.20").as_str());
    assert!(printed(&run, "ping -c 3 server").contains(" 0 received"));
}

#[test]
fn what_is_translated_is_forgotten_when_the_switch_starts_again() {
    let faults = "[faults]\nscript = [\"30s: crash s1\", \"32s: restart s1\"]\n[expect]\n";
    let later = "\"at 40s: ping -c 1 server\", \"at 41s: ping -c 1 nas\"";
    let text = TRANSLATED.replace("OUTSIDE", "isp").replace(
        "run = [\"at 1s: curl http://server/\", \"at 2s",
        &format!("run = [{later}, \"at 1s: curl http://server/\", \"at 2s"),
    );
    let text = format!(
        "{}{faults}again = \"sum(laptop.ping.ok, after = 40s) == 2\"\n",
        text.split("[expect]\n").next().unwrap()
    );
    held(&text);
}

/// Two switches that route speak BGP over a trunk; the first hands DHCP on to the second, which filters and translates.
const SYSTEMS: &str = r#"[lab]
stop = "120s"
[topology]
links = ["a -- s1", "s1 -- s2", "s2 -- b", "s2 -- isp : delay 5ms", "isp -- server"]
[host.a]
address = "dhcp"
run = ["at 60s: ping -c 3 b", "at 65s: curl http://server/", "at 70s: traceroute -n server"]
[host.b]
http = {}
run = ["at 80s: curl http://198.51.100.2:8080/", "at 90s: ping -c 2 server"]
[host.server]
http = {}
run = ["at 95s: curl http://198.51.100.2:8080/"]
[l3switch.s1]
vlans = { a = 10 }
trunks = "s2"
addresses = { 10 = "10.1.0.1/16", 99 = "192.168.99.1/30" }
run = ["at 50s: ip route", "at 105s: ip route"]
[l3switch.s1.dhcp_relay]
to = "s2"
[l3switch.s1.bgp]
as = 65001
neighbors = ["s2"]
networks = ["10.1.0.0/16"]
[l3switch.s2]
vlans = { b = 20, isp = 30 }
trunks = "s1"
addresses = { 20 = "10.2.0.1/16", 99 = "192.168.99.2/30", 30 = "198.51.100.2/24" }
gateway = "198.51.100.1"
[l3switch.s2.nat]
masquerade = "isp"
forward = ["tcp 8080 -> b:80"]
[l3switch.s2.firewall]
policy = { forward = "drop" }
forward = ["ct state established,related accept", "iifname { eth0.99, eth0.20 } accept", "ct status dnat accept"]
[l3switch.s2.dhcp]
pools = ["10.1.0.100 - 10.1.0.199"]
router = "10.1.0.1"
[l3switch.s2.bgp]
as = 65002
neighbors = ["s1"]
networks = ["10.2.0.0/16", "0.0.0.0/0"]
[router.isp]
routing = "none"
[router.isp.eth0]
address = "198.51.100.1/24"
[faults]
script = ["100s: cut s1--s2"]
[expect]
leased  = "s2.dhcp.server.new == 1"
session = "at(s1.bgp.established, 50s) == 1 and at(s1.bgp.routes, 50s) == 2"
pings   = "sum(a.ping.ok) == 3 and b.ping.ok == 2"
pages   = "a.http.ok == 1 and b.http.ok == 1 and server.http.ok == 1"
# VLAN 99 has no other port: its interface goes down, and the session and what was learned by it with it, at once.
gone    = "at(s1.bgp.established, 100.1s) == 0 and at(s1.bgp.routes, 100.1s) == 0"
"#;

#[test]
fn systems_speak_bgp_over_a_trunk_until_it_is_cut() {
    let run = held(SYSTEMS);
    let routes = printed(&run, "ip route");
    assert_eq!(routes.matches("default via 192.168.99.2 dev eth0.99 proto bgp").count(), 1, "{routes}");
    assert_eq!(routes.matches("10.2.0.0/16 via 192.168.99.2 dev eth0.99 proto bgp").count(), 1, "{routes}");
    let hops = printed(&run, "traceroute -n server");
    let hops: Vec<&str> = hops.lines().skip(1).filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert_eq!(hops, ["10.1.0.1", "192.168.99.2", "198.51.100.1", "10.0.1.10"]);
}

#[test]
fn the_router_inside_hears_nothing_of_vlans_in_which_it_has_no_interface() {
    // VLAN 20 is the other switch's. Its broadcasts come over the trunk, and nobody here has to throw them away.
    let mut run = parse(SYSTEMS).unwrap().build(&BuildOptions::default()).unwrap();
    let drops = Drops::default();
    run.world.add_monitor(drops.clone());
    run.play().unwrap();
    assert_eq!(drops.0.take(), Vec::<String>::new());
}

/// Frames that were thrown away because nobody is in their VLAN.
#[derive(Clone, Default)]
struct Drops(Rc<RefCell<Vec<String>>>);

impl Monitor for Drops {
    fn interest(&self) -> Interest {
        Interest::Events
    }

    fn event(&mut self, event: &Event) {
        if event.kind == "eth.drop" && event.field("reason").is_some_and(|reason| reason.to_string() == "vlan") {
            self.0.borrow_mut().push(format!("{event:?}"));
        }
    }
}
