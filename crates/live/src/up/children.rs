//! The real programs that the lab file itself starts, each by a `septet exec` of its own.

use std::cell::RefCell;
use std::io;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How often is looked for programs that have ended.
const LOOK: Duration = Duration::from_millis(250);
/// How long they get to see that their lab has gone.
const FAREWELL: Duration = Duration::from_secs(3);

/// The programs that run.
#[derive(Default)]
pub(super) struct Children(RefCell<Vec<Running>>);

struct Running {
    host: String,
    command: String,
    child: Child,
}

impl Children {
    /// Runs a command in the place of a host, for as long as the lab is up.
    pub(super) fn start(&self, lab: &str, host: &str, command: &str) -> io::Result<()> {
        let child = Command::new(std::env::current_exe()?)
            .args(["exec", "--lab", lab, "--real", host, "--", "sh", "-c", command])
            .stdin(Stdio::null())
            .spawn()?;
        self.0.borrow_mut().push(Running { host: host.to_owned(), command: command.to_owned(), child });
        Ok(())
    }

    /// Says which of them end, for ever.
    pub(super) async fn watch(&self) {
        loop {
            tokio::time::sleep(LOOK).await;
            self.0.borrow_mut().retain_mut(|Running { host, command, child }| match child.try_wait() {
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
        let mut all = self.0.borrow_mut();
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
