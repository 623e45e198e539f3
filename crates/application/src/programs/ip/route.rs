//! `ip route`: the routing table, which way a destination takes, and routes that are added and removed.

use core::fmt::Write;
use std::net::IpAddr;

use septet_core::Carrier;
use septet_network::ip::Path;
use septet_network::route::{MtuLock, RouteMtu};
use septet_network::{Iface, NextHop, Origin, Prefix, PrefixError, Route, Target};
use septet_socket::Admin;
use septet_socket::admin::{Address, Link};

use super::{Command, Family, Object, Refusal};

/// The object.
pub(super) struct Routes;

impl Object for Routes {
    fn names(&self) -> &'static [&'static str] {
        &["route"]
    }

    fn check(&self, command: &Command) -> Result<(), Refusal> {
        Action::parse(command).map(|_| ())
    }

    fn run(&self, admin: &Admin, command: &Command) -> Result<String, Refusal> {
        let refused = |why: std::io::Error| Refusal::answer(&why);
        let view = View { links: admin.links().map_err(refused)?, addresses: admin.addresses().map_err(refused)? };
        let newline = if command.one_line { "\\" } else { "\n" };
        match Action::parse(command)? {
            Action::Show(filter) => {
                let device = filter.device.as_deref().map(|name| view.iface(name)).transpose()?;
                let mut routes = admin.routes().map_err(refused)?;
                routes.retain(|route| filter.takes(route, device));
                Ok(view.table(routes, &filter, newline))
            }
            Action::Get(to) => {
                let path = admin.path_to(to).map_err(refused)?;
                Ok(view.path(to, &path, &admin.routes().map_err(refused)?, newline))
            }
            Action::Add(written, how) => {
                let route = view.route(&written)?;
                if how == How::Replace {
                    let same = |old: &Route| {
                        (old.prefix, old.metric, old.distance) == (route.prefix, route.metric, route.distance)
                    };
                    for old in admin.routes().map_err(refused)?.into_iter().filter(same) {
                        admin.remove_route(old).map_err(refused)?;
                    }
                }
                admin.add_route(route).map_err(refused)?;
                Ok(String::new())
            }
            Action::Remove(written) => {
                let target = if written.says_where() { Some(view.route(&written)?.target) } else { None };
                let matches = |route: &&Route| {
                    route.prefix == written.prefix
                        && target.as_ref().is_none_or(|target| *target == route.target)
                        && written.metric.is_none_or(|metric| metric == route.metric)
                };
                let routes = admin.routes().map_err(refused)?;
                // As the kernel, which takes the first that fits.
                let Some(route) = routes.iter().filter(|route| route.origin != Origin::Oracle).find(matches) else {
                    return Err(Refusal {
                        text: "RTNETLINK answers: No such process".to_owned(),
                        status: 2,
                        word: None,
                    });
                };
                admin.remove_route(route.clone()).map_err(refused)?;
                Ok(String::new())
            }
        }
    }
}

/// What is to be done.
enum Action {
    Show(Filter),
    Get(IpAddr),
    Add(Written, How),
    Remove(Written),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Add,
    Replace,
}

/// Which routes are shown.
struct Filter {
    family: Family,
    table: Table,
    root: Option<Prefix>,
    exact: Option<Prefix>,
    via: Option<IpAddr>,
    device: Option<String>,
    protocol: Option<String>,
}

/// The tables of Linux: what is for the host itself is in one of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Table {
    Main,
    Local,
    All,
}

/// A route as the command line says it.
struct Written {
    kind: Option<&'static str>,
    prefix: Prefix,
    hops: Vec<IpAddr>,
    device: Option<String>,
    metric: Option<u32>,
    mtu: Option<RouteMtu>,
}

impl Written {
    fn says_where(&self) -> bool {
        self.kind.is_some_and(|kind| kind != "unicast") || !self.hops.is_empty() || self.device.is_some()
    }
}

