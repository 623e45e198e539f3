//! What an ICMP error means to a UDP socket.

use super::Error;
use crate::Trouble;

/// Whether an ICMP error may pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Finality {
    /// It may: a socket that has not asked for it does not hear of it.
    Soft,
    /// It stays.
    Hard,
}

/// What an ICMP error means to a socket, and whether it is final: Linux's `icmp_err_convert` and `tab_unreach`.
pub(super) fn meaning(trouble: Trouble) -> (Error, Finality) {
    use Finality::{Hard, Soft};
    match trouble {
        Trouble::NoRoute | Trouble::NetworkService => (Error::NetworkUnreachable, Soft),
        Trouble::NetworkUnknown | Trouble::NetworkProhibited => (Error::NetworkUnreachable, Hard),
        Trouble::ProtocolUnreachable => (Error::ProtocolUnreachable, Hard),
        Trouble::PortUnreachable => (Error::ConnectionRefused, Hard),
        Trouble::TooBig { .. } => (Error::TooLong, Soft),
        Trouble::Header { .. } => (Error::BadParameter, Hard),
        Trouble::HostUnknown
        | Trouble::Isolated
        | Trouble::HostProhibited
        | Trouble::Prohibited
        | Trouble::SourcePolicy
        | Trouble::RejectRoute
        | Trouble::Precedence
        | Trouble::PrecedenceCutoff => (Error::HostUnreachable, Hard),
        Trouble::HostUnreachable
        | Trouble::HostService
        | Trouble::SourceRoute
        | Trouble::BeyondScope
        | Trouble::HopLimit
        | Trouble::Reassembly
        | Trouble::Other { .. } => (Error::HostUnreachable, Soft),
    }
}
