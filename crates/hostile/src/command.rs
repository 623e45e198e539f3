//! A command line of a program in a lab, checked and, where it stands, run for a while.

use septet_lab::{BuildOptions, Lab};

/// A text as the command line of a program that runs for five seconds of virtual time.
pub fn command(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    if text.chars().any(char::is_control) {
        return;
    }
    let command = text.replace('\\', "\\\\").replace('"', "\\\"");
    let lab = format!(
        "[lab]\nstop = \"5s\"\n[topology]\nlinks = [\"a -- b : rate 1mbit, delay 5ms, limit 20kb\"]\n\
         [host.a]\nrun = [\"at 0s: {command}\"]\n[host.b.http]\n"
    );
    if let Ok(lab) = Lab::parse("input.toml", &lab)
        && let Ok(mut run) = lab.build(&BuildOptions::default())
    {
        // A program that never lets time pass is stopped, and told; that is an end too.
        let _ = run.play();
    }
}
