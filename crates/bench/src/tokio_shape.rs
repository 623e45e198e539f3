//! The exchanges and the bulk transfer once more, by programs that are written for tokio: through `septet::net` and
//! `septet::task`, which find their host by themselves.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use septet::net::{TcpListener, TcpStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::exchange::{PORT, SIZE};
use crate::{Failure, Options, Report, bulk, exchange};

const PIECE: usize = 64 * 1024;
const AT: (&str, u16) = ("0.0.0.0", PORT);

/// So many clients and a server.
pub(crate) fn exchange(options: &Options, clients: u64) -> Result<Report, Failure> {
    let serve = |_| drop(septet::task::spawn(serve()));
    let ask = |_, at, rounds, answered| drop(septet::task::spawn(ask(at, rounds, answered)));
    exchange::measure(options, clients, serve, ask)
}

async fn serve() -> std::io::Result<()> {
    let listener = TcpListener::bind(AT).await?;
    loop {
        let (mut stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        septet::task::spawn(async move {
            let mut buf = [0; SIZE];
            while stream.read_exact(&mut buf).await.is_ok() {
                buf[0] = buf[0].wrapping_add(1);
                if stream.write_all(&buf).await.is_err() {
                    return;
                }
            }
        });
    }
}

async fn ask(at: SocketAddr, rounds: u64, answered: Arc<AtomicU64>) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(at).await?;
    stream.set_nodelay(true)?;
    let mut buf = [0x5a; SIZE];
    for round in 0..rounds {
        buf[0] = round as u8;
        stream.write_all(&buf).await?;
        stream.read_exact(&mut buf).await?;
        if buf[0] == (round as u8).wrapping_add(1) {
            answered.fetch_add(1, Relaxed);
        }
    }
    Ok(())
}

/// One flow between two hosts.
pub(crate) fn bulk(options: &Options) -> Result<Report, Failure> {
    let came = Arc::new(AtomicU64::new(0));
    let counted = came.clone();
    let (bytes, report) = bulk::measure(options, |plan, from, to, bytes| {
        let at = SocketAddr::new(plan.address(to), PORT);
        plan.boot(to, move |_| drop(septet::task::spawn(receive(counted.clone()))));
        plan.boot(from, move |_| drop(septet::task::spawn(send(at, bytes))));
    })?;
    let came = came.load(Relaxed);
    if came != bytes {
        return Err(Failure::new(format!("{came} of {bytes} bytes arrived")));
    }
    Ok(report)
}

async fn receive(came: Arc<AtomicU64>) -> std::io::Result<()> {
    let (mut stream, _) = TcpListener::bind(AT).await?.accept().await?;
    let mut buf = vec![0; PIECE];
    loop {
        match stream.read(&mut buf).await? {
            0 => return Ok(()),
            n => came.fetch_add(n as u64, Relaxed),
        };
    }
}

async fn send(at: SocketAddr, bytes: u64) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(at).await?;
    let piece = vec![0x5a; PIECE];
    let mut left = bytes;
    while left > 0 {
        let now = left.min(PIECE as u64);
        stream.write_all(&piece[..now as usize]).await?;
        left -= now;
    }
    stream.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_is_answered_and_all_bytes_arrive() {
        let options = Options { scale: 0.02, ..Options::default() };
        for clients in [1, 100] {
            assert!(exchange(&options, clients).unwrap().exchanges_per_cpu_s.is_some());
        }
        bulk(&options).unwrap();
    }
}
