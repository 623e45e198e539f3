//! What `septet_hostile::certificates` plays.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| septet_hostile::certificates(bytes));
