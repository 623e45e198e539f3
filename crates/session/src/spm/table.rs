//! The state table of the session protocol machine (X.225 annex A), for a transport without expedited data: what comes in,
//! in which state, under which predicates, what is done, and the state after.
//!
//! PREPARE, EXPEDITED, the exceptions and capability data need what class 0 or the units offered here do not have, so
//! neither they nor the states that only they lead to are in it. What is in no row is an error: of the user, who is told
//! so, or of the other end, which is aborted. Who asked to end an activity can neither resynchronize nor interrupt until
//! that is answered: the answer may be on its way, and after it there is no activity any more.

/// The states, by their numbers in table A.2.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum State {
    /// Idle, no transport connection.
    Sta01,
    /// Wait for the T-CONNECT confirm.
    Sta01B,
    /// Idle, transport connected.
    Sta01C,
    /// Wait for the ACCEPT SPDU.
    Sta02A,
    /// Wait for the DISCONNECT SPDU.
    Sta03,
    /// Wait for the MAJOR SYNC ACK SPDU.
    Sta04A,
    /// Wait for the ACTIVITY END ACK SPDU.
    Sta04B,
    /// Wait for the RESYNCHRONIZE ACK SPDU.
    Sta05A,
    /// Wait for the ACTIVITY INTERRUPT ACK SPDU.
    Sta05B,
    /// Wait for the ACTIVITY DISCARD ACK SPDU.
    Sta05C,
    /// Wait for the S-CONNECT response.
    Sta08,
    /// Wait for the S-RELEASE response.
    Sta09,
    /// Wait for the S-SYNC-MAJOR response.
    Sta10A,
    /// Wait for the S-ACTIVITY-END response.
    Sta10B,
    /// Wait for the S-RESYNCHRONIZE response.
    Sta11A,
    /// Wait for the S-ACTIVITY-INTERRUPT response.
    Sta11B,
    /// Wait for the S-ACTIVITY-DISCARD response.
    Sta11C,
    /// Wait for the T-DISCONNECT indication.
    Sta16,
    /// Wait for the GIVE TOKENS ACK SPDU.
    Sta18,
    /// Data transfer.
    Sta713,
}

use State::*;

impl State {
    /// All of them.
    pub const ALL: [Self; 20] = [
        Sta01, Sta01B, Sta01C, Sta02A, Sta03, Sta04A, Sta04B, Sta05A, Sta05B, Sta05C, Sta08, Sta09, Sta10A, Sta10B,
        Sta11A, Sta11B, Sta11C, Sta16, Sta18, Sta713,
    ];

    /// What it is called in table A.2.
    pub const fn as_str(self) -> &'static str {
        match self {
            Sta01 => "idle",
            Sta01B => "waits for the transport connection",
            Sta01C => "idle, with a transport connection",
            Sta02A => "waits for ACCEPT",
            Sta03 => "waits for DISCONNECT",
            Sta04A => "waits for MAJOR SYNC ACK",
            Sta04B => "waits for ACTIVITY END ACK",
            Sta05A => "waits for RESYNCHRONIZE ACK",
            Sta05B => "waits for ACTIVITY INTERRUPT ACK",
            Sta05C => "waits for ACTIVITY DISCARD ACK",
            Sta08 => "waits for the S-CONNECT response",
            Sta09 => "waits for the S-RELEASE response",
            Sta10A => "waits for the S-SYNC-MAJOR response",
            Sta10B => "waits for the S-ACTIVITY-END response",
            Sta11A => "waits for the S-RESYNCHRONIZE response",
            Sta11B => "waits for the S-ACTIVITY-INTERRUPT response",
            Sta11C => "waits for the S-ACTIVITY-DISCARD response",
            Sta16 => "waits for the end of the transport connection",
            Sta18 => "waits for GIVE TOKENS ACK",
            Sta713 => "data transfer",
        }
    }
}

/// Whose deed an input is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// The user's: a request or a response.
    User,
    /// The other end's: an SPDU.
    Peer,
    /// The transport's, or a timer's.
    Below,
}

