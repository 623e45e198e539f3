//! `septet serve --services`: what a lab's host serves, on the machine's own sockets.

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};

use crate::{lab, run, scratch, septet};

/// A server that goes when it is dropped.
pub(crate) struct Serving(pub(crate) Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Ports that nobody has just now.
pub(crate) fn free<const N: usize>() -> [u16; N] {
    let held: [TcpListener; N] = core::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    held.map(|listener| listener.local_addr().unwrap().port())
}

/// Waits until somebody listens there.
pub(crate) fn ready(port: u16) {
    let begun = std::time::Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(begun.elapsed().as_secs() < 20, "nobody listens on {port}");
        std::thread::yield_now();
    }
}

#[test]
fn the_services_of_a_lab_run_on_the_sockets_of_the_machine() {
    let [web, balancer, secure] = free();
    let dir = scratch("services");
    let path = lab(
        &dir,
        &format!(
            "[http]\nlisten = ['http://:{web}', 'https://localhost:{secure}']\nbody = '3kb'\nanswers = ['/no: 404']\n\
             [balancer]\nlisten = 'http://:{balancer}'\nto = '127.0.0.1:{web}'\n"
        ),
    );
    let ca = dir.join("ca.pem");
    let mut command = septet();
    command.args(["serve", "--sockets", "--services"]).arg(&path).arg("--ca").arg(&ca).stdout(Stdio::piped());
    let mut serving = Serving(command.spawn().unwrap());
    let said: Vec<String> =
        BufReader::new(serving.0.stdout.take().unwrap()).lines().take(2).map(Result::unwrap).collect();
    assert_eq!(said, [format!("http on {web}, {secure}"), format!("balancer on {balancer}")]);

    assert!(std::fs::read_to_string(&ca).unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
    for url in [
        format!("http://127.0.0.1:{web}/"),
        format!("http://127.0.0.1:{balancer}/"),
        format!("https://localhost:{secure}/"),
    ] {
        let ended = run(["program", "curl", "-s", "--retry", "5", "--retry-connrefused", "-k", &url]);
        assert_eq!((ended.code, ended.out.len()), (Some(0), 3072), "{url}: {}", ended.err);
    }
    let missing = format!("http://127.0.0.1:{balancer}/no");
    assert_eq!(run(["program", "curl", "-s", "-f", &missing]).code, Some(22));
}

#[test]
fn mistakes_in_a_file_of_services_are_shown_in_place() {
    let dir = scratch("services-wrong");
    let path = lab(&dir, "[http]\nbodi = '3kb'\n[balancer]\nlisten = 'http://:1'\nto = 'nobody.invalid:80'\n");
    let ended = run(["serve".as_ref(), "--sockets".as_ref(), "--services".as_ref(), path.as_os_str()]);
    assert_eq!(ended.code, Some(3), "{}", ended.err);
    assert!(ended.err.contains("`bodi`") && ended.err.contains("knows no host `nobody.invalid`"), "{}", ended.err);
}

/// A server by these arguments, and its lines on stderr as they come.
fn serving(args: &[&str]) -> (Serving, std::io::Lines<BufReader<std::process::ChildStderr>>) {
    let mut command = septet();
    command.arg("serve").args(args).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut serving = Serving(command.spawn().unwrap());
    let told = BufReader::new(serving.0.stderr.take().unwrap()).lines();
    (serving, told)
}

/// The first line that tells of `event`.
fn wait_for(told: &mut impl Iterator<Item = std::io::Result<String>>, event: &str) -> String {
    told.map(Result::unwrap).find(|line| line.contains(event)).unwrap_or_else(|| panic!("nothing tells of {event}"))
}

#[cfg(unix)]
fn signal(serving: &Serving, name: &str) {
    let kill = std::process::Command::new("kill").args([name, &serving.0.id().to_string()]).status().unwrap();
    assert!(kill.success());
}

/// A request on a connection that stays, and the head and the body of its answer.
fn ask(stream: &mut std::net::TcpStream) -> (String, usize) {
    use std::io::{Read, Write};
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        assert_eq!(stream.read(&mut byte).unwrap(), 1, "it ended in the head");
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let length = head.split_once("content-length: ").unwrap().1.lines().next().unwrap().parse().unwrap();
    stream.read_exact(&mut vec![0; length]).unwrap();
    (head, length)
}

#[cfg(unix)]
#[test]
fn a_reload_drops_no_connection_and_a_mistake_changes_nothing() {
    let [port, metrics] = free();
    let dir = scratch("services-reload");
    let config = |body: &str| {
        lab(&dir, &format!("[http]\nlisten = 'http://127.0.0.1:{port}'\nbody = {body}\nthink = '300ms'\n"))
    };
    let path = config("'1kb'");
    let at = format!("127.0.0.1:{metrics}");
    let (serving, mut told) = serving(&["http", "--config", path.to_str().unwrap(), "--log", "json", "--metrics", &at]);
    assert!(wait_for(&mut told, "\"started\"").contains("\"service\":\"http\""));
    let connect = || std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut before = connect();
    assert_eq!(ask(&mut before).1, 1024);

    // One is asked just before the reload, and answered by the old table after it.
    use std::io::Write;
    let mut asked = connect();
    asked.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel").unwrap();
    let mut probe = connect();
    assert_eq!(ask(&mut probe).1, 1024, "by now the other was taken as well");
    config("'2kb'");
    signal(&serving, "-HUP");
    wait_for(&mut told, "\"reloaded\"");
    let mut after = connect();
    assert_eq!(ask(&mut after).1, 2048);
    asked.write_all(b"lo").unwrap();
    let mut answer = Vec::new();
    std::io::Read::read_to_end(&mut asked, &mut answer).unwrap();
    let answer = String::from_utf8(answer).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.to_ascii_lowercase().contains("connection: close"),
        "{answer}"
    );
    assert!(answer.to_ascii_lowercase().contains("content-length: 1024"), "{answer}");
    // The one that waited for a request was let go in order.
    assert_eq!(std::io::Read::read(&mut before, &mut [0; 16]).unwrap(), 0);

    config("'rubbish'");
    signal(&serving, "-HUP");
    wait_for(&mut told, "\"reload.failed\"");
    assert_eq!(ask(&mut after).1, 2048, "all is as it was");
    let page = run(["program", "curl", "-s", &format!("http://{at}/metrics")]).out;
    for line in
        ["septet_reloads_total 1", "septet_reloads_failed_total 1", "septet_http_answers_total{number=\"200\"} 5"]
    {
        assert!(page.lines().any(|l| l == line), "no {line} in\n{page}");
    }

    // What is under way when it is to end is answered.
    after.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n").unwrap();
    signal(&serving, "-TERM");
    wait_for(&mut told, "\"stopping\"");
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err(), "nobody listens any more");
    after.write_all(b"x").unwrap();
    let mut answer = Vec::new();
    std::io::Read::read_to_end(&mut after, &mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    let mut serving = serving;
    assert_eq!(serving.0.wait().unwrap().code(), Some(0));
}

