//! Plays hostile input against what faces the world, and panics where a promise is broken.
//!
//! Each function takes the bytes that a fuzzer (`fuzz/`) or a kept input (`fuzz/corpus/`) brings. Beside panics and hangs,
//! which a fuzzer sees by itself, it checks what holds whatever the bytes are: who was served before is served after,
//! what is sent is well formed, and what is kept stays within its bounds.

mod command;
mod dhcp;
mod dns;
mod file;
mod forwarded;
mod http;
mod keys;
mod pieces;
mod presentation;
mod routing;
mod session;
mod station;
mod words;
mod zone_file;

pub use command::command;
pub use dhcp::dhcp;
pub use dns::{dns_client, dns_server, resolver};
pub use file::lab_file;
pub use forwarded::proxy_protocol;
pub use http::{http_client, http_server};
pub use keys::certificates;
pub use presentation::{charset, decompression, message, sniffing};
pub use routing::routing;
pub use session::{cotp, session, spdu, transfer};
pub use station::{firewall, host, router};
pub use words::words;
pub use zone_file::zone_file;

/// What plays a kind of input.
pub type Play = fn(&[u8]);

/// Every kind of input, by the name of its fuzz target and its corpus.
pub const PLAYS: &[(&str, Play)] = &[
    ("host", host),
    ("router", router),
    ("firewall", firewall),
    ("dhcp", dhcp),
    ("routing", routing),
    ("spdu", spdu),
    ("cotp", cotp),
    ("session", session),
    ("transfer", transfer),
    ("charset", charset),
    ("sniffing", sniffing),
    ("decompression", decompression),
    ("message", message),
    ("certificates", certificates),
    ("proxy-protocol", proxy_protocol),
    ("dns-server", dns_server),
    ("dns-client", dns_client),
    ("zone-file", zone_file),
    ("resolver", resolver),
    ("http-server", http_server),
    ("http-client", http_client),
    ("lab-file", lab_file),
    ("words", words),
    ("command", command),
];