const KINDS: [&str; 4] = ["unicast", "unreachable", "blackhole", "prohibit"];

impl Action {
    fn parse(command: &Command) -> Result<Self, Refusal> {
        let words = &command.words;
        // An action may be cut short, as in `ip route sh`.
        let is = |full: &str| words.first().is_some_and(|word| full.starts_with(word.as_str()));
        let mut rest = Rest { words, at: 1, family: command.family };
        match words.first() {
            None => Filter::parse(rest).map(Self::Show),
            Some(_) if is("show") || is("list") || is("lst") => Filter::parse(rest).map(Self::Show),
            Some(_) if is("get") => {
                if rest.peek() == Some("to") {
                    rest.next();
                }
                let to = rest.word("a destination address")?;
                let to = rest.address(&to)?;
                rest.end()?;
                Ok(Self::Get(to))
            }
            Some(_) if is("add") || is("append") => Written::parse(rest).map(|route| Self::Add(route, How::Add)),
            Some(_) if is("replace") || is("change") => {
                Written::parse(rest).map(|route| Self::Add(route, How::Replace))
            }
            Some(_) if is("delete") => Written::parse(rest).map(Self::Remove),
            Some(word) => Err(Refusal::wrong(format!("Command \"{word}\" is unknown, try \"ip route help\"."), 0)),
        }
    }
}

/// The words that are left to be read.
struct Rest<'a> {
    words: &'a [String],
    at: usize,
    family: Option<Family>,
}

impl Rest<'_> {
    fn peek(&self) -> Option<&str> {
        self.words.get(self.at).map(String::as_str)
    }

    fn next(&mut self) -> Option<String> {
        let word = self.words.get(self.at).cloned();
        self.at += 1;
        word
    }

    fn word(&mut self, what: &str) -> Result<String, Refusal> {
        let at = self.at;
        self.next().ok_or_else(|| Refusal::wrong(format!("Command line is not complete: {what} is missing"), at))
    }

    fn end(&self) -> Result<(), Refusal> {
        match self.peek() {
            Some(word) => Err(self.unknown(word)),
            None => Ok(()),
        }
    }

    fn unknown(&self, word: &str) -> Refusal {
        Refusal::wrong(format!("Error: either \"to\" is duplicate, or \"{word}\" is a garbage."), self.at)
    }

    /// `1400`, or `lock 1400`; 0 says nothing.
    fn mtu(&mut self) -> Result<Option<RouteMtu>, Refusal> {
        let lock = if self.peek() == Some("lock") { MtuLock::Locked } else { MtuLock::Open };
        if lock == MtuLock::Locked {
            self.next();
        }
        let word = self.word("an MTU")?;
        let wrong =
            |_| Refusal::wrong(format!("Error: argument \"{word}\" is wrong: \"mtu\" value is invalid"), self.at - 1);
        // The kernel's `ip_metrics_convert` takes no more.
        let bytes = word.parse::<u32>().map_err(wrong)?.min(65_520);
        Ok((bytes != 0).then_some(RouteMtu { bytes, lock }))
    }

    /// The address that the word before says.
    fn address(&self, word: &str) -> Result<IpAddr, Refusal> {
        let family = match self.family {
            Some(Family::V4) => "inet",
            Some(Family::V6) => "inet6",
            None => "any valid",
        };
        let wrong =
            || Refusal::wrong(format!("Error: {family} address is expected rather than \"{word}\"."), self.at - 1);
        word.parse().ok().filter(|addr| self.family.is_none_or(|family| family.of(*addr))).ok_or_else(wrong)
    }

    /// The prefix that the word before says; `default` is that of the family.
    fn prefix(&self, word: &str) -> Result<Prefix, Refusal> {
        if matches!(word, "default" | "all" | "any") {
            return Ok(if self.family == Some(Family::V6) { Prefix::DEFAULT_V6 } else { Prefix::DEFAULT_V4 });
        }
        let what = if self.family == Some(Family::V6) { "inet6" } else { "inet" };
        let wrong = |_: PrefixError| {
            Refusal::wrong(format!("Error: {what} prefix is expected rather than \"{word}\"."), self.at - 1)
        };
        let written: septet_network::Cidr = word.parse().map_err(wrong)?;
        if written.prefix().addr() != written.addr() {
            return Err(Refusal::wrong("Error: Invalid prefix for given prefix length.", self.at - 1));
        }
        if self.family.is_some_and(|family| !family.of(written.addr())) {
            return Err(wrong(PrefixError::Address));
        }
        Ok(written.prefix())
    }
}

