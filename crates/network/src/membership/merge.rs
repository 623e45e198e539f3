//! What all members of a host together want of a group (RFC 3376 §3.2, RFC 3810 §4.2).

use std::collections::BTreeMap;
use std::net::IpAddr;

use septet_wire::membership::Filter;

/// The filters of all members, counted.
#[derive(Clone, Default, Debug)]
pub struct Merged {
    /// How many want all but some.
    excluders: u32,
    /// How many of those do not want each of these.
    excluded: BTreeMap<IpAddr, u32>,
    /// How many want each of these, among those who want only some.
    included: BTreeMap<IpAddr, u32>,
}

impl Merged {
    /// One member more.
    pub fn add(&mut self, filter: &Filter) {
        match filter {
            Filter::Include(sources) => sources.iter().for_each(|s| *self.included.entry(*s).or_default() += 1),
            Filter::Exclude(sources) => {
                self.excluders += 1;
                sources.iter().for_each(|s| *self.excluded.entry(*s).or_default() += 1);
            }
        }
    }

    /// One of those less.
    pub fn remove(&mut self, filter: &Filter) {
        match filter {
            Filter::Include(sources) => sources.iter().for_each(|s| take(&mut self.included, *s)),
            Filter::Exclude(sources) => {
                self.excluders = self.excluders.saturating_sub(1);
                sources.iter().for_each(|s| take(&mut self.excluded, *s));
            }
        }
    }

    /// What they want. RFC 3376 §3.2: "if any such record has a filter mode of EXCLUDE, then the filter mode of the interface
    /// record is EXCLUDE, and the source list … is the intersection of the source lists of all socket records in EXCLUDE mode,
    /// minus those source addresses that appear in any of the socket records in INCLUDE mode"; else "the union".
    pub fn filter(&self) -> Filter {
        if self.excluders == 0 {
            return Filter::Include(self.included.keys().copied().collect());
        }
        let by_all = self.excluded.iter().filter(|(s, n)| **n == self.excluders && !self.included.contains_key(s));
        Filter::Exclude(by_all.map(|(s, _)| *s).collect())
    }

    /// Whether [`filter`](Self::filter) wants what comes from `source`.
    pub fn wants(&self, source: IpAddr) -> bool {
        let excluded = || self.excluded.get(&source).is_some_and(|n| *n == self.excluders);
        self.included.contains_key(&source) || self.excluders > 0 && !excluded()
    }

    /// Whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.excluders == 0 && self.included.is_empty()
    }
}

fn take(counts: &mut BTreeMap<IpAddr, u32>, source: IpAddr) {
    if let Some(count) = counts.get_mut(&source) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&source);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(last: &[u8]) -> std::collections::BTreeSet<IpAddr> {
        last.iter().map(|n| IpAddr::from([10, 0, 0, *n])).collect()
    }

    /// The examples of RFC 3376 §3.2.
    #[test]
    fn as_the_rfc_merges() {
        let (a, b, c) =
            (Filter::Exclude(sources(&[1, 2, 3, 4])), Filter::Exclude(sources(&[2, 3, 4, 5])), sources(&[4, 5, 6]));
        let mut merged = Merged::default();
        merged.add(&a);
        merged.add(&b);
        merged.add(&Filter::Include(c.clone()));
        assert_eq!(merged.filter(), Filter::Exclude(sources(&[2, 3])));
        for n in 1..=6 {
            let source = [10, 0, 0, n].into();
            assert_eq!(merged.wants(source), merged.filter().wants(source), "{n}");
        }
        merged.remove(&a);
        merged.remove(&b);
        assert_eq!(merged.filter(), Filter::Include(c.clone()));
        merged.add(&Filter::Include(sources(&[1])));
        merged.remove(&Filter::Include(c));
        assert_eq!(merged.filter(), Filter::Include(sources(&[1])));
        merged.remove(&Filter::Include(sources(&[1])));
        assert!(merged.is_empty() && merged.filter().is_none());
    }
}
