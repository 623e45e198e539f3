//! What links are made of, each direction for itself: link strings of one direction, rates that follow a recording,
//! the order of frames, and a rate that changes while a frame is on the wire.

use septet_capture::Shared;
use septet_core::{Event, Interest, Monitor};
use septet_engine::Heading;
use septet_lab::{BuildOptions, Lab, Outcome};

/// A lab of two hosts; `rest` goes to the end.
fn lab(links: &str, rest: &str) -> String {
    format!("[lab]\nstop = \"10s\"\n[topology]\nlinks = [{links}]\n[host.a]\n[host.b]\n{rest}")
}

/// Rate in kbit/s and delay in ms of each direction of the first link.
fn directions(links: &str) -> Result<[(u64, u128); 2], String> {
    let media = "[media]\nwan = { rate = \"2mbit\", delay = \"270ms\" }\n";
    let lab = Lab::parse("lab.toml", &lab(links, media))
        .map_err(|mistakes| mistakes.iter().map(|m| m.reason().to_owned()).collect::<Vec<_>>().join("; "))?;
    let run = lab.build(&BuildOptions::default()).unwrap();
    Ok([Heading::AToB, Heading::BToA].map(|heading| {
        let medium = run.world.medium(run.link(0).unwrap(), heading).unwrap();
        (medium.rate.map_or(0, |r| r.bits_per_sec() / 1000), medium.delay.as_millis())
    }))
}

/// The same with other tables for the hosts.
fn with_hosts(links: &str, hosts: &str) -> String {
    lab(links, "").replace("[host.a]\n[host.b]\n", hosts)
}

fn outcome(text: &str) -> Outcome {
    let lab = Lab::parse("lab.toml", text).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
    lab.build(&BuildOptions::default()).unwrap().finish().unwrap()
}

#[track_caller]
fn holds(text: &str) {
    for verdict in &outcome(text).verdicts {
        assert!(verdict.held, "{}: {} ({})", verdict.name, verdict.text, verdict.found_in_words());
    }
}

