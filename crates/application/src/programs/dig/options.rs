//! The command line, which is like no other program's.

use core::fmt;
use core::time::Duration;
use std::net::IpAddr;

use hickory_proto::rr::{Name, RecordType};

use crate::dns::{Family, Transport};
use crate::programs::args::At;

/// Everything the command line asks for.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) questions: Vec<Question>,
    pub(super) server: Option<String>,
    /// Over which versions of IP servers are asked.
    pub(super) family: Family,
    pub(super) port: Option<u16>,
    pub(super) recurse: bool,
    pub(super) edns: Option<u16>,
    pub(super) transport: Transport,
    pub(super) timeout: Duration,
    pub(super) tries: u32,
    pub(super) short: bool,
    pub(super) parts: Parts,
}

/// What is asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Question {
    /// As it was typed.
    pub(super) text: String,
    pub(super) name: Name,
    pub(super) kind: RecordType,
}

/// Which parts of the output are shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Parts {
    pub(super) cmd: bool,
    pub(super) comments: bool,
    pub(super) question: bool,
    pub(super) answer: bool,
    pub(super) authority: bool,
    pub(super) additional: bool,
    pub(super) stats: bool,
}

impl Parts {
    const fn all(shown: bool) -> Self {
        Self {
            cmd: shown,
            comments: shown,
            question: shown,
            answer: shown,
            authority: shown,
            additional: shown,
            stats: shown,
        }
    }
}

/// The options as they are written.
const WRITTEN: &[&str] = &[
    "+short",
    "+tcp",
    "+vc",
    "+ignore",
    "+recurse",
    "+rec",
    "+edns",
    "+bufsize",
    "+time",
    "+timeout",
    "+tries",
    "+retry",
    "+all",
    "+cmd",
    "+comments",
    "+question",
    "+answer",
    "+authority",
    "+additional",
    "+stats",
    "+noall",
    "+norecurse",
    "-p",
    "-x",
    "-t",
    "-q",
    "-4",
    "-6",
];

/// What is wrong with a command line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Wrong(String);

impl Wrong {
    /// The options that there are, where there is none as was given.
    pub(super) fn options(&self) -> Vec<String> {
        if self.0.starts_with(INVALID) { WRITTEN.iter().map(|&o| o.to_owned()).collect() } else { Vec::new() }
    }
}

