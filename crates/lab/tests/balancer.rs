//! The load balancer in virtual time: a server dies, and clients see nothing worse than a retry.

#[path = "balancer/names.rs"]
mod names;
#[path = "balancer/proxied.rs"]
mod proxied;
#[path = "balancer/routes.rs"]
mod routes;

use std::cell::RefCell;
use std::rc::Rc;

use septet_core::{Interest, Monitor, Observation, Way};
use septet_lab::{BuildOptions, Lab, Outcome, with_setting};

const SHOP: &str = include_str!("../../../labs/shop.toml");

fn lab(text: &str) -> Lab {
    let lab = Lab::parse("lab.toml", text).unwrap_or_else(|e| panic!("{e:?}"));
    assert!(lab.warnings.is_empty(), "{:?}", lab.warnings);
    lab
}

fn play(text: &str) -> Outcome {
    lab(text).build(&BuildOptions::default()).unwrap().finish().unwrap()
}

fn sum(outcome: &Outcome, node: &str, metric: &str) -> f64 {
    let (_, recorder) = outcome.recorders.iter().find(|(name, _)| name == node).unwrap();
    recorder.series(metric).map_or(0.0, |s| s.sum())
}

/// The names of the expectations that failed.
fn failed(outcome: &Outcome) -> Vec<&str> {
    outcome.verdicts.iter().filter(|v| !v.held).map(|v| v.name.as_str()).collect()
}

#[test]
fn any_server_of_the_shop_may_crash() {
    for web in ["web1", "web2", "web3"] {
        let outcome = play(
            &SHOP.replace("crash web2", &format!("crash {web}")).replace("restart web2", &format!("restart {web}")),
        );
        assert_eq!(failed(&outcome), [""; 0], "{web}: {:#?}", outcome.verdicts);
        assert!(sum(&outcome, "lb", &format!("backend.{web}.failed")) >= 1.0, "{web} failed nobody");
    }
}

#[test]
fn the_shops_expectations_fail_without_what_they_are_about() {
    for (path, value, fails) in [
        ("host.lb.balancer.policy", "source-hash", "spread"),
        ("host.lb.balancer.retries", "0", "served"),
        ("host.lb.balancer.health.fall", "1000", "noticed"),
    ] {
        let outcome = play(&with_setting(SHOP, path, value).unwrap());
        assert!(failed(&outcome).contains(&fails), "{path} = {value}: {:#?}", outcome.verdicts);
    }
}

/// A client, a balancer and two servers.
fn pair(balancer: &str, client: &str, rest: &str) -> String {
    format!(
        r#"
[topology]
links = ["c -- s1 -- lb", "lb -- s2 -- w[1..2]"]
[switch.s1]
[switch.s2]
[host.lb.balancer]
to = "w[1..2]:80"
{balancer}
[host."w[1..2]".http]
[host.c]
run = [{client}]
{rest}
"#
    )
}

const CHECKED: &str = "listen = \"http://:80\"\nhealth = { every = \"500ms\" }";

#[test]
fn a_kept_connection_that_died_between_two_requests_costs_no_request() {
    // Nobody has noticed when the next request comes.
    let slow = "listen = \"http://:80\"\nhealth = { every = \"5s\" }\nresponse_timeout = \"500ms\"";
    let client = r#""at 1s: curl http://lb/ --repeat 20 --interval 1s""#;
    for server in ["w1", "w2"] {
        // Powered off; and off and on again within the time in which nobody asks: then a reset answers.
        for script in
            [format!("\"5.5s: crash {server}\""), format!("\"5.2s: crash {server}\", \"5.4s: restart {server}\"")]
        {
            let faults = format!("[lab]\nstop = \"40s\"\n[faults]\nscript = [{script}]");
            let outcome = play(&pair(slow, client, &faults));
            assert_eq!((sum(&outcome, "c", "http.ok"), sum(&outcome, "c", "http.error")), (20.0, 0.0), "{script}");
            assert!(sum(&outcome, "lb", "balancer.retries") >= 1.0, "{script}: nothing was tried again");
        }
    }
}

#[test]
fn what_may_not_be_repeated_is_not() {
    let client = r#""at 1s: curl http://lb/ --repeat 20 --interval 1s -d order""#;
    let faults = "[lab]\nstop = \"40s\"\n[faults]\nscript = [\"5.2s: crash w1\", \"5.4s: restart w1\"]";
    let outcome = play(&pair(CHECKED, client, faults));
    // The connection to w1 is dead, but that shows only when the order is on its way.
    assert_eq!((sum(&outcome, "c", "http.status.502"), sum(&outcome, "c", "http.ok")), (1.0, 19.0));
    assert_eq!(
        sum(&outcome, "w1", "http.requests") + sum(&outcome, "w2", "http.requests"),
        19.0 + sum(&outcome, "lb", "balancer.checks.ok")
    );
}

