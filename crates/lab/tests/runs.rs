//! A lab and a seed are one run, to the last byte.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use septet_capture::{Pcapng, Shared, pcapng};
use septet_core::{Interest, Monitor, Observation, Way};
use septet_lab::{BuildOptions, Lab, Outcome, Run};

const SHOP: &str = include_str!("../../../labs/shop.toml");

fn build(text: &str, seed: Option<u64>) -> Run {
    let lab = Lab::parse("lab.toml", text).unwrap();
    lab.build(&BuildOptions { seed, ..BuildOptions::default() }).unwrap()
}

/// The shop, for a shorter time.
fn short() -> String {
    let text = septet_lab::with_setting(SHOP, "lab.stop", "12s").unwrap();
    let text = text.replace("\"18s..19s: cut r1--r2\"", "\"11s..12s: cut r1--r2\"");
    text.replace(", \"15s: restart web2\"", "").replace("after = 19s", "after = 11s")
}

#[derive(Clone, Default)]
struct Memory(Rc<RefCell<Vec<u8>>>);

impl io::Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The outcome of a run and its capture.
fn captured(text: &str, seed: Option<u64>) -> (Outcome, Vec<u8>) {
    let mut run = build(text, seed);
    let memory = Memory::default();
    run.world.add_monitor(Pcapng::new(memory.clone(), run.names(), pcapng::Options::default()));
    run.play().unwrap();
    let outcome = run.outcome();
    drop(run);
    (outcome, memory.0.take())
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let text = short();
    let ((a, a_bytes), (b, b_bytes)) = (captured(&text, None), captured(&text, None));
    assert_eq!(a.digest, b.digest);
    assert_eq!(a.counters, b.counters);
    assert!(a_bytes.len() > 1_000_000, "{} bytes", a_bytes.len());
    assert!(a_bytes == b_bytes, "two captures of one run differ");
}

#[test]
fn watching_changes_nothing() {
    let text = short();
    let (watched, _) = captured(&text, None);
    let unwatched = build(&text, None).finish().unwrap();
    assert_eq!((watched.digest, watched.stats), (unwatched.digest, unwatched.stats));
}

#[test]
fn another_seed_gives_another_run() {
    let text = short();
    let (a, b) = (build(&text, None).finish().unwrap(), build(&text, Some(8)).finish().unwrap());
    assert_ne!(a.digest, b.digest);
    assert_eq!((a.seed, b.seed), (7, 8));
}

/// Every frame as one port saw it.
#[derive(Default)]
struct Port {
    station: u32,
    seen: Vec<(u64, Way, Vec<u8>)>,
}

impl Monitor for Port {
    fn interest(&self) -> Interest {
        Interest::Frames
    }

    fn frame(&mut self, o: &Observation<'_>) {
        if o.station.0 == self.station {
            self.seen.push((o.at.as_nanos(), o.way, o.frame.bytes().to_vec()));
        }
    }
}

#[test]
fn an_idle_host_changes_no_other_flow() {
    let text = short();
    let more = text.replace("web[1..3]\"]", "web[1..3]\", \"s2 -- idle\"]") + "[host.idle]\n";
    let frames = |text: &str| {
        let mut run = build(text, None);
        let client = run.station(run.lab().node("client").unwrap()).unwrap();
        let port = Shared::new(Port { station: client.0, ..Port::default() });
        run.world.add_monitor(port.clone());
        run.play().unwrap();
        port.with(|p| std::mem::take(&mut p.seen))
    };
    let (without, with) = (frames(&text), frames(&more));
    assert!(without.len() > 900, "{} frames", without.len());
    assert!(without == with, "the client saw other frames");
}

/// A transfer over a bottleneck with a short queue.
const TRANSFER: &str = r#"
    [lab]
    stop = "4s"
    tcp = "reno"
    [topology]
    links = ["a -- r", "r -- b : rate 20mbit delay 5ms limit 20p"]
    [host.a]
    run = ["tcp-send b 9 5mb"]
    [router.r]
    [host.b]
    run = ["tcp-sink 9"]
    [expect]
