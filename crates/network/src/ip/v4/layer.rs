//! What IPv4 keeps.

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
}

impl Layer {
    pub(crate) fn new(rng: &mut Rng) -> Self {
        Self { ways: Ways::default(), reassembler: None, ident: rng.next_u32() as u16 }
    }
}
