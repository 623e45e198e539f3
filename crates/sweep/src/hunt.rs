//! From a lab and many seeds to the first seed that fails, the fewest faults and the shortest run that still do.

use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use septet_core::Instant;
use septet_lab::{Lab, Mistakes, earliest, fewest, with_setting};

use crate::execute::one;
use crate::{Cell, Plan, Record};

/// A failing run, and what it was brought down to.
#[derive(Debug)]
pub struct Prey {
    /// The values that it was run with.
    pub set: Vec<(String, String)>,
    /// The seed.
    pub seed: u64,
    /// The run as the lab has it.
    pub record: Record,
    /// The run that is left: the same seed, the fewest faults, the earliest end.
    pub left: Record,
    /// The lab that is left, its seed and its end in its text.
    pub lab: Lab,
    /// How many faults there were.
    pub faults_before: usize,
    /// When it would have ended.
    pub stop_before: Instant,
}

/// What a hunt came to.
#[derive(Debug)]
pub enum Hunted {
    /// No run fails.
    Nothing,
    /// One does: the first, in the order of the plan.
    Found(Box<Prey>),
    /// It was halted before that was known.
    Halted,
}

/// Plays the runs of `plan` on `jobs` threads until the first that fails is known, and goes on from there. `played` hears
/// of each run, those that the hunt makes beside the plan too.
///
/// # Errors
/// The lab with its values is not valid as a text, which cannot be where the plan is.
pub fn hunt(
    plan: &Plan,
    jobs: usize,
    halted: &(dyn Fn() -> bool + Sync),
    played: &(dyn Fn() + Sync),
) -> Result<Hunted, Mistakes> {
    let first = first(plan, jobs, halted, played);
    if halted() {
        return Ok(Hunted::Halted);
    }
    let Some(record) = first else { return Ok(Hunted::Nothing) };
    let Some((cell, seed)) = plan.run(record.run) else { return Ok(Hunted::Nothing) };
    let mut chase = Chase { plan, cell, record: &record, seed, left: MOST, halted, played };
    let all: Vec<String> = cell.lab.faults.iter().map(septet_lab::Fault::line).collect();
    let faults = fewest(&all, |part| chase.fails(part, None));
    let stop = chase.earliest(&faults);
    if halted() {
        return Ok(Hunted::Halted);
    }
    let lab = cell.lab.with_faults(&faults, stop)?;
    let text = with_setting(&lab.text, "lab.seed", &seed.to_string()).unwrap_or(lab.text.clone());
    let lab = lab.with_text(&text)?;
    let Some(left) = one(&of(cell, lab.clone()), record.run, seed, halted) else { return Ok(Hunted::Halted) };
    Ok(Hunted::Found(Box::new(Prey {
        set: cell.set.clone(),
        seed,
        left,
        lab,
        faults_before: all.len(),
        stop_before: cell.lab.stop,
        record,
    })))
}

/// The most runs that are spent on one that fails.
const MOST: u32 = 1000;
/// The most seeds that are tried for one that goes well.
const OTHERS: usize = 20;

/// The same cell with another lab.
fn of(cell: &Cell, lab: Lab) -> Cell {
    Cell { set: cell.set.clone(), lab: Arc::new(lab), hash: cell.hash.clone() }
}

/// Plays until it is known which run is the first to fail.
fn first(plan: &Plan, jobs: usize, halted: &(dyn Fn() -> bool + Sync), played: &(dyn Fn() + Sync)) -> Option<Record> {
    let (next, failed) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
    let first = Mutex::new(None::<Record>);
    let runs = plan.runs();
    std::thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, usize::try_from(runs).unwrap_or(usize::MAX).max(1)) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= runs || number > failed.load(Ordering::Relaxed) {
                        return;
                    }
                    let Some((cell, seed)) = plan.run(number) else { return };
                    let Some(record) = one(cell, number, seed, halted) else { return };
                    played();
                    let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
                    if !record.ok && number < failed.fetch_min(number, Ordering::Relaxed) {
                        *first = Some(record);
                    }
                }
            });
        }
    });
    first.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// A failing run that is brought down.
struct Chase<'a> {
    plan: &'a Plan,
    cell: &'a Cell,
    record: &'a Record,
    seed: u64,
    left: u32,
    halted: &'a (dyn Fn() -> bool + Sync),
    played: &'a (dyn Fn() + Sync),
}

/// What a run of the chase came to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Came {
    /// It fails in the same way.
    Fails,
    /// It does not: it went well, or fails otherwise.
    Otherwise,
    /// All is well.
    Well,
}

impl Chase<'_> {
    fn play(&mut self, seed: u64, faults: &[String], stop: Option<Instant>) -> Option<Came> {
        self.left = self.left.checked_sub(1)?;
        let lab = self.cell.lab.with_faults(faults, stop).ok()?;
        let record = one(&of(self.cell, lab), self.record.run, seed, self.halted)?;
        (self.played)();
        Some(if record.ok {
            Came::Well
        } else if alike(self.record, &record) {
            Came::Fails
        } else {
            Came::Otherwise
        })
    }

    fn fails(&mut self, faults: &[String], stop: Option<Instant>) -> bool {
        self.play(self.seed, faults, stop) == Some(Came::Fails)
    }

    /// The earliest end with which these faults still fail. Too short a run fails whatever goes wrong in it, so what goes well
    /// to the lab's own end must do so: the same run without its faults, or where it needs none, another seed's.
    fn earliest(&mut self, faults: &[String]) -> Option<Instant> {
        let (plan, own) = (self.plan, self.seed);
        let calm = (!faults.is_empty()).then(|| (own, Vec::new()));
        let others = plan.seeds.iter().flat_map(|seeds| seeds.iter()).filter(|seed| *seed != own);
        let with_faults = others.take(OTHERS).map(|seed| (seed, faults.to_vec()));
        let is_well = |(seed, faults): &(u64, Vec<String>)| self.play(*seed, faults, None) == Some(Came::Well);
        let (seed, others) = calm.into_iter().chain(with_faults).find(is_well)?;
        earliest(self.cell.lab.stop, 200, |stop| {
            self.fails(faults, Some(stop)) && self.play(seed, &others, Some(stop)) == Some(Came::Well)
        })
    }
}

/// Whether two runs fail in the same way: the first expectation that failed in one does in the other, or neither came to its
/// end.
fn alike(one: &Record, other: &Record) -> bool {
    if one.error.is_some() || other.error.is_some() {
        return one.error.is_some() && other.error.is_some();
    }
    let failed = one.expect.iter().find(|(_, expected)| !expected.ok);
    failed.is_some_and(|(name, _)| other.expect.get(name).is_some_and(|expected| !expected.ok))
}