"#;

#[test]
fn connections_and_queues_are_looked_at_and_do_not_notice() {
    let plain = build(&format!("{TRANSFER}all = 'b.sink.ok == 1'"), None).finish().unwrap();
    let asked = format!(
        "{TRANSFER}
        cut = 'a.tcp.reductions > 3 and a.tcp.timeouts == 0 and a.tcp.retransmits >= queue_drops(r->b)'
        saw = 'max(a.tcp.cwnd, after = 1s) > 1.9 * min(a.tcp.cwnd, after = 1s)'
        rtt = '10ms < min(a.tcp.rtt) < max(a.tcp.rtt) < 30ms'
        now = 'at(a.tcp.ssthresh, 1s) <= max(a.tcp.cwnd) / 2'
        full = '15 < max(r.backlog.eth1) <= 20 and max(r.queue.eth1) > 20kb'
        mean = 'abs(mean(r.backlog.eth1, before = 2s) - mean_backlog(r->b, before = 2s)) < 1'
        parts = 'abs(mean_queue(r->b, before = 2s) + mean_queue(r->b, after = 2s) - 2 * mean_queue(r->b)) < 1b'
        "
    );
    let asked = build(&asked, None).finish().unwrap();
    assert!(plain.ok() && asked.ok(), "{:?} {:?}", plain.verdicts, asked.verdicts);
    assert_eq!((plain.digest, plain.stats), (asked.digest, asked.stats));
    let series = |outcome: &Outcome, name: &str| outcome.recorders[0].1.series(name).map_or(0, |s| s.count());
    assert_eq!(series(&plain, "tcp.cwnd"), 0, "nobody asked");
    assert!(series(&asked, "tcp.cwnd") > 200, "every 10 ms");
    let sampled = build(&format!("{}all = 'b.sink.ok == 1'", TRANSFER.replace("[lab]", "[lab]\nsample = '1ms'")), None);
    let sampled = sampled.finish().unwrap();
    assert!(sampled.ok() && series(&sampled, "tcp.cwnd") > 2000, "every millisecond");
    assert_eq!(sampled.digest, plain.digest);
}

/// A lab of this text, played to its end, whose expectations all hold.
fn holds(text: &str) -> Outcome {
    let outcome = build(text, None).finish().unwrap();
    assert!(!outcome.verdicts.is_empty());
    for verdict in &outcome.verdicts {
        assert!(verdict.held, "{verdict}");
    }
    outcome
}

#[test]
fn a_hub_works_without_a_word_about_its_links() {
    holds(
        "lab.stop = '10s'\n[topology]\nlinks = ['box -- a, b, c', 'box -- box2 -- d']\n[hub.box]\n[hub.box2]\n[host.a]\n\
         run = ['at 1s: iperf3 -c b -t 3']\n[host.b]\nrun = ['iperf3 -s']\n[host.c]\nrun = ['at 5s: ping -c 3 d']\n[host.d]\nrun = ['at 5s: ping -c 3 b']\n\
         [expect]\nshare = 'max(a.iperf3.bitrate) > 5mbit'\nall = 'c.ping.ok == 3 and d.ping.ok == 3'",
    );
}

#[test]
fn a_name_is_found_in_whatever_case_it_is_written() {
    let text = "lab.stop = '12s'\n[topology]\nlinks = ['a, ns -- s -- PC2']\n[switch.s]\n[host.a]\n\
                run = ['at 1s: ping -c 1 PC2', 'at 2s: ping -c 1 pc2', 'at 3s: ping -c 1 pC2.LAB.', \
                       'at 4s: curl -s -o /dev/null http://PC2/', 'at 6s: curl -s -o /dev/null https://Pc2:8443/']\n\
                [host.PC2.http]\nlisten = 'http://:80'\n[host.ns]\n[expect]\nnamed = 'a.ping.ok == 3'\nfetched = 'a.http.ok >= 1'";
    holds(text);
    // With a name server, and over TLS, it is the same.
    let text =
        text.replace("[host.ns]", "[host.ns.dns]").replace("listen = 'http://:80'", "listen = 'https://PC2:8443'");
    holds(&text);
}

