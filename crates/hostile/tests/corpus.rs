//! Replays what fuzzing has found worth keeping (`fuzz/corpus/`), and random inputs beside it.

use std::path::Path;

use septet_core::Seed;
use septet_hostile::PLAYS;

#[test]
fn the_kept_inputs_break_nothing() {
    for (name, play) in PLAYS {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
        let entries = std::fs::read_dir(&directory).unwrap_or_else(|e| panic!("{}: {e}", directory.display()));
        let mut inputs: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        inputs.sort();
        assert!(inputs.len() >= 5, "{name} has hardly a corpus");
        for path in inputs {
            println!("{}", path.display());
            play(&std::fs::read(path).unwrap());
        }
    }
}

/// `SEPTET_SEEDS=N` plays more of them.
#[test]
fn random_inputs_break_nothing() {
    let runs = std::env::var("SEPTET_SEEDS").ok().and_then(|s| s.parse().ok()).unwrap_or(30);
    for (name, play) in PLAYS {
        for seed in 0..runs {
            println!("{name}, seed {seed}");
            let mut rng = Seed::new(seed).stream(name);
            let bytes: Vec<u8> = (0..rng.below(2000)).map(|_| rng.next_u32() as u8).collect();
            play(&bytes);
        }
    }
}

/// `SEPTET_PLAY=host SEPTET_INPUT=FILE cargo test -p septet-hostile --test corpus one -- --nocapture` plays one input.
#[test]
fn one_input() {
    let (Ok(name), Ok(path)) = (std::env::var("SEPTET_PLAY"), std::env::var("SEPTET_INPUT")) else { return };
    let (_, play) = PLAYS.iter().find(|(n, _)| *n == name).expect("a play of that name");
    play(&std::fs::read(path).unwrap());
}
