//! 10,000 requests to one server, of one client or of 100: 1 KiB there, 1 KiB back.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use septet_core::{Instant, Rate, Seed};
use septet_physical::Medium;
use septet_socket::{ListenOptions, NetRef, Nodelay, TcpOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::plan::Plan;
use crate::{Failure, Options, Report, cost};

const EXCHANGES: u64 = 10_000;
/// Bytes of a request and of its answer.
pub(crate) const SIZE: usize = 1024;
/// Where the server listens.
pub(crate) const PORT: u16 = 7;

/// So many clients and a server.
pub(crate) fn run(options: &Options, clients: u64) -> Result<Report, Failure> {
    let serve = |net: NetRef| {
        net.clone().spawn(Box::pin(serve(net)));
    };
    let ask = |net: NetRef, at, rounds, answered| {
        net.clone().spawn(Box::pin(ask(net, at, rounds, answered)));
    };
    measure(options, clients, serve, ask)
}

/// So many clients and a server behind one switch, by these programs: a client is told where the server is, how often to
/// ask, and where to count the answers.
pub(crate) fn measure(
    options: &Options,
    clients: u64,
    serve: impl Fn(NetRef) + 'static,
    ask: impl Fn(NetRef, SocketAddr, u64, Arc<AtomicU64>) + Copy + 'static,
) -> Result<Report, Failure> {
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
    let at = SocketAddr::new(plan.address(server), PORT);
    let answered = Arc::new(AtomicU64::new(0));
    plan.boot(server, serve);
    for &client in &members[1..] {
        let answered = answered.clone();
        plan.boot(client, move |net| ask(net, at, rounds, answered.clone()));
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

fn options() -> TcpOptions {
    TcpOptions { nodelay: Some(Nodelay::On), ..TcpOptions::default() }
}

async fn serve(net: NetRef) {
    let at = SocketAddr::new([0, 0, 0, 0].into(), PORT);
    let Ok(listener) = net.listen(at, ListenOptions { tcp: options(), ..ListenOptions::default() }) else { return };
    while let Ok((mut stream, _)) = listener.accept().await {
        net.spawn(Box::pin(async move {
            let mut buf = [0; SIZE];
            while stream.read_exact(&mut buf).await.is_ok() {
                buf[0] = buf[0].wrapping_add(1);
                if stream.write_all(&buf).await.is_err() {
                    return;
                }
            }
        }));
    }
}

async fn ask(net: NetRef, at: SocketAddr, rounds: u64, answered: Arc<AtomicU64>) {
    let Ok(mut stream) = net.connect(at, options()).await else { return };
    let mut buf = [0x5a; SIZE];
    for round in 0..rounds {
        buf[0] = round as u8;
        if stream.write_all(&buf).await.is_err() || stream.read_exact(&mut buf).await.is_err() {
            return;
        }
        if buf[0] == (round as u8).wrapping_add(1) {
            answered.fetch_add(1, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_is_answered() {
        for clients in [1, 100] {
            let report = run(&Options { scale: 0.02, ..Options::default() }, clients).unwrap();
            assert!(report.exchanges_per_cpu_s.is_some());
        }
    }
}
