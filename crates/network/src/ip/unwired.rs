//! What those interfaces counted that have no wire of their own, the loopback and those for single VLANs: there nobody but
//! storey 3 can count.

use septet_core::LinkCounters;
use septet_wire::ethernet;

use crate::route::Iface;

/// Counts of the loopback and of interfaces for single VLANs. Most hosts have none.
#[derive(Debug, Default)]
pub struct Unwired(Option<Box<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    loopback: LinkCounters,
    /// By interface; those with a wire stay at zero.
    vlans: Vec<LinkCounters>,
}

impl Unwired {
    /// What an interface counted; `None` is the loopback.
    pub fn get(&self, iface: Option<Iface>) -> LinkCounters {
        let counted = self.0.as_ref().and_then(|counts| match iface {
            None => Some(&counts.loopback),
            Some(iface) => counts.vlans.get(usize::from(iface)),
        });
        counted.cloned().unwrap_or_default()
    }

    /// A packet of `octets` from its IP header on goes from the host to itself: as Linux's `loopback_xmit`, once as sent and
    /// once as received.
    pub(super) fn looped(&mut self, octets: usize) {
        let counted = &mut self.0.get_or_insert_default().loopback;
        counted.tx_packets += 1;
        counted.tx_bytes += octets as u64;
        counted.rx_packets += 1;
        counted.rx_bytes += octets as u64;
    }

    /// `octets` behind the link header leave by the interface of a VLAN: that header counts, what it is padded with and the
    /// tag do not, as in Linux's `vlan_dev_hard_start_xmit`.
    pub(super) fn sent(&mut self, iface: Iface, octets: usize) {
        let counted = self.vlan(iface);
        counted.tx_packets += 1;
        counted.tx_bytes += (ethernet::HEADER_LEN + octets) as u64;
    }

    /// `octets` behind the link header and the tag, padding too, came in by the interface of a VLAN: as Linux's `vlan_do_receive`.
    pub fn received(&mut self, iface: Iface, octets: usize) {
        let counted = self.vlan(iface);
        counted.rx_packets += 1;
        counted.rx_bytes += octets as u64;
    }

    fn vlan(&mut self, iface: Iface) -> &mut LinkCounters {
        let vlans = &mut self.0.get_or_insert_default().vlans;
        let at = usize::from(iface);
        if vlans.len() <= at {
            vlans.resize_with(at + 1, LinkCounters::default);
        }
        &mut vlans[at]
    }
}
