//! TCP streams and listeners of a host.

use std::io;
use std::net::SocketAddr;

use septet_socket::{BoxFuture, ListenOptions, TcpListener, TcpOptions, TcpStream};

use crate::registry::HostKey;

pub(crate) fn connect(_: HostKey, _: SocketAddr, _: TcpOptions) -> BoxFuture<'static, io::Result<TcpStream>> {
    Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
}

pub(crate) fn listen(_: HostKey, _: SocketAddr, _: ListenOptions) -> io::Result<TcpListener> {
    Err(io::ErrorKind::Unsupported.into())
}
