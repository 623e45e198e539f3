//! What a CONNECT or an ACCEPT says, as this end takes it.

use bytes::Bytes;

use super::service::{Acceptance, Proposal};
use super::{Config, Role, VERSION_2};
use crate::spdu::{Name, Setting, Spdu, Units, refusal};

/// §8.3.1.16: what is meant where Session User Requirements are missing: "half-duplex, minor synchronize, activity
/// management, capability data exchange and exceptions".
pub(super) const DEFAULT_UNITS: Units =
    Units(Units::HALF_DUPLEX.0 | Units::MINOR.0 | Units::ACTIVITY.0 | Units::CAPABILITY.0 | Units::EXCEPTIONS.0);

/// What a CONNECT proposes, or the code with which it is refused.
pub(super) fn proposal(spdu: &Spdu, config: &Config) -> Result<Proposal, u8> {
    // A version that is missing is version 1.
    if spdu.octet(Name::VersionNumber).unwrap_or(1) & VERSION_2 == 0 {
        return Err(refusal::VERSIONS);
    }
    let called = spdu.get(Name::CalledSelector).cloned().unwrap_or_default();
    if !called.is_empty() && !config.selector.is_empty() && called != config.selector {
        return Err(refusal::SELECTOR);
    }
    // More user data would follow in CONNECT DATA OVERFLOW.
    if spdu.get(Name::DataOverflow).is_some() {
        return Err(refusal::SPM);
    }
    Ok(Proposal {
        units: spdu.units().unwrap_or(DEFAULT_UNITS),
        tokens: Setting::from_octet(spdu.octet(Name::TokenSetting).unwrap_or_default()),
        serial: spdu.serial(Name::InitialSerialNumber).unwrap_or_default(),
        calling: spdu.get(Name::CallingSelector).cloned().unwrap_or_default(),
        called,
        user_data: spdu.user_data(),
    })
}

/// What an ACCEPT answers, with the units that were agreed.
pub(super) fn acceptance(spdu: &Spdu, units: Units) -> Acceptance {
    Acceptance {
        units,
        tokens: Setting::from_octet(spdu.octet(Name::TokenSetting).unwrap_or_default()),
        please: spdu.tokens(),
        serial: spdu.serial(Name::InitialSerialNumber).unwrap_or_default(),
        user_data: spdu.user_data(),
    }
}

/// The longest TSDU that may be sent, after a CONNECT or an ACCEPT came; `role` is that of this end. Nought for no limit.
pub(super) fn limit(spdu: &Spdu, config: &Config, role: Role) -> usize {
    let sizes = spdu.get(Name::TsduMaximumSize).cloned().unwrap_or_else(|| Bytes::from_static(&[0; 4]));
    let [i1, i2, r1, r2] = *sizes else { return 0 };
    let theirs = match role {
        Role::Initiator => u16::from_be_bytes([i1, i2]),
        Role::Responder => u16::from_be_bytes([r1, r2]),
    };
    let both = [theirs, config.max_tsdu].into_iter().filter(|n| *n != 0).min().unwrap_or_default();
    usize::from(both)
}
