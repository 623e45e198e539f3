//! 1 M packets of 1,000 bytes of payload through 8 routers, over 9 links of 1 Gbit/s and 100 µs.

use core::time::Duration;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use septet_capture::{LongFile, Names, Pcapng, pcapng};
use septet_core::{Instant, Port, Rate, Seed, StationId};
use septet_engine::World;
use septet_network::firewall;
use septet_physical::Medium;
use septet_socket::{NetExt, NetRef};

use crate::plan::{Plan, Version};
use crate::raw::{Rewriter, Sink, Source};
use crate::{Failure, Options, Report, cost};

const PACKETS: u64 = 1_000_000;
const ROUTERS: u64 = 8;
const PAYLOAD: usize = 1000;
/// Somewhat slower than the line: nothing queues.
const INTERVAL: Duration = Duration::from_micros(10);
/// Bytes kept of a captured frame: all headers and a little more.
pub(crate) const SNAP: u32 = 128;
/// When the first packet leaves.
const START: Duration = Duration::from_secs(1);

fn medium() -> Medium {
    Medium { rate: Rate::from_bits_per_sec(1_000_000_000), delay: Duration::from_micros(100), ..Medium::default() }
}

/// UDP between two hosts through routers.
pub(crate) fn udp(options: &Options, version: Version) -> Result<Report, Failure> {
    run(options, version, None, |_, _| Ok(()))
}

/// The same through routers with packet filters.
pub(crate) fn filtered(options: &Options, rules: &Arc<firewall::Config>) -> Result<Report, Failure> {
    run(options, Version::Four, Some(rules), |_, _| Ok(()))
}

/// The same, with all that crosses the server's port written to a file, reasons included: frames whole, or their first
/// `snap` bytes.
pub(crate) fn captured(options: &Options, snap: Option<u32>) -> Result<Report, Failure> {
    run(options, Version::Four, None, |world, server| {
        let mut names = Names::new();
        for id in (0..world.stations() as u32).map(StationId) {
            names.station(id, world.name(id));
        }
        let file = tempfile::tempfile().map_err(|e| Failure::new(format!("no temporary file: {e}")))?;
        let options = pcapng::Options { only: BTreeSet::from([(server, Port(0))]), snap, ..pcapng::Options::default() };
        world.add_monitor(Pcapng::new(LongFile::new(file), names, options));
        Ok(())
    })
}

fn run(
    options: &Options,
    version: Version,
    rules: Option<&Arc<firewall::Config>>,
    watch: impl FnOnce(&mut World, StationId) -> Result<(), Failure>,
) -> Result<Report, Failure> {
    let packets = options.scaled(PACKETS);
    let mut plan = Plan::of(version);
    let cable = Arc::new(medium());
    let client = plan.host("client");
    let mut before = client;
    for n in 1..=ROUTERS {
        let router = plan.router(format!("r{n}"));
        if let Some(rules) = rules {
            plan.filter(router, rules.clone());
        }
        plan.cable(before, router, &cable);
        before = router;
    }
    let server = plan.host("server");
    plan.cable(before, server, &cable);
    let to = SocketAddr::new(plan.address(server), 9);
    plan.boot(client, move |net| {
        net.spawn(Box::pin(send(net.clone(), to, packets)));
    });
    plan.boot(server, move |net| {
        net.spawn(Box::pin(receive(net.clone(), to, packets)));
    });
    let mut world = plan.build(Seed::new(options.seed))?;
    watch(&mut world, StationId(server as u32))?;
    let end = Instant::ZERO + START + INTERVAL * packets as u32 + Duration::from_secs(1);
    let report = cost::measure(&mut world, end)?;
    let received = cost::recorded(&world, server, "bench.bytes");
    if received != packets as f64 * PAYLOAD as f64 {
        return Err(Failure::new(format!("{received} bytes of {packets} packets arrived")));
    }
    Ok(report)
}

async fn send(net: NetRef, to: SocketAddr, packets: u64) {
    let Ok(socket) = net.open_udp(to.ip()) else { return };
    let payload = [0x5a; PAYLOAD];
    let mut at = Instant::ZERO + START;
    // The first finds no link addresses yet; the others wait for the answers.
    let _ = socket.send_to(&payload, to).await;
    for _ in 1..packets {
        net.sleep_until(at).await;
        let _ = socket.send_to(&payload, to).await;
        at += INTERVAL;
    }
}

async fn receive(net: NetRef, at: SocketAddr, packets: u64) {
    let Ok(socket) = net.bind_udp(at) else { return };
    let mut buf = [0; 2048];
    let mut bytes = 0;
    for _ in 0..packets {
        let Ok(datagram) = socket.receive(&mut buf).await else { return };
        bytes += datagram.len;
    }
    net.observe("bench.bytes", bytes as f64);
}

/// The chain of stations that only rewrite headers.
pub(crate) fn raw(options: &Options) -> Result<Report, Failure> {
    let packets = options.scaled(PACKETS);
    let mut world = World::new(Seed::new(options.seed));
    let source = Source { left: packets, next: Instant::ZERO, interval: INTERVAL, packet: vec![0x45; 28 + PAYLOAD] };
    let mut before = world.add_station("source", Box::new(source));
    for n in 0..ROUTERS {
        let router = world.add_station(&format!("r{n}"), Box::new(Rewriter(n + 1)));
        join(&mut world, before, router);
        before = router;
    }
    let sink = world.add_station("sink", Box::new(Sink::default()));
    join(&mut world, before, sink);
    let report = cost::measure(&mut world, Instant::ZERO + INTERVAL * packets as u32 + Duration::from_secs(1))?;
    let arrived = world.station::<Sink>(sink).map_or(0, |s| s.packets);
    if arrived != packets || report.packets != Some(packets * (ROUTERS + 1)) {
        return Err(Failure::new(format!("{arrived} of {packets} packets arrived")));
    }
    Ok(report)
}

/// A cable from the last free port of `a` (1, or 0 at the beginning) to port 0 of `b`.
fn join(world: &mut World, a: StationId, b: StationId) {
    let port = Port(u16::from(a.0 > 0));
    let name = format!("{}--{}", world.name(a), world.name(b));
    world.connect((a, port), (b, Port(0)), medium(), medium(), &name);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filtered::{Tracks, rules as rules_for};

    #[test]
    fn every_packet_arrives() {
        let options = Options { scale: 0.001, ..Options::default() };
        assert_eq!(raw(&options).unwrap().packets, Some(9000));
        // Beside the datagrams there are ARP requests and replies on each link.
        assert_eq!(udp(&options, Version::Four).unwrap().packets, Some(9018));
        for (rules, tracks) in [(1, Tracks::Nothing), (10, Tracks::Nothing), (10, Tracks::Connections)] {
            assert_eq!(filtered(&options, &rules_for(rules, tracks)).unwrap().packets, Some(9018));
        }
        let mut nobody = (*rules_for(1, Tracks::Nothing)).clone();
        nobody.rules.chains[0].rules.clear();
        assert!(filtered(&options, &Arc::new(nobody)).is_err(), "the filters are asked");
        assert_eq!(captured(&options, None).unwrap().digest, captured(&options, Some(SNAP)).unwrap().digest);
    }
}
