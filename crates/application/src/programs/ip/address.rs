//! `ip address`: the addresses of interfaces, with their lifetimes.

use core::time::Duration;
use std::net::IpAddr;

use septet_core::Instant;
use septet_network::ip::{Lifetime, NewAddress};
use septet_network::{Cidr, Iface};
use septet_socket::Admin;
use septet_socket::admin::{Address, Tentative};

use super::words::{Words, device, head, is_of, links, loopback};
use super::{Command, Object, Refusal};

/// The object.
pub(super) struct Addresses;

/// What is to be done.
enum Action {
    /// Show all, or those of the interface of this name.
    Show(Option<String>),
    Add(Written),
    Remove(Written),
}

/// An address as the command line says it.
struct Written {
    address: Cidr,
    device: String,
    valid: Option<Duration>,
    preferred: Option<Duration>,
}

impl Object for Addresses {
    fn names(&self) -> &'static [&'static str] {
        &["address"]
    }

    fn check(&self, command: &Command) -> Result<(), Refusal> {
        parse(command).map(|_| ())
    }

    fn run(&self, admin: &Admin, command: &Command) -> Result<String, Refusal> {
        let all = links(admin)?;
        let error = |text: &str| Refusal { text: format!("Error: ipv4: {text}."), status: 2, word: None };
        match parse(command)? {
            Action::Show(name) => show(admin, command, name.as_deref()),
            Action::Add(Written { address, device: name, valid, preferred }) => {
                let iface = device(&all, &name)?.iface;
                let at = |left: Option<Duration>| left.map_or(Instant::FAR_FUTURE, |left| admin.now() + left);
                let lifetime = Lifetime { preferred: at(preferred.or(valid)), valid: at(valid) };
                let new = NewAddress { lifetime, ..NewAddress::new(address) };
                admin.add_address(iface, new).map_err(|why| match why.kind() {
                    std::io::ErrorKind::AlreadyExists => error("Address already assigned"),
                    _ => Refusal::answer(&why),
                })?;
                Ok(String::new())
            }
            Action::Remove(Written { address, device: name, .. }) => {
                let iface = device(&all, &name)?.iface;
                admin.remove_address(iface, address.addr()).map_err(|why| match why.kind() {
                    std::io::ErrorKind::AddrNotAvailable => error("Address not found"),
                    _ => Refusal::answer(&why),
                })?;
                Ok(String::new())
            }
        }
    }
}

fn show(admin: &Admin, command: &Command, name: Option<&str>) -> Result<String, Refusal> {
    let all = links(admin)?;
    let addresses = admin.addresses().map_err(|why| Refusal::answer(&why))?;
    let chosen: Vec<_> = match name {
        None => all,
        Some("lo") => Vec::new(),
        Some(name) => vec![device(&all, name)?],
    };
    let mut text = String::new();
    if name.is_none_or(|name| name == "lo") {
        let own = [("inet", "127.0.0.1/8", "host lo"), ("inet6", "::1/128", "host ")];
        let lines =
            own.iter().filter(|(family, ..)| is_of(command.family, if *family == "inet" { LOCAL } else { LOCAL6 }));
        let lines = lines.map(|(family, address, scope)| line(family, address, scope, "forever", "forever", command));
        text += &block("1: lo", &loopback("", "\n"), lines.collect(), command);
        text += &counted(command, None);
    }
    for link in &chosen {
        let of = addresses.iter().filter(|a| a.iface == link.iface && is_of(command.family, a.address.addr()));
        let lines = of.map(|address| shown(admin, address, &link.name, command)).collect();
        text += &block(&format!("{}: {}", link.iface + 2, link.name), &head(link, "", "\n"), lines, command);
        text += &counted(command, Some(link.iface));
    }
    Ok(text)
}

/// What `-s` adds to an interface. The lines begin with the end of the one before; with `-o` addresses have none.
fn counted(command: &Command, iface: Option<Iface>) -> String {
    let counted = command.statistics_of(iface, "\n");
    counted.strip_prefix('\n').filter(|_| !command.one_line).map_or_else(String::new, |lines| format!("{lines}\n"))
}

