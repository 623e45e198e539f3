//! A lab on the wall clock as other commands meet it: its faults, its end, its descriptors, and programs in its places.
//!
//! Nothing here measures time, and every wait is for something that another process does.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use crate::{scratch, septet, wait_for};

const TWO: &str = "[lab]\nname = \"two\"\n[topology]\nlinks = [\"a -- b\"]\n[host.a]\n[host.b.http]\n";
const LONG: Duration = Duration::from_secs(60);

/// A lab that is up, and is ended with this.
struct Lab {
    dir: PathBuf,
    up: Child,
}

impl Lab {
    /// Lets `shell` start it: `exec "$0" "$@"`, with limits before that.
    fn up(name: &str, text: &str, shell: &str, options: &[&str]) -> Self {
        let dir = scratch(name);
        fs::write(dir.join("lab.toml"), text).unwrap();
        // Of /tmp, for a socket's name is short.
        let run = runtime(&dir);
        let _ = fs::remove_dir_all(&run);
        fs::DirBuilder::new().mode(0o700).create(&run).unwrap();
        let mut up = Command::new("sh")
            .args(["-c", shell, env!("CARGO_BIN_EXE_septet"), "up", "lab.toml", "--stop", "never"])
            .args(options)
            .current_dir(&dir)
            .env("XDG_RUNTIME_DIR", &run)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(up.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("is up"), "{line}");
        Self { dir, up }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = septet();
        command.args(arguments).current_dir(&self.dir).env("XDG_RUNTIME_DIR", runtime(&self.dir));
        command
    }

