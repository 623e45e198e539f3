//! `septet serve http DIR`: files as browsers and download tools ask for them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};

use crate::{scratch, septet};

/// A server that goes when it is dropped.
struct Serving(Child, u16);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn serve(root: &Path, flags: &[&str]) -> (Serving, BufReader<std::process::ChildStderr>) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = septet();
    command.args(["serve", "http"]).arg(root).args(flags).args(["--listen", &format!("http://127.0.0.1:{port}")]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let told = BufReader::new(child.stderr.take().unwrap());
    assert_eq!(line, format!("http on {port}\n"));
    (Serving(child, port), told)
}

/// An answer: its status, its head, and its body.
struct Answer(u16, String, Vec<u8>);

impl Answer {
    fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.1.lines().filter_map(|line| line.split_once(": "));
        fields.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

fn ask(server: &Serving, request: &str, fields: &[(&str, &str)]) -> Answer {
    let mut stream = TcpStream::connect(("127.0.0.1", server.1)).unwrap();
    let fields: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    write!(stream, "{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{fields}\r\n").unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    let end = all.windows(4).position(|w| w == b"\r\n\r\n").expect("a head") + 4;
    let head = String::from_utf8(all[..end].to_vec()).unwrap();
    Answer(head[9..12].parse().unwrap(), head, all[end..].to_vec())
}

/// A directory with something to show and something to hide.
fn site(name: &str) -> std::path::PathBuf {
    let dir = scratch(name);
    let root = dir.join("root");
    for (path, text) in [
        ("secret.txt", "outside"),
        ("root/index.html", "<p>home"),
        ("root/a b.txt", "0123456789"),
        ("root/.env", "hidden"),
        ("root/.git/config", "hidden"),
        ("root/.well-known/x", "known"),
        ("root/sub/x.txt", "x"),
        ("root/noname", "\u{89}PNG"),
    ] {
        let path = dir.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    std::fs::write(root.join("noname"), b"\x89PNG\r\n\x1a\n0000").unwrap();
    let large: Vec<u8> = (0..3_000_000u32).map(|i| (i % 251) as u8).collect();
    std::fs::write(root.join("large.bin"), large).unwrap();
    std::os::unix::fs::symlink(dir.join("secret.txt"), root.join("out")).unwrap();
    std::os::unix::fs::symlink(&dir, root.join("outdir")).unwrap();
    std::os::unix::fs::symlink("a b.txt", root.join("within")).unwrap();
    root
}

#[test]
fn nothing_outside_of_the_directory_is_shown() {
    let root = site("files-confined");
    let (server, _told) = serve(&root, &["--listing"]);
    for (path, status) in [
        ("/", 200),
        ("/a%20b.txt", 200),
        ("/within", 200),
        ("/out", 404),
        ("/outdir/secret.txt", 404),
        // Where a link leads in the end is what counts.
        ("/outdir/root/a%20b.txt", 200),
        ("/../secret.txt", 400),
        ("/%2e%2e/secret.txt", 400),
        ("/sub/..%2f..%2fsecret.txt", 400),
        ("/sub/../a%20b.txt", 200),
        ("/%00", 400),
        ("/.env", 404),
        ("/.git/config", 404),
        ("/.well-known/x", 200),
        ("/sub", 301),
        ("/sub/", 200),
        ("/a%20b.txt/", 404),
        ("/no", 404),
    ] {
        let answer = ask(&server, &format!("GET {path}"), &[]);
        assert_eq!(answer.0, status, "{path}: {}", answer.1);
        let text = String::from_utf8_lossy(&answer.2);
        assert!(!text.contains("outside") && !text.contains("hidden"), "{path}: {text}");
    }
    assert_eq!(ask(&server, "GET /sub", &[]).field("location"), Some("/sub/"));
    let listing = String::from_utf8(ask(&server, "GET /sub/", &[]).2).unwrap();
    assert!(listing.contains("x.txt"), "{listing}");
    assert_eq!(ask(&server, "POST /a%20b.txt", &[("Content-Length", "0")]).0, 405);
    assert_eq!(ask(&server, "GET /noname", &[]).field("content-type"), Some("image/png"));
}

#[test]
fn a_directory_is_listed_only_where_that_is_wanted() {
    let root = site("files-unlisted");
    let (server, _told) = serve(&root, &[]);
    assert_eq!(ask(&server, "GET /sub/", &[]).0, 403);
    assert_eq!(ask(&server, "GET /", &[]).2, b"<p>home");
}

#[test]
fn conditions_and_ranges() {
    let root = site("files-ranges");
    let (server, _told) = serve(&root, &[]);
    for path in ["/a%20b.txt", "/large.bin"] {
        let whole = ask(&server, &format!("GET {path}"), &[]);
        let (etag, date) = (whole.field("etag").unwrap().to_owned(), whole.field("last-modified").unwrap().to_owned());
        let get = |fields: &[(&str, &str)]| ask(&server, &format!("GET {path}"), fields);
        for (fields, status) in [
            (&[("If-None-Match", etag.as_str())][..], 304),
            (&[("If-Modified-Since", &date)], 304),
            (&[("If-Match", "\"no\"")], 412),
            (&[("If-Match", &etag)], 200),
            (&[("If-Unmodified-Since", "Sun, 06 Nov 1994 08:49:37 GMT")], 412),
            (&[("Range", "bytes=2-4"), ("If-Range", &etag)], 206),
            (&[("Range", "bytes=2-4"), ("If-Range", "\"no\"")], 200),
            (&[("Range", "bytes=2-4"), ("If-Range", &date)], 206),
            (&[("Range", "bytes=99999999-")], 416),
        ] {
            assert_eq!(get(fields).0, status, "{path} {fields:?}");
        }
        let last = whole.2.len() - 3;
        let part = get(&[("Range", "bytes=-3")]);
        assert_eq!((part.0, &part.2[..]), (206, &whole.2[last..]));
        let parts = get(&[("Range", "bytes=1-2,-3")]);
        let kind = parts.field("content-type").unwrap();
        let boundary = kind.strip_prefix("multipart/byteranges; boundary=").unwrap();
        assert_eq!(parts.field("content-length"), Some(parts.2.len().to_string().as_str()));
        let holds = |bytes: &[u8]| parts.2.windows(bytes.len()).any(|w| w == bytes);
        assert!(holds(format!("--{boundary}\r\n").as_bytes()) && holds(format!("\r\n--{boundary}--\r\n").as_bytes()));
        assert!(holds(&[b"\r\n\r\n", &whole.2[1..3], b"\r\n--"].concat()));
        assert!(holds(&[b"\r\n\r\n", &whole.2[last..], b"\r\n--"].concat()));
    }
    let large = ask(&server, "GET /large.bin", &[]).2;
    assert!(large.len() == 3_000_000 && large.iter().enumerate().all(|(i, b)| *b == (i % 251) as u8));
    // A file that changes is shown as it is.
    std::fs::write(root.join("a b.txt"), "changed!").unwrap();
    assert_eq!(ask(&server, "GET /a%20b.txt", &[]).2, b"changed!");
}

#[test]
fn endpoints_and_the_access_log() {
    let root = site("files-log");
    let (server, mut told) = serve(&root, &["--endpoints", "--access-log", "combined"]);
    assert_eq!(ask(&server, "GET /bytes/12345", &[]).2.len(), 12_345);
    assert_eq!(ask(&server, "GET /status/418", &[]).0, 418);
    assert_eq!(ask(&server, "GET /delay/1", &[]).0, 200);
    let mut stream = TcpStream::connect(("127.0.0.1", server.1)).unwrap();
    stream.write_all(b"POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("\r\n\r\nhello"), "{answer}");
    ask(&server, "GET /a%20b.txt?q", &[("User-Agent", "a\"b"), ("Referer", "http://x/")]);
    let wanted = "\"GET /a%20b.txt?q HTTP/1.1\" 200 10 \"http://x/\" \"a\\x22b\"";
    let mut line = String::new();
    while !line.contains(wanted) {
        line.clear();
        assert!(told.read_line(&mut line).unwrap() > 0, "no line has {wanted}");
    }
    assert!(line.starts_with("127.0.0.1 - - ["), "{line}");
}
