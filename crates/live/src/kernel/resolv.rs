//! `/etc/resolv.conf` and `/etc/hosts`, as far as a stub resolver of ours goes by them.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// What the file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Resolv {
    pub(super) name_servers: Vec<SocketAddr>,
    pub(super) search: Vec<String>,
}

/// Reads the file; none where there is no such file.
pub(super) fn read() -> Resolv {
    std::fs::read_to_string("/etc/resolv.conf").map(|text| parse(&text)).unwrap_or_default()
}

/// The addresses in `/etc/hosts`, by the names in lower case; none where there is no such file.
pub(super) fn hosts() -> BTreeMap<String, Vec<IpAddr>> {
    std::fs::read_to_string("/etc/hosts").map(|text| parse_hosts(&text)).unwrap_or_default()
}

/// hosts(5): "IP_address canonical_hostname [aliases...]", and "Text from a "#" character until the end of the line is a
/// comment, and is ignored."
fn parse_hosts(text: &str) -> BTreeMap<String, Vec<IpAddr>> {
    let mut hosts: BTreeMap<String, Vec<IpAddr>> = BTreeMap::new();
    for line in text.lines() {
        let mut words = line.split('#').next().unwrap_or_default().split_ascii_whitespace();
        let Some(address) = words.next().and_then(|w| w.parse().ok()) else { continue };
        for name in words {
            hosts.entry(name.to_ascii_lowercase()).or_default().push(address);
        }
    }
    hosts
}

fn parse(text: &str) -> Resolv {
    let mut resolv = Resolv::default();
    for line in text.lines() {
        // resolv.conf(5): "Lines that contain a semicolon (;) or hash character (#) in the first column are treated
        // as comments."
        if line.starts_with([';', '#']) {
            continue;
        }
        let mut words = line.split_ascii_whitespace();
        match words.next() {
            // "Up to MAXNS (currently 3) name servers may be listed".
            Some("nameserver") if resolv.name_servers.len() < 3 => {
                if let Some(ip) = words.next().and_then(|w| w.parse::<IpAddr>().ok()) {
                    resolv.name_servers.push(SocketAddr::new(ip, 53));
                }
            }
            // "If more than one instance of these keywords is present, the last instance wins."
            Some("search" | "domain") => resolv.search = words.map(str::to_owned).collect(),
            _ => {}
        }
    }
    resolv
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_have_names_and_aliases() {
        let hosts =
            parse_hosts("127.0.0.1 localhost\n# no\n::1 localhost ip6 # yes\nbad name\n10.0.0.1\tWeb web.lab\n");
        let of = |name: &str| hosts.get(name).map(|a| a.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
        assert_eq!(of("localhost").as_deref(), Some("127.0.0.1 ::1"));
        assert_eq!((of("ip6").as_deref(), of("web").as_deref()), (Some("::1"), Some("10.0.0.1")));
        assert_eq!((of("web.lab").as_deref(), of("name"), of("no")), (Some("10.0.0.1"), None, None));
    }

    #[test]
    fn the_last_search_line_wins_and_three_servers_are_kept() {
        let r = parse(
            "# c\nnameserver 10.0.0.1\ndomain a.test\nnameserver bad\nnameserver ::1\nnameserver 10.0.0.3\n\
             nameserver 10.0.0.4\nsearch b.test c.test\noptions ndots:2\n",
        );
        assert_eq!(r.search, ["b.test", "c.test"]);
        assert_eq!(
            r.name_servers.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["10.0.0.1:53", "[::1]:53", "10.0.0.3:53"]
        );
    }
}