macro_rules! inputs {
    ($($origin:ident { $($(#[$doc:meta])* $name:ident $text:literal,)* })*) => {
        /// What comes in, by the names of annex A.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Input { $($($(#[$doc])* $name,)*)* }

        impl Input {
            /// All of them.
            pub const ALL: &'static [Self] = &[$($(Self::$name,)*)*];

            /// Whose it is.
            pub const fn origin(self) -> Origin {
                match self { $($(Self::$name => Origin::$origin,)*)* }
            }

            /// What the standard calls it.
            pub const fn as_str(self) -> &'static str {
                match self { $($(Self::$name => $text,)*)* }
            }
        }
    };
}

inputs! {
    User {
        /// S-CONNECT request.
        SconReq "S-CONNECT request",
        /// S-CONNECT (accept) response.
        SconRspAccept "S-CONNECT (accept) response",
        /// S-CONNECT (reject) response.
        SconRspReject "S-CONNECT (reject) response",
        /// S-DATA request.
        SdtReq "S-DATA request",
        /// S-TYPED-DATA request.
        StdReq "S-TYPED-DATA request",
        /// S-TOKEN-GIVE request.
        SgtReq "S-TOKEN-GIVE request",
        /// S-TOKEN-PLEASE request.
        SptReq "S-TOKEN-PLEASE request",
        /// S-CONTROL-GIVE request.
        ScgReq "S-CONTROL-GIVE request",
        /// S-SYNC-MINOR request.
        SsynMinorReq "S-SYNC-MINOR request",
        /// S-SYNC-MINOR response.
        SsynMinorRsp "S-SYNC-MINOR response",
        /// S-SYNC-MAJOR request.
        SsynMajorReq "S-SYNC-MAJOR request",
        /// S-SYNC-MAJOR response.
        SsynMajorRsp "S-SYNC-MAJOR response",
        /// S-RESYNCHRONIZE request.
        SrsynReq "S-RESYNCHRONIZE request",
        /// S-RESYNCHRONIZE response.
        SrsynRsp "S-RESYNCHRONIZE response",
        /// S-ACTIVITY-START request.
        SactsReq "S-ACTIVITY-START request",
        /// S-ACTIVITY-RESUME request.
        SactrReq "S-ACTIVITY-RESUME request",
        /// S-ACTIVITY-INTERRUPT request.
        SactiReq "S-ACTIVITY-INTERRUPT request",
        /// S-ACTIVITY-INTERRUPT response.
        SactiRsp "S-ACTIVITY-INTERRUPT response",
        /// S-ACTIVITY-DISCARD request.
        SactdReq "S-ACTIVITY-DISCARD request",
        /// S-ACTIVITY-DISCARD response.
        SactdRsp "S-ACTIVITY-DISCARD response",
        /// S-ACTIVITY-END request.
        SacteReq "S-ACTIVITY-END request",
        /// S-ACTIVITY-END response.
        SacteRsp "S-ACTIVITY-END response",
        /// S-RELEASE request.
        SrelReq "S-RELEASE request",
        /// S-RELEASE (accept) response.
        SrelRspAccept "S-RELEASE (accept) response",
        /// S-RELEASE (reject) response.
        SrelRspReject "S-RELEASE (reject) response",
        /// S-U-ABORT request.
        SuabReq "S-U-ABORT request",
    }
    Peer {
        /// CONNECT SPDU.
        Cn "CONNECT SPDU",
        /// A CONNECT SPDU that cannot be taken.
        CnUnacceptable "unacceptable CONNECT SPDU",
        /// ACCEPT SPDU.
        Ac "ACCEPT SPDU",
        /// REFUSE SPDU.
        Rf "REFUSE SPDU",
        /// DATA TRANSFER SPDU.
        Dt "DATA TRANSFER SPDU",
        /// TYPED DATA SPDU.
        Td "TYPED DATA SPDU",
        /// GIVE TOKENS SPDU that gives some.
        Gt "GIVE TOKENS SPDU",
        /// PLEASE TOKENS SPDU.
        Pt "PLEASE TOKENS SPDU",
        /// GIVE TOKENS CONFIRM SPDU.
        Gtc "GIVE TOKENS CONFIRM SPDU",
        /// GIVE TOKENS ACK SPDU.
        Gta "GIVE TOKENS ACK SPDU",
        /// MINOR SYNC POINT SPDU.
        Mip "MINOR SYNC POINT SPDU",
        /// MINOR SYNC ACK SPDU.
        Mia "MINOR SYNC ACK SPDU",
        /// MAJOR SYNC POINT SPDU.
        Map "MAJOR SYNC POINT SPDU",
        /// MAJOR SYNC ACK or ACTIVITY END ACK SPDU.
        Maa "MAJOR SYNC ACK SPDU",
        /// RESYNCHRONIZE SPDU.
        Rs "RESYNCHRONIZE SPDU",
        /// RESYNCHRONIZE ACK SPDU.
        Ra "RESYNCHRONIZE ACK SPDU",
        /// ACTIVITY START SPDU.
        As "ACTIVITY START SPDU",
        /// ACTIVITY RESUME SPDU.
        Ar "ACTIVITY RESUME SPDU",
        /// ACTIVITY INTERRUPT SPDU.
        Ai "ACTIVITY INTERRUPT SPDU",
        /// ACTIVITY INTERRUPT ACK SPDU.
        Aia "ACTIVITY INTERRUPT ACK SPDU",
        /// ACTIVITY DISCARD SPDU.
        Ad "ACTIVITY DISCARD SPDU",
        /// ACTIVITY DISCARD ACK SPDU.
        Ada "ACTIVITY DISCARD ACK SPDU",
        /// ACTIVITY END SPDU.
        Ae "ACTIVITY END SPDU",
        /// FINISH SPDU.
        Fn "FINISH SPDU",
        /// DISCONNECT SPDU.
        Dn "DISCONNECT SPDU",
        /// NOT FINISHED SPDU.
        Nf "NOT FINISHED SPDU",
        /// ABORT SPDU.
        Ab "ABORT SPDU",
        /// ABORT ACCEPT SPDU.
        Aa "ABORT ACCEPT SPDU",
        /// An SPDU that is none, or of no unit that was agreed.
        Invalid "invalid SPDU",
    }
    Below {
        /// T-CONNECT indication.
        TconInd "T-CONNECT indication",
        /// T-CONNECT confirm.
        TconCnf "T-CONNECT confirm",
        /// T-DISCONNECT indication.
        TdisInd "T-DISCONNECT indication",
        /// The timer TIM ran out.
        Tim "timer TIM",
    }
}

/// The predicates.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Guard {
    /// This end opened the transport connection: not Vtca.
    Caller,
    /// The other end did: Vtca.
    Callee,
    /// I(dk): no data token, or it is here.
    DataHere,
    /// II(dk): no data token, or it is there.
    DataThere,
    /// I(mi).
    MinorHere,
    /// II(mi).
    MinorThere,
    /// A(ma): there is a major/activity token, and it is here.
    MajorHere,
    /// It is there.
    MajorThere,
    /// A(mi).
    MinorOwned,
    /// AA(mi).
    MinorGiven,
    /// I of all tokens that there are.
    AllHere,
    /// II of all tokens that there are.
    AllThere,
    /// There is no token at all.
    NoToken,
    /// Those of the request are all here.
    TokensHere,
    /// Those of the request or the SPDU are all there.
    TokensThere,
    /// Those of the SPDU are all here: the other end may ask for them.
    TokensAskedHere,
    /// FU(FD).
    Duplex,
    /// FU(TD).
    Typed,
    /// FU(SY).
    Minor,
    /// FU(MA).
    Major,
    /// FU(RESYN).
    Resync,
    /// FU(ACT).
    Activity,
    /// FU(NR).
    NegotiatedRelease,
    /// Not FU(ACT), or Vact: synchronization is within an activity where there are activities.
    MaySync,
    /// Not FU(ACT), or not Vact: no activity stands in the way.
    NoActivity,
    /// Vact.
    InActivity,
    /// The serial number fulfils its condition in table A.4.
    Serial,
    /// Vcoll: both asked for the release.
    Collision,
    /// Not Vcoll.
    NoCollision,
    /// Not Vcoll, or Vdnr: nothing is missing before DISCONNECT.
    MayDisconnect,
    /// This end's resynchronization wins over that of the other end (SPMwinner).
    Winner,
    /// The other end's does.
    Loser,
}

/// What is done beside the operations on variables.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Sends the SPDU of the request.
    Send,
    /// Tells the user: indication or confirm.
    Tell,
    /// T-CONNECT request.
    TconReq,
    /// T-CONNECT response.
    TconRsp,
    /// Sends the CONNECT that waits.
    SendCn,
    /// Sends REFUSE.
    SendRf,
    /// Sends GIVE TOKENS ACK.
    SendGta,
    /// T-DISCONNECT request.
    TdisReq,
    /// S-P-ABORT indication.
    TellAbort,
    /// Sends ABORT: protocol error.
    SendAb,
    /// Starts TIM.
    StartTim,
    /// Stops TIM.
    StopTim,
    /// Vcoll: both asked for the release.
    Collide,
    /// Vdnr: DISCONNECT came.
    NoteDn,
    /// Vact.
    Begin,
    /// Not Vact.
    End,
    /// All tokens are here.
    TakeAll,
    /// All tokens are there.
    LeaveAll,
    /// Those of the request or SPDU change sides.
    MoveTokens,
    /// The tokens are set as was agreed.
    SetTokens,
    /// Operation on V(A), V(M), V(R) and Vsc (table A.4).
    Count,
    /// Keeps which resynchronization goes on (Vrsp, Vrspnb).
    NoteResync,
}

/// A row: in one of these states, under these predicates, that is done, and this is the state after (none: the same).
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The states.
    pub from: &'static [State],
    /// The predicates, all of which hold.
    pub when: &'static [Guard],
    /// What is done, in this order.
    pub does: &'static [Action],
    /// The state after.
    pub to: Option<State>,
}

