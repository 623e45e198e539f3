//! Labs played to their end.

use septet_lab::{BuildOptions, Lab, Outcome};

fn play(text: &str, seed: Option<u64>) -> Outcome {
    let lab = Lab::parse("lab.toml", text).unwrap();
    lab.build(&BuildOptions { seed, ..BuildOptions::default() }).unwrap().finish().unwrap()
}

#[test]
fn a_seed_is_a_run() {
    let shop = include_str!("../../../labs/shop.toml");
    let (a, b, c) = (play(shop, None), play(shop, None), play(shop, Some(8)));
    assert_eq!(a.digest, b.digest);
    assert_eq!(a.counters, b.counters);
    assert_ne!(a.digest, c.digest);
}
