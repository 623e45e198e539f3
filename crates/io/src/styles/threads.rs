//! A thread a connection: each call waits until there is something to do.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use super::BUFFER;
use crate::Protocol;
use crate::session::Session;

/// Octets of a thread's stack: there are thousands of them, and each holds one buffer.
const STACK: usize = 64 << 10;

pub(super) fn serve(listener: TcpListener, protocol: Protocol) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept()?;
        // A connection that ends badly is its own matter.
        thread::Builder::new().stack_size(STACK).spawn(move || drop(converse(stream, protocol)))?;
    }
}

fn converse(mut stream: TcpStream, protocol: Protocol) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut session, mut buffer, mut out) = (Session::new(protocol), [0; BUFFER], Vec::new());
    loop {
        let len = stream.read(&mut buffer)?;
        if len == 0 {
            return Ok(());
        }
        session.hear(&buffer[..len], &mut out);
        stream.write_all(&out)?;
        out.clear();
    }
}
