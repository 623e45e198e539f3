//! What is kept of better first hops: those that a host was told of, and whom a router has told.

use core::time::Duration;
use std::collections::BTreeMap;
use std::net::IpAddr;

use septet_core::Instant;

use crate::route::Route;

/// `net.ipv4.route.redirect_number`: so many to one host that does not listen …
const NUMBER: u8 = 9;
/// … `redirect_load` apart, twice as long each time …
const LOAD: Duration = Duration::from_millis(20);
/// … and then none before it has been still for `redirect_silence`.
const SILENCE: Duration = Duration::from_millis(20 << 10);
/// Hosts remembered that were told.
const HOSTS: usize = 1024;

/// Whether a host believes routers that know a better first hop (`accept_redirects`), and a router tells of one
/// (`send_redirects`). A router believes none: RFC 1812 §5.2.7.2 has it "not consider" them "when forwarding a packet".
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Redirects {
    /// It does: Linux's default.
    #[default]
    On,
    /// It does not.
    Off,
}

/// What a host keeps of redirects.
#[derive(Debug, Default)]
pub(super) struct Detours {
    /// By destination: the route that was made of it, and until when.
    pub(super) known: BTreeMap<IpAddr, (Route, Instant)>,
    /// When the first of them is over.
    pub(super) due: Option<Instant>,
    told: BTreeMap<IpAddr, Told>,
}

/// What a router has told a host.
#[derive(Clone, Copy, Debug)]
struct Told {
    /// How often.
    times: u8,
    /// When last it was told, or would have been.
    last: Instant,
}

impl Detours {
    pub(super) const fn deadline(&self) -> Option<Instant> {
        self.due
    }

    pub(super) fn rearm(&mut self) {
        self.due = self.known.values().map(|(_, until)| *until).min();
    }

    /// Whether a host may be told once more: as Linux's `ip_rt_send_redirect`.
    pub(super) fn may_tell(&mut self, now: Instant, host: IpAddr) -> bool {
        if !self.told.contains_key(&host) && self.told.len() >= HOSTS {
            self.told.retain(|_, told| now < told.last + SILENCE);
            if self.told.len() >= HOSTS {
                self.told.pop_first();
            }
        }
        let told = self.told.entry(host).or_insert(Told { times: 0, last: now });
        if now > told.last + SILENCE {
            told.times = 0;
        }
        let tells = told.times == 0 || told.times < NUMBER && now > told.last + LOAD * (1 << told.times);
        if tells {
            told.times += 1;
        }
        if tells || told.times >= NUMBER {
            told.last = now;
        }
        tells
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_listen_is_told_nine_times_and_then_left_alone() {
        let (mut detours, host) = (Detours::default(), "10.0.0.7".parse().unwrap());
        // A packet each ten milliseconds, for a minute.
        let packets = (0..6000).map(|n| Instant::from_millis(n * 10));
        let told: Vec<Instant> = packets.filter(|now| detours.may_tell(*now, host)).collect();
        let millis: Vec<u64> = told.iter().map(|at| at.as_nanos() / 1_000_000).collect();
        // 40 ms after the first, then 80, 160, … each rounded up to the next packet.
        assert_eq!(millis, [0, 50, 140, 310, 640, 1290, 2580, 5150, 10_280]);
        // Once it has been still for long enough, all begins anew.
        let later = Instant::from_millis(59_990 + 20_481);
        assert!(detours.may_tell(later, host) && !detours.may_tell(later, host));
    }

    #[test]
    fn hosts_are_counted_apart_and_bounded() {
        let mut detours = Detours::default();
        for n in 0..5000u32 {
            assert!(detours.may_tell(Instant::ZERO, IpAddr::V4(n.into())));
        }
        assert!(detours.told.len() <= HOSTS);
    }
}
