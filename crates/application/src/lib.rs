//! Storey 7: DNS, HTTP, the load balancer, and the client programs.
//!
//! Everything here is written against [`Net`](septet_socket::Net) and runs unchanged in virtual time, on our stack
//! over a TAP, and on the kernel's sockets. A service is built from plain data and then serves:
//!
//! - [`dns::Server`], an authoritative name server, [`dns::Recursor`], a recursive resolver, and [`dns::Resolver`], the stub that
//!   asks them;
//! - [`http::Server`] over HTTP/1.1 and HTTP/2, plain or with TLS;
//! - [`balancer::Balancer`], which spreads connections over backends;
//! - [`programs`], the clients: `curl`, `dig`, `ping`, `traceroute`, `iperf3` and more.

pub mod balancer;
mod begun;
pub mod dhcp;
mod dial;
pub mod dns;
pub mod http;
pub mod programs;
pub mod proxy_protocol;
mod task;

use septet_core::Metric;

/// Which programs record something, by name, and what; of services, those who start them say so.
pub fn recorders() -> impl Iterator<Item = (&'static str, &'static [Metric])> {
    let programs = programs::PROGRAMS.iter().map(|program| (program.name(), program.metrics()));
    let hosts = [("every host that gets an address by DHCP", dhcp::CLIENT_METRICS)];
    programs.chain(hosts).chain([
        ("every program that looks names up", dns::METRICS),
        ("every program that connects by name", dial::METRICS),
        ("every program", programs::METRICS),
    ])
}
