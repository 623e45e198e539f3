//! The session protocol machine, one for each session connection (X.225).
//!
//! [`Spm`] is sans-IO: requests, TSDUs and the time go in; TSDUs, events and the next deadline come out. What it does
//! stands in its [state table](table) and, for synchronization, in its [variables].

mod compose;
mod guard;
mod read;
mod segment;
mod service;
pub mod table;
mod tell;
pub mod variables;

use core::time::Duration;
use std::collections::VecDeque;

use bytes::Bytes;
use septet_core::Instant;

use crate::spdu::{self, Kind, Name, Resync, Serial, Setting, Spdu, Tokens, Units};
use segment::Segments;
pub use service::{Acceptance, Confirmation, Event, Misuse, Proposal, Request};
use table::{Action, INVALID, Input, Rule, State, rules};
use variables::Variables;

/// The functional units that are built here.
pub const BUILT: Units = Units(
    Units::HALF_DUPLEX.0
        | Units::DUPLEX.0
        | Units::MINOR.0
        | Units::MAJOR.0
        | Units::RESYNCHRONIZE.0
        | Units::ACTIVITY.0
        | Units::NEGOTIATED_RELEASE.0
        | Units::TYPED.0,
);

/// Version 2, the bit that is sent: user data beyond 512 octets.
const VERSION_2: u8 = 0x02;

/// What one end wants.
#[derive(Clone, Debug)]
pub struct Config {
    /// The longest TSDU that it would send and take, in octets; nought for no limit. Longer data travel in segments.
    pub max_tsdu: u16,
    /// The longest data that are put together of segments, in octets.
    pub max_ssdu: usize,
    /// The session selector by which it is called, where it has one.
    pub selector: Bytes,
    /// TIM: how long the end of the transport connection is waited for.
    pub tim: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self { max_tsdu: 0, max_ssdu: 1 << 20, selector: Bytes::new(), tim: Duration::from_secs(10) }
    }
}

/// Who proposed the session connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// This end: not Vtca.
    Initiator,
    /// The other end: Vtca.
    Responder,
}

/// What is to be given to the transport.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// T-CONNECT request.
    Connect,
    /// T-CONNECT response.
    Respond,
    /// T-DATA request: the TSDU is the first and then the second.
    Data(Vec<u8>, Bytes),
    /// T-DISCONNECT request.
    Disconnect,
}

/// One end of a session connection.
#[derive(Debug)]
pub struct Spm {
    config: Config,
    state: State,
    role: Role,
    units: Units,
    /// The tokens that are here, of those that there are.
    tokens: Tokens,
    variables: Variables,
    /// Vact.
    activity: Activity,
    /// Vcoll.
    collision: Collision,
    /// Vdnr.
    disconnected: Collision,
    /// Vrsp and Vrspnb: the resynchronization that goes on, and where it leaves the tokens.
    resync: Option<(Resync, Serial, Setting)>,
    proposal: Option<Proposal>,
    /// The longest TSDU that the other end takes; nought for no limit.
    max_send: usize,
    segments: Segments,
    tim: Option<Instant>,
    outputs: VecDeque<Output>,
    events: VecDeque<Event>,
}

/// Vact: whether an activity is in progress.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Activity {
    /// It is.
    InProgress,
    /// None is.
    None,
}

/// Whether something came about between two that asked for the release at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Collision {
    None,
    Seen,
}

/// What a row is done with: the input and what it brings.
struct Call<'a> {
    input: Input,
    request: Option<&'a Request>,
    spdu: Option<&'a Spdu>,
    serial: Serial,
    resync: Option<Resync>,
    tokens: Tokens,
    why: String,
}

impl Call<'_> {
    /// An input that brings nothing with it but what it is.
    fn new(input: Input) -> Self {
        let (serial, tokens, why) = (Serial::default(), Tokens::NONE, String::new());
        Self { input, request: None, spdu: None, serial, resync: None, tokens, why }
    }
}

impl Spm {
    /// An end without connection.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            state: State::Sta01,
            role: Role::Initiator,
            units: Units::KERNEL,
            tokens: Tokens::NONE,
            variables: Variables::new(Serial::default()),
            activity: Activity::None,
            collision: Collision::None,
            disconnected: Collision::None,
            resync: None,
            proposal: None,
            max_send: 0,
            segments: Segments::default(),
            tim: None,
            outputs: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// The state.
    pub fn state(&self) -> State {
        self.state
    }

