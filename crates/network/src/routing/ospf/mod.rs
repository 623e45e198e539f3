//! OSPF version 2 (RFC 2328) in one area: routers find each other, agree on one map of all links, and each computes its own
//! shortest paths from that.

mod ageing;
mod computed;
mod config;
mod database;
mod delay;
mod designated;
mod destinations;
mod exchange;
mod flood;
mod hello;
mod interface;
mod map;
mod neighbor;
mod originate;
mod router;
mod settings;
mod spf;
mod ways;

pub(super) use config::KIND;

#[cfg(test)]
mod tests;
