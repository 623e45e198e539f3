//! Everything a host counts, under one roof.

use crate::stack::Stack;

pub(crate) fn all(stack: &Stack) -> Vec<(&'static str, u64)> {
    let tcp = stack.tcp.counters();
    stack.ip.counters.iter().chain(tcp).chain(stack.udp.counters()).collect()
}
