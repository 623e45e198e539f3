//! HTTP/1.1 (RFC 9112) and HTTP/2 (RFC 9113) over hyper.

mod body;
mod client;
mod digest;
mod runtime;
mod server;
mod site;

pub use body::Pattern;
pub use client::{Connection, Version};
pub use digest::Digester;
pub use server::Server;
pub use site::{Content, Page, Site};

/// Takes the one moment of real time that hyper's clock counts from. In virtual time only differences to it are ever
/// seen; taking it while a world is built keeps the real clock out of the run.
pub(crate) fn prime() {
    runtime::base();
}
