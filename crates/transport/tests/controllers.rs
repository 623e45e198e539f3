//! Each congestion controller on a bottleneck of 20 Mbit/s, 10 ms and 40 packets.

mod common;

use std::time::Duration;

use common::{Pair, Wire};
use septet_core::Instant;
use septet_transport::tcp::{Config, EcnMode, Info, Options, controller_names};

struct Outcome {
    /// Megabits of payload a second, over the second half.
    goodput: f64,
    info: Info,
    retransmitted: u64,
    timeouts: u64,
}

fn bulk(name: &'static str, wire: Wire, seconds: u64) -> Outcome {
    let mut config = Config::linux();
    config.congestion_control = name;
    config.gso_max_size = 65_536;
    config.rmem = [4096, 131_072, 8 << 20];
    if name == "dctcp" {
        config.ecn = EcnMode::Active;
    }
    let mut pair = Pair::new(1, wire, [config.clone(), config]);
    let (client, server) = pair.established(&Options::default());
    let (now, trace) = (pair.now, &mut pair.trace);
    pair.ends[0].write_synthetic(now, client, 0, 1 << 38, trace).unwrap();
    let mut got = 0;
    let mut half = 0;
    let end = Instant::from_secs(seconds);
    while pair.now < end {
        if !pair.step() {
            break;
        }
        while let Ok(n) = pair.ends[1].discard(pair.now, server, 1 << 20, &mut pair.trace) {
            got += n;
        }
        if pair.now < Instant::from_secs(seconds / 2) {
            half = got;
        }
    }
    let mib = pair.ends[0].mib();
    Outcome {
        goodput: (got - half) as f64 * 8.0 / (seconds as f64 / 2.0) / 1e6,
        info: pair.ends[0].info(pair.now, client).unwrap(),
        retransmitted: mib.retrans_segs,
        timeouts: mib.timeouts,
    }
}

fn dumbbell() -> Wire {
    Wire { rate: 20_000_000, delay: Duration::from_millis(10), queue: 40, ..Wire::default() }
}

#[test]
fn each_fills_the_bottleneck_as_it_can() {
    for name in controller_names() {
        let mut wire = dumbbell();
        if name == "dctcp" {
            wire.mark_above = 10;
        }
        let o = bulk(name, wire, 4);
        println!(
            "{name}: {:.1} Mbit/s, cwnd {}, rtt {} us, {} retransmitted, {} timeouts",
            o.goodput, o.info.tcpi_snd_cwnd, o.info.tcpi_rtt, o.retransmitted, o.timeouts
        );
        let (least, most) = match name {
            // One segment a round trip of 20.6 ms and a delayed ACK of 40 ms; sixteen a round trip.
            "stop-and-wait" => (0.18, 0.21),
            "fixed-window" => (7.5, 9.2),
            "slow-start" => (10.0, 19.4),
            _ => (17.0, 19.4),
        };
        assert!(o.goodput >= least && o.goodput <= most, "{name}: {} Mbit/s", o.goodput);
        assert!(o.timeouts <= 2, "{name}: {} timeouts", o.timeouts);
    }
}
