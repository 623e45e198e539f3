//! What `septet_hostile::decompression` plays.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| septet_hostile::decompression(bytes));
