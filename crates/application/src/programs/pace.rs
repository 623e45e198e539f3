//! Keeps to a rate.

use core::time::Duration;

use septet_core::Instant;
use septet_socket::NetRef;

/// A rate that began at a moment.
pub(super) struct Pace {
    net: NetRef,
    begun: Instant,
    /// Bits a second.
    rate: Option<u64>,
}

impl Pace {
    /// Begins now; without a rate nothing is ever held back.
    pub(super) fn new(net: &NetRef, rate: Option<u64>) -> Self {
        Self { net: net.clone(), begun: net.now(), rate: rate.filter(|r| *r > 0) }
    }

    /// Waits until as many as `bytes` bytes are due.
    pub(super) async fn wait(&self, bytes: u64) {
        if let Some(rate) = self.rate {
            let nanos = u128::from(bytes) * 8 * 1_000_000_000 / u128::from(rate);
            let due = self.begun + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
            if due > self.net.now() {
                self.net.sleep_until(due).await;
            }
        }
    }
}
