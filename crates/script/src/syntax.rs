//! What a script says, as the grammar has it.

use core::time::Duration;

use crate::error::At;

/// A whole script.
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    /// `--name=value` lines in front.
    pub options: Vec<ScriptOption>,
    /// What happens, in order. Commands without a time happen at the time of the event before them.
    pub events: Vec<Event>,
}

/// `--name=value`
#[derive(Clone, Debug, PartialEq)]
pub struct ScriptOption {
    /// Where it stands.
    pub at: At,
    /// Its name, without the dashes.
    pub name: String,
    /// What follows the equals sign, if one is there.
    pub value: Option<String>,
}

/// One line of a script.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Where it stands.
    pub at: At,
    /// When it happens.
    pub when: When,
    /// What happens.
    pub action: Action,
}

/// When an event happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// `1.5`: this long after the script's begin.
    Absolute(Duration),
    /// `+.1`: this long after the event before.
    Relative(Duration),
    /// `*`: at any time.
    Any,
    /// `1~2`
    AbsoluteRange(Duration, Duration),
    /// `+.1~+.2`
    RelativeRange(Duration, Duration),
}

/// What an event is.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// A packet that arrives, or that the stack must send.
    Packet(Packet),
    /// A system call with its result.
    Call(Call),
    /// A line for the shell; ours knows `sysctl` only.
    Command(String),
    /// Statements about `tcp_info`.
    Code(String),
}

/// Which way a packet goes, seen from the stack under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// `<`
    Inbound,
    /// `>`
    Outbound,
}

/// A packet.
#[derive(Clone, Debug, PartialEq)]
pub struct Packet {
    /// Which way.
    pub direction: Direction,
    /// What the IP header must say.
    pub ip: IpSpec,
    /// Source and destination port where the script names them.
    pub ports: Option<(u16, u16)>,
    /// What is inside.
    pub body: Body,
}

/// What a script says about the IP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct IpSpec {
    /// The traffic class.
    pub tos: Tos,
    /// The time to live or hop limit.
    pub ttl: Option<u8>,
}

/// What a script says about the traffic class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Tos {
    /// Nothing; zero where the packet is inbound.
    #[default]
    Unsaid,
    /// The two ECN bits.
    Ecn(u8),
    /// Either of the ECN-capable code points.
    Ect01,
    /// The whole octet.
    Whole(u8),
}

/// What a packet carries.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// A TCP segment.
    Tcp(TcpSpec),
    /// A UDP datagram with that many bytes.
    Udp {
        /// Bytes of payload.
        len: u16,
    },
    /// An ICMP message.
    Icmp(IcmpSpec),
}

/// A TCP segment as a script writes it.
#[derive(Clone, Debug, PartialEq)]
pub struct TcpSpec {
    /// The control bits, [`crate::wire::flags`].
    pub flags: u16,
    /// The sequence number of the first byte, relative to the initial one unless SYN is set.
    pub seq: u32,
    /// Bytes of payload.
    pub len: u16,
    /// The acknowledgement number, likewise relative.
    pub ack: u32,
    /// The window field; not checked where absent.
    pub window: Option<u16>,
    /// The urgent pointer.
    pub urgent: u16,
    /// The options; `None` for `<...>`, which says nothing about them.
    pub options: Option<Vec<TcpOption>>,
}

/// A TCP option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TcpOption {
    /// `nop`
    Nop,
    /// `eol`
    End,
    /// `mss 1460`
    Mss(u16),
    /// `wscale 8`
    WindowScale(u8),
    /// `sackOK`
    SackPermitted,
    /// `sack 1:2 3:4`
    Sack(Vec<(u32, u32)>),
    /// `TS val 1 ecr 2`
    Timestamps {
        /// The sender's clock.
        val: u32,
        /// The echoed one.
        ecr: u32,
    },
    /// `FO 0123abcd`
    FastOpen(Vec<u8>),
    /// An option the language has no name for, as its octets.
    Other(Vec<u8>),
}

/// An ICMP message as a script writes it.
#[derive(Clone, Debug, PartialEq)]
pub struct IcmpSpec {
    /// `unreachable`, `echo_request`, …
    pub kind: String,
    /// `port_unreachable`, …
    pub code: Option<String>,
    /// The MTU of `frag_needed` and `packet_too_big`.
    pub mtu: Option<u32>,
    /// The identifier of an echo.
    pub id: Option<u16>,
    /// What of the offending packet comes back.
    pub echoed: Echoed,
}

/// The offending packet inside an ICMP error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Echoed {
    /// Nothing said: for an error, a TCP segment with sequence number zero.
    Unsaid,
    /// `[1:1001(1000)]`: a TCP segment.
    Tcp {
        /// Its sequence number, relative.
        seq: u32,
        /// Its payload's length.
        len: u16,
    },
    /// `[udp (100)]`
    Udp {
        /// Its payload's length.
        len: u16,
    },
}

/// A system call.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// When it returns, where it blocks: counted as the time of its event is.
    pub until: Option<Duration>,
    /// Its name.
    pub name: String,
    /// Its arguments.
    pub arguments: Vec<Expr>,
    /// What it returns.
    pub result: Expr,
    /// The name of the error that it returns.
    pub errno: Option<String>,
}

/// An argument or a result.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// `...`
    Ellipsis,
    /// A number.
    Int(i64),
    /// A name.
    Word(String),
    /// `"text"`
    Text(String),
    /// `[a, b]`
    List(Vec<Expr>),
    /// `a | b`
    Or(Box<Expr>, Box<Expr>),
    /// `{name = value, …}`; a name may carry a count in brackets, which is not kept.
    Record(Vec<(String, Expr)>),
    /// `{..., 1000}`
    Tuple(Vec<Expr>),
    /// `name(arguments)`
    Apply(String, Vec<Expr>),
}