#[test]
fn flags_are_another_way_to_write_the_table() {
    let check = |args: &[&str]| run(["serve", "http", "--check"].into_iter().chain(args.iter().copied()));
    let ended = check(&["--listen", "http://127.0.0.1:8080"]);
    assert_eq!((ended.code, ended.out.trim()), (Some(0), "no mistakes"), "{}", ended.err);
    let ended = check(&["--listen", "gopher://x"]);
    assert_eq!(ended.code, Some(3), "{}", ended.err);
    assert!(ended.err.contains("the command line") && ended.err.contains("gopher://x"), "{}", ended.err);
    let missing = ["--listen", "https://127.0.0.1:8443", "--tls-cert", "/no/such.pem", "--tls-key", "/no/key.pem"];
    let ended = check(&missing);
    assert_eq!(ended.code, Some(3), "{}", ended.err);
    assert!(ended.err.contains("/no/such.pem cannot be read"), "{}", ended.err);
    let both = check(&["--listen", "http://:80", "--config", "x.toml"]);
    assert_eq!(both.code, Some(2), "{}", both.err);
}

#[test]
fn a_port_that_another_has_is_told() {
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = held.local_addr().unwrap();
    let ended = run(["serve", "http", "--listen", &format!("http://{at}")]);
    assert_eq!(ended.code, Some(4));
    assert!(ended.err.contains(&format!("cannot listen at {at}")), "{}", ended.err);
}
