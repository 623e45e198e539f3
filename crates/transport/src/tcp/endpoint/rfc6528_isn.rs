//! Initial sequence numbers (RFC 6528), timestamp offsets and the choice of ephemeral ports (RFC 6056).

use std::net::{IpAddr, SocketAddr};

use septet_core::{Instant, Rng};

use super::siphash::Key;

/// What only this endpoint knows.
#[derive(Debug)]
pub(crate) struct Secrets {
    isn: Key,
    timestamps: Key,
    ports: Key,
    pub(crate) cookies: [Key; 2],
}

impl Secrets {
    pub(crate) fn new(rng: &mut Rng) -> Self {
        let mut key = || Key(rng.next_u64(), rng.next_u64());
        Self { isn: key(), timestamps: key(), ports: key(), cookies: [key(), key()] }
    }

    /// §3: "ISN = M + F(localip, localport, remoteip, remoteport, secretkey)", M ticking every 64 ns as in Linux.
    pub(crate) fn isn(&self, now: Instant, local: SocketAddr, remote: SocketAddr) -> u32 {
        (self.isn.hash(&words(local, remote)) as u32).wrapping_add((now.as_nanos() >> 6) as u32)
    }

    /// RFC 7323 §5.4: "a random offset may be added to the timestamp clock on a per-connection basis".
    pub(crate) fn timestamp_offset(&self, local: IpAddr, remote: IpAddr) -> u32 {
        self.timestamps.hash(&words(SocketAddr::new(local, 0), SocketAddr::new(remote, 0))) as u32
    }

    /// RFC 6056 §3.3.4: what "table" begins with at `index`, and any small number that depends on nothing but it.
    pub(crate) fn port_place(&self, index: u16) -> u32 {
        self.ports.hash(&[u64::from(index)]) as u32
    }

    /// RFC 6056 §3.3.3: where the search for a port begins.
    pub(crate) fn port_offset(&self, local: IpAddr, remote: SocketAddr) -> u64 {
        self.ports.hash(&words(SocketAddr::new(local, 0), remote))
    }
}

/// A pair of addresses as words to be hashed.
pub(crate) fn words(a: SocketAddr, b: SocketAddr) -> [u64; 5] {
    let wide = |ip: IpAddr| match ip {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    };
    let (x, y) = (wide(a.ip()), wide(b.ip()));
    [x as u64, (x >> 64) as u64, y as u64, (y >> 64) as u64, u64::from(a.port()) << 16 | u64::from(b.port())]
}
