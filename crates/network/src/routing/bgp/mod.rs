//! BGP-4 (RFC 4271) between autonomous systems: neighbours tell each other whole paths, and each system decides by its own policy.

mod config;
mod peer;
mod policy;
mod router;
mod session;
mod settings;

pub(super) use config::KIND;

#[cfg(test)]
mod tests;
