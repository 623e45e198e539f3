//! What can be known of a TCP connection from between its ends: its state, and which sequence numbers fit.
//!
//! The states and what moves them are those of Linux's `nf_conntrack_proto_tcp`; the bounds on sequence numbers are those of
//! Guido van Rooij's "Real Stateful TCP Packet Filtering in IP Filter", which Linux follows.

use core::time::Duration;

use septet_wire::tcp::{Flags, Header};

use super::direction::Direction;
use super::timeouts::Timeouts;

/// The state of a connection, by `conntrack -L`'s names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// A SYN was seen.
    SynSent,
    /// A SYN from each end, neither acknowledged yet.
    SynSent2,
    /// The SYN was answered.
    SynRecv,
    /// Data may flow.
    Established,
    /// One end has closed.
    FinWait,
    /// And that was acknowledged.
    CloseWait,
    /// Both have closed.
    LastAck,
    /// All is said.
    TimeWait,
    /// A reset.
    Close,
}

impl State {
    /// The name that `conntrack -L` prints.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SynSent => "SYN_SENT",
            Self::SynSent2 => "SYN_SENT2",
            Self::SynRecv => "SYN_RECV",
            Self::Established => "ESTABLISHED",
            Self::FinWait => "FIN_WAIT",
            Self::CloseWait => "CLOSE_WAIT",
            Self::LastAck => "LAST_ACK",
            Self::TimeWait => "TIME_WAIT",
            Self::Close => "CLOSE",
        }
    }

    /// How long a connection in this state is remembered.
    pub const fn timeout(self, timeouts: &Timeouts) -> Duration {
        match self {
            Self::SynSent | Self::SynSent2 => timeouts.tcp_syn_sent,
            Self::SynRecv => timeouts.tcp_syn_recv,
            Self::Established => timeouts.tcp_established,
            Self::FinWait => timeouts.tcp_fin_wait,
            Self::CloseWait => timeouts.tcp_close_wait,
            Self::LastAck => timeouts.tcp_last_ack,
            Self::TimeWait => timeouts.tcp_time_wait,
            Self::Close => timeouts.tcp_close,
        }
    }
}

/// A sequence number of TCP, which wraps.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct Seq(u32);

impl Seq {
    fn add(self, n: u32) -> Self {
        Self(self.0.wrapping_add(n))
    }

    fn sub(self, n: u32) -> Self {
        Self(self.0.wrapping_sub(n))
    }

    fn since(self, earlier: Self) -> u32 {
        self.0.wrapping_sub(earlier.0)
    }

    fn before(self, other: Self) -> bool {
        (self.0.wrapping_sub(other.0) as i32) < 0
    }

    fn after(self, other: Self) -> bool {
        other.before(self)
    }
}

/// What a segment is by its control bits; a reset outranks a SYN, a SYN a FIN.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Syn,
    SynAck,
    Fin,
    Ack,
    Rst,
}

impl Kind {
    fn of(flags: Flags) -> Self {
        match flags {
            f if f.has(Flags::RST) => Self::Rst,
            f if f.has(Flags::SYN | Flags::ACK) => Self::SynAck,
            f if f.has(Flags::SYN) => Self::Syn,
            f if f.has(Flags::FIN) => Self::Fin,
            _ => Self::Ack,
        }
    }
}

/// Where a segment leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    To(State),
    /// This end may be out of step with the two: the segment passes and changes nothing.
    Ignore,
    Invalid,
}

