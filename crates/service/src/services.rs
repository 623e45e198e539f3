//! Every kind of service.

mod answers;
mod balancer;
mod dns;
mod http;
mod outside;

pub use balancer::{Balancer, Health};
pub use dns::{Dns, RecordSpec, ZoneSpec};
pub use http::Http;
pub use outside::Outside;

use crate::service::Kind;

/// One line a service.
pub(crate) const KINDS: &[Kind] = &[dns::KIND, http::KIND, balancer::KIND, outside::KIND];
