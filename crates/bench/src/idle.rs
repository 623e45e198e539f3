//! 100,000 established connections at rest: what one end of one holds, and what opening and closing them costs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use septet_core::{Instant, Seed};
use septet_physical::Medium;
use septet_socket::{ListenOptions, NetRef, TcpOptions, TcpStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::plan::Plan;
use crate::{Failure, Options, Report, cost};

const CONNECTIONS: u64 = 100_000;
/// A pair of addresses has some 28,000 ephemeral ports.
const CLIENTS: u64 = 5;
const PORT: u16 = 7;
/// When the memory is looked at; everybody is connected and quiet by then.
const REST: Instant = Instant::from_secs(100);
/// When one byte goes over each connection, to show that it lives.
const PROOF: Instant = Instant::from_secs(200);
/// When all are closed.
const END: Instant = Instant::from_secs(300);

/// Clients and server behind one switch; each connection carries nothing until [`PROOF`].
pub(crate) fn run(options: &Options) -> Result<Report, Failure> {
    let each = options.scaled(CONNECTIONS / CLIENTS);
    let all = each * CLIENTS;
    let mut plan = Plan::default();
    let server = plan.host("server");
    let mut members = vec![server];
    members.extend((0..CLIENTS).map(|n| plan.host(format!("client{n}"))));
    plan.switch("switch", &members, &Arc::new(Medium { delay: Duration::from_micros(50), ..Medium::default() }));
    let at = SocketAddr::new(plan.address(server), PORT);
    let proved = Arc::new(AtomicU64::new(0));
    let heard = proved.clone();
    plan.boot(server, move |net| {
        net.clone().spawn(Box::pin(serve(net, all, heard.clone())));
    });
    for &client in &members[1..] {
        plan.boot(client, move |net| {
            net.clone().spawn(Box::pin(open(net, at, each)));
        });
    }
    let mut world = plan.build(Seed::new(options.seed))?;
    world.run_until(Instant::ZERO)?;
    let before = cost::memory("VmRSS:");
    let opening = cost::measure(&mut world, REST)?;
    let grown = before.zip(cost::memory("VmRSS:")).map(|(before, after)| after.saturating_sub(before));
    let closing = cost::measure(&mut world, END + Duration::from_secs(200))?;
    let kept = before.zip(cost::memory("VmRSS:")).map(|(before, after)| after.saturating_sub(before));
    let proved = proved.load(Relaxed);
    if proved != all {
        return Err(Failure::new(format!("{proved} of {all} connections carried a byte after their rest")));
    }
    let cpu_s = opening.cpu_s + closing.cpu_s;
    let packets = opening.packets.zip(closing.packets).map(|(a, b)| a + b);
    Ok(Report {
        packets,
        events: opening.events.zip(closing.events).map(|(a, b)| a + b),
        cpu_s,
        packets_per_cpu_s: packets.map(|p| p as f64 / cpu_s),
        bytes_per_closed_connection_end: kept.map(|bytes| bytes as f64 / (2 * all) as f64),
        bytes_per_idle_connection_end: grown.map(|bytes| bytes as f64 / (2 * all) as f64),
        ..closing
    })
}

async fn serve(net: NetRef, all: u64, proved: Arc<AtomicU64>) {
    let at = SocketAddr::new([0, 0, 0, 0].into(), PORT);
    let Ok(listener) = net.listen(at, ListenOptions::default()) else { return };
    let mut streams: Vec<TcpStream> = Vec::with_capacity(all as usize);
    while (streams.len() as u64) < all {
        let Ok((stream, _)) = listener.accept().await else { return };
        streams.push(stream);
    }
    net.sleep_until(PROOF).await;
    for stream in &mut streams {
        if stream.read_u8().await.is_ok_and(|byte| byte == 1) {
            proved.fetch_add(1, Relaxed);
        }
    }
    net.sleep_until(END).await;
}

async fn open(net: NetRef, at: SocketAddr, count: u64) {
    let mut streams = Vec::with_capacity(count as usize);
    for _ in 0..count {
        let Ok(stream) = net.connect(at, TcpOptions::default()).await else { return };
        streams.push(stream);
    }
    net.sleep_until(PROOF).await;
    for stream in &mut streams {
        if stream.write_u8(1).await.is_err() {
            return;
        }
    }
    net.sleep_until(END).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_connection_lives() {
        run(&Options { scale: 0.002, ..Options::default() }).unwrap();
    }
}
