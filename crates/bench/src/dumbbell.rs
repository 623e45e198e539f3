//! Bulk flows that share one bottleneck: 100 Mbit/s, 10 ms, 100 packets, for a minute.

use std::sync::Arc;
use std::time::Duration;

use septet_core::{Instant, Rate, Seed};
use septet_physical::Medium;
use septet_physical::queue::{Limit, QueueSpec};
use septet_socket::TcpOptions;

use crate::flow::{self, Tally};
use crate::plan::Plan;
use crate::{Failure, Options, Report, cost};

/// The buffers of both ends, in bytes.
const BUFFER: usize = 4 << 20;
/// More than a minute brings.
const ENDLESS: u64 = 1 << 38;

/// `flows` flows under `controller`, each between hosts of its own; flow *i* begins at *i* × 10 ms.
pub(crate) fn run(options: &Options, flows: usize, controller: &str) -> Result<Report, Failure> {
    let cable = Arc::new(medium(1_000_000_000, Duration::from_micros(100), QueueSpec::default()));
    let queue = QueueSpec::drop_tail(Limit::Packets(100));
    let bottleneck = Arc::new(medium(100_000_000, Duration::from_millis(10), queue));
    let tcp = TcpOptions {
        congestion: Some(controller.into()),
        send_buffer: Some(BUFFER),
        receive_buffer: Some(BUFFER),
        ..TcpOptions::default()
    };
    let tally = Tally::default();
    let mut plan = Plan::default();
    let (left, right) = (plan.router("r1"), plan.router("r2"));
    plan.cable(left, right, &bottleneck);
    for n in 0..flows {
        let (from, to) = (plan.host(format!("sender{n}")), plan.host(format!("receiver{n}")));
        plan.cable(from, left, &cable);
        plan.cable(right, to, &cable);
        flow::receive(&mut plan, to, &tcp, &tally);
        flow::start(&mut plan, from, to, Instant::from_millis(10 * n as u64), ENDLESS, &tcp, &tally);
    }
    let mut world = plan.build(Seed::new(options.seed))?;
    let end = Instant::from_millis(options.scaled(60_000));
    let mut report = cost::measure(&mut world, end)?;
    tally.check()?;
    let share = tally.bytes() as f64 * 8.0 / end.as_secs_f64() / 100e6;
    if options.scale >= 1.0 && !(0.85..0.96).contains(&share) {
        return Err(Failure::new(format!("the flows took {:.1} % of the bottleneck", share * 100.0)));
    }
    report.bytes_per_cpu_s = Some(tally.bytes() as f64 / report.cpu_s);
    Ok(report)
}

fn medium(bits_per_sec: u64, delay: Duration, queue: QueueSpec) -> Medium {
    Medium { rate: Rate::from_bits_per_sec(bits_per_sec), delay, queue, ..Medium::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flows_fill_the_bottleneck() {
        for (flows, controller) in [(1, "newreno"), (10, "cubic")] {
            let options = Options { scale: 0.02, ..Options::default() };
            let report = run(&options, flows, controller).unwrap();
            // 1.2 s at 100 Mbit/s are 9,750 full packets at most, each over three links, and an ACK for at least every
            // second.
            let packets = report.packets.unwrap();
            assert!((30_000..58_500).contains(&packets), "{flows} {controller}: {packets}");
        }
    }
}
