//! Options of IPv4 headers (RFC 791 §3.1, RFC 1122 §3.2.1.8, RFC 1812 §5.3.13): looked at where a datagram comes in, and
//! filled in where it goes on or arrives.

use std::net::Ipv4Addr;

use septet_core::{DropReason, Frame, Instant, Out};

use crate::ip::Ip;
use crate::ip::told::drop_frame;
use septet_wire::ipv4::{self, Header};
use septet_wire::{HeaderFault, Trouble};

const END: u8 = 0;
const NO_OPERATION: u8 = 1;
const RECORD_ROUTE: u8 = 7;
const LOOSE_SOURCE_ROUTE: u8 = 131;
const STRICT_SOURCE_ROUTE: u8 = 137;

/// Why a datagram with options goes no further.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Refused {
    /// This octet of the header is wrong.
    Malformed(usize),
    /// It wants a way of its own.
    SourceRoute,
}

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

/// What is wrong with the options of a header.
fn check(header: &[u8]) -> Result<(), Refused> {
    let mut at = ipv4::HEADER_LEN;
    while at < header.len() {
        let kind = header[at];
        if kind == END {
            return Ok(());
        }
        if kind == NO_OPERATION {
            at += 1;
            continue;
        }
        let len = header.get(at + 1).map_or(0, |&len| usize::from(len));
        if len < 2 || at + len > header.len() {
            return Err(Refused::Malformed(at));
        }
        match kind {
            LOOSE_SOURCE_ROUTE | STRICT_SOURCE_ROUTE => return Err(Refused::SourceRoute),
            RECORD_ROUTE => {
                // RFC 791: "The pointer is relative to this option, and the smallest legal value for the pointer is 4."
                let pointer = header.get(at + 2).filter(|_| len >= 3).map_or(0, |&p| usize::from(p));
                if pointer < 4 {
                    return Err(Refused::Malformed(at + 2));
                }
                // "If there is some room but not enough room for a full address to be inserted, the original datagram is
                // considered to be in error".
                if pointer <= len && pointer + 3 > len {
                    return Err(Refused::Malformed(at + 2));
                }
            }
            _ => {}
        }
        at += len;
    }
    Ok(())
}

/// Writes `own` into the record of the route, where the header asks for one and there is room. The options were checked.
/// RFC 1812 §5.3.13.5: "A router SHOULD insert its address".
pub(super) fn record_route(header: &mut [u8], own: Ipv4Addr) {
    let mut at = ipv4::HEADER_LEN;
    while at < header.len() && header[at] != END {
        if header[at] == NO_OPERATION {
            at += 1;
            continue;
        }
        let len = usize::from(header[at + 1]);
        let pointer = usize::from(header[at + 2]);
        if header[at] == RECORD_ROUTE && pointer + 3 <= len {
            header[at + pointer - 1..at + pointer + 3].copy_from_slice(&own.octets());
            header[at + 2] += 4;
            ipv4::seal(header);
        }
        at += len;
    }
}

/// The options of a request that its answer has too. RFC 1122 §3.2.2.6: "If a Record Route … option is received in an ICMP
/// Echo Request, this option … SHOULD be updated to include the current host and included in the IP header of the Echo Reply
/// message".
pub(super) fn echoed(header: &[u8]) -> Vec<u8> {
    let record = ipv4::options(header).find(|(kind, _)| *kind == RECORD_ROUTE);
    let mut options = record.map(|(_, option)| option.to_vec()).unwrap_or_default();
    options.resize(options.len().next_multiple_of(4), END);
    options
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn what_is_right_is_let_through_and_what_is_wrong_says_where() {
        let cases: &[(&[u8], Result<(), Refused>)] = &[
            (&[], Ok(())),
            (&[148, 4, 0, 0], Ok(())),
            (&[1, 1, 1, 0], Ok(())),
            (&[7, 7, 4, 0, 0, 0, 0, 0], Ok(())),
            (&[7, 7, 8, 10, 0, 0, 9, 0], Ok(())),
            (&[7, 7, 3, 0, 0, 0, 0, 0], Err(Refused::Malformed(22))),
            (&[7, 7, 6, 0, 0, 0, 0, 0], Err(Refused::Malformed(22))),
            (&[7, 9, 4, 0, 0, 0, 0, 0], Err(Refused::Malformed(20))),
            (&[1, 1, 1, 200], Err(Refused::Malformed(23))),
            (&[130, 1, 0, 0], Err(Refused::Malformed(20))),
            (&[131, 7, 4, 10, 0, 0, 9, 0], Err(Refused::SourceRoute)),
            (&[1, 137, 7, 4, 10, 0, 0, 9], Err(Refused::SourceRoute)),
        ];
        for (options, expected) in cases {
            assert_eq!(check(&header(options)), *expected, "{options:?}");
        }
    }

    #[test]
    fn a_route_is_recorded_until_there_is_no_more_room() {
        let mut bytes = header(&[1, 7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0]);
        for (own, pointer) in [([10, 0, 0, 9], 8), ([10, 0, 1, 9], 12), ([10, 0, 2, 9], 12)] {
            record_route(&mut bytes, own.into());
            assert_eq!(bytes[23], pointer);
            assert!(ipv4::checksum_ok(&bytes, 32));
        }
        assert_eq!(bytes[24..32], [10, 0, 0, 9, 10, 0, 1, 9]);
        assert_eq!(echoed(&bytes), [7, 11, 12, 10, 0, 0, 9, 10, 0, 1, 9, 0]);
    }
}
