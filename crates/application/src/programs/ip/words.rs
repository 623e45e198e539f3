//! What the objects of `ip` read alike: interfaces by name, addresses, and the words behind a command.

use std::net::IpAddr;

use septet_core::Carrier;
use septet_network::ip::AdminState;
use septet_socket::Admin;
use septet_socket::admin::Link;

use super::{Command, Family, Refusal};

/// The words of a command behind its first, read one after the other.
pub(super) struct Words<'a> {
    words: &'a [String],
    at: usize,
}

impl<'a> Words<'a> {
    /// Behind the `skip` first words of `command`.
    pub(super) fn behind(command: &'a Command, skip: usize) -> Self {
        Self { words: &command.words, at: skip }
    }

    pub(super) fn next(&mut self) -> Option<&'a str> {
        let word = self.words.get(self.at)?;
        self.at += 1;
        Some(word)
    }

    /// The next word, which must be there.
    pub(super) fn expect(&mut self) -> Result<&'a str, Refusal> {
        let at = self.at;
        self.next().ok_or_else(|| Refusal::wrong("Command line is not complete. Try option \"help\"", at))
    }

    /// What is wrong with the word that was read last.
    pub(super) fn wrong(&self, text: String) -> Refusal {
        Refusal::wrong(text, self.at.saturating_sub(1))
    }

    /// The next word, as a number or whatever else parses.
    pub(super) fn parse<T: core::str::FromStr>(&mut self, what: &str) -> Result<T, Refusal> {
        let word = self.expect()?;
        word.parse().map_err(|_| self.wrong(format!("Error: argument \"{word}\" is wrong: invalid {what}")))
    }
}

/// The interface called `name`.
pub(super) fn device(links: &[Link], name: &str) -> Result<Link, Refusal> {
    let found = links.iter().find(|link| link.name == name).cloned();
    found.ok_or_else(|| Refusal { text: format!("Cannot find device \"{name}\""), status: 1, word: None })
}

/// All interfaces.
pub(super) fn links(admin: &Admin) -> Result<Vec<Link>, Refusal> {
    admin.links().map_err(|why| Refusal::answer(&why))
}

/// The name of an interface.
pub(super) fn name_of(links: &[Link], iface: u16) -> &str {
    links.iter().find(|link| link.iface == iface).map_or("?", |link| &link.name)
}

/// Whether an address is of the family that is asked for.
pub(super) fn is_of(family: Option<Family>, address: IpAddr) -> bool {
    match family {
        None => true,
        Some(Family::V4) => address.is_ipv4(),
        Some(Family::V6) => address.is_ipv6(),
    }
}

/// The first lines of an interface in `ip link` and `ip address`; Linux's first number is the loopback's.
pub(super) fn head(link: &Link, mode: &str, newline: &str) -> String {
    let (flags, state) = match (link.state, link.carrier) {
        (AdminState::Down, _) => ("BROADCAST,MULTICAST", "DOWN"),
        (AdminState::Up, Carrier::Down) => ("NO-CARRIER,BROADCAST,MULTICAST,UP", "DOWN"),
        (AdminState::Up, Carrier::Up) => ("BROADCAST,MULTICAST,UP,LOWER_UP", "UP"),
    };
    // A VLAN's interface names the one below it.
    let over = link.name.split_once('.').map(|(over, _)| format!("@{over}")).unwrap_or_default();
    let queue = if over.is_empty() { "pfifo_fast" } else { "noqueue" };
    format!(
        "{}: {}{over}: <{flags}> mtu {} qdisc {queue} state {state} {mode}group default qlen 1000{newline}    link/ether {} brd \
         ff:ff:ff:ff:ff:ff",
        link.iface + 2,
        link.name,
        link.mtu,
        link.mac
    )
}

/// The loopback's first lines.
pub(super) fn loopback(mode: &str, newline: &str) -> String {
    format!(
        "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN {mode}group default qlen \
         1000{newline}    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00"
    )
}
