//! What `septet_hostile::sniffing` plays.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| septet_hostile::sniffing(bytes));
