//! What `septet_hostile::proxy_protocol` plays.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| septet_hostile::proxy_protocol(bytes));
