//! LAPB, the numbered mode of a data link (ISO 7776; ITU-T X.25 §2; RFC 1663 for PPP): connection, sliding window,
//! timers, and three ways to repeat what was lost.
//!
//! [`Link`] is sans-IO: frame bodies (address, control, information) and the time go in; frame bodies, events and the
//! next deadline come out. Whoever drives it calls [`Link::poll_transmit`] only when the line is free, so that a timer
//! starts when its frame begins. Selective reject is not in LAPB but in full HDLC (ISO/IEC 13239, option 3.2).

mod frame;
mod receiver;
mod sender;

use core::fmt;
use core::time::Duration;
use std::collections::VecDeque;

use septet_core::{DropReason, Frame, Instant};

pub use frame::{Control, LapbFrame, Modulo, Pf, Role, Side};
use receiver::{Arrival, Receiver};
use sender::{Repeat, Sender};

/// How what was lost is repeated.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Arq {
    /// One frame at a time.
    StopAndWait,
    /// From the lost frame on everything again (REJ).
    #[default]
    GoBackN,
    /// Only the lost frame again (SREJ).
    SelectiveRepeat,
}

impl Arq {
    /// All schemes.
    pub const ALL: [Self; 3] = [Self::StopAndWait, Self::GoBackN, Self::SelectiveRepeat];

    /// The name that a lab uses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::StopAndWait => "stop-and-wait",
            Self::GoBackN => "go-back-n",
            Self::SelectiveRepeat => "selective-repeat",
        }
    }

    /// The scheme called `name`.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|arq| arq.name() == name)
    }

    /// The largest window with which no two frames can be mistaken for each other.
    pub const fn largest_window(self, modulo: Modulo) -> u8 {
        match self {
            Self::StopAndWait => 1,
            Self::GoBackN => modulo.get() - 1,
            Self::SelectiveRepeat => modulo.get() / 2,
        }
    }
}

/// The system parameters of X.25 §2.4.8, by their names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Config {
    /// Which end this is.
    pub side: Side,
    /// How many sequence numbers there are.
    pub modulo: Modulo,
    /// k: how many frames may be in flight; more than [`Arq::largest_window`] is cut to it.
    pub window: u8,
    /// How what was lost is repeated.
    pub arq: Arq,
    /// T1: how long a frame may stay without an answer.
    pub t1: Duration,
    /// N2: how often it is tried.
    pub n2: u32,
    /// N1: the longest information field, in octets.
    pub n1: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            side: Side::Dte,
            modulo: Modulo::Eight,
            window: 7,
            arq: Arq::GoBackN,
            t1: Duration::from_secs(3),
            n2: 10,
            n1: 1502,
        }
    }
}

/// What the link tells the storey above.
#[derive(Debug)]
pub enum Event {
    /// The connection stands.
    Up,
    /// The connection is gone; what was not acknowledged may not have arrived.
    Down(DownReason),
    /// The next information field, in order, each once.
    Deliver(Frame),
    /// A frame was repeated, for the trace.
    Repeated {
        /// Its number on the wire.
        ns: u8,
        /// What asked for it.
        why: RepeatReason,
    },
}

/// Why a connection ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DownReason {
    /// The other end disconnected, or is.
    Peer,
    /// This end disconnected.
    Local,
    /// N2 attempts without an answer.
    NoAnswer,
    /// One end rejected a frame of the other as impossible.
    Rejected,
}

impl fmt::Display for DownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Peer => "the other end disconnected",
            Self::Local => "this end disconnected",
            Self::NoAnswer => "N2 attempts went unanswered",
            Self::Rejected => "a frame was rejected as impossible",
        })
    }
}

/// Why a frame was sent again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RepeatReason {
    /// T1 ran out.
    Timer,
    /// REJ.
    Reject,
    /// SREJ.
    SelectiveReject,
}

impl RepeatReason {
    /// In words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Timer => "T1 ran out without an answer",
            Self::Reject => "the other end rejected from this frame on",
            Self::SelectiveReject => "the other end asked for this frame alone",
        }
    }
}

