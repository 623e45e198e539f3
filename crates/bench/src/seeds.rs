//! 200 seeds of one lab: on one thread, then on as many as there are processors.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use cpu_time::ProcessTime;
use septet_sweep::{Plan, Seeds, execute};

use crate::{Failure, Options, Report, cost};

const SEEDS: u64 = 200;
/// Each way of playing them has several turns, and the best counts: what else the machine does only slows down.
const TURNS: u32 = 3;

/// How many worlds a second one thread plays, and how many times as many all of them.
pub(crate) fn run(options: &Options) -> Result<Report, Failure> {
    let seeds = options.scaled(SEEDS);
    let last = options.seed.saturating_add(seeds - 1);
    let seeds: Seeds = format!("{}..{last}", options.seed).parse().map_err(|e| Failure::new(format!("{e}")))?;
    let plan = Plan::new("seeds.toml", include_str!("seeds.toml"), &[], Some(seeds))
        .map_err(|e| Failure::new(format!("the lab is not valid: {e}")))?;
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let (mut one, mut all) = (Turn::NEVER, Turn::NEVER);
    let mut digests = None;
    for _ in 0..TURNS {
        for (jobs, best) in [(1, &mut one), (jobs, &mut all)] {
            let (turn, found) = play(&plan, jobs)?;
            if *digests.get_or_insert_with(|| found.clone()) != found {
                return Err(Failure::new(format!("on {jobs} threads there were other digests")));
            }
            *best = best.or_better(turn);
        }
    }
    Ok(Report {
        events: Some(one.events),
        cpu_s: one.cpu_s,
        packets: Some(one.packets),
        packets_per_cpu_s: Some(one.packets as f64 / one.cpu_s),
        runs: Some(plan.runs()),
        jobs: Some(jobs as u64),
        wall_s: Some(one.wall_s),
        wall_s_all_jobs: Some(all.wall_s),
        speedup: Some(one.wall_s / all.wall_s),
        cpu_s_all_jobs: Some(all.cpu_s),
        rss_bytes: cost::memory("VmHWM:"),
        ..Report::default()
    })
}

/// What playing all seeds took.
#[derive(Clone, Copy)]
struct Turn {
    wall_s: f64,
    cpu_s: f64,
    packets: u64,
    events: u64,
}

impl Turn {
    const NEVER: Self = Self { wall_s: f64::INFINITY, cpu_s: f64::INFINITY, packets: 0, events: 0 };

    fn or_better(self, other: Self) -> Self {
        if other.wall_s < self.wall_s { other } else { self }
    }
}

/// Plays the plan; gives the digest of each seed.
fn play(plan: &Plan, jobs: usize) -> Result<(Turn, BTreeMap<u64, String>), Failure> {
    let (wall, cpu) = (Instant::now(), ProcessTime::now());
    let mut digests = BTreeMap::new();
    let mut failed = 0;
    let mut turn = Turn { packets: 0, events: 0, ..Turn::NEVER };
    execute(plan, jobs, &BTreeSet::new(), &|| false, |record| {
        failed += u64::from(!record.ok);
        turn.packets += record.transmissions;
        turn.events += record.events;
        digests.insert(record.seed, record.digest);
    });
    (turn.wall_s, turn.cpu_s) = (wall.elapsed().as_secs_f64(), cpu.elapsed().as_secs_f64());
    if failed > 0 || digests.len() as u64 != plan.runs() {
        return Err(Failure::new(format!("{failed} of {} runs did not do what they should", plan.runs())));
    }
    Ok((turn, digests))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lab_does_what_it_should() {
        assert_eq!(run(&Options { scale: 0.005, ..Options::default() }).unwrap().runs, Some(1));
    }
}
