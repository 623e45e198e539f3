//! What `septet_hostile::charset` plays.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| septet_hostile::charset(bytes));