impl Family {
    const fn of(self, addr: IpAddr) -> bool {
        matches!((self, addr), (Self::V4, IpAddr::V4(_)) | (Self::V6, IpAddr::V6(_)))
    }
}

impl Filter {
    fn parse(mut rest: Rest<'_>) -> Result<Self, Refusal> {
        let family = rest.family.unwrap_or(Family::V4);
        let mut filter =
            Self { family, table: Table::Main, root: None, exact: None, via: None, device: None, protocol: None };
        while let Some(word) = rest.next() {
            match word.as_str() {
                "table" => {
                    let at = rest.at;
                    filter.table = match rest.word("a table")?.as_str() {
                        "main" | "254" => Table::Main,
                        "local" | "255" => Table::Local,
                        "all" | "0" | "unspec" => Table::All,
                        other => {
                            return Err(Refusal::wrong(
                                format!("Error: argument \"{other}\" is wrong: table id value is invalid"),
                                at,
                            ));
                        }
                    }
                }
                "via" => {
                    let word = rest.word("a gateway")?;
                    filter.via = Some(rest.address(&word)?);
                }
                "dev" | "oif" => filter.device = Some(rest.word("an interface")?),
                "proto" | "protocol" => filter.protocol = Some(rest.word("a protocol")?),
                "root" => {
                    let word = rest.word("a prefix")?;
                    filter.root = Some(rest.prefix(&word)?);
                }
                "exact" | "to" => {
                    let word = rest.word("a prefix")?;
                    filter.exact = Some(rest.prefix(&word)?);
                }
                word => filter.exact = Some(rest.prefix(word)?),
            }
        }
        // The family is that of the prefix, where none is asked for.
        let of = [filter.root, filter.exact].into_iter().flatten().map(Prefix::addr).chain(filter.via).next();
        if rest.family.is_none() && of.is_some_and(|addr| addr.is_ipv6()) {
            filter.family = Family::V6;
        }
        Ok(filter)
    }

    fn takes(&self, route: &Route, device: Option<Iface>) -> bool {
        let local = matches!(route.target, Target::Local | Target::Broadcast(_));
        let of_table = match self.table {
            Table::Main => !local,
            Table::Local => local,
            Table::All => true,
        };
        let by = |iface: Iface| device.is_none_or(|device| device == iface);
        let via = |gateway: IpAddr| self.via.is_none_or(|via| via == gateway);
        let on_way = match &route.target {
            Target::Via(iface, gateway) => by(*iface) && via(*gateway),
            Target::Link(iface) | Target::Broadcast(iface) => by(*iface) && self.via.is_none(),
            Target::Spread(hops) => hops.iter().any(|hop| by(hop.iface) && via(hop.gateway)),
            Target::Local | Target::Unreachable | Target::Blackhole | Target::Prohibit => {
                device.is_none() && self.via.is_none()
            }
        };
        let inside =
            |root: Prefix| root.prefix_len() <= route.prefix.prefix_len() && root.contains(route.prefix.addr());
        of_table
            && on_way
            && self.family.of(route.prefix.addr())
            && self.root.is_none_or(inside)
            && self.exact.is_none_or(|exact| exact == route.prefix)
            && self.protocol.as_deref().is_none_or(|name| name == protocol(route.origin))
    }
}

