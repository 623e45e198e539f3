//! The certificates of a server, and which of them it shows to whom.

use core::fmt;
use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::ca::{ServerIdentity, names_of};

/// A server's certificates, at least one.
#[derive(Clone)]
pub(super) struct Identities(Arc<[(Vec<String>, ServerIdentity)]>);

impl Identities {
    pub(super) fn new(identities: &[ServerIdentity]) -> Option<Self> {
        let named =
            |identity: &ServerIdentity| (identity.chain().first().map(names_of).unwrap_or_default(), identity.clone());
        (!identities.is_empty()).then(|| Self(identities.iter().map(named).collect()))
    }

    /// The one for who asks for this name; the first where none is.
    pub(super) fn choose(&self, name: Option<&str>) -> &ServerIdentity {
        let fits = |names: &[String]| name.is_some_and(|name| names.iter().any(|pattern| is_for(pattern, name)));
        let chosen = self.0.iter().find(|(names, _)| fits(names)).or(self.0.first());
        &chosen.unwrap_or_else(|| unreachable!("there is at least one")).1
    }
}

/// RFC 6125 §6.4.3: a wildcard stands for one label, the left-most.
fn is_for(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_ascii_lowercase(), name.to_ascii_lowercase());
    match pattern.strip_prefix("*.") {
        Some(domain) => name.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest == domain),
        None => pattern == name,
    }
}

impl ResolvesServerCert for Identities {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.choose(hello.server_name()).certified_key())
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identities").field(&self.0.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_is_one_label() {
        for (pattern, name, fits) in [
            ("www.shop.test", "WWW.shop.test", true),
            ("*.shop.test", "api.shop.test", true),
            ("*.shop.test", "shop.test", false),
            ("*.shop.test", "a.api.shop.test", false),
            ("shop.test", "workshop.test", false),
        ] {
            assert_eq!(is_for(pattern, name), fits, "{pattern} for {name}");
        }
    }
}
