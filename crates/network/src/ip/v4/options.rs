//! Options of IPv4 headers (RFC 791 §3.1, RFC 1122 §3.2.1.8, RFC 1812 §5.3.13): looked at where a datagram comes in, and
//! filled in where it goes on or arrives.

use core::time::Duration;
use std::net::Ipv4Addr;

use septet_core::{DropReason, Frame, Instant, Out};

use super::Way;
use crate::ip::Ip;
use crate::ip::header_options::{
    END, NO_OPERATION, ONLY, PRESPECIFIED, RECORD_ROUTE, Refused, TIMESTAMP, WITH_ADDRESSES, check,
};
use crate::ip::told::drop_frame;
use septet_wire::ipv4::{self, Header};
use septet_wire::{HeaderFault, Trouble};

impl Ip {
    /// Looks at the options of a datagram that came in; gives whether it may go on. RFC 1812 §5.2.7.1 has a router take
    /// source routes, RFC 7126 §4.3 and §4.4 has it drop them, and so does Linux by default (`accept_source_route` = 0). A
    /// router alert (RFC 2113) asks for no more than this look: whoever listens to what it announces is a member of its
    /// group.
    pub(super) fn options_allow(&mut self, now: Instant, header: &Header, frame: &Frame, out: &mut Out<'_>) -> bool {
        match check(&frame.bytes()[..usize::from(header.header_len)]) {
            Ok(()) => true,
            Err(Refused::SourceRoute) => {
                self.counters.ip_in_discards += 1;
                drop_frame(frame, DropReason::Policy, out);
                false
            }
            Err(Refused::Malformed(at)) => {
                self.counters.ip_in_hdr_errors += 1;
                drop_frame(frame, DropReason::Malformed, out);
                let trouble = Trouble::Header { fault: HeaderFault::Field, at: at as u32 };
                self.report(now, trouble, header, frame, out);
                false
            }
        }
    }
}

/// What a node leaves in the options of a datagram that it passes on, sends or takes.
struct Mark {
    /// Its address in the record of the route.
    route: Ipv4Addr,
    /// Its address beside its timestamp.
    stamp: Ipv4Addr,
    /// Milliseconds since midnight, universal time.
    time: u32,
}

impl Ip {
    /// Says what time it was when the world began, since 1970: what timestamps are counted from.
    pub fn set_epoch(&mut self, epoch: Duration) {
        self.v4.epoch = epoch;
    }

    /// A datagram of this host leaves by `src`, or has arrived for it.
    pub(super) fn mark(&self, now: Instant, own: Ipv4Addr, header: &mut [u8]) {
        self.leave_mark(&Mark { route: own, stamp: own, time: self.time_of_day(now) }, header);
    }

    /// A datagram is passed on by `way`. RFC 1812 §5.3.13.5: the address in the record of the route is that of "the logical
    /// interface over which the packet is being sent"; beside the time Linux has the one that its sender would be
    /// answered from.
    pub(super) fn mark_forwarded(
        &mut self,
        now: Instant,
        (src, dst): (Ipv4Addr, Ipv4Addr),
        way: &Way,
        header: &mut [u8],
    ) {
        let Ok(route) = self.source(way, dst) else { return };
        let back = self.way(src);
        let stamp = self.source(&back, src).unwrap_or(route);
        self.leave_mark(&Mark { route, stamp, time: self.time_of_day(now) }, header);
    }

    /// RFC 791: "The Timestamp is a right-justified, 32-bit timestamp in milliseconds since midnight UT."
    fn time_of_day(&self, now: Instant) -> u32 {
        let since_1970 = self.v4.epoch + now.saturating_since(Instant::ZERO);
        (since_1970.as_millis() % (24 * 60 * 60 * 1000)) as u32
    }

    /// Leaves `mark` wherever the options ask for it and have room. They were checked.
    fn leave_mark(&self, mark: &Mark, header: &mut [u8]) {
        let (mut at, mut changed) = (ipv4::HEADER_LEN, false);
        while at < header.len() && header[at] != END {
            if header[at] == NO_OPERATION {
                at += 1;
                continue;
            }
            let len = usize::from(header[at + 1]);
            let option = &mut header[at..at + len];
            changed |= match option[0] {
                RECORD_ROUTE => record_route(option, mark.route),
                TIMESTAMP => stamp(option, mark, |addr| self.is_local(addr.into())),
                _ => false,
            };
            at += len;
        }
        if changed {
            ipv4::seal(header);
        }
    }
}

/// Writes `own` into the record of the route, where there is room. RFC 1812 §5.3.13.5: "A router SHOULD insert its address".
fn record_route(option: &mut [u8], own: Ipv4Addr) -> bool {
    let at = usize::from(option[2]) - 1;
    let Some(place) = option.get_mut(at..at + 4) else { return false };
    place.copy_from_slice(&own.octets());
    option[2] += 4;
    true
}