impl Written {
    fn parse(mut rest: Rest<'_>) -> Result<Self, Refusal> {
        let kind = rest.peek().and_then(|word| KINDS.into_iter().find(|kind| *kind == word));
        if kind.is_some() || rest.peek() == Some("to") {
            rest.next();
        }
        let word = rest.word("a destination")?;
        let at = rest.at;
        let mut route =
            Self { kind, prefix: rest.prefix(&word)?, hops: Vec::new(), device: None, metric: None, mtu: None };
        while let Some(word) = rest.next() {
            match word.as_str() {
                // The hops of a list are each by the interface on whose link they are.
                "nexthop" => {}
                "via" => {
                    let word = rest.word("a gateway")?;
                    route.hops.push(rest.address(&word)?);
                }
                "dev" | "oif" => route.device = Some(rest.word("an interface")?),
                "metric" | "priority" | "preference" => {
                    let word = rest.word("a metric")?;
                    let wrong = |_| {
                        Refusal::wrong(
                            format!("Error: argument \"{word}\" is wrong: \"metric\" value is invalid"),
                            rest.at - 1,
                        )
                    };
                    route.metric = Some(word.parse().map_err(wrong)?);
                }
                "mtu" => route.mtu = rest.mtu()?,
                "proto" | "protocol" | "weight" | "scope" | "src" => {
                    return Err(Refusal::wrong(format!("`{word}` is not known to this program"), rest.at - 1));
                }
                word => {
                    rest.at -= 1;
                    return Err(rest.unknown(word));
                }
            }
        }
        if let Some(gateway) = route.hops.first() {
            if word == "default" && rest.family.is_none() && gateway.is_ipv6() {
                route.prefix = Prefix::DEFAULT_V6;
            }
            if route.hops.iter().any(|hop| hop.is_ipv4() != route.prefix.addr().is_ipv4()) {
                return Err(Refusal::wrong("Error: the gateway is of the other version of IP.", at));
            }
        }
        Ok(route)
    }
}

/// What a host's routes are shown and read by.
struct View {
    links: Vec<Link>,
    addresses: Vec<Address>,
}

impl View {
    fn iface(&self, name: &str) -> Result<Iface, Refusal> {
        let found = self.links.iter().find(|link| link.name == name).map(|link| link.iface);
        found.ok_or_else(|| Refusal { text: format!("Cannot find device \"{name}\""), status: 1, word: None })
    }

    fn name(&self, iface: Iface) -> &str {
        self.links.iter().find(|link| link.iface == iface).map_or("?", |link| &link.name)
    }

    fn is_down(&self, iface: Iface) -> bool {
        self.links.iter().any(|link| link.iface == iface && link.carrier == Carrier::Down)
    }

    /// The route that the words mean.
    fn route(&self, written: &Written) -> Result<Route, Refusal> {
        let device = written.device.as_deref().map(|name| self.iface(name)).transpose()?;
        let hop = |&gateway: &IpAddr| {
            let on_link = |a: &&Address| a.address.prefix().contains(gateway);
            let iface = device.or_else(|| self.addresses.iter().find(on_link).map(|a| a.iface));
            let invalid = Refusal { text: "Error: Nexthop has invalid gateway.".to_owned(), status: 2, word: None };
            iface.map(|iface| NextHop { iface, gateway }).ok_or(invalid)
        };
        let hops = written.hops.iter().map(hop).collect::<Result<Vec<_>, _>>()?;
        let target = match (written.kind, Target::through(hops), device) {
            (Some("unreachable"), ..) => Target::Unreachable,
            (Some("blackhole"), ..) => Target::Blackhole,
            (Some("prohibit"), ..) => Target::Prohibit,
            (_, Some(target), _) => target,
            (_, None, Some(iface)) => Target::Link(iface),
            (_, None, None) => {
                return Err(Refusal { text: "RTNETLINK answers: No such device".to_owned(), status: 2, word: None });
            }
        };
        let route = Route::new(written.prefix, target, Origin::Static);
        Ok(route.metric(written.metric.unwrap_or(0)).mtu(written.mtu))
    }