/// Whether this end can take information.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Readiness {
    /// It can.
    Ready,
    /// It cannot; the other end is told by RNR to hold back.
    Busy,
}

septet_core::counters! {
    /// What a link counts.
    #[derive(Copy)]
    pub struct Counters {
        sent = "lapb_sent", "I frames sent, repetitions included";
        repeated = "lapb_repeated", "I frames of these that were repetitions";
        delivered = "lapb_delivered", "information fields delivered";
        discarded = "lapb_discarded", "I frames discarded as out of order or seen before";
        timeouts = "lapb_timeouts", "times that T1 ran out";
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Disconnected,
    SettingUp,
    Connected,
    Disconnecting,
    /// A frame reject was sent; only a new set-up ends it.
    FrameReject,
}

/// One end of a LAPB link.
#[derive(Debug)]
pub struct Link {
    config: Config,
    state: State,
    sender: Sender,
    receiver: Receiver,
    own: Readiness,
    peer: Readiness,
    t1: Option<Instant>,
    attempts: u32,
    /// The next I frame carries P, since T1 ran out.
    poll_next: bool,
    why_repeat: RepeatReason,
    /// Supervisory and unnumbered frames that wait for the line.
    control: VecDeque<(Role, Control, Pf, Vec<u8>)>,
    acknowledge: bool,
    events: VecDeque<Event>,
    counters: Counters,
}

impl Link {
    /// A disconnected end.
    pub fn new(config: Config) -> Self {
        let window = config.window.clamp(1, config.arq.largest_window(config.modulo));
        let config = Config { window, ..config };
        Self {
            config,
            state: State::Disconnected,
            sender: Sender::new(config.arq, window),
            receiver: Receiver::new(config.arq, config.modulo, window),
            own: Readiness::Ready,
            peer: Readiness::Ready,
            t1: None,
            attempts: 0,
            poll_next: false,
            why_repeat: RepeatReason::Timer,
            control: VecDeque::new(),
            acknowledge: false,
            events: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// The parameters in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What it counted.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Whether information flows.
    pub fn is_connected(&self) -> bool {
        self.state == State::Connected
    }

    /// Information fields that wait or are in flight.
    pub fn held(&self) -> usize {
        self.sender.held()
    }

    /// Sets the connection up: SABM or SABME.
    pub fn connect(&mut self, now: Instant) {
        if matches!(self.state, State::Disconnected | State::FrameReject) {
            self.attempts = 0;
            self.set_up(now);
        }
    }

    /// Ends the connection: DISC.
    pub fn disconnect(&mut self, now: Instant) {
        if self.state != State::Disconnected {
            self.state = State::Disconnecting;
            self.attempts = 0;
            self.control.clear();
            self.command(Control::Disc, Pf::Set);
            self.t1 = Some(now + self.config.t1);
        }
    }

    /// Queues an information field.
    ///
    /// # Errors
    /// Gives it back where it is longer than N1.
    pub fn send(&mut self, info: Frame) -> Result<(), Frame> {
        if info.len() > self.config.n1 {
            return Err(info);
        }
        self.sender.push(info);
        Ok(())
    }

    /// Says whether this end can take information.
    pub fn set_readiness(&mut self, readiness: Readiness) {
        if core::mem::replace(&mut self.own, readiness) != readiness && self.state == State::Connected {
            self.supervisory(Role::Command, Pf::Clear);
        }
    }

    /// When [`on_timeout`](Self::on_timeout) must be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.t1, self.receiver.next_time_out(self.config.t1)].into_iter().flatten().min()
    }

    /// The time that [`poll_timeout`](Self::poll_timeout) named has come.
    pub fn on_timeout(&mut self, now: Instant) {
        self.receiver.time_out(now, self.config.t1);
        if self.t1.is_none_or(|t1| t1 > now) {
            return;
        }
        self.t1 = None;
        self.counters.timeouts += 1;
        self.attempts += 1;
        if self.attempts > self.config.n2 {
            return self.down(DownReason::NoAnswer);
        }
        match self.state {
            State::Disconnected => {}
            State::SettingUp => self.set_up(now),
            State::Disconnecting => {
                self.command(Control::Disc, Pf::Set);
                self.t1 = Some(now + self.config.t1);
            }
            State::FrameReject => self.set_up(now),
            State::Connected if self.peer == Readiness::Busy => {
                // X.25 §2.4.5.6: a supervisory command with P=1 asks how the busy end does.
                self.supervisory(Role::Command, Pf::Set);
                self.t1 = Some(now + self.config.t1);
            }
            State::Connected => {
                // X.25 §2.4.5.9 allows to repeat the oldest I frame with P=1; like Linux' implementation, and unlike a
                // strict reading, the frames behind it follow without waiting for the answer.
                self.why_repeat = RepeatReason::Timer;
                self.sender.time_out();
                self.poll_next = true;
            }
        }
    }

    /// Whether [`poll_transmit`](Self::poll_transmit) would give a frame.
    pub fn wants_line(&self) -> bool {
        !self.control.is_empty()
            || (self.state == State::Connected
                && (self.acknowledge
                    || self.receiver.wants_to_ask()
                    || (self.peer == Readiness::Ready && self.sender.has_next())))
    }

    /// The next frame body for the line, which is free.
    pub fn poll_transmit(&mut self, now: Instant) -> Option<Frame> {
        if let Some((role, control, pf, info)) = self.control.pop_front() {
            if matches!(control, Control::Rr { .. } | Control::Rnr { .. } | Control::Rej { .. }) {
                self.acknowledge = false;
            }
            return Some(self.build(role, control, pf, &info));
        }
        if self.state != State::Connected {
            return None;
        }
        if let Some(nr) = self.receiver.ask(now) {
            return Some(self.build(Role::Response, Control::Srej { nr }, Pf::Clear, &[]));
        }
        if self.peer == Readiness::Ready
            && let Some(outgoing) = self.sender.next()
        {
            self.counters.sent += 1;
            let ns = self.config.modulo.wrap(outgoing.number as u8);
            if outgoing.repeat == Repeat::Again {
                self.counters.repeated += 1;
                self.events.push_back(Event::Repeated { ns, why: self.why_repeat });
            }
            self.acknowledge = false;
            if self.t1.is_none() || outgoing.number == self.sender.va() {
                self.t1 = Some(now + self.config.t1);
            }
            let pf = if core::mem::take(&mut self.poll_next) { Pf::Set } else { Pf::Clear };
            return Some(self.information(ns, pf, outgoing.info));
        }
        if self.acknowledge {
            self.acknowledge = false;
            let control = self.ready_control();
            return Some(self.build(Role::Response, control, Pf::Clear, &[]));
        }
        None
    }

    /// What is to be told to the storey above.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Takes a frame body whose FCS was right.
    ///
    /// # Errors
    /// Why it is no frame of this link.
    pub fn receive(&mut self, now: Instant, body: Frame) -> Result<(), DropReason> {
        let frame = LapbFrame::parse(body.bytes(), self.config.modulo)?;
        let role = match frame.address {
            a if a == self.config.side.address() => Role::Command,
            a if a == self.config.side.peer().address() => Role::Response,
            _ => return Err(DropReason::NotForUs),
        };
        let (control, pf) = (frame.control, frame.pf);
        let header = body.len() - frame.info.len();
        let raw = body.bytes()[1];
        match (control, role) {
            (Control::Sabm | Control::Sabme, Role::Command) => self.on_set_up(control, pf),
            (Control::Disc, Role::Command) => self.on_disconnect(pf),
            (Control::Ua, Role::Response) => self.on_unnumbered_ack(),
            (Control::Dm, Role::Response) => {
                if self.state != State::Disconnected {
                    self.down(DownReason::Peer);
                }
            }
            (Control::Frmr, Role::Response) => {
                if self.state == State::Connected {
                    // X.25 §2.4.7.3: the link is reset.
                    self.attempts = 0;
                    self.events.push_back(Event::Down(DownReason::Rejected));
                    self.set_up(now);
                }
            }
            _ if self.state != State::Connected => {
                // X.25 §2.4.4.4.2: in the disconnected phase a command with P=1 is answered by DM with F=1.
                if self.state == State::Disconnected && role == Role::Command && pf == Pf::Set {
                    self.control.push_back((Role::Response, Control::Dm, Pf::Set, Vec::new()));
                }
            }
            (Control::I { ns, nr }, Role::Command) => {
                let mut info = body;
                info.pull(header);
                self.on_information(now, ns, nr, pf, raw, info);
            }
            (Control::Rr { nr }, _) => self.on_supervisory(now, role, nr, pf, Readiness::Ready, raw),
            (Control::Rnr { nr }, _) => self.on_supervisory(now, role, nr, pf, Readiness::Busy, raw),
            (Control::Rej { nr }, _) => {
                self.on_supervisory(now, role, nr, pf, Readiness::Ready, raw);
                if self.state == State::Connected {
                    self.why_repeat = RepeatReason::Reject;
                    self.sender.go_back();
                }
            }
            (Control::Srej { nr }, _) => {
                let ahead = self.config.modulo.distance(self.config.modulo.wrap(self.sender.va() as u8), nr);
                self.why_repeat = RepeatReason::SelectiveReject;
                self.sender.repeat(ahead);
                self.attempts = 0;
                self.t1 = Some(now + self.config.t1);
            }
            _ => return Err(DropReason::Malformed),
        }
        Ok(())
    }

    fn on_set_up(&mut self, control: Control, pf: Pf) {
        if control != self.set_up_control() {
            // The other end wants the other modulo: X.25 §2.4.4.1 leaves only to refuse.
            self.control.push_back((Role::Response, Control::Dm, pf, Vec::new()));
            return;
        }
        self.control.clear();
        self.control.push_back((Role::Response, Control::Ua, pf, Vec::new()));
        if self.state == State::SettingUp {
            // §2.4.4.5: of two set-ups that cross, each is answered, and each end waits for its answer.
            return;
        }
        self.up();
    }

    fn on_disconnect(&mut self, pf: Pf) {
        let control = if self.state == State::Disconnected { Control::Dm } else { Control::Ua };
        if self.state != State::Disconnected {
            self.down(DownReason::Peer);
        }
        self.control.push_back((Role::Response, control, pf, Vec::new()));
    }

    fn on_unnumbered_ack(&mut self) {
        match self.state {
            State::SettingUp => self.up(),
            State::Disconnecting => self.down(DownReason::Local),
            State::Disconnected | State::Connected | State::FrameReject => {}
        }
    }

    fn on_information(&mut self, now: Instant, ns: u8, nr: u8, pf: Pf, raw: u8, info: Frame) {
        if info.len() > self.config.n1 {
            return self.reject_frame(now, raw, 0b0100);
        }
        if !self.on_acknowledgement(now, nr, raw) {
            return;
        }
        if self.own == Readiness::Busy {
            // §2.4.5.7: busy, the information is ignored, the N(R) is not.
            self.counters.discarded += 1;
            return self.supervisory(Role::Response, pf);
        }
        let (events, counters) = (&mut self.events, &mut self.counters);
        let arrival = self.receiver.arrive(ns, info, &mut |info| {
            counters.delivered += 1;
            events.push_back(Event::Deliver(info));
        });
        if matches!(arrival, Arrival::Reject | Arrival::Discarded) {
            self.counters.discarded += 1;
        }
        match (arrival, pf) {
            (Arrival::Reject, pf) => {
                let nr = self.receiver.nr();
                self.control.push_back((Role::Response, Control::Rej { nr }, pf, Vec::new()));
            }
            (_, Pf::Set) => self.supervisory(Role::Response, Pf::Set),
            (Arrival::InOrder | Arrival::Discarded, Pf::Clear) => self.acknowledge = true,
            (Arrival::Kept, Pf::Clear) => {}
        }
    }

    fn on_supervisory(&mut self, now: Instant, role: Role, nr: u8, pf: Pf, peer: Readiness, raw: u8) {
        if !self.on_acknowledgement(now, nr, raw) {
            return;
        }
        self.peer = peer;
        match (role, pf) {
            (Role::Command, Pf::Set) => self.supervisory(Role::Response, Pf::Set),
            (Role::Response, Pf::Set) => self.attempts = 0,
            _ => {}
        }
        if peer == Readiness::Busy && self.t1.is_none() {
            self.t1 = Some(now + self.config.t1);
        }
    }

    /// Takes `N(R)` in; where it is impossible the frame is rejected, and nothing more may be made of it.
    fn on_acknowledgement(&mut self, now: Instant, nr: u8, raw: u8) -> bool {
        let modulo = self.config.modulo;
        let ahead = modulo.distance(modulo.wrap(self.sender.va() as u8), nr);
        let Some(acknowledged) = self.sender.acknowledge(ahead) else {
            self.reject_frame(now, raw, 0b1000);
            return false;
        };
        if acknowledged > 0 {
            self.attempts = 0;
        }
        if self.sender.in_flight() == 0 {
            self.t1 = None;
        } else if acknowledged > 0 {
            self.t1 = Some(now + self.config.t1);
        }
        true
    }

    /// X.25 §2.3.5 and table 2-7: FRMR with the rejected control field, V(S), V(R) and the reason in W, X, Y, Z.
    fn reject_frame(&mut self, now: Instant, raw: u8, wxyz: u8) {
        self.state = State::FrameReject;
        let (vs, vr) = (self.config.modulo.wrap(self.sender.vs() as u8), self.receiver.nr());
        let info = match self.config.modulo {
            Modulo::Eight => vec![raw, vs << 1 | vr << 5, wxyz],
            Modulo::OneTwentyEight => vec![raw, 0, vs << 1, vr << 1, wxyz],
        };
        self.control.clear();
        self.control.push_back((Role::Response, Control::Frmr, Pf::Clear, info));
        self.t1 = Some(now + self.config.t1);
        self.events.push_back(Event::Down(DownReason::Rejected));
    }

    fn set_up(&mut self, now: Instant) {
        self.state = State::SettingUp;
        self.control.clear();
        self.command(self.set_up_control(), Pf::Set);
        self.t1 = Some(now + self.config.t1);
    }

    const fn set_up_control(&self) -> Control {
        match self.config.modulo {
            Modulo::Eight => Control::Sabm,
            Modulo::OneTwentyEight => Control::Sabme,
        }
    }

    fn up(&mut self) {
        self.state = State::Connected;
        self.sender.reset();
        self.receiver.reset();
        (self.t1, self.attempts, self.poll_next, self.acknowledge) = (None, 0, false, false);
        self.peer = Readiness::Ready;
        self.events.push_back(Event::Up);
        if self.own == Readiness::Busy {
            self.supervisory(Role::Command, Pf::Clear);
        }
    }

    fn down(&mut self, reason: DownReason) {
        self.state = State::Disconnected;
        self.sender.clear();
        self.receiver.reset();
        self.control.clear();
        (self.t1, self.attempts, self.poll_next, self.acknowledge) = (None, 0, false, false);
        self.events.push_back(Event::Down(reason));
    }

    fn command(&mut self, control: Control, pf: Pf) {
        self.control.push_back((Role::Command, control, pf, Vec::new()));
    }

    fn supervisory(&mut self, role: Role, pf: Pf) {
        let control = self.ready_control();
        self.control.push_back((role, control, pf, Vec::new()));
    }

    fn ready_control(&self) -> Control {
        let nr = self.receiver.nr();
        match self.own {
            Readiness::Ready => Control::Rr { nr },
            Readiness::Busy => Control::Rnr { nr },
        }
    }

    fn build(&self, role: Role, control: Control, pf: Pf, info: &[u8]) -> Frame {
        let address = match role {
            Role::Command => self.config.side.peer().address(),
            Role::Response => self.config.side.address(),
        };
        Frame::new(0, &LapbFrame { address, control, pf, info }.build(self.config.modulo))
    }

    fn information(&self, ns: u8, pf: Pf, mut info: Frame) -> Frame {
        let address = self.config.side.peer().address();
        let control = Control::I { ns, nr: self.receiver.nr() };
        let header = LapbFrame { address, control, pf, info: &[] }.build(self.config.modulo);
        info.push(header.len()).copy_from_slice(&header);
        info
    }
}

#[cfg(test)]
mod tests;
