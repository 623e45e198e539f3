//! What there is to know of a protocol before a router runs it: its name, how it is carried, and what may be set.

use core::time::Duration;
use std::net::Ipv4Addr;

use septet_core::{Metric, Rng};

use super::act::ROUTE_CHANGES;
use super::protocol::RoutingProtocol;
use crate::addr::Prefix;
use crate::route::{Iface, Origin};

/// A routing protocol.
#[derive(Debug)]
pub struct Kind {
    /// Its name, and the key of its table in a lab file.
    pub name: &'static str,
    /// What it is, in a few words.
    pub doc: &'static str,
    /// What carries its packets.
    pub carriage: Carriage,
    /// Under which name its routes stand in the table.
    pub origin: Origin,
    /// What may be set of it as a whole.
    pub settings: &'static [Setting],
    /// What may be set of each interface.
    pub ports: &'static [Setting],
    /// Settings that must be there; where there are none, its name alone says enough.
    pub required: &'static [&'static str],
    /// What it counts.
    pub counters: &'static [Metric],
    /// What it records, beside [`METRICS`].
    pub metrics: &'static [Metric],
    /// Its settings before anything was said.
    pub config: fn() -> Box<dyn Config>,
}

/// What every protocol records.
pub const METRICS: &[Metric] =
    &[Metric::counter(ROUTE_CHANGES, "routes that a routing protocol has set, changed or withdrawn")];

/// What carries a protocol's packets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Carriage {
    /// IP itself, under this number.
    Ip(u8),
    /// UDP, at this port on both sides.
    Udp(u16),
    /// TCP, to this port.
    Tcp(u16),
}

/// Something that may be set.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Its key.
    pub key: &'static str,
    /// What it means, with its default in brackets.
    pub doc: &'static str,
    /// How its value is written.
    pub form: Form,
}

impl Setting {
    /// A setting.
    pub const fn new(key: &'static str, form: Form, doc: &'static str) -> Self {
        Self { key, doc, form }
    }
}

/// How the value of a setting is written.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// `true` or `false`.
    Switch,
    /// A time that is at least so long.
    Span(Duration),
    /// A whole number from the first to the second.
    Number(u64, u64),
    /// An IPv4 address that names a router.
    Address,
    /// One of these words.
    Words(&'static [&'static str]),
    /// Lines in a small language of the protocol's. The name of a router may stand where the address of a neighbour does.
    Lines {
        /// What each is.
        what: &'static str,
        /// A line that is one.
        example: &'static str,
        /// A word with a number behind it that each line must have; where it is left out, it is what the neighbour that the
        /// line names says of itself under this key.
        of_peer: Option<&'static str>,
    },
}

/// What a setting is set to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// Of [`Form::Switch`].
    Switch(bool),
    /// Of [`Form::Span`].
    Span(Duration),
    /// Of [`Form::Number`].
    Number(u64),
    /// Of [`Form::Address`].
    Address(Ipv4Addr),
    /// Of [`Form::Words`].
    Word(&'static str),
    /// A line of [`Form::Lines`]; a setting of several is set by each in turn.
    Line(String),
}

/// What was set of a protocol on one router.
pub trait Config: core::fmt::Debug + Send + Sync {
    /// Sets something, of one interface or of the whole.
    ///
    /// # Errors
    /// Why the value will not do, in words. A value of the setting's form that is not a line is never refused.
    fn set(&mut self, iface: Option<Iface>, key: &str, value: Value) -> Result<(), String>;

    /// The protocol on a router that was just switched on.
    fn start(&self, router: Identity) -> Box<dyn RoutingProtocol>;

    /// A copy of it.
    fn boxed(&self) -> Box<dyn Config>;
}

/// Whose protocol it is.
#[derive(Debug)]
pub struct Identity {
    /// The router's highest IPv4 address, which names it where nothing else does (RFC 2328 §1.2, RFC 4271 §4.2).
    pub router: Ipv4Addr,
    /// Where the protocol draws what it chooses at random.
    pub rng: Rng,
    /// The router's routes by hand, which it may tell others.
    pub by_hand: Vec<Prefix>,
}
