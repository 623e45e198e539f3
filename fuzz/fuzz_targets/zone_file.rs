//! What `septet_hostile::zone_file` plays.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| septet_hostile::zone_file(bytes));
