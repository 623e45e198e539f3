//! From a failing run to the fewest faults and the shortest run that still fail in the same way.

use core::time::Duration;

use septet_core::Instant;
use septet_lab::{Lab, earliest, fewest};

use super::failure::Failure;
use super::trial::{Script, Terms, Trial, play};

/// What a failing run was brought down to.
pub(super) struct Shrunk {
    /// The lab with the faults that are left, and its end.
    pub(super) lab: Lab,
    /// How many faults there were.
    pub(super) faults_before: usize,
    /// When it would have ended.
    pub(super) stop_before: Instant,
    /// The terms on which it fails so.
    pub(super) script: Script,
}

/// The most runs that are spent on it.
const MOST: u32 = 400;

/// Brings a failing run down. `None` where it is not told by one lab: it has no world or several, or its faults do not fail
/// when they come by the clock, and not from the test's own doing.
pub(super) fn shrink(terms: &Terms, failed: &Trial, body: &dyn Fn() -> Result<(), String>) -> Option<Shrunk> {
    let [came] = &failed.worlds[..] else { return None };
    let all: Vec<String> = came.happened.iter().map(ToString::to_string).collect();
    let stop_before = came.lab.stop;
    let mut left = MOST;
    let mut again = |faults: &[String], stop: Option<Instant>| -> Option<Trial> {
        left = left.checked_sub(1)?;
        let script = Script { faults: faults.to_vec(), stop };
        Some(play(Terms { script: Some(script), ..terms.clone() }, body))
    };
    let whole = again(&all, None).filter(|trial| trial.failed_like(failed))?;
    let fails = |trial: &Trial| trial.failed_like(failed);
    let faults = fewest(&all, |part| again(part, None).as_ref().is_some_and(fails));
    // What fails by itself ends when it fails; a world that ran to its stop may fail at an earlier one just as well.
    let at = whole.failure.as_ref().map_or(stop_before, Failure::at);
    let mut stop = None;
    if at < stop_before {
        let ends = again(&faults, None)?.failure.as_ref().map_or(at, Failure::at);
        let just_behind = ends + Duration::from_millis(1);
        stop = Some(just_behind).filter(|stop| again(&faults, Some(*stop)).as_ref().is_some_and(fails));
    } else if !faults.is_empty() && again(&[], None).is_some_and(|trial| trial.failed.is_none()) {
        stop = earliest(stop_before, 100, |stop| {
            // Too short a run fails whatever goes wrong: it must go well without faults.
            again(&faults, Some(stop)).as_ref().is_some_and(fails)
                && again(&[], Some(stop)).is_some_and(|trial| trial.failed.is_none())
        });
    }
    let script = Script { faults, stop };
    let lab = came.lab.with_faults(&script.faults, script.stop).ok()?;
    Some(Shrunk { lab, faults_before: all.len(), stop_before, script })
}
