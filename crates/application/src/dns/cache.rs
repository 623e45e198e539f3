//! Answers that are still good.

use std::collections::BTreeMap;

use hickory_proto::rr::{LowerName, RecordType};
use septet_core::Instant;

use super::Reply;

/// How many answers are kept; the one that expires first goes first.
const ENTRIES: usize = 512;
/// RFC 2308 §5: "values of one to three hours have been found to work well"; the same bound for all answers keeps a
/// forged TTL from staying for ever.
const MAX_TTL: u64 = 3 * 3600;

/// What was asked.
type Key = (LowerName, RecordType);

/// Answers by question, each until its TTL has passed.
#[derive(Default)]
pub(super) struct Cache {
    entries: BTreeMap<Key, (Instant, Reply)>,
}

impl Cache {
    /// How many answers it holds.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The answer to `key`, with the TTLs that are left.
    pub(super) fn get(&mut self, now: Instant, key: &Key) -> Option<Reply> {
        let (expires, reply) = self.entries.get(key)?;
        if *expires <= now {
            self.entries.remove(key);
            return None;
        }
        let mut reply = reply.clone();
        let age = u32::try_from((now - reply.received).as_secs()).unwrap_or(u32::MAX);
        for record in reply.message.answers.iter_mut().chain(&mut reply.message.authorities) {
            record.ttl = record.ttl.saturating_sub(age);
        }
        Some(reply)
    }

    /// Keeps `reply` for as long as its records allow.
    pub(super) fn put(&mut self, now: Instant, key: Key, reply: &Reply) {
        let Some(ttl) = reply.ttl() else { return };
        let expires = now + core::time::Duration::from_secs(u64::from(ttl).min(MAX_TTL));
        if expires <= now {
            return;
        }
        if self.entries.len() >= ENTRIES && !self.entries.contains_key(&key) {
            let first = self.entries.iter().min_by_key(|(_, (expires, _))| *expires).map(|(key, _)| key.clone());
            if let Some(first) = first {
                self.entries.remove(&first);
            }
        }
        self.entries.insert(key, (expires, reply.clone()));
    }
}
