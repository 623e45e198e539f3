//! The command line of `ping`.

use core::time::Duration;
use std::net::IpAddr;

use septet_socket::{Broadcast, MtuDiscovery};

use super::record::{MOST_NODES, Record, Times};
use crate::dns::Family;
use crate::programs::args::{self, Arg, ArgError, At, Spec, flag, value};

/// What was asked for.
pub(super) struct Options {
    pub(super) destination: String,
    pub(super) family: Family,
    pub(super) count: Option<u64>,
    /// Between two requests; none for as fast as replies come.
    pub(super) interval: Option<Duration>,
    pub(super) pace: Pace,
    /// Requests that are sent without waiting for a reply.
    pub(super) preload: u64,
    pub(super) discovery: MtuDiscovery,
    pub(super) source: Option<Source>,
    pub(super) pattern: Vec<u8>,
    pub(super) size: usize,
    pub(super) ttl: Option<u8>,
    pub(super) tos: Option<u8>,
    pub(super) deadline: Option<Duration>,
    pub(super) linger: Option<Duration>,
    pub(super) shows: Shows,
    /// What requests ask those for who pass them on.
    pub(super) record: Record,
    /// Those whose time is asked for, of `-T tsprespec`.
    pub(super) nodes: Vec<String>,
    pub(super) broadcast: Broadcast,
}

/// When the next request leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Pace {
    /// An interval after the one before.
    Even,
    /// `-A`: about a round trip after it.
    Adaptive,
    /// `-f`: as soon as the reply is there, and a hundred times a second.
    Flood,
}

/// Where requests come from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Source {
    /// This address.
    Address(IpAddr),
    /// This interface.
    Device(String),
}

/// What is printed.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Shows {
    /// `-q`: nothing but the summary.
    pub(super) quiet: bool,
    /// `-n`: no names.
    pub(super) numeric: bool,
    /// `-D`: the time before each line.
    pub(super) time: bool,
    /// `-O`: what was not answered when the next request leaves.
    pub(super) outstanding: bool,
    /// `-v`: the identifier.
    pub(super) ident: bool,
    /// `-a`: a bell at each reply.
    pub(super) bell: bool,
}

pub(super) const SPECS: &[Spec] = &[
    flag('4', ""),
    flag('6', ""),
    flag('a', ""),
    flag('A', ""),
    flag('b', ""),
    value('c', ""),
    flag('D', ""),
    flag('f', ""),
    value('i', ""),
    value('I', ""),
    value('l', ""),
    value('M', ""),
    flag('n', ""),
    flag('O', ""),
    value('p', ""),
    flag('q', ""),
    value('Q', ""),
    flag('R', ""),
    value('s', ""),
    value('t', ""),
    value('T', ""),
    flag('v', ""),
    value('w', ""),
    value('W', ""),
];

pub(super) const USAGE: &str = "Usage: ping [options] <destination>
       ping [options] -T tsprespec <node>... <destination>
 -4, -6          Only to an address of this version of IP
 -a              Ring the bell at each reply
 -A              Send about a round trip after the request before
 -b              To all on a link too, where the destination is a broadcast address
 -c <count>      Stop after so many replies
 -D              Show the time before each line
 -f              Send as fast as replies come, and a hundred times a second where none does
 -i <interval>   Seconds between two requests (1)
 -I <interface>  Send by this interface, or from this address
 -l <preload>    Send so many requests without waiting for a reply (1)
 -M <pmtudisc>   do: refuse what does not fit the path; want: cut it here; dont: let routers cut it (want)
 -n              Do not look names up
 -O              Tell when a request has no reply yet and the next one leaves
 -p <pattern>    Fill requests with these bytes, in hexadecimal
 -q              Show the summary only
 -Q <tclass>     The differentiated services field of requests: 0x10
 -R              Show which way requests and replies go, as routers record it (IPv4)
 -s <size>       Bytes of payload (56)
 -t <ttl>        Time to live of the requests
 -T <what>       Show what time it was where requests and replies went: tsonly, tsandaddr with addresses, tsprespec at these nodes
                 (IPv4)
 -v              Show the identifier of the requests
 -w <deadline>   Stop after so many seconds
 -W <timeout>    Seconds to wait for a reply at the end (10, or twice the longest round trip)
";

