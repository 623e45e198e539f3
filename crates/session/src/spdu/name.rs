//! The parameters of SPDUs: their numbers, how long they may be, and in which group they stand (X.225 §8.2, §8.3).

/// The groups (PGI) that hold parameters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Group {
    /// Connection Identifier.
    ConnectionIdentifier,
    /// Connect/Accept Item.
    ConnectAccept,
    /// Linking Information.
    Linking,
}

impl Group {
    /// Its PGI.
    pub const fn code(self) -> u8 {
        match self {
            Self::ConnectionIdentifier => 1,
            Self::ConnectAccept => 5,
            Self::Linking => 33,
        }
    }

    pub(super) const ALL: [Self; 3] = [Self::ConnectionIdentifier, Self::ConnectAccept, Self::Linking];
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident = $group:expr, $code:literal, $least:literal..=$most:expr, $text:literal;)*) => {
        /// A parameter.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub enum Name { $($(#[$doc])* $name,)* }

        impl Name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The group that it stands in.
            pub const fn group(self) -> Option<Group> {
                match self { $(Self::$name => $group,)* }
            }

            /// Its PI, or for user data its PGI.
            pub const fn code(self) -> u8 {
                match self { $(Self::$name => $code,)* }
            }

            /// How many octets its value has.
            pub const fn lengths(self) -> core::ops::RangeInclusive<usize> {
                match self { $(Self::$name => $least..=$most,)* }
            }

            /// What the standard calls it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

/// As much user data as fits an SPDU beside its other parameters: its length field ends at 65,535.
const USER: usize = 65_000;
/// X.225 §8.3.1.19: what is more goes into CONNECT DATA OVERFLOW.
const EXTENDED: usize = 10_240;
const LINK: Option<Group> = Some(Group::Linking);
const IDENTIFIER: Option<Group> = Some(Group::ConnectionIdentifier);
const ITEM: Option<Group> = Some(Group::ConnectAccept);

names! {
    /// Called SS-user Reference.
    CalledReference = IDENTIFIER, 9, 0..=64, "Called SS-user Reference";
    /// Calling SS-user Reference.
    CallingReference = IDENTIFIER, 10, 0..=64, "Calling SS-user Reference";
    /// Common Reference.
    CommonReference = IDENTIFIER, 11, 0..=64, "Common Reference";
    /// Additional Reference Information.
    AdditionalReference = IDENTIFIER, 12, 0..=4, "Additional Reference Information";
    /// Protocol Options: bit 1 for extended concatenation.
    ProtocolOptions = ITEM, 19, 1..=1, "Protocol Options";
    /// TSDU Maximum Size, initiator to responder and back, two octets each; nought for no limit.
    TsduMaximumSize = ITEM, 21, 4..=4, "TSDU Maximum Size";
    /// Version Number: a bit for each version.
    VersionNumber = ITEM, 22, 1..=1, "Version Number";
    /// Initial Serial Number, in digits.
    InitialSerialNumber = ITEM, 23, 0..=6, "Initial Serial Number";
    /// Token Setting Item of a connection: two bits a token.
    TokenSetting = ITEM, 26, 1..=1, "Token Setting Item";
    /// Second Initial Serial Number.
    SecondInitialSerialNumber = ITEM, 55, 0..=6, "Second Initial Serial Number";
    /// Upper Limit Serial Number: how many digits.
    UpperLimitSerialNumber = ITEM, 56, 1..=1, "Upper Limit Serial Number";
    /// Called SS-user Reference of the session that an activity began in.
    OldCalledReference = LINK, 9, 0..=64, "Called SS-user Reference";
    /// Calling SS-user Reference of that session.
    OldCallingReference = LINK, 10, 0..=64, "Calling SS-user Reference";
    /// Common Reference of that session.
    OldCommonReference = LINK, 11, 0..=64, "Common Reference";
    /// Additional Reference Information of that session.
    OldAdditionalReference = LINK, 12, 0..=4, "Additional Reference Information";
    /// Old Activity Identifier: the activity that goes on.
    OldActivityIdentifier = LINK, 41, 0..=6, "Old Activity Identifier";
    /// Serial Number of the synchronization point at which it goes on.
    OldSerialNumber = LINK, 42, 1..=6, "Serial Number";
    /// Sync Type Item.
    SyncType = None, 15, 1..=1, "Sync Type Item";
    /// Token Item: a bit a token.
    TokenItem = None, 16, 1..=1, "Token Item";
    /// Transport Disconnect.
    TransportDisconnect = None, 17, 1..=1, "Transport Disconnect";
    /// Session User Requirements: a bit a functional unit.
    SessionRequirements = None, 20, 2..=2, "Session User Requirements";
    /// Version Number of a REFUSE.
    RefusedVersion = None, 22, 1..=1, "Version Number";
    /// Prepare Type.
    PrepareType = None, 24, 1..=1, "Prepare Type";
    /// Enclosure Item: the first, a middle or the last segment.
    Enclosure = None, 25, 1..=1, "Enclosure Item";
    /// Token Setting Item of a resynchronization.
    ResyncTokenSetting = None, 26, 1..=1, "Token Setting Item";
    /// Resync Type.
    ResyncType = None, 27, 1..=1, "Resync Type";
    /// Activity Identifier.
    ActivityIdentifier = None, 41, 0..=6, "Activity Identifier";
    /// Serial Number, in digits.
    SerialNumber = None, 42, 1..=6, "Serial Number";
    /// User Data of MINOR SYNC ACK.
    SyncUserData = None, 46, 0..=USER, "User Data";
    /// Reflect Parameter Values.
    Reflect = None, 49, 0..=9, "Reflect Parameter Values";
    /// Reason Code.
    Reason = None, 50, 0..=USER, "Reason Code";
    /// Calling Session Selector.
    CallingSelector = None, 51, 0..=16, "Calling Session Selector";
    /// Called Session Selector, in ACCEPT the responding one.
    CalledSelector = None, 52, 0..=16, "Called Session Selector";
    /// Data Overflow: more user data follows.
    DataOverflow = None, 60, 1..=1, "Data Overflow";
    /// User Data.
    UserData = None, 193, 0..=USER, "User Data";
    /// Extended User Data: of 513 to 10,240 octets.
    ExtendedUserData = None, 194, 0..=EXTENDED, "Extended User Data";
}
