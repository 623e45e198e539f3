//! Replays what fuzzing has found worth keeping (`fuzz/corpus/tcp`), and random inputs beside it.

mod hostile;

use std::path::Path;

use hostile::{Show, play};
use septet_core::Seed;

#[test]
fn the_kept_inputs_break_nothing() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/tcp");
    let mut inputs: Vec<_> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    inputs.sort();
    assert!(inputs.len() > 20, "the corpus is not where it should be");
    for path in inputs {
        println!("{}", path.display());
        play(&std::fs::read(path).unwrap(), Show::Nothing);
    }
}

/// `SEPTET_INPUT=FILE cargo test -p septet-transport --test corpus one -- --nocapture` shows what happens in a run.
#[test]
fn one_input_is_shown() {
    if let Ok(path) = std::env::var("SEPTET_INPUT") {
        play(&std::fs::read(path).unwrap(), Show::Events);
    }
}

#[test]
fn random_inputs_break_nothing() {
    let runs = std::env::var("SEPTET_SEEDS").ok().and_then(|s| s.parse().ok()).unwrap_or(100);
    for seed in 0..runs {
        println!("seed {seed}");
        let mut rng = Seed::new(seed).stream("hostile");
        let bytes: Vec<u8> = (0..1000).map(|_| rng.next_u32() as u8).collect();
        play(&bytes, Show::Nothing);
    }
}
