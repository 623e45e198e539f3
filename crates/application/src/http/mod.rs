//! HTTP/1.1 (RFC 9112) and HTTP/2 (RFC 9113), over hyper.

mod access;
mod answers;
mod body;
mod client;
mod coding;
mod conditions;
mod converse;
mod cut;
mod digest;
mod disk;
mod ending;
mod endpoints;
mod files;
mod gate;
mod head;
mod http1;
mod http2;
mod kinds;
mod listing;
mod page;
mod pages;
mod path;
mod patience;
mod range;
mod room;
mod runtime;
mod server;
mod service;
mod show;
mod site;

/// What rules and pages are made of.
pub use ::http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header::LOCATION};
pub use access::AccessLog;
pub use answers::{About, Answer, Place, Rule, Which};
pub use body::{Body, Pattern};
pub use client::{Connection, Version};
pub use converse::converse;
pub use cut::Cut;
pub use digest::Digester;
pub use files::Files;
pub use page::{Content, Page};
pub use server::{METRICS, Server};
pub use service::{Peer, Service, broken, plain};
pub use site::{Dots, Endpoints, Listing, Root, Site};

pub(crate) use coding::Decoding;
pub(crate) use digest::base64;
pub use runtime::Io;
pub(crate) use service::sign;

/// Takes from the machine what can only be taken once and is never seen afterwards, while a world is built: the moment
/// that hyper's clock counts from (only differences to it matter), and the keys of this thread's hash maps (h2 has
/// some, and goes by their order of insertion).
pub(crate) fn prime() {
    runtime::base();
    let _ = std::hash::RandomState::new();
}
