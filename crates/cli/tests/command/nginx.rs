//! Odd and hostile requests to `septet serve http` and to nginx beside it, with the same files: the class of the first status, and
//! whether the connection stays.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::{scratch, septet};

/// A process that goes when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn nginx(dir: &Path, port: u16) -> Option<Running> {
    let path =
        ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/bin/nginx"].into_iter().find(|p| Path::new(p).exists())?;
    let at = dir.display();
    let config = format!(
        "daemon off; master_process off; pid {at}/nginx.pid; error_log {at}/error.log;\n\
         events {{}}\n\
         http {{ access_log off; default_type text/plain;\n\
         client_body_temp_path {at}/body; proxy_temp_path {at}/proxy; fastcgi_temp_path {at}/fastcgi;\n\
         uwsgi_temp_path {at}/uwsgi; scgi_temp_path {at}/scgi;\n\
         server {{ listen 127.0.0.1:{port}; root {at}/root; }} }}\n"
    );
    std::fs::write(dir.join("nginx.conf"), config).unwrap();
    let mut command = Command::new(path);
    command.arg("-p").arg(dir).arg("-c").arg(dir.join("nginx.conf")).stdout(Stdio::null()).stderr(Stdio::null());
    let running = Running(command.spawn().ok()?);
    crate::wait_for(Duration::from_secs(10), || TcpStream::connect(("127.0.0.1", port)).is_ok());
    TcpStream::connect(("127.0.0.1", port)).ok().map(|_| running)
}

/// The class of the first status that is final, and whether the connection is closed; 0 where nothing is said.
fn talk(port: u16, bytes: &[u8]) -> (u16, bool) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    // A server that has refused early may have stopped reading.
    let _ = stream.write_all(bytes);
    let (mut all, mut piece) = (Vec::new(), [0; 4096]);
    let closed = loop {
        match stream.read(&mut piece) {
            Ok(0) => break true,
            Ok(n) => all.extend_from_slice(&piece[..n]),
            Err(e) if matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => break false,
            Err(_) => break true,
        }
    };
    let text = String::from_utf8_lossy(&all).into_owned();
    let statuses = text.split("HTTP/1.1 ").skip(1).filter_map(|rest| rest.get(..3)?.parse::<u16>().ok());
    (statuses.map(|status| status / 100).find(|class| *class > 1).unwrap_or(0), closed)
}

