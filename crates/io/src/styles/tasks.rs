//! A task a connection: straight code, which tokio lets rest where it would have to wait. All run on one thread, as those of the other
//! two loops do.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::BUFFER;
use crate::Protocol;
use crate::session::Session;

pub(super) fn serve(listener: std::net::TcpListener, protocol: Protocol) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    tokio::runtime::Builder::new_current_thread().enable_io().build()?.block_on(async move {
        let listener = TcpListener::from_std(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            // A connection that ends badly is its own matter.
            tokio::spawn(async move { drop(converse(stream, protocol).await) });
        }
    })
}

async fn converse(mut stream: TcpStream, protocol: Protocol) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut session, mut buffer, mut out) = (Session::new(protocol), vec![0; BUFFER], Vec::new());
    loop {
        let len = stream.read(&mut buffer).await?;
        if len == 0 {
            return Ok(());
        }
        session.hear(&buffer[..len], &mut out);
        stream.write_all(&out).await?;
        out.clear();
    }
}
