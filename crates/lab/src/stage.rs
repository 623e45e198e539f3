//! How a lab becomes a world: what stands in it, what it counts, and what of that is read.

pub(crate) mod boot;
pub(crate) mod build;
pub(crate) mod cards;
pub(crate) mod gauges;
pub(crate) mod ports;
pub(crate) mod readings;