const INVALID: &str = "Invalid option";

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Options {
    pub(super) fn parse(args: &[String]) -> Result<Self, At<Wrong>> {
        let mut options = Self {
            questions: Vec::new(),
            server: None,
            family: Family::Any,
            port: None,
            recurse: true,
            edns: Some(1232),
            transport: Transport::Udp,
            timeout: Duration::from_secs(5),
            tries: 3,
            short: false,
            parts: Parts::all(true),
        };
        let mut args = args.iter().enumerate();
        while let Some((place, arg)) = args.next() {
            options.take(arg, &mut args).map_err(|error| At { place: Some(place), error })?;
        }
        if options.questions.is_empty() {
            // dig(1): "it queries for the NS records of the root domain".
            options.questions.push(Question { text: ".".to_owned(), name: Name::root(), kind: RecordType::NS });
        }
        Ok(options)
    }

    /// Takes an argument, and from `rest` the value that may follow it.
    fn take<'a>(&mut self, arg: &str, rest: &mut impl Iterator<Item = (usize, &'a String)>) -> Result<(), Wrong> {
        if let Some(server) = arg.strip_prefix('@') {
            self.server = Some(server.to_owned());
        } else if let Some(option) = arg.strip_prefix('+') {
            self.plus(option)?;
        } else if let Some(letter) = arg.strip_prefix('-') {
            let mut value = || {
                let attached = letter.get(1..).filter(|v| !v.is_empty()).map(str::to_owned);
                attached
                    .or_else(|| rest.next().map(|(_, value)| value.clone()))
                    .ok_or_else(|| Wrong(format!("option -{letter} wants a value")))
            };
            match letter.chars().next() {
                Some('p') => {
                    let text = value()?;
                    let port = text.parse().ok().filter(|port| *port > 0);
                    self.port = Some(port.ok_or_else(|| Wrong(format!("-p: `{text}` is no port from 1 to 65535")))?);
                }
                Some('x') => {
                    let text = value()?;
                    let ip: IpAddr = text.parse().map_err(|_| Wrong(format!("Invalid IP address {text}")))?;
                    let name = Name::from(ip);
                    self.questions.push(Question { text: name.to_ascii(), name, kind: RecordType::PTR });
                }
                Some('t') => self.set_type(&value()?)?,
                Some('q') => self.add(&value()?)?,
                Some('4') => self.family = Family::V4,
                Some('6') => self.family = Family::V6,
                _ => return Err(Wrong(format!("{INVALID}: {arg}"))),
            }
        } else if !self.questions.is_empty() && record_type(arg).is_some() {
            self.set_type(arg)?;
        } else if arg.eq_ignore_ascii_case("IN") && !self.questions.is_empty() {
        } else {
            self.add(arg)?;
        }
        Ok(())
    }

    /// Transfers go over TCP whatever was said.
    pub(super) fn transport_for(&self, question: &Question) -> Transport {
        if matches!(question.kind, RecordType::AXFR | RecordType::IXFR) { Transport::Tcp } else { self.transport }
    }

    fn add(&mut self, text: &str) -> Result<(), Wrong> {
        let mut name = Name::from_ascii(text).map_err(|e| Wrong(format!("'{text}' is not a legal name: {e}")))?;
        name.set_fqdn(true);
        self.questions.push(Question { text: text.to_owned(), name, kind: RecordType::A });
        Ok(())
    }

    fn set_type(&mut self, text: &str) -> Result<(), Wrong> {
        let kind = record_type(text).ok_or_else(|| Wrong(format!("unknown type '{text}'")))?;
        match self.questions.last_mut() {
            Some(question) => question.kind = kind,
            None => return Err(Wrong(format!("type {text} stands before the name it is for"))),
        }
        Ok(())
    }

    fn plus(&mut self, option: &str) -> Result<(), Wrong> {
        let (name, value) = option.split_once('=').map_or((option, None), |(n, v)| (n, Some(v)));
        let (name, on) = name.strip_prefix("no").map_or((name, true), |n| (n, false));
        let wanted = |name: &str| Wrong(format!("+{name} wants a number"));
        let numeric = || number::<u32>(&format!("+{name}"), value.ok_or_else(|| wanted(name))?);
        let parts = &mut self.parts;
        match name {
            "short" => self.short = on,
            "tcp" | "vc" => self.transport = if on { Transport::Tcp } else { Transport::Udp },
            "ignore" => self.transport = if on { Transport::UdpOnly } else { Transport::Udp },
            "rec" | "recurse" => self.recurse = on,
            "edns" => self.edns = on.then_some(1232),
            "bufsize" => self.edns = Some(u16::try_from(numeric()?).map_err(|_| wanted(name))?),
            // dig(1): "An attempt to set T to less than 1 is silently set to 1" of both.
            "time" | "timeout" => self.timeout = Duration::from_secs(numeric()?.max(1).into()),
            "tries" => self.tries = numeric()?.max(1),
            "retry" => self.tries = numeric()?.saturating_add(1),
            "all" => *parts = Parts::all(on),
            "cmd" => parts.cmd = on,
            "comments" => parts.comments = on,
            "question" => parts.question = on,
            "answer" => parts.answer = on,
            "authority" => parts.authority = on,
            "additional" => parts.additional = on,
            "stats" => parts.stats = on,
            _ => return Err(Wrong(format!("{INVALID}: +{option}"))),
        }
        Ok(())
    }
}

fn record_type(text: &str) -> Option<RecordType> {
    text.to_ascii_uppercase().parse().ok()
}

fn number<T: core::str::FromStr>(option: &str, value: &str) -> Result<T, Wrong> {
    value.parse().map_err(|_| Wrong(format!("{option}: `{value}` is no number in its range")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, At<Wrong>> {
        Options::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn names_types_and_pluses() {
        let o = parse("@10.0.0.53 -p 5353 www.shop.test AAAA +short +time=1 +tries=2 +norec mx.test MX -x 10.0.3.2")
            .unwrap();
        let asked: Vec<_> = o.questions.iter().map(|q| format!("{} {}", q.name, q.kind)).collect();
        assert_eq!(asked, ["www.shop.test. AAAA", "mx.test. MX", "2.3.0.10.in-addr.arpa. PTR"]);
        assert_eq!(
            (o.server.as_deref(), o.port, o.tries, o.short, o.recurse),
            (Some("10.0.0.53"), Some(5353), 2, true, false)
        );
        let o = parse("+noall +answer x.test").unwrap();
        assert_eq!(o.parts, Parts { answer: true, ..Parts::all(false) });
        assert_eq!(parse("").unwrap().questions[0].kind, RecordType::NS);
        for bad in ["+nope x", "-p", "-p x y", "-z", "-x 300.1.1.1", "a..b", "+time x"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
