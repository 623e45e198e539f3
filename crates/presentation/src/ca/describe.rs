//! What a PEM file holds, in words: certificates, requests, lists of what is revoked.

use core::fmt::Write as _;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{PemObject as _, SectionKind};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::PublicKey;
use x509_parser::revocation_list::CertificateRevocationList;
use x509_parser::time::ASN1Time;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::issuer::{hex, seconds};
use super::request::Request;
use super::{CaError, fingerprint, names};

/// The words for each item of a PEM file, with whatever else stands in it left out. A private key is named, not shown.
///
/// # Errors
/// [`CaError::Pem`] where there is none, or one cannot be read; [`CaError::Request`] where it is a request that cannot.
pub fn describe(text: &[u8]) -> Result<String, CaError> {
    let mut out = String::new();
    let mut parts = <(SectionKind, Vec<u8>)>::pem_slice_iter(text);
    for item in &mut parts {
        let (kind, der) = item.map_err(|e| CaError::Pem(e.to_string()))?;
        if !out.is_empty() {
            out.push('\n');
        }
        match kind {
            SectionKind::Certificate => out.push_str(&certificate(&CertificateDer::from(der))?),
            SectionKind::Crl => out.push_str(&list(&der)?),
            SectionKind::Csr => {
                let request = Request::from_der(&der.into())?;
                let _ = writeln!(out, "Request for a certificate");
                line(&mut out, "names", &request.names().join(", "));
                line(&mut out, "signature", "holds: whoever made it has the private key");
            }
            SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey => {
                out.push_str("Private key, which is not shown\n");
            }
            _ => out.push_str("Something else\n"),
        }
    }
    if out.is_empty() {
        return Err(CaError::Pem("there is no certificate, request or list in it".to_owned()));
    }
    Ok(out)
}

/// The serial number, in hexadecimal digits, of the first certificate of a PEM file.
///
/// # Errors
/// [`CaError::Pem`] where there is none that can be read.
pub fn serial_of(text: &[u8]) -> Result<String, CaError> {
    let certificate =
        CertificateDer::from_pem_slice(text).map_err(|e| CaError::Pem(format!("no certificate in it: {e}")))?;
    Ok(hex(without_sign(parse(&certificate)?.raw_serial())))
}

/// A serial number that begins with a high bit has a zero before it in DER, which nobody prints.
fn without_sign(serial: &[u8]) -> &[u8] {
    match serial {
        [0, rest @ ..] if !rest.is_empty() => rest,
        serial => serial,
    }
}