    /// Who proposed the connection.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The functional units that both ends use.
    pub fn units(&self) -> Units {
        self.units
    }

    /// The tokens that are here.
    pub fn tokens(&self) -> Tokens {
        self.tokens
    }

    /// V(A), V(M), V(R) and Vsc.
    pub fn variables(&self) -> &Variables {
        &self.variables
    }

    /// Whether an activity is in progress.
    pub fn activity(&self) -> Activity {
        self.activity
    }

    /// A request or response of the user.
    ///
    /// # Errors
    /// Why it cannot be; nothing was sent then.
    pub fn request(&mut self, now: Instant, request: Request) -> Result<(), Misuse> {
        let input = input_of(&request);
        let misuse = |why: String| Err(Misuse { input, why });
        if let Some(why) = compose::too_long(&request) {
            return misuse(why);
        }
        let mut call = Call { request: Some(&request), serial: self.variables.v_m, ..Call::new(input) };
        match &request {
            Request::Connect(proposal) => {
                if let Some(why) = unbuilt(proposal.units) {
                    return misuse(why);
                }
                if self.state == State::Sta01 {
                    self.proposal = Some(proposal.clone());
                    self.role = Role::Initiator;
                }
            }
            Request::Accept(acceptance) => {
                if let Err(why) = self.agree(acceptance.units) {
                    return misuse(why);
                }
                call.serial = acceptance.serial;
            }
            Request::GiveTokens(tokens) | Request::PleaseTokens(tokens, _) => {
                if tokens.is_empty() {
                    return misuse("it names no token".to_owned());
                }
                call.tokens = *tokens;
            }
            Request::SyncMinorConfirm(serial, _) => call.serial = *serial,
            Request::ActivityResume { serial, .. } => call.serial = *serial,
            Request::Resynchronize(resync, serial, ..) => {
                call.resync = Some(*resync);
                call.serial = serial.unwrap_or(self.variables.v_m);
            }
            Request::ResynchronizeConfirm(..) => {
                if let Some((resync, serial, _)) = self.resync {
                    call.resync = Some(resync);
                    call.serial = if resync == Resync::Abandon { self.variables.v_m } else { serial };
                }
            }
            _ => {}
        }
        match self.rule(&call) {
            Ok(rule) => {
                self.apply(now, rule, &call);
                Ok(())
            }
            Err(why) => misuse(why),
        }
    }

    /// T-CONNECT indication: the other end opened the transport connection.
    pub fn transport_opened(&mut self, now: Instant) {
        self.role = Role::Responder;
        self.below(now, Input::TconInd, String::new());
    }

    /// T-CONNECT confirm: the transport connection that was asked for stands.
    pub fn transport_connected(&mut self, now: Instant) {
        self.below(now, Input::TconCnf, String::new());
    }

    /// T-DISCONNECT indication.
    pub fn transport_closed(&mut self, now: Instant, why: &str) {
        self.below(now, Input::TdisInd, why.to_owned());
    }

    /// T-DATA indication.
    pub fn receive(&mut self, now: Instant, tsdu: &Bytes) {
        match spdu::parse(tsdu) {
            Ok(found) => {
                for spdu in found {
                    self.on_spdu(now, &spdu);
                }
            }
            Err(wrong) => self.peer(now, Input::Invalid, None, wrong.to_string()),
        }
    }

