//! The command as a person or a script meets it: stdout, stderr, exit code, files.

mod bounds;
mod ca;
mod check;
mod codes;
mod course;
#[cfg(unix)]
mod dns;
mod docs;
#[cfg(unix)]
mod files;
mod hunt;
#[cfg(target_os = "linux")]
mod io;
mod keys;
#[cfg(target_os = "linux")]
mod live;
#[cfg(unix)]
mod nginx;
mod plot;
#[cfg(target_os = "linux")]
mod proxied;
#[cfg(target_os = "linux")]
mod recursor;
mod run;
#[cfg(target_os = "linux")]
mod secrets;
#[cfg(target_os = "linux")]
mod services;
mod sweep;
mod tshark;
mod validation;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// The repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// `septet` with the repository as its working directory.
fn septet() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_septet"));
    command.current_dir(root()).env_remove("NO_COLOR").env_remove("RUST_BACKTRACE");
    command
}

fn run<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Ended {
    Ended::from(septet().args(arguments).output().expect("the binary was built"))
}

/// What a command came to.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("the command writes UTF-8");
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

/// Waits until another process has brought `what` about, for `most` at the longest.
fn wait_for(most: Duration, what: impl Fn() -> bool) {
    let began = Instant::now();
    while !what() && began.elapsed() < most {
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A directory of this test's own, empty.
fn scratch(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).expect("the target directory can be written");
    dir
}

/// A lab file of this test's own.
fn lab(dir: &Path, text: &str) -> PathBuf {
    let path = dir.join("lab.toml");
    std::fs::write(&path, text).expect("the target directory can be written");
    path
}

/// Two hosts, a ping, and expectations to hold or to fail.
const PAIR: &str = r#"
[lab]
name = "pair"
stop = "5s"
[topology]
links = ["a -- b : rate 10mbit delay 5ms"]
[host.a]
run = ["at 1s: ping -c 2 b"]
[host.b]
"#;
