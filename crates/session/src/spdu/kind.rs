//! The SPDUs, one row each: number, category and parameters (X.225 §6.3.7, §8.3).

use super::name::Name;
use Name::*;

/// X.225 §6.3.7: what an SPDU may stand beside in a TSDU.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Category {
    /// May stand alone, or before one of category 2.
    Zero,
    /// Stands alone.
    One,
    /// Stands after one of category 0.
    Two,
}

/// Whether user information follows the parameters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Information {
    /// Nothing does.
    None,
    /// The rest of the TSDU is user information.
    Follows,
}

/// A kind of SPDU.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Form {
    /// The kind.
    pub kind: Kind,
    /// SI: its number.
    pub si: u8,
    /// What the standard calls it.
    pub name: &'static str,
    /// How the standard shortens that.
    pub short: &'static str,
    /// Where it may stand.
    pub category: Category,
    /// The parameters without which it is none.
    pub must: &'static [Name],
    /// Those that it may have, those that it must have among them, in the order in which they are sent.
    pub may: &'static [Name],
    /// What follows.
    pub information: Information,
}

macro_rules! forms {
    ($($(#[$doc:meta])* $kind:ident = $si:literal $short:literal $name:literal $category:ident [$($must:ident),*] [$($may:expr),*] $information:ident;)*) => {
        /// What an SPDU is.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub enum Kind { $($(#[$doc])* $kind,)* }

        /// Every SPDU.
        pub const FORMS: &[Form] = &[$(Form {
            kind: Kind::$kind,
            si: $si,
            name: $name,
            short: $short,
            category: Category::$category,
            must: &[$($must),*],
            may: &[$($may),*],
            information: Information::$information,
        },)*];
    };
}

forms! {
    /// CONNECT: proposes a session.
    Connect = 13 "CN" "CONNECT SPDU" One []
        [CallingReference, CommonReference, AdditionalReference, ProtocolOptions, TsduMaximumSize, VersionNumber,
         InitialSerialNumber, TokenSetting, SecondInitialSerialNumber, UpperLimitSerialNumber, SessionRequirements,
         CallingSelector, CalledSelector, DataOverflow, UserData, ExtendedUserData] None;
    /// OVERFLOW ACCEPT: the rest of the user data may come.
    OverflowAccept = 16 "OA" "OVERFLOW ACCEPT SPDU" One [] [TsduMaximumSize, VersionNumber] None;
    /// CONNECT DATA OVERFLOW: the rest of the user data.
    ConnectDataOverflow = 15 "CDO" "CONNECT DATA OVERFLOW SPDU" One [Enclosure] [Enclosure, UserData] None;
    /// ACCEPT: the session stands.
    Accept = 14 "AC" "ACCEPT SPDU" One []
        [CalledReference, CommonReference, AdditionalReference, ProtocolOptions, TsduMaximumSize, VersionNumber,
         InitialSerialNumber, TokenSetting, SecondInitialSerialNumber, UpperLimitSerialNumber, TokenItem,
         SessionRequirements, Enclosure, CallingSelector, CalledSelector, UserData] None;
    /// REFUSE: there will be no session.
    Refuse = 12 "RF" "REFUSE SPDU" One []
        [CalledReference, CommonReference, AdditionalReference, TransportDisconnect, SessionRequirements,
         RefusedVersion, Enclosure, Reason] None;
    /// FINISH: asks for the release.
    Finish = 9 "FN" "FINISH SPDU" One [] [TransportDisconnect, Enclosure, UserData] None;
    /// DISCONNECT: releases.
    Disconnect = 10 "DN" "DISCONNECT SPDU" One [] [Enclosure, UserData] None;
    /// NOT FINISHED: does not release.
    NotFinished = 8 "NF" "NOT FINISHED SPDU" One [] [Enclosure, UserData] None;
    /// ABORT: ends at once.
    Abort = 25 "AB" "ABORT SPDU" One [TransportDisconnect] [TransportDisconnect, Enclosure, Reflect, UserData] None;
    /// ABORT ACCEPT: it has ended.
    AbortAccept = 26 "AA" "ABORT ACCEPT SPDU" One [] [] None;
    /// DATA TRANSFER: data.
    DataTransfer = 1 "DT" "DATA TRANSFER SPDU" Two [] [Enclosure] Follows;
    /// EXPEDITED: data that overtake.
    Expedited = 5 "EX" "EXPEDITED SPDU" One [] [] Follows;
    /// TYPED DATA: data that need no token.
    TypedData = 33 "TD" "TYPED DATA SPDU" One [] [Enclosure] Follows;
    /// CAPABILITY DATA: data outside of an activity.
    CapabilityData = 61 "CD" "CAPABILITY DATA SPDU" Two [] [Enclosure, UserData] None;
    /// CAPABILITY DATA ACK: confirms them.
    CapabilityDataAck = 62 "CDA" "CAPABILITY DATA ACK SPDU" Two [] [Enclosure, UserData] None;
    /// GIVE TOKENS: gives tokens, or only leads an SPDU of category 2.
    GiveTokens = 1 "GT" "GIVE TOKENS SPDU" Zero [] [TokenItem, Enclosure, UserData] None;
    /// PLEASE TOKENS: asks for tokens.
    PleaseTokens = 2 "PT" "PLEASE TOKENS SPDU" Zero [] [TokenItem, Enclosure, UserData] None;
    /// GIVE TOKENS CONFIRM: gives all tokens.
    GiveTokensConfirm = 21 "GTC" "GIVE TOKENS CONFIRM SPDU" One [] [Enclosure, UserData] None;
    /// GIVE TOKENS ACK: took them.
    GiveTokensAck = 22 "GTA" "GIVE TOKENS ACK SPDU" One [] [] None;
    /// MINOR SYNC POINT: a minor synchronization point.
    MinorSyncPoint = 49 "MIP" "MINOR SYNC POINT SPDU" Two [SerialNumber]
        [SyncType, SerialNumber, Enclosure, UserData] None;
    /// MINOR SYNC ACK: confirms all up to it.
    MinorSyncAck = 50 "MIA" "MINOR SYNC ACK SPDU" Two [SerialNumber] [SerialNumber, Enclosure, SyncUserData] None;
    /// MAJOR SYNC POINT: a major synchronization point.
    MajorSyncPoint = 41 "MAP" "MAJOR SYNC POINT SPDU" Two [SyncType, SerialNumber]
        [SyncType, SerialNumber, Enclosure, UserData] None;
    /// ACTIVITY END: MAJOR SYNC POINT without Sync Type Item.
    ActivityEnd = 41 "AE" "ACTIVITY END SPDU" Two [SerialNumber] [SerialNumber, Enclosure, UserData] None;
    /// MAJOR SYNC ACK, and ACTIVITY END ACK, which is the same in octets.
    MajorSyncAck = 42 "MAA" "MAJOR SYNC ACK SPDU" Two [SerialNumber] [SerialNumber, Enclosure, UserData] None;
    /// RESYNCHRONIZE: goes back to a synchronization point.
    Resynchronize = 53 "RS" "RESYNCHRONIZE SPDU" Two [ResyncType, SerialNumber]
        [ResyncTokenSetting, ResyncType, SerialNumber, Enclosure, UserData] None;
    /// RESYNCHRONIZE ACK: is back there too.
    ResynchronizeAck = 34 "RA" "RESYNCHRONIZE ACK SPDU" Two [SerialNumber]
        [ResyncTokenSetting, SerialNumber, Enclosure, UserData] None;
    /// PREPARE: what follows overtakes.
    Prepare = 7 "PR" "PREPARE SPDU" One [PrepareType] [PrepareType] None;
    /// EXCEPTION REPORT: a protocol error that a user must mend.
    ExceptionReport = 0 "ER" "EXCEPTION REPORT SPDU" Two [Reflect] [Reflect] None;
    /// EXCEPTION DATA: a user's error.
    ExceptionData = 48 "ED" "EXCEPTION DATA SPDU" Two [Reason] [Reason, Enclosure, UserData] None;
    /// ACTIVITY START: begins a piece of work.
    ActivityStart = 45 "AS" "ACTIVITY START SPDU" Two [ActivityIdentifier]
        [ActivityIdentifier, Enclosure, UserData] None;
    /// ACTIVITY RESUME: goes on with one.
    ActivityResume = 29 "AR" "ACTIVITY RESUME SPDU" Two [OldActivityIdentifier, OldSerialNumber, ActivityIdentifier]
        [OldCalledReference, OldCallingReference, OldCommonReference, OldAdditionalReference, OldActivityIdentifier,
         OldSerialNumber, ActivityIdentifier, Enclosure, UserData] None;
    /// ACTIVITY INTERRUPT: leaves one for later.
    ActivityInterrupt = 25 "AI" "ACTIVITY INTERRUPT SPDU" Two [] [Enclosure, Reason, UserData] None;
    /// ACTIVITY INTERRUPT ACK: left it.
    ActivityInterruptAck = 26 "AIA" "ACTIVITY INTERRUPT ACK SPDU" Two [] [Enclosure, UserData] None;
    /// ACTIVITY DISCARD: throws one away.
    ActivityDiscard = 57 "AD" "ACTIVITY DISCARD SPDU" Two [] [Enclosure, Reason, UserData] None;
    /// ACTIVITY DISCARD ACK: threw it away.
    ActivityDiscardAck = 58 "ADA" "ACTIVITY DISCARD ACK SPDU" Two [] [Enclosure, UserData] None;
}

impl Kind {
    /// Its row.
    pub const fn form(self) -> &'static Form {
        // The rows stand in the order of the kinds; a test holds them to it.
        &FORMS[self as usize]
    }
}