    fn ask(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// What a command that succeeds prints.
    fn say(&self, arguments: &[&str]) -> String {
        let output = self.ask(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn stop(&mut self) {
        self.say(&["stop", "two"]);
        assert!(self.up.wait().unwrap().success());
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.up.kill();
        let _ = self.up.wait();
        let _ = fs::remove_dir_all(runtime(&self.dir));
    }
}

fn runtime(dir: &Path) -> PathBuf {
    let name = dir.file_name().unwrap().to_string_lossy().into_owned();
    std::env::temp_dir().join(format!("septet-test-{}-{name}", std::process::id()))
}

/// Whether real programs can have a place here.
fn places() -> bool {
    let tun = fs::OpenOptions::new().read(true).write(true).open("/dev/net/tun").is_ok();
    let namespaces = Command::new("unshare").args(["--user", "--net", "--map-root-user", "true"]).output();
    let possible = tun && namespaces.is_ok_and(|output| output.status.success());
    if !possible {
        let why = "no user namespaces or no /dev/net/tun for this user";
        assert!(std::env::var_os("SEPTET_REQUIRE_JUDGES").is_none(), "required here: {why}");
        eprintln!("SKIPPED: {why}");
    }
    possible
}

#[test]
fn status_lists_faults_in_force_and_to_come() {
    let mut lab = Lab::up("live-status", TWO, "exec \"$0\" \"$@\"", &[]);
    let later = lab.say(&["fault", "two", "1000s..2000s: loss 50% on a--b"]);
    let now = lab.say(&["fault", "two", "loss 5% on a--b"]);
    lab.say(&["fault", "two", "unplug a--b"]);
    assert_eq!((later.trim(), now.trim()), ("1", "2"));
    let listed = |what: &str| lab.say(&["status", "two"]).contains(what);
    wait_for(LONG, || listed("fault 3: unplug a--b (in force)"));
    assert!(listed("fault 3: unplug a--b (in force)") && listed("fault 2: loss 5% on a--b (in force)"));
    lab.say(&["fault", "two", "restore a--b"]);
    wait_for(LONG, || !listed("unplug"));
    let status = lab.say(&["status", "two"]);
    assert_eq!(status.matches("fault ").count(), 1, "{status}");
    assert!(status.contains("fault 1: loss 50% on a--b (pending, from 1000."), "{status}");
    let json: serde_json::Value = serde_json::from_str(&lab.say(&["status", "two", "--json"])).unwrap();
    assert_eq!(json["faults"][0]["state"], "pending", "{json}");
    assert!(json["faults"][0]["at"].as_f64().is_some_and(|at| (1000.0..1100.0).contains(&at)), "{json}");
    lab.say(&["undo", "two", "1"]);
    assert!(!lab.ask(&["undo", "two", "1"]).status.success() && !lab.ask(&["undo", "two", "3"]).status.success());
    assert!(!listed("fault "));
    lab.stop();
}

#[test]
fn without_descriptors_connections_are_refused_and_the_lab_lives() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let forward = format!("{port}:b:80");
    let mut lab = Lab::up("live-descriptors", TWO, "ulimit -n 40; exec \"$0\" \"$@\"", &["-f", &forward]);
    let to = SocketAddr::from(([127, 0, 0, 1], port));
    let crowd: Vec<TcpStream> = (0..60).map(|_| TcpStream::connect(to).unwrap()).collect();
    let mut last = crowd.last().unwrap();
    last.set_read_timeout(Some(LONG)).unwrap();
    let refused = last.read(&mut [0]).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionReset);
    lab.say(&["status", "two"]);
    drop(crowd);
    let page = || {
        let mut stream = TcpStream::connect(to).ok()?;
        stream.set_read_timeout(Some(LONG)).ok()?;
        stream.write_all(b"GET / HTTP/1.0\r\nHost: b\r\n\r\n").ok()?;
        let mut page = String::new();
        stream.read_to_string(&mut page).ok()?;
        page.contains("200 OK").then_some(())
    };
    wait_for(LONG, || page().is_some());
    assert!(page().is_some(), "no page after the crowd has left");
    lab.stop();
}

#[test]
fn programs_of_a_lab_hear_of_its_end_and_keep_their_limits() {
    if !places() {
        return;
    }
    // The shell that gets the lab's program started is not the one that must hear of the end.
    let inner = "trap 'echo heard >got; exit' TERM; ulimit -Sn >began; while :; do sleep 0.1; done";
    let text = TWO.replace("[host.a]", &format!("[host.a]\nexec = \"(trap - TERM; {inner}) & wait\""));
    let mut lab = Lab::up("live-end", &text, "ulimit -Sn 200; exec \"$0\" \"$@\"", &[]);
    let file = |name: &str| fs::read_to_string(lab.dir.join(name)).unwrap_or_default();
    wait_for(LONG, || file("began").ends_with('\n'));
    assert_eq!(file("began"), "200\n");
    lab.stop();
    assert_eq!(fs::read_to_string(lab.dir.join("got")).unwrap_or_default(), "heard\n");
}

#[test]
fn a_program_that_does_not_end_is_ended() {
    if !places() {
        return;
    }
    let text = TWO.replace("[host.a]", "[host.a]\nexec = \"trap '' TERM; echo >began; while :; do sleep 0.1; done\"");
    let mut lab = Lab::up("live-deaf", &text, "exec \"$0\" \"$@\"", &[]);
    wait_for(LONG, || lab.dir.join("began").exists());
    lab.stop();
}

#[test]
fn programs_begin_where_they_were_called_with_everybody_there() {
    if !places() {
        return;
    }
    let mut lab = Lab::up("live-place", TWO, "exec \"$0\" \"$@\"", &[]);
    let here = fs::canonicalize(&lab.dir).unwrap();
    let here = format!("{}\n", here.display());
    let mut first = lab
        .command(&["exec", "a", "--", "sh", "-c", "pwd; cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(first.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, here);
    assert_eq!(lab.say(&["exec", "a", "--", "/bin/pwd"]), here, "of one that joins");
    for map in ["uid_map", "gid_map"] {
        let own = fs::read_to_string(format!("/proc/self/{map}")).unwrap();
        let theirs = lab.say(&["exec", "a", "--", "cat", &format!("/proc/self/{map}")]);
        let ids = |text: &str, column: usize| -> Vec<String> {
            text.lines().map(|line| line.split_whitespace().nth(column).unwrap_or_default().to_owned()).collect()
        };
        if fs::metadata("/proc/self").unwrap().uid() == 0 {
            assert_eq!((ids(&theirs, 0), ids(&theirs, 2)), (ids(&own, 0), ids(&own, 2)), "{map}");
        } else {
            assert_eq!(ids(&theirs, 0)[0], "0", "{map}");
        }
    }
    drop(first.stdin.take());
    assert!(first.wait().unwrap().success());
    lab.stop();
}
