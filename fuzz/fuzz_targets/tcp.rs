//! Two TCP endpoints over a wire that the input commands: see the harness, which `cargo test` shares.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/transport/tests/hostile/mod.rs"]
mod hostile;

fuzz_target!(|bytes: &[u8]| hostile::play(bytes, hostile::Show::Nothing));
