//! Everything a host counts, under one roof.

use super::storeys::Storeys;

pub(crate) fn all(stack: &Storeys) -> Vec<(&'static str, u64)> {
    let tcp = stack.tcp.counters();
    stack.ip.counters.iter().chain(tcp).chain(stack.udp.counters()).collect()
}
