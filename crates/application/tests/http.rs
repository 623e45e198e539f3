//! HTTP on the kernel's sockets: our client and the real curl, against our server.

mod common;

use core::time::Duration;

use bytes::Bytes;
use common::{TempFile, authority, free_address, judge, net, ours, ours_with, start, traced_net};
use http::header::CONTENT_ENCODING;
use http::{HeaderValue, StatusCode};
use septet_application::http::{About, Answer, Content, Page, Rule, Server, Site};
use septet_application::programs::Captured;
use septet_presentation::ca::TrustStore;
use septet_presentation::compression::Coding;
use septet_socket::{NetExt, NetRef};

fn site() -> Site {
    Site::new(Page::pattern(20_000))
        .page("/hello", Page::new(Content::Bytes(Bytes::from_static(b"hello\n")), "text/plain"))
        .page("/big", Page::pattern(5_000_000))
        .page("/gone", Page::new(Content::Bytes("gone\n".into()), "text/plain").with_status(StatusCode::GONE))
}

/// The addresses of a plain and a TLS server, and the authority's root.
async fn serve(net: &NetRef) -> (std::net::SocketAddr, std::net::SocketAddr, TrustStore, String) {
    let authority = authority(net);
    let (plain, secure) = (free_address(), free_address());
    let identity = authority.issue(&["www.shop.test", "127.0.0.1"]).unwrap();
    let server = Server::new(site()).listen(plain).listen_tls(secure, identity);
    start(net, secure, Box::pin(server.serve(net.clone()))).await;
    (plain, secure, authority.trust_store(), authority.root_pem().to_owned())
}

#[tokio::test]
async fn our_curl_over_http_1_and_2() {
    let net = net(&[]);
    let (plain, secure, trust, _) = serve(&net).await;

    let ran = ours(&net, &trust, &format!("curl -i http://{plain}/hello")).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.starts_with("HTTP/1.1 200 OK\r\nEtag: "), "{}", ran.out);
    assert!(ran.out.contains("\r\nContent-Length: 6\r\n") && ran.out.ends_with("\r\n\r\nhello\n"), "{}", ran.out);

    let resolve = format!("--resolve www.shop.test:{}:127.0.0.1", secure.port());
    let url = format!("https://www.shop.test:{}", secure.port());
    let ran = ours(
        &net,
        &trust,
        &format!("curl -v {resolve} {url}/big -o /dev/null -w '%{{http_version}} %{{size_download}}'"),
    )
    .await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "2 5000000"), "{}", ran.err);
    for line in [
        "*   Trying 127.0.0.1:",
        "* ALPN: server accepted h2\n",
        "> GET /big HTTP/2\n> host: www.shop.test",
        "< HTTP/2 200 \n",
    ] {
        assert!(ran.err.contains(line), "{line}: {}", ran.err);
    }

    let ran = ours(&net, &trust, &format!("curl -I {resolve} --http1.1 {url}/big")).await;
    assert!(ran.out.starts_with("HTTP/1.1 200 OK\r\n") && ran.out.contains("Content-Length: 5000000\r\n"), "{ran:?}");
    let ran = ours(&net, &trust, &format!("curl -s -d a=b -d c=d {resolve} {url}/hello -w %{{size_upload}}")).await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "hello\n7"));
}

#[tokio::test]
async fn our_curl_knows_what_went_wrong() {
    let net = net(&[]);
    let (plain, secure, trust, root) = serve(&net).await;
    let nobody = free_address();
    let console = Captured::default();
    console.put_file("ca.pem", root);
    for (line, code) in [
        (format!("curl https://127.0.0.1:{}/hello", secure.port()), 0),
        (format!("curl --cacert ca.pem https://127.0.0.1:{}/hello", secure.port()), 0),
        ("curl".into(), 2),
        ("curl --nope x".into(), 2),
        ("curl gopher://x".into(), 1),
        ("curl http://".into(), 3),
        ("curl http://nowhere.test/".into(), 6),
        (format!("curl http://{nobody}/"), 7),
        (format!("curl -f http://{plain}/gone"), 22),
        (format!("curl http://{plain}/gone"), 0),
        (format!("curl -o sub http://{plain}/ -m 0.000001"), 28),
        (format!("curl https://{plain}/"), 35),
        (format!("curl https://localhost:{}/", secure.port()), 60),
        (format!("curl -k https://localhost:{}/", secure.port()), 0),
        (format!("curl --cacert none https://{secure}/"), 77),
        (format!("curl http://{secure}/"), 52),
    ] {
        let ran = ours_with(&net, &trust, &line, &console).await;
        // A TLS server answers plain HTTP with an alert, which is no HTTP either.
        let code = if code == 52 && ran.code == 56 { 56 } else { code };
        assert_eq!(ran.code, code, "{line}: {}", ran.err);
    }
    let stranger = TrustStore::empty();
    let ran = ours(&net, &stranger, &format!("curl https://{secure}/")).await;
    assert_eq!(ran.code, 60, "{}", ran.err);
    assert!(ran.err.starts_with("curl: (60) SSL certificate problem: "), "{}", ran.err);
}