    /// The routes, one a line; what follows a line's beginning is on lines of its own, or behind `newline`.
    fn table(&self, mut routes: Vec<Route>, filter: &Filter, newline: &str) -> String {
        // Linux lists the default route of IPv4 first and that of IPv6 last.
        routes
            .sort_by_key(|r| (r.prefix.prefix_len() == 0 && r.prefix.addr().is_ipv6(), r.prefix, r.distance, r.metric));
        let mut text = String::new();
        for route in &routes {
            self.line(&mut text, route, filter, newline);
            text.push('\n');
        }
        text
    }

    fn line(&self, text: &mut String, route: &Route, filter: &Filter, newline: &str) {
        let v6 = route.prefix.addr().is_ipv6();
        let mut word = |word: String| {
            text.push_str(&word);
            text.push(' ');
        };
        match route.target {
            Target::Local => word("local".to_owned()),
            Target::Broadcast(_) => word("broadcast".to_owned()),
            Target::Unreachable => word("unreachable".to_owned()),
            Target::Blackhole => word("blackhole".to_owned()),
            Target::Prohibit => word("prohibit".to_owned()),
            Target::Link(_) | Target::Via(..) | Target::Spread(_) => {}
        }
        word(written(route.prefix));
        let mut down = false;
        let mut device = |word: &mut dyn FnMut(String), iface: Iface| {
            down = self.is_down(iface);
            if filter.device.is_none() {
                word(format!("dev {}", self.name(iface)));
            }
        };
        let own = || self.addresses.iter().find(|a| a.address.addr() == route.prefix.addr());
        match &route.target {
            Target::Via(iface, gateway) => {
                if filter.via.is_none() {
                    word(format!("via {gateway}"));
                }
                device(&mut word, *iface);
            }
            Target::Link(iface) | Target::Broadcast(iface) => device(&mut word, *iface),
            Target::Local => own().into_iter().for_each(|a| device(&mut word, a.iface)),
            Target::Unreachable | Target::Blackhole | Target::Prohibit if v6 => word("dev lo".to_owned()),
            Target::Spread(_) | Target::Unreachable | Target::Blackhole | Target::Prohibit => {}
        }
        if filter.table == Table::All && matches!(route.target, Target::Local | Target::Broadcast(_)) {
            word("table local".to_owned());
        }
        if filter.protocol.is_none() {
            word(format!("proto {}", protocol(route.origin)));
        }
        match route.target {
            Target::Local if !v6 => word("scope host".to_owned()),
            Target::Link(_) | Target::Broadcast(_) if !v6 => word("scope link".to_owned()),
            _ => {}
        }
        if !v6
            && route.origin == Origin::Kernel
            && let Some(source) = self.source(route)
        {
            word(format!("src {source}"));
        }
        let metric = metric(route);
        if metric != 0 || v6 {
            word(format!("metric {metric}"));
        }
        if down {
            word("linkdown".to_owned());
        }
        if let Some(mtu) = route.mtu {
            word(mtu_words(mtu));
        }
        if v6 {
            text.push_str("pref medium");
        }
        if let Target::Spread(hops) = &route.target {
            for NextHop { iface, gateway } in hops.iter() {
                let down = if self.is_down(*iface) { "linkdown " } else { "" };
                // Writing into a string cannot fail.
                let _ = write!(text, "{newline}\tnexthop via {gateway} dev {} weight 1 {down}", self.name(*iface));
            }
        }
    }

    /// The address with which packets leave by a route that the host made itself.
    fn source(&self, route: &Route) -> Option<IpAddr> {
        let on = |iface: Iface| self.addresses.iter().filter(move |a| a.iface == iface).map(|a| a.address);
        match &route.target {
            Target::Local => Some(route.prefix.addr()),
            Target::Link(iface) => on(*iface).find(|a| a.prefix() == route.prefix).map(|a| a.addr()),
            Target::Broadcast(iface) => on(*iface).find(|a| a.prefix().contains(route.prefix.addr())).map(|a| a.addr()),
            _ => None,
        }
    }