/// The transitions.
fn step(direction: Direction, kind: Kind, state: State) -> Step {
    use State::{Close, CloseWait, Established, FinWait, LastAck, SynRecv, SynSent, SynSent2, TimeWait};
    let is_open = matches!(state, SynRecv | Established | FinWait | CloseWait | LastAck);
    match (kind, direction, state) {
        (Kind::Rst, ..) => Step::To(Close),
        (Kind::Fin, _, SynSent | SynSent2) => Step::Invalid,
        (Kind::Fin, _, SynRecv | Established) => Step::To(FinWait),
        (Kind::Fin, _, FinWait | CloseWait | LastAck) => Step::To(LastAck),
        (Kind::Fin | Kind::Ack, _, TimeWait | Close) => Step::To(state),
        (Kind::Ack, _, Established) => Step::To(Established),
        (Kind::Ack, _, FinWait | CloseWait) => Step::To(CloseWait),
        (Kind::Ack, _, LastAck) => Step::To(TimeWait),
        (Kind::Ack, Direction::Original, SynSent | SynSent2) => Step::Invalid,
        (Kind::Ack, Direction::Original, SynRecv) => Step::To(Established),
        (Kind::Ack, Direction::Reply, SynSent | SynSent2) => Step::Ignore,
        (Kind::Ack, Direction::Reply, SynRecv) => Step::To(SynRecv),
        (Kind::Syn, _, SynSent2) => Step::To(SynSent2),
        (Kind::Syn, Direction::Original, SynSent | TimeWait | Close) => Step::To(SynSent),
        (Kind::Syn, Direction::Original, _) => Step::Ignore,
        (Kind::Syn, Direction::Reply, SynSent) => Step::To(SynSent2),
        (Kind::Syn, Direction::Reply, TimeWait) => Step::To(SynSent),
        (Kind::Syn, Direction::Reply, _) => Step::Invalid,
        (Kind::SynAck, _, SynSent2) => Step::To(SynRecv),
        (Kind::SynAck, Direction::Original, SynRecv) => Step::To(SynRecv),
        (Kind::SynAck, Direction::Original, _) => Step::Invalid,
        (Kind::SynAck, Direction::Reply, SynSent) => Step::To(SynRecv),
        (Kind::SynAck, Direction::Reply, _) if is_open || matches!(state, TimeWait | Close) => Step::Ignore,
        (Kind::SynAck, Direction::Reply, _) => Step::Invalid,
    }
}

/// What was seen of one end.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct End {
    /// Behind the last sequence number that it sent.
    end: Seq,
    /// Behind the last that the other end allows.
    max_end: Seq,
    /// The largest window that it offered; zero where nothing was seen of it.
    max_window: u32,
    /// The shift of its window.
    scale: u8,
    scales: bool,
    sacks: bool,
    /// It was picked up in the middle of a connection, so that its scale is not known.
    liberal: bool,
    /// It was the first to close.
    closed: bool,
    unacknowledged: bool,
    /// The highest acknowledgment that it sent.
    max_ack: Option<Seq>,
}

impl End {
    /// From a SYN.
    fn begin(header: &Header, end: Seq) -> Self {
        Self {
            end,
            max_end: end,
            max_window: u32::from(header.window).max(1),
            scale: header.options.wscale.unwrap_or(0),
            scales: header.options.wscale.is_some(),
            sacks: header.options.sack_permitted,
            ..Self::default()
        }
    }
}

/// The segment that was last let through, to know it again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Last {
    direction: Direction,
    kind: Kind,
    seq: Seq,
    ack: Seq,
    end: Seq,
    window: u16,
}

/// A connection between two others.
#[derive(Clone, Debug)]
pub struct Track {
    state: State,
    ends: [End; 2],
    last: Option<Last>,
    /// A SYN that was ignored: its sender as it would be if the other end takes it.
    ignored: Option<(Direction, End)>,
    retransmits: u8,
}

/// What a segment did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fit {
    /// It belongs to the connection, which lives on for so long.
    Fits(Duration),
    /// It passes; the connection does not care for it.
    Ignored,
    /// It begins another connection in the place of this one, which is over.
    Begins,
    /// It does not belong to the connection, and why.
    Invalid(&'static str),
}

/// `nf_conntrack_tcp_max_retrans`
const MAX_RETRANSMITS: u8 = 3;
/// The least span below what was sent in which an acknowledgment still counts.
const ACK_SPAN: u32 = 66_000;

