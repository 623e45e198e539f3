//! What servers said, for as long as it is good and a while longer: sets of records with their rank, and what is not there.

use core::time::Duration;
use std::collections::BTreeMap;

use hickory_proto::rr::{LowerName, Name, RData, Record, RecordType};
use hickory_proto::serialize::binary::BinEncodable;
use septet_core::Instant;

use super::Limits;

/// RFC 2308 §5: "Values of one to three hours have been found to work well".
const LONGEST_NEGATIVE: Duration = Duration::from_secs(3 * 3600);
/// RFC 9520 §3.2: "Resolvers MUST cache resolution failures for at least 1 second".
const FAILURE: Duration = Duration::from_secs(5);
/// RFC 8767 §5: "When a response … is attempted with stale data … the TTL … recommended to be 30 seconds"; the same time passes
/// before the servers are tried again, its "failure recheck timer".
pub(super) const STALE_TTL: u32 = 30;

/// Of what something is known.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum What {
    /// The name itself: that it is not there, and so nothing below it (RFC 8020).
    Name,
    /// Its records of a type, or that it has none.
    Records(RecordType),
    /// That the records of a type could not be found out.
    Failure(RecordType),
}

/// How far a set of records is believed: RFC 2181 §5.4.1, from the least to the most.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Rank {
    /// "Additional information", glue. Never an answer: such data "should not be cached in such a way that they would ever be
    /// returned as answers".
    Glue,
    /// "Data from the authority section of a non-authoritative answer": a delegation. Never an answer, likewise.
    Referral,
    /// "Data from the answer section of a non-authoritative answer".
    Answer,
    /// "Authoritative data included in the answer section of an authoritative reply".
    Authoritative,
}

/// What is known.
#[derive(Clone, PartialEq, Debug)]
#[expect(clippy::large_enum_variant, reason = "what is not there is as frequent in a cache as what is")]
pub(super) enum Fact {
    /// These records.
    Records(Vec<Record>),
    /// None; the SOA says so.
    Nothing(Record),
    /// That it could not be found out.
    Failed,
}

#[derive(Debug)]
struct Entry {
    fact: Fact,
    rank: Rank,
    expires: Instant,
    /// Until when it is not asked for again though it is stale.
    recheck: Instant,
    bytes: usize,
    used: u64,
}

/// Whether something that is no longer good will do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Age {
    /// It must be good.
    Good,
    /// It may be stale (RFC 8767).
    Stale,
}

type Key = (LowerName, What);

/// What servers said.
#[derive(Debug)]
pub(super) struct Cache {
    entries: BTreeMap<Key, Entry>,
    /// The keys by when they were last used.
    order: BTreeMap<u64, Key>,
    uses: u64,
    bytes: usize,
    limits: Limits,
}

impl Cache {
    pub(super) fn new(limits: Limits) -> Self {
        Self { entries: BTreeMap::new(), order: BTreeMap::new(), uses: 0, bytes: 0, limits }
    }

    /// How many bytes it takes, by its own account.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What is known, of this rank at least, with the TTLs that are left.
    pub(super) fn get(&mut self, now: Instant, name: &LowerName, what: What, rank: Rank, age: Age) -> Option<Fact> {
        let key = (name.clone(), what);
        let entry = self.entries.get_mut(&key).filter(|entry| entry.rank >= rank)?;
        let left = match age {
            _ if now < entry.expires => u32::try_from((entry.expires - now).as_secs()).unwrap_or(u32::MAX),
            Age::Stale if now < entry.expires + self.limits.stale => STALE_TTL,
            _ => return None,
        };
        self.order.remove(&entry.used);
        self.uses += 1;
        entry.used = self.uses;
        self.order.insert(self.uses, key);
        let mut fact = entry.fact.clone();
        match &mut fact {
            Fact::Records(records) => records.iter_mut().for_each(|record| record.ttl = left),
            Fact::Nothing(soa) => soa.ttl = left,
            Fact::Failed => {}
        }
        Some(fact)
    }

    /// Whether what is known of it is stale, and was asked for in vain a moment ago.
    pub(super) fn is_resting(&self, now: Instant, name: &LowerName, kind: RecordType) -> bool {
        [What::Records(kind), What::Name]
            .into_iter()
            .any(|what| self.entries.get(&(name.clone(), what)).is_some_and(|e| e.expires <= now && now < e.recheck))
    }

    /// It was asked for in vain: for a while it is not asked for again.
    pub(super) fn rest(&mut self, now: Instant, name: &LowerName, kind: RecordType) {
        for what in [What::Records(kind), What::Name] {
            if let Some(entry) = self.entries.get_mut(&(name.clone(), what)) {
                entry.recheck = now + Duration::from_secs(STALE_TTL.into());
            }
        }
    }

