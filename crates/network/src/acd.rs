//! Address conflict detection for IPv4 (RFC 5227): for each address that an interface claims, who is asked and told when,
//! and what becomes of it where somebody else has it.

use core::time::Duration;
use std::net::{IpAddr, Ipv4Addr};

use septet_core::{Instant, Rng};
use septet_wire::arp::Packet;

use crate::route::Iface;

// RFC 5227 §1.1.
const PROBE_WAIT: Duration = Duration::from_secs(1);
const PROBE_NUM: u8 = 3;
const PROBE_MIN: Duration = Duration::from_secs(1);
const PROBE_MAX: Duration = Duration::from_secs(2);
const ANNOUNCE_WAIT: Duration = Duration::from_secs(2);
const ANNOUNCE_NUM: u8 = 2;
const ANNOUNCE_INTERVAL: Duration = Duration::from_secs(2);
const MAX_CONFLICTS: u32 = 10;
const RATE_LIMIT_INTERVAL: Duration = Duration::from_secs(60);
/// How often an address is defended at most.
pub const DEFEND_INTERVAL: Duration = Duration::from_secs(10);

/// What is done before an address is used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Check {
    /// Nothing, and nobody is told.
    Quiet,
    /// It is used at once, and the link is told (§3).
    Announce,
    /// The link is asked first (§2.1), then told (§2.3).
    Probe,
}

/// What is done about somebody else who uses an address of this host (§2.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Defence {
    /// (b): it is defended once; where that does not help, it is given up.
    Once,
    /// (c): it is defended for ever, for others rely on it.
    Keep,
}

/// What is due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Act {
    /// Ask whether anybody has it.
    Probe,
    /// Nobody has: it may be used; its prefix length.
    Use(u8),
    /// Say that it is this host's.
    Announce,
}

/// What somebody else's packet means for a claim.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The address is another's.
    Lost,
    /// It is used, and defended.
    Defend,
    /// It is used, and was defended just now.
    Endure,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// So many probes were sent.
    Probing(u8),
    /// So many announcements were made.
    Announcing(u8),
    Held,
}

#[derive(Debug)]
struct Claim {
    iface: Iface,
    address: Ipv4Addr,
    prefix_len: u8,
    phase: Phase,
    at: Option<Instant>,
    defence: Defence,
    /// When it was defended last, or somebody else was heard with it.
    defended: Option<Instant>,
}

impl Claim {
    fn is_probing(&self) -> bool {
        matches!(self.phase, Phase::Probing(_))
    }
}

/// The claims of one host.
#[derive(Debug, Default)]
pub struct Claims {
    claims: Vec<Claim>,
    /// Addresses that turned out to be others', since the host was switched on.
    conflicts: u32,
}

impl Claims {
    /// Claims an address.
    pub fn begin(
        &mut self,
        now: Instant,
        iface: Iface,
        (address, prefix_len): (Ipv4Addr, u8),
        check: Check,
        defence: Defence,
        rng: &mut Rng,
    ) {
        let (phase, at) = match check {
            // §2.1.1: "wait for a random time interval selected uniformly in the range zero to PROBE_WAIT seconds"; and
            // "if the number of conflicts experienced on a given interface exceeds MAX_CONFLICTS … the host MUST limit the
            // rate at which it probes for new addresses … to no more than one attempt per RATE_LIMIT_INTERVAL".
            Check::Probe if self.conflicts >= MAX_CONFLICTS => (Phase::Probing(0), Some(now + RATE_LIMIT_INTERVAL)),
            Check::Probe => (Phase::Probing(0), Some(now + between(Duration::ZERO, PROBE_WAIT, rng))),
            Check::Announce => (Phase::Announcing(0), Some(now)),
            Check::Quiet => (Phase::Held, None),
        };
        self.claims.push(Claim { iface, address, prefix_len, phase, at, defence, defended: None });
    }

    /// Whether an address is claimed and not in use yet.
    pub fn has(&self, iface: Iface, address: IpAddr) -> bool {
        self.find(iface, address).is_some_and(|at| self.claims[at].is_probing())
    }

    /// The addresses that are being asked about.
    pub fn tentative(&self) -> impl Iterator<Item = (Iface, Ipv4Addr, u8)> {
        let probing = self.claims.iter().filter(|c| c.is_probing());
        probing.map(|c| (c.iface, c.address, c.prefix_len))
    }

    /// Gives up a claim; says whether it was one that was still being checked.
    pub fn end(&mut self, iface: Iface, address: IpAddr) -> bool {
        let Some(at) = self.find(iface, address) else { return false };
        self.claims.remove(at).is_probing()
    }

    fn find(&self, iface: Iface, address: IpAddr) -> Option<usize> {
        self.claims.iter().position(|c| c.iface == iface && IpAddr::V4(c.address) == address)
    }

