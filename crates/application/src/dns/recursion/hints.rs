//! Where the root is: `named.root`, as IANA publishes it, or what somebody wrote in its shape.

use core::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A server of the root.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hint {
    /// Where it is.
    pub address: IpAddr,
}

/// What is wrong with a file of hints.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HintError {
    /// A line that is no record: its number from 1, and what it should be.
    Line(usize, String),
    /// There is no address in it.
    Empty,
}

impl fmt::Display for HintError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line, why) => write!(f, "line {line}: {why}"),
            Self::Empty => f.write_str("it has no address of a server, such as `ns.root. 3600 A 192.0.2.1`"),
        }
    }
}

impl std::error::Error for HintError {}

/// Reads the text of a file of hints: records `NAME [TTL] [IN] NS|A|AAAA DATA`, of which the addresses count; `;` begins a comment.
///
/// # Errors
/// [`HintError`].
pub fn read(text: &str) -> Result<Vec<Hint>, HintError> {
    let mut hints = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let mut words = line.split(';').next().unwrap_or_default().split_ascii_whitespace().peekable();
        if words.next().is_none() {
            continue;
        }
        while words.peek().is_some_and(|word| word.parse::<u32>().is_ok() || word.eq_ignore_ascii_case("IN")) {
            words.next();
        }
        let wrong = |why: &str| HintError::Line(number, why.to_owned());
        let kind =
            words.next().map(str::to_ascii_uppercase).ok_or_else(|| wrong("a type, NS, A or AAAA, is missing"))?;
        let data = words.next().ok_or_else(|| wrong("what the record says is missing"))?;
        let address = match kind.as_str() {
            "NS" => continue,
            "A" => data.parse::<Ipv4Addr>().map(IpAddr::V4).map_err(|_| format!("`{data}` is no IPv4 address")),
            "AAAA" => data.parse::<Ipv6Addr>().map(IpAddr::V6).map_err(|_| format!("`{data}` is no IPv6 address")),
            other => Err(format!("`{other}` is no type of a hint: NS, A or AAAA")),
        };
        hints.push(Hint { address: address.map_err(|why| HintError::Line(number, why))? });
    }
    if hints.is_empty() { Err(HintError::Empty) } else { Ok(hints) }
}

/// The servers of the Internet's root, as IANA published them in December 2023.
pub fn iana() -> Vec<Hint> {
    ROOT.iter().filter_map(|address| Some(Hint { address: address.parse().ok()? })).collect()
}

/// From a.root-servers.net to m.root-servers.net.
const ROOT: [&str; 26] = [
    "198.41.0.4",
    "2001:503:ba3e::2:30",
    "170.247.170.2",
    "2801:1b8:10::b",
    "192.33.4.12",
    "2001:500:2::c",
    "199.7.91.13",
    "2001:500:2d::d",
    "192.203.230.10",
    "2001:500:a8::e",
    "192.5.5.241",
    "2001:500:2f::f",
    "192.112.36.4",
    "2001:500:12::d0d",
    "198.97.190.53",
    "2001:500:1::53",
    "192.36.148.17",
    "2001:7fe::53",
    "192.58.128.30",
    "2001:503:c27::2:30",
    "193.0.14.129",
    "2001:7fd::1",
    "199.7.83.42",
    "2001:500:9f::42",
    "202.12.27.33",
    "2001:dc3::35",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_hints() {
        let text = "; root\n.  3600000  NS  A.ROOT-SERVERS.NET.\nA.ROOT-SERVERS.NET. 3600000 IN A 198.41.0.4 ; here\n\
                    A.ROOT-SERVERS.NET. AAAA 2001:503:ba3e::2:30\n";
        let addresses: Vec<String> = read(text).unwrap().iter().map(|hint| hint.address.to_string()).collect();
        assert_eq!(addresses, ["198.41.0.4", "2001:503:ba3e::2:30"]);
        assert_eq!(read("; nothing\n"), Err(HintError::Empty));
        for (text, line) in [("a. A\n", 1), ("\na. A 1.2.3\n", 2), ("a. MX 10\n", 1), ("a.\n", 1)] {
            assert!(matches!(read(text), Err(HintError::Line(at, _)) if at == line), "{text}");
        }
        assert_eq!(iana().len(), 26);
    }
}