    /// `ip route get`.
    fn path(&self, to: IpAddr, path: &Path, routes: &[Route], newline: &str) -> String {
        let Path { iface, gateway, source, kind, redirected, mtu } = path;
        let device = iface.map_or("lo", |iface| self.name(iface));
        let via = gateway.map_or_else(String::new, |gateway| format!("via {gateway} "));
        let told = mtu.and_then(|(_, lasts)| lasts);
        let expires = redirected.or(told).map_or_else(String::new, |lasts| format!("expires {}sec ", lasts.as_secs()));
        let mtu = mtu.map_or_else(String::new, |(mtu, _)| format!("{} ", mtu_words(mtu)));
        if to.is_ipv6() {
            let leads =
                |route: &&Route| route.prefix.contains(to) && matches!(route.target, Target::Local) == iface.is_none();
            let best = routes
                .iter()
                .filter(leads)
                .min_by_key(|r| (core::cmp::Reverse(r.prefix.prefix_len()), r.distance, r.metric));
            let proto = best.map_or("kernel", |route| protocol(route.origin));
            return match iface {
                None => {
                    format!("local {to} from :: dev lo table local proto kernel src {source} metric 0 pref medium\n")
                }
                Some(_) => {
                    let metric = best.map_or(0, metric);
                    format!(
                        "{to} from :: {via}dev {device} proto {proto} src {source} metric {metric} {expires}{mtu}pref medium\n"
                    )
                }
            };
        }
        let (kind, cache) = match kind {
            septet_network::ip::PathKind::Local => ("local ", "<local> "),
            septet_network::ip::PathKind::Broadcast => ("broadcast ", "<local,brd> "),
            septet_network::ip::PathKind::Multicast => ("multicast ", "<mc> "),
            septet_network::ip::PathKind::Unicast => ("", ""),
        };
        let redirected = if redirected.is_some() { "<redirected> " } else { "" };
        format!(
            "{kind}{to} {via}dev {device} src {source} uid 0 {newline}    cache {cache}{redirected}{expires}{mtu}\n"
        )
    }
}

/// An MTU as iproute2 writes it among a route's metrics.
fn mtu_words(RouteMtu { bytes, lock }: RouteMtu) -> String {
    let lock = if lock == MtuLock::Locked { "lock " } else { "" };
    format!("mtu {lock}{bytes}")
}

/// A prefix as iproute2 writes it: `default`, and an address alone where there is but one.
fn written(prefix: Prefix) -> String {
    match prefix.prefix_len() {
        0 => "default".to_owned(),
        len if Prefix::host(prefix.addr()).prefix_len() == len => prefix.addr().to_string(),
        _ => prefix.to_string(),
    }
}

/// The kernel's metrics of IPv6: 256 for what it knows itself, 1024 for routes of which nothing else is said.
fn metric(route: &Route) -> u32 {
    match (route.prefix.addr().is_ipv6(), route.target.clone(), route.metric) {
        (true, Target::Local, 0) => 0,
        (true, _, 0) if route.origin == Origin::Kernel => 256,
        (true, _, 0) => 1024,
        (_, _, metric) => metric,
    }
}

/// The names of `/etc/iproute2/rt_protos`; what was computed is, for the host, what a person gave it.
const fn protocol(origin: Origin) -> &'static str {
    match origin {
        Origin::Kernel => "kernel",
        Origin::Redirect => "redirect",
        Origin::Static | Origin::Oracle => "static",
        Origin::Ra => "ra",
        Origin::Bgp => "bgp",
        Origin::Ospf => "ospf",
        Origin::Rip => "rip",
        Origin::Dhcp => "dhcp",
    }
}
