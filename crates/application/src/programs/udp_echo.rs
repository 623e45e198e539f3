//! `udp-echo`: sends datagrams back to where they came from (RFC 862).

use std::io;

use septet_core::Metric;
use septet_socket::{BoxFuture, NetExt, NetRef};

use super::args;
use super::{Context, Lasts, Misuse, Needs, Program, Transport, complain};

/// The program.
pub(super) struct UdpEcho;

impl Program for UdpEcho {
    fn name(&self) -> &'static str {
        "udp-echo"
    }

    fn summary(&self) -> &'static str {
        "sends datagrams back to where they came from"
    }

    fn usage(&self) -> &'static str {
        "Usage: udp-echo <port>\n"
    }

    fn metrics(&self) -> &'static [Metric] {
        METRICS
    }

    fn check(&self, args: &[String]) -> Result<Needs, Misuse> {
        let port = args::only_port(args).map_err(|e| Misuse::by(&e, &[]))?;
        Ok(Needs { listens: Some((Transport::Udp, port)), lasts: Lasts::Forever, ..Needs::default() })
    }

    fn run(&self, context: Context, args: Vec<String>) -> BoxFuture<'static, u8> {
        Box::pin(async move {
            match args::only_port(&args) {
                Ok(port) => match serve(&context.net, port).await {
                    Ok(()) => 0,
                    Err(e) => complain(&context, "udp-echo", &e, 1),
                },
                Err(e) => complain(&context, "udp-echo", &e, 2),
            }
        })
    }
}

async fn serve(net: &NetRef, port: u16) -> io::Result<()> {
    let socket = net.bind_udp(net.everywhere(port))?;
    let mut buf = vec![0; 65_536];
    loop {
        // An error is an ICMP message about an answer that was sent; the next datagram may fare better.
        let Ok(datagram) = socket.receive(&mut buf).await else { continue };
        net.count("echo.datagrams");
        match socket.send_to(&buf[..datagram.len.min(buf.len())], datagram.from).await {
            Ok(_) => net.observe("echo.bytes", datagram.len as f64),
            Err(_) => net.count("echo.error"),
        }
    }
}

/// What it records.
const METRICS: &[Metric] = &[
    Metric::counter(
        "echo.error",
        "connections of `tcp-echo` that broke, datagrams that `udp-echo` could not send back",
    ),
    Metric::counter("echo.datagrams", "datagrams that `udp-echo` got"),
    Metric::bytes("echo.bytes", "bytes that `tcp-echo` and `udp-echo` sent back"),
];
