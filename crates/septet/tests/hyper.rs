//! A hyper server and client, over HTTP/1.1 and HTTP/2, through losses, a crash and a cut, with many seeds.

use core::convert::Infallible;
use core::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use septet::hyper::{HostExecutor, HostIo, HostTimer};
use septet::net::{TcpListener, TcpStream};
use septet::test::World;
use septet::time::{sleep, timeout};

type Done<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let Ok(body) = request.into_body().collect().await else { return Ok(Response::new(Full::default())) };
    let body = [path.as_bytes(), b" ", &body.to_bytes()].concat();
    Ok(Response::new(Full::new(body.into())))
}

async fn serve_http1() -> Done {
    let listener = TcpListener::bind("0.0.0.0:80").await?;
    loop {
        let (stream, _) = listener.accept().await?;
        septet::task::spawn(async move {
            let service = hyper::service::service_fn(answer);
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(HostTimer)
                .header_read_timeout(Duration::from_secs(5))
                // The machine's clock is not the world's.
                .auto_date_header(false)
                .serve_connection(HostIo::new(stream), service);
            // A connection that the network broke is the client's to complain of.
            let _ = connection.await;
        });
    }
}

async fn serve_http2() -> Done {
    let listener = TcpListener::bind("0.0.0.0:81").await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        septet::task::spawn(async move {
            let service = hyper::service::service_fn(answer);
            let mut http2 = hyper::server::conn::http2::Builder::new(HostExecutor);
            let _ = http2.timer(HostTimer).auto_date_header(false).serve_connection(HostIo::new(stream), service).await;
        });
    }
}

/// One request on a connection of its own.
async fn ask_http1(path: &str, body: &'static [u8]) -> Done<Bytes> {
    let stream = TcpStream::connect("server:80").await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(HostIo::new(stream)).await?;
    septet::task::spawn(async move { connection.await.map_err(|_| ()) });
    let request = Request::post(path).header("host", "server").body(Full::new(Bytes::from_static(body)))?;
    Ok(sender.send_request(request).await?.into_body().collect().await?.to_bytes())
}

#[septet::test(seeds = 20)]
fn every_request_is_answered_in_the_end() -> septet::test::Result {
    let mut world = World::builder().latency(Duration::from_millis(20)).loss("3%").build();
    world.host("server", serve_http1);
    world.client("client", async {
        for n in 0..10 {
            let path = format!("/{n}");
            // The server crashes in the midst of it: who wants an answer asks again.
            let answer = loop {
                match timeout(Duration::from_secs(3), ask_http1(&path, b"hello")).await {
                    Ok(Ok(answer)) => break answer,
                    Ok(Err(_)) | Err(_) => sleep(Duration::from_millis(200)).await,
                }
            };
            assert_eq!(answer, format!("/{n} hello"));
            sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    });
    world.run_until(Duration::from_millis(700))?;
    world.crash("server");
    world.run_for(Duration::from_secs(1))?;
    world.restart("server");
    world.run()?;
    Ok(())
}

#[septet::test(seeds = 5)]
fn many_streams_share_one_connection() -> septet::test::Result {
    let mut world = World::builder().latency(Duration::from_millis(10)).loss("1%").build();
    world.host("server", serve_http2);
    world.client("client", async {
        let stream = TcpStream::connect("server:81").await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = hyper::client::conn::http2::Builder::new(HostExecutor)
            .timer(HostTimer)
            .handshake(HostIo::new(stream))
            .await?;
        let driver = septet::task::spawn(connection);
        let mut asked = septet::task::JoinSet::new();
        for n in 0..30 {
            let mut sender = sender.clone();
            asked.spawn(async move {
                let request = Request::post(format!("http://server/{n}")).body(Full::new(Bytes::from("x")))?;
                let answer = sender.send_request(request).await?.into_body().collect().await?.to_bytes();
                Done::Ok((n, answer))
            });
        }
        while let Some(answered) = asked.join_next().await {
            let (n, answer) = answered??;
            assert_eq!(answer, format!("/{n} x"));
        }
        drop(sender);
        driver.await??;
        Ok(())
    });
    world.run()?;
    assert_eq!(world.counter("client", "TcpActiveOpens"), 1);
    Ok(())
}
