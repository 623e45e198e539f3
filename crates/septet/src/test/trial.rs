//! One play of a test with one seed: what its worlds are told, and what they leave behind.

use core::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use septet_core::Instant;
use septet_lab::{Lab, Run};

use super::came::Came;
use super::failure::{Failure, plain};
use super::keep::Keep;
use super::log::Log;
use crate::desk::caught;

/// What goes wrong in a trial, in the place of what its test says.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Script {
    /// Lines of `[faults]`.
    pub(super) faults: Vec<String>,
    /// When it ends, where not when its test says.
    pub(super) stop: Option<Instant>,
}

/// How a trial differs from what its test says.
#[derive(Clone, Default, Debug)]
pub(super) struct Terms {
    pub(super) seed: u64,
    pub(super) script: Option<Script>,
    /// Where what it leaves behind is kept.
    pub(super) keep: Option<PathBuf>,
    /// Whether everything that happens is written down, to be compared.
    pub(super) log: bool,
}

/// What a trial came to.
#[derive(Default)]
pub(super) struct Trial {
    /// What went wrong, in words; where the test itself panicked, with the place.
    pub(super) failed: Option<String>,
    /// What went wrong in a world.
    pub(super) failure: Option<Failure>,
    pub(super) worlds: Vec<Came>,
    pub(super) log: Vec<String>,
    /// What could not be kept.
    pub(super) trouble: Option<String>,
}

impl Trial {
    /// The digests of its worlds: what is the same wherever it is repeatable.
    pub(super) fn digests(&self) -> Vec<String> {
        // What was sent and had not come when the world ended is in no digest, but counted.
        let of = |Came { outcome, .. }: &Came| {
            let septet_lab::Outcome { digest, at, stats, counters, ports, .. } = outcome;
            format!("{digest} after {at} s, {stats:?} {counters:?} {ports:?}")
        };
        self.worlds.iter().map(of).collect()
    }

    /// Whether it went wrong in the same way as `other`.
    pub(super) fn failed_like(&self, other: &Self) -> bool {
        match (&self.failure, &other.failure) {
            (Some(a), Some(b)) => a.is_like(b),
            (None, None) => match (&self.failed, &other.failed) {
                (Some(a), Some(b)) => plain(a) == plain(b),
                _ => false,
            },
            _ => false,
        }
    }
}

struct Current {
    terms: Terms,
    so_far: Trial,
}

thread_local! {
    static CURRENT: RefCell<Option<Rc<RefCell<Current>>>> = const { RefCell::new(None) };
}

/// Plays a test on these terms.
pub(super) fn play(terms: Terms, body: &dyn Fn() -> Result<(), String>) -> Trial {
    let current = Rc::new(RefCell::new(Current { terms, so_far: Trial::default() }));
    let before = CURRENT.replace(Some(current.clone()));
    let result = caught(body);
    CURRENT.set(before);
    let mut trial = core::mem::take(&mut current.borrow_mut().so_far);
    trial.failed = match result {
        Ok(Ok(())) => None,
        Ok(Err(words)) => Some(words),
        Err(panic) => {
            let place = panic.place.as_ref().map(|place| format!(" ({place})")).unwrap_or_default();
            Some(format!("the test panicked: {}{place}", panic.words()))
        }
    };
    // What a world failed with is the test's failure only where the test does not make good of it.
    if trial.failed.is_none() {
        trial.failure = None;
    }
    trial
}

/// A world's part of a trial.
pub(super) struct Part {
    current: Rc<RefCell<Current>>,
    keep: Option<Keep>,
    log: Option<Log>,
}

/// The part of a world that is made now, where it is made in a trial.
pub(super) fn take_part() -> Option<Part> {
    let current = CURRENT.with(|current| current.borrow().clone())?;
    Some(Part { current, keep: None, log: None })
}

impl Part {
    /// Whether what goes wrong is told by the trial, and not by its test.
    pub(super) fn has_script(&self) -> bool {
        self.current.borrow().terms.script.is_some()
    }

    /// Makes of the test's lab the trial's, and gives the seed.
    pub(super) fn prepare(&self, lab: &mut Lab) -> Result<Option<u64>, String> {
        let current = self.current.borrow();
        if let Some(Script { faults, stop }) = &current.terms.script {
            *lab = lab.with_faults(faults, *stop).map_err(|mistakes| mistakes.to_string())?;
        }
        Ok(Some(current.terms.seed))
    }

    /// Begins to watch, where anything is to be kept.
    pub(super) fn watch(&mut self, run: &mut Run) {
        let current = &mut *self.current.borrow_mut();
        if let Some(dir) = &current.terms.keep {
            // A second world of the same test has a directory of its own.
            let dir = match current.so_far.worlds.len() {
                0 => dir.clone(),
                n => dir.join(format!("world-{}", n + 1)),
            };
            match Keep::begin(&dir, run) {
                Ok(keep) => self.keep = Some(keep),
                Err(e) => {
                    current.so_far.trouble.get_or_insert(e);
                }
            }
        }
        if current.terms.log {
            self.log = Some(Log::begin(run));
        }
    }

    /// The world was never played.
    pub(super) fn none(self, failure: Option<Failure>) {
        let so_far = &mut self.current.borrow_mut().so_far;
        so_far.failure = so_far.failure.take().or(failure);
    }

    /// The world is over, and what watched it alone is left.
    pub(super) fn over(self, came: Came) {
        let Self { current, keep, log } = self;
        let so_far = &mut current.borrow_mut().so_far;
        if let Some(log) = log {
            so_far.log.extend(log.end());
        }
        if let Some(Err(e)) = keep.map(|keep| keep.finish(&came)) {
            so_far.trouble.get_or_insert(e);
        }
        if so_far.failure.is_none() {
            so_far.failure.clone_from(&came.failure);
        }
        so_far.worlds.push(came);
    }
}

/// A test's function, to be played on any thread.
pub(super) type Body = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;
