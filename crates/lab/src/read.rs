//! How a lab file becomes a lab: its keys, and what they say together.

pub(crate) mod autoconf;
pub(crate) mod costs;
pub(crate) mod dhcp;
pub(crate) mod edit;
pub(crate) mod idle;
pub(crate) mod keys;
mod known;
mod lab;
pub(crate) mod links;
pub(crate) mod listeners;
pub(crate) mod multicast;
pub(crate) mod node;
pub(crate) mod routes;
pub(crate) mod routing;
pub(crate) mod segments;
pub(crate) mod shared_line;
pub(crate) mod starts;
pub(crate) mod sweep;
pub(crate) mod switch;
pub(crate) mod tcp;
pub(crate) mod trust;
pub(crate) mod vlans;
