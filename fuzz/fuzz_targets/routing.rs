//! What `septet_hostile::routing` plays.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| septet_hostile::routing(bytes));
