//! Tests in the shape in which they are written for turmoil 0.7, in our words. What differs from a turmoil version is numbered
//! where it stands: five lines in the first, six in the second and in the third.

// 1: `use septet::net` for `turmoil::net`.
use septet::net::{TcpListener, TcpStream};
// 2: `use septet::test` for `turmoil`.
use septet::test::{World, partition, repair};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// One connection, and two words that go to and fro on it.
#[test]
// 3: `septet::test::Result` for `turmoil::Result`.
fn to_and_fro() -> septet::test::Result {
    // 4: `World::new()` for `Builder::new().build()`.
    let mut sim = World::new();

    sim.host("server", || async {
        let listener = TcpListener::bind((IpAddr::from(Ipv4Addr::UNSPECIFIED), 1738)).await?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            let mut word = [0; 4];
            stream.read_exact(&mut word).await?;
            assert_eq!(&word, b"this");
            stream.write_all(b"that").await?;
        }
    });

    sim.client("client", async {
        let mut stream = TcpStream::connect(("server", 1738)).await?;
        stream.write_all(b"this").await?;
        let mut word = [0; 4];
        stream.read_exact(&mut word).await?;
        assert_eq!(&word, b"that");
        Ok(())
    });

    // 5: what went wrong is turned into any error.
    Ok(sim.run()?)
}

/// A client that loses its server for a while, by its own doing.
#[test]
fn until_it_is_repaired() -> septet::test::Result {
    let mut sim = World::new();
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:80").await?;
        loop {
            listener.accept().await?;
        }
    });
    sim.client("client", async {
        partition("client", "server");
        // 6: `septet::time` for `tokio::time`: no runtime of tokio's stands behind it.
        let refused = septet::time::timeout(Duration::from_secs(1), TcpStream::connect("server:80")).await;
        assert!(refused.is_err());
        repair("client", "server");
        TcpStream::connect("server:80").await?;
        Ok(())
    });
    Ok(sim.run()?)
}

/// A web service behind hyper, as turmoil's example has one behind axum.
#[test]
fn a_web_service() -> septet::test::Result {
    use http_body_util::{BodyExt as _, Empty, Full};
    use hyper::body::Bytes;
    // 5: what stands in the place of `hyper_util::rt::TokioIo`.
    use septet::hyper::HostIo;

    let mut sim = World::new();
    sim.host("server", || async {
        let listener = TcpListener::bind((IpAddr::from(Ipv4Addr::UNSPECIFIED), 9999)).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            // 6: `septet::task::spawn` for `tokio::spawn`.
            septet::task::spawn(async move {
                let greet = hyper::service::service_fn(|request: hyper::Request<hyper::body::Incoming>| async move {
                    let name = request.uri().path().trim_start_matches("/greet/").to_owned();
                    Ok::<_, hyper::Error>(hyper::Response::new(Full::new(Bytes::from(format!("Hello {name}!")))))
                });
                hyper::server::conn::http1::Builder::new().serve_connection(HostIo::new(stream), greet).await
            });
        }
    });
    sim.client("client", async {
        let stream = TcpStream::connect("server:9999").await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(HostIo::new(stream)).await?;
        // 6, once more.
        septet::task::spawn(connection);
        let request = hyper::Request::get("/greet/foo").header("host", "server").body(Empty::<Bytes>::new())?;
        let answer = sender.send_request(request).await?.into_body().collect().await?.to_bytes();
        assert_eq!(answer, "Hello foo!");
        Ok(())
    });
    Ok(sim.run()?)
}
