//! What `septet_hostile::http_server` plays.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| septet_hostile::http_server(bytes));
