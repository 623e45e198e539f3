//! What only Linux has: TAP interfaces, network namespaces, timers of nanoseconds.

pub mod exec;
pub mod ids;
pub mod interface;
pub mod namespace;
pub mod stack;
pub mod station;
pub(crate) mod sys;
pub mod tap;
pub mod timer;
pub mod user;
pub mod vnet;
