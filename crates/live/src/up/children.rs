//! The real programs that the lab file itself starts, each by a `septet exec` of its own.

use std::cell::RefCell;
use std::io;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::descriptors::Before;
use crate::linux::exec::GRACE;

/// How often is looked for programs that have ended.
const LOOK: Duration = Duration::from_millis(250);
/// How long they get to see that their lab has gone, and to end their programs.
const FAREWELL: Duration = GRACE.saturating_add(Duration::from_secs(2));

/// The programs that run.
pub(super) struct Children {
    running: RefCell<Vec<Running>>,
    limits: Before,
}

struct Running {
    host: String,
    command: String,
    child: Child,
}

impl Children {
    /// None yet. Those to come get the limits that the process had `before`.
    pub(super) fn new(before: Before) -> Self {
        Self { running: RefCell::default(), limits: before }
    }

    /// Runs a command in the place of a host, for as long as the lab is up.
    pub(super) fn start(&self, lab: &str, host: &str, command: &str) -> io::Result<()> {
        let child = Command::new(std::env::current_exe()?)
            .args(["exec", "--lab", lab, "--real", host, "--", "sh", "-c", command])
            .stdin(Stdio::null())
            .spawn()?;
        // In time: it cannot start its program before this thread has told it its place.
        self.limits.restore(child.id());
        self.running.borrow_mut().push(Running { host: host.to_owned(), command: command.to_owned(), child });
        Ok(())
    }

    /// Says which of them end, for ever.
    pub(super) async fn watch(&self) {
        loop {
            tokio::time::sleep(LOOK).await;
            self.running.borrow_mut().retain_mut(|Running { host, command, child }| match child.try_wait() {
                Ok(None) => true,
                Ok(Some(status)) if status.success() => {
                    eprintln!("septet: {host}: `{command}` has ended");
                    false
                }
                Ok(Some(status)) => {
                    eprintln!("septet: {host}: `{command}` has ended: {status}");
                    false
                }
                Err(e) => {
                    eprintln!("septet: {host}: `{command}`: {e}");
                    false
                }
            });
        }
    }

    /// Waits for them to end, once the control socket is closed: each then ends its program and its namespace. One that
    /// does not is killed.
    pub(super) fn end(&self) {
        let begun = Instant::now();
        let mut all = self.running.borrow_mut();
        while !all.is_empty() && begun.elapsed() < FAREWELL {
            all.retain_mut(|running| matches!(running.child.try_wait(), Ok(None)));
            std::thread::sleep(Duration::from_millis(5));
        }
        for Running { child, .. } in all.iter_mut() {
            // It may have ended meanwhile.
            let _ = child.kill();
            let _ = child.wait();
        }
        all.clear();
    }
}
