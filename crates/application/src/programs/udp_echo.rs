//! `udp-echo`: sends datagrams back to where they came from (RFC 862).

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use septet_socket::{BoxFuture, NetExt, NetRef};

use super::args::{self, Arg, ArgError};
use super::{Context, Program, complain};

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

    fn run(&self, context: Context, args: Vec<String>) -> BoxFuture<'static, u8> {
        Box::pin(async move {
            match port(args) {
                Ok(port) => match serve(&context.net, port).await {
                    Ok(()) => 0,
                    Err(e) => complain(&context, "udp-echo", &e, 1),
                },
                Err(e) => complain(&context, "udp-echo", &e, 2),
            }
        })
    }
}

fn port(words: Vec<String>) -> Result<u16, ArgError> {
    match &args::parse(&[], words)?[..] {
        [Arg::Free(word)] => args::number("port", word),
        [] => Err(ArgError::Missing("the port")),
        [.., extra] => Err(ArgError::Extra(format!("{extra:?}"))),
    }
}

async fn serve(net: &NetRef, port: u16) -> io::Result<()> {
    let socket = net.bind_udp(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port))?;
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
