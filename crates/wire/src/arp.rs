//! The ARP packet (RFC 826) for IPv4 over Ethernet.

use std::net::Ipv4Addr;

use septet_core::{DropReason, Frame};

use crate::ethernet::MacAddr;

/// Octets of a packet.
pub const LEN: usize = 28;

/// What a packet says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    /// `ares_op$REQUEST`: who has the target address?
    Request,
    /// `ares_op$REPLY`.
    Reply,
}

/// An ARP packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Packet {
    /// Request or reply.
    pub operation: Operation,
    /// The sender's link address.
    pub sender_mac: MacAddr,
    /// The sender's protocol address; unspecified in a probe (RFC 5227).
    pub sender_ip: Ipv4Addr,
    /// The target's link address; zero in a request.
    pub target_mac: MacAddr,
    /// The target's protocol address.
    pub target_ip: Ipv4Addr,
}

impl Packet {
    /// Reads a packet.
    ///
    /// # Errors
    /// [`DropReason::Malformed`] where it is too short, [`DropReason::UnknownProtocol`] where it is about other
    /// address families or neither a request nor a reply.
    pub fn parse(bytes: &[u8]) -> Result<Self, DropReason> {
        let Some(p) = bytes.first_chunk::<LEN>() else { return Err(DropReason::Malformed) };
        // RFC 826: "?Do I have the hardware type in ar$hrd? … ?Do I speak the protocol in ar$pro?"
        if p[..6] != [0, 1, 0x08, 0x00, 6, 4] {
            return Err(DropReason::UnknownProtocol);
        }
        let operation = match (p[6], p[7]) {
            (0, 1) => Operation::Request,
            (0, 2) => Operation::Reply,
            _ => return Err(DropReason::UnknownProtocol),
        };
        Ok(Self {
            operation,
            sender_mac: MacAddr([p[8], p[9], p[10], p[11], p[12], p[13]]),
            sender_ip: Ipv4Addr::new(p[14], p[15], p[16], p[17]),
            target_mac: MacAddr([p[18], p[19], p[20], p[21], p[22], p[23]]),
            target_ip: Ipv4Addr::new(p[24], p[25], p[26], p[27]),
        })
    }

    /// The packet alone in a frame with headroom for a link header.
    pub fn to_frame(&self) -> Frame {
        let mut p = [0u8; LEN];
        p[..6].copy_from_slice(&[0, 1, 0x08, 0x00, 6, 4]);
        p[7] = match self.operation {
            Operation::Request => 1,
            Operation::Reply => 2,
        };
        p[8..14].copy_from_slice(&self.sender_mac.0);
        p[14..18].copy_from_slice(&self.sender_ip.octets());
        p[18..24].copy_from_slice(&self.target_mac.0);
        p[24..28].copy_from_slice(&self.target_ip.octets());
        Frame::new(Frame::HEADROOM, &p)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_gives_back_what_was_written() {
        let p = Packet {
            operation: Operation::Reply,
            sender_mac: MacAddr([2, 0, 0, 0, 0, 1]),
            sender_ip: Ipv4Addr::new(10, 0, 0, 1),
            target_mac: MacAddr([2, 0, 0, 0, 0, 2]),
            target_ip: Ipv4Addr::new(10, 0, 0, 2),
        };
        let frame = p.to_frame();
        assert_eq!(Packet::parse(frame.bytes()), Ok(p));
        assert_eq!(Packet::parse(&frame.bytes()[..27]), Err(DropReason::Malformed));
        for (at, value) in [(1, 6), (2, 0x86), (4, 8), (7, 3)] {
            let mut bytes = frame.bytes().to_vec();
            bytes[at] = value;
            assert_eq!(Packet::parse(&bytes), Err(DropReason::UnknownProtocol));
        }
    }
}
