//! Numbers and addresses out of octets.

use std::net::Ipv4Addr;

pub(super) fn address(bytes: &[u8], at: usize) -> Ipv4Addr {
    Ipv4Addr::new(bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3])
}

pub(super) fn word(bytes: &[u8], at: usize) -> u32 {
    address(bytes, at).to_bits()
}

pub(super) fn half(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}