    /// When [`on_timer`](Self::on_timer) next has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        self.claims.iter().filter_map(|c| c.at).min()
    }

    /// Takes the next thing that is due.
    pub fn on_timer(&mut self, now: Instant, rng: &mut Rng) -> Option<(Iface, Ipv4Addr, Act)> {
        let claim = self.claims.iter_mut().find(|c| c.at.is_some_and(|at| at <= now))?;
        let (phase, at, act) = match claim.phase {
            Phase::Probing(sent) if sent < PROBE_NUM => {
                // §2.1.1: "each of these probe packets spaced randomly and uniformly, PROBE_MIN to PROBE_MAX seconds apart";
                // the last is followed by ANNOUNCE_WAIT.
                let pause = if sent + 1 < PROBE_NUM { between(PROBE_MIN, PROBE_MAX, rng) } else { ANNOUNCE_WAIT };
                (Phase::Probing(sent + 1), Some(now + pause), Act::Probe)
            }
            Phase::Probing(_) => (Phase::Announcing(0), Some(now), Act::Use(claim.prefix_len)),
            // §2.3: "ANNOUNCE_NUM ARP Announcements, spaced ANNOUNCE_INTERVAL seconds apart".
            Phase::Announcing(made) if made + 1 < ANNOUNCE_NUM => {
                (Phase::Announcing(made + 1), Some(now + ANNOUNCE_INTERVAL), Act::Announce)
            }
            Phase::Announcing(_) => (Phase::Held, None, Act::Announce),
            Phase::Held => {
                claim.at = None;
                return self.on_timer(now, rng);
            }
        };
        (claim.phase, claim.at) = (phase, at);
        Some((claim.iface, claim.address, act))
    }

    /// Whether a packet that came in on `iface` is about a claimed address.
    pub fn concern(&self, iface: Iface, packet: &Packet) -> bool {
        self.struck(iface, packet).is_some()
    }

    fn struck(&self, iface: Iface, packet: &Packet) -> Option<usize> {
        // §2.1.1: "any ARP Probe where the packet's 'target IP address' is the address being probed for".
        let probed = packet.sender_ip.is_unspecified().then_some(packet.target_ip);
        self.claims.iter().position(|c| {
            c.iface == iface && (c.address == packet.sender_ip || c.is_probing() && probed == Some(c.address))
        })
    }

    /// What a packet that another station sent means for the addresses claimed on `iface`. `own` says whether an address
    /// is in use by this host without having been claimed, as those are that it was made with.
    pub fn hear(
        &mut self,
        now: Instant,
        iface: Iface,
        packet: &Packet,
        own: impl FnOnce(Ipv4Addr) -> bool,
    ) -> Option<(Ipv4Addr, Verdict)> {
        let at = match self.struck(iface, packet) {
            Some(at) => at,
            None if !packet.sender_ip.is_unspecified() && own(packet.sender_ip) => {
                let (address, defence) = (packet.sender_ip, Defence::Keep);
                let (phase, at, defended) = (Phase::Held, None, None);
                self.claims.push(Claim { iface, address, prefix_len: 32, phase, at, defence, defended });
                self.claims.len() - 1
            }
            None => return None,
        };
        let claim = &mut self.claims[at];
        let address = claim.address;
        if claim.is_probing() {
            self.conflicts += 1;
            self.claims.remove(at);
            return Some((address, Verdict::Lost));
        }
        let lately = claim.defended.is_some_and(|at| now < at + DEFEND_INTERVAL);
        match (lately, claim.defence) {
            // §2.4 (b): "If this is not the first conflicting ARP packet the host has seen, and the time recorded for the
            // previous conflicting ARP packet is recent, within DEFEND_INTERVAL seconds, then the host MUST immediately
            // cease using this address".
            (true, Defence::Once) => {
                self.conflicts += 1;
                self.claims.remove(at);
                Some((address, Verdict::Lost))
            }
            // (c): "If … within DEFEND_INTERVAL seconds, then the host MUST NOT send another defensive ARP Announcement."
            (true, Defence::Keep) => Some((address, Verdict::Endure)),
            (false, _) => {
                claim.defended = Some(now);
                Some((address, Verdict::Defend))
            }
        }
    }
}

