//! Three switches in a ring: with the spanning tree one cable rests; without it, a broadcast never ends, and the run
//! survives it.

use core::time::Duration;

use septet_core::{Frame, Instant, Out, Port, Rate, Seed, Station, StationId};
use septet_datalink::ethernet::{EtherType, Header, MacAddr};
use septet_datalink::stp::bpdu::BridgeId;
use septet_datalink::stp::{Parameters, State};
use septet_datalink::switch::{Config, Management, Switch, Tree, Version};
use septet_engine::World;
use septet_physical::Medium;
use septet_physical::queue::{Limit, QueueSpec};

/// A host that only listens.
struct Silent;

impl Station for Silent {
    fn receive(&mut self, _: Instant, _: Port, _: Frame, _: &mut Out<'_>) {}
    fn on_deadline(&mut self, _: Instant, _: &mut Out<'_>) {}
    fn deadline(&self) -> Option<Instant> {
        None
    }
}

fn ring(management: impl Fn(u64) -> Option<Management>) -> (World, Vec<StationId>) {
    let mut world = World::new(Seed::new(1));
    let switches: Vec<_> = (0..3)
        .map(|n| {
            let config = Config { management: management(n), ..Config::default() };
            world.add_station(&format!("s{n}"), Box::new(Switch::new(config)))
        })
        .collect();
    let cable = || Medium {
        rate: Rate::from_bits_per_sec(10_000_000),
        delay: Duration::from_micros(5),
        queue: QueueSpec::drop_tail(Limit::Packets(100)),
        ..Medium::default()
    };
    for n in 0..3 {
        let (a, b) = (switches[n], switches[(n + 1) % 3]);
        world.connect((a, Port(0)), (b, Port(1)), cable(), cable(), &format!("ring {n}"));
    }
    let host = world.add_station("host", Box::new(Silent));
    world.connect((switches[0], Port(2)), (host, Port(0)), cable(), cable(), "host");
    (world, switches)
}

fn broadcast() -> Frame {
    let mut frame = Frame::new(Frame::HEADROOM, b"storm");
    let (destination, source) = (MacAddr::BROADCAST, MacAddr::local(77));
    Header { destination, source, ether_type: EtherType(0x88b5) }.push(&mut frame);
    frame
}

#[test]
fn a_loop_makes_a_storm_and_the_queues_bound_it() {
    let (mut world, switches) = ring(|_| None);
    for n in 0..400 {
        world.run_until(Instant::from_micros(n)).unwrap();
        world.inject(switches[0], Port(2), broadcast());
    }
    world.run_until(Instant::from_secs(2)).unwrap();
    let flooded: Vec<u64> = switches.iter().map(|s| world.station::<Switch>(*s).unwrap().counters().flooded).collect();
    // 10 Mbit/s are 14,880 frames a second, each way round the ring, for two seconds.
    for n in flooded {
        assert!(n > 50_000, "{n}");
    }
    let drops: u64 = switches
        .iter()
        .flat_map(|s| (0..2).map(|p| (*s, Port(p))))
        .map(|(s, p)| world.port_counters(s, p).map_or(0, |c| c.tx_dropped))
        .sum();
    assert!(drops > 0, "what no queue could hold was dropped, and said so");
}

#[test]
fn the_spanning_tree_ends_it() {
    let (mut world, switches) = ring(|n| {
        let mac = MacAddr::local(0xb0 + n);
        let parameters = Parameters::new(BridgeId { priority: 32768, mac });
        Some(Management { spanning_tree: Some(Tree::new(Version::Stp, parameters)), ..Management::new(mac) })
    });
    world.run_until(Instant::from_secs(40)).unwrap();
    let states: Vec<_> = switches
        .iter()
        .flat_map(|s| [0, 1].map(|p| world.station::<Switch>(*s).unwrap().port_state(Port(p))))
        .collect();
    assert_eq!(states.iter().filter(|s| **s == State::Blocking).count(), 1, "{states:?}");
    assert_eq!(states.iter().filter(|s| **s == State::Forwarding).count(), 5);
    world.inject(switches[0], Port(2), broadcast());
    world.run_until(Instant::from_secs(50)).unwrap();
    let flooded: u64 = switches.iter().map(|s| world.station::<Switch>(*s).unwrap().counters().flooded).sum();
    assert_eq!(flooded, 3, "each switch once");
}
