//! Whether a node is a host or a router.

/// Whether a host passes on what is addressed to others: `net.ipv4.ip_forward`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Forwarding {
    /// A host: it drops them.
    #[default]
    Off,
    /// A router.
    On,
}
