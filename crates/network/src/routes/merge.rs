//! As few prefixes as cover a set exactly.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::addr::Prefix;

/// Drops what another prefix of the set holds, and joins halves.
pub(super) fn merge(mut prefixes: Vec<Prefix>) -> Vec<Prefix> {
    prefixes.sort_unstable();
    let mut merged = Merged::default();
    for prefix in prefixes {
        merged.add(prefix);
    }
    merged.0
}

/// A set of prefixes that grows in order: by address, then shortest first.
#[derive(Clone, Default, Debug)]
pub(super) struct Merged(pub(super) Vec<Prefix>);

impl Merged {
    /// Adds a prefix that comes after all that were added before.
    pub(super) fn add(&mut self, prefix: Prefix) {
        // What holds a prefix comes before it, and halves come side by side.
        let merged = &mut self.0;
        if merged.last().is_some_and(|last| last.contains(prefix.addr()) && last.prefix_len() <= prefix.prefix_len()) {
            return;
        }
        merged.push(prefix);
        while let [.., low, high] = merged[..]
            && let Some(both) = join(low, high)
        {
            merged.truncate(merged.len() - 2);
            merged.push(both);
        }
    }
}

/// The prefix of which `low` and `high` are the two halves.
fn join(low: Prefix, high: Prefix) -> Option<Prefix> {
    let len = low.prefix_len();
    // A default route is never made of halves: it would promise the whole world.
    if len != high.prefix_len() || len < 2 {
        return None;
    }
    let sibling: IpAddr = match low.addr() {
        IpAddr::V4(a) => Ipv4Addr::from_bits(a.to_bits() | 1 << (32 - len)).into(),
        IpAddr::V6(a) => Ipv6Addr::from_bits(a.to_bits() | 1 << (128 - len)).into(),
    };
    (sibling == high.addr() && sibling != low.addr()).then(|| Prefix::new(low.addr(), len - 1).expect("shorter"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_halves_and_drops_what_is_held() {
        let p = |s: &str| s.parse::<Prefix>().unwrap();
        let set = ["10.0.2.0/24", "10.0.0.0/24", "10.0.1.0/24", "10.0.3.0/24", "10.0.1.128/25", "10.0.5.0/24"];
        assert_eq!(merge(set.map(p).to_vec()), [p("10.0.0.0/22"), p("10.0.5.0/24")]);
        assert_eq!(merge(vec![p("10.0.1.0/24"), p("10.0.2.0/24")]).len(), 2, "not halves of one block");
        assert_eq!(merge(vec![p("fd00::/64"), p("fd00:0:0:1::/64")]), [p("fd00::/63")]);
    }
}
