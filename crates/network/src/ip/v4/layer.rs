//! What IPv4 keeps.

use core::time::Duration;
use std::net::Ipv4Addr;

use septet_core::Rng;

use crate::fragment::Reassembler;
use crate::ip::ways::{self, Ways};

/// Where packets for one destination go.
pub(crate) type Way = ways::Way<Ipv4Addr>;

/// What IPv4 keeps.
#[derive(Debug)]
pub(crate) struct Layer {
    pub(crate) ways: Ways<Ipv4Addr>,
    pub(crate) reassembler: Option<Box<Reassembler>>,
    /// The identification of the datagram last sent.
    pub(crate) ident: u16,
    /// The sender for whom a datagram was last passed on, and the epoch in which he was found to be one that it may come from.
    pub(crate) sender: (Ipv4Addr, u32),
    /// What time it was when the world began, since 1970.
    pub(crate) epoch: Duration,
}

impl Layer {
    pub(crate) fn new(rng: &mut Rng) -> Self {
        let (ident, sender) = (rng.next_u32() as u16, (Ipv4Addr::UNSPECIFIED, 0));
        Self { ways: Ways::default(), reassembler: None, ident, sender, epoch: Duration::ZERO }
    }
}
