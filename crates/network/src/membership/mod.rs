//! Who is a member of which multicast group on a link: IGMP and MLD, one machine for hosts and one for routers over both
//! versions of IP.

mod family;
mod host;
mod merge;
mod querier;

pub use family::Family;
pub use host::Memberships;
pub use merge::Merged;
pub use querier::{Leave, News, Querier, Settings};
pub use septet_wire::membership::{Filter, Message, Query, Record, Said, Version};

#[cfg(test)]
mod host_tests;
#[cfg(test)]
mod querier_tests;
