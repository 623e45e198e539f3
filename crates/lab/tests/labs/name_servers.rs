//! Name servers: how questions reach them, and how they agree among themselves.

use super::{holds, misses};

#[test]
fn dns_against_tcp() {
    holds("dns-against-tcp", &[]);
    let over_tcp = misses("dns-against-tcp", r#""at 2s: dig www.x.test""#, r#""at 2s: dig +tcp www.x.test""#);
    assert_eq!(over_tcp, ["udp", "packets"]);
}

#[test]
fn dns_truncation() {
    holds("dns-truncation", &[]);
    // Without the bound of 512 bytes, without EDNS, with a server that sends longer datagrams, and who cares after all.
    let missed = |old, new| misses("dns-truncation", old, new);
    assert_eq!(missed("dig +noedns some", "dig some"), ["old", "cut"]);
    assert_eq!(missed("2s: dig some", "2s: dig +noedns some"), ["edns", "cut"]);
    assert_eq!(missed("[host.ns.dns.zones", "[host.ns.dns]\nudp_size = 4096\n[host.ns.dns.zones"), ["wide", "cut"]);
    assert_eq!(missed("+ignore ", ""), ["careless"]);
}

#[test]
fn zone_transfer() {
    holds("zone-transfer", &[]);
    let missed = |old, new| misses("zone-transfer", old, new);
    assert_eq!(missed("notify = \"ns2\"\n", ""), ["told", "served"]);
    assert_eq!(missed("transfer = \"ns2\"\n", ""), ["closed"]);
    assert!(missed("transfer = \"ns2\"\n", "transfer = []\n").contains(&"served".to_owned()));
    assert_eq!(missed("\"20s: crash ns1\"", ""), ["expired"]);
}
