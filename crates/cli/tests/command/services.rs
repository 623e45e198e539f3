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
