//! What `septet_hostile::resolver` plays.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| septet_hostile::resolver(bytes));
