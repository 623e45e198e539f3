//! In a steady state nothing is allocated for a packet.

use std::time::Duration;

use septet_core::{Frame, Instant, Out, Port, Rate, Seed, Station};
use septet_engine::World;
use septet_physical::queue::{Limit, QueueSpec};
use septet_physical::{Medium, Ratio};

/// Sends a burst of frames every millisecond, and passes on what it receives from port 0 to port 1.
struct Relay {
    next: Option<Instant>,
    received: u64,
}

impl Station for Relay {
    fn receive(&mut self, _: Instant, port: Port, mut frame: Frame, out: &mut Out<'_>) {
        self.received += 1;
        if port == Port(0) {
            frame.header_mut(14)[0] ^= 1;
            out.send(Port(1), frame);
        }
    }

    fn on_deadline(&mut self, now: Instant, out: &mut Out<'_>) {
        for n in 0..20 {
            out.send(Port(1), Frame::new(Frame::HEADROOM, &[n; 1000]));
        }
        self.next = Some(now + Duration::from_millis(1));
    }

    fn deadline(&self) -> Option<Instant> {
        self.next
    }
}

/// Plays the chain of these media, and counts packets and allocations once it has settled.
fn play(media: &[Medium]) -> (u64, u64) {
    let mut world = World::new(Seed::new(1));
    let stations: Vec<_> = (0..=media.len())
        .map(|n| {
            let next = (n == 0).then_some(Instant::ZERO);
            world.add_station(&format!("s{n}"), Box::new(Relay { next, received: 0 }))
        })
        .collect();
    for (pair, medium) in stations.windows(2).zip(media) {
        world.connect((pair[0], Port(1)), (pair[1], Port(0)), medium.clone(), medium.clone(), &format!("{pair:?}"));
    }
    world.run_until(Instant::from_secs(2)).unwrap();
    let last = stations[media.len()];
    let before = world.station::<Relay>(last).unwrap().received;
    let cost = allocation_counter::measure(|| world.run_until(Instant::from_secs(4)).unwrap());
    (world.station::<Relay>(last).unwrap().received - before, cost.count_total)
}

#[test]
fn a_steady_flow_allocates_nothing() {
    let media = [
        // Bursts wait, and some do not fit.
        Medium { queue: QueueSpec::drop_tail(Limit::Packets(15)), ..line() },
        line(),
        // A discipline that decides at the moment of transmission.
        Medium { queue: QueueSpec::new("codel", Limit::Packets(100), Default::default()).unwrap(), ..line() },
    ];
    assert_eq!(play(&media), (32_000, 0));
}

#[test]
fn chance_allocates_only_for_a_new_worst_case() {
    let media = [Medium {
        loss: Ratio::new(0.02).unwrap(),
        bit_errors: Ratio::new(1e-5).unwrap(),
        jitter: Duration::from_micros(50),
        ..line()
    }];
    let (packets, allocations) = play(&media);
    assert!(packets > 35_000 && allocations < 10, "{allocations} allocations for {packets} packets");
}

fn line() -> Medium {
    Medium { rate: Rate::from_bits_per_sec(1_000_000_000), delay: Duration::from_micros(300), ..Medium::default() }
}
