//! CPU time and memory of this process.

use cpu_time::ProcessTime;
use septet_core::{Instant, StationId};
use septet_engine::World;
use septet_host::Host;

use crate::{Failure, Report};

/// Builds nothing and measures `play`: CPU time, and what the world did in it.
pub(crate) fn measure(world: &mut World, until: Instant) -> Result<Report, Failure> {
    let (packets, events, begun) = (world.transmissions(), world.stats().events, world.now());
    let start = ProcessTime::now();
    world.run_until(until)?;
    let cpu_s = start.elapsed().as_secs_f64();
    let packets = world.transmissions() - packets;
    Ok(Report {
        packets: Some(packets),
        events: Some(world.stats().events - events),
        cpu_s,
        virtual_s: Some((until - begun).as_secs_f64()),
        packets_per_cpu_s: Some(packets as f64 / cpu_s),
        rss_bytes: memory("VmHWM:"),
        digest: Some(world.digest().to_string()),
        ..Report::default()
    })
}

/// The sum of what the programs of a host recorded under `name`.
pub(crate) fn recorded(world: &World, host: usize, name: &str) -> f64 {
    let host = world.station::<Host>(StationId(host as u32));
    host.and_then(|h| h.recorder().series(name)).map_or(0.0, |s| s.sum())
}

/// A line of `/proc/self/status`, in bytes; `None` where there is no such file.
pub(crate) fn memory(line: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let value = status.lines().find_map(|l| l.strip_prefix(line))?;
    Some(value.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}
