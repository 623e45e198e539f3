//! Name servers on loopback: ours, and the judges, each with the zones of one directory.

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use hickory_proto::rr::RecordType;

use crate::{septet, wait_for};

/// A port of the loopback interface.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Port(pub(super) u16);

/// A port that nobody has just now, neither of TCP nor of UDP, and that the kernel gives to no client: below Linux's range
/// of those.
pub(super) fn free() -> Port {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 20_000).unwrap();
    loop {
        let port = 11_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() && UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            return Port(port);
        }
    }
}

/// A server that ends with the test.
pub(super) struct Server {
    child: Child,
    pub(super) port: Port,
}

impl Drop for Server {
    fn drop(&mut self) {
        // NSD ends its children only where it is asked to end.
        let asked = Command::new("kill").arg(self.child.id().to_string()).status();
        for _ in 0..if asked.is_ok() { 250 } else { 0 } {
            if !matches!(self.child.try_wait(), Ok(None)) {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Ours, with each zone from its file.
    pub(super) fn septet(dir: &Path, origins: &[&str]) -> Self {
        let files: String = origins.iter().map(|origin| format!("\"{origin}\" = '{origin}.zone'\n")).collect();
        Self::of_table(dir, "ours", free(), &format!("[dns.zone_files]\n{files}"))
    }

    /// Ours, with these tables, whose first line is the header of one.
    pub(super) fn of_table(dir: &Path, name: &str, port: Port, tables: &str) -> Self {
        let path = dir.join(format!("{name}.toml"));
        std::fs::write(&path, format!("[dns]\nlisten = '127.0.0.1:{}'\n{tables}", port.0)).unwrap();
        let mut command = septet();
        command.args(["serve", "--sockets", "--services"]).arg(&path).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said, format!("dns on {}\n", port.0));
        let server = Self { child, port };
        server.answers("no.such.zone.");
        server
    }

    /// Another's, that is told where its configuration is.
    pub(super) fn of(program: &Path, arguments: &[&str], port: Port, origin: &str) -> Self {
        let mut command = Command::new(program);
        command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null());
        let server = Self { child: command.spawn().unwrap(), port };
        server.answers(origin);
        server
    }

    /// Waits until it answers anything for `origin`.
    fn answers(&self, origin: &str) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(("127.0.0.1", self.port.0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let bytes = super::question(1, origin, RecordType::SOA, None);
        wait_for(Duration::from_secs(20), || socket.send(&bytes).is_ok() && socket.recv(&mut [0; 4096]).is_ok());
    }
}

/// Where a judge is; where it is missing the test says so and passes, unless `SEPTET_REQUIRE_JUDGES=1`.
pub(super) fn judge(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    let found = places.map(|place| place.join(program)).find(|path| path.is_file());
    if found.is_none() {
        let required = std::env::var_os("SEPTET_REQUIRE_JUDGES").is_some_and(|v| v == "1");
        assert!(!required, "{program} is not installed and SEPTET_REQUIRE_JUDGES=1");
        eprintln!("SKIPPED: {program} is not installed, so nobody judged");
    }
    found
}

/// NSD and Knot, with each zone from its file.
pub(super) struct Judges(pub(super) [Server; 2]);

impl Judges {
    pub(super) fn start(dir: &Path, origins: &[&str]) -> Option<Self> {
        let (nsd, knot) = (judge("nsd")?, judge("knotd")?);
        let zones = |form: fn(&str) -> String| origins.iter().map(|origin| form(origin)).collect::<String>();
        let nsd_zones = zones(|origin| format!("zone:\n  name: \"{origin}\"\n  zonefile: \"{origin}.zone\"\n"));
        let knot_zones = zones(|origin| format!("  - domain: {origin}\n    file: {origin}.zone\n"));
        let last = origins.last().copied().unwrap_or(".");
        let port = free();
        let knot_at = format!(
            "server:\n  listen: 127.0.0.1@{}\n  rundir: {dir}\ndatabase:\n  storage: {dir}/knot\ntemplate:\n  \
             - id: default\n    storage: {dir}\n    zonefile-sync: -1\n    journal-content: none\nzone:\n{knot_zones}",
            port.0,
            dir = dir.display()
        );
        let conf = dir.join("knot.conf");
        std::fs::write(&conf, knot_at).unwrap();
        let knot = Server::of(&knot, &["-c", conf.to_str().unwrap()], port, last);
        Some(Self([nsd_server(&nsd, dir, &nsd_zones, last), knot]))
    }
}

/// NSD with these zones.
pub(super) fn nsd_server(nsd: &Path, dir: &Path, zones: &str, last: &str) -> Server {
    let port = free();
    let text = format!(
        "server:\n  ip-address: 127.0.0.1@{}\n  zonesdir: \"{dir}\"\n  username: \"\"\n  database: \"\"\n  chroot: \"\"\n  \
         pidfile: \"{dir}/nsd.pid\"\n  xfrdfile: \"{dir}/xfrd\"\n  zonelistfile: \"{dir}/zone.list\"\n  \
         xfrdir: \"{dir}\"\n  server-count: 1\n  minimal-responses: no\n  refuse-any: no\nremote-control:\n  \
         control-enable: no\n{zones}",
        port.0,
        dir = dir.display()
    );
    let conf = dir.join("nsd.conf");
    std::fs::write(&conf, text).unwrap();
    Server::of(nsd, &["-d", "-c", conf.to_str().unwrap()], port, last)
}
