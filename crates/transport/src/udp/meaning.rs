//! What an ICMP error means to a UDP socket.

use super::Error;
use crate::{IcmpError, Unreachable};

/// Whether an ICMP error may pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Finality {
    /// It may: a socket that has not asked for it does not hear of it.
    Soft,
    /// It stays.
    Hard,
}

/// What an ICMP error means to a socket, and whether it is final: Linux's `icmp_err_convert`.
pub(super) fn meaning(error: &IcmpError) -> (Error, Finality) {
    // Storey 3 tells apart what all can use; some of the codes of ICMPv4 differ beyond that.
    let code = if error.local.is_ipv4() { error.code } else { 0 };
    match (error.kind, code) {
        (Unreachable::Port, _) => (Error::ConnectionRefused, Finality::Hard),
        (Unreachable::Protocol, _) => (Error::ProtocolUnreachable, Finality::Hard),
        (Unreachable::ParameterProblem, _) => (Error::BadParameter, Finality::Hard),
        (Unreachable::Network, 6) | (Unreachable::Prohibited, 9) => (Error::NetworkUnreachable, Finality::Hard),
        (Unreachable::Network, _) => (Error::NetworkUnreachable, Finality::Soft),
        (Unreachable::Prohibited, _) | (Unreachable::Host, 8 | 14 | 15) => (Error::HostUnreachable, Finality::Hard),
        (Unreachable::TooBig { .. }, _) => (Error::TooLong, Finality::Soft),
        (Unreachable::Host | Unreachable::TimeExceeded, _) => (Error::HostUnreachable, Finality::Soft),
    }
}
