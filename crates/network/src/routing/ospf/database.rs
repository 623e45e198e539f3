//! The link state database: every advertisement that this router has, how old each is, and when something is due with it.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use septet_core::Instant;
use septet_wire::ospf::{Body, Lsa, LsaHeader, LsaKey, MAX_AGE};

/// RFC 2328 appendix B: how often an own advertisement is originated anew though nothing has changed.
pub(super) const REFRESH: Duration = Duration::from_secs(1800);

/// How an advertisement has come into the database.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Source {
    /// This router has originated it.
    Own,
    /// A neighbour was asked for it, or it was made older here.
    Other,
    /// By flooding.
    Flooded,
}

#[derive(Debug)]
pub(super) struct Stored {
    /// As it was when it came.
    pub(super) lsa: Lsa,
    /// What it says, read once.
    pub(super) body: Option<Body>,
    /// When it came.
    pub(super) since: Instant,
    pub(super) source: Source,
    /// When it is too old, or is to be originated anew.
    due: Instant,
}

impl Stored {
    /// Its age now, in seconds.
    pub(super) fn age(&self, now: Instant) -> u16 {
        let passed = now.saturating_since(self.since).as_secs().min(u64::from(MAX_AGE)) as u16;
        (self.lsa.header.age + passed).min(MAX_AGE)
    }

    /// Its header as it is now.
    pub(super) fn header(&self, now: Instant) -> LsaHeader {
        LsaHeader { age: self.age(now), ..self.lsa.header }
    }
}

#[derive(Default, Debug)]
pub(super) struct Database {
    all: BTreeMap<LsaKey, Stored>,
    due: BTreeSet<(Instant, LsaKey)>,
    /// Those at MaxAge, which go once everybody has heard of it.
    pub(super) dying: BTreeSet<LsaKey>,
    now: Instant,
}

impl Database {
    pub(super) fn get(&self, key: &LsaKey) -> Option<&Stored> {
        self.all.get(key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Stored> {
        self.all.values()
    }

    /// The time of the latest call.
    pub(super) const fn now(&self) -> Instant {
        self.now
    }

    pub(super) fn set_now(&mut self, now: Instant) {
        self.now = now;
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Puts an instance in the place of what there was.
    pub(super) fn install(&mut self, now: Instant, lsa: Lsa, source: Source) {
        let key = lsa.header.key;
        self.remove(&key);
        let left = Duration::from_secs(u64::from(MAX_AGE - lsa.header.age.min(MAX_AGE)));
        if left.is_zero() {
            self.dying.insert(key);
        }
        let due = now + if source == Source::Own { left.min(REFRESH) } else { left };
        if !left.is_zero() {
            self.due.insert((due, key));
        }
        let body = lsa.read();
        self.all.insert(key, Stored { lsa, body, since: now, source, due });
    }

    pub(super) fn remove(&mut self, key: &LsaKey) {
        if let Some(old) = self.all.remove(key) {
            self.due.remove(&(old.due, *key));
        }
        self.dying.remove(key);
    }

    pub(super) fn take_due(&mut self, now: Instant) -> Option<LsaKey> {
        let (at, key) = *self.due.first()?;
        (at <= now).then(|| {
            self.due.pop_first();
            key
        })
    }
}
