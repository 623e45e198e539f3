//! What `septet_hostile::dhcp` plays.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| septet_hostile::dhcp(bytes));