impl Track {
    /// A connection that begins with this segment, which carries `len` octets of data; `None` where none can.
    pub fn begin(header: &Header, len: u32) -> Option<Self> {
        let end = end_of(header, len);
        let (state, ends) = match Kind::of(header.flags) {
            Kind::Syn => (State::SynSent, [End::begin(header, end), End::default()]),
            // `nf_conntrack_tcp_loose`: a connection that was there before this host knew of it.
            Kind::Ack => {
                let window = u32::from(header.window).max(1);
                let blank = End { liberal: true, sacks: true, ..End::default() };
                let first = End { end, max_end: end.add(window), max_window: window, ..blank };
                (State::Established, [first, blank])
            }
            Kind::SynAck | Kind::Fin | Kind::Rst => return None,
        };
        Some(Self { state, ends, last: None, ignored: None, retransmits: 0 })
    }

    /// The state.
    pub fn state(&self) -> State {
        self.state
    }

    /// Follows a segment with `len` octets of data; `answered` says whether the other end was ever heard.
    pub fn follow(
        &mut self,
        direction: Direction,
        header: &Header,
        len: u32,
        answered: bool,
        timeouts: &Timeouts,
    ) -> Fit {
        let (kind, end) = (Kind::of(header.flags), end_of(header, len));
        let (sender, other) = (direction as usize, direction.other() as usize);
        let mut old = self.state;
        let mut new = match step(direction, kind, old) {
            Step::Invalid => return Fit::Invalid("the connection is in another state"),
            Step::To(State::SynSent) if matches!(old, State::TimeWait | State::Close) => {
                // RFC 9293 §3.6.1: a new SYN "MAY … reopen the connection directly from TIME-WAIT state".
                let was_reset = self.last.is_some_and(|last| last.kind == Kind::Rst && last.direction == direction);
                if was_reset || self.ends.iter().any(|end| end.closed) {
                    return Fit::Begins;
                }
                Step::Ignore
            }
            step => step,
        };
        if new == Step::Ignore {
            if let Some((of, seen)) = self.ignored.take()
                && kind == Kind::SynAck
                && of != direction
                && Seq(header.ack) == seen.end
            {
                // The other end takes the SYN that was ignored: the two are in step, and this host was not.
                (self.ends[of as usize], self.ends[sender]) = (seen, End::default());
                old = State::SynSent;
                new = Step::To(State::SynRecv);
                self.state = old;
            } else {
                if kind == Kind::Syn && direction == Direction::Original {
                    self.ignored = Some((direction, End::begin(header, end)));
                }
                self.last = Some(Last::of(direction, kind, header, end));
                return Fit::Ignored;
            }
        }
        let Step::To(new) = new else { return Fit::Ignored };
        let mut window = Window::Counts;
        if kind == Kind::Rst {
            // RFC 5961 §3.2's reason: a reset that is older than what was acknowledged is a guess.
            if self.ends[other].max_ack.is_some_and(|ack| Seq(header.seq).before(ack)) {
                return Fit::Invalid("a reset from before what was acknowledged");
            }
            // A reset that answers what was ignored is not held against the window.
            if self.last.is_some_and(|last| {
                matches!(last.kind, Kind::Syn | Kind::Ack) && last.direction != direction && last.end == Seq(header.ack)
            }) {
                window = Window::LeftOut;
            }
        }
        if window == Window::Counts
            && let Err(why) = self.in_window(direction, kind, header, end)
        {
            return Fit::Invalid(why);
        }
        self.last = Some(Last::of(direction, kind, header, end));
        if old != new && new == State::FinWait {
            self.ends[sender].closed = true;
        }
        self.state = new;
        if kind == Kind::Rst && !answered {
            // The only answer is a refusal: there never was a connection.
            return Fit::Fits(Duration::ZERO);
        }
        let limit = if !answered && new == State::Established || self.ends.iter().any(|end| end.unacknowledged) {
            timeouts.tcp_unacknowledged
        } else {
            Duration::MAX
        };
        let limit = if self.retransmits >= MAX_RETRANSMITS { limit.min(timeouts.tcp_max_retrans) } else { limit };
        Fit::Fits(new.timeout(timeouts).min(limit))
    }

