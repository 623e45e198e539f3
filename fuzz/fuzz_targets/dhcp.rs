//! What `septet_dhcpile::dhcp` plays.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| septet_dhcpile::dhcp(bytes));
