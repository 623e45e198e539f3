//! 100 MB over a cable without limits: super-segments pass whole.

use std::sync::Arc;
use std::time::Duration;

use septet_core::{Instant, Seed};
use septet_physical::Medium;
use septet_socket::TcpOptions;
use septet_transport::tcp;

use crate::flow::{self, Tally};
use crate::plan::{Node, Plan};
use crate::{Failure, Options, Report, cost};

const BYTES: u64 = 100_000_000;

/// One flow between two hosts.
pub(crate) fn run(options: &Options) -> Result<Report, Failure> {
    let (tcp, tally) = (TcpOptions::default(), Tally::default());
    let (bytes, report) = measure(options, |plan, from, to, bytes| {
        flow::receive(plan, to, &tcp, &tally);
        flow::start(plan, from, to, Instant::ZERO, bytes, &tcp, &tally);
    })?;
    tally.check()?;
    if (tally.bytes(), tally.finished()) != (bytes, 1) {
        return Err(Failure::new(format!("{} of {bytes} bytes arrived", tally.bytes())));
    }
    Ok(report)
}

/// Two hosts, of which `programs` lets the first send so many bytes to the second; gives how many, too.
pub(crate) fn measure(
    options: &Options,
    programs: impl FnOnce(&mut Plan, Node, Node, u64),
) -> Result<(u64, Report), Failure> {
    let bytes = options.scaled(BYTES);
    let mut plan = Plan::default();
    let (from, to) = (plan.host("sender"), plan.host("receiver"));
    // As a network card with TSO: segments of up to 64 KiB, which a cable without limits carries whole.
    plan.tcp(tcp::Config { gso_max_size: 65_536, ..tcp::Config::linux() });
    plan.cable(from, to, &Arc::new(Medium { delay: Duration::from_micros(50), ..Medium::default() }));
    programs(&mut plan, from, to, bytes);
    let mut world = plan.build(Seed::new(options.seed))?;
    let mut report = cost::measure(&mut world, Instant::from_secs(60))?;
    report.bytes_per_cpu_s = Some(bytes as f64 / report.cpu_s);
    Ok((bytes, report))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_bytes_arrive() {
        run(&Options { scale: 0.01, ..Options::default() }).unwrap();
    }
}