const LOCAL: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
const LOCAL6: IpAddr = IpAddr::V6(std::net::Ipv6Addr::LOCALHOST);

/// An interface with its addresses: its head first, or with `-o` before each address its name.
fn block(short: &str, head: &str, lines: Vec<String>, command: &Command) -> String {
    if command.one_line {
        return lines.iter().map(|line| format!("{short}{line}\n")).collect();
    }
    lines.iter().fold(format!("{head}\n"), |text, line| text + line + "\n")
}

fn shown(admin: &Admin, address: &Address, name: &str, command: &Command) -> String {
    let Address { address: cidr, lifetime, tentative, .. } = address;
    let family = if cidr.addr().is_ipv4() { "inet" } else { "inet6" };
    let is_link_local = matches!(cidr.addr(), IpAddr::V6(v6) if v6.is_unicast_link_local());
    let brd = cidr.prefix().broadcast().map(|all| format!(" brd {all}")).unwrap_or_default();
    let mut flags = String::new();
    if *lifetime != Lifetime::FOREVER {
        flags += "dynamic ";
    }
    if *tentative == Tentative::Yes {
        flags += "tentative ";
    }
    let label = if cidr.addr().is_ipv4() { name } else { "" };
    let scope = format!("{} {flags}{label}", if is_link_local { "link" } else { "global" });
    let left = |at: Instant| match at {
        Instant::FAR_FUTURE => "forever".to_owned(),
        at => format!("{}sec", at.saturating_since(admin.now()).as_secs()),
    };
    line(family, &format!("{cidr}{brd}"), &scope, &left(lifetime.valid), &left(lifetime.preferred), command)
}

fn line(family: &str, address: &str, scope: &str, valid: &str, preferred: &str, command: &Command) -> String {
    let newline = if command.one_line { "\\" } else { "\n" };
    format!("    {family} {address} scope {scope}{newline}       valid_lft {valid} preferred_lft {preferred}")
}

fn parse(command: &Command) -> Result<Action, Refusal> {
    let verb = command.words.first().map_or("show", String::as_str);
    let is = |full: &str| full.starts_with(verb) && !verb.is_empty();
    let mut words = Words::behind(command, 1);
    if is("show") || is("list") || is("lst") {
        let mut name = None;
        while let Some(word) = words.next() {
            name = Some(if word == "dev" { words.expect()? } else { word }.to_owned());
        }
        return Ok(Action::Show(name));
    }
    if !(is("add") || is("delete") || is("change") || is("replace")) {
        return Err(Refusal::wrong(format!("Command \"{verb}\" is unknown, try \"ip address help\"."), 0));
    }
    let (mut address, mut name, mut valid, mut preferred) = (None, None, None, None);
    while let Some(word) = words.next() {
        match word {
            "dev" => name = Some(words.expect()?.to_owned()),
            "valid_lft" => valid = seconds(&mut words)?,
            "preferred_lft" => preferred = seconds(&mut words)?,
            // Told by the address itself.
            "brd" | "broadcast" | "label" | "scope" => {
                words.expect()?;
            }
            other => {
                let cidr = other.parse::<Cidr>().map_err(|_| {
                    words.wrong(format!("Error: any valid prefix is expected rather than \"{other}\"."))
                })?;
                address = Some(cidr);
            }
        }
    }
    let missing = |what: &str| Refusal::wrong(format!("Not enough information: \"{what}\" argument is required."), 1);
    let device = name.ok_or_else(|| missing("dev"))?;
    let written = Written { address: address.ok_or_else(|| missing("local"))?, device, valid, preferred };
    Ok(if is("delete") { Action::Remove(written) } else { Action::Add(written) })
}

/// A number of seconds, or `forever`.
fn seconds(words: &mut Words<'_>) -> Result<Option<Duration>, Refusal> {
    let word = words.expect()?;
    if word == "forever" {
        return Ok(None);
    }
    let number = word.trim_end_matches("sec").parse::<u32>();
    let number =
        number.map_err(|_| words.wrong(format!("Error: argument \"{word}\" is wrong: lifetime value is invalid")))?;
    Ok(Some(Duration::from_secs(number.into())))
}
