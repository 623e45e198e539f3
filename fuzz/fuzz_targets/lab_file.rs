//! What `septet_hostile::lab_file` plays.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| septet_hostile::lab_file(bytes));
