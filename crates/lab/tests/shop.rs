//! The lab of the README, read and resolved.

use septet_lab::{Lab, NodeKind};

fn shop() -> Lab {
    Lab::parse("shop.toml", include_str!("../../../labs/shop.toml")).unwrap()
}

#[test]
fn everything_in_it_is_understood() {
    let lab = shop();
    assert_eq!((lab.name.as_str(), lab.seed, lab.stop.as_millis()), ("shop", 7, 30_000));
    assert_eq!(lab.warnings.len(), 0, "{:?}", lab.warnings);
    let links: Vec<_> = lab.links.iter().map(|l| l.name.as_str()).collect();
    assert_eq!(
        links,
        ["client--s1", "s1--r1", "r1--r2", "r2--s2", "s2--lb", "s2--dns", "s2--web1", "s2--web2", "s2--web3"]
    );
    let wan = &lab.links[2].cables[0].medium;
    assert_eq!((wan.delay.as_millis(), wan.loss.get(), wan.queue.name()), (25, 0.005, "fq_codel"));
    assert_eq!((lab.faults.len(), lab.expectations.len()), (4, 7));
    let services: Vec<_> =
        lab.nodes.iter().flat_map(|n| n.services().iter().map(|s| (n.name.as_str(), s.name()))).collect();
    assert_eq!(services, [("dns", "dns"), ("lb", "balancer"), ("web1", "http"), ("web2", "http"), ("web3", "http")]);
}

#[test]
fn addresses_come_by_themselves() {
    let lab = shop();
    let addresses: Vec<_> = lab
        .nodes
        .iter()
        .filter(|n| n.kind() != NodeKind::Switch)
        .flat_map(|n| n.ports.iter().map(|p| format!("{} {}", n.name, p.addresses[0])))
        .collect();
    assert_eq!(
        addresses,
        [
            "r1 10.0.1.1/24",
            "r1 10.0.2.1/30",
            "r2 10.0.2.2/30",
            "r2 10.0.3.1/24",
            "dns 10.0.3.10/24",
            "lb 10.0.3.11/24",
            "web1 10.0.3.12/24",
            "web2 10.0.3.13/24",
            "web3 10.0.3.14/24",
            "client 10.0.1.10/24",
        ]
    );
}

#[test]
fn an_idle_host_at_the_end_renumbers_no_other() {
    let before = shop();
    let text = include_str!("../../../labs/shop.toml").replace("web[1..3]\"]", "web[1..3]\", \"s2 -- idle\"]");
    let after = Lab::parse("shop.toml", &format!("{text}\n[host.idle]\n")).unwrap();
    for (a, b) in before.nodes.iter().zip(&after.nodes) {
        let known = a.ports.len();
        assert_eq!((&a.name, &a.ports[..]), (&b.name, &b.ports[..known]));
    }
    assert_eq!(after.nodes.last().unwrap().ports[0].addresses[0].to_string(), "10.0.3.15/24");
}
