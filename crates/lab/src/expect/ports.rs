//! Names of counters at the ports of a node: `eth2.rx_errors` at one of them, `rx_errors` at all.

/// `eth2.rx_errors`: the port that is named, and the counter.
pub(crate) fn split(name: &str) -> (Option<u16>, &str) {
    let found = name.split_once('.').and_then(|(port, rest)| Some((number(port)?, rest)));
    found.map_or((None, name), |(port, rest)| (Some(port), rest))
}

/// `eth2`: the number of the port.
pub(crate) fn number(port: &str) -> Option<u16> {
    port.strip_prefix("eth")?.parse().ok()
}
