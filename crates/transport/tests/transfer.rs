//! The stream arrives whole, whatever the wire does to it.

mod common;

use std::time::Duration;

use common::{Pair, Wire, transfer};
use septet_core::Seed;
use septet_transport::tcp::{Config, Error};

fn data(len: usize) -> Vec<u8> {
    let mut out = vec![0; len];
    septet_core::synthetic::fill(0, &mut out);
    out
}

#[test]
fn a_clean_wire() {
    let data = data(300_000);
    let mut pair = Pair::linux(1, Wire::default());
    let (got, end) = transfer(&mut pair, &data, Duration::from_secs(60));
    assert_eq!(end, Ok(()));
    assert!(got == data);
}

#[test]
fn a_thousand_seeds_of_trouble() {
    let all = data(60_000);
    let mut errors = 0;
    let only: Option<u64> = std::env::var("SEPTET_SEED").ok().and_then(|s| s.parse().ok());
    for seed in 0..1000 {
        if only.is_some_and(|s| s != seed) {
            continue;
        }
        let mut rng = Seed::new(seed).stream("trouble");
        let wire = Wire {
            delay: Duration::from_micros(100 + rng.below(60_000)),
            jitter: Duration::from_micros(rng.below(20_000)),
            loss: rng.unit() * 0.25,
            duplicate: rng.unit() * 0.1,
            mark: rng.unit() * 0.05,
            mtu: 576 + rng.below(925) as u32,
            ..Wire::default()
        };
        let mut config = Config::linux();
        config.sack = rng.chance(0.7);
        config.timestamps = rng.chance(0.7);
        config.window_scaling = rng.chance(0.8);
        config.rack = rng.chance(0.8);
        if rng.chance(0.3) {
            config.ecn = septet_transport::tcp::EcnMode::Active;
        }
        if rng.chance(0.3) {
            config.gso_max_size = 65_536;
        }
        if rng.chance(0.2) {
            config.rmem = [4096, 8192, 16_384];
        }
        let names: Vec<_> = septet_transport::tcp::controller_names().collect();
        config.congestion_control = names[rng.below(names.len() as u64) as usize];
        let data = &all[..rng.below(all.len() as u64) as usize];
        let mut pair = Pair::new(seed, wire, [config.clone(), config]);
        if only.is_some() {
            pair.trace = septet_core::Trace::on();
        } else {
            print!("{seed} ");
        }
        let (got, end) = transfer(&mut pair, data, Duration::from_secs(3600));
        pair.print_trace();
        match end {
            Ok(()) => assert!(got == data, "seed {seed}: {} bytes of {}", got.len(), data.len()),
            Err(Error::TimedOut | Error::ConnectionReset) => {
                assert!(data.starts_with(&got), "seed {seed}");
                errors += 1;
            }
            Err(e) => panic!("seed {seed}: {e}"),
        }
    }
    assert!(errors < 20, "{errors} of 1000 transfers gave up");
}
