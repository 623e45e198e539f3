//! Where IGMP and MLD differ: addresses, and how much room they take.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use septet_wire::membership::Record;
use septet_wire::{igmp, ipv4, ipv6, mld};

/// A version of IP, and what its groups are told by.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Family {
    /// IGMP.
    V4,
    /// MLD.
    V6,
}

impl Family {
    /// That of an address.
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    /// To whom general queries go.
    pub const fn all_systems(self) -> IpAddr {
        match self {
            Self::V4 => IpAddr::V4(igmp::ALL_SYSTEMS),
            Self::V6 => IpAddr::V6(mld::ALL_NODES),
        }
    }

    /// To whom leaves of the second version go.
    pub const fn all_routers(self) -> IpAddr {
        match self {
            Self::V4 => IpAddr::V4(igmp::ALL_ROUTERS),
            Self::V6 => IpAddr::V6(mld::ALL_ROUTERS),
        }
    }

    /// To whom reports of the third version go.
    pub const fn all_reports(self) -> IpAddr {
        match self {
            Self::V4 => IpAddr::V4(igmp::ALL_REPORTS),
            Self::V6 => IpAddr::V6(mld::ALL_REPORTS),
        }
    }

    /// No address.
    pub const fn unspecified(self) -> IpAddr {
        match self {
            Self::V4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            Self::V6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        }
    }

    /// Whether members of `group` tell so. RFC 3376 §5: of 224.0.0.1 "reception … is enabled at all times" and nothing is sent;
    /// RFC 3810 §6: the same of ff02::1 and of groups of scope 0 (reserved) and 1 (node-local).
    pub fn is_reported(self, group: IpAddr) -> bool {
        group != self.all_systems() && !matches!(group, IpAddr::V6(group) if group.octets()[1] & 0x0f < 2)
    }

    /// Octets of an address.
    const fn address_len(self) -> usize {
        match self {
            Self::V4 => 4,
            Self::V6 => 16,
        }
    }

    /// Octets of IP's headers, router alert included, and of the fixed part of a message.
    const fn overhead(self) -> usize {
        match self {
            Self::V4 => ipv4::HEADER_LEN + igmp::ROUTER_ALERT.len() + 8,
            Self::V6 => ipv6::HEADER_LEN + mld::ROUTER_ALERT.len() + 8,
        }
    }

    /// Octets of a record without its sources.
    const fn record_len(self) -> usize {
        4 + self.address_len()
    }

    /// How many sources fit into a query of packets of `mtu` octets.
    pub(super) const fn sources_per_query(self, mtu: u32) -> usize {
        let fixed = self.overhead() + 4 + self.address_len();
        let room = (mtu as usize).saturating_sub(fixed) / self.address_len();
        if room == 0 { 1 } else { room }
    }

    /// Distributes records over reports that fit into packets of `mtu` octets. RFC 3376 §4.2.16: what is too long for one
    /// is split, "if the Record Type is MODE_IS_EXCLUDE or CHANGE_TO_EXCLUDE_MODE … the source list is truncated".
    pub(super) fn pack(self, records: Vec<Record>, mtu: u32) -> Vec<Vec<Record>> {
        use septet_wire::membership::Said::{IsExclude, ToExclude};
        let room = (mtu as usize).saturating_sub(self.overhead()).max(self.record_len() + self.address_len());
        let most = (room - self.record_len()) / self.address_len();
        let mut reports: Vec<Vec<Record>> = Vec::new();
        let mut left = 0;
        for mut record in records {
            loop {
                let rest = record.sources.split_off(most.min(record.sources.len()));
                let len = self.record_len() + record.sources.len() * self.address_len();
                let (said, group) = (record.said, record.group);
                match reports.last_mut() {
                    Some(report) if len <= left => report.push(record),
                    _ => {
                        reports.push(vec![record]);
                        left = room;
                    }
                }
                left -= len;
                if rest.is_empty() || matches!(said, IsExclude | ToExclude) {
                    break;
                }
                record = Record { said, group, sources: rest };
            }
        }
        reports
    }
}