#[tokio::test]
async fn repeated_transfers_are_paced_checked_and_counted() {
    let net = net(&[]);
    let (plain, secure, trust, _) = serve(&net).await;
    let begun = net.now();
    let ran = ours(&net, &trust, &format!("curl http://{plain}/ --repeat 5 --interval 20ms")).await;
    assert_eq!(ran.code, 0);
    assert!(net.now() - begun >= Duration::from_millis(80));
    assert!(ran.out.contains("5 ok, 0 failed, 100000 bytes"), "{}", ran.out);
    let ran = ours(&net, &trust, &format!("curl -k https://{secure}/ --repeat 40 --parallel --parallel-max 8")).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let count = |name: &str| net.recorder().series(name).map_or(0, |s| s.count());
    assert_eq!((count("http.ok"), count("http.error"), count("http.status.200"), count("http.time")), (45, 0, 45, 45));
    assert_eq!(net.recorder().series("http.bytes").unwrap().sum(), 900_000.0);
    let gone = ours(&net, &trust, &format!("curl http://{plain}/gone --repeat 2")).await;
    assert_eq!((gone.code, count("http.error"), count("http.status.410")), (0, 2, 2));
}

#[tokio::test]
async fn a_short_or_changed_body_is_noticed() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let net = net(&[]);
    for (response, code) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort", 18),
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\nrepr-digest: sha-256=:AAAA:\r\n\r\nhello", 56),
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", 0),
        ("", 52),
    ] {
        let listener = net.listen("127.0.0.1:0".parse().unwrap(), Default::default()).unwrap();
        let at = listener.local_addr().unwrap();
        let _ = net.spawn(Box::pin(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buf = [0; 1024];
            assert!(stream.read(&mut buf).await.unwrap() > 0);
            stream.write_all(response.as_bytes()).await.unwrap();
        }));
        let ran = ours(&net, &TrustStore::empty(), &format!("curl http://{at}/ --repeat 1")).await;
        assert_eq!(ran.code, code, "{response}: {}", ran.err);
    }
    assert_eq!(net.recorder().series("http.corrupt").unwrap().count(), 1);
}

/// What comes back over one connection for what is sent in these pieces, until the server closes or falls silent.
async fn raw(net: &NetRef, at: std::net::SocketAddr, pieces: &[&str]) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = net.connect(at, Default::default()).await.unwrap();
    for piece in pieces {
        stream.write_all(piece.as_bytes()).await.unwrap();
        net.sleep(Duration::from_millis(30)).await;
    }
    let mut text = Vec::new();
    let _ = net.timeout(Duration::from_millis(300), stream.read_to_end(&mut text)).await;
    String::from_utf8(text).unwrap()
}

/// The status lines, and what follows the last head.
fn gist(text: &str) -> (Vec<&str>, &str) {
    (text.lines().filter(|l| l.starts_with("HTTP/")).collect(), text.rsplit("\r\n\r\n").next().unwrap())
}

