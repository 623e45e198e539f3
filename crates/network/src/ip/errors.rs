//! Errors, as far as both versions of IP have them alike: nothing listens on a port.

use septet_core::{Instant, Out};

use super::{Cast, Datagram, Ip};
use septet_wire::Trouble;
use septet_wire::ipv4::Header;

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
}