fn between(from: Duration, to: Duration, rng: &mut Rng) -> Duration {
    let span = u64::try_from((to - from).as_nanos()).unwrap_or(u64::MAX);
    from + Duration::from_nanos(rng.below(span + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use septet_core::Seed;
    use septet_datalink::ethernet::MacAddr;
    use septet_wire::arp::Operation;

    const OWN: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);
    const OTHER: MacAddr = MacAddr([2, 0, 0, 0, 0, 9]);

    fn said(sender_ip: Ipv4Addr, target_ip: Ipv4Addr) -> Packet {
        let operation = Operation::Request;
        Packet { operation, sender_mac: OTHER, sender_ip, target_mac: MacAddr([0; 6]), target_ip }
    }

    fn probing() -> (Claims, Rng) {
        let (mut claims, mut rng) = (Claims::default(), Seed::new(1).stream("t"));
        claims.begin(Instant::ZERO, 0, (OWN, 24), Check::Probe, Defence::Once, &mut rng);
        (claims, rng)
    }

    /// All that a claim does when nobody minds: what and when.
    fn undisturbed(claims: &mut Claims, rng: &mut Rng) -> Vec<(Instant, Act)> {
        let mut done = Vec::new();
        while let Some(at) = claims.deadline() {
            while let Some((_, address, act)) = claims.on_timer(at, rng) {
                assert_eq!(address, OWN);
                done.push((at, act));
            }
        }
        done
    }

    #[test]
    fn asks_three_times_waits_and_tells_twice() {
        let (mut claims, mut rng) = probing();
        let done = undisturbed(&mut claims, &mut rng);
        let acts: Vec<Act> = done.iter().map(|(_, act)| *act).collect();
        assert_eq!(acts, [Act::Probe, Act::Probe, Act::Probe, Act::Use(24), Act::Announce, Act::Announce]);
        let gaps: Vec<Duration> = done.windows(2).map(|w| w[1].0 - w[0].0).collect();
        assert!(done[0].0 <= Instant::ZERO + PROBE_WAIT);
        assert!(gaps[..2].iter().all(|gap| (PROBE_MIN..=PROBE_MAX).contains(gap)), "{gaps:?}");
        assert_eq!(gaps[2..], [ANNOUNCE_WAIT, Duration::ZERO, ANNOUNCE_INTERVAL]);
        assert!(!claims.has(0, OWN.into()));
    }

    #[test]
    fn whoever_has_it_or_asks_for_it_too_wins() {
        for packet in [said(OWN, Ipv4Addr::new(10, 0, 0, 1)), said(Ipv4Addr::UNSPECIFIED, OWN)] {
            let (mut claims, _) = probing();
            assert_eq!(claims.hear(Instant::ZERO, 1, &packet, |_| false), None, "on another link");
            let verdict = claims.hear(Instant::ZERO, 0, &packet, |_| false);
            assert_eq!((verdict, claims.deadline()), (Some((OWN, Verdict::Lost)), None));
        }
        let (mut claims, _) = probing();
        assert_eq!(
            claims.hear(Instant::ZERO, 0, &said(Ipv4Addr::new(10, 0, 0, 1), OWN), |_| false),
            None,
            "a question"
        );
    }

    #[test]
    fn defended_once_and_given_up_or_for_ever() {
        let conflict = said(OWN, OWN);
        let (mut claims, mut rng) = probing();
        undisturbed(&mut claims, &mut rng);
        let t = Instant::from_secs(20);
        assert_eq!(claims.hear(t, 0, &conflict, |_| true), Some((OWN, Verdict::Defend)));
        let later = t + DEFEND_INTERVAL;
        assert_eq!(claims.hear(later, 0, &conflict, |_| true), Some((OWN, Verdict::Defend)), "long ago");
        assert_eq!(claims.hear(later + PROBE_MIN, 0, &conflict, |_| true), Some((OWN, Verdict::Lost)));
        let mut fixed = Claims::default();
        assert_eq!(fixed.hear(t, 0, &conflict, |_| false), None);
        assert_eq!(fixed.hear(t, 0, &conflict, |_| true), Some((OWN, Verdict::Defend)));
        assert_eq!(fixed.hear(t + PROBE_MIN, 0, &conflict, |_| true), Some((OWN, Verdict::Endure)));
        assert_eq!(fixed.hear(later, 0, &conflict, |_| true), Some((OWN, Verdict::Defend)));
    }

    #[test]
    fn after_ten_conflicts_it_takes_its_time() {
        let (mut claims, mut rng) = (Claims::default(), Seed::new(1).stream("t"));
        for _ in 0..MAX_CONFLICTS {
            claims.begin(Instant::ZERO, 0, (OWN, 24), Check::Probe, Defence::Once, &mut rng);
            assert!(claims.deadline().unwrap() <= Instant::ZERO + PROBE_WAIT);
            claims.hear(Instant::ZERO, 0, &said(OWN, OWN), |_| false);
        }
        claims.begin(Instant::ZERO, 0, (OWN, 24), Check::Probe, Defence::Once, &mut rng);
        assert_eq!(claims.deadline(), Some(Instant::ZERO + RATE_LIMIT_INTERVAL));
    }
}
