//! The predicates of the state table: whether they hold, and why not, in words.

use super::table::{Guard, Input, State};
use super::variables::{Pending, Variables};
use super::{Activity, Call, Collision, Role, Spm};
use crate::spdu::{Resync, Tokens, Units};

impl Spm {
    /// Whether a predicate holds.
    pub(super) fn holds(&self, guard: Guard, call: &Call<'_>) -> bool {
        let there_are = self.available();
        let owned = |token: Tokens| there_are.has(token) && self.tokens.has(token);
        let given = |token: Tokens| there_are.has(token) && !self.tokens.has(token);
        match guard {
            Guard::Caller => self.role == Role::Initiator,
            Guard::Callee => self.role == Role::Responder,
            Guard::DataHere => !given(Tokens::DATA),
            Guard::DataThere => !owned(Tokens::DATA),
            Guard::MinorHere => !given(Tokens::MINOR),
            Guard::MinorThere => !owned(Tokens::MINOR),
            Guard::MinorOwned => owned(Tokens::MINOR),
            Guard::MinorGiven => given(Tokens::MINOR),
            Guard::MajorHere => owned(Tokens::MAJOR),
            Guard::MajorThere => given(Tokens::MAJOR),
            Guard::AllHere => self.tokens.has(there_are),
            Guard::AllThere => (self.tokens & there_are).is_empty(),
            Guard::NoToken => there_are.is_empty(),
            Guard::TokensHere | Guard::TokensAskedHere => there_are.has(call.tokens) && self.tokens.has(call.tokens),
            Guard::TokensThere => there_are.has(call.tokens) && (self.tokens & call.tokens).is_empty(),
            Guard::Duplex => self.units.has(Units::DUPLEX),
            Guard::Typed => self.units.has(Units::TYPED),
            Guard::Minor => self.units.has(Units::MINOR),
            Guard::Major => self.units.has(Units::MAJOR),
            Guard::Resync => self.units.has(Units::RESYNCHRONIZE),
            Guard::Activity => self.units.has(Units::ACTIVITY),
            Guard::NegotiatedRelease => self.units.has(Units::NEGOTIATED_RELEASE),
            Guard::MaySync => !self.units.has(Units::ACTIVITY) || self.activity == Activity::InProgress,
            Guard::NoActivity => self.activity == Activity::None,
            Guard::InActivity => self.activity == Activity::InProgress,
            Guard::Serial => self.serial_is_valid(call),
            Guard::Collision => self.collision == Collision::Seen,
            Guard::NoCollision => self.collision == Collision::None,
            Guard::MayDisconnect => self.collision == Collision::None || self.disconnected == Collision::Seen,
            Guard::Winner => self.wins(call),
            Guard::Loser => !self.wins(call),
        }
    }

    fn serial_is_valid(&self, call: &Call<'_>) -> bool {
        let pending = match self.state {
            State::Sta04A | State::Sta04B | State::Sta10A | State::Sta10B => Pending::Major,
            _ => Pending::None,
        };
        if !self.variables.allows(call.input, call.serial, call.resync, pending) {
            return false;
        }
        match (call.input, self.resync) {
            // "sn as in RS SPDU", but for an abandon.
            (Input::Ra, Some((Resync::Restart | Resync::Set, asked, _))) => asked == call.serial,
            _ => true,
        }
    }

    /// SPMwinner: of two resynchronizations that cross an abandon goes before a set, that before a restart; of two
    /// restarts that which goes back further; else that of the end that proposed the session connection.
    fn wins(&self, call: &Call<'_>) -> bool {
        let (Some((own, serial, _)), Some(other)) = (self.resync, call.resync) else { return false };
        let rank = |resync| match resync {
            Resync::Restart => 0,
            Resync::Set => 1,
            Resync::Abandon => 2,
        };
        match rank(own).cmp(&rank(other)) {
            core::cmp::Ordering::Equal if own == Resync::Restart && serial != call.serial => serial < call.serial,
            core::cmp::Ordering::Equal => self.role == Role::Initiator,
            order => order.is_gt(),
        }
    }

    /// Why a predicate does not hold, in words.
    pub(super) fn unmet(&self, guard: Guard, call: &Call<'_>) -> String {
        let token = |name: &str| format!("the {name} token is not at this end of it");
        match guard {
            Guard::DataHere | Guard::DataThere => token("data"),
            Guard::MinorHere | Guard::MinorThere | Guard::MinorOwned | Guard::MinorGiven => token("synchronize-minor"),
            Guard::MajorHere | Guard::MajorThere => token("major/activity"),
            Guard::TokensHere | Guard::TokensThere | Guard::TokensAskedHere => {
                format!("of the tokens {} not all are at this end of it", call.tokens)
            }
            Guard::AllHere | Guard::AllThere | Guard::NoToken => "not all tokens are at this end of it".to_owned(),
            Guard::Duplex => unit("duplex"),
            Guard::Typed => unit("typed data"),
            Guard::Minor => unit("minor synchronize"),
            Guard::Major => unit("major synchronize"),
            Guard::Resync => unit("resynchronize"),
            Guard::Activity => unit("activity management"),
            Guard::NegotiatedRelease => unit("negotiated release"),
            Guard::MaySync | Guard::InActivity => "no activity is in progress".to_owned(),
            Guard::NoActivity => "an activity is in progress".to_owned(),
            Guard::Serial => {
                let Variables { v_a, v_m, v_r, v_sc } = self.variables;
                let n = call.serial;
                format!("the serial number {n} is not valid: V(A) is {v_a}, V(M) {v_m}, V(R) {v_r}, Vsc {v_sc:?}")
            }
            Guard::Caller | Guard::Callee => "it is not this end's to do".to_owned(),
            Guard::Collision | Guard::NoCollision | Guard::MayDisconnect => {
                "both ends asked for the release".to_owned()
            }
            Guard::Winner | Guard::Loser => "another resynchronization goes on".to_owned(),
        }
    }
}

fn unit(name: &str) -> String {
    format!("the functional unit {name} was not agreed")
}
