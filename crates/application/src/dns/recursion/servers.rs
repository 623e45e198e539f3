//! What is known of servers: how soon they answer, over what, and for which zones they are no use.

use core::time::Duration;
use std::collections::BTreeMap;
use std::net::IpAddr;

use hickory_proto::rr::LowerName;
use septet_core::{Instant, Rng};

use super::machine::Over;

/// A server that was never asked is given this long.
const FIRST: Duration = Duration::from_millis(400);
const SHORTEST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(3);
/// For how long a server is not asked for a zone that it does not know.
const LAME: Duration = Duration::from_secs(600);
/// For how long a server without EDNS is not asked with it.
const WITHOUT_EDNS: Duration = Duration::from_secs(900);
/// For how long a server that answers over TCP alone is not tried over UDP.
const WITHOUT_UDP: Duration = Duration::from_secs(300);
/// A server is taken for such a one after so many silences over UDP in a row: fewer are as likely bad luck.
const SILENCES: u32 = 4;
/// How many servers are remembered; the one asked least recently goes first.
const SERVERS: usize = 4096;
/// For how many zones of each.
const ZONES: usize = 16;

#[derive(Debug)]
struct Server {
    /// RFC 6298's SRTT and RTTVAR, in seconds.
    smoothed: Option<f64>,
    variation: f64,
    /// By how much it goes behind others: a server that did not answer, until it does.
    penalty: f64,
    /// What one is taken to need that was never asked, so that all are tried.
    guess: f64,
    lame: BTreeMap<LowerName, Instant>,
    without_edns: Instant,
    without_udp: Instant,
    /// Questions over UDP without an answer since the last with one.
    silences: u32,
    asked: Instant,
}

/// What is known of servers.
#[derive(Debug)]
pub(super) struct Servers {
    all: BTreeMap<IpAddr, Server>,
    rng: Rng,
}

impl Servers {
    pub(super) fn new(rng: Rng) -> Self {
        Self { all: BTreeMap::new(), rng }
    }

    fn server(&mut self, now: Instant, at: IpAddr) -> &mut Server {
        if !self.all.contains_key(&at) {
            if self.all.len() >= SERVERS {
                let oldest = self.all.iter().min_by_key(|(_, server)| server.asked).map(|(at, _)| *at);
                oldest.and_then(|oldest| self.all.remove(&oldest));
            }
            // As BIND does: up to 32 ms.
            let guess = self.rng.unit() * 0.032;
            let (lame, never) = (BTreeMap::new(), Instant::ZERO);
            let server = Server {
                smoothed: None,
                variation: 0.0,
                penalty: 0.0,
                guess,
                lame,
                without_edns: never,
                without_udp: never,
                silences: 0,
                asked: now,
            };
            self.all.insert(at, server);
        }
        self.all.get_mut(&at).expect("it is there, or was put there just now")
    }

    /// How long it is expected to take, in seconds.
    pub(super) fn score(&mut self, now: Instant, at: IpAddr) -> f64 {
        let server = self.server(now, at);
        server.smoothed.unwrap_or(server.guess) + server.penalty
    }

    /// One of several was chosen; the others come nearer, so that each is tried again at some time.
    pub(super) fn chosen(&mut self, now: Instant, chosen: IpAddr, others: impl Iterator<Item = IpAddr>) {
        for other in others.filter(|other| *other != chosen) {
            let server = self.server(now, other);
            server.smoothed = server.smoothed.map(|rtt| rtt * 0.98);
            server.penalty *= 0.98;
        }
        self.server(now, chosen).asked = now;
    }

    /// How long to wait for its answer, where it was asked so many times already: twice as long each time.
    pub(super) fn patience(&mut self, now: Instant, at: IpAddr, tries: u32) -> Duration {
        let server = self.server(now, at);
        let once = match server.smoothed {
            None => FIRST,
            Some(rtt) => Duration::from_secs_f64((rtt + 4.0 * server.variation).min(60.0)),
        };
        (once.max(SHORTEST) * (1 << tries.min(6))).min(LONGEST)
    }

