//! What storey 3 hands up.

use std::net::IpAddr;

use septet_core::Frame;
use septet_wire::Trouble;

use super::book::Change;
use crate::route::Iface;

/// How the link addressed a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cast {
    /// To one station.
    Unicast,
    /// To a group.
    Multicast,
    /// To all.
    Broadcast,
}

/// What storey 3 hands up.
#[derive(Debug)]
pub enum Up {
    /// A datagram for a protocol that [`Ip::serve`] has named.
    Datagram(Datagram),
    /// The answer to an echo request of this host.
    EchoReply {
        /// Who answered.
        from: IpAddr,
        /// The identifier of the request.
        ident: u16,
        /// The sequence number of the request.
        seq: u16,
        /// The time to live with which it came.
        ttl: u8,
        /// Octets of the header of IP before ICMP's, which can be put back.
        header_len: usize,
        /// The data that came back.
        data: Frame,
    },
    /// A node reports an error about a datagram of this host.
    Error(Report),
    /// Something about addresses or interfaces changed, where [`Ip::watch`] asked for it.
    Change(Change),
}

/// A datagram on its way up.
#[derive(Debug)]
pub struct Datagram {
    /// Where it came in; `None` where it never left the host.
    pub iface: Option<Iface>,
    /// Source.
    pub src: IpAddr,
    /// Destination: an own address, a broadcast address or a group.
    pub dst: IpAddr,
    /// What it carries; see [`protocol`](septet_wire::ipv4::protocol).
    pub protocol: u8,
    /// The time to live with which it came.
    pub ttl: u8,
    /// Differentiated services and ECN.
    pub tos: u8,
    /// To how many it was addressed.
    pub cast: Cast,
    /// The largest datagram that reaches `src` whole, as far as is known and where that was looked up on the way here.
    pub mtu_back: Option<u32>,
    /// Octets of the IP header, which [`Ip::port_unreachable`] restores.
    pub(super) header_len: u16,
    /// The payload.
    pub frame: Frame,
}

/// An error about a datagram that this host sent, whichever version of IP reported it.
#[derive(Debug)]
pub struct Report {
    /// The node that reported it.
    pub reporter: IpAddr,
    /// The source of the datagram.
    pub src: IpAddr,
    /// The destination of the datagram.
    pub dst: IpAddr,
    /// What it carried.
    pub protocol: u8,
    /// What is wrong.
    pub trouble: Trouble,
    /// What is quoted of the datagram's payload; at least eight octets.
    pub quote: Frame,
}