fn requests() -> Vec<(&'static str, Vec<u8>)> {
    let get = |fields: &str| format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n").into_bytes();
    let line = |line: &str| format!("{line}\r\nHost: a\r\n\r\n").into_bytes();
    let long = |n| "a".repeat(n);
    vec![
        ("plain", get("")),
        ("twice", [get(""), get("")].concat()),
        ("bare LF", b"GET / HTTP/1.1\nHost: a\n\n".to_vec()),
        ("NUL in a value", get("X: a\0b\r\n")),
        ("blank before the colon", get("X : y\r\n")),
        ("no host", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("two hosts", get("Host: a\r\n")),
        ("a host with a blank", b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n".to_vec()),
        ("an empty host", b"GET / HTTP/1.1\r\nHost:\r\n\r\n".to_vec()),
        ("HTTP/1.0", b"GET / HTTP/1.0\r\n\r\n".to_vec()),
        ("HTTP/1.0 that stays", b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n".to_vec()),
        ("absolute", line("GET http://b/ HTTP/1.1")),
        ("CONNECT", line("CONNECT b:80 HTTP/1.1")),
        ("TRACE", line("TRACE / HTTP/1.1")),
        ("lower case", line("get / HTTP/1.1")),
        ("HTTP/9.9", line("GET / HTTP/9.9")),
        ("no slash", line("GET foo HTTP/1.1")),
        ("above the root", line("GET /../../etc/passwd HTTP/1.1")),
        ("above the root, coded", line("GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1")),
        ("NUL in the path", line("GET /%00 HTTP/1.1")),
        ("an escape that is none", line("GET /%zz HTTP/1.1")),
        ("nothing there", line("GET /no HTTP/1.1")),
        ("a directory", line("GET /sub HTTP/1.1")),
        ("a directory that is not listed", line("GET /sub/ HTTP/1.1")),
        ("a long target", line(&format!("GET /{} HTTP/1.1", long(9_000)))),
        ("a long field", get(&format!("X: {}\r\n", long(60_000)))),
        ("close", get("Connection: close\r\n")),
        ("a part", get("Range: bytes=0-1\r\n")),
        ("a part that is not there", get("Range: bytes=999999-\r\n")),
        ("parts", get("Range: bytes=0-1,3-4\r\n")),
        ("another unit", get("Range: lines=0-1\r\n")),
        ("known", get("If-None-Match: *\r\n")),
        ("another", get("If-Match: \"x\"\r\n")),
        ("unchanged since then", get("If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT\r\n")),
        ("changed since then", get("If-Unmodified-Since: Sat, 01 Jan 2000 00:00:00 GMT\r\n")),
        (
            "length and chunks",
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_vec(),
        ),
        (
            "chunked twice",
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
                .to_vec(),
        ),
        ("another coding", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n".to_vec()),
        ("two lengths", get("Content-Length: 0\r\nContent-Length: 0\r\n")),
        ("a length that is none", get("Content-Length: +5\r\n")),
        ("2^64", get("Content-Length: 18446744073709551616\r\n")),
        ("2 MB", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\nx".to_vec()),
        ("TLS", vec![0x16, 3, 1, 2, 0, 1]),
        ("empty lines", [b"\r\n\r\n".to_vec(), get("")].concat()),
        ("half a word", b"GET / HT".to_vec()),
    ]
}

/// Where we mean to differ, and why.
const OURS: &[(&str, &str)] = &[
    ("CONNECT", "the request was read whole, and where the next one begins is known: there is no need to close"),
    ("TRACE", "likewise"),
    ("another", "likewise: 412"),
    ("changed since then", "likewise: 412"),
    (
        "unchanged since then",
        "RFC 9110 §13.1.3: earlier or equal; nginx by default takes the same date alone (`if_modified_since exact`)",
    ),
    (
        "2 MB",
        "a body that is refused is not read, so that nothing tells where the next request begins; nginx waits for it",
    ),
];

#[test]
fn odd_requests_are_answered_as_nginx_answers_them() {
    let dir = scratch("nginx");
    std::fs::create_dir_all(dir.join("root/sub")).unwrap();
    std::fs::write(dir.join("root/index.html"), "0123456789").unwrap();
    std::fs::write(dir.join("root/sub/x"), "x").unwrap();
    let (theirs, ours) = (free(), free());
    let Some(_nginx) = nginx(&dir, theirs) else {
        eprintln!("SKIPPED: nginx is not installed here, or does not start");
        return;
    };
    let mut command = septet();
    command.args(["serve", "http"]).arg(dir.join("root")).args(["--listen", &format!("http://127.0.0.1:{ours}")]);
    let mut serving = Running(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    BufReader::new(serving.0.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();

    let asked = requests().into_iter().map(|(name, bytes)| {
        std::thread::spawn(move || {
            let (a, b) = std::thread::scope(|scope| {
                let theirs = scope.spawn(|| talk(theirs, &bytes));
                (talk(ours, &bytes), theirs.join().unwrap())
            });
            (name, a, b)
        })
    });
    let asked: Vec<_> = asked.collect();
    let mut wrong = Vec::new();
    for thread in asked {
        let (name, ours, theirs) = thread.join().unwrap();
        let meant = OURS.iter().any(|(known, _)| *known == name);
        if (ours != theirs) != meant {
            wrong.push(format!("{name}: ours {ours:?}, nginx {theirs:?}"));
        }
    }
    assert!(wrong.is_empty(), "class and whether it is closed:\n{}", wrong.join("\n"));
}