#[tokio::test]
async fn http_1_by_hand() {
    let net = net(&[]);
    let (plain, ..) = serve(&net).await;
    let get = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
    let ok = "HTTP/1.1 200 OK";
    let bad = "HTTP/1.1 400 Bad Request";
    for (pieces, statuses, end) in [
        (&[get][..], &[ok][..], "hello\n"),
        (&["GET /hel", "lo HTTP/1.1\r\nHo", "st: a\r\n\r", "\n"], &[ok], "hello\n"),
        (&[get, get], &[ok, ok], "hello\n"),
        (&[&get.repeat(3)], &[ok, ok, ok], "hello\n"),
        (&["\r\n\r\n", get], &[ok], "hello\n"),
        (&["GET /hello HTTP/1.0\r\n\r\n"], &[ok], "hello\n"),
        (&["POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab", &format!("c{get}")], &[ok, ok], "hello\n"),
        (
            &["POST /hello HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "0\r\n\r\n", get],
            &[ok, ok],
            "hello\n",
        ),
        (
            &["PUT /hello HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n", "x"],
            &["HTTP/1.1 100 Continue", ok],
            "hello\n",
        ),
        (&["HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n"], &[ok], ""),
        (&["GET /hello HTTP/1.1\r\n\r\n", get], &[bad], "400 Bad Request\n"),
        (&["nonsense\r\n\r\n"], &[bad], "400 Bad Request\n"),
        (&["POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"], &[bad], "400 Bad Request\n"),
        (
            &[&format!("GET / HTTP/1.1\r\nHost: a\r\nA: {}", "x".repeat(70_000))],
            &["HTTP/1.1 431 Request Header Fields Too Large"],
            "431 Request Header Fields Too Large\n",
        ),
    ] {
        let text = raw(&net, plain, pieces).await;
        assert_eq!(gist(&text), (statuses.to_vec(), end), "{pieces:.200?}");
    }
    let text = raw(&net, plain, &["GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"]).await;
    assert!(text.contains("\r\nConnection: keep-alive\r\n"), "{text}");
    let text = raw(&net, plain, &["GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"]).await;
    assert!(text.contains("\r\nConnection: close\r\n"), "{text}");
}

#[tokio::test]
async fn the_flights_of_tls_are_noted() {
    let (net, notes) = traced_net(&[]);
    let (_, secure, trust, _) = serve(&net).await;
    notes.lock().unwrap().clear();
    assert_eq!(ours(&net, &trust, &format!("curl https://{secure}/hello")).await.code, 0);
    let notes = notes.lock().unwrap().clone();
    let story: Vec<_> = notes
        .iter()
        .filter(|n| n.kind.starts_with("tls."))
        .map(|n| format!("{} {}", n.kind, n.fields.get("way").map(ToString::to_string).unwrap_or_default()))
        .collect();
    for moment in [
        "tls.client-hello sent",
        "tls.client-hello received",
        "tls.server-hello sent",
        "tls.server-hello received",
        "tls.certificate sent",
        "tls.certificate received",
        "tls.finished ",
    ] {
        assert!(story.iter().any(|s| s == moment), "{moment}: {story:?}");
    }
    let finished = notes.iter().find(|n| n.kind == "tls.finished").unwrap();
    assert_eq!(finished.fields.get("version").unwrap().to_string(), "TLS 1.3");
    assert_eq!(finished.fields.get("alpn").unwrap().to_string(), "h2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_are_compressed_for_who_asks() {
    let net = net(&[]);
    let text = "to be or not to be, that is the question\n".repeat(2000);
    let liar = Answer { headers: vec![(CONTENT_ENCODING, HeaderValue::from_static("gzip"))], ..Answer::default() };
    let about = About { path: Some("/lie".to_owned()), ..About::default() };
    let site = Site::empty()
        .page("/text", Page::new(Content::Bytes(text.clone().into()), "text/plain"))
        .page("/lie", Page::new(Content::Bytes(Bytes::from_static(b"no gzip\n")), "text/plain"))
        .page("/empty", Page::pattern(0))
        .answers(vec![Rule { text: "a lie".to_owned(), about, share: 1.0, answer: liar }])
        .compress(Coding::ALL.to_vec());
    let at = free_address();
    start(&net, at, Box::pin(Server::new(site).listen(at).serve(net.clone()))).await;
    let trust = TrustStore::empty();
    for coding in Coding::ALL.map(Coding::name) {
        let line =
            format!("curl -s --compressed -H 'Accept-Encoding: {coding}' http://{at}/text -w %{{size_download}}");
        let ran = ours(&net, &trust, &line).await;
        let (body, size) = ran.out.split_at(text.len().min(ran.out.len()));
        assert!(ran.code == 0 && body == text, "{coding}: {} {}", ran.code, ran.err);
        assert!(size.parse::<usize>().unwrap() < text.len() / 10, "{coding}: {size} bytes came");
        let head = ours(&net, &trust, &format!("curl -sI -H 'Accept-Encoding: {coding}' http://{at}/text")).await.out;
        assert!(head.contains(&format!("\r\nContent-Encoding: {coding}\r\n")), "{head}");
        assert!(head.contains(&format!("\r\nContent-Length: {size}\r\n")), "{head}");
        assert!(head.to_ascii_lowercase().contains("\r\nvary: accept-encoding\r\n"), "{head}");
    }
    // Nobody asked: it comes as it is, and says that it might have come otherwise.
    let head = ours(&net, &trust, &format!("curl -sI http://{at}/text")).await.out;
    assert!(
        !head.contains("Content-Encoding") && head.to_ascii_lowercase().contains("vary: accept-encoding"),
        "{head}"
    );
    let tag = |head: &str| head.lines().find(|line| line.starts_with("Etag")).map(str::to_owned);
    let packed = ours(&net, &trust, &format!("curl -sI --compressed http://{at}/text")).await.out;
    assert!(tag(&head).is_some() && tag(&head) != tag(&packed), "each representation has a tag of its own");
    assert_eq!(ours(&net, &trust, &format!("curl -s --compressed http://{at}/empty")).await.code, 0);
    let ran = ours(&net, &trust, &format!("curl -sS --compressed http://{at}/lie -H 'Accept-Encoding:'")).await;
    assert_eq!(ran.code, 61);
    assert!(ran.err.contains("byte 0 of the gzip data: this is no gzip"), "{}", ran.err);
    for coding in ["gzip", "deflate"] {
        let line = format!("curl -sS --compressed -H 'Accept-Encoding: {coding}' http://{at}/text");
        let Some(output) = judge(&line).await else { return };
        assert!(output.stdout == text.as_bytes(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_real_curl() {
    let net = net(&[]);
    let (plain, secure, _, root) = serve(&net).await;
    let ca = TempFile::new("ca.pem", root.as_bytes());
    let ca = ca.0.display();
    let resolve = format!("--resolve www.shop.test:{}:127.0.0.1", secure.port());
    let url = format!("https://www.shop.test:{}", secure.port());
    let format = "-w '%{http_version} %{http_code} %{size_download} %{ssl_verify_result}'";
    for (line, want) in [
        (format!("curl -sS -o /dev/null {format} http://{plain}/big"), "1.1 200 5000000 0"),
        (format!("curl -sS -o /dev/null {format} --cacert {ca} {resolve} {url}/big"), "2 200 5000000 0"),
        (format!("curl -sS -o /dev/null {format} --cacert {ca} {resolve} --http1.1 {url}/"), "1.1 200 20000 0"),
        (format!("curl -sS -o /dev/null {format} --cacert {ca} {resolve} --tls-max 1.2 {url}/"), "2 200 20000 0"),
        (format!("curl -sS -o /dev/null {format} --cacert {ca} https://{secure}/"), "2 200 20000 0"),
        (format!("curl -sS -r 10-19 -o /dev/null {format} http://{plain}/"), "1.1 206 10 0"),
        (format!("curl -sS -d x=y {format} http://{plain}/hello"), "hello\n1.1 200 6 0"),
        (format!("curl -sS -I -o /dev/null {format} http://{plain}/"), "1.1 200 0 0"),
    ] {
        let Some(output) = judge(&line).await else { return };
        assert_eq!(String::from_utf8_lossy(&output.stdout), want, "{line}: {output:?}");
    }
    // Without our root it refuses.
    let Some(output) = judge(&format!("curl -sS {resolve} {url}/")).await else { return };
    assert_eq!(output.status.code(), Some(60));
    // Over one connection.
    let many = format!("{url}/ ").repeat(3);
    let Some(output) =
        judge(&format!("curl -sS -v -o /dev/null -o /dev/null -o /dev/null --cacert {ca} {resolve} {many}")).await
    else {
        return;
    };
    assert_eq!(
        String::from_utf8_lossy(&output.stderr).matches("Re-using existing connection").count(),
        2,
        "{output:?}"
    );
}
