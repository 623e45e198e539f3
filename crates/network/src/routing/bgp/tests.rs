use super::super::kind::Value;
use super::super::sim::{Sim, secs};
use super::config::KIND;

/// Four systems in a ring: 1 -- 2 -- 4 and 1 -- 3 -- 4, where the fourth has 10.9.0.0/16.
fn ring(more: &[(usize, &str, &str)]) -> (Sim, [usize; 4]) {
    let mut sim = Sim::new(4, &KIND, &[("interval", Value::Span(core::time::Duration::from_millis(100)))]);
    for system in 0..4 {
        sim.set(system, None, "as", Value::Number(65_001 + system as u64));
    }
    let links = [(0, 1, "10.0.12"), (1, 3, "10.0.24"), (0, 2, "10.0.13"), (2, 3, "10.0.34")];
    let made = links.map(|(a, b, net)| {
        sim.set(a, None, "neighbors", Value::Line(format!("{net}.2 as {}", 65_001 + b)));
        sim.set(b, None, "neighbors", Value::Line(format!("{net}.1 as {}", 65_001 + a)));
        sim.link(&format!("{net}.0/24"), &[a, b])
    });
    sim.set(3, None, "networks", Value::Line("10.9.0.0/16".to_owned()));
    for (router, key, line) in more {
        sim.set(*router, None, key, Value::Line((*line).to_owned()));
    }
    (sim, made)
}

fn via(sim: &Sim, router: usize) -> Option<String> {
    sim.route(router, "10.9.0.0/16").map(|(hops, _)| hops[0].to_string())
}

#[test]
fn a_route_goes_round_and_another_takes_its_place() {
    let (mut sim, links) = ring(&[]);
    sim.run_until(secs(20));
    assert_eq!(via(&sim, 0).as_deref(), Some("10.0.12.2"), "of two equal ones that of the lower identifier");
    assert_eq!(via(&sim, 1).as_deref(), Some("10.0.24.2"));
    assert!(sim.counter(3, "BgpInLoops") == 0 && sim.counter(0, "BgpEstablished") == 2);
    sim.cut(links[1]);
    sim.run_until(secs(22));
    assert_eq!(via(&sim, 0).as_deref(), Some("10.0.13.2"));
    assert_eq!(via(&sim, 1).as_deref(), Some("10.0.12.1"), "the long way round");
    sim.mend(links[1]);
    sim.run_until(secs(40));
    assert_eq!(via(&sim, 1).as_deref(), Some("10.0.24.2"));
    // Nobody sees a carrier lost: the hold time tells.
    sim.mute(1);
    sim.run_until(secs(100));
    assert_eq!(via(&sim, 0).as_deref(), Some("10.0.12.2"));
    sim.run_until(secs(140));
    assert_eq!(via(&sim, 0).as_deref(), Some("10.0.13.2"));
}

#[test]
fn policy_decides() {
    for (rule, gateway) in [
        ((0, "import", "10.0.13.2 10.0.0.0/8+ local-pref 200"), Some("10.0.13.2")),
        ((3, "export", "10.0.24.1 10.9.0.0/16 prepend 2"), Some("10.0.13.2")),
        ((0, "import", "10.0.12.2 10.9.0.0/16 deny"), Some("10.0.13.2")),
        ((0, "import", "any 10.0.0.0/8 deny"), Some("10.0.12.2")),
        ((0, "import", "any 10.0.0.0/8+ deny"), None),
        ((3, "export", "any 0.0.0.0/0+ deny"), None),
    ] {
        let (mut sim, _) = ring(&[rule]);
        sim.run_until(secs(20));
        assert_eq!(via(&sim, 0).as_deref(), gateway, "{rule:?}");
    }
}

#[test]
fn mistakes_are_said_in_words() {
    let mut config = (KIND.config)();
    for (key, line) in [
        ("neighbors", "10.0.0.1"),
        ("neighbors", "r9 as 65001"),
        ("networks", "10.0.0.0/33"),
        ("import", "any 10.0.0.0/8"),
        ("import", "any 10.0.0.0/8 local-pref"),
        ("export", "any 10.0.0.0/8 prepend 99"),
        ("export", "somebody 10.0.0.0/8 deny"),
    ] {
        assert!(config.set(None, key, Value::Line(line.to_owned())).is_err(), "{key} {line}");
    }
}
