//! 1 M packets of 1,000 bytes of payload through 8 routers, over 9 links of 1 Gbit/s and 100 µs.

use core::time::Duration;

use septet_core::{Instant, Port, Rate, Seed, StationId};
use septet_engine::World;
use septet_physical::Medium;

use crate::raw::{Rewriter, Sink, Source};
use crate::{Failure, Options, Report, cost};

const PACKETS: u64 = 1_000_000;
const ROUTERS: u64 = 8;
const PAYLOAD: usize = 1000;
/// Somewhat slower than the line: nothing queues.
const INTERVAL: Duration = Duration::from_micros(10);

pub(crate) fn medium() -> Medium {
    Medium { rate: Rate::from_bits_per_sec(1_000_000_000), delay: Duration::from_micros(100), ..Medium::default() }
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

    #[test]
    fn every_packet_arrives() {
        let report = raw(&Options { scale: 0.001, ..Options::default() }).unwrap();
        assert_eq!(report.packets, Some(9000));
    }
}
