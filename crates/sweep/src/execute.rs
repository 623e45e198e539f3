//! Runs a plan on several threads; each run is a world of its own.

use core::sync::atomic::{AtomicU64, Ordering};
use std::collections::BTreeSet;
use std::sync::mpsc;

use septet_lab::BuildOptions;

use crate::{Cell, Plan, Record};

/// Runs everything in `plan` that is not in `done`, on `jobs` threads, and gives each record to `finished` on the
/// calling thread as soon as it is there, in the order in which runs end. Where `halted` says so, runs that have begun are
/// abandoned within a moment, and no other begins.
pub fn execute(
    plan: &Plan,
    jobs: usize,
    done: &BTreeSet<u64>,
    halted: &(dyn Fn() -> bool + Sync),
    mut finished: impl FnMut(Record),
) {
    let next = AtomicU64::new(0);
    let runs = plan.runs();
    // A bounded channel: a slow reader slows the runs down rather than filling memory.
    let (sender, receiver) = mpsc::sync_channel(jobs.max(1) * 2);
    std::thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, usize::try_from(runs).unwrap_or(usize::MAX).max(1)) {
            let sender = sender.clone();
            let next = &next;
            scope.spawn(move || {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= runs || halted() {
                        return;
                    }
                    if done.contains(&number) {
                        continue;
                    }
                    let Some((cell, seed)) = plan.run(number) else { return };
                    let Some(record) = one(cell, number, seed, halted) else { return };
                    if sender.send(record).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        receiver.into_iter().for_each(&mut finished);
    });
}

/// Events between two looks at whether to go on.
const BREATH: u32 = 256;

/// Plays one run; `None` where it was abandoned.
pub(crate) fn one(cell: &Cell, number: u64, seed: u64, halted: &dyn Fn() -> bool) -> Option<Record> {
    let options = BuildOptions { seed: Some(seed), ..BuildOptions::default() };
    let mut run = match cell.lab.build(&options) {
        Ok(run) => run,
        Err(e) => return Some(Record::failed(cell, number, seed, e.to_string())),
    };
    loop {
        if halted() {
            return None;
        }
        for _ in 0..BREATH {
            match run.world.step_until(cell.lab.stop) {
                Ok(true) => {}
                Ok(false) => {
                    return Some(match run.play() {
                        Ok(()) => Record::finished(cell, number, &run.outcome()),
                        Err(storm) => Record::failed(cell, number, seed, storm.to_string()),
                    });
                }
                Err(storm) => return Some(Record::failed(cell, number, seed, storm.to_string())),
            }
        }
    }
}
