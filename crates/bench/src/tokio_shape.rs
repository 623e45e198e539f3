//! The exchanges and the bulk transfer once more, by programs that are written for tokio: through `septet::net` and
//! `septet::task`, which find their host by themselves.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use septet::net::{TcpListener, TcpStream};
use septet_core::{Instant, Rate, Seed};
use septet_physical::Medium;
use septet_transport::tcp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::plan::Plan;
use crate::{Failure, Options, Report, cost};

const EXCHANGES: u64 = 10_000;
const SIZE: usize = 1024;
const BYTES: u64 = 100_000_000;
const PIECE: usize = 64 * 1024;
const AT: (&str, u16) = ("0.0.0.0", 7);

/// So many clients and a server behind one switch: 1 KiB there, 1 KiB back, 10,000 times in all.
pub(crate) fn exchange(options: &Options, clients: u64) -> Result<Report, Failure> {
    let rounds = options.scaled(EXCHANGES / clients);
    let mut plan = Plan::default();
    let cable = Arc::new(Medium {
        rate: Rate::from_bits_per_sec(1_000_000_000),
        delay: Duration::from_micros(10),
        ..Medium::default()
    });
    let server = plan.host("server");
    let mut members = vec![server];
    members.extend((0..clients).map(|n| plan.host(format!("client{n}"))));
    plan.switch("switch", &members, &cable);
    let at = SocketAddr::new(plan.address(server), AT.1);
    let answered = Arc::new(AtomicU64::new(0));
    plan.boot(server, |_| drop(septet::task::spawn(serve())));
    for &client in &members[1..] {
        let answered = answered.clone();
        plan.boot(client, move |_| drop(septet::task::spawn(ask(at, rounds, answered.clone()))));
    }
    let mut world = plan.build(Seed::new(options.seed))?;
    let mut report = cost::measure(&mut world, Instant::from_secs(10))?;
    let answered = answered.load(Relaxed);
    if answered != clients * rounds {
        return Err(Failure::new(format!("{answered} of {} requests were answered", clients * rounds)));
    }
    report.exchanges_per_cpu_s = Some(answered as f64 / report.cpu_s);
    Ok(report)
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

/// 100 MB between two hosts over a cable without limits.
pub(crate) fn bulk(options: &Options) -> Result<Report, Failure> {
    let bytes = options.scaled(BYTES);
    let mut plan = Plan::default();
    let (from, to) = (plan.host("sender"), plan.host("receiver"));
    // As a network card with TSO: segments of up to 64 KiB, which a cable without limits carries whole.
    plan.tcp(tcp::Config { gso_max_size: 65_536, ..tcp::Config::linux() });
    plan.cable(from, to, &Arc::new(Medium { delay: Duration::from_micros(50), ..Medium::default() }));
    let at = SocketAddr::new(plan.address(to), AT.1);
    let came = Arc::new(AtomicU64::new(0));
    let counted = came.clone();
    plan.boot(to, move |_| drop(septet::task::spawn(receive(counted.clone()))));
    plan.boot(from, move |_| drop(septet::task::spawn(send(at, bytes))));
    let mut world = plan.build(Seed::new(options.seed))?;
    let mut report = cost::measure(&mut world, Instant::from_secs(60))?;
    let came = came.load(Relaxed);
    if came != bytes {
        return Err(Failure::new(format!("{came} of {bytes} bytes arrived")));
    }
    report.bytes_per_cpu_s = Some(bytes as f64 / report.cpu_s);
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
