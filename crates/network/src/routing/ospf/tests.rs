use super::super::kind::Value;
use super::super::sim::{Sim, secs};
use super::config::KIND;

fn point_to_point(count: usize) -> Sim {
    Sim::new(count, &KIND, &[("type", Value::Word("point-to-point"))])
}

fn via(sim: &Sim, router: usize, prefix: &str) -> Vec<String> {
    sim.route(router, prefix).map(|(hops, _)| hops.iter().map(ToString::to_string).collect()).unwrap_or_default()
}

/// r1 -- r2 -- r3, and r1 -- r4 -- r3.
fn ring(sim: &mut Sim) -> [usize; 4] {
    sim.stub(2, "10.9.0.1/24");
    [
        sim.link("10.0.12.0/24", &[0, 1]),
        sim.link("10.0.23.0/24", &[1, 2]),
        sim.link("10.0.14.0/24", &[0, 3]),
        sim.link("10.0.43.0/24", &[3, 2]),
    ]
}

#[test]
fn equal_paths_are_used_and_a_cut_leaves_the_other() {
    let mut sim = point_to_point(4);
    let links = ring(&mut sim);
    sim.run_until(secs(30));
    assert_eq!(via(&sim, 0, "10.9.0.0/24"), ["10.0.12.2", "10.0.14.2"]);
    assert_eq!(sim.route(0, "10.9.0.0/24").unwrap().1, 30);
    assert_eq!(sim.counter(0, "OspfInBad"), 0);
    let runs = sim.counter(0, "OspfSpfRuns");
    assert!((1..8).contains(&runs), "{runs} computations");
    sim.cut(links[1]);
    sim.run_until(secs(31));
    assert_eq!(via(&sim, 0, "10.9.0.0/24"), ["10.0.14.2"], "known at once where the carrier is lost");
    sim.mend(links[1]);
    // Not ten seconds have passed since the cut: changes are gathered for five.
    sim.run_until(secs(44));
    assert_eq!(via(&sim, 0, "10.9.0.0/24").len(), 1);
    sim.run_until(secs(47));
    assert_eq!(via(&sim, 0, "10.9.0.0/24").len(), 2);
    let repeated = sim.counter(0, "OspfOutRetransmits");
    // A cut that nobody sees is found by the silence of the neighbour.
    sim.block(links[1]);
    sim.run_until(secs(70));
    assert_eq!(via(&sim, 0, "10.9.0.0/24").len(), 2);
    sim.run_until(secs(90));
    assert_eq!(via(&sim, 0, "10.9.0.0/24"), ["10.0.14.2"]);
    assert_eq!(sim.counter(0, "OspfOutRetransmits"), repeated, "nothing was lost on the way to the first");
}

#[test]
fn a_broadcast_link_has_a_designated_router() {
    let mut sim = Sim::new(5, &KIND, &[]);
    sim.link("10.0.0.0/24", &[0, 1, 2, 3, 4]);
    sim.stub(0, "10.9.0.1/24");
    sim.run_until(secs(60));
    for router in 1..5 {
        assert_eq!(via(&sim, router, "10.9.0.0/24"), ["10.0.0.1"], "router {router}");
    }
    // The highest id is designated, the next its backup: each is full with all, the others with these two only.
    let packets = sim.sent;
    sim.run_until(secs(120));
    assert_eq!(sim.sent - packets, 5 * 6 + 6, "Hellos alone, on both links");
    sim.mute(4);
    sim.run_until(secs(170));
    assert_eq!(via(&sim, 1, "10.9.0.0/24"), ["10.0.0.1"], "the backup has taken over");
    assert_eq!(sim.counter(1, "OspfInHelloMismatch"), 0);
}

#[test]
fn a_minute_after_the_start_all_is_quiet_and_a_cut_is_answered_at_once() {
    let mut sim = Sim::new(3, &KIND, &[]);
    sim.stub(0, "10.8.0.1/24");
    sim.stub(1, "10.9.0.1/24");
    let direct = sim.link("10.0.12.0/24", &[0, 1]);
    sim.link("10.0.13.0/24", &[0, 2]);
    sim.link("10.0.32.0/24", &[2, 1]);
    sim.run_until(secs(60));
    assert_eq!(via(&sim, 0, "10.9.0.0/24"), ["10.0.12.2"]);
    sim.cut(direct);
    sim.run_until(secs(60) + core::time::Duration::from_millis(100));
    assert_eq!(via(&sim, 0, "10.9.0.0/24"), ["10.0.13.2"]);
}

#[test]
fn a_restarted_router_outdoes_its_older_self() {
    let mut sim = point_to_point(3);
    sim.stub(0, "10.9.0.1/24");
    sim.link("10.0.12.0/24", &[0, 1]);
    sim.link("10.0.23.0/24", &[1, 2]);
    sim.run_until(secs(30));
    assert_eq!(via(&sim, 2, "10.9.0.0/24"), ["10.0.23.1"]);
    sim.mute(0);
    sim.run_until(secs(32));
    sim.reboot(0);
    sim.run_until(secs(80));
    assert_eq!(via(&sim, 2, "10.9.0.0/24"), ["10.0.23.1"]);
    assert_eq!(via(&sim, 0, "10.0.23.0/24"), ["10.0.12.2"]);
}

#[test]
fn own_advertisements_are_refreshed_and_those_of_the_dead_are_forgotten() {
    let mut sim = point_to_point(3);
    sim.link("10.0.12.0/24", &[0, 1]);
    let behind = sim.link("10.0.23.0/24", &[1, 2]);
    sim.stub(2, "10.9.0.1/24");
    sim.run_until(secs(30));
    let before = sim.counter(0, "OspfOriginated");
    sim.run_until(secs(4000));
    assert_eq!(sim.counter(0, "OspfOriginated") - before, 2, "every half hour");
    assert_eq!(via(&sim, 0, "10.9.0.0/24"), ["10.0.12.2"]);
    sim.mute(2);
    sim.block(behind);
    sim.run_until(secs(8000));
    assert_eq!(via(&sim, 0, "10.9.0.0/24"), [""; 0]);
}

#[test]
fn routes_by_hand_are_told_to_all_but_a_stub() {
    for (stub, told) in [(false, 1), (true, 0)] {
        let mut sim = Sim::new(
            2,
            &KIND,
            &[
                ("type", Value::Word("point-to-point")),
                ("redistribute", Value::Switch(true)),
                ("stub", Value::Switch(stub)),
            ],
        );
        sim.by_hand(0, "10.77.0.0/16");
        sim.link("10.0.12.0/24", &[0, 1]);
        sim.run_until(secs(30));
        assert_eq!(via(&sim, 1, "10.77.0.0/16").len(), told);
        assert_eq!(sim.routes(0), 0, "its own");
    }
}

#[test]
fn a_grid_of_routers_agrees() {
    let side = 6;
    let mut sim = point_to_point(side * side);
    for row in 0..side {
        for column in 0..side {
            let at = row * side + column;
            if column + 1 < side {
                sim.link(&format!("10.1.{at}.0/24"), &[at, at + 1]);
            }
            if row + 1 < side {
                sim.link(&format!("10.2.{at}.0/24"), &[at, at + side]);
            }
        }
    }
    sim.run_until(secs(60));
    let links = 2 * side * (side - 1);
    for router in 0..side * side {
        let own = [2, 3, 4].contains(&(links - sim.routes(router)));
        assert!(own, "router {router} has {} routes of {links} links", sim.routes(router));
    }
}
