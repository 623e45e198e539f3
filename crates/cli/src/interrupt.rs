//! Ctrl-C and SIGTERM: the first asks the run to end and leave valid files, the second ends the process at once. So does the
//! first, after a moment, where nothing heeds it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::exit::Exit;
use crate::terminal::tell;

static ASKED: AtomicBool = AtomicBool::new(false);
static HEEDED: AtomicBool = AtomicBool::new(false);

/// How long a run may take to look up from its work.
const PATIENCE: Duration = Duration::from_millis(800);

/// From now on signals are heard. Where that is not possible they keep their usual effect.
pub(crate) fn listen() {
    let _ = ctrlc::set_handler(|| {
        if ASKED.swap(true, Ordering::Relaxed) {
            std::process::exit(Exit::Interrupted.code().into());
        }
        // On a thread of its own, so that the second signal is heard while it waits.
        std::thread::spawn(|| {
            std::thread::sleep(PATIENCE);
            if !HEEDED.load(Ordering::Relaxed) {
                tell!("septet: interrupted");
                std::process::exit(Exit::Interrupted.code().into());
            }
        });
    });
}

/// Whether somebody asked for the end.
pub(crate) fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}

/// The run has ended because it was asked to, and what is left is to write down what it came to.
pub(crate) fn heed() {
    HEEDED.store(true, Ordering::Relaxed);
}
