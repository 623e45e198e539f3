//! Everything a host counts, under one roof.

use septet_core::Metric;
use septet_network::{Counters, Counters6};
use septet_transport::{tcp, udp};

use super::storeys::Storeys;

/// What a host counts as a whole, by the names of `nstat`.
pub fn metrics() -> impl Iterator<Item = &'static Metric> {
    Counters::METRICS.iter().chain(Counters6::METRICS).chain(tcp::Mib::METRICS).chain(udp::Mib::METRICS)
}

pub(crate) fn all(stack: &Storeys) -> Vec<(&'static str, u64)> {
    let tcp = stack.tcp.counters();
    stack.ip.counters.iter().chain(stack.ip.counters6.iter()).chain(tcp).chain(stack.udp.counters()).collect()
}
