//! What a service knows of a name.

use std::net::{IpAddr, Ipv4Addr};

use septet_application::dns;

use crate::site::HostId;

/// What is known of a name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RecordData {
    /// The addresses of a host.
    Host(HostId),
    /// An address.
    Address(IpAddr),
    /// Another name for it.
    Cname(String),
    /// A mail server, with its preference.
    Mx(u16, String),
    /// A name server.
    Ns(String),
    /// The name behind an address.
    Ptr(String),
    /// Where a service is: priority, weight, port, host.
    Srv(u16, u16, u16, String),
    /// Texts.
    Txt(Vec<String>),
}

impl RecordData {
    /// The record itself; that of a host has its address only where it starts.
    pub(crate) fn shape(&self) -> dns::Data {
        match self.clone() {
            Self::Host(_) => dns::Data::A(Ipv4Addr::UNSPECIFIED),
            Self::Address(IpAddr::V4(address)) => dns::Data::A(address),
            Self::Address(IpAddr::V6(address)) => dns::Data::Aaaa(address),
            Self::Cname(of) => dns::Data::Cname(of),
            Self::Mx(preference, exchange) => dns::Data::Mx { preference, exchange },
            Self::Ns(server) => dns::Data::Ns(server),
            Self::Ptr(name) => dns::Data::Ptr(name),
            Self::Srv(priority, weight, port, target) => dns::Data::Srv { priority, weight, port, target },
            Self::Txt(texts) => dns::Data::Txt(texts),
        }
    }
}