#[test]
fn each_vlan_is_a_subnet_and_a_router_on_a_trunk_is_in_all_of_them() {
    let text = r#"
        lab.stop = "10s"
        [topology]
        links = ["s1 -- s2", "s1 -- pc1, pc2", "s2 -- pc3, pc4, r1", "r1 -- far"]
        [switch.s1]
        vlans = { pc1 = 10, pc2 = 20 }
        trunks = "s2"
        [switch.s2]
        vlans = { pc3 = 10, pc4 = 20 }
        trunks = ["s1", "r1"]
        [router.r1]
        [host."pc[1..4]"]
        [host.far]
        run = ["at 6s: ping -c 1 pc2", "at 7s: ping -c 1 -s 4000 pc3"]
        [host.pc1]
        run = ["at 1s: ping -c 2 pc3", "at 4s: ping -c 2 pc4"]
        [expect]
        same   = "pc1.ping.ok == 4"
        routed = "far.ping.ok == 2"
        tagged = "r1.eth0.rx_packets > 4 and r1.IpForwDatagrams >= 8"
    "#;
    let addresses = |text: &str| {
        let lab = Lab::parse("lab.toml", text).unwrap();
        let of = |name: &str| {
            let node = &lab.nodes[lab.node(name).unwrap()];
            node.addresses().map(|a| a.to_string()).collect::<Vec<_>>().join(" ")
        };
        ["pc1", "pc2", "pc3", "pc4", "r1", "far"].map(of)
    };
    let found = addresses(text);
    assert_eq!(found[..4], ["10.0.1.10/24", "10.0.2.10/24", "10.0.1.11/24", "10.0.2.11/24"]);
    assert_eq!(found[4..], ["10.0.1.1/24 10.0.2.1/24 10.0.3.1/24", "10.0.3.10/24"]);
    holds(text);
    // Only the VLANs that the file gives the router, with its addresses.
    let named = text.replace("[router.r1]", "[router.r1]\n[router.r1.eth0.10]\naddress = \"10.10.0.254/24\"");
    let found = addresses(&named);
    assert_eq!(
        found[..5],
        ["10.10.0.10/24", "10.0.1.1/24", "10.10.0.11/24", "10.0.1.2/24", "10.10.0.254/24 10.0.2.1/24"]
    );
    // Through switches that know nothing of VLANs tags pass as they are.
    let plain = text.replace("\"s1 -- s2\"", "\"s1 -- dumb -- s2\"").replace("trunks = \"s2\"", "trunks = \"dumb\"");
    let plain =
        plain.replace("[\"s1\", \"r1\"]", "[\"dumb\", \"r1\"]").replace("[router.r1]", "[switch.dumb]\n[router.r1]");
    holds(&plain);
    // Between two routers without any switch.
    holds(
        "lab.stop = '5s'\n[topology]\nlinks = ['a -- r1 -- r2 -- b']\n[router.r1.eth1.7]\n[router.r2.eth0.7]\n[host.b]\n\
         [host.a]\nrun = ['at 1s: ping -c 1 b', 'at 2s: traceroute b']\n[expect]\nthere = 'a.ping.ok == 1'",
    );
}

#[test]
fn a_host_takes_its_time_to_answer_where_the_file_says_so() {
    let text = "lab.stop = '3s'\n[topology]\nlinks = ['a -- b : rate unlimited delay 1ms']\n[host.a]\n\
                run = ['at 1s: ping -c 1 b', 'at 2s: ping -c 1 b']\n[host.b]\nturnaround = '3ms'\n[expect]\n\
                time = '4.9ms < min(a.ping.time) < 5.1ms'";
    holds(text);
}
