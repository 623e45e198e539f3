//! What `septet_hostile::cotp` plays.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| septet_hostile::cotp(bytes));
