//! Storey 3: ARP, IP, ICMP, fragmentation and routes.
//!
//! [`ip::Ip`] is the storey of one host: a state machine that frames, calls and the time go into, and that answers with
//! frames, datagrams for the storeys above, and its next deadline. Everything else here is what it is made of, each
//! usable alone: the wire formats ([`ipv4`], [`ipv6`], [`icmp`], [`icmpv6`], [`arp`]), the neighbour cache ([`neighbor`]), the routing table
//! ([`table`] of [`route`]s), [`fragment`]ation, [`routes`], which computes the tables of a whole topology, and the
//! [`selection`] of addresses to speak from and to.

pub mod acd;
mod addr;
pub mod conntrack;
mod counters;
pub mod filter;
pub mod firewall;
mod forwarding;
pub mod fragment;
mod icmp_limit;
pub mod ip;
pub mod membership;
mod multicast;
pub mod nat;
pub mod neighbor;
pub mod route;
pub mod routes;
pub mod routing;
pub mod selection;
pub mod table;
mod tight;
mod trie;

pub use addr::{Cidr, Prefix, PrefixError};
pub use counters::{Counters, Counters6, Seldom, Seldom6};
pub use forwarding::Forwarding;
pub use ip::{InterfaceConfig, Ip, Ipv6Config};
pub use multicast::{Multicast, MulticastRoute, MulticastTarget, ToMembers};
pub use septet_wire::{HeaderFault, Trouble, arp, icmp, icmpv6, igmp, ipv4, ipv6, mld};

pub use route::{Iface, NextHop, Origin, Route, StaticRoute, Target};
