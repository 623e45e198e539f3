//! The SPDUs that requests and responses become.

use bytes::Bytes;

use super::segment;
use super::service::{Acceptance, Confirmation, Proposal, Request};
use super::{Config, Spm, VERSION_2};
use crate::spdu::{Kind, Name, Serial, Setting, Spdu, Units, disconnect, refusal};

/// What CONNECT holds at most; what ACCEPT and all others do.
const CONNECT_DATA: usize = 10_240;
const USER_DATA: usize = 60_000;
const IDENTIFIER: usize = 6;
const SELECTOR: usize = 16;

/// Why a request does not fit its SPDU.
pub(super) fn too_long(request: &Request) -> Option<String> {
    let (what, len, most) = match request {
        Request::Connect(p) if p.user_data.len() > CONNECT_DATA => ("the user data", p.user_data.len(), CONNECT_DATA),
        Request::Connect(p) if p.calling.len() > SELECTOR => ("the calling selector", p.calling.len(), SELECTOR),
        Request::Connect(p) if p.called.len() > SELECTOR => ("the called selector", p.called.len(), SELECTOR),
        Request::ActivityStart(id, _) | Request::ActivityResume { id, .. } if id.len() > IDENTIFIER => {
            ("the identifier", id.len(), IDENTIFIER)
        }
        Request::ActivityResume { old, .. } if old.len() > IDENTIFIER => ("the old identifier", old.len(), IDENTIFIER),
        other => ("the user data", user_data(other).map_or(0, Bytes::len), USER_DATA),
    };
    (len > most).then(|| format!("{what} is {len} octets long, {most} are the most"))
}

fn user_data(request: &Request) -> Option<&Bytes> {
    Some(match request {
        Request::Accept(Acceptance { user_data, .. }) | Request::ActivityResume { user_data, .. } => user_data,
        Request::Refuse(data)
        | Request::PleaseTokens(_, data)
        | Request::SyncMinor(_, data)
        | Request::SyncMinorConfirm(_, data)
        | Request::SyncMajor(data)
        | Request::SyncMajorConfirm(data)
        | Request::Resynchronize(_, _, _, data)
        | Request::ResynchronizeConfirm(_, data)
        | Request::ActivityStart(_, data)
        | Request::ActivityEnd(data)
        | Request::ActivityEndConfirm(data)
        | Request::Release(data)
        | Request::ReleaseConfirm(data)
        | Request::ReleaseReject(data)
        | Request::Abort(data) => data,
        _ => return None,
    })
}

pub(super) fn connect(proposal: &Proposal, config: &Config) -> Spdu {
    let Proposal { units, tokens, serial, calling, called, user_data } = proposal;
    let mut spdu = item(Spdu::new(Kind::Connect), config, *units, *serial);
    if !units.tokens().is_empty() {
        spdu = spdu.with_octet(Name::TokenSetting, tokens.octet());
    }
    spdu = spdu.with(Name::SessionRequirements, units.0.to_be_bytes().to_vec());
    for (name, selector) in [(Name::CallingSelector, calling), (Name::CalledSelector, called)] {
        if !selector.is_empty() {
            spdu = spdu.with(name, selector.clone());
        }
    }
    spdu.with_user_data(user_data.clone())
}

fn accept(acceptance: &Acceptance, config: &Config, units: Units) -> Spdu {
    let Acceptance { units: _, tokens, please, serial, user_data } = acceptance;
    let mut spdu = item(Spdu::new(Kind::Accept), config, units, *serial);
    if !units.tokens().is_empty() {
        spdu = spdu.with_octet(Name::TokenSetting, tokens.octet());
    }
    if !please.is_empty() {
        spdu = spdu.with_octet(Name::TokenItem, please.0);
    }
    spdu.with(Name::SessionRequirements, units.0.to_be_bytes().to_vec()).with_user_data(user_data.clone())
}

/// The Connect/Accept Item.
fn item(spdu: Spdu, config: &Config, units: Units, serial: Serial) -> Spdu {
    let mut spdu = spdu.with_octet(Name::ProtocolOptions, 0).with_octet(Name::VersionNumber, VERSION_2);
    if config.max_tsdu != 0 {
        let size = config.max_tsdu.to_be_bytes();
        spdu = spdu.with(Name::TsduMaximumSize, [size, size].concat());
    }
    // §8.3.1.12: "shall be present if any of the minor synchronize, major synchronize or resynchronize functional units
    // is proposed and the activity management functional unit is not".
    let counts = (units & (Units::MINOR | Units::MAJOR | Units::RESYNCHRONIZE)) != Units::KERNEL;
    if counts && !units.has(Units::ACTIVITY) {
        spdu = spdu.with(Name::InitialSerialNumber, serial.digits());
    }
    spdu
}

