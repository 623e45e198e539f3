//! What `septet_hostile::firewall` plays.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| septet_hostile::firewall(bytes));
