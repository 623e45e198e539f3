//! A new connection to a backend, which is told for whom it is where it wants to know.

use std::io;
use std::net::SocketAddr;

use septet_socket::{NetRef, TcpStream};
use tokio::io::AsyncWriteExt;

use super::{Target, nodelay};
use crate::proxy_protocol::Header;

/// The ends of a client's connection: as it has them, or as whoever passed it on says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Ends {
    pub(super) client: SocketAddr,
    pub(super) local: SocketAddr,
}

/// Connects to `target` for the client whose ends these are, or for nobody but the balancer itself.
pub(super) async fn dial(net: &NetRef, target: &Target, ends: Option<Ends>) -> io::Result<TcpStream> {
    let mut stream = net.connect(target.at, nodelay()).await?;
    if let Some(version) = target.proxy_protocol {
        let header = match ends {
            Some(Ends { client, local }) => Header::Proxied { source: client, destination: local },
            None => Header::Own,
        };
        stream.write_all(&header.write(version)).await?;
    }
    Ok(stream)
}
