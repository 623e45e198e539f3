//! A grid of routers that speak OSPF: from nothing to routes everywhere, and anew after a cut.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use septet_core::{Carrier, EventId, Instant, Rate, Seed, StationId};
use septet_engine::World;
use septet_host::{Host, Speaker};
use septet_network::Prefix;
use septet_network::routing::{self, Value};
use septet_physical::Medium;

use crate::plan::{Node, Plan};
use crate::{Failure, Options, Report, cost};

const ROUTERS: u64 = 200;
/// When a link in the middle is cut, and when all is over. Hellos come every ten seconds.
const CUT: Instant = Instant::from_secs(60);
const END: Instant = Instant::from_secs(90);
/// What a link costs whose rate the router is not told.
const COST: u32 = 10;

/// The routers and their links, twice as wide as high.
struct Grid {
    routers: usize,
    links: Vec<(Node, Node)>,
}

impl Grid {
    fn new(routers: usize) -> Self {
        let rows = ((routers / 2).isqrt()).max(1);
        let columns = (routers / rows).max(2);
        let mut links = Vec::new();
        for at in 0..rows * columns {
            links.extend(((at + 1) % columns != 0).then_some((at, at + 1)));
            links.extend((at + columns < rows * columns).then_some((at, at + columns)));
        }
        Self { routers: rows * columns, links }
    }

    /// A link in the middle.
    fn middle(&self) -> usize {
        let (half, between) = (self.routers / 2, |(a, b): &(Node, Node)| b - a == 1);
        let near = self.links.iter().enumerate().filter(|(_, link)| between(link));
        near.min_by_key(|(_, (a, _))| a.abs_diff(half)).map_or(0, |(at, _)| at)
    }

    /// How many links every router is from one, without the `cut` one.
    fn distances(&self, from: Node, cut: Option<usize>) -> Vec<u32> {
        let mut near = vec![Vec::new(); self.routers];
        for (_, (a, b)) in self.links.iter().enumerate().filter(|(at, _)| Some(*at) != cut) {
            near[*a].push(*b);
            near[*b].push(*a);
        }
        let mut far = vec![u32::MAX; self.routers];
        far[from] = 0;
        let mut next = VecDeque::from([from]);
        while let Some(at) = next.pop_front() {
            for &to in &near[at] {
                if far[to] == u32::MAX {
                    far[to] = far[at] + 1;
                    next.push_back(to);
                }
            }
        }
        far
    }

    /// Whether every router has the shortest way to every network, and to no other.
    fn check(&self, world: &World, cut: Option<usize>) -> Result<(), Failure> {
        for router in 0..self.routers {
            let far = self.distances(router, cut);
            for (at, (a, b)) in self.links.iter().enumerate() {
                let own = router == *a || router == *b;
                let expected = (Some(at) != cut && !own).then(|| COST * (far[*a].min(far[*b]) + 1));
                let found = host(world, router)?.with_ip(|ip| ip.table().at(network(at)).next().map(|r| r.metric));
                if !own && found != expected {
                    let network = network(at);
                    return Err(Failure::new(format!(
                        "r{router} has {network} at {found:?}, and it is at {expected:?}"
                    )));
                }
            }
        }
        Ok(())
    }
}

/// The network of a link, as the plan numbers them.
fn network(link: usize) -> Prefix {
    let base = Ipv4Addr::from_bits(0x0a00_0000 + 4 * link as u32);
    Prefix::new(IpAddr::V4(base), 30).expect("30 bits are not too many")
}

fn host(world: &World, router: Node) -> Result<&Host, Failure> {
    world.station::<Host>(StationId(router as u32)).ok_or_else(|| Failure::new("no router"))
}

pub(crate) fn run(options: &Options) -> Result<Report, Failure> {
    let grid = Grid::new(options.scaled(ROUTERS) as usize);
    let kind = routing::find("ospf").ok_or_else(|| Failure::new("no OSPF"))?;
    let mut config = (kind.config)();
    config.set(None, "type", Value::Word("point-to-point")).map_err(Failure::new)?;
    let mut plan = Plan::default();
    plan.speaks(Speaker { kind, config: Arc::from(config) });
    let cable = Arc::new(Medium {
        rate: Rate::from_bits_per_sec(1_000_000_000),
        delay: Duration::from_millis(1),
        ..Medium::default()
    });
    for n in 0..grid.routers {
        plan.router(format!("r{n}"));
    }
    let links: Vec<_> = grid.links.iter().map(|(a, b)| plan.cable(*a, *b, &cable)).collect();
    let mut world = plan.build(Seed::new(options.seed))?;

    let up = cost::measure(&mut world, CUT)?;
    grid.check(&world, None)?;
    let converged = settled(&world, &grid)?;
    let cut = grid.middle();
    world.set_carrier(links[cut], Carrier::Down, EventId::NONE);
    let down = cost::measure(&mut world, END)?;
    // A link between two routers alone has no other way round.
    if grid.routers > 2 {
        grid.check(&world, Some(cut))?;
    }
    let cpu_s = up.cpu_s + down.cpu_s;
    let packets = up.packets.zip(down.packets).map(|(up, down)| up + down);
    let messages = total(&world, &grid, "OspfOutPackets")?;
    Ok(Report {
        packets,
        events: up.events.zip(down.events).map(|(up, down)| up + down),
        cpu_s,
        virtual_s: Some(END.as_secs_f64()),
        packets_per_cpu_s: packets.map(|packets| packets as f64 / cpu_s),
        hosts: Some(grid.routers as u64),
        messages: Some(messages),
        computations: Some(total(&world, &grid, "OspfSpfRuns")?),
        converged_s: Some(converged.as_secs_f64()),
        reconverged_s: Some(settled(&world, &grid)?.saturating_since(CUT).as_secs_f64()),
        cpu_s_of_cut: Some(down.cpu_s),
        ..down
    })
}

/// When the last route of all has changed.
fn settled(world: &World, grid: &Grid) -> Result<Instant, Failure> {
    let mut last = Instant::ZERO;
    for router in 0..grid.routers {
        let changes = host(world, router)?.recorder().series("route.changes");
        last = last.max(changes.and_then(|series| series.samples().last().map(|s| s.at)).unwrap_or_default());
    }
    Ok(last)
}

fn total(world: &World, grid: &Grid, counter: &str) -> Result<u64, Failure> {
    let mut sum = 0;
    for router in 0..grid.routers {
        sum += host(world, router)?.counters().filter(|(name, _)| *name == counter).map(|(_, v)| v).sum::<u64>();
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_grid_finds_its_ways_and_finds_them_again() {
        let report = run(&Options { scale: 0.06, ..Options::default() }).unwrap();
        assert!(report.hosts == Some(12) && report.computations.unwrap() >= 12, "{report:?}");
        let (up, again) = (report.converged_s.unwrap(), report.reconverged_s.unwrap());
        assert!((10.0..30.0).contains(&up) && again < 0.5, "{report:?}");
    }
}
