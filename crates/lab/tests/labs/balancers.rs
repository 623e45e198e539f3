//! Load balancers: whom they choose, and what becomes of servers that come and go.

use super::{holds, misses, play, read, sum, with_setting};

#[test]
fn balancer() {
    holds("balancer", &[]);
    assert_eq!(misses("balancer", "policy = \"source-hash\"", "policy = \"round-robin\""), ["tied"]);
    assert_eq!(misses("balancer", "policy = \"least-connections\"", "policy = \"round-robin\""), ["spared"]);
}

#[test]
fn in_turn_and_the_fewest_open() {
    holds("balancer-round-robin", &[]);
    let fewest = misses("balancer-round-robin", "policy = \"round-robin\"", "policy = \"least-connections\"");
    assert_eq!(fewest, ["in-turn", "piled-up", "late", "idle"]);
    holds("balancer-least-connections", &[]);
    let turn =
        misses("balancer-least-connections", "policy = \"least-connections\"", "policy = \"weighted-round-robin\"");
    assert_eq!(turn, ["spread"]);
}

#[test]
fn by_the_clients_address() {
    holds("balancer-source-hash", &[]);
    let turn = misses("balancer-source-hash", "policy = \"source-hash\"", "policy = \"round-robin\"");
    assert_eq!(turn, ["the-same", "uneven", "moved"]);
    // Who hashes alone keeps a client's server; a ring passes over one that has too much open just then.
    for policy in ["source-hash", "maglev"] {
        let text = read("balancer-source-hash").replace("\"source-hash\"", &format!("{policy:?}"));
        let outcome = play(policy, &text);
        assert_eq!(sum(&outcome, "lb", "balancer.requests"), 540.0, "{policy}");
        let shares: Vec<f64> = (1..=3).map(|n| sum(&outcome, "lb", &format!("backend.w{n}.requests"))).collect();
        assert!(shares.iter().all(|share| share % 10.0 == 0.0), "{policy}: {shares:?}");
    }
}

#[test]
fn a_server_dies_with_and_without_health_checks() {
    holds("balancer-failure", &[]);
    let blind = misses("balancer-failure", "health = { every = \"500ms\" }", "response_timeout = \"1s\"");
    assert_eq!(blind, ["noticed", "at-once", "returns", "used"]);
    let lives = misses("balancer-failure", "5s: crash w2", "5s: restart w2");
    assert!(["noticed", "waits"].iter().all(|name| lives.contains(&(*name).to_owned())), "{lives:?}");
}

#[test]
fn a_server_is_drained() {
    holds("balancer-drain", &[]);
    let text = "curl -X POST http://lb:8404/servers/w1/drain?within=10";
    let pulled = misses("balancer-drain", text, "curl http://lb:8404/servers");
    assert_eq!(pulled, ["slowly", "unnoticed", "nothing-new", "broken"]);
    assert_eq!(misses("balancer-drain", "slow_start = \"10s\"", "slow_start = \"0s\""), ["slowly"]);
    let unplugged = misses("balancer-drain", "servers/w1/enable", "servers/w1/drain");
    assert!(unplugged.contains(&"slowly".to_owned()), "{unplugged:?}");
}

#[test]
fn more_servers_and_larger_ones() {
    let served = |name: &str, path: &str, value: &str, clients: &str| {
        let text = read(name);
        let text = &text[..text.find("[sweep]").unwrap()];
        let outcome = play(name, &with_setting(text, path, value).unwrap());
        let (_, client) = outcome.recorders.iter().find(|(node, _)| node == clients).unwrap();
        assert!(client.series("http.ok").is_some());
        (1..=16).map(|n| sum(&outcome, &format!("c{n}"), "http.ok")).sum::<f64>()
    };
    holds("scale-out", &[]);
    let out =
        ["web1:80", "web[1..2]:80", "web[1..4]:80"].map(|to| served("scale-out", "host.lb.balancer.to", to, "c1"));
    holds("scale-up", &[]);
    let up = ["10mbit", "20mbit", "40mbit"].map(|rate| served("scale-up", "media.line.rate", rate, "c1"));
    for pages in [out, up] {
        let [one, two, four] = pages;
        assert!((1.9..2.1).contains(&(two / one)) && (3.8..4.2).contains(&(four / one)), "{pages:?}");
    }
}