pub(super) fn refuse(reason: u8, told: &Bytes) -> Spdu {
    let mut value = vec![reason];
    if reason == refusal::USER {
        value.extend_from_slice(told);
    }
    Spdu::new(Kind::Refuse)
        .with_octet(Name::TransportDisconnect, disconnect::RELEASED)
        .with_octet(Name::RefusedVersion, VERSION_2)
        .with(Name::Reason, value)
}

impl Spm {
    /// Sends the SPDU of a request, whose serial number is `serial`.
    pub(super) fn send(&mut self, request: &Request, serial: Serial) {
        let with = |kind: Kind, data: &Bytes| Spdu::new(kind).with_user_data(data.clone());
        let spdu = match request {
            Request::Connect(proposal) => connect(proposal, &self.config),
            Request::Accept(acceptance) => {
                let asked = self.proposal.as_ref().map(|p| p.tokens).unwrap_or_default();
                let tokens = asked.settled(acceptance.tokens);
                accept(&Acceptance { tokens, ..acceptance.clone() }, &self.config, self.units)
            }
            Request::Refuse(told) => refuse(refusal::USER, told),
            Request::Data(data) => return self.send_data(Kind::DataTransfer, data),
            Request::TypedData(data) => return self.send_data(Kind::TypedData, data),
            Request::GiveTokens(tokens) => Spdu::new(Kind::GiveTokens).with_octet(Name::TokenItem, tokens.0),
            Request::PleaseTokens(tokens, data) => with(Kind::PleaseTokens, data).with_octet(Name::TokenItem, tokens.0),
            Request::GiveControl => Spdu::new(Kind::GiveTokensConfirm),
            Request::SyncMinor(confirmation, data) => {
                let spdu = with(Kind::MinorSyncPoint, data).with_serial(serial);
                // §8.3.20.2: bit 1 set "indicates that an explicit confirmation is not required".
                if *confirmation == Confirmation::Optional { spdu.with_octet(Name::SyncType, 1) } else { spdu }
            }
            Request::SyncMinorConfirm(_, data) => with(Kind::MinorSyncAck, data).with_serial(serial),
            Request::SyncMajor(data) => {
                with(Kind::MajorSyncPoint, data).with_octet(Name::SyncType, 1).with_serial(serial)
            }
            Request::ActivityEnd(data) => with(Kind::ActivityEnd, data).with_serial(serial),
            Request::SyncMajorConfirm(data) | Request::ActivityEndConfirm(data) => {
                let major = Serial::new(self.variables.v_m.get().saturating_sub(1)).unwrap_or_default();
                with(Kind::MajorSyncAck, data).with_serial(major)
            }
            Request::Resynchronize(resync, _, setting, data) => {
                let spdu = with(Kind::Resynchronize, data).with_octet(Name::ResyncType, resync.octet());
                let spdu = spdu.with_serial(serial);
                self.with_setting(spdu, *setting)
            }
            Request::ResynchronizeConfirm(setting, data) => {
                let asked = self.resync.map(|(_, _, setting)| setting).unwrap_or_default();
                self.with_setting(with(Kind::ResynchronizeAck, data).with_serial(serial), asked.settled(*setting))
            }
            Request::ActivityStart(id, data) => {
                with(Kind::ActivityStart, data).with(Name::ActivityIdentifier, id.clone())
            }
            Request::ActivityResume { id, old, serial: _, user_data } => with(Kind::ActivityResume, user_data)
                .with(Name::OldActivityIdentifier, old.clone())
                .with(Name::OldSerialNumber, serial.digits())
                .with(Name::ActivityIdentifier, id.clone()),
            Request::ActivityInterrupt(reason) => Spdu::new(Kind::ActivityInterrupt).with_octet(Name::Reason, *reason),
            Request::ActivityInterruptConfirm => Spdu::new(Kind::ActivityInterruptAck),
            Request::ActivityDiscard(reason) => Spdu::new(Kind::ActivityDiscard).with_octet(Name::Reason, *reason),
            Request::ActivityDiscardConfirm => Spdu::new(Kind::ActivityDiscardAck),
            Request::Release(data) => {
                with(Kind::Finish, data).with_octet(Name::TransportDisconnect, disconnect::RELEASED)
            }
            Request::ReleaseConfirm(data) => with(Kind::Disconnect, data),
            Request::ReleaseReject(data) => with(Kind::NotFinished, data),
            Request::Abort(data) => {
                with(Kind::Abort, data).with_octet(Name::TransportDisconnect, disconnect::RELEASED | disconnect::USER)
            }
        };
        self.put(&spdu);
    }

    fn with_setting(&self, spdu: Spdu, setting: Setting) -> Spdu {
        if self.units.tokens().is_empty() { spdu } else { spdu.with_octet(Name::ResyncTokenSetting, setting.octet()) }
    }

    fn send_data(&mut self, kind: Kind, data: &Bytes) {
        for spdu in segment::cut(kind, data, self.max_send) {
            self.put(&spdu);
        }
    }
}
