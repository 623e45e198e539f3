//! Conversations as `conntrack -L` prints them: libnetfilter_conntrack's `snprintf_default`.

use core::fmt::Write;
use std::net::IpAddr;

use septet_core::Instant;
use septet_wire::protocol;

use super::{Connection, Ends, Tracker, Tuple};

/// A line of the list, and what it can be chosen by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// Whether it is of IPv4.
    pub is_v4: bool,
    /// The protocol's name.
    pub protocol: &'static str,
    /// All that is shown.
    pub text: String,
}

impl Tracker {
    /// All conversations that are remembered at `now`, in the order in which they began.
    pub fn lines(&self, now: Instant) -> Vec<Line> {
        let mut all: Vec<&Connection> = self.iter().filter(|connection| connection.expires() > now).collect();
        all.sort_by_key(|connection| connection.number);
        all.into_iter().map(|connection| connection.line(now)).collect()
    }
}

impl Connection {
    fn line(&self, now: Instant) -> Line {
        let [original, reply] = &self.tuples;
        let protocol = match original.protocol {
            protocol::TCP => "tcp",
            protocol::UDP => "udp",
            protocol::ICMP => "icmp",
            protocol::ICMPV6 => "icmpv6",
            _ => "unknown",
        };
        let left = self.expires().saturating_since(now).as_secs();
        let mut text = format!("{protocol:<8} {} {left} ", original.protocol);
        if let Some(state) = self.tcp_state() {
            let _ = write!(text, "{} ", state.as_str());
        }
        ends(&mut text, original);
        if !self.is_answered() {
            text.push_str("[UNREPLIED] ");
        }
        ends(&mut text, reply);
        if self.is_assured() {
            text.push_str("[ASSURED] ");
        }
        text.push_str("mark=0 use=1");
        Line { is_v4: matches!(original.src, IpAddr::V4(_)), protocol, text }
    }
}

fn ends(text: &mut String, tuple: &Tuple) {
    let _ = write!(text, "src={} dst={} ", tuple.src, tuple.dst);
    let _ = match tuple.ends {
        Ends::Ports(from, to) => write!(text, "sport={from} dport={to} "),
        Ends::Query(ident, kind, code) => write!(text, "type={kind} code={code} id={ident} "),
        Ends::None => Ok(()),
    };
}