#[test]
fn a_direction_refines_a_link_wherever_it_stands() {
    let asymmetric = [(2_000, 270), (256, 270)];
    assert_eq!(directions(r#""a -- b : wan", "b -> a : rate 256kbit""#), Ok(asymmetric));
    assert_eq!(directions(r#""b -> a : rate 256kbit", "a -- b : wan""#), Ok(asymmetric));
    assert_eq!(directions(r#""a -- b : delay 5ms", "a -> b : wan delay 7ms""#), Ok([(2_000, 7), (1_000_000, 5)]));
    assert_eq!(directions(r#""a -- b : wan / wan rate 256kbit""#), Ok(asymmetric));
    assert_eq!(
        directions(r#""a.eth1 -- b", "a -- b : wan", "b.eth1 -> a.eth0 : rate 1mbit""#).unwrap()[0].0,
        1_000_000
    );
}

#[test]
fn two_directions_make_one_link() {
    assert_eq!(
        directions(r#""a -> b : rate 2mbit, delay 3ms", "b -> a : wan, delay 4ms""#),
        Ok([(2_000, 3), (2_000, 4)])
    );
    assert_eq!(directions(r#""a -> b : wan", "b -> a : rate 256kbit delay 300ms""#), Ok([(2_000, 270), (256, 300)]));
    assert_eq!(directions(r#""b -> a : rate 256kbit", "a -> b""#), Ok([(256, 0), (1_000_000, 0)]));
    assert_eq!(directions(r#""a.eth3 -> b : wan", "b -> a : wan""#), Ok([(2_000, 270); 2]));
}

#[test]
fn what_contradicts_itself_or_is_missing_is_said() {
    for (links, reason) in [
        (r#""a -> b : wan""#, "nothing says what goes from `b` to `a`"),
        (r#""a -> b : wan", "a -> b : wan", "b -> a""#, "the direction a->b is told of twice"),
        (r#""a -- b", "a -> b : wan", "a -> b : delay 1ms""#, "the direction a->b is told of twice"),
        (r#""a -- b", "a -> b""#, "nothing is said of the direction a->b"),
        (r#""a -- b", "a -- b", "a -> b : wan""#, "2 links join a and b"),
        (r#""a -- b", "a.eth5 -> b : wan""#, "no link joins a and b at these ports"),
        (r#""a -- b", "a -> b : framing ppp""#, "the two directions are different kinds of line"),
        (r#""a -- b", "a -> b : wan / wan""#, "this is one direction already"),
        (r#""a <- b : wan""#, "`<-` joins nothing"),
    ] {
        let found = directions(links).unwrap_err();
        assert!(found.contains(reason), "{links}: {found}");
    }
}

#[test]
fn asymmetric_rates_are_what_each_direction_carries() {
    holds(&with_hosts(
        r#""a -- b : delay 10ms", "a -> b : rate 8mbit", "b -> a : rate 1mbit""#,
        r#"
[host.a]
run = ["at 0s: udp-send b 9 --size 1000 --rate 4mbit --count 1000", "udp-sink 9"]
[host.b]
run = ["at 0s: udp-send a 9 --size 1000 --rate 4mbit --count 1000", "udp-sink 9"]
[expect]
down = "queue(a->b) < 10kb and 3.9mbit < rate(b.sink.bytes, before = 1s) < 4.1mbit"
up   = "queue(b->a) > 100kb and 0.9mbit < rate(a.sink.bytes, before = 1s) < 1mbit"
"#,
    ));
}

#[test]
fn a_rate_makes_netem_a_fifo_and_without_one_jitter_reorders() {
    let udp = |link: &str, expect: &str| {
        with_hosts(
            link,
            &format!(
                r#"
[host.a]
run = ["1s: udp-send b 9 --size 1316 --rate 15mbit --count 2000"]
[host.b]
run = ["udp-sink 9"]
[expect]
order = "{expect}"
"#
            ),
        )
    };
    holds(&udp(r#""a -- b : rate 20mbit delay 50ms 10ms""#, "b.sink.late == 0"));
    holds(&udp(r#""a -- b : rate 20mbit delay 50ms 10ms distribution normal""#, "b.sink.late == 0"));
    holds(&udp(r#""a -- b : delay 50ms 10ms""#, "b.sink.late > 500"));
    holds(&udp(r#""a -- b : rate 20mbit delay 50ms reorder 25%""#, "b.sink.late > 100"));
}

#[test]
fn a_changed_rate_times_the_frame_on_the_wire_anew() {
    holds(
        &lab(
            r#""a -- b : rate 10mbit""#,
            r#"
[faults]
script = ["1s..1.1s: rate 1kbit on a->b"]
[expect]
retimed = "50ms < max(a.ping.time) < 100ms"
"#,
        )
        .replace("[host.a]\n", "[host.a]\nrun = [\"at 0s: ping -c 1 b\", \"at 1.05s: ping -c 1 b\"]\n"),
    );
}

#[test]
fn a_link_follows_a_recording_beside_the_lab() {
    let dir = std::env::temp_dir().join(format!("septet-links-{}", std::process::id()));
    std::fs::create_dir_all(dir.join("traces")).unwrap();
    // An opportunity a millisecond for half a second, then half a second of nothing.
    let lines: Vec<String> = (1..=500).chain([1000]).map(|n: u32| n.to_string()).collect();
    std::fs::write(dir.join("traces/half.down"), lines.join("\n")).unwrap();
    std::fs::write(dir.join("traces/bad.down"), "1\n2\nthree\n").unwrap();
    let text = |link: &str| {
        with_hosts(
            link,
            r#"
[host.a]
run = ["at 0s: udp-send b 9 --size 1472 --rate 20mbit --count 8000"]
[host.b]
run = ["udp-sink 9"]
[expect]
# 501 of 1,504 octets a second, of which 1,472 are payload.
rate = "5.88mbit < rate(b.sink.bytes, after = 1s, before = 4s) < 5.92mbit"
back = "sent(a->b) > 0"
"#,
        )
    };
    let parse = |text: &str| Lab::parse(dir.join("lab.toml").to_str().unwrap(), text);
    for link in [
        r#""a -- b : delay 5ms", "a -> b : rate trace traces/half.down""#,
        r#""a -- b : rate trace traces/half.down / delay 5ms""#,
    ] {
        let lab = parse(&text(link)).unwrap();
        assert_eq!(lab.files.keys().collect::<Vec<_>>(), ["traces/half.down"]);
        let outcome = lab.build(&BuildOptions::default()).unwrap().finish().unwrap();
        for verdict in &outcome.verdicts {
            assert!(verdict.held, "{link}: {} ({})", verdict.text, verdict.found_in_words());
        }
        // No event for opportunities: four or so for each frame.
        assert!(outcome.stats.events < 8 * outcome.transmissions, "{:?}", outcome.stats);
    }
    for (link, reason) in [
        (r#""a -- b : rate trace traces/bad.down""#, "bad.down, line 3: `three` is not a whole number"),
        (r#""a -- b : rate trace traces/none.down""#, "none.down cannot be read"),
        (r#""a -- b : rate trace traces""#, "traces is not a file"),
        (r#""a -- b : rate trace""#, "the name of a file is missing"),
    ] {
        let mistakes = parse(&text(link)).unwrap_err();
        let found: Vec<_> = mistakes.iter().map(|m| m.reason().to_owned()).collect();
        assert!(found.len() == 1 && found[0].contains(reason), "{link}: {found:?}");
    }
    // In a table of `[media]`, and in a fault.
    let media = format!("[media]\nbad = {{ rate = \"trace traces/bad.down\" }}\n{}", text(r#""a -- b : bad""#));
    assert!(parse(&media).unwrap_err().iter().any(|m| m.reason().contains("line 3")));
    let fault = format!("{}[faults]\nscript = [\"1s: rate trace traces/half.down on a->b\"]\n", text(r#""a -- b""#));
    let lab = parse(&fault).unwrap();
    assert!(lab.fault("rate trace traces/bad.down on a--b").is_err());
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_silent_hole_on_a_serial_line_asks_no_arp_and_a_connection_is_given_up_as_linux_does() {
    let text = r#"
[lab]
stop = "200s"
[topology]
links = ["client -- r1", "r1 -- r2 : rate 10mbit delay 5ms framing ppp", "r2 -- server"]
[router.r1]
[router.r2]
[host.client]
run = ["at 1s: tcp-send server 7 1kb"]
[host.server]
run = ["tcp-sink 7"]
[faults]
script = ["500ms..200s: loss 100% on r1->r2"]
[expect]
# tcp_syn_linear_timeouts = 4 and tcp_syn_retries = 6: after 1, 1, 1, 1, 1, 2, 4, 8, 16, 32 and 64 s.
given-up = "client.send.error == 1 and 131s < last(client.program.tcp-send.exit) < 133s"
syns     = "client.TcpRetransSegs == 10"
"#;
    let mut run = Lab::parse("lab.toml", text).unwrap().build(&BuildOptions::default()).unwrap();
    let events = Shared::new(Events::default());
    run.world.add_monitor(events.clone());
    run.play().unwrap();
    for verdict in run.outcome().verdicts {
        assert!(verdict.held, "{}: {}", verdict.text, verdict.found_in_words());
    }
    let [r1, r2] = ["r1", "r2"].map(|name| run.lab().nodes[run.lab().node(name).unwrap()].clone());
    let serial = [r1.ports[1].addresses[0].addr(), r2.ports[0].addresses[0].addr()].map(|a| a.to_string());
    events.with(|events| {
        let asked = events.0.iter().filter(|e| e.kind.starts_with("arp."));
        for event in asked {
            for name in ["who-has", "ip", "is", "tell"] {
                let told = event.field(name).map(ToString::to_string).unwrap_or_default();
                assert!(!serial.contains(&told), "{} of {told} on a line with one other end", event.kind);
            }
        }
        assert!(events.0.iter().any(|e| e.kind == "arp.request"), "on the other links they ask");
    });
}

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

#[test]
fn many_faults_that_overlap_cost_no_more_than_as_many_that_do_not() {
    let faults: Vec<_> = (0..20_000)
        .map(|n| format!("\"{}us..{}us: loss {}% delay {}us on a--b\"", 1000 + n, 40_000 + n, n % 50, n % 999))
        .collect();
    let text = lab(r#""a -- b""#, &format!("[faults]\nscript = [{}]\n", faults.join(", ")));
    let mut run = Lab::parse("lab.toml", &text).unwrap().build(&BuildOptions::default()).unwrap();
    let link = run.link(0).unwrap();
    let mut at = |us: u64| {
        run.world.run_until(septet_core::Instant::from_nanos(us * 1000)).unwrap();
        let medium = run.world.medium(link, Heading::AToB).unwrap();
        ((medium.loss.get() * 100.0).round() as u64, medium.delay.as_micros())
    };
    // The last to begin holds, also while those before it end.
    assert_eq!(at(1000 + 12_345), (12_345 % 50, u128::from(12_345u64 % 999)));
    assert_eq!(at(40_000 + 19_998), (19_999 % 50, u128::from(19_999u64 % 999)));
    assert_eq!(at(60_000), (0, 5));
}
