//! The session service: what a user asks for and is told (X.215).

use core::fmt;

use bytes::Bytes;

use super::table::Input;
use crate::spdu::{Resync, Serial, Setting, Tokens, Units};

/// What one end proposes of a session.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Proposal {
    /// The functional units that it would use; the kernel is always there.
    pub units: Units,
    /// Where the tokens are to be.
    pub tokens: Setting,
    /// The first serial number, where there are synchronization points outside of activities.
    pub serial: Serial,
    /// The session selector that calls, at most 16 octets.
    pub calling: Bytes,
    /// The session selector that is called, at most 16 octets.
    pub called: Bytes,
    /// For the other user, at most 10,240 octets.
    pub user_data: Bytes,
}

/// How it is answered.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Acceptance {
    /// The functional units that this end would use; those that both name are there.
    pub units: Units,
    /// Where those tokens are to be that the other end left to choose.
    pub tokens: Setting,
    /// Tokens that this end asks for at once.
    pub please: Tokens,
    /// The first serial number.
    pub serial: Serial,
    /// For the other user.
    pub user_data: Bytes,
}

/// Whether a minor synchronization point wants its confirmation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Confirmation {
    /// It does.
    Explicit,
    /// The other user may.
    Optional,
}

/// Requests and responses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Request {
    /// S-CONNECT request.
    Connect(Proposal),
    /// S-CONNECT response: yes.
    Accept(Acceptance),
    /// S-CONNECT response: no, and what to tell.
    Refuse(Bytes),
    /// S-DATA request.
    Data(Bytes),
    /// S-TYPED-DATA request.
    TypedData(Bytes),
    /// S-TOKEN-GIVE request.
    GiveTokens(Tokens),
    /// S-TOKEN-PLEASE request.
    PleaseTokens(Tokens, Bytes),
    /// S-CONTROL-GIVE request.
    GiveControl,
    /// S-SYNC-MINOR request.
    SyncMinor(Confirmation, Bytes),
    /// S-SYNC-MINOR response: up to this point.
    SyncMinorConfirm(Serial, Bytes),
    /// S-SYNC-MAJOR request.
    SyncMajor(Bytes),
    /// S-SYNC-MAJOR response.
    SyncMajorConfirm(Bytes),
    /// S-RESYNCHRONIZE request: how, to which point (an abandon goes to the next one where none is named), and where the
    /// tokens are to be then.
    Resynchronize(Resync, Option<Serial>, Setting, Bytes),
    /// S-RESYNCHRONIZE response, and where those tokens are to be that were left to choose.
    ResynchronizeConfirm(Setting, Bytes),
    /// S-ACTIVITY-START request: its identifier, at most 6 octets.
    ActivityStart(Bytes, Bytes),
    /// S-ACTIVITY-RESUME request.
    ActivityResume {
        /// The new identifier.
        id: Bytes,
        /// The one that it had.
        old: Bytes,
        /// The synchronization point at which it goes on.
        serial: Serial,
        /// For the other user.
        user_data: Bytes,
    },
    /// S-ACTIVITY-INTERRUPT request, and the reason.
    ActivityInterrupt(u8),
    /// S-ACTIVITY-INTERRUPT response.
    ActivityInterruptConfirm,
    /// S-ACTIVITY-DISCARD request, and the reason.
    ActivityDiscard(u8),
    /// S-ACTIVITY-DISCARD response.
    ActivityDiscardConfirm,
    /// S-ACTIVITY-END request.
    ActivityEnd(Bytes),
    /// S-ACTIVITY-END response.
    ActivityEndConfirm(Bytes),
    /// S-RELEASE request.
    Release(Bytes),
    /// S-RELEASE response: yes.
    ReleaseConfirm(Bytes),
    /// S-RELEASE response: no.
    ReleaseReject(Bytes),
    /// S-U-ABORT request.
    Abort(Bytes),
}

/// Indications and confirms.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// S-CONNECT indication.
    Connect(Proposal),
    /// S-CONNECT confirm: yes; with the units that both use.
    Accepted(Acceptance),
    /// S-CONNECT confirm: no; the code, and what was told.
    Refused(u8, Bytes),
    /// S-DATA indication.
    Data(Bytes),
    /// S-TYPED-DATA indication.
    TypedData(Bytes),
    /// S-TOKEN-GIVE indication.
    TokensGiven(Tokens),
    /// S-TOKEN-PLEASE indication.
    TokensAsked(Tokens, Bytes),
    /// S-CONTROL-GIVE indication: all tokens are here.
    ControlGiven,
    /// S-SYNC-MINOR indication.
    SyncMinor(Serial, Confirmation, Bytes),
    /// S-SYNC-MINOR confirm: all up to this point.
    SyncMinorConfirmed(Serial, Bytes),
    /// S-SYNC-MAJOR indication.
    SyncMajor(Serial, Bytes),
    /// S-SYNC-MAJOR confirm.
    SyncMajorConfirmed(Serial, Bytes),
    /// S-RESYNCHRONIZE indication.
    Resynchronize(Resync, Serial, Bytes),
    /// S-RESYNCHRONIZE confirm: the next point has this number.
    Resynchronized(Serial, Bytes),
    /// S-ACTIVITY-START indication.
    ActivityStart(Bytes, Bytes),
    /// S-ACTIVITY-RESUME indication.
    ActivityResume {
        /// The new identifier.
        id: Bytes,
        /// The one that it had.
        old: Bytes,
        /// The synchronization point at which it goes on.
        serial: Serial,
        /// From the other user.
        user_data: Bytes,
    },
    /// S-ACTIVITY-INTERRUPT indication.
    ActivityInterrupt(u8),
    /// S-ACTIVITY-INTERRUPT confirm.
    ActivityInterrupted,
    /// S-ACTIVITY-DISCARD indication.
    ActivityDiscard(u8),
    /// S-ACTIVITY-DISCARD confirm.
    ActivityDiscarded,
    /// S-ACTIVITY-END indication.
    ActivityEnd(Serial, Bytes),
    /// S-ACTIVITY-END confirm.
    ActivityEnded(Serial, Bytes),
    /// S-RELEASE indication.
    Release(Bytes),
    /// S-RELEASE confirm: yes.
    Released(Bytes),
    /// S-RELEASE confirm: no.
    ReleaseRejected(Bytes),
    /// S-U-ABORT indication.
    UserAbort(Bytes),
    /// S-P-ABORT indication: why, in words.
    ProviderAbort(String),
}

/// A request that cannot be, and why. Nothing was sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Misuse {
    /// What was asked for.
    pub input: Input,
    /// Why not.
    pub why: String,
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.input.as_str(), self.why)
    }
}

impl std::error::Error for Misuse {}
