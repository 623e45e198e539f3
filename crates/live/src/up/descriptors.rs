//! How many descriptors a lab may have open: each connection of a forward is one.

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};

/// The limits as the process found them.
#[derive(Clone)]
pub(super) struct Before(Rlimit);

/// Raises the soft limit to the hard one. Where the system refuses, the old one holds.
pub(super) fn raise() -> Before {
    let before = getrlimit(Resource::Nofile);
    // A limit only ever bounds what can be open at once; running into it refuses connections.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: before.maximum, maximum: before.maximum });
    Before(before)
}

impl Before {
    /// Gives a process that was just started the limits that this one had: programs that use select(2), or close every
    /// descriptor that they might have, suffer from large ones.
    pub(super) fn restore(&self, process: u32) {
        if let Some(pid) = Pid::from_raw(process.cast_signed()) {
            // It may have ended already.
            let _ = prlimit(Some(pid), Resource::Nofile, self.0);
        }
    }
}
