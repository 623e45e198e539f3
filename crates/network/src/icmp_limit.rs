//! How many ICMP errors may leave: Linux's `icmp_ratelimit` per peer and `icmp_msgs_per_sec` for the whole host.

use core::time::Duration;
use std::collections::BTreeMap;
use std::net::IpAddr;

use septet_core::Instant;

/// `net.ipv4.icmp_ratelimit`: one error a second to the same peer …
const PEER_INTERVAL: Duration = Duration::from_millis(1000);
/// … after a burst of six (`XRLIM_BURST_FACTOR`).
const PEER_BURST: u32 = 6;
/// `net.ipv4.icmp_msgs_per_sec` and `icmp_msgs_burst`.
const GLOBAL_INTERVAL: Duration = Duration::from_millis(1);
const GLOBAL_BURST: u32 = 50;
/// Peers remembered at once. Those whose bucket is full again are forgotten first.
const PEERS: usize = 1024;

/// The token buckets of one host.
#[derive(Default, Debug)]
pub(crate) struct Limiter {
    peers: BTreeMap<IpAddr, Bucket>,
    global: Bucket,
}

impl Limiter {
    /// Takes a token for an error to `peer`, where one is left.
    pub(crate) fn allow(&mut self, now: Instant, peer: IpAddr) -> Allowed {
        let known = self.peers.get(&peer).copied().unwrap_or_default();
        let (Some(global), Some(bucket)) =
            (self.global.take(now, GLOBAL_INTERVAL, GLOBAL_BURST), known.take(now, PEER_INTERVAL, PEER_BURST))
        else {
            return Allowed::No;
        };
        if !self.peers.contains_key(&peer) && self.peers.len() >= PEERS {
            self.forget(now);
        }
        self.global = global;
        self.peers.insert(peer, bucket);
        Allowed::Yes
    }

    fn forget(&mut self, now: Instant) {
        self.peers.retain(|_, bucket| bucket.full_at > now);
        if self.peers.len() >= PEERS {
            let fullest = self.peers.iter().min_by_key(|(_, bucket)| bucket.full_at).map(|(peer, _)| *peer);
            self.peers.remove(&fullest.expect("the table is full"));
        }
    }
}

/// The answer of [`Limiter::allow`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Allowed {
    /// Send it.
    Yes,
    /// Keep silent.
    No,
}

/// A token bucket, kept as the moment at which it will be full again.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    full_at: Instant,
}

impl Bucket {
    /// The bucket after one token was taken; `None` where there is none.
    fn take(self, now: Instant, interval: Duration, burst: u32) -> Option<Self> {
        let full_at = self.full_at.max(now) + interval;
        (full_at <= now + interval * burst).then_some(Self { full_at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn burst_then_one_a_second() {
        let mut l = Limiter::default();
        let peer = "10.0.0.1".parse().unwrap();
        let sent = (0..10).filter(|_| l.allow(Instant::ZERO, peer) == Allowed::Yes).count();
        assert_eq!(sent, 6);
        assert_eq!(l.allow(Instant::from_millis(999), peer), Allowed::No);
        assert_eq!(l.allow(Instant::from_millis(1000), peer), Allowed::Yes);
        assert_eq!(l.allow(Instant::from_millis(1001), peer), Allowed::No);
        assert_eq!(l.allow(Instant::from_millis(1001), "10.0.0.2".parse().unwrap()), Allowed::Yes);
        let later = (0..10).filter(|_| l.allow(Instant::from_secs(60), peer) == Allowed::Yes).count();
        assert_eq!(later, 6);
    }

    #[test]
    fn whole_host_and_memory_are_bounded() {
        let mut l = Limiter::default();
        let peer = |i: u32| IpAddr::V4(i.into());
        let sent = (0..200).filter(|&i| l.allow(Instant::ZERO, peer(i)) == Allowed::Yes).count();
        assert_eq!(sent, 50);
        for i in 0..5000 {
            l.allow(Instant::from_millis(u64::from(i) * 2), peer(i));
        }
        assert!(l.peers.len() <= PEERS);
    }
}