impl Options {
    pub(super) fn parse(words: &[String]) -> Result<Self, At<ArgError>> {
        let mut options = Self {
            destination: String::new(),
            family: Family::Any,
            count: None,
            interval: None,
            pace: Pace::Even,
            preload: 1,
            discovery: MtuDiscovery::default(),
            source: None,
            pattern: Vec::new(),
            size: 56,
            ttl: None,
            tos: None,
            deadline: None,
            linger: None,
            shows: Shows::default(),
            record: Record::Nothing,
            nodes: Vec::new(),
            broadcast: Broadcast::Denied,
        };
        // Where nodes are named the destination is the last of the words, wherever the option stands.
        let names_nodes = words.iter().any(|word| word.trim_start_matches("-T") == "tsprespec");
        let most = if names_nodes { MOST_NODES + 1 } else { 1 };
        args::each(SPECS, words, |arg| {
            match arg {
                Arg::Free(word) if options.nodes.len() < most => options.nodes.push(word),
                Arg::Free(word) => return Err(ArgError::Extra(word)),
                Arg::Flag(name) => options.flag(&name)?,
                Arg::Value(name, text) => options.value(&name, text)?,
            }
            Ok(())
        })?;
        options.destination = options.nodes.pop().ok_or(ArgError::Missing("the destination"))?;
        if options.record == Record::Times(Times::Of) && options.nodes.is_empty() {
            return Err(ArgError::Missing("the node whose time is asked for").into());
        }
        if options.pace != Pace::Flood {
            options.interval = options.interval.or(Some(Duration::from_secs(1)));
        }
        Ok(options)
    }

    /// Of `-R` and `-T` there is room for one.
    fn record(&mut self, record: Record) -> Result<(), ArgError> {
        if self.record != Record::Nothing && self.record != record {
            return Err(ArgError::Both("-R", "-T"));
        }
        self.record = record;
        Ok(())
    }

    fn flag(&mut self, name: &str) -> Result<(), ArgError> {
        let shows = &mut self.shows;
        match name {
            "a" => shows.bell = true,
            "D" => shows.time = true,
            "n" => shows.numeric = true,
            "O" => shows.outstanding = true,
            "q" => shows.quiet = true,
            "v" => shows.ident = true,
            "A" => self.pace = Pace::Adaptive,
            "b" => self.broadcast = Broadcast::Allowed,
            "f" => self.pace = Pace::Flood,
            "R" => self.record(Record::Route)?,
            other => self.family = args::family(other).unwrap_or(self.family),
        }
        Ok(())
    }

    fn value(&mut self, name: &str, text: String) -> Result<(), ArgError> {
        let option = format!("-{name}");
        match name {
            // iputils: "out of range: 1 <= value".
            "c" => self.count = Some(args::within(&option, &text, 1, u64::MAX, "a number from 1 on")?),
            // Below 2 ms iputils asks for privilege; zero would send without end.
            "i" => self.interval = Some(args::span(&option, &text)?.max(Duration::from_micros(1))),
            "I" => {
                self.source = Some(match text.parse() {
                    Ok(address) => Source::Address(address),
                    Err(_) => Source::Device(text),
                });
            }
            // iputils' MAX_DUP_CHK.
            "l" => self.preload = args::within(&option, &text, 1, 65_536, "a number of requests from 1 to 65536")?,
            "M" => self.discovery = discovery(&option, text)?,
            "p" => self.pattern = pattern(&option, &text)?,
            "Q" => self.tos = Some(tos(&option, &text)?),
            // What an IPv4 packet holds beside its header and ICMP's.
            "s" => self.size = args::within(&option, &text, 0, 65_507, "a size up to 65507")?,
            "t" => self.ttl = Some(args::within(&option, &text, 1, 255, "a number of hops from 1 to 255")?),
            "T" => self.record(Record::Times(times(&option, text)?))?,
            "w" => self.deadline = Some(args::span(&option, &text)?),
            _ => self.linger = Some(args::duration(&option, &text)?),
        }
        Ok(())
    }
}

fn discovery(option: &str, text: String) -> Result<MtuDiscovery, ArgError> {
    match text.as_str() {
        "do" => Ok(MtuDiscovery::Do),
        "want" => Ok(MtuDiscovery::Want),
        "dont" => Ok(MtuDiscovery::Dont),
        _ => Err(ArgError::Bad { option: option.to_owned(), value: text, wanted: "do, want or dont" }),
    }
}

fn times(option: &str, text: String) -> Result<Times, ArgError> {
    match text.as_str() {
        "tsonly" => Ok(Times::Only),
        "tsandaddr" => Ok(Times::WithAddresses),
        "tsprespec" => Ok(Times::Of),
        _ => Err(ArgError::Bad { option: option.to_owned(), value: text, wanted: "tsonly, tsandaddr or tsprespec" }),
    }
}

/// ping(8): "You may specify up to 16 "pad" bytes".
fn pattern(option: &str, text: &str) -> Result<Vec<u8>, ArgError> {
    let wrong = || args::bad(option, text, "up to 16 bytes in hexadecimal, such as ff00");
    let is_hex = !text.is_empty() && text.len() <= 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let pairs = is_hex.then(|| text.as_bytes().chunks(2)).ok_or_else(wrong)?;
    let byte = |pair: &[u8]| core::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
    pairs.map(|pair| byte(pair).ok_or_else(wrong)).collect()
}

/// A number up to 255, in decimal or as `0x10`.
fn tos(option: &str, text: &str) -> Result<u8, ArgError> {
    let number = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u8::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    };
    number.ok_or_else(|| args::bad(option, text, "a number up to 255, such as 16 or 0x10"))
}
