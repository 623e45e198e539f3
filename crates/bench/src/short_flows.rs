//! 1,000 flows of 100 kB between 1,000 hosts: around one router, and across a fat-tree.

use std::sync::Arc;
use std::time::Duration;

use septet_core::{Instant, Rate, Seed};
use septet_physical::Medium;
use septet_socket::TcpOptions;

use crate::flow::{self, Tally};
use crate::plan::{Node, Plan};
use crate::{Failure, Options, Report, cost, fabric};

const FLOWS: u64 = 1000;
const BYTES: u64 = 100_000;
/// Between the beginnings of two flows.
const APART: Duration = Duration::from_millis(1);

/// 1,000 hosts around one router.
pub(crate) fn star(options: &Options) -> Result<Report, Failure> {
    let mut plan = Plan::default();
    let cable = Arc::new(cable());
    let hub = plan.router("hub");
    let hosts: Vec<Node> = (0..options.scaled(FLOWS).max(2)).map(|n| plan.host(format!("h{n}"))).collect();
    for &host in &hosts {
        plan.cable(hub, host, &cable);
    }
    run(options, plan, &hosts)
}

/// A fat-tree of routers with 16 ports and 1,024 hosts.
pub(crate) fn fat_tree(options: &Options) -> Result<Report, Failure> {
    let mut plan = Plan::default();
    let hosts = fabric::fat_tree(&mut plan, 16, &Arc::new(cable()));
    run(options, plan, &hosts)
}

/// Host *n* sends to host 5 *n* + 17, so that each receives at most one flow or two.
fn run(options: &Options, mut plan: Plan, hosts: &[Node]) -> Result<Report, Failure> {
    let flows = (options.scaled(FLOWS) as usize).min(hosts.len());
    let tcp = TcpOptions::default();
    let tally = Tally::default();
    for &host in hosts {
        flow::receive(&mut plan, host, &tcp, &tally);
    }
    let mut begin = Instant::ZERO;
    for n in 0..flows {
        let to = match (5 * n + 17) % hosts.len() {
            same if same == n => (n + 1) % hosts.len(),
            other => other,
        };
        flow::start(&mut plan, hosts[n], hosts[to], begin, BYTES, &tcp, &tally);
        begin += APART;
    }
    let start = cpu_time::ProcessTime::now();
    let mut world = plan.build(Seed::new(options.seed))?;
    let built = start.elapsed().as_secs_f64();
    let mut report = cost::measure(&mut world, begin + Duration::from_secs(5))?;
    tally.check()?;
    if tally.finished() != flows as u64 || tally.bytes() != flows as u64 * BYTES {
        return Err(Failure::new(format!("{} of {flows} flows came to their end", tally.finished())));
    }
    // What is compared is the whole program: building the world counts.
    report.cpu_s += built;
    report.packets_per_cpu_s = report.packets.map(|p| p as f64 / report.cpu_s);
    report.bytes_per_cpu_s = Some(tally.bytes() as f64 / report.cpu_s);
    Ok(report)
}

fn cable() -> Medium {
    Medium { rate: Rate::from_bits_per_sec(1_000_000_000), delay: Duration::from_micros(10), ..Medium::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flow_arrives() {
        let options = Options { scale: 0.02, ..Options::default() };
        star(&options).unwrap();
        fat_tree(&options).unwrap();
    }
}
