//! `tcp-echo`: sends back what it gets (RFC 862).

use septet_core::Metric;
use std::io;

use septet_core::Storey;
use septet_socket::{Acceptor, BoxFuture, ListenOptions, NetExt, NetRef, Places, TcpStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::args;
use super::gauge::Gauge;
use super::{Context, Lasts, Misuse, Needs, Program, Transport, complain};

/// The program.
pub(super) struct TcpEcho;

impl Program for TcpEcho {
    fn name(&self) -> &'static str {
        "tcp-echo"
    }

    fn summary(&self) -> &'static str {
        "sends back what it gets over TCP"
    }

    fn usage(&self) -> &'static str {
        "Usage: tcp-echo <port>\n"
    }

    fn metrics(&self) -> &'static [Metric] {
        METRICS
    }

    fn check(&self, args: &[String]) -> Result<Needs, Misuse> {
        let port = args::only_port(args).map_err(|e| Misuse::by(&e, &[]))?;
        Ok(Needs { listens: Some((Transport::Tcp, port)), lasts: Lasts::Forever, ..Needs::default() })
    }

    fn run(&self, context: Context, args: Vec<String>) -> BoxFuture<'static, u8> {
        Box::pin(async move {
            match args::only_port(&args) {
                Ok(port) => match serve(&context.net, port).await {
                    Ok(()) => 0,
                    Err(e) => complain(&context, "tcp-echo", &e, 1),
                },
                Err(e) => complain(&context, "tcp-echo", &e, 2),
            }
        })
    }
}

async fn serve(net: &NetRef, port: u16) -> io::Result<()> {
    let listener = net.listen(net.everywhere(port), ListenOptions::default())?;
    let serve = |(stream, from)| {
        net.count("echo.connections");
        let net = net.clone();
        async move {
            if let Err(e) = echo(&net, stream).await {
                net.count("echo.error");
                net.trace(Storey::Application, "echo.failed", |f| {
                    f.set("from", from).set("why", e.to_string());
                });
            }
        }
    };
    Acceptor::new(listener, &Places::default()).serve(net, serve).await
}

async fn echo(net: &NetRef, mut stream: TcpStream) -> io::Result<()> {
    let mut buf = vec![0; 16 * 1024];
    let mut gauge = Gauge::new(net, "echo.bytes");
    loop {
        let n = stream.read(&mut buf).await?;
        if n == 0 {
            return stream.shutdown().await;
        }
        gauge.add(n);
        stream.write_all(&buf[..n]).await?;
    }
}

/// What it records.
const METRICS: &[Metric] = &[
    Metric::counter("echo.connections", "connections that `tcp-echo` took"),
    Metric::counter(
        "echo.error",
        "connections of `tcp-echo` that broke, datagrams that `udp-echo` could not send back",
    ),
    Metric::bytes("echo.bytes", "bytes that `tcp-echo` and `udp-echo` sent back"),
];