    pub(super) fn answered(&mut self, now: Instant, at: IpAddr, over: Over, took: Duration) {
        let server = self.server(now, at);
        match over {
            Over::Udp => server.silences = 0,
            Over::Tcp if server.silences >= SILENCES => server.without_udp = now + WITHOUT_UDP,
            Over::Tcp => {}
        }
        server.penalty = 0.0;
        // Over TCP it takes what the handshake and whatever was lost took, too.
        if over == Over::Tcp {
            return;
        }
        let took = took.as_secs_f64();
        match &mut server.smoothed {
            None => (server.smoothed, server.variation) = (Some(took), took / 2.0),
            Some(rtt) => {
                server.variation = 0.75 * server.variation + 0.25 * (*rtt - took).abs();
                *rtt = 0.875 * *rtt + 0.125 * took;
            }
        }
    }

    pub(super) fn silent(&mut self, now: Instant, at: IpAddr, over: Over) {
        let server = self.server(now, at);
        server.silences += u32::from(over == Over::Udp);
        server.penalty = (server.penalty * 2.0).clamp(0.4, 60.0);
    }

    pub(super) fn is_lame(&mut self, now: Instant, at: IpAddr, zone: &LowerName) -> bool {
        self.server(now, at).lame.get(zone).is_some_and(|until| now < *until)
    }

    pub(super) fn lame(&mut self, now: Instant, at: IpAddr, zone: LowerName) {
        let lame = &mut self.server(now, at).lame;
        lame.retain(|_, until| now < *until);
        if lame.len() < ZONES {
            lame.insert(zone, now + LAME);
        }
    }

    /// RFC 6891 §6.2.2: it "does not support EDNS".
    pub(super) fn knows_no_edns(&mut self, now: Instant, at: IpAddr) {
        self.server(now, at).without_edns = now + WITHOUT_EDNS;
    }

    pub(super) fn takes_edns(&mut self, now: Instant, at: IpAddr) -> bool {
        self.server(now, at).without_edns <= now
    }

    pub(super) fn takes_udp(&mut self, now: Instant, at: IpAddr) -> bool {
        self.server(now, at).without_udp <= now
    }
}

#[cfg(test)]
mod tests {
    use septet_core::Seed;

    use super::*;

    #[test]
    fn the_quicker_server_comes_first_and_the_silent_one_last() {
        let mut servers = Servers::new(Seed::new(1).stream("servers"));
        let (near, far): (IpAddr, IpAddr) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let now = Instant::from_secs(1);
        servers.answered(now, near, Over::Udp, Duration::from_millis(10));
        servers.answered(now, far, Over::Udp, Duration::from_millis(90));
        assert!(servers.score(now, near) < servers.score(now, far));
        servers.silent(now, near, Over::Udp);
        assert!(servers.score(now, near) > servers.score(now, far));
        servers.answered(now, near, Over::Udp, Duration::from_millis(10));
        assert!(servers.score(now, near) < servers.score(now, far));
        // The other one is tried again at some time.
        let rounds = (0..).find(|_| {
            servers.chosen(now, near, [near, far].into_iter());
            servers.score(now, far) < servers.score(now, near)
        });
        assert!((50..200).contains(&rounds.unwrap()));
    }

    #[test]
    fn each_try_is_waited_for_twice_as_long() {
        let mut servers = Servers::new(Seed::new(1).stream("servers"));
        let (at, now) = ([10, 0, 0, 1].into(), Instant::from_secs(1));
        let waits: Vec<u128> = (0..5).map(|tries| servers.patience(now, at, tries).as_millis()).collect();
        assert_eq!(waits, [400, 800, 1600, 3000, 3000]);
        servers.answered(now, at, Over::Udp, Duration::from_millis(100));
        assert_eq!(servers.patience(now, at, 0), Duration::from_millis(300));
    }

    #[test]
    fn what_is_known_of_servers_is_bounded() {
        let mut servers = Servers::new(Seed::new(1).stream("servers"));
        for i in 0..10_000u32 {
            servers.silent(Instant::from_secs(i.into()), IpAddr::V4(i.into()), Over::Udp);
        }
        assert_eq!(servers.all.len(), SERVERS);
        assert!(servers.all.contains_key(&IpAddr::V4(9_999.into())));
    }
}
