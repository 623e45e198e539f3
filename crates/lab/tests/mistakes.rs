//! Golden tests: what a person sees for each kind of mistake.

use std::fmt::Write;

use miette::{GraphicalReportHandler, GraphicalTheme};
use septet_lab::{Gravity, Lab, Mistake, Mistakes};

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

/// The small lab, its client with these programs.
fn client_runs(programs: &str) -> String {
    SMALL.replace("[host.client]", &format!("[host.client]\nrun = [{programs}]"))
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
    unknown_queue, ["unknown-value"], with("[media.wan]\nrate = '1mbit'\nqueue = 'fq_cdel'\n");
    queue_setting, ["unit"], with("[media.wan]\nrate = '1mbit'\nqueue = 'codel target 5'\n");
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
    authority_that_signs_for_nobody, ["unknown-authority"],
        with("[host.web1.http]\nlisten = 'https://a'\ncertificate = { authority = 'firm' }\n[host.web2]\ntrust = ['lab', 'frim']\n");
    versions_that_nobody_speaks, ["no-effect", "unknown-value"],
        with("[host.web1.http]\ntls = '1.2'\n[host.web2.http]\nlisten = 'https://b'\ntls = '1.1'\n");
    certificate_asked_for_with_a_flaw, ["no-effect", "unknown-node"],
        with("[host.web1.http]\nlisten = 'https://a'\ncertificate = { request = 'web3', flaw = 'expired' }\n[host.web2.http]\nlisten = 'https://b'\ncertificate = { request = 'nobody' }\n");
    certificate_with_an_unknown_flaw, ["unknown-value", "name"],
        with("[host.web1.http]\nlisten = 'https://a'\ncertificate = 'expierd'\n[host.web2.http]\nlisten = 'https://b'\ncertificate = { names = 'a b' }\n");
    clients_that_nobody_asks, ["no-effect", "no-effect", "unknown-value"],
        with("[host.web1.http]\nclient_certificate = 'required'\n[host.web2.http]\nlisten = 'https://b'\nclient_certificate = { ca = 'x.pem' }\n[host.web3.http]\nlisten = 'https://c'\nclient_certificate = 'perhaps'\n");
    certificates_of_clients, ["no-effect", "name", "arguments", "arguments"],
        with("[host.web1]\ncertificates = { 'a.pem' = { flaw = 'expired', until = '5s' }, 'x/y' = {} }\nrun = ['curl --cert b.pem https://web2/', 'curl --key a.pem https://web2/']\n");
    requests_of_a_balancer_of_connections, ["no-effect", "no-effect"],
        with("[host.web1.balancer]\nlisten = 'tcp://:80'\nto = 'web[2..3]:80'\nretries = 2\nresponse_timeout = '1s'\n");
    a_sticky_cookie_of_connections, ["no-effect"],
        with("[host.web1.balancer]\nlisten = 'tcp://:80'\nto = 'web[2..3]:80'\nsticky = 'S'\n");
    a_sticky_cookie_nobody_sends_back, ["cookie"],
        with("[host.web1.balancer]\nlisten = 'http://:8080'\nto = 'web[2..3]:80'\nsticky = { cookie = 'S', same_site = 'none' }\n");
    a_sticky_cookie_with_a_blank, ["cookie"],
        with("[host.web1.balancer]\nlisten = 'http://:8080'\nto = 'web[2..3]:80'\nsticky = 'a b'\n");
    routes_of_a_balancer, ["url", "host", "missing-key", "no-effect", "header", "header", "header"],
        with("[host.web1.balancer]\nlisten = 'http://:8080'\n\
            [host.web1.balancer.routes]\none = { to = 'web2:80', path = 'api', host = 'a:80' }\ntwo = { strip_prefix = '/x' }\n\
            three = { to = 'web3:80', request_headers = ['set Content-Length: 1', 'drop X', 'set X'] }\n");
    what_is_not_opened, ["no-effect", "url"],
        with("[host.web1.balancer]\nlisten = 'sni://:8443'\nroutes = { a = { host = 'a.test', to = 'web2:443', path = '/x' } }\n\
            [host.web2.balancer]\nlisten = 'sni://a.test'\nto = 'web3:443'\n");
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
    program_without_its_arguments, ["arguments", "arguments", "arguments", "arguments"],
        client_runs("'at 1s: ping', 'at 1s: curl', 'at 1s: iperf3 -c', 'at 1s: tcp-send web1 9'");
    unknown_option_of_a_program, ["arguments", "arguments", "arguments"],
        client_runs("'at 1s: curl --repat 200 http://web1/', 'at 1s: ping -Z web1', 'at 1s: dig +shrt web1'");
    wrong_value_of_an_option, ["arguments", "arguments", "arguments", "arguments", "arguments", "arguments"],
        client_runs("'ping -c x web1', 'ping -i 0 web1', 'curl htp://web1/', 'udp-send web1 0', 'tcp-sink --read-rate 0 9', 'iperf3 -c web1 -C qubic'");
    there_is_no_shell, ["unknown-node", "arguments", "arguments"],
        client_runs("'ping -c 1 ${B}', 'ping -c 1 web1 | grep ok', 'ping -c 1 web1 > out.txt'");
    unknown_host_of_a_program, ["unknown-node", "unknown-node"],
        client_runs("'at 1s: ping -c 1 wbe1', 'at 1s: curl http://web9.lab/'");
    words_of_time, ["schedule", "arguments", "schedule"],
        client_runs("'after 1s: ping web1', 'ping web1 at 5s', 'then: ping web1'").replace("'after", "'5s: ping web1', 'after").replace("'then: ping", "'tcp-sink 9', 'then: ping");
    words_of_a_fault_s_time, ["unit", "unit"],
        with("[faults]\nscript = ['at 5s: cut r1--r2', '5s to 7s: cut r1--r2', '5-7s: cut r1--r2']\n");
    too_late, ["too-late", "too-late", "too-late"],
        client_runs("'at 20s: ping web1'") + "[lab]\nstop = '10s'\n[faults]\nscript = ['15s: cut r1--r2']\n[expect]\nlate = 'first(client.ping.ok, after = 12s) < 15s'\n";
    two_servers_on_a_port, ["listen-in-use", "listen-in-use", "listen-in-use", "listen-in-use"],
        client_runs("'tcp-sink 80', 'udp-sink 53', 'iperf3 -s', 'iperf3 -s', 'every 1s: tcp-echo 7'") + "[host.client.http]\n[host.client.dns]\n";
    no_time_at_all, ["unit", "url", "unit", "unit"],
        with("[host.web1.balancer]\nlisten = 'http://:8080'\nto = 'web2:80'\nhealth = { every = '0s', path = 'index' }\n[lab]\nstop = '0s'\ntcp = { rto_min = '0s' }\n");
    without_effect, ["no-effect", "no-effect", "no-effect"],
        with("[media]\nwan = { delay = '5ms', limit = '64kb' }\nfar = { length = '100km', delay = '1ms' }\n[switch.s]\n[host.a]\naddress = '10.9.0.1/24'\n[host.a.eth0]\naddress = '10.9.0.2/24'\n")
            .replace("r1 -- r2\"", "r1 -- r2 : wan\", \"r1 -- r2 : far\", \"s -- a\"");
    serial_line_to_a_switch, ["no-effect"],
        with("[switch.s]\n[host.a]\n").replace("links = [", "links = [\"s -- a : rate 64kbit framing ppp\", ");
    sweep_over_what_there_is_not, ["unknown-key", "unknown-key", "unit", "unknown-node"],
        with("[sweep]\n'media.lan.los' = ['1%']\n'nonsense.x' = [1, 2]\n'lab.stop' = ['5s', '5']\n'host.cleint.tcp' = ['reno']\n");
    years_beyond_the_calendar, ["unit"], with("[lab]\nepoch = 9999-12-31T23:59:59-23:59\n");
    number_of_many_digits, ["name"], format!("[host.\"h[{}1..2]\"]\n{SMALL}", "0".repeat(70));
    what_acts_on_a_terminal, ["unknown-key"], with("[lab]\n\"na\\u001b[31mme\" = 7\n");
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
fn what_begins_after_an_end_that_was_changed_is_a_warning() {
    let late = with("[lab]\nstop = '5s'\n[faults]\nscript = ['15s: cut r1--r2']\n");
    assert_eq!(mistakes(&late).iter().next().unwrap().kind(), "too-late");
    let lab = Lab::parse_changed("lab.toml", &late).unwrap();
    assert_eq!(lab.warnings.iter().map(|m| m.kind()).collect::<Vec<_>>(), ["too-late"]);
}

#[test]
fn a_host_with_dots_that_nobody_knows_may_be_what_a_lab_is_about() {
    let zone = "[host.web1.dns]\nzones = { \"shop.test\" = { www = 'web2' } }\n";
    let text = client_runs("'curl http://www.shop.test/', 'curl http://wwww.shop.test/', 'dig @web1 nosuch.shop.test'");
    let lab = Lab::parse("lab.toml", &format!("{text}{zone}")).unwrap();
    let told: Vec<_> = lab.warnings.iter().map(|m| (m.kind(), m.mend())).collect();
    assert_eq!(told, [("unknown-host", Some("did you mean `www.shop.test`?"))]);
}

#[test]
fn a_range_may_have_what_one_of_it_lacks() {
    let range = "[host.\"app[1..2]\".balancer]\nlisten = 'http://:80'\nto = 'web1:80'\n";
    let linked = SMALL.replace("links = [", "links = [\"r1 -- app[1..2]\", ");
    let one = "[host.app1.balancer]\npolicy = 'source-hash'\n";
    Lab::parse("lab.toml", &format!("{linked}{range}{one}")).unwrap();
    let missing = mistakes(&format!("{linked}[host.app2]\n{one}"));
    assert_eq!(missing.iter().map(|m| m.kind()).collect::<Vec<_>>(), ["missing-key", "missing-key"]);
}

#[test]
fn the_first_hundred_of_many_mistakes_are_shown() {
    let unknown: String = (0..20_000).map(|n| format!("k{n} = 1\n")).collect();
    let many = mistakes(&with(&format!("[lab]\n{unknown}")));
    assert_eq!((many.len(), many.left()), (100, 19_900));
    assert_eq!(many.to_string(), "20000 mistakes in lab.toml, of which the first 100 are shown");
}

#[test]
fn an_expectation_has_an_end() {
    for (text, ends) in
        [("1+", "1 > 0"), ("(", "1)"), ("-", "1 > 0"), ("not ", "1 > 0"), ("client.ping.ok + ", "1 > 0")]
    {
        let long = format!("{}{ends}", text.repeat(70_000));
        let wrong = mistakes(&with(&format!("[expect]\nx = '{long}'\n")));
        assert_eq!(wrong.iter().map(|m| m.kind()).collect::<Vec<_>>(), ["expression"], "{text}");
    }
}

#[test]
fn places_are_lines_and_columns() {
    let mistakes = mistakes("[topology]\nlinks = ['a -- b']\n[host.a]\n");
    let mistake = mistakes.iter().next().unwrap();
    assert_eq!(mistakes.line_column(mistake), (2, 16));
    assert_eq!(mistake.mend(), Some("declare it: `[host.b]`, or a router, switch or hub"));
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

#[test]
fn who_asks_for_an_address_where_nobody_gives_any_is_warned_of() {
    let warned = |more: &str| {
        let text = format!(
            "[topology]\nlinks = ['s -- a, b, r', 'r -- t', 't -- server, far']\n[switch.s]\n[switch.t]\n[router.r]\n\
             [host.a]\naddress = 'dhcp'\n[host.b]\naddress = '10.0.1.9/24'\n[host.server]\n[host.far]\n{more}"
        );
        let lab = Lab::parse("lab.toml", &text).unwrap();
        let place = |m: &Mistake| text[m.span()].to_owned();
        lab.warnings.iter().map(|m| (m.kind(), place(m))).collect::<Vec<_>>()
    };
    let server = "[host.server.dhcp]\n";
    assert_eq!(warned(""), [("dhcp", "dhcp".to_owned())]);
    assert_eq!(warned(server).len(), 1, "on another link");
    assert_eq!(warned(&format!("{server}[router.r.dhcp_relay]\nto = 'server'\n")), []);
    assert_eq!(warned("[host.b.dhcp]\n"), []);
    assert_eq!(warned("[host.b.dhcp]\npools = '10.0.9.5 - 10.0.9.9'\n").len(), 1, "addresses of another link");
    assert_eq!(warned("[host.b.dhcp]\nreserved = { a = '10.0.1.77' }\npools = '10.0.9.5 - 10.0.9.9'\n"), []);
}