macro_rules! rules {
    ($([$($from:ident)+] $([$($guard:ident)+])? => $($action:ident)* ; $($to:ident)?)*) => {
        &[$(Rule {
            from: &[$($from),+],
            when: &[$($(Guard::$guard),+)?],
            does: &[$(Action::$action),*],
            to: rules!(@to $($to)?),
        }),*]
    };
    (@to) => { None };
    (@to $to:ident) => { Some($to) };
}

/// The rows of an input; the first whose predicates hold is done.
#[rustfmt::skip]
pub const fn rules(input: Input) -> &'static [Rule] {
    match input {
        // Kernel: connection.
        Input::SconReq => rules! {
            [Sta01] => TconReq; Sta01B
            [Sta01C] [Caller] => SendCn; Sta02A
        },
        Input::TconInd => rules! { [Sta01] => TconRsp; Sta01C },
        Input::TconCnf => rules! { [Sta01B] => SendCn; Sta02A },
        Input::Cn => rules! {
            [Sta01C] [Callee] => Tell; Sta08
            [Sta01C] [Caller] => TdisReq; Sta01
            [Sta16] => ;
        },
        Input::CnUnacceptable => rules! {
            [Sta01C] [Callee] => SendRf StartTim; Sta16
            [Sta01C] [Caller] => TdisReq; Sta01
            [Sta16] => ;
        },
        Input::SconRspAccept => rules! { [Sta08] => Count SetTokens Send; Sta713 },
        Input::SconRspReject => rules! { [Sta08] => Send StartTim; Sta16 },
        Input::Ac => rules! {
            [Sta02A] => Count SetTokens Tell; Sta713
            [Sta16] => ;
        },
        Input::Rf => rules! {
            [Sta02A] => Tell TdisReq; Sta01
            [Sta16] => ;
        },

        // Data.
        Input::SdtReq => rules! {
            [Sta713 Sta10A Sta10B] [DataHere] => Send;
            [Sta09] [Duplex NoCollision] => Send;
            [Sta18] [Duplex] => Send;
        },
        Input::Dt => rules! {
            [Sta713 Sta04A Sta04B Sta18] [DataThere] => Tell;
            [Sta03] [Duplex NoCollision] => Tell;
            [Sta05A Sta05B Sta05C Sta16] => ;
        },
        Input::StdReq => rules! {
            [Sta713 Sta04A Sta04B Sta10A Sta10B Sta18] [Typed] => Send;
            [Sta09] [Typed NoCollision] => Send;
        },
        Input::Td => rules! {
            [Sta713 Sta04A Sta04B Sta10A Sta10B Sta18] [Typed] => Tell;
            [Sta03] [Typed NoCollision] => Tell;
            [Sta05A Sta05B Sta05C Sta16] => ;
        },

        // Tokens.
        Input::SgtReq => rules! { [Sta713] [TokensHere] => MoveTokens Send; },
        Input::Gt => rules! {
            [Sta713 Sta04A Sta04B] [TokensThere] => MoveTokens Tell;
            [Sta05A Sta05B Sta05C Sta16] => ;
        },
        Input::SptReq => rules! { [Sta713 Sta04A Sta04B Sta10A Sta10B Sta09] [TokensThere] => Send; },
        Input::Pt => rules! {
            [Sta713 Sta04A Sta04B Sta10A Sta10B Sta03] [TokensAskedHere] => Tell;
            // It crossed the tokens that it asks for.
            [Sta713 Sta18] => ;
            [Sta05A Sta05B Sta05C Sta16] => ;
        },
        Input::ScgReq => rules! { [Sta713] [Activity NoActivity AllHere] => LeaveAll Send; Sta18 },
        Input::Gtc => rules! {
            [Sta713] [Activity NoActivity AllThere] => TakeAll SendGta Tell;
            [Sta16] => ;
        },
        Input::Gta => rules! {
            [Sta18] => ; Sta713
            [Sta16] => ;
        },

        // Synchronization.
        Input::SsynMinorReq => rules! { [Sta713] [Minor MinorOwned DataHere MaySync Serial] => Send Count; },
        Input::Mip => rules! {
            [Sta713] [Minor MinorGiven DataThere MaySync Serial] => Count Tell;
            [Sta05A Sta05B Sta05C Sta16] => ;
        },
        Input::SsynMinorRsp => rules! { [Sta713 Sta10A Sta10B] [Minor MaySync Serial] => Count Send; },
        Input::Mia => rules! {
            [Sta713 Sta04A Sta04B Sta03] [Minor MaySync Serial] => Count Tell;
            [Sta05A Sta05B Sta05C Sta16] => ;
        },
        Input::SsynMajorReq => rules! { [Sta713] [Major MajorHere MinorHere DataHere MaySync Serial] => Send Count; Sta04A },
        Input::Map => rules! {
            [Sta713] [Major MajorThere MinorThere DataThere MaySync Serial] => Count Tell; Sta10A
            [Sta05A Sta05B Sta05C Sta16] => ;
        },
        Input::SsynMajorRsp => rules! { [Sta10A] => Send Count; Sta713 },
        Input::Maa => rules! {
            [Sta04A] [Serial] => Count Tell; Sta713
            [Sta04B] [Serial] => Count End Tell; Sta713
            [Sta05A Sta05B Sta05C Sta16] => ;
        },
        Input::SrsynReq => rules! {
            [Sta713 Sta04A Sta10A Sta10B] [Resync MaySync Serial] => NoteResync Send; Sta05A
        },
        Input::Rs => rules! {
            [Sta713 Sta04A Sta04B Sta10A Sta10B] [Resync MaySync Serial] => Count NoteResync Tell; Sta11A
            [Sta05A] [Winner] => ;
            [Sta05A] [Loser Serial] => Count NoteResync Tell; Sta11A
            [Sta05B Sta05C Sta16] => ;
        },
        Input::SrsynRsp => rules! { [Sta11A] [Serial] => Send Count SetTokens; Sta713 },
        Input::Ra => rules! {
            [Sta05A] [Serial] => Count SetTokens Tell; Sta713
            [Sta05B Sta05C Sta16] => ;
        },

        // Activities.
        Input::SactsReq | Input::SactrReq => rules! {
            [Sta713] [Activity NoActivity MajorHere MinorHere DataHere] => Send Count Begin;
        },
        Input::As | Input::Ar => rules! {
            [Sta713] [Activity NoActivity MajorThere MinorThere DataThere] => Count Begin Tell;
            [Sta16] => ;
        },
        Input::SactiReq => rules! {
            [Sta713 Sta04A Sta05A Sta11A] [Activity InActivity MajorHere] => Send; Sta05B
        },
        Input::Ai => rules! {
            [Sta713 Sta10A Sta10B Sta05A Sta11A] [Activity InActivity MajorThere] => Tell; Sta11B
            [Sta16] => ;
        },
        Input::SactiRsp => rules! { [Sta11B] => Send End LeaveAll; Sta713 },
        Input::Aia => rules! {
            [Sta05B] => End TakeAll Tell; Sta713
            [Sta16] => ;
        },
        Input::SactdReq => rules! {
            [Sta713 Sta04A Sta05A Sta11A] [Activity InActivity MajorHere] => Send; Sta05C
        },
        Input::Ad => rules! {
            [Sta713 Sta10A Sta10B Sta05A Sta11A] [Activity InActivity MajorThere] => Tell; Sta11C
            [Sta16] => ;
        },
        Input::SactdRsp => rules! { [Sta11C] => Send End LeaveAll; Sta713 },
        Input::Ada => rules! {
            [Sta05C] => End TakeAll Tell; Sta713
            [Sta16] => ;
        },
        Input::SacteReq => rules! {
            [Sta713] [Activity InActivity MajorHere MinorHere DataHere Serial] => Send Count; Sta04B
        },
        Input::Ae => rules! {
            [Sta713] [Activity InActivity MajorThere MinorThere DataThere Serial] => Count Tell; Sta10B
            [Sta05A Sta05B Sta05C Sta16] => ;
        },
        Input::SacteRsp => rules! { [Sta10B] => Send Count End; Sta713 },

        // Release.
        Input::SrelReq => rules! {
            [Sta713] [AllHere NoActivity] => Send; Sta03
            [Sta09] [NoToken NoCollision] => Collide Send;
        },
        Input::Fn => rules! {
            [Sta713] [AllThere NoActivity] => Tell; Sta09
            [Sta03] [NoToken NoCollision] => Collide Tell; Sta09
            [Sta16] => ;
        },
        Input::SrelRspAccept => rules! {
            [Sta09] [MayDisconnect] => Send StartTim; Sta16
            // Of two that asked, who opened the transport connection answers first.
            [Sta09] [Collision Caller] => Send; Sta03
        },
        Input::Dn => rules! {
            [Sta03] => Tell TdisReq; Sta01
            [Sta09] [Collision Callee] => NoteDn Tell;
            [Sta16] => ;
        },
        Input::SrelRspReject => rules! { [Sta09] [NegotiatedRelease] => Send; Sta713 },
        Input::Nf => rules! {
            [Sta03] [NegotiatedRelease] => Tell; Sta713
            [Sta16] => ;
        },

        // Abort.
        Input::SuabReq => rules! {
            [Sta01B] => TdisReq; Sta01
            [Sta02A Sta03 Sta04A Sta04B Sta05A Sta05B Sta05C Sta08 Sta09 Sta10A Sta10B Sta11A Sta11B Sta11C Sta18 Sta713]
                => Send StartTim; Sta16
        },
        Input::Ab => rules! {
            [Sta01C] => TdisReq; Sta01
            [Sta02A Sta03 Sta04A Sta04B Sta05A Sta05B Sta05C Sta08 Sta09 Sta10A Sta10B Sta11A Sta11B Sta11C Sta18 Sta713]
                => Tell TdisReq; Sta01
            [Sta16] => StopTim TdisReq; Sta01
        },
        Input::Aa => rules! {
            [Sta01C] => TdisReq; Sta01
            [Sta16] => StopTim TdisReq; Sta01
        },
        Input::Invalid => rules! {
            [Sta01C] => TdisReq; Sta01
            [Sta16] => ;
        },
        Input::TdisInd => rules! {
            [Sta01 Sta01C] => ; Sta01
            [Sta16] => StopTim; Sta01
            [Sta01B Sta02A Sta03 Sta04A Sta04B Sta05A Sta05B Sta05C Sta08 Sta09 Sta10A Sta10B Sta11A Sta11B Sta11C Sta18
             Sta713] => TellAbort; Sta01
        },
        Input::Tim => rules! { [Sta16] => TdisReq; Sta01 },
    }
}

/// What an SPDU does that no row has: "the SPM shall issue an S-P-ABORT indication and send an ABORT SPDU" (A.4.1.2).
pub const INVALID: Rule = Rule {
    from: &State::ALL,
    when: &[],
    does: &[Action::TellAbort, Action::SendAb, Action::StartTim],
    to: Some(Sta16),
};
