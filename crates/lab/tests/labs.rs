//! Every lab of the repository is played to its end, and meets its expectations.

#[path = "labs/balancer_fronts.rs"]
mod balancer_fronts;
#[path = "labs/balancers.rs"]
mod balancers;
#[path = "labs/dns.rs"]
mod dns;
#[path = "labs/http.rs"]
mod http;
#[path = "labs/io_models.rs"]
mod io_models;
#[path = "labs/name_servers.rs"]
mod name_servers;

use septet_lab::{BuildOptions, Lab, Outcome, with_setting};

fn path(name: &str) -> String {
    format!("{}/../../labs/{name}.toml", env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    let path = path(name);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn play(name: &str, text: &str) -> Outcome {
    let lab = Lab::parse(&path(name), text).unwrap();
    assert!(lab.warnings.is_empty(), "{:?}", lab.warnings);
    let outcome = lab.build(&BuildOptions::default()).unwrap().finish().unwrap();
    known_metrics_only(&outcome);
    outcome
}

/// The lab with other values, which meets its expectations all the same.
fn holds(name: &str, settings: &[(&str, &str)]) -> Outcome {
    let mut text = read(name);
    for (path, value) in settings {
        text = with_setting(&text, path, value).unwrap();
    }
    let outcome = play(name, &text);
    assert!(!outcome.verdicts.is_empty(), "{name} expects nothing");
    for verdict in &outcome.verdicts {
        assert!(verdict.held, "{verdict}");
    }
    outcome
}

/// What is recorded and counted can be named in expectations.
fn known_metrics_only(outcome: &Outcome) {
    let known = |kind: &str| septet_lab::KINDS.iter().find(|(name, _)| *name == kind).unwrap().1();
    let (recorded, counted) = (known("metrics"), known("counters"));
    for (node, recorder) in &outcome.recorders {
        for name in recorder.names() {
            let is_known = recorded.iter().any(|k| match k.name.split_once('*') {
                Some((start, end)) => name.starts_with(start) && name.ends_with(end),
                None => name == k.name,
            });
            assert!(is_known, "{node} records {name}, which no expectation can name");
        }
    }
    for (node, counters) in &outcome.counters {
        for name in counters.keys() {
            assert!(counted.iter().any(|k| k.name == *name), "{node} counts {name}, which no expectation can name");
        }
    }
}

fn sum(outcome: &Outcome, node: &str, metric: &str) -> f64 {
    let (_, recorder) = outcome.recorders.iter().find(|(name, _)| name == node).unwrap();
    recorder.series(metric).map_or(0.0, |s| s.sum())
}

#[test]
fn hello() {
    holds("hello", &[]);
}

#[test]
fn tcp_accept_queue() {
    let slow = holds("tcp-accept-queue", &[]);
    let overflows = |outcome: &Outcome| outcome.counters["server"].get("TcpExtListenOverflows").copied();
    // With room for all, or a program that is quick, nobody is turned away.
    for (path, value) in [("host.server.listeners.7.backlog", "16"), ("host.server.listeners.7.accept_delay", "1us")] {
        let text = with_setting(&read("tcp-accept-queue"), path, value).unwrap();
        assert_ne!(overflows(&play("roomy", &text)), overflows(&slow), "{path}");
    }
    let never = with_setting(&read("tcp-accept-queue"), "host.server.listeners.7.accept_delay", "never").unwrap();
    assert_eq!(sum(&play("never", &never), "server", "sink.bytes"), 0.0);
}

#[test]
fn tcp_ports() {
    holds("tcp-ports", &[]);
    let text = with_setting(&read("tcp-ports"), "host.client.tcp.tw_reuse", "on").unwrap();
    assert_eq!(play("reused", &text).counters["server"]["TcpPassiveOpens"], 71);
}

#[test]
fn black_hole() {
    holds("black-hole", &[]);
}

#[test]
fn ipv6() {
    holds("ipv6", &[]);
    let missed = misses("ipv6", "ip = \"6\"", "ip = \"4\"");
    assert!(["asked", "no-arp", "no-v4"].iter().all(|name| missed.contains(&(*name).to_owned())), "{missed:?}");
}

#[test]
fn redirect() {
    holds("redirect", &[]);
    let silent = misses("redirect", "[router.wrong]", "[router.wrong]\nredirects = false");
    assert!(["believed", "once", "vain"].iter().all(|name| silent.contains(&(*name).to_owned())), "{silent:?}");
}

#[test]
fn slaac() {
    holds("slaac", &[]);
    // A router that is none for others is no way out, and with a long life it stays one too long.
    assert!(misses("slaac", "lifetime = \"12s\"", "lifetime = \"0s\"").contains(&"reached".to_owned()));
    assert!(misses("slaac", "valid = \"25s\"", "valid = \"50s\"").contains(&"expired".to_owned()));
}

#[test]
fn fragments() {
    holds("fragments", &[]);
    let missed = misses("fragments", "mtu 1280", "mtu 1500");
    assert_eq!(missed, ["router-cuts", "router-told", "source-cuts", "forbidden", "lost"]);
}

#[test]
fn pmtud() {
    holds("pmtud", &[]);
    assert!(misses("pmtud", "mtu 1400", "mtu 1500").contains(&"told".to_owned()));
    assert!(!misses("pmtud", "http = {", "tcp = { pmtu_discovery = false }\nhttp = {").is_empty());
}

#[test]
fn pmtud_black_hole() {
    holds("pmtud-black-hole", &[]);
    assert_eq!(misses("pmtud-black-hole", "on-black-hole", "off"), ["hangs", "probes"]);
    assert!(misses("pmtud-black-hole", "drop out icmp packet-too-big", "drop out igmp").contains(&"hangs".to_owned()));
}

#[test]
fn dual_stack() {
    holds("dual-stack", &[]);
    let patient = "at 5s: curl --happy-eyeballs-timeout-ms 60000 --max-time 4";
    let missed = misses("dual-stack", "at 5s: curl", patient);
    assert!(missed.contains(&"saved".to_owned()) && missed.contains(&"raced".to_owned()), "{missed:?}");
}

/// The lab without a part of its text breaks this expectation.
fn needs(name: &str, part: &str, expectation: &str) {
    let text = read(name);
    assert!(text.contains(part), "{part} is not in {name}");
    let outcome = play(name, &text.replace(part, ""));
    let verdict = outcome.verdicts.iter().find(|v| v.name == expectation).unwrap();
    assert!(!verdict.held, "{expectation} holds without {part}");
}

#[test]
fn arp_poisoning() {
    holds("arp-poisoning", &[]);
}

#[test]
fn arp_inspection() {
    holds("arp-inspection", &[]);
    // A switch that believes everything: the first server wins or the second, and forged ARP gets through.
    let off = "[switch.s1.arp_inspection]\ntrusted = \"r1\"\nbindings = { \"10.0.1.10\" = \"dhcp\", \"10.0.1.11\" = \"mallory\" }\n";
    assert_eq!(misses("arp-inspection", off, ""), ["unmoved", "arp"]);
    // Who does not look at DHCP knows nobody's address from there, and does not hear of the second server.
    let missed = misses("arp-inspection", "dhcp_snooping = { trusted = \"dhcp\" }", "");
    assert!(["works", "dhcp", "bound"].iter().all(|name| missed.iter().any(|missed| missed == name)), "{missed:?}");
    // And where the poisoning worked, it works no more.
    let inspects = "[switch.s1.arp_inspection]\ntrusted = \"r1\"\n\
                    bindings = { \"10.0.1.10\" = \"mallory\", \"10.0.1.11\" = \"victim\", \"10.0.1.12\" = \"careful\" }\n";
    assert_eq!(misses("arp-poisoning", "[switch.s1]\n", inspects), ["through", "over"]);
}

#[test]
fn broadcast() {
    holds("broadcast", &[]);
}

#[test]
fn dhcp() {
    holds("dhcp", &[]);
}

#[test]
fn firewall() {
    holds("firewall", &[]);
}

#[test]
fn multicast() {
    holds("multicast", &[]);
}

#[test]
fn voice() {
    holds("voice", &[]);
}

#[test]
fn nat() {
    holds("nat", &[]);
    needs("nat", "masquerade = \"home--isp\"\n", "out");
    needs("nat", "forward = [\"tcp 8080 -> nas:80\"]\n", "forward");
}

#[test]
fn bgp() {
    holds("bgp", &[]);
    needs("bgp", "import = [\"p1 10.9.0.0/16 local-pref 200\"]\n", "policy");
    needs("bgp", "networks = [\"10.9.0.0/16\"]\n", "failover");
    let missed = misses("bgp", "neighbors = [\"p1\", \"p2\"]", "neighbors = [\"p1\"]");
    assert!(missed.contains(&"failover".to_owned()), "{missed:?}");
}

#[test]
fn ospf() {
    holds("ospf", &[]);
    for expectation in ["map", "cut", "back", "dead"] {
        needs("ospf", "routing = \"ospf\"\n", expectation);
    }
}

#[test]
fn rip_count_to_infinity() {
    holds("rip-count-to-infinity", &[]);
    needs("rip-count-to-infinity", "split_horizon = \"off\"\n", "counts");
    let off = "rip]\nsplit_horizon = \"off\"\ntriggered = false\njitter = false\n\n[host.lost]";
    let missed = misses("rip-count-to-infinity", "rip]\n\n[host.lost]", off);
    assert!(missed.contains(&"at-once".to_owned()) && missed.contains(&"no-loops".to_owned()), "{missed:?}");
}

#[test]
fn satellite() {
    holds("satellite", &[]);
    needs("satellite", "    \"ut -> gw : rate 256kbit\",\n", "uphill");
    needs("satellite", "    \"gw -> ut : rate 2mbit, loss gemodel 1% 30%\",\n", "bursts");
    needs("satellite", "\"30s..31.5s: hold gw->ut\"", "held");
}

#[test]
fn cellular() {
    holds("cellular", &[]);
    needs("cellular", "rate trace traces/cellular.down, ", "mean");
}

#[test]
fn filter() {
    holds("filter", &[]);
    needs("filter", "    \"drop syn not ack dport 80 first 2 on client->fw\",\n", "third");
    needs("filter", "    \"4s..9s: drop udp dport 53 on fw\",\n", "silence");
    needs("filter", "    \"11s..15s: reject tcp dport 7 on fw\",\n", "refused");
    needs("filter", "    \"19s..28s: drop size 1400.. on fw->server\",\n", "small");
    needs("filter", "    \"32s: reset client->server port 9\",\n", "reset");
}

#[test]
fn answers() {
    holds("answers", &[]);
}

#[test]
fn router_on_a_stick() {
    let outcome = holds("router-on-a-stick", &[]);
    // Without the trunk's tags the router is in no VLAN, and nothing is routed.
    let text = read("router-on-a-stick").replace("trunks = [\"s1\", \"r1\"]", "trunks = [\"s1\"]");
    let text = text.replace("allowed = { r1 = \"10, 20\" }", "");
    let lab = Lab::parse("lab.toml", &text).unwrap();
    let without = lab.build(&BuildOptions::default()).unwrap().finish().unwrap();
    let held = |outcome: &Outcome| outcome.verdicts.iter().filter(|v| v.held).count();
    assert!(held(&without) < held(&outcome), "{:?}", without.verdicts);
}

#[test]
fn rapid_spanning_tree() {
    holds("rapid-spanning-tree", &[]);
}

#[test]
fn duplex_down_up() {
    holds("duplex-down-up", &[]);
}

#[test]
fn ports() {
    holds("ports", &[]);
}

/// The names of the expectations that a lab misses where its file says something else.
fn misses(name: &str, old: &str, new: &str) -> Vec<String> {
    let text = read(name);
    assert!(text.contains(old), "{name} does not say {old}");
    let outcome = play(name, &text.replacen(old, new, 1));
    outcome.verdicts.iter().filter(|v| !v.held).map(|v| v.name.clone()).collect()
}

#[test]
fn udp_beside_tcp() {
    holds("udp-beside-tcp", &[]);
    // Over a good path nothing is lost, late or doubled, and nothing is sent again.
    let missed = misses("udp-beside-tcp", r#"loss = "3%", duplicate = "2%", reorder = "5%", "#, "");
    assert_eq!(missed, ["tcp-again", "udp-lost", "udp-late", "udp-double"]);
}

#[test]
fn headers() {
    holds("headers", &[]);
    // With timestamps a segment has twelve bytes more.
    assert_eq!(misses("headers", "timestamps = false", "timestamps = true"), ["tcp"]);
}

#[test]
fn congestion_collapse() {
    holds("congestion-collapse", &[]);
    // Where the sender listens from the beginning nothing collapses.
    let rude = r#""at 0s: udp-send far 5001 --size 1200 --rate 9.2mbit --count 19000""#;
    let missed = misses("congestion-collapse", rude, r#""at 0s: tcp-send far 5002 100m""#);
    assert!(missed.contains(&"collapse".to_owned()), "{missed:?}");
}

#[test]
fn handshake() {
    holds("handshake", &[]);
}

#[test]
fn loss() {
    holds("loss", &[]);
}

#[test]
fn routers() {
    holds("routers", &[]);
}

#[test]
fn dns() {
    holds("dns", &[]);
}

#[test]
fn dns_ttl() {
    holds("dns-ttl", &[]);
}

#[test]
fn shop() {
    let outcome = holds("shop", &[]);
    assert_eq!(sum(&outcome, "client", "http.corrupt"), 0.0);
}

#[test]
fn certificates() {
    holds("certificates", &[]);
}

#[test]
fn https() {
    holds("http-in-the-clear", &[]);
    holds("https", &[]);
    holds("tls-versions", &[]);
}

#[test]
fn certificates_one_by_one() {
    holds("certificate-flow", &[]);
    holds("certificate-expired", &[]);
    holds("certificate-wrong-name", &[]);
    holds("certificate-untrusted", &[]);
    holds("certificate-revoked", &[]);
    holds("certificate-chain", &[]);
    holds("client-certificates", &[]);
    // Who asks nobody serves all.
    let text = read("client-certificates");
    let asked = "client_certificate = { authority = \"staff\" }";
    assert!(text.contains(asked));
    let all = play("unasked", &text.replace(asked, ""));
    assert_eq!((sum(&all, "nobody", "http.ok"), sum(&all, "api", "http.requests")), (2.0, 6.0));
    holds("man-in-the-middle", &[]);
}

#[test]
fn keys() {
    holds("keys-symmetric", &[]);
    holds("keys-public", &[]);
    holds("keys-hybrid", &[]);
}

#[test]
fn queue_md1() {
    holds("queue-md1", &[]);
}

/// The shop over a bad link, with the time that this takes. Every body arrives whole, and every request is answered.
fn intact(path: &str, value: &str) -> Outcome {
    let text = with_setting(&read("shop"), path, value).unwrap();
    let outcome = play("shop", &with_setting(&text, "lab.stop", "90s").unwrap());
    assert_eq!(sum(&outcome, "client", "http.ok"), 200.0);
    assert_eq!(sum(&outcome, "client", "http.corrupt"), 0.0);
    assert_eq!(sum(&outcome, "client", "http.bytes"), 200.0 * 20_480.0);
    outcome
}

#[test]
fn shop_with_five_per_cent_loss() {
    intact("media.wan.loss", "5%");
}

#[test]
fn shop_with_bit_errors() {
    let outcome = intact("media.wan.ber", "1e-6");
    assert!(
        ["r1 eth1", "r2 eth0"].iter().filter_map(|at| outcome.ports[*at].get("rx_crc_errors")).sum::<u64>() > 0,
        "no bit was flipped"
    );
}

#[test]
fn session_resume() {
    let outcome = holds("session-resume", &[]);
    // One that gives up at the first break has no file.
    let impatient = read("session-resume").replace("--patience 1s", "--patience 1s --give-up 1s");
    assert!(sum(&play("impatient", &impatient), "receiver", "inbox.whole") < sum(&outcome, "receiver", "inbox.whole"));
}

#[test]
fn session_turns() {
    holds("session-turns", &[]);
}

#[test]
fn session_full_duplex() {
    holds("session-full-duplex", &[]);
}

#[test]
fn ebcdic() {
    holds("ebcdic", &[]);
    // Where nothing is converted, nobody reads what was meant.
    let text = read("ebcdic");
    let pc = play("unconverted", &text.replace("--charset us-ascii --expect", "--bare --charset us-ascii --expect"));
    assert_eq!((sum(&pc, "pc", "text.same"), sum(&pc, "pc", "text.different")), (0.0, 1.0));
    // Another page of EBCDIC is another character set: it is converted to that one.
    let other = play("another-page", &text.replace("--charset cp037 --expect", "--charset cp500 --expect"));
    assert_eq!(sum(&other, "mainframe", "text.same"), 1.0);
    // Without a message nobody knows what the answer is.
    let bare = play("no-message", &text.replace("us-ascii mainframe", "us-ascii --bare mainframe"));
    assert_eq!(sum(&bare, "mainframe", "text.failed"), 1.0);
}

#[test]
fn hub() {
    holds("hub", &[]);
}

#[test]
fn switch() {
    holds("switch", &[]);
}

#[test]
fn switching_loop() {
    holds("loop", &[]);
}

#[test]
fn spanning_tree() {
    holds("spanning-tree", &[]);
}

#[test]
fn vlan() {
    holds("vlan", &[]);
}

#[test]
fn duplex_mismatch() {
    holds("duplex-mismatch", &[]);
}

#[test]
fn arq_stop_and_wait() {
    holds("arq-stop-and-wait", &[]);
}

#[test]
fn arq_go_back_n() {
    holds("arq-go-back-n", &[]);
}

#[test]
fn arq_selective_repeat() {
    holds("arq-selective-repeat", &[]);
}

#[test]
fn ppp() {
    holds("ppp", &[]);
}

#[test]
fn pause() {
    holds("pause", &[]);
}

#[test]
fn bufferbloat_drop_tail() {
    holds("bufferbloat-drop-tail", &[]);
}

#[test]
fn bufferbloat_codel() {
    holds("bufferbloat-codel", &[]);
}

#[test]
fn bufferbloat_fq_codel() {
    holds("bufferbloat-fq-codel", &[]);
}

#[test]
fn priority() {
    holds("priority", &[]);
}

#[test]
fn cables() {
    holds("cables", &[]);
}

#[test]
fn validation_red() {
    holds("validation/red", &[]);
}

#[test]
fn validation_red_tests() {
    holds("validation/red-tests", &[]);
}

#[test]
fn validation_codel() {
    holds("validation/codel", &[]);
}

#[test]
fn validation_codel_tcp() {
    holds("validation/codel-tcp", &[]);
}

/// A lab that is added is tested here; those of `validation`, which play for long, by the command's test of that name.
#[test]
fn bridge() {
    holds("bridge", &[]);
}

#[test]
fn jumbo() {
    holds("jumbo", &[]);
}

#[test]
fn tcp_aimd() {
    holds("tcp-aimd", &[]);
}

#[test]
fn tcp_close() {
    holds("tcp-close", &[]);
}

#[test]
fn tcp_fast_recovery() {
    holds("tcp-fast-recovery", &[]);
}

#[test]
fn tcp_go_back_n() {
    holds("tcp-go-back-n", &[]);
}

#[test]
fn tcp_late_joiner() {
    holds("tcp-late-joiner", &[]);
}

#[test]
fn tcp_loss_detection() {
    holds("tcp-loss-detection", &[]);
}

#[test]
fn io_blocking() {
    holds("io-blocking", &[]);
    let missed = misses("io-blocking", "--style blocking", "--style threads");
    assert_eq!(missed, ["held-up", "then", "one"]);
}

#[test]
fn io_threads() {
    holds("io-threads", &[]);
    let missed = misses("io-threads", "--style threads", "--style event-loop");
    assert_eq!(missed, ["threads", "memory", "switches"]);
}

#[test]
fn io_non_blocking() {
    holds("io-non-blocking", &[]);
    let missed = misses("io-non-blocking", "--style non-blocking --pause 10ms", "--style blocking");
    assert_eq!(missed, ["never", "asked", "late"]);
}

#[test]
fn io_event_loop() {
    holds("io-event-loop", &[]);
    let missed = misses("io-event-loop", "--style event-loop", "--style threads");
    assert_eq!(missed, ["one-only", "together", "switches", "busy", "latency", "edges", "calls"]);
    // A switch that costs nothing leaves nothing to be saved but calls.
    let missed =
        misses("io-event-loop", "threads]\ncosts = {}", "threads]\ncosts = { switch = \"0ns\", wake = \"0ns\" }");
    assert_eq!(missed, ["busy", "latency"]);
}

#[test]
fn tcp_slow_receiver() {
    holds("tcp-slow-receiver", &[]);
}

#[test]
fn tcp_slow_start() {
    holds("tcp-slow-start", &[]);
}

#[test]
fn tcp_stop_and_wait() {
    holds("tcp-stop-and-wait", &[]);
}

#[test]
fn every_lab_has_a_test() {
    let labs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../labs");
    let mut tests = include_str!("labs.rs").to_owned();
    for file in std::fs::read_dir(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/labs")).unwrap() {
        tests += &std::fs::read_to_string(file.unwrap().path()).unwrap();
    }
    let book = include_str!("../../../docs/labs.md");
    let mut todo = vec![labs.clone()];
    while let Some(directory) = todo.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if path.file_name().is_none_or(|name| name != "validation") {
                    todo.push(path);
                }
            } else if path.extension().is_some_and(|e| e == "toml") {
                let name = path.strip_prefix(&labs).unwrap().with_extension("");
                let played = format!("holds(\"{}\"", name.display());
                assert!(tests.contains(&played), "labs/{}.toml is played by no test", name.display());
                let listed = format!("(../labs/{}.toml)", name.display());
                let is_course = !name.starts_with("validation");
                assert!(!is_course || book.contains(&listed), "docs/labs.md does not list {}", name.display());
            }
        }
    }
}

#[test]
fn routing_loop() {
    holds("routing-loop", &[]);
    // Where r2 says that there is no way nothing goes round.
    let missed = misses("routing-loop", "gateway = \"r1\"\nroutes = [", "routes = [\"unreachable default\", ");
    assert_eq!(missed, ["loops", "cost", "seen"]);
    needs("routing-loop", "\"unreachable 10.98.0.0/16\", ", "unreachable");
    needs("routing-loop", ", \"blackhole 10.98.8.0/24\"", "silent");
}

#[test]
fn anycast() {
    holds("anycast", &[]);
    let missed = misses("anycast", "\"192.0.2.53 via r2 metric 2\"", "\"unreachable 192.0.2.53 metric 2\"");
    assert_eq!(missed, ["failover", "nobody", "other"]);
    // The metric decides, not the order; and where each router prefers the other nobody is left when one server goes.
    let missed = misses("anycast", "via ns2 metric 1", "via ns2 metric 3");
    assert_eq!(missed, ["nearest", "failover", "nobody", "other"]);
}

#[test]
fn layer_3_switch() {
    holds("layer-3-switch", &[]);
    // A switch that only looks at link addresses has no way from one VLAN to another.
    let text = read("layer-3-switch").replace("[l3switch.s1]", "[switch.s1]");
    let keys =
        ["addresses = { 10 = \"192.168.10.1/24\" }\n", "run = [\"at 8s: ip route\", \"at 9s: ping -c 2 far\"]\n"];
    let text = keys.iter().fold(text, |text, key| text.replace(key, ""));
    let text = text
        .replace("itself   = \"sum(s1.ping.ok) == 2\"\n", "")
        .replace("s1.IpForwDatagrams >= 14 and s1.switch_forwarded > s1.IpForwDatagrams", "s1.switch_forwarded > 5");
    let lab = Lab::parse("lab.toml", &text).unwrap();
    let without = lab.build(&BuildOptions::default()).unwrap().finish().unwrap();
    let missed: Vec<&str> = without.verdicts.iter().filter(|v| !v.held).map(|v| v.name.as_str()).collect();
    assert_eq!(missed, ["routed", "page", "beyond"]);
}