    /// Keeps a set of records of one name and type.
    pub(super) fn put_records(&mut self, now: Instant, records: &[Record], rank: Rank) {
        let Some(first) = records.first() else { return };
        let (name, kind) = (LowerName::new(&first.name), first.record_type());
        // RFC 2181 §5.2: "the TTLs of all RRs in an RRSet must be the same"; where they are not, the lowest counts.
        let ttl = records.iter().map(|record| seconds(record.ttl)).min().unwrap_or_default();
        let until = now + ttl.min(self.limits.longest);
        self.forget_failure(&name, kind);
        self.put(now, (name, What::Records(kind)), Fact::Records(records.to_vec()), rank, until);
    }

    /// Keeps that a name, or its records of a type, are not there: RFC 2308 §5, for "the minimum of the MINIMUM field of the SOA
    /// record and the TTL of the SOA itself".
    pub(super) fn put_nothing(&mut self, now: Instant, name: &LowerName, what: What, soa: &Record) {
        let RData::SOA(data) = &soa.data else { return };
        let until = now + seconds(soa.ttl.min(data.minimum)).min(LONGEST_NEGATIVE);
        if let What::Records(kind) = what {
            self.forget_failure(name, kind);
        }
        self.put(now, (name.clone(), what), Fact::Nothing(soa.clone()), Rank::Authoritative, until);
    }

    /// Keeps that something could not be found out.
    pub(super) fn put_failure(&mut self, now: Instant, name: &LowerName, kind: RecordType) {
        self.put(now, (name.clone(), What::Failure(kind)), Fact::Failed, Rank::Authoritative, now + FAILURE);
    }

    fn forget_failure(&mut self, name: &LowerName, kind: RecordType) {
        self.remove(&(name.clone(), What::Failure(kind)));
    }

    fn put(&mut self, now: Instant, key: Key, fact: Fact, rank: Rank, mut expires: Instant) {
        if let Some(old) = self.entries.get(&key).filter(|old| now < old.expires) {
            // RFC 2181 §5.4.1: data of a lower rank do not take the place of better ones.
            if rank < old.rank {
                return;
            }
            // A zone that was taken away from its servers must not live on because they go on telling of themselves: a
            // delegation is asked for again when that of the parent has expired.
            if key.1 == What::Records(RecordType::NS) {
                expires = expires.min(old.expires);
            }
        }
        // RFC 1035 §3.2.1: "Zero values are interpreted to mean that the RR can only be used for the transaction in progress".
        if expires <= now {
            return;
        }
        self.remove(&key);
        let bytes = size_of::<(Key, Entry)>() + 2 * key.0.len() + size(&fact);
        if bytes > self.limits.cache {
            return;
        }
        self.bytes += bytes;
        self.uses += 1;
        self.order.insert(self.uses, key.clone());
        self.entries.insert(key, Entry { fact, rank, expires, recheck: Instant::ZERO, bytes, used: self.uses });
        while self.bytes > self.limits.cache {
            let Some(oldest) = self.order.first_key_value().map(|(_, key)| key.clone()) else { break };
            self.remove(&oldest);
        }
    }

    fn remove(&mut self, key: &Key) {
        if let Some(entry) = self.entries.remove(key) {
            self.bytes -= entry.bytes;
            self.order.remove(&entry.used);
        }
    }

    /// The nearest zone at or above `name` of which servers are known, and their names.
    pub(super) fn nearest_zone(&mut self, now: Instant, name: &Name) -> Option<(Name, Vec<Record>)> {
        let mut at = name.clone();
        loop {
            let found = self.get(now, &LowerName::new(&at), What::Records(RecordType::NS), Rank::Glue, Age::Good);
            if let Some(Fact::Records(servers)) = found {
                return Some((at, servers));
            }
            if at.is_root() {
                return None;
            }
            at = at.base_name();
        }
    }
}

/// RFC 2181 §8: "Implementations should treat TTL values received with the most significant bit set as if the entire value
/// received was zero."
fn seconds(ttl: u32) -> Duration {
    Duration::from_secs(if ttl > i32::MAX as u32 { 0 } else { ttl.into() })
}

/// The bytes that it takes, and as many on the wire.
fn size(fact: &Fact) -> usize {
    let of = |record: &Record| size_of::<Record>() + record.to_bytes().map_or(0, |bytes| bytes.len());
    match fact {
        Fact::Records(records) => records.iter().map(of).sum(),
        Fact::Nothing(soa) => of(soa),
        Fact::Failed => 0,
    }
}

#[cfg(test)]
mod tests {
    use hickory_proto::rr::rdata::{A, NS, SOA};

    use super::*;

    fn name(text: &str) -> Name {
        Name::from_ascii(text).unwrap()
    }

