//! How long a client may take, as nginx has it by default, but in total and not only from one byte to the next.

use core::time::Duration;

use septet_core::Instant;

/// The whole head of a request (nginx's `client_header_timeout`).
pub(super) const HEAD: Duration = Duration::from_secs(60);
/// From one request of a connection to the next (nginx's `keepalive_timeout`).
pub(super) const IDLE: Duration = Duration::from_secs(75);
/// From one byte of a body to the next (nginx's `client_body_timeout` and `send_timeout`), and for how long a body may
/// be waited for before its rate counts.
const SILENCE: Duration = Duration::from_secs(60);
/// Bytes a second that a body must make on the whole (`MinRate` of Apache's mod_reqtimeout).
const LEAST_RATE: u64 = 500;

/// How a body moves that a client sends or takes. Only the time counts in which we wait for the client.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Pace {
    bytes: u64,
    waited: Duration,
    since: Option<Instant>,
}

impl Pace {
    /// So much has moved.
    pub(super) fn moved(&mut self, now: Instant, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes as u64);
        if let Some(since) = self.since.take() {
            self.waited += now - since;
        }
    }

    /// So much has moved that there had been room for, while we wait for the client as before.
    pub(super) fn found_room(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes as u64);
    }

    /// We wait for the client: until when at the latest.
    pub(super) fn wait(&mut self, now: Instant) -> Instant {
        let since = *self.since.get_or_insert(now);
        since + self.allowed()
    }

    /// Whether we wait for the client.
    pub(super) fn is_waiting(&self) -> bool {
        self.since.is_some()
    }

    /// Whether we have waited for too long.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.since.is_some_and(|since| now >= since + self.allowed())
    }

    fn allowed(&self) -> Duration {
        let earned = SILENCE + Duration::from_secs(self.bytes / LEAST_RATE);
        SILENCE.min(earned.saturating_sub(self.waited))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_silence_nor_a_drip_holds_a_connection() {
        let at = Instant::from_secs;
        let mut pace = Pace::default();
        assert_eq!(pace.wait(at(0)), at(60));
        pace.moved(at(50), 100);
        assert_eq!(pace.wait(at(50)), at(60), "a byte now and then earns nothing");
        pace.moved(at(55), 1_000_000);
        assert_eq!(pace.wait(at(55)), at(115), "a body that moves may take its time, but not fall silent");
        pace.moved(at(56), 1);
        assert_eq!(pace.wait(at(1000)), at(1060), "what we take for ourselves is not the client's");
    }
}
