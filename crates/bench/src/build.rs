//! Worlds of 10,000 hosts: what it costs to build one, and what an idle host holds.

use std::sync::Arc;
use std::time::Duration;

use cpu_time::ProcessTime;
use septet_core::{Instant, Rate, Seed};
use septet_engine::World;
use septet_physical::Medium;

use crate::plan::Plan;
use crate::{Failure, Options, Report, cost, fabric};

/// 100 switches of 100 hosts, each behind a router of its own, and one router above all.
pub(crate) fn tree(options: &Options) -> Result<Report, Failure> {
    let leaves = options.scaled(100);
    measure(options, || {
        let mut plan = Plan::default();
        let cable = Arc::new(cable());
        let root = plan.router("root");
        for leaf in 0..leaves {
            let router = plan.router(format!("r{leaf}"));
            plan.cable(root, router, &cable);
            let mut members = vec![router];
            members.extend((0..100).map(|n| plan.host(format!("h{leaf}-{n}"))));
            plan.switch(format!("s{leaf}"), &members, &cable);
        }
        (plan, leaves * 100)
    })
}

/// A fat-tree of routers with `ports` ports, 1,024 hosts and 320 routers where these are 16, and routes on all of them.
pub(crate) fn fat_tree(options: &Options, ports: u64) -> Result<Report, Failure> {
    let ports = (options.scaled(ports / 2) * 2) as usize;
    measure(options, || {
        let mut plan = Plan::default();
        let hosts = fabric::fat_tree(&mut plan, ports, &Arc::new(cable())).len();
        (plan, hosts as u64)
    })
}

fn cable() -> Medium {
    Medium { rate: Rate::from_bits_per_sec(1_000_000_000), delay: Duration::from_micros(10), ..Medium::default() }
}

fn measure(options: &Options, plan: impl FnOnce() -> (Plan, u64)) -> Result<Report, Failure> {
    let before = cost::memory("VmRSS:");
    let start = ProcessTime::now();
    let (plan, hosts) = plan();
    let mut world: World = plan.build(Seed::new(options.seed))?;
    // Everything is switched on.
    world.run_until(Instant::ZERO)?;
    let cpu_s = start.elapsed().as_secs_f64();
    let grown = before.zip(cost::memory("VmRSS:")).map(|(before, after)| after.saturating_sub(before));
    Ok(Report {
        cpu_s,
        hosts: Some(hosts),
        bytes_per_idle_host: grown.map(|bytes| bytes as f64 / hosts as f64),
        rss_bytes: cost::memory("VmHWM:"),
        ..Report::default()
    })
}
