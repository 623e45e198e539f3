//! Programs that judge what was written. Where one is missing the test says so loudly and passes, unless
//! `SEPTET_REQUIRE_JUDGES` is set: then it fails.

use std::path::Path;
use std::process::Command;

/// The program, if it is there.
pub(crate) fn judge(program: &str, version: &str) -> Option<Command> {
    match Command::new(program).arg(version).output() {
        Ok(output) if output.status.success() => Some(Command::new(program)),
        _ if std::env::var_os("SEPTET_REQUIRE_JUDGES").is_some_and(|v| v == "1") => {
            panic!("{program} is not installed and SEPTET_REQUIRE_JUDGES=1")
        }
        _ => {
            eprintln!("SKIPPED: {program} is not installed, so nobody judged");
            None
        }
    }
}

/// Runs tshark on `capture`; its output by line, each split at tabs.
pub(crate) fn tshark(capture: &Path, arguments: &[&str]) -> Option<Vec<Vec<String>>> {
    let mut command = judge("tshark", "--version")?;
    let output = command.arg("-n").arg("-r").arg(capture).args(arguments).output().expect("tshark was there before");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "tshark: {stderr}");
    let complaints: Vec<&str> =
        stderr.lines().filter(|l| !l.is_empty() && !l.starts_with("Running as user \"root\"")).collect();
    assert!(complaints.is_empty(), "tshark complains: {complaints:?}");
    let text = String::from_utf8(output.stdout).expect("tshark writes UTF-8");
    Some(text.lines().map(|l| l.split('\t').map(str::to_owned).collect()).collect())
}
