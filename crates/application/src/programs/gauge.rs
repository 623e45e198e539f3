//! Counts bytes into the recorder without one sample for each read.

use core::time::Duration;

use septet_core::Instant;
use septet_socket::{NetExt, NetRef};

/// Samples are this far apart at least.
const RESOLUTION: Duration = Duration::from_millis(10);

/// Adds up what comes close together; what is left is recorded when it is dropped.
pub(super) struct Gauge<'a> {
    net: &'a NetRef,
    name: &'static str,
    held: u64,
    since: Instant,
}

impl<'a> Gauge<'a> {
    pub(super) fn new(net: &'a NetRef, name: &'static str) -> Self {
        Self { net, name, held: 0, since: net.now() }
    }

    pub(super) fn add(&mut self, bytes: usize) {
        self.held += bytes as u64;
        if self.net.now() - self.since >= RESOLUTION {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if self.held > 0 {
            self.net.observe(self.name, self.held as f64);
        }
        (self.held, self.since) = (0, self.net.now());
    }
}

impl Drop for Gauge<'_> {
    fn drop(&mut self) {
        self.flush();
    }
}
