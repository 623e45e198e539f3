//! What is wrong with a certificate, in the words of OpenSSL, which people know from curl.
//!
//! rustls says of every chain that ends at no known root that its issuer is unknown; a person wants to know why.

use core::cell::Cell;
use core::fmt;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, Error};

thread_local! {
    /// What the verifier found. It runs inside of the poll of the handshake that its verdict ends, which takes this.
    static FINDING: Cell<Option<String>> = const { Cell::new(None) };
}

/// Remembers what was found until [`take`].
pub(super) fn leave(finding: String) {
    FINDING.set(Some(finding));
}

/// What was found since the last call.
pub(super) fn take() -> Option<String> {
    FINDING.take()
}

/// A certificate is not believed.
#[derive(Debug)]
pub(super) struct Unbelieved {
    pub(super) error: Error,
    pub(super) finding: String,
}

impl fmt::Display for Unbelieved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.finding)
    }
}

impl std::error::Error for Unbelieved {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

/// Says why `error` was the verdict on a chain, that of the server `name` where it is a server's.
pub(super) fn describe(error: &Error, chain: &[&CertificateDer<'_>], name: Option<&ServerName<'_>>) -> String {
    let Error::InvalidCertificate(error) = error else { return error.to_string() };
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "certificate has expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "certificate is not yet valid".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            let name = name.map(ServerName::to_str).unwrap_or_default();
            format!("no alternative certificate subject name matches target host name '{name}'")
        }
        CertificateError::UnknownIssuer => {
            let own = |certificate: &&CertificateDer<'_>| names(certificate).is_some_and(|(i, s)| i == s);
            match chain {
                [leaf, ..] if own(leaf) => "self-signed certificate",
                [.., last] if own(last) => "self-signed certificate in certificate chain",
                _ => "unable to get local issuer certificate",
            }
            .to_owned()
        }
        CertificateError::Revoked => "certificate revoked".to_owned(),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "unsuitable certificate purpose".to_owned()
        }
        CertificateError::ExpiredRevocationList | CertificateError::ExpiredRevocationListContext { .. } => {
            "CRL has expired".to_owned()
        }
        other => other.to_string(),
    }
}

/// What Chromium and its kin write below the warning that takes the page's place.
pub(super) fn in_a_browser(error: &Error) -> Option<&'static str> {
    let Error::InvalidCertificate(error) = error else { return None };
    Some(match error {
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => "NET::ERR_CERT_DATE_INVALID",
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "NET::ERR_CERT_COMMON_NAME_INVALID"
        }
        CertificateError::UnknownIssuer => "NET::ERR_CERT_AUTHORITY_INVALID",
        CertificateError::Revoked => "NET::ERR_CERT_REVOKED",
        _ => "NET::ERR_CERT_INVALID",
    })
}

/// Issuer and subject of a certificate, as their DER (RFC 5280 §4.1).
fn names<'a>(certificate: &'a CertificateDer<'_>) -> Option<(&'a [u8], &'a [u8])> {
    let (_, certificate, _) = element(certificate.as_ref())?;
    let (_, mut rest, _) = element(certificate)?;
    // The version is explicitly tagged, and absent in version 1.
    if rest.first() == Some(&0xa0) {
        rest = element(rest)?.2;
    }
    let (_, _, rest) = element(rest)?;
    let (_, _, rest) = element(rest)?;
    let (_, issuer, rest) = element(rest)?;
    let (_, _, rest) = element(rest)?;
    let (_, subject, _) = element(rest)?;
    Some((issuer, subject))
}

/// The tag and content of the first element, and what follows it (X.690 §8.1).
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (bytes.iter().fold(0, |n, b| n << 8 | usize::from(*b)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_has_no_names() {
        for bytes in [&[][..], &[0x30], &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], &[0x30, 2, 0x30, 0x80], &[0x30; 64]] {
            assert_eq!(names(&CertificateDer::from(bytes.to_vec())), None);
        }
    }
}
