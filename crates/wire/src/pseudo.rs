//! The checksum of TCP and UDP: pseudo-header, header and payload.

use std::net::IpAddr;

use septet_core::checksum::Sum;

/// The sum of the pseudo-header of RFC 9293 §3.1 or RFC 8200 §8.1.
#[inline]
pub fn pseudo_header(src: IpAddr, dst: IpAddr, protocol: u8, len: usize) -> Sum {
    let sum = match (src, dst) {
        (IpAddr::V4(s), IpAddr::V4(d)) => Sum::new().dword(u32::from(s)).dword(u32::from(d)),
        _ => Sum::new().bytes(&v6(src)).bytes(&v6(dst)),
    };
    sum.word(u16::from(protocol)).dword(len as u32)
}

fn v6(addr: IpAddr) -> [u8; 16] {
    match addr {
        IpAddr::V4(a) => a.to_ipv6_mapped().octets(),
        IpAddr::V6(a) => a.octets(),
    }
}
