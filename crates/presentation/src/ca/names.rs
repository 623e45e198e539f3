//! The names in a certificate or a request.

use std::net::IpAddr;

use x509_parser::extensions::GeneralName;

/// A DNS name, or an IP address; none where it is of another kind.
pub(super) fn of_general(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(octets) => {
            let ip = <[u8; 4]>::try_from(*octets)
                .map(IpAddr::from)
                .or_else(|_| <[u8; 16]>::try_from(*octets).map(IpAddr::from));
            ip.ok().map(|ip| ip.to_string())
        }
        _ => None,
    }
}

/// Whether `name` is `allowed` or below it: `www.shop.test` and `*.shop.test` are below `shop.test`, in which RFC 5280
/// §4.2.1.10 lets "adding zero or more labels to the left-hand side". An IP address is below itself alone.
pub fn is_within(name: &str, allowed: &str) -> bool {
    let plain = |name: &str| name.trim_end_matches('.').to_ascii_lowercase();
    let (name, allowed) = (plain(name), plain(allowed));
    match (name.parse::<IpAddr>(), allowed.parse::<IpAddr>()) {
        (Ok(name), Ok(allowed)) => name == allowed,
        (Err(_), Err(_)) => name == allowed || name.strip_suffix(&allowed).is_some_and(|above| above.ends_with('.')),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_below_what() {
        for (name, allowed, within) in [
            ("shop.test", "shop.test", true),
            ("WWW.shop.test", "shop.test", true),
            ("*.shop.test", "shop.test.", true),
            ("workshop.test", "shop.test", false),
            ("shop.test", "www.shop.test", false),
            ("10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1", "0.0.1", false),
            ("fd00:0::1", "fd00::1", true),
        ] {
            assert_eq!(is_within(name, allowed), within, "{name} in {allowed}");
        }
    }
}