#[test]
fn the_first_failed_check_moves_what_waits_for_an_answer() {
    // It is never taken out, and a response may take a minute.
    let checked = "listen = \"http://:80\"\nhealth = { every = \"500ms\", fall = 1000 }";
    let client = r#""at 1s: curl http://lb/ --repeat 80 --interval 100ms""#;
    let faults = "[lab]\nstop = \"30s\"\n[faults]\nscript = [\"5.05s: crash w1\"]";
    let outcome = play(&pair(checked, client, faults));
    assert_eq!((sum(&outcome, "c", "http.ok"), sum(&outcome, "lb", "balancer.down")), (80.0, 0.0));
    let (_, recorder) = outcome.recorders.iter().find(|(name, _)| name == "c").unwrap();
    let slowest = recorder.series("http.time").unwrap().samples().iter().map(|s| s.value).fold(0.0, f64::max);
    // The next check begins within half a second, and takes as long to fail.
    assert!((0.1..1.05).contains(&slowest), "{slowest} s");
    assert!(sum(&outcome, "lb", "balancer.retries") >= 1.0);
}

#[test]
fn without_a_server_clients_are_turned_away_at_once_and_served_when_one_is_back() {
    let faults = "[lab]\nstop = \"40s\"\n[faults]\nscript = [\"5s: crash w1, w2\", \"20s: restart w1\"]\n[expect]\n\
        quick = \"p99(c.http.time, after = 8s, before = 20s) < 10ms or c.http.ok > 0\"\n\
        back = \"first(c.http.ok, after = 20s) < 23s\"\n\
        down = \"lb.balancer.down == 2 and lb.balancer.up == 1\"";
    for (listen, refused) in [("http://:80", "http.status.503"), ("tcp://:80", "http.exit.56")] {
        let client = r#""at 1s: curl http://lb/ --repeat 300 --interval 100ms --fresh""#;
        let balancer = CHECKED.replace("http://:80", listen);
        let outcome = play(&pair(&balancer, client, faults));
        assert_eq!(failed(&outcome), [""; 0], "{listen}: {:#?}", outcome.verdicts);
        assert!(sum(&outcome, "c", refused) > 100.0, "{listen}: {} {refused}", sum(&outcome, "c", refused));
    }
}

#[test]
fn requests_over_one_connection_of_http_2_are_spread() {
    let balancer = "listen = \"https://lb\"";
    let outcome = play(&pair(balancer, r#""at 1s: curl https://lb.lab/ --repeat 60""#, "[lab]\nstop = \"6s\""));
    assert_eq!(sum(&outcome, "c", "http.ok"), 60.0);
    assert_eq!((sum(&outcome, "w1", "http.requests"), sum(&outcome, "w2", "http.requests")), (30.0, 30.0));
    assert_eq!(sum(&outcome, "lb", "balancer.connections"), 1.0);
}

/// The lengths of segments with data that a host sends from port 443.
#[derive(Clone, Default)]
struct Segments(Rc<RefCell<Vec<usize>>>);

impl Monitor for Segments {
    fn interest(&self) -> Interest {
        Interest::Frames
    }

    fn frame(&mut self, o: &Observation<'_>) {
        let bytes = o.frame.bytes();
        let is_tcp = bytes.get(12..14) == Some(&[8, 0]) && bytes.get(23) == Some(&6);
        // No router has taken anything off the time to live.
        if o.way != Way::Sent || !is_tcp || bytes[22] != 64 {
            return;
        }
        let header = 14 + usize::from(bytes[14] & 15) * 4;
        let total = 14 + usize::from(u16::from_be_bytes([bytes[16], bytes[17]]));
        let data = total - header - usize::from(bytes[header + 12] >> 4) * 4;
        if data > 0 && bytes[header..header + 2] == 443u16.to_be_bytes() {
            self.0.borrow_mut().push(data);
        }
    }
}

/// What a balancer that ends TLS sends to a client that asks for 20 KiB 50 times.
fn segments(listen: &str) -> Vec<usize> {
    let text = format!(
        r#"
[lab]
stop = "20s"
[topology]
links = ["client -- r : rate 20mbit delay 10ms", "r -- lb", "r -- web"]
[router.r]
[host.lb.balancer]
listen = "{listen}"
to = "web:80"
[host.web.http]
body = "20kb"
[host.client]
run = ["at 1s: curl https://lb.lab/ --repeat 50 --interval 200ms"]
[expect]
ok = "client.http.ok == 50 and client.http.corrupt == 0"
"#
    );
    let mut run = lab(&text).build(&BuildOptions::default()).unwrap();
    let segments = Segments::default();
    run.world.add_monitor(segments.clone());
    run.play().unwrap();
    assert_eq!(failed(&run.outcome()), [""; 0]);
    segments.0.take()
}

#[test]
fn records_and_segments_are_full() {
    for listen in ["https://lb", "tls://lb:443"] {
        let all = segments(listen);
        let full = all.iter().filter(|n| **n == 1448).count();
        let tiny = all.iter().filter(|n| **n < 100).count();
        // 20 KiB and what TLS and HTTP put around them are 14 full segments and the rest.
        assert!(all.len() <= 50 * 17 && full >= 50 * 13, "{listen}: {full} of {} are full", all.len());
        assert!(tiny <= 55, "{listen}: {tiny} of {} carry less than 100 octets", all.len());
    }
}
