//! How a lab becomes a world: what stands in the ports of its nodes, and what hosts do when they boot.

pub(crate) mod boot;
pub(crate) mod cards;