    /// Whether the sequence numbers fit, and what they tell. In the words of the four bounds: a segment begins not behind what
    /// the receiver allows (I) and ends not before what it has taken long ago (II); it acknowledges not what was never sent
    /// (III) and not what was acknowledged long ago (IV).
    fn in_window(&mut self, direction: Direction, kind: Kind, header: &Header, end: Seq) -> Result<(), &'static str> {
        let itself = Last::of(direction, kind, header, end);
        let (mut seq, mut end) = (Seq(header.seq), end);
        let has_ack = header.flags.has(Flags::ACK);
        let mut ack = Seq(header.ack);
        let [original, reply] = &mut self.ends;
        let (sender, receiver) = match direction {
            Direction::Original => (original, reply),
            Direction::Reply => (reply, original),
        };
        let mut sack = ack;
        if receiver.sacks {
            for &(_, right) in header.options.sack.as_slice() {
                if Seq(right).after(sack) {
                    sack = Seq(right);
                }
            }
        }
        let is_syn = header.flags.has(Flags::SYN);
        let opens = (self.state, direction) == (State::SynSent, Direction::Original)
            || (self.state, direction) == (State::SynRecv, Direction::Reply);
        if sender.max_window == 0 && is_syn || opens && is_syn && end.after(sender.end) {
            *sender = End::begin(header, end);
            // RFC 7323 §2.2: both ends must send the option to scale in either direction.
            if receiver.max_window != 0 && !(sender.scales && receiver.scales) {
                (sender.scale, receiver.scale) = (0, 0);
            }
            if !has_ack {
                return Ok(());
            }
        } else if sender.max_window == 0 {
            // In the middle of a connection: what the segment says is believed.
            sender.end = end;
            sender.max_window = (u32::from(header.window) << sender.scale).max(1);
            sender.max_end = end.add(sender.max_window);
            if receiver.max_window == 0 {
                (receiver.end, receiver.max_end) = (sack, sack);
            }
        }
        if !has_ack || kind == Kind::Rst && header.ack == 0 {
            (ack, sack) = (receiver.end, receiver.end);
        }
        let answers_syn = kind == Kind::Rst && header.seq == 0 && self.state == State::SynSent;
        if seq == end && kind != Kind::Rst || answers_syn {
            // It holds nothing: its acknowledgment alone is looked at.
            (seq, end) = (sender.end, sender.end);
        }
        let bounds = [
            (!seq.after(sender.max_end), "it begins behind the receiver's window"),
            (end.after(sender.end.sub(receiver.max_window + 1)), "it was taken long ago"),
            (!sack.after(receiver.end), "it acknowledges what was never sent"),
            (sack.after(receiver.end.sub(sender.max_window.max(ACK_SPAN) + 1)), "it acknowledges what is long past"),
        ];
        if let Some((_, why)) = bounds.iter().find(|(fits, _)| !fits) {
            return if sender.liberal { Ok(()) } else { Err(why) };
        }
        let window = u32::from(header.window) << if is_syn { 0 } else { sender.scale };
        sender.max_window = sender.max_window.max(window.saturating_add(sack.since(ack)));
        if end.after(sender.end) {
            (sender.end, sender.unacknowledged) = (end, true);
        }
        if has_ack && sender.max_ack.is_none_or(|highest| ack.after(highest)) {
            sender.max_ack = Some(ack);
        }
        if receiver.max_window != 0 && end.after(sender.max_end) {
            receiver.max_window = receiver.max_window.saturating_add(end.since(sender.max_end));
        }
        if !sack.add(window).before(receiver.max_end) {
            // A window of nothing still takes a probe.
            receiver.max_end = sack.add(window.max(1));
        }
        if ack == receiver.end {
            receiver.unacknowledged = false;
        }
        if kind == Kind::Ack {
            let again = self.last == Some(itself);
            self.retransmits = if again { self.retransmits.saturating_add(1) } else { 0 };
        }
        Ok(())
    }
}

/// Whether a segment is held against the window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Window {
    Counts,
    LeftOut,
}

impl Last {
    fn of(direction: Direction, kind: Kind, header: &Header, end: Seq) -> Self {
        Self { direction, kind, seq: Seq(header.seq), ack: Seq(header.ack), end, window: header.window }
    }
}

/// Behind the last sequence number that a segment takes.
fn end_of(header: &Header, len: u32) -> Seq {
    let control = u32::from(header.flags.has(Flags::SYN)) + u32::from(header.flags.has(Flags::FIN));
    Seq(header.seq).add(len.wrapping_add(control))
}
