//! One thread that never waits: it asks every connection in turn whether there is something to do, and begins anew.

use std::io;
use std::net::TcpListener;

use super::pending::{Life, Pending};
use crate::Protocol;

pub(super) fn serve(listener: TcpListener, protocol: Protocol) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let mut connections = Vec::new();
    loop {
        loop {
            match listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(true)?;
                    stream.set_nodelay(true)?;
                    connections.push(Pending::new(stream, protocol));
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) => return Err(e),
            }
        }
        connections.retain_mut(|connection| connection.visit() == Life::On);
    }
}