/// Writes the time, where there is room; else, that there was none.
fn stamp(option: &mut [u8], mark: &Mark, is_own: impl Fn(Ipv4Addr) -> bool) -> bool {
    let (at, flags) = (usize::from(option[2]) - 1, option[3]);
    if at >= option.len() {
        // RFC 791: "If the timestamp data area is already full … the datagram is forwarded without inserting the timestamp, but
        // the overflow count is incremented by one."
        let counts = flags & 0xf != PRESPECIFIED && flags >> 4 < 15;
        option[3] += if counts { 0x10 } else { 0 };
        return counts;
    }
    let time = match flags & 0xf {
        ONLY => at,
        WITH_ADDRESSES => {
            option[at..at + 4].copy_from_slice(&mark.stamp.octets());
            at + 4
        }
        // "An IP module only registers its timestamp if it matches its own address with the next specified internet address."
        PRESPECIFIED if option[at..].first_chunk().is_some_and(|next: &[u8; 4]| is_own((*next).into())) => at + 4,
        _ => return false,
    };
    option[time..time + 4].copy_from_slice(&mark.time.to_be_bytes());
    option[2] = time as u8 + 5;
    true
}

/// The options of a request that its answer has too. RFC 1122 §3.2.2.6: "If a Record Route and/or Time Stamp option is received
/// in an ICMP Echo Request, this option (these options) SHOULD be updated to include the current host and included in the IP
/// header of the Echo Reply message".
pub(super) fn echoed(header: &[u8]) -> Vec<u8> {
    let goes_back = |(kind, _): &(u8, &[u8])| matches!(*kind, RECORD_ROUTE | TIMESTAMP);
    let mut options: Vec<u8> =
        ipv4::options(header).filter(goes_back).flat_map(|(_, option)| option).copied().collect();
    options.resize(options.len().next_multiple_of(4), END);
    options
}

#[cfg(test)]
mod tests {
    use septet_core::Seed;
    use septet_datalink::ethernet::MacAddr;

    use super::*;
    use crate::ip::InterfaceConfig;
    use crate::{Cidr, Forwarding};

    fn header(options: &[u8]) -> Vec<u8> {
        let mut frame = Frame::new(Frame::HEADROOM, b"data");
        let header = Header {
            tos: 0,
            total_len: 0,
            ident: 1,
            dont_fragment: false,
            more_fragments: false,
            fragment_offset: 0,
            ttl: 64,
            protocol: 17,
            src: Ipv4Addr::new(10, 0, 0, 1),
            dst: Ipv4Addr::new(10, 0, 0, 2),
            header_len: 20,
        };
        header.push_with(options, &mut frame);
        frame.bytes()[..20 + options.len()].to_vec()
    }

    /// The header after nodes of these addresses have passed it on, at a second of the day each.
    fn passed(options: &[u8], nodes: &[[u8; 4]]) -> Vec<u8> {
        let mut bytes = header(options);
        for (second, own) in (1..).zip(nodes) {
            let own = Ipv4Addr::from(*own);
            let config = InterfaceConfig {
                mac: MacAddr([2, 0, 0, 0, 0, 1]),
                addresses: vec![Cidr::new(own.into(), 24).unwrap()],
                mtu: 1500,
            };
            let mut ip = Ip::new(&[config], Forwarding::On, Seed::new(1).stream("ip"));
            // A day and an hour after the beginning of 1970.
            ip.set_epoch(Duration::from_secs(25 * 3600));
            ip.mark(Instant::from_secs(second), own, &mut bytes);
            assert!(check(&bytes).is_ok() && ipv4::checksum_ok(&bytes, bytes.len() as u8));
        }
        bytes[20..].to_vec()
    }

    #[test]
    fn a_route_is_recorded_until_there_is_no_more_room() {
        let record = [1, 7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0];
        let nodes = [[10, 0, 0, 9], [10, 0, 1, 9], [10, 0, 2, 9]];
        assert_eq!(passed(&record, &nodes[..1])[3], 8);
        let full = passed(&record, &nodes);
        assert_eq!(full, [1, 7, 11, 12, 10, 0, 0, 9, 10, 0, 1, 9]);
        let mut bytes = header(&full);
        assert_eq!(echoed(&bytes), [7, 11, 12, 10, 0, 0, 9, 10, 0, 1, 9, 0]);
        bytes[20] = END;
        assert_eq!(echoed(&bytes), []);
    }

    #[test]
    fn times_are_stamped_with_and_without_addresses_and_what_found_no_room_is_counted() {
        let nodes = [[10, 0, 0, 9], [10, 0, 1, 9], [10, 0, 2, 9]];
        // 1:00:01 and so on, in milliseconds.
        let at = |second: u32| (3_600_000 + second * 1000).to_be_bytes();
        let only = passed(&[68, 12, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0], &nodes);
        assert_eq!((&only[..4], &only[4..8], &only[8..]), (&[68, 12, 13, 0x10][..], &at(1)[..], &at(2)[..]));
        let with = passed(&[68, 12, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0], &nodes);
        assert_eq!((&with[..4], &with[4..8], &with[8..]), (&[68, 12, 13, 0x21][..], &nodes[0][..], &at(1)[..]));
        // Only who is named, in the order in which they are.
        let told = passed(&[68, 12, 5, 3, 10, 0, 1, 9, 0, 0, 0, 0], &nodes);
        assert_eq!((&told[..4], &told[4..8], &told[8..]), (&[68, 12, 13, 3][..], &nodes[1][..], &at(2)[..]));
        assert_eq!(echoed(&header(&told)), told);
    }
}