/// Whether the first certificates of two PEM files are one.
pub fn is_same_certificate(one: &[u8], other: &[u8]) -> bool {
    match (CertificateDer::from_pem_slice(one), CertificateDer::from_pem_slice(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

/// The number of the first list of a PEM file, and when the next one is due, as the time since 1970-01-01T00:00:00Z.
///
/// # Errors
/// [`CaError::Pem`] where there is none that can be read.
pub fn list_number(text: &[u8]) -> Result<(u64, core::time::Duration), CaError> {
    let der = rustls::pki_types::CertificateRevocationListDer::from_pem_slice(text)
        .map_err(|e| CaError::Pem(format!("no list in it: {e}")))?;
    let (_, list) = CertificateRevocationList::from_der(&der).map_err(|e| CaError::Pem(e.to_string()))?;
    let number = list.crl_number().and_then(|n| u64::try_from(n).ok()).unwrap_or_default();
    Ok((number, list.next_update().map(|t| seconds(t.timestamp())).unwrap_or_default()))
}

fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, CaError> {
    let (rest, parsed) = x509_parser::parse_x509_certificate(certificate)
        .map_err(|e| CaError::Pem(format!("the certificate cannot be read: {e}")))?;
    if !rest.is_empty() {
        return Err(CaError::Pem("something follows behind the end of the certificate".to_owned()));
    }
    Ok(parsed)
}

fn certificate(der: &CertificateDer<'_>) -> Result<String, CaError> {
    let parsed = parse(der)?;
    let mut out = String::from("Certificate\n");
    line(&mut out, "subject", &parsed.subject().to_string());
    line(&mut out, "issuer", &parsed.issuer().to_string());
    if let Ok(Some(alternative)) = parsed.subject_alternative_name() {
        let names = alternative.value.general_names.iter();
        let names: Vec<_> = names.map(|n| names::of_general(n).unwrap_or_else(|| n.to_string())).collect();
        line(&mut out, "names", &names.join(", "));
    }
    line(&mut out, "is for", &usage(&parsed));
    if let Ok(Some(constraints)) = parsed.name_constraints() {
        let trees = constraints.value.permitted_subtrees.iter().flatten();
        let trees: Vec<_> = trees.map(|t| t.base.to_string()).collect();
        line(&mut out, "only below", &trees.join(", "));
    }
    line(&mut out, "holds from", &moment(&parsed.validity().not_before));
    line(&mut out, "until", &moment(&parsed.validity().not_after));
    line(&mut out, "key", &key(parsed.public_key()));
    line(&mut out, "serial", &hex(without_sign(parsed.raw_serial())));
    line(&mut out, "SHA-256", &fingerprint(der));
    Ok(out)
}

/// The DNS names and IP addresses that a certificate is for; none where it cannot be read.
pub fn names_of(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok(parsed) = parse(certificate) else { return Vec::new() };
    let Ok(Some(alternative)) = parsed.subject_alternative_name() else { return Vec::new() };
    alternative.value.general_names.iter().filter_map(names::of_general).collect()
}

fn usage(certificate: &X509Certificate<'_>) -> String {
    if let Ok(Some(constraints)) = certificate.basic_constraints()
        && constraints.value.ca
    {
        return match constraints.value.path_len_constraint {
            Some(0) => "an authority that signs servers and clients".to_owned(),
            Some(n) => format!("an authority with at most {n} more below it"),
            None => "an authority that signs others".to_owned(),
        };
    }
    let Ok(Some(extended)) = certificate.extended_key_usage() else { return "anything".to_owned() };
    let extended = extended.value;
    let known = [(extended.server_auth, "servers"), (extended.client_auth, "clients"), (extended.any, "anything")];
    let said: Vec<_> = known.iter().filter(|(is, _)| *is).map(|(_, what)| *what).collect();
    if said.is_empty() { "something else".to_owned() } else { said.join(" and ") }
}

fn key(info: &SubjectPublicKeyInfo<'_>) -> String {
    match info.parsed() {
        Ok(PublicKey::RSA(key)) => format!("RSA, {} bits", key.key_size()),
        Ok(PublicKey::EC(point)) => format!("elliptic curve, {} bits", point.key_size()),
        _ if info.algorithm.algorithm.to_id_string() == "1.3.101.112" => "Ed25519".to_owned(),
        _ => format!("of the kind {}", info.algorithm.algorithm),
    }
}

fn list(der: &[u8]) -> Result<String, CaError> {
    let (_, list) = CertificateRevocationList::from_der(der)
        .map_err(|e| CaError::Pem(format!("the list of what is revoked cannot be read: {e}")))?;
    let mut out = String::from("List of what is revoked\n");
    line(&mut out, "issuer", &list.issuer().to_string());
    if let Some(number) = list.crl_number() {
        line(&mut out, "number", &number.to_string());
    }
    line(&mut out, "of", &moment(&list.last_update()));
    if let Some(next) = list.next_update() {
        line(&mut out, "next", &moment(&next));
    }
    let mut count = 0;
    for revoked in list.iter_revoked_certificates() {
        count += 1;
        let reason = revoked.extensions().iter().find_map(|e| match e.parsed_extension() {
            ParsedExtension::ReasonCode(code) => {
                super::issuer::REASONS.iter().find(|(_, r)| *r as u8 == code.0).map(|(name, _)| *name)
            }
            _ => None,
        });
        let since = moment(&revoked.revocation_date);
        line(
            &mut out,
            "revoked",
            &format!("{} since {since}, {}", hex(without_sign(revoked.raw_serial())), reason.unwrap_or("unspecified")),
        );
    }
    if count == 0 {
        line(&mut out, "revoked", "nothing");
    }
    Ok(out)
}

fn line(out: &mut String, what: &str, value: &str) {
    let _ = writeln!(out, "  {what:<11} {value}");
}

fn moment(time: &ASN1Time) -> String {
    date_and_time(seconds(time.timestamp()))
}

/// A moment since 1970-01-01T00:00:00Z as `2026-01-01 00:00:00 UTC`.
pub fn date_and_time(since_1970: core::time::Duration) -> String {
    let t = super::date(since_1970);
    let (year, month, day) = (t.year(), u8::from(t.month()), t.day());
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC", t.hour(), t.minute(), t.second())
}