    /// When [`on_timeout`](Self::on_timeout) must be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.tim
    }

    /// The time that [`poll_timeout`](Self::poll_timeout) named has come.
    pub fn on_timeout(&mut self, now: Instant) {
        if self.tim.is_some_and(|at| at <= now) {
            self.tim = None;
            self.below(now, Input::Tim, String::new());
        }
    }

    /// What is to be given to the transport.
    pub fn poll_transmit(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// What the user is to be told.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Whether the user is to be told something.
    pub fn has_event(&self) -> bool {
        !self.events.is_empty()
    }

    /// The tokens that there are.
    fn available(&self) -> Tokens {
        self.units.tokens()
    }

    fn below(&mut self, now: Instant, input: Input, why: String) {
        let call = Call { why, ..Call::new(input) };
        if let Ok(rule) = self.rule(&call) {
            self.apply(now, rule, &call);
        }
    }

    fn peer(&mut self, now: Instant, input: Input, spdu: Option<&Spdu>, why: String) {
        let numbers = [Name::SerialNumber, Name::OldSerialNumber, Name::InitialSerialNumber];
        let mut call = Call {
            spdu,
            serial: spdu.and_then(|s| numbers.into_iter().find_map(|name| s.serial(name))).unwrap_or_default(),
            resync: spdu.and_then(|s| s.octet(Name::ResyncType)).and_then(Resync::from_octet),
            tokens: spdu.map_or(Tokens::NONE, Spdu::tokens),
            why,
            ..Call::new(input)
        };
        if input == Input::Ra {
            call.resync = self.resync.map(|(resync, ..)| resync);
        }
        match self.rule(&call) {
            Ok(rule) => self.apply(now, rule, &call),
            Err(_) if self.state == State::Sta01 => {}
            Err(why) => {
                let what = spdu.map_or(input.as_str(), |s| s.kind().form().name);
                if call.why.is_empty() {
                    call.why = format!("protocol error: {what}: {why}");
                }
                let invalid = rules(Input::Invalid).iter().find(|rule| rule.from.contains(&self.state));
                self.apply(now, invalid.unwrap_or(&INVALID), &call);
            }
        }
    }

    fn on_spdu(&mut self, now: Instant, spdu: &Spdu) {
        let input = match spdu.kind() {
            Kind::GiveTokens | Kind::PleaseTokens if spdu.tokens().is_empty() => return,
            Kind::Connect => match read::proposal(spdu, &self.config) {
                Ok(proposal) => {
                    self.proposal = Some(proposal);
                    self.max_send = read::limit(spdu, &self.config, Role::Responder);
                    Input::Cn
                }
                Err(_) => Input::CnUnacceptable,
            },
            Kind::Accept => {
                let units = spdu.units().unwrap_or(read::DEFAULT_UNITS);
                if let Err(why) = self.agree(units) {
                    return self.peer(now, Input::Invalid, Some(spdu), format!("ACCEPT SPDU: {why}"));
                }
                self.max_send = read::limit(spdu, &self.config, Role::Initiator);
                Input::Ac
            }
            kind @ (Kind::DataTransfer | Kind::TypedData) => {
                let input = input_of_kind(kind);
                // What is passed over in this state is so with all of its segments.
                if rules(input).iter().any(|rule| rule.from.contains(&self.state) && rule.does.is_empty()) {
                    self.segments = Segments::default();
                    return;
                }
                match self.segments.take(spdu, self.config.max_ssdu) {
                    Ok(true) => input,
                    Ok(false) => return,
                    Err(why) => return self.peer(now, Input::Invalid, Some(spdu), why),
                }
            }
            kind => input_of_kind(kind),
        };
        self.peer(now, input, Some(spdu), String::new());
    }

    /// Keeps the units that both name.
    fn agree(&mut self, other: Units) -> Result<(), String> {
        let Some(proposal) = &self.proposal else { return Ok(()) };
        let both = proposal.units & other & BUILT;
        match (both.has(Units::HALF_DUPLEX), both.has(Units::DUPLEX)) {
            (true, true) => Err("of half duplex and duplex one must be chosen".to_owned()),
            (false, false) => Err("the two ends have neither half duplex nor duplex in common".to_owned()),
            _ => {
                if self.state == State::Sta08 || self.state == State::Sta02A {
                    self.units = both;
                }
                Ok(())
            }
        }
    }

    /// The row that the input takes.
    fn rule(&self, call: &Call<'_>) -> Result<&'static Rule, String> {
        let mut here = rules(call.input).iter().filter(|rule| rule.from.contains(&self.state));
        let mut why = None;
        for rule in here.by_ref() {
            match rule.when.iter().find(|guard| !self.holds(**guard, call)) {
                None => return Ok(rule),
                Some(guard) => why = why.or(Some(*guard)),
            }
        }
        Err(match why {
            Some(guard) => self.unmet(guard, call),
            None => format!("not in this state: {}", self.state.as_str()),
        })
    }

    fn apply(&mut self, now: Instant, rule: &Rule, call: &Call<'_>) {
        for action in rule.does {
            self.act(now, *action, call);
        }
        if let Some(next) = rule.to {
            self.state = next;
        }
        if self.state == State::Sta01 {
            self.reset();
        }
    }

    fn act(&mut self, now: Instant, action: Action, call: &Call<'_>) {
        match action {
            Action::Send => {
                if let Some(request) = call.request {
                    self.send(request, call.serial);
                }
            }
            Action::Tell => self.tell(call),
            Action::TconReq => self.outputs.push_back(Output::Connect),
            Action::TconRsp => self.outputs.push_back(Output::Respond),
            Action::SendCn => {
                if let Some(proposal) = &self.proposal {
                    let spdu = compose::connect(proposal, &self.config);
                    self.put(&spdu);
                }
            }
            Action::SendRf => {
                let reason = match call.spdu.map(|spdu| read::proposal(spdu, &self.config)) {
                    Some(Err(reason)) => reason,
                    _ => spdu::refusal::SPM,
                };
                self.put(&compose::refuse(reason, &Bytes::new()));
            }
            Action::SendGta => self.put(&Spdu::new(Kind::GiveTokensAck)),
            Action::TdisReq => self.outputs.push_back(Output::Disconnect),
            Action::TellAbort => self.events.push_back(Event::ProviderAbort(call.why.clone())),
            Action::SendAb => {
                let reason = spdu::disconnect::RELEASED | spdu::disconnect::PROTOCOL;
                self.put(&Spdu::new(Kind::Abort).with_octet(Name::TransportDisconnect, reason));
            }
            Action::StartTim => self.tim = Some(now + self.config.tim),
            Action::StopTim => self.tim = None,
            Action::Collide => self.collision = Collision::Seen,
            Action::NoteDn => self.disconnected = Collision::Seen,
            Action::Begin => self.activity = Activity::InProgress,
            Action::End => self.activity = Activity::None,
            Action::TakeAll => self.tokens = self.available(),
            Action::LeaveAll => self.tokens = Tokens::NONE,
            Action::MoveTokens => {
                let here = call.input == Input::Gt;
                self.tokens = if here { self.tokens | call.tokens } else { self.tokens.without(call.tokens) };
            }
            Action::SetTokens => self.set_tokens(call),
            Action::Count => self.variables.count(call.input, call.serial, call.resync),
            Action::NoteResync => {
                let setting = match (call.request, call.spdu) {
                    (Some(Request::Resynchronize(_, _, setting, _)), _) => *setting,
                    (_, Some(spdu)) => Setting::from_octet(spdu.octet(Name::ResyncTokenSetting).unwrap_or_default()),
                    _ => Setting::INITIATOR,
                };
                let resync = call.resync.unwrap_or(Resync::Restart);
                self.resync = Some((resync, call.serial, setting));
                self.segments = Segments::default();
            }
        }
    }

    /// The tokens after a connection or a resynchronization: where the one end set them, and where it left the choice,
    /// where the other one did.
    fn set_tokens(&mut self, call: &Call<'_>) {
        let asked = match call.input {
            Input::SconRspAccept | Input::Ac => self.proposal.as_ref().map_or(Setting::INITIATOR, |p| p.tokens),
            _ => self.resync.take().map_or(Setting::INITIATOR, |(_, _, setting)| setting),
        };
        let chosen = match (call.request, call.spdu) {
            (Some(Request::Accept(acceptance)), _) => acceptance.tokens,
            (Some(Request::ResynchronizeConfirm(setting, _)), _) => *setting,
            (_, Some(spdu)) => {
                let name = if call.input == Input::Ac { Name::TokenSetting } else { Name::ResyncTokenSetting };
                Setting::from_octet(spdu.octet(name).unwrap_or_default())
            }
            _ => Setting::INITIATOR,
        };
        let responder = asked.settled(chosen).responder;
        self.tokens = match self.role {
            Role::Initiator => self.available().without(responder),
            Role::Responder => self.available() & responder,
        };
    }

    fn put(&mut self, spdu: &Spdu) {
        let head = spdu::heads(core::slice::from_ref(spdu));
        self.outputs.push_back(Output::Data(head, spdu.information().clone()));
    }

    /// What belongs to a connection ends with it.
    fn reset(&mut self) {
        let Self { config, outputs, events, role, .. } = core::mem::replace(self, Self::new(Config::default()));
        *self = Self { outputs, events, role, ..Self::new(config) };
    }
}

/// Why these units cannot be proposed.
fn unbuilt(units: Units) -> Option<String> {
    let more = Units(units.0 & !BUILT.0);
    if more != Units::KERNEL {
        return Some(format!("not among the functional units here: {more}"));
    }
    let none = !units.has(Units::HALF_DUPLEX) && !units.has(Units::DUPLEX);
    none.then(|| "neither half duplex nor duplex is proposed".to_owned())
}

const fn input_of(request: &Request) -> Input {
    match request {
        Request::Connect(_) => Input::SconReq,
        Request::Accept(_) => Input::SconRspAccept,
        Request::Refuse(_) => Input::SconRspReject,
        Request::Data(_) => Input::SdtReq,
        Request::TypedData(_) => Input::StdReq,
        Request::GiveTokens(_) => Input::SgtReq,
        Request::PleaseTokens(..) => Input::SptReq,
        Request::GiveControl => Input::ScgReq,
        Request::SyncMinor(..) => Input::SsynMinorReq,
        Request::SyncMinorConfirm(..) => Input::SsynMinorRsp,
        Request::SyncMajor(_) => Input::SsynMajorReq,
        Request::SyncMajorConfirm(_) => Input::SsynMajorRsp,
        Request::Resynchronize(..) => Input::SrsynReq,
        Request::ResynchronizeConfirm(..) => Input::SrsynRsp,
        Request::ActivityStart(..) => Input::SactsReq,
        Request::ActivityResume { .. } => Input::SactrReq,
        Request::ActivityInterrupt(_) => Input::SactiReq,
        Request::ActivityInterruptConfirm => Input::SactiRsp,
        Request::ActivityDiscard(_) => Input::SactdReq,
        Request::ActivityDiscardConfirm => Input::SactdRsp,
        Request::ActivityEnd(_) => Input::SacteReq,
        Request::ActivityEndConfirm(_) => Input::SacteRsp,
        Request::Release(_) => Input::SrelReq,
        Request::ReleaseConfirm(_) => Input::SrelRspAccept,
        Request::ReleaseReject(_) => Input::SrelRspReject,
        Request::Abort(_) => Input::SuabReq,
    }
}

const fn input_of_kind(kind: Kind) -> Input {
    match kind {
        Kind::Connect => Input::Cn,
        Kind::Accept => Input::Ac,
        Kind::Refuse => Input::Rf,
        Kind::Finish => Input::Fn,
        Kind::Disconnect => Input::Dn,
        Kind::NotFinished => Input::Nf,
        Kind::Abort => Input::Ab,
        Kind::AbortAccept => Input::Aa,
        Kind::DataTransfer => Input::Dt,
        Kind::TypedData => Input::Td,
        Kind::GiveTokens => Input::Gt,
        Kind::PleaseTokens => Input::Pt,
        Kind::GiveTokensConfirm => Input::Gtc,
        Kind::GiveTokensAck => Input::Gta,
        Kind::MinorSyncPoint => Input::Mip,
        Kind::MinorSyncAck => Input::Mia,
        Kind::MajorSyncPoint => Input::Map,
        Kind::MajorSyncAck => Input::Maa,
        Kind::Resynchronize => Input::Rs,
        Kind::ResynchronizeAck => Input::Ra,
        Kind::ActivityStart => Input::As,
        Kind::ActivityResume => Input::Ar,
        Kind::ActivityInterrupt => Input::Ai,
        Kind::ActivityInterruptAck => Input::Aia,
        Kind::ActivityDiscard => Input::Ad,
        Kind::ActivityDiscardAck => Input::Ada,
        Kind::ActivityEnd => Input::Ae,
        // Units that were never agreed.
        Kind::OverflowAccept
        | Kind::ConnectDataOverflow
        | Kind::Expedited
        | Kind::CapabilityData
        | Kind::CapabilityDataAck
        | Kind::Prepare
        | Kind::ExceptionReport
        | Kind::ExceptionData => Input::Invalid,
    }
}
