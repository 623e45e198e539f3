//! Golden tests: what a person sees for each kind of mistake.

use std::fmt::Write;

use miette::{GraphicalReportHandler, GraphicalTheme};
use septet_lab::{Gravity, Lab, Mistakes};

/// The mistakes as they are shown, without colour.
fn render(mistakes: &Mistakes) -> String {
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_width(110);
    let mut out = String::new();
    handler.render_report(&mut out, mistakes).expect("a string takes everything");
    out.lines().fold(String::new(), |mut text, line| {
        writeln!(text, "{}", line.trim_end()).expect("a string takes everything");
        text
    })
}

fn mistakes(text: &str) -> Mistakes {
    match Lab::parse("lab.toml", text) {
        Ok(lab) => panic!("no mistake in:\n{text}\nwarnings: {:?}", lab.warnings),
        Err(mistakes) => mistakes,
    }
}

/// A small lab with `more` at its end.
fn with(more: &str) -> String {
    format!("{SMALL}{more}")
}

const SMALL: &str = r#"[topology]
links = ["client -- r1", "r1 -- r2", "r2 -- web[1..3]"]
[router.r1]
[router.r2]
[host.client]
[host."web[1..3]"]
"#;

const SWITCHES: &str = r#"[topology]
links = ["s1 -- s2", "s1 -- a, r", "s2 -- b"]
[switch.s1]
vlans = { a = 10 }
trunks = ["s2", "r"]
[switch.s2]
vlans = { b = 10 }
trunks = "s1"
[router.r]
[host.a]
[host.b]
"#;

const HUB: &str = "[topology]\nlinks = [\"hub -- a, b\"]\n[hub.hub]\n[host.a]\n[host.b]\n";

