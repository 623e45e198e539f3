//! The indications and confirms that SPDUs become.

use bytes::Bytes;

use super::read;
use super::service::{Confirmation, Event};
use super::table::{Input, State};
use super::{Call, Spm};
use crate::spdu::{Name, Resync, Spdu, disconnect};

impl Spm {
    /// Tells the user of the SPDU of `call`.
    pub(super) fn tell(&mut self, call: &Call<'_>) {
        let Some(spdu) = call.spdu else { return };
        let (data, serial) = (spdu.user_data(), call.serial);
        let octets = |name: Name| spdu.get(name).cloned().unwrap_or_default();
        let event = match call.input {
            Input::Cn => match &self.proposal {
                Some(proposal) => Event::Connect(proposal.clone()),
                None => return,
            },
            Input::Ac => Event::Accepted(read::acceptance(spdu, self.units)),
            Input::Rf => {
                let reason = octets(Name::Reason);
                Event::Refused(reason.first().copied().unwrap_or_default(), reason.slice(reason.len().min(1)..))
            }
            Input::Dt => Event::Data(self.segments.whole(spdu)),
            Input::Td => Event::TypedData(self.segments.whole(spdu)),
            Input::Gt => Event::TokensGiven(call.tokens),
            Input::Pt => Event::TokensAsked(call.tokens, data),
            Input::Gtc => Event::ControlGiven,
            Input::Mip => {
                let optional = spdu.octet(Name::SyncType).is_some_and(|octet| octet & 1 != 0);
                let confirmation = if optional { Confirmation::Optional } else { Confirmation::Explicit };
                Event::SyncMinor(serial, confirmation, data)
            }
            Input::Mia => Event::SyncMinorConfirmed(serial, data),
            Input::Map => Event::SyncMajor(serial, data),
            Input::Maa if self.state == State::Sta04B => Event::ActivityEnded(serial, data),
            Input::Maa => Event::SyncMajorConfirmed(serial, data),
            Input::Rs => {
                let resync = call.resync.unwrap_or(Resync::Restart);
                let serial = if resync == Resync::Abandon { self.variables.v_m } else { serial };
                Event::Resynchronize(resync, serial, data)
            }
            Input::Ra => Event::Resynchronized(serial, data),
            Input::As => Event::ActivityStart(octets(Name::ActivityIdentifier), data),
            Input::Ar => Event::ActivityResume {
                id: octets(Name::ActivityIdentifier),
                old: octets(Name::OldActivityIdentifier),
                serial,
                user_data: data,
            },
            Input::Ai => Event::ActivityInterrupt(reason(spdu)),
            Input::Aia => Event::ActivityInterrupted,
            Input::Ad => Event::ActivityDiscard(reason(spdu)),
            Input::Ada => Event::ActivityDiscarded,
            Input::Ae => Event::ActivityEnd(serial, data),
            Input::Fn => Event::Release(data),
            Input::Dn => Event::Released(data),
            Input::Nf => Event::ReleaseRejected(data),
            Input::Ab => abort(spdu, data),
            _ => return,
        };
        self.events.push_back(event);
    }
}

fn reason(spdu: &Spdu) -> u8 {
    spdu.octet(Name::Reason).unwrap_or_default()
}

fn abort(spdu: &Spdu, data: Bytes) -> Event {
    let bits = spdu.octet(Name::TransportDisconnect).unwrap_or_default();
    if bits & disconnect::USER != 0 {
        return Event::UserAbort(data);
    }
    let why = if bits & disconnect::PROTOCOL != 0 {
        "the other end found a protocol error"
    } else if bits & disconnect::RESTRICTION != 0 {
        "the other end cannot go on"
    } else {
        "the other end aborted without a reason"
    };
    Event::ProviderAbort(why.to_owned())
}
