//! What `septet_hostile::transfer` plays.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| septet_hostile::transfer(bytes));
