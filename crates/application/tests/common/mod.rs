//! What the tests over the kernel's sockets share.
#![allow(dead_code, unreachable_pub)]

use core::time::Duration;
use std::net::SocketAddr;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use septet_application::programs::{self, Captured, Context};
use septet_live::kernel::KernelNet;
use septet_presentation::ca::{Authority, KeySource, TrustStore};
use septet_socket::{BoxFuture, NetExt, NetRef, Note, TcpOptions};

/// The kernel's network, with name servers as given.
pub fn net(name_servers: &[SocketAddr]) -> NetRef {
    KernelNet::new().unwrap().with_name_servers(name_servers.to_vec()).with_search_domains(vec![]).into_net()
}

/// The kernel's network, and everything that is noted on it.
pub fn traced_net(name_servers: &[SocketAddr]) -> (NetRef, Arc<Mutex<Vec<Note>>>) {
    let notes = Arc::new(Mutex::new(Vec::new()));
    let heard = notes.clone();
    let net = KernelNet::new()
        .unwrap()
        .with_name_servers(name_servers.to_vec())
        .on_note(move |n| heard.lock().unwrap().push(n));
    (net.into_net(), notes)
}

/// An address on loopback where nobody listens, with neither UDP nor TCP.
pub fn free_address() -> SocketAddr {
    loop {
        let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let at = tcp.local_addr().unwrap();
        if std::net::UdpSocket::bind(at).is_ok() {
            return at;
        }
    }
}

/// Starts a service and waits until its port answers.
pub async fn start(net: &NetRef, at: SocketAddr, service: BoxFuture<'static, std::io::Result<()>>) {
    let _ = net.spawn(Box::pin(async move { panic!("the service ended: {:?}", service.await) }));
    for _ in 0..500 {
        if net.connect(at, TcpOptions::default()).await.is_ok() {
            return;
        }
        net.sleep(Duration::from_millis(10)).await;
    }
    panic!("nothing listens at {at}");
}

pub fn authority(net: &NetRef) -> Authority {
    Authority::new(KeySource::System, net.unix_time()).unwrap()
}

/// What a program of ours printed, and how it ended.
#[derive(Debug)]
pub struct Ran {
    pub code: u8,
    pub out: String,
    pub err: String,
}

/// Runs one of our programs.
pub async fn ours(net: &NetRef, trust: &TrustStore, line: &str) -> Ran {
    ours_with(net, trust, line, &Captured::default()).await
}

/// Runs one of our programs with a console of the caller's.
pub async fn ours_with(net: &NetRef, trust: &TrustStore, line: &str, console: &Captured) -> Ran {
    let context = Context { net: net.clone(), console: Arc::new(console.clone()), trust: trust.clone() };
    let code = programs::launch(context, programs::split(line).unwrap()).await;
    Ran { code, out: console.output(), err: console.errors() }
}

/// Runs a real program with the words of `line`; `None` where the machine has none such, unless
/// `SEPTET_REQUIRE_JUDGES=1` makes that a failure.
pub async fn judge(line: &str) -> Option<Output> {
    let words = programs::split(line).unwrap();
    let result = tokio::task::spawn_blocking(move || Command::new(&words[0]).args(&words[1..]).output()).await.unwrap();
    match result {
        Ok(output) => Some(output),
        Err(e) => {
            let tool = line.split(' ').next().unwrap_or_default();
            assert!(std::env::var_os("SEPTET_REQUIRE_JUDGES").is_none_or(|v| v != "1"), "{tool} is required: {e}");
            eprintln!("SKIPPED: {tool} cannot be run: {e}");
            None
        }
    }
}

/// A file that is gone at the end of the test.
pub struct TempFile(pub std::path::PathBuf);

impl TempFile {
    pub fn new(name: &str, content: &[u8]) -> Self {
        let path = std::env::temp_dir().join(format!("septet-{}-{name}", std::process::id()));
        std::fs::write(&path, content).unwrap();
        Self(path)
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
