//! Every kind of service.

mod answers;
mod authority;
mod balancer;
mod dhcp;
mod dhcp_relay;
mod dns;
mod http;
mod outside;
mod recursor;

pub use authority::Signing;
pub use balancer::{BackendSpec, Balancer, Health, RouteSpec};
pub use dhcp::{Dhcp, Named4};
pub use dhcp_relay::DhcpRelay;
pub use dns::{Allowed, Dns, Peer, RecordSpec, ZoneFile, ZoneSpec};
pub use http::{Http, Shows};
pub use outside::Outside;
pub use recursor::Recursor;

use crate::service::Kind;

/// One line a service.
pub(crate) const KINDS: &[Kind] = &[
    authority::KIND,
    dns::KIND,
    http::KIND,
    balancer::KIND,
    dhcp::KIND,
    dhcp_relay::KIND,
    outside::KIND,
    recursor::KIND,
];
