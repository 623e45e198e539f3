//! SYN cookies (RFC 4987 §3.6): under flood the SYN-ACK's sequence number is the only state.

use std::net::SocketAddr;

use septet_core::Instant;

use super::rfc6528_isn::{Secrets, words};
use crate::tcp::wire::{HeaderOptions, Timestamps};

/// The segment sizes that two bits can name.
const MSS_TABLE: [u16; 4] = [536, 1300, 1440, 1460];
/// Minutes for which a cookie is good.
const MAX_AGE: u32 = 2;
/// Bits of the timestamp that carry what a cookie has no room for.
const TS_BITS: u32 = 6;
const NO_WSCALE: u32 = 0xf;

fn minute(now: Instant) -> u32 {
    (now.as_nanos() / 60_000_000_000) as u32
}

impl Secrets {
    fn cookie_hash(&self, local: SocketAddr, remote: SocketAddr) -> u32 {
        let [a, b, c, d, e] = words(local, remote);
        self.cookies[0].hash(&[a, b, c, d, e, 0]) as u32
    }

    /// The same for one minute and one SYN: a keepalive probe, one number below the ACK that got lost, brings no cookie.
    fn cookie_mask(&self, local: SocketAddr, remote: SocketAddr, count: u32, seq: u32) -> u32 {
        let [a, b, c, d, e] = words(local, remote);
        self.cookies[1].hash(&[a, b, c, d, e, u64::from(seq) << 32 | u64::from(count)]) as u32
    }

    /// The initial sequence number that remembers the peer's MSS for a minute or two.
    pub(crate) fn cookie(&self, now: Instant, local: SocketAddr, remote: SocketAddr, seq: u32, mss: u16) -> u32 {
        let index = MSS_TABLE.iter().rposition(|m| *m <= mss).unwrap_or(0) as u32;
        let count = minute(now);
        self.cookie_hash(local, remote)
            .wrapping_add(seq)
            .wrapping_add(count << 24)
            .wrapping_add(self.cookie_mask(local, remote, count, seq).wrapping_add(index) & 0x00ff_ffff)
    }

    /// The MSS that `cookie` remembers, if it is one of ours and fresh.
    pub(crate) fn check_cookie(
        &self,
        now: Instant,
        local: SocketAddr,
        remote: SocketAddr,
        seq: u32,
        cookie: u32,
    ) -> Option<u16> {
        let rest = cookie.wrapping_sub(self.cookie_hash(local, remote)).wrapping_sub(seq);
        let count = minute(now);
        let age = count.wrapping_sub(rest >> 24) & 0xff;
        if age >= MAX_AGE {
            return None;
        }
        let index = rest.wrapping_sub(self.cookie_mask(local, remote, count.wrapping_sub(age), seq)) & 0x00ff_ffff;
        MSS_TABLE.get(index as usize).copied()
    }
}

/// The SYN-ACK's timestamp, its low bits carrying window scale, SACK and ECN.
pub(crate) fn encode(now_ms: u32, options: &HeaderOptions, ecn: bool) -> u32 {
    let bits =
        options.wscale.map_or(NO_WSCALE, u32::from) | u32::from(options.sack_permitted) << 4 | u32::from(ecn) << 5;
    let mask = (1 << TS_BITS) - 1;
    let stamp = (now_ms & !mask) | bits;
    if stamp > now_ms { stamp.wrapping_sub(1 << TS_BITS) } else { stamp }
}

/// The options that an echoed timestamp remembers, and whether ECN was asked for.
pub(crate) fn decode(echo: Option<u32>, mss: u16, timestamps: Option<Timestamps>) -> (HeaderOptions, bool) {
    let mut options = HeaderOptions { mss: Some(mss), ..HeaderOptions::default() };
    let Some(echo) = echo else { return (options, false) };
    options.timestamps = timestamps;
    options.wscale = Some((echo & 0xf) as u8).filter(|w| u32::from(*w) != NO_WSCALE);
    options.sack_permitted = echo >> 4 & 1 != 0;
    (options, echo >> 5 & 1 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use septet_core::Seed;

    #[test]
    fn a_cookie_is_good_for_its_own_connection_and_two_minutes() {
        let secrets = Secrets::new(&mut Seed::new(1).stream("t"));
        let a: SocketAddr = "10.0.0.1:80".parse().unwrap();
        let b: SocketAddr = "10.0.0.2:4000".parse().unwrap();
        let t = Instant::from_secs(1000);
        let cookie = secrets.cookie(t, a, b, 77, 1450);
        let check = |at, remote, seq| secrets.check_cookie(at, a, remote, seq, cookie);
        assert_eq!(check(t, b, 77), Some(1440));
        assert_eq!(check(Instant::from_secs(1060), b, 77), Some(1440));
        assert_eq!(check(Instant::from_secs(1200), b, 77), None);
        assert_eq!(check(t, b, 177), None);
        assert_eq!(check(t, b, 76), None);
        assert_eq!(check(t, "10.0.0.2:4001".parse().unwrap(), 77), None);
    }

    #[test]
    fn options_travel_in_the_timestamp() {
        let options = HeaderOptions { wscale: Some(7), sack_permitted: true, ..HeaderOptions::default() };
        for now in [0u32, 1, 63, 64, 123_456_789] {
            let stamp = encode(now, &options, true);
            assert!(now.wrapping_sub(stamp) < 128);
            let (back, ecn) = decode(Some(stamp), 1460, None);
            assert_eq!((back.wscale, back.sack_permitted, ecn), (Some(7), true, true));
        }
    }
}
