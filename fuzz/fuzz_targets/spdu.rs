//! What `septet_hostile::spdu` plays.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| septet_hostile::spdu(bytes));
