//! How far a sweep is, on a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::Record;

/// A bar on standard error: runs done, runs failed, time left. Where standard error is no terminal it shows nothing.
#[derive(Debug)]
pub struct Bar {
    bar: ProgressBar,
    failed: u64,
}

impl Bar {
    /// A bar for so many runs, of which some are done already.
    pub fn new(runs: u64, done: u64) -> Self {
        let bar = ProgressBar::with_draw_target(Some(runs), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{bar:32} {pos}/{len} runs · {per_sec} · {eta} left{msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_position(done);
        bar.reset_eta();
        Self { bar, failed: 0 }
    }

    /// A bar that is never shown.
    pub fn hidden() -> Self {
        Self { bar: ProgressBar::hidden(), failed: 0 }
    }

    /// A run has ended.
    pub fn finished(&mut self, record: &Record) {
        if !record.ok {
            self.failed += 1;
            self.bar.set_message(format!(" · {} failed", self.failed));
        }
        self.bar.inc(1);
    }

    /// Takes the bar away while `print` writes to the terminal.
    pub fn suspend<R>(&self, print: impl FnOnce() -> R) -> R {
        self.bar.suspend(print)
    }

    /// The sweep is over; the bar goes.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}
