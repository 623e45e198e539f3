//! An interface of a host: what it is, and what it keeps.

use septet_core::{Carrier, Port};
use septet_datalink::ethernet::MacAddr;
use septet_datalink::vlan::VlanId;

use super::book::AdminState;
use super::members::Groups;
use super::v6::link::Link;
use crate::addr::Cidr;

/// An interface of a host.
#[derive(Debug)]
pub(super) struct Interface {
    pub(super) port: Port,
    /// The one VLAN whose frames it sends and receives, with a tag.
    pub(super) vlan: Option<VlanId>,
    pub(super) mac: MacAddr,
    pub(super) mtu: u32,
    /// Whether it can be used: it has a signal, and is not switched off.
    pub(super) carrier: Carrier,
    pub(super) signal: Carrier,
    pub(super) admin: AdminState,
    pub(super) addresses: Vec<Cidr>,
    pub(super) groups: Groups,
    /// What it does of IPv6 by itself.
    pub(super) v6: Option<Box<Link>>,
}