macro_rules! golden {
    ($($(#[$doc:meta])* $name:ident, $kinds:expr, $text:expr;)*) => {$(
        $(#[$doc])*
        #[test]
        fn $name() {
            let mistakes = mistakes(&$text);
            let kinds: Vec<_> = mistakes.iter().map(|m| m.kind()).collect();
            assert_eq!(kinds, $kinds, "{mistakes:?}");
            insta::assert_snapshot!(stringify!($name), render(&mistakes));
        }
    )*};
}

golden! {
    syntax, ["syntax"], "[lab\nname = 'x'\n";
    unknown_section, ["unknown-key"], with("[hosts.x]\n");
    unknown_key, ["unknown-key"], with("[lab]\nsead = 7\n");
    unknown_service_key, ["unknown-key", "unknown-key"], with("[host.web9.http]\nbdy = '20kb'\n[host.x.htp]\n");
    missing_topology, ["missing-key"], "[host.a]\n";
    wrong_type, ["type", "type"], with("[lab]\nseed = 'seven'\nname = 7\n");
    out_of_range, ["out-of-range"], with("[lab]\nseed = -1\n");
    unknown_node, ["unknown-node"], SMALL.replace("\"client --", "\"clinet --");
    self_link, ["self-link"], SMALL.replace("r1 -- r2", "r1 -- r1");
    half_a_link, ["link"], SMALL.replace("r1 -- r2", "r1 -- ");
    no_link, ["link"], SMALL.replace("r1 -- r2", "r1 - r2");
    port_in_use, ["port-in-use"], SMALL.replace("\"client -- r1\", \"r1 -- r2\"", "\"client -- r1.eth1\", \"r1.eth1 -- r2\"");
    not_a_port, ["port"], SMALL.replace("r1 -- r2", "r1.gig0 -- r2");
    range_backwards, ["range"], SMALL.replace("r2 -- web[1..3]", "r2 -- web[3..1]");
    not_a_name, ["unknown-node", "name"], SMALL.replace("[host.client]", "[host.1client]");
    duplicate_node, ["duplicate-node"], with("[switch.r1]\n");
    overlapping_ranges, ["duplicate-node"], with("[host.\"web[3..4]\"]\n");
    unknown_medium, ["unknown-medium"], format!("[media.wan]\ndelay = '5ms'\n{}", SMALL.replace("r1 -- r2", "r1 -- r2 : wam"));
    unknown_netem_word, ["unknown-key"], with("[media]\nwan = { dely = '5ms' }\n");
    bits_or_bytes, ["unit", "unit"], with("[media]\nwan = { rate = '20mbps' }\nlan = { rate = '1Gbps' }\n");
    unknown_unit, ["unit", "unit"], with("[media.wan]\ndelay = '25msc'\nrate = '20mbut'\n");
    missing_unit, ["unit", "unit"], with("[lab]\nstop = 30\n[media.wan]\ndelay = '25'\n");
    percentage_out_of_range, ["unit", "unit"], with("[media.wan]\nloss = '120%'\nber = 5\n");
    unknown_queue, ["unknown-value"], with("[media.wan]\nqueue = 'fq_cdel'\n");
    queue_setting, ["unit"], with("[media.wan]\nqueue = 'codel target 5'\n");
    effect_without_settings, ["incomplete"], with("[media.wan]\nreorder = 'some'\n");
    duplicate_address, ["duplicate-address"],
        with("[host.a]\naddress = '10.1.0.5/24'\n[host.b]\naddress = '10.1.0.5/24'\n[switch.s]\n")
            .replace("links = [", "links = [\"s -- a, b\", ");
    address_outside_of_the_subnet, ["subnet"],
        with("[host.a]\naddress = '10.1.0.5/24'\n[host.b]\naddress = '10.2.0.5/24'\n[switch.s]\n")
            .replace("links = [", "links = [\"s -- a, b\", ");
    overlapping_subnets, ["subnet"],
        with("[host.a]\naddress = '10.1.0.5/24'\n[host.b]\n[host.c]\naddress = '10.1.0.6/16'\n[host.d]\n")
            .replace("links = [", "links = [\"a -- b\", \"c -- d\", ");
    network_address, ["address"], with("[host.web9]\naddress = '10.0.1.0/24'\n");
    address_without_prefix, ["address"], with("[host.web9]\naddress = '10.0.1.5'\n");
    which_port, ["address"], SMALL.replace("[router.r1]", "[router.r1]\naddress = '10.0.0.1/24'");
    port_without_link, ["port"], with("[host.client.eth3]\nmtu = 1400\n").replace("[host.client]\n", "");
    gateway_out_of_reach, ["gateway"], SMALL.replace("[host.client]", "[host.client]\ngateway = 'r2'");
    unknown_controller, ["unknown-value"], SMALL.replace("[host.client]", "[host.client]\ntcp = 'qubic'");
    schedule, ["incomplete", "schedule"], SMALL.replace("[host.client]", "[host.client]\nrun = ['every: ping web1', 'at 1s ping web1']");
    unknown_program, ["unknown-program"], SMALL.replace("[host.client]", "[host.client]\nrun = ['at 1s: crul http://web1/']");
    listen_in_use, ["listen-in-use"], with("[host.web9.http]\n[host.web9.balancer]\nlisten = 'http://:80'\nto = 'web1:80'\n");
    open_quote, ["quote"], SMALL.replace("[host.client]", "[host.client]\nrun = [\"curl 'http://web1\"]");
    not_a_url, ["url"], with("[host.web1.balancer]\nlisten = 'www.shop.test'\nto = 'web[2..3]:80'\n");
    certificate_that_nobody_sees, ["no-effect", "no-effect"],
        with("[host.web1.http]\ncertificate = 'expired'\n[host.web2.balancer]\nlisten = 'tcp://:443'\nto = 'web3:443'\ncertificate = {}\n");
    certificate_that_contradicts_itself, ["no-effect", "no-effect", "window"],
        with("[host.web1.http]\nlisten = 'https://a'\ncertificate = { flaw = 'expired', until = '5s' }\n[host.web2.http]\nlisten = 'https://b'\ncertificate = { flaw = 'wrong-name', names = 'b' }\n[host.web3.http]\nlisten = 'https://c'\ncertificate = { from = '5s', until = '5s' }\n");
    certificate_with_an_unknown_flaw, ["unknown-value", "name"],
        with("[host.web1.http]\nlisten = 'https://a'\ncertificate = 'expierd'\n[host.web2.http]\nlisten = 'https://b'\ncertificate = { names = 'a b' }\n");
    requests_of_a_balancer_of_connections, ["no-effect", "no-effect"],
        with("[host.web1.balancer]\nlisten = 'tcp://:80'\nto = 'web[2..3]:80'\nretries = 2\nresponse_timeout = '1s'\n");
    backend_without_port, ["backend"], with("[host.web1.balancer]\nlisten = 'http://:80'\nto = 'web[2..3]'\n");
    unknown_backend, ["unknown-node"], with("[host.web1.balancer]\nlisten = 'http://:80'\nto = 'wev2:80'\n");
    zones_and_records, ["zone", "record", "record"],
        with("[host.web1.dns]\nzones = { \"shop test\" = { www = 'web1' }, \"shop.test\" = { \"a..b\" = 'web1', www = ['CNAME web1', 'web1'] } }\n");
    zone_with_unknown_node, ["unknown-node"], with("[host.web1.dns]\nzones = { \"shop.test\" = { www = 'wbe2' } }\n");
    unknown_fault, ["unknown-fault"], with("[faults]\nscript = ['5s: crush web1']\n");
    fault_on_unknown_link, ["unknown-link", "unknown-node"],
        with("[faults]\nscript = ['5s: cut client--r2', '6s: loss 5% on r1--r9']\n");
    fault_without_link, ["incomplete", "unknown-link"], with("[faults]\nscript = ['5s: loss 20%', '6s: cut r1']\n");
    bad_window, ["window", "window"],
        with("[faults]\nscript = ['7s..5s: cut r1--r2', '5s..6s: restart web1']\n");
    unknown_metric, ["unknown-metric"], with("[expect]\nserved = 'client.http.okay > 1'\n");
    unknown_function, ["unknown-function"], with("[expect]\nfast = 'q99(client.http.time) < 1s'\n");
    units_do_not_fit, ["dimension", "dimension"],
        with("[expect]\nfast = 'p99(client.http.time) < 900'\nsum = 'client.http.ok + 5ms > 1'\n");
    series_without_function, ["expression"], with("[expect]\nfast = 'client.http.time < 1s'\n");
    unfinished_expectation, ["expression", "expression", "expression"],
        with("[expect]\na = 'client.http.ok'\nb = 'client.http.ok >= '\nc = 'always client.http.ok > 1'\n");
    subtraction_without_spaces, ["unknown-node"], with("[expect]\na = '200-client.http.ok < 5 and x-client.http.ok < 5'\n").replace("200-client.http.ok < 5 and ", "");
    nonsense_in_an_expectation, ["expression"], with("[expect]\na = 'client.http.ok ? 5'\n");
    hub_that_is_too_fast, ["shared-line"], HUB.replace("hub -- a, b", "hub -- a, b : lan");
    hub_whose_line_is_too_long, ["shared-line"],
        HUB.replace("\"hub -- a, b\"", "\"hub -- a : delay 20us\", \"hub -- b : delay 6us\"");
    hub_of_two_rates, ["shared-line"],
        HUB.replace("\"hub -- a, b\"", "\"hub -- a\", \"hub -- b : rate 100mbit\"");
    hubs_in_a_ring, ["shared-line"],
        HUB.replace("\"hub -- a, b\"", "\"hub -- a, b\", \"hub -- h2 -- h3 -- hub\"").replace("[hub.hub]", "[hub.hub]\n[hub.h2]\n[hub.h3]");
    vlan_of_who_is_no_neighbour, ["neighbour", "neighbour"],
        SWITCHES.replace("{ b = 10 }", "{ b = 10, a = 10 }").replace("\"s1\"", "[\"s1\", \"r\"]");
    vlan_and_trunk_at_once, ["neighbour"], SWITCHES.replace("{ a = 10 }", "{ a = 10, s2 = 20 }");
    native_vlan_without_a_trunk, ["neighbour", "neighbour"],
        SWITCHES.replace("trunks = \"s1\"", "trunks = \"s1\"\nnative = { b = 10 }\nallowed = { b = [10, 20] }");
    what_is_no_list_of_vlans, ["vlan", "vlan", "type"],
        SWITCHES.replace("trunks = \"s1\"", "trunks = \"s1\"\nallowed = { s1 = [10, \"5000\", \"30-20\", true] }");
    interface_in_a_vlan_that_does_not_come, ["vlan", "vlan", "vlan"],
        format!("{}[host.a.eth0.20]\n[router.r.eth0.20]\n[router.r.eth0.5000]\n", SWITCHES)
            .replace("[\"s2\", \"r\"]", "[\"s2\", \"r\"]\nallowed = { r = 10 }");
    address_of_a_port_that_hears_only_tags, ["vlan"], SWITCHES.replace("[router.r]", "[router.r]\naddress = \"10.9.0.1/24\"");
    two_words_for_the_tree, ["spanning-tree"],
        SWITCHES.replace("trunks = \"s1\"", "trunks = \"s1\"\nspanning_tree = false\nstp = \"rstp\"");
    edge_ports_of_the_old_tree, ["spanning-tree"],
        SWITCHES.replace("trunks = \"s1\"", "trunks = \"s1\"\nstp = \"stp\"\nedge_ports = \"b\"");
    priority_of_the_rapid_tree, ["spanning-tree"],
        SWITCHES.replace("trunks = \"s1\"", "trunks = \"s1\"\nstp = \"rstp\"\npriority = 5000");
    empty_sweep, ["type"], with("[sweep]\n\"media.wan.loss\" = []\n");
    several_at_once, ["unknown-node", "unknown-key", "unit", "unknown-fault", "unknown-metric"],
        with("[lab]\nsead = 7\nstop = '30'\n[faults]\nscript = ['5s: crush web1']\n[expect]\na = 'client.http.okay > 1'\n")
            .replace("\"client --", "\"clinet --");
}

#[test]
fn what_may_not_be_as_it_was_meant_is_a_warning() {
    let more = "[host.lonely]\n[media.wan]\ndelay = '5ms'\n[faults]\nscript = ['90s: crash web1']\n";
    let lab = Lab::parse("lab.toml", &with(more)).unwrap();
    let kinds: Vec<_> = lab.warnings.iter().map(|m| (m.kind(), m.gravity())).collect();
    let warning = |kind| (kind, Gravity::Warning);
    assert_eq!(kinds, ["unconnected", "unused-medium", "too-late"].map(warning));
    insta::assert_snapshot!("warnings", render(&lab.warnings));
}

#[test]
fn places_are_lines_and_columns() {
    let mistakes = mistakes("[topology]\nlinks = ['a -- b']\n[host.a]\n");
    let mistake = mistakes.iter().next().unwrap();
    assert_eq!(mistakes.line_column(mistake), (2, 16));
    assert_eq!(mistake.mend(), Some("nodes: a"));
    assert_eq!(mistakes.to_string(), "1 mistake in lab.toml");
}

#[test]
fn a_line_that_works_is_no_mistake() {
    // Two stations on a router that is on both: each line is measured for itself.
    let text = "[topology]\nlinks = ['slow -- a, r : delay 12us', 'fast -- b, r : rate 100mbit']\n[hub.slow]\n[hub.fast]\n\
                [router.r]\n[host.a]\n[host.b]\n";
    assert!(Lab::parse("lab.toml", text).unwrap().warnings.is_empty());
    assert!(Lab::parse("lab.toml", HUB).unwrap().warnings.is_empty());
    let half = "[topology]\nlinks = ['a -- b']\n[host.a]\nduplex = 'half'\n[host.b]\n";
    let warnings = Lab::parse("lab.toml", half).unwrap().warnings;
    assert_eq!(
        warnings.iter().map(|m| (m.kind(), m.gravity())).collect::<Vec<_>>(),
        [("shared-line", Gravity::Warning)]
    );
}

#[test]
fn vlans_that_may_not_be_as_they_were_meant() {
    let kinds = |text: &str| {
        let lab = Lab::parse("lab.toml", text).unwrap();
        lab.warnings.iter().map(|m| (m.kind(), m.span())).collect::<Vec<_>>()
    };
    assert_eq!(kinds(SWITCHES), []);
    let place = |text: &str, word: &str| text.find(word).map(|at| at..at + word.len()).unwrap();
    // The ends of a trunk differ in the native VLAN; one end is no trunk.
    let native = SWITCHES.replace("\"r\"]", "\"r\"]\nnative = { s2 = 99 }");
    assert_eq!(
        kinds(&native),
        [("native-vlan", place(&native, "s2\", \"r").start..place(&native, "s2\", \"r").start + 2)]
    );
    assert_eq!(kinds(&SWITCHES.replace("trunks = \"s1\"", "")).len(), 1);
    // A host behind a trunk, without an interface in any VLAN.
    let deaf = SWITCHES.replace("trunks = \"s1\"", "trunks = [\"s1\", \"b\"]").replace("vlans = { b = 10 }", "");
    let at = deaf.rfind("b\"]").unwrap();
    assert_eq!(kinds(&deaf), [("vlan", at..at + 1)]);
    assert_eq!(kinds(&format!("{deaf}[host.b.eth0.10]\n")), []);
    // The tree's words without a tree.
    let tree = SWITCHES.replace("trunks = \"s1\"", "trunks = \"s1\"\npriority = 4096");
    assert_eq!(kinds(&tree), [("spanning-tree", place(&tree, "priority"))]);
}
