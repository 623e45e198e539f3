//! `#[septet::test]`: seeds, replays, runs that are not repeatable, and what is brought down.

use core::time::Duration;
use std::panic;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use septet::net::UdpSocket;
use septet::test::{Test, World};
use septet::time::{Instant, sleep};

#[septet::test(seeds = 5..9)]
fn every_seed_is_the_worlds() {
    assert!((5..9).contains(&World::new().seed()));
}

#[test]
fn every_seed_is_played_and_the_first_twice() {
    let test = Test { name: "seeds::counted", seeds: (5..9).into(), directory: None };
    static COUNTED: Mutex<Vec<u64>> = Mutex::new(Vec::new());
    septet::test::run(&test, || {
        COUNTED.lock().unwrap().push(World::new().seed());
        Ok(())
    });
    let mut played = COUNTED.lock().unwrap().clone();
    played.sort();
    assert_eq!(played, [5, 5, 6, 7, 8]);
}

#[septet::test]
async fn a_test_may_be_one_program() -> std::io::Result<()> {
    let begun = Instant::now();
    sleep(Duration::from_secs(3600)).await;
    assert_eq!(begun.elapsed(), Duration::from_secs(3600));
    Ok(())
}

#[septet::test(seeds = 3)]
#[should_panic]
fn attributes_are_kept() {
    panic!("as said");
}

fn directory(name: &str) -> &'static str {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&path);
    Box::leak(path.to_str().unwrap().to_owned().into_boxed_str())
}

/// What a test that fails reports.
fn report<B>(name: &'static str, seeds: u64, body: B) -> (String, PathBuf)
where
    B: Fn() -> Result<(), String> + Send + Sync + panic::RefUnwindSafe + panic::UnwindSafe + 'static,
{
    let directory = directory(name);
    let test = Test { name, seeds: seeds.into(), directory: Some(directory) };
    let played = panic::catch_unwind(move || septet::test::run(&test, body));
    let report = *played.expect_err("it fails").downcast::<String>().unwrap();
    (report, Path::new(directory).join("septet").join(name))
}

async fn ticking(ticks: u64) -> septet::test::Result {
    let socket = UdpSocket::bind("0.0.0.0:0").await?;
    for n in 0..ticks {
        socket.send_to(&n.to_be_bytes(), "b:9").await?;
        sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

#[test]
fn a_run_that_is_not_repeatable_is_found_out() {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    let (report, _) = report("unrepeatable", 3, || {
        let mut world = World::new();
        world.host("b", || async { Ok(()) });
        world.client("a", async {
            ticking(3).await?;
            // What no seed decides.
            let socket = UdpSocket::bind("0.0.0.0:0").await?;
            let n = RUNS.fetch_add(1, Ordering::Relaxed);
            socket.send_to(&vec![0; 100 + 10 * (n as usize % 5)], "b:9").await?;
            Ok(())
        });
        world.run().map_err(|e| e.to_string())
    });
    assert!(report.contains("is not repeatable") && report.contains("the first event at which they part"), "{report}");
    assert!(report.contains("once:  0.030") && report.contains("`a`: udp.send"), "{report}");
}

#[test]
fn the_first_seed_that_fails_is_told_with_the_fewest_faults() {
    let (report, kept) = report("fewest", 40, || {
        let mut world = World::builder().stop(Duration::from_secs(20)).build();
        world.host("b", || async { Ok(()) });
        world.host("c", || async { Ok(()) });
        world.client("a", async { ticking(100).await });
        for fault in ["100ms..200ms: loss 10% host a on b", "2s: crash c", "300ms..400ms: delay 5ms host c on a"] {
            world.fault(fault);
        }
        world.run_until(Duration::from_millis(500)).map_err(|e| e.to_string())?;
        world.partition("a", "b");
        world.run_until(Duration::from_millis(700)).map_err(|e| e.to_string())?;
        world.repair("a", "b");
        world.run().map_err(|e| e.to_string())?;
        let heard = world.counter("b", "UdpNoPorts");
        // Losses alone are not enough, and not for every seed.
        if heard < 79 { Err(format!("only {heard} of 100 were heard")) } else { Ok(()) }
    });
    assert!(report.contains("of 4 faults") && report.contains("drop host a on b"), "{report}");
    assert!(!report.contains("    2s: crash c") && !report.contains("delay"), "{report}");
    let lab = std::fs::read_to_string(kept.join("lab.toml")).unwrap();
    assert!(lab.starts_with("# fewest, seed ") && lab.contains("SEPTET_LAB="), "{lab}");
    septet::Lab::parse("lab.toml", &lab).unwrap();
}

#[test]
fn a_failing_test_is_played_again_from_its_lab() {
    // Another process plays this test again as a person would, by the environment; there it is the one that fails.
    if let Ok(directory) = std::env::var("SEEDS_DIRECTORY") {
        return played_from_outside(directory.leak());
    }
    let own = std::env::current_exe().unwrap();
    let directory = directory("again");
    let play = |variables: &[(&str, &str)]| {
        let mut command = Command::new(&own);
        command.args(["--exact", "a_failing_test_is_played_again_from_its_lab", "--nocapture"]);
        command.env("SEEDS_DIRECTORY", directory).envs(variables.iter().copied());
        let output = command.output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (went_well, first) = play(&[]);
    assert!(!went_well && first.contains("failed with seed 1 of 1..10"), "{first}");
    assert!(first.contains("of 2 faults 1 is enough:\n    100ms"), "{first}");
    let lab = Path::new(directory).join("septet/seeds-played_from_outside/lab.toml");
    let (went_well, again) = play(&[("SEPTET_SEED", "1"), ("SEPTET_LAB", lab.to_str().unwrap())]);
    assert!(!went_well && again.contains("failed with seed 1 of 1:"), "{again}");
    let without = std::fs::read_to_string(&lab).unwrap().replace("crash b", "crash c");
    std::fs::write(&lab, without).unwrap();
    let (went_well, err) = play(&[("SEPTET_SEED", "1"), ("SEPTET_LAB", lab.to_str().unwrap())]);
    assert!(went_well, "{err}");
    let (went_well, err) = play(&[("SEPTET_SEED", "x")]);
    assert!(!went_well && err.contains("SEPTET_SEED: `x` is no seed"), "{err}");
}

fn played_from_outside(directory: &'static str) {
    let test = Test { name: "seeds::played_from_outside", seeds: 10.into(), directory: Some(directory) };
    septet::test::run(&test, || {
        let mut world = World::builder().stop(Duration::from_secs(5)).build();
        world.host("b", || async { Ok(()) });
        world.host("c", || async { Ok(()) });
        world.client("a", async { ticking(20).await });
        world.fault("50ms: loss 20% host c on a");
        world.run_until(Duration::from_millis(100)).map_err(|e| e.to_string())?;
        world.crash("b");
        world.run().map_err(|e| e.to_string())?;
        if world.counter("b", "UdpNoPorts") < 20 { Err("b missed some".to_owned()) } else { Ok(()) }
    });
}
