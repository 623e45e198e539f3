//! Everything a host counts, under one roof.

use crate::stack::{LinkCounters, Stack};

pub(crate) fn all(stack: &Stack) -> Vec<(&'static str, u64)> {
    let LinkCounters { rx_errors, rx_crc_errors, rx_length_errors, rx_dropped } = stack.link;
    let link = [
        ("rx_errors", rx_errors),
        ("rx_crc_errors", rx_crc_errors),
        ("rx_length_errors", rx_length_errors),
        ("rx_dropped", rx_dropped),
    ];
    let tcp = stack.tcp.counters();
    stack.ip.counters.iter().chain(tcp).chain(stack.udp.counters.iter()).chain(link).collect()
}
