//! Storey 3 of one host: interfaces, routes, neighbours, and the datagrams that go up, down and through.
//!
//! What the host keeps is in `state`, with what that is made of beside it (`interface`, `book`, `members`, `flow`, `detours`, `paths`, `loopback`, `unwired`, `v4::layer`,
//! `v6::layer`); each of the others is something that storey 3 does.

mod admin;
mod aftermath;
mod book;
mod bound;
mod config;
mod detours;
mod errors;
mod filter;
mod flow;
mod groups;
mod header_options;
mod interface;
mod loopback;
mod members;
mod mroute;
mod offload;
mod outgoing;
mod output;
mod path_mtu;
mod paths;
mod redirects;
mod routes;
mod spread;
mod state;
mod timers;
mod told;
mod unwired;
mod up;
mod v4;
mod v6;
mod vlan;
mod ways;

pub use self::aftermath::Aftermath;
pub use self::book::{AdminState, Change, Lifetime, NewAddress, News};
pub use self::config::{ConfigError, InterfaceConfig, VlanInterfaceConfig};
pub use self::detours::Redirects;
pub use self::flow::Multipath;
pub use self::header_options::are_options_valid;
pub use self::offload::split;
pub use self::outgoing::{DEFAULT_TTL, DontFragment, LOOPBACK_MTU, Looped, Outgoing, SendError};
pub use self::routes::{Path, PathKind};
pub use self::state::Ip;
pub use self::unwired::Unwired;
pub use self::up::{Cast, Datagram, Report, Up};
pub use self::v6::{AddressState, Advertise, AdvertisedPrefix, Autoconf, Autonomous, Discovery, Ipv6Config, Privacy};

use self::interface::Interface;
use self::outgoing::LOOPBACK_DELAY;
