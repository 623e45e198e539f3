//! The recursive resolver: it asks from the root down until it knows, and remembers what it was told.
//!
//! What it does is a machine without sockets or clock (`machine`): questions of clients and answers of servers go in, questions to
//! servers and answers to clients come out. `serve` drives it over a network.

mod cache;
mod hints;
mod job;
mod machine;
mod scrub;
mod serve;
mod servers;
#[cfg(test)]
mod tests;
mod upstream;

pub use hints::{Hint, HintError, iana, read as read_hints};
pub use serve::{METRICS, Recursor};
pub use upstream::{Case, Ids, Ports};

use core::time::Duration;

/// What a resolver may spend.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Questions to servers for one question of a client (50). What a delegation makes it look up beside counts too: "NXNSAttack"
    /// was a delegation to many names that do not exist.
    pub questions: u32,
    /// How long a client's question is worked on (10 s).
    pub patience: Duration,
    /// Questions that are worked on at once (1000); further ones are answered `SERVFAIL`.
    pub at_once: usize,
    /// Bytes that the cache may take (16 MiB). What was not used for the longest goes first.
    pub cache: usize,
    /// For how long an answer is kept at most (a day).
    pub longest: Duration,
    /// For how long answers that are no longer good are kept for the time when no server answers (a day); none where zero.
    pub stale: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(86_400);
        Self {
            questions: 50,
            patience: Duration::from_secs(10),
            at_once: 1000,
            cache: 16 << 20,
            longest: DAY,
            // RFC 8767 §5: "the maximum stale timer … a value between 1 and 3 days".
            stale: DAY,
        }
    }
}
