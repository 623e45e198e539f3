//! Everything a host counts, under one roof.

use septet_core::Metric;
use septet_network::{Counters, Counters6, routing};
use septet_transport::{tcp, udp};

use super::storeys::Storeys;

/// What a host counts as a whole, by the names of `nstat`.
pub fn metrics() -> impl Iterator<Item = &'static Metric> {
    let routing = routing::PROTOCOLS.iter().flat_map(|kind| kind.counters);
    let ip = Counters::METRICS.iter().chain(Counters6::METRICS);
    ip.chain(tcp::Mib::METRICS).chain(udp::Mib::METRICS).chain(routing)
}

pub(crate) fn all(stack: &Storeys) -> Vec<(&'static str, u64)> {
    let tcp = stack.tcp.counters();
    let ip = stack.ip.counters.iter().chain(stack.ip.counters6.iter());
    let mut all: Vec<_> = ip.chain(tcp).chain(stack.udp.counters()).collect();
    if let Some(routing) = &stack.routing {
        routing.show(&mut |name, count| all.push((name, count)));
    }
    all
}
