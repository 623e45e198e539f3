//! A routing table as large as the Internet's: what a route takes, how many look-ups and changes a CPU second.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use cpu_time::ProcessTime;
use septet_core::{Rng, Seed};
use septet_network::table::Table;
use septet_network::{Origin, Prefix, Route, Target};

use crate::{Failure, Options, Report, cost};

const ROUTES: u64 = 1_000_000;
const LOOK_UPS: u64 = 20_000_000;
const CHANGES: u64 = 1_000_000;
/// Look-ups whose answers are compared with those of a search length by length.
const COMPARED: u64 = 1000;
/// A border router has a few dozen neighbours.
const NEIGHBOURS: u32 = 40;

/// Of a hundred prefixes in the table of a router without a default route, how many are this long; about, as the CIDR report
/// counts them.
const LENGTHS_V4: &[(u8, u64)] =
    &[(24, 60), (23, 10), (22, 12), (21, 5), (20, 5), (19, 3), (18, 2), (17, 1), (16, 1), (12, 1)];
const LENGTHS_V6: &[(u8, u64)] = &[(48, 47), (32, 13), (44, 10), (40, 10), (36, 6), (46, 5), (29, 5), (47, 3), (64, 1)];

/// One version's addresses as they are used on the Internet.
struct World {
    lengths: &'static [(u8, u64)],
    width: u8,
    /// Any address.
    address: fn(&mut Rng) -> IpAddr,
}

pub(crate) fn v4(options: &Options) -> Result<Report, Failure> {
    // What is neither reserved nor multicast: 1.0.0.0 to 223.255.255.255.
    let address = |rng: &mut Rng| Ipv4Addr::from_bits(0x0100_0000 + rng.below(0xdf00_0000) as u32).into();
    run(options, &World { lengths: LENGTHS_V4, width: 32, address })
}

pub(crate) fn v6(options: &Options) -> Result<Report, Failure> {
    // Registries hand out blocks side by side: 2000::/3, some hundred thousand neighbours of a /32.
    let address = |rng: &mut Rng| {
        let block = 0x2001_0000 + (rng.below(8) << 25) + rng.below(1 << 14);
        let bits = u128::from(block) << 96 | u128::from(rng.next_u64()) << 32;
        Ipv6Addr::from_bits(bits).into()
    };
    run(options, &World { lengths: LENGTHS_V6, width: 128, address })
}

fn run(options: &Options, world: &World) -> Result<Report, Failure> {
    let mut rng = Seed::new(options.seed).stream("routes");
    let routes = options.scaled(ROUTES);
    let mut table = Table::default();
    let start = ProcessTime::now();
    while (table.len() as u64) < routes {
        let route = world.route(&mut rng);
        if table.at(route.prefix).next().is_none() {
            table.add(route);
        }
    }
    let bytes = table.bytes() as u64;

    let filled = ProcessTime::now();
    let look_ups = options.scaled(LOOK_UPS);
    let mut found = 0u64;
    for _ in 0..look_ups {
        found += u64::from(table.lookup((world.address)(&mut rng), |_| true).is_some());
    }
    let looked_up = filled.elapsed().as_secs_f64();
    // How many there are to be found depends on how much of the world the routes cover; some are in every table.
    if found == 0 {
        return Err(Failure::new(format!("none of {look_ups} destinations were found")));
    }

    let before = ProcessTime::now();
    let changes = options.scaled(CHANGES);
    let mut added = Vec::new();
    for _ in 0..changes / 2 {
        let route = world.route(&mut rng);
        if table.at(route.prefix).next().is_none() {
            table.add(route.clone());
            added.push(route);
        }
    }
    let gone = added.iter().filter(|route| table.remove(route)).count();
    let changed = before.elapsed().as_secs_f64();
    if gone != added.len() || table.len() as u64 != routes {
        return Err(Failure::new(format!("{gone} of {} routes could be withdrawn", added.len())));
    }

    for _ in 0..COMPARED {
        world.compare(&table, (world.address)(&mut rng))?;
    }
    Ok(Report {
        cpu_s: start.elapsed().as_secs_f64(),
        routes: Some(routes),
        bytes_of_routes: Some(bytes),
        look_ups_per_cpu_s: Some(look_ups as f64 / looked_up),
        route_changes_per_cpu_s: Some((added.len() + gone) as f64 / changed),
        rss_bytes: cost::memory("VmHWM:"),
        ..Report::default()
    })
}

impl World {
    fn route(&self, rng: &mut Rng) -> Route {
        let mut at = rng.below(100);
        let longer = self.lengths.iter().find(|(_, share)| {
            let here = at < *share;
            at = at.saturating_sub(*share);
            here
        });
        let len = longer.map_or(self.width, |(len, _)| *len);
        let prefix = Prefix::new((self.address)(rng), len).expect("the length is one of this version");
        let via = Ipv4Addr::from_bits(0x0a00_0001 + rng.below(u64::from(NEIGHBOURS)) as u32);
        Route::new(prefix, Target::Via(0, via.into()), Origin::Bgp)
    }

    /// Compares what is looked up with the longest prefix that is in the table.
    fn compare(&self, table: &Table, dst: IpAddr) -> Result<(), Failure> {
        let known = |len: &u8| {
            let prefix = Prefix::new(dst, *len).expect("no longer than the address");
            table.at(prefix).next().is_some()
        };
        let expected = (0..=self.width).rev().find(known);
        let found = table.lookup(dst, |_| true).map(|found| found.prefix_len());
        if found != expected {
            return Err(Failure::new(format!("to {dst} leads a prefix of {found:?} bits, not of {expected:?}")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_destination_is_found() {
        for run in [v4, v6] {
            let report = run(&Options { scale: 0.04, ..Options::default() }).unwrap();
            assert!(report.bytes_of_routes.unwrap() < 40_000 * 64 + (4 << 20), "{report:?}");
        }
    }
}