    fn a(owner: &str, ttl: u32, last: u8) -> Record {
        Record::from_rdata(name(owner), ttl, RData::A(A([10, 0, 0, last].into())))
    }

    const AT: fn(u64) -> Instant = Instant::from_secs;

    fn get(cache: &mut Cache, now: u64, owner: &str, rank: Rank, age: Age) -> Option<(u32, String)> {
        match cache.get(AT(now), &LowerName::new(&name(owner)), What::Records(RecordType::A), rank, age)? {
            Fact::Records(records) => Some((records[0].ttl, records[0].data.to_string())),
            other => Some((0, format!("{other:?}"))),
        }
    }

    #[test]
    fn a_set_is_good_for_its_least_ttl_and_stale_for_a_day() {
        let mut cache = Cache::new(Limits::default());
        cache.put_records(AT(100), &[a("x.test.", 60, 1), a("x.test.", 30, 2)], Rank::Authoritative);
        let mut seen = |now, age| get(&mut cache, now, "X.test.", Rank::Answer, age).map(|(ttl, _)| ttl);
        assert_eq!((seen(110, Age::Good), seen(129, Age::Good), seen(130, Age::Good)), (Some(20), Some(1), None));
        assert_eq!((seen(130, Age::Stale), seen(130 + 86_400, Age::Stale)), (Some(30), None));
    }

    #[test]
    fn what_is_less_believed_does_not_take_the_place_of_what_is_more() {
        let mut cache = Cache::new(Limits::default());
        cache.put_records(AT(0), &[a("x.test.", 60, 1)], Rank::Glue);
        assert_eq!(get(&mut cache, 1, "x.test.", Rank::Answer, Age::Good), None, "glue is no answer");
        assert_eq!(get(&mut cache, 1, "x.test.", Rank::Glue, Age::Good), Some((59, "10.0.0.1".into())));
        cache.put_records(AT(1), &[a("x.test.", 60, 2)], Rank::Authoritative);
        cache.put_records(AT(2), &[a("x.test.", 600, 3)], Rank::Glue);
        assert_eq!(get(&mut cache, 2, "x.test.", Rank::Glue, Age::Good), Some((59, "10.0.0.2".into())));
        cache.put_records(AT(61), &[a("x.test.", 600, 3)], Rank::Glue);
        assert_eq!(get(&mut cache, 61, "x.test.", Rank::Glue, Age::Good), Some((600, "10.0.0.3".into())), "it expired");
    }

    #[test]
    fn the_servers_of_a_zone_cannot_prolong_their_own_delegation() {
        let ns = |ttl| Record::from_rdata(name("x.test."), ttl, RData::NS(NS(name("ns.x.test."))));
        let mut cache = Cache::new(Limits::default());
        cache.put_records(AT(0), &[ns(100)], Rank::Referral);
        cache.put_records(AT(90), &[ns(1000)], Rank::Authoritative);
        assert!(cache.nearest_zone(AT(99), &name("www.x.test.")).is_some());
        assert!(cache.nearest_zone(AT(101), &name("www.x.test.")).is_none());
    }

    #[test]
    fn what_is_not_there_is_kept_as_long_as_the_soa_says() {
        let soa = |ttl, minimum| {
            let data = SOA::new(name("ns.test."), name("h.test."), 1, 1, 1, 1, minimum);
            Record::from_rdata(name("test."), ttl, RData::SOA(data))
        };
        let lower = LowerName::new(&name("no.test."));
        for (ttl, minimum, kept) in [(900, 40, 40), (30, 40, 30), (900_000, 900_000, 10_800), (0, 10, 0)] {
            let mut cache = Cache::new(Limits::default());
            cache.put_nothing(AT(0), &lower, What::Name, &soa(ttl, minimum));
            let mut good = |now| cache.get(AT(now), &lower, What::Name, Rank::Answer, Age::Good).is_some();
            assert!(kept == 0 || good(kept - 1));
            assert!(!good(kept), "{ttl} {minimum}");
        }
    }

    #[test]
    fn what_was_not_used_for_the_longest_goes_first() {
        let mut cache = Cache::new(Limits { cache: 20_000, ..Limits::default() });
        for i in 0..200 {
            cache.put_records(AT(0), &[a(&format!("n{i}.test."), 60, 1)], Rank::Authoritative);
            assert!(get(&mut cache, 1, "n0.test.", Rank::Answer, Age::Good).is_some(), "it is in use");
            assert!(cache.bytes() <= 20_000);
        }
        assert!(get(&mut cache, 1, "n1.test.", Rank::Answer, Age::Good).is_none());
        assert!(get(&mut cache, 1, "n199.test.", Rank::Answer, Age::Good).is_some());
        assert_eq!(cache.entries.len(), cache.order.len());
    }
}
