//! Errors, as far as both versions of IP have them alike: nothing listens on a port, and paths take less than their first
//! link.

use core::time::Duration;
use std::net::IpAddr;

use septet_core::{Instant, Out};

use super::{Cast, Datagram, Ip};
use septet_wire::Trouble;
use septet_wire::ipv4::Header;
use septet_wire::ipv6;

/// RFC 1191 §6.3: "10 minutes"; Linux's `net.ipv4.route.mtu_expires`.
const PATH_MTU_EXPIRES: Duration = Duration::from_secs(600);
/// `net.ipv4.route.min_pmtu`: nobody makes us send smaller packets.
const PATH_MTU_MIN: u32 = 552;
/// Path MTUs remembered at once.
const PATH_MTUS: usize = 4096;

impl Ip {
    /// Nothing listens on the port that `datagram` is for: RFC 1122 §4.1.3.1, "UDP SHOULD send an ICMP Port Unreachable
    /// message".
    pub fn port_unreachable(&mut self, now: Instant, datagram: Datagram, out: &mut Out<'_>) {
        let Datagram { src, mut frame, header_len, cast, .. } = datagram;
        if cast != Cast::Unicast {
            return;
        }
        frame.unpull(usize::from(header_len));
        if src.is_ipv6() {
            return self.report_v6(now, Trouble::PortUnreachable, &frame, cast, out);
        }
        let Ok(header) = Header::parse(frame.bytes()) else { return };
        self.report(now, Trouble::PortUnreachable, &header, &frame, out);
    }

    /// A router on the way to `dst` takes no more than `mtu` octets at once. Less than nobody need believe is not believed.
    pub fn learn_path_mtu(&mut self, now: Instant, dst: IpAddr, mtu: u32) {
        // RFC 8201 §4: "A node MUST NOT reduce its estimate of the Path MTU below the IPv6 minimum link MTU".
        let least = if dst.is_ipv4() { PATH_MTU_MIN } else { ipv6::MIN_MTU };
        if self.path_mtu.len() >= PATH_MTUS {
            self.path_mtu.retain(|_, (_, until)| *until > now);
            if self.path_mtu.len() >= PATH_MTUS {
                self.path_mtu.pop_first();
            }
        }
        self.path_mtu.insert(dst, (mtu.max(least), now + PATH_MTU_EXPIRES));
    }
}
