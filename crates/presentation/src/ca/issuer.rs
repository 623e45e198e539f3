//! An authority whose keys and certificates are kept somewhere: founded once, read back, and signing ever after.

use core::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, ExtendedKeyUsagePurpose, GeneralSubtree,
    IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, NameConstraints, RevocationReason, RevokedCertParams,
    SerialNumber,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::extensions::GeneralName;

use super::request::{self, Request};
use super::{BACKDATED, CaError, DAY, KeySource, LEAF_LIFE, alternative_name, common_name_alone, date, names};

/// The kinds of keys that an authority makes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum KeyKind {
    /// ECDSA on P-256, which everyone reads.
    #[default]
    P256,
    /// ECDSA on P-384.
    P384,
    /// Ed25519, which browsers do not take.
    Ed25519,
}

impl KeyKind {
    fn generate(self) -> Result<KeyPair, CaError> {
        Ok(KeyPair::generate_for(match self {
            Self::P256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            Self::P384 => &rcgen::PKCS_ECDSA_P384_SHA384,
            Self::Ed25519 => &rcgen::PKCS_ED25519,
        })?)
    }
}

/// What an authority shall be like.
#[derive(Clone, Debug)]
pub struct Founding {
    /// Its common name.
    pub name: String,
    /// What keys it has.
    pub key: KeyKind,
    /// Now, as the time since 1970-01-01T00:00:00Z.
    pub now: Duration,
    /// How long it holds.
    pub life: Duration,
    /// The domains and addresses that it and all below it may sign for; everyone's where there are none.
    pub permitted: Vec<String>,
}

/// What a certificate is to be used for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Usage {
    /// A server shows it.
    #[default]
    Server,
    /// A client shows it.
    Client,
    /// Either.
    Both,
}

impl Usage {
    /// As RFC 5280 §4.2.1.12 has it.
    pub(super) fn purposes(self) -> Vec<ExtendedKeyUsagePurpose> {
        match self {
            Self::Server => vec![ExtendedKeyUsagePurpose::ServerAuth],
            Self::Client => vec![ExtendedKeyUsagePurpose::ClientAuth],
            Self::Both => vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth],
        }
    }
}

/// A certificate to be signed.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// DNS names (a leading `*.` too) and IP addresses.
    pub names: Vec<String>,
    /// What it is for.
    pub usage: Usage,
    /// Now, as the time since 1970-01-01T00:00:00Z; it holds from a day before, for clocks that are slow.
    pub now: Duration,
    /// How long it holds.
    pub life: Duration,
}

impl Leaf {
    /// A server's, for 397 days.
    pub fn new(names: Vec<String>, now: Duration) -> Self {
        Self { names, usage: Usage::Server, now, life: LEAF_LIFE }
    }
}

/// A certificate that was signed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signed {
    /// The certificate, in PEM.
    pub pem: String,
    /// Its serial number in hexadecimal digits, as `openssl x509 -serial` prints it.
    pub serial: String,
    /// Its subject as one line, as `openssl ca` writes it: `/CN=www.shop.test`.
    pub subject: String,
    /// When it expires, as the time since 1970-01-01T00:00:00Z.
    pub until: Duration,
}

/// Why a certificate is revoked (RFC 5280 §5.3.1), each with its name there.
pub const REASONS: &[(&str, RevocationReason)] = &[
    ("unspecified", RevocationReason::Unspecified),
    ("keyCompromise", RevocationReason::KeyCompromise),
    ("CACompromise", RevocationReason::CaCompromise),
    ("affiliationChanged", RevocationReason::AffiliationChanged),
    ("superseded", RevocationReason::Superseded),
    ("cessationOfOperation", RevocationReason::CessationOfOperation),
    ("certificateHold", RevocationReason::CertificateHold),
];

/// A certificate that is no longer to be believed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Revoked {
    /// Its serial number in hexadecimal digits.
    pub serial: String,
    /// Since when, as the time since 1970-01-01T00:00:00Z.
    pub since: Duration,
    /// Why, by its name in [`REASONS`].
    pub reason: String,
}

/// An authority that can sign: its certificate and its key.
pub struct Issuing {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
    until: Duration,
    permitted: Vec<String>,
}

/// The certificate and the key of an authority as PEM files.
pub struct Kept {
    /// The certificate.
    pub certificate: String,
    /// The private key, not encrypted.
    pub key: String,
}

impl Issuing {
    /// A root, and what is to be kept of it.
    ///
    /// # Errors
    /// [`CaError::Name`] where a permitted name is none, [`CaError::Build`] where the system gives no randomness.
    pub fn found(founding: &Founding) -> Result<(Self, Kept), CaError> {
        let key = founding.key.generate()?;
        let params = founding.params(BasicConstraints::Unconstrained, None)?;
        let certificate = params.self_signed(&key)?;
        Self::kept(&certificate, key)
    }

    /// An authority that this one vouches for, and which signs leaves alone.
    ///
    /// # Errors
    /// As [`found`](Self::found).
    pub fn found_below(&self, founding: &Founding) -> Result<(Self, Kept), CaError> {
        let key = founding.key.generate()?;
        let mut params = founding.params(BasicConstraints::Constrained(0), Some(self.until))?;
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Self::kept(&certificate, key)
    }

    fn kept(certificate: &rcgen::Certificate, key: KeyPair) -> Result<(Self, Kept), CaError> {
        let kept = Kept { certificate: certificate.pem(), key: key.serialize_pem() };
        Ok((Self::of(certificate.der().clone(), key)?, kept))
    }

    /// The authority of these two PEM files.
    ///
    /// # Errors
    /// [`CaError::Pem`] and [`CaError::Key`] where one of them cannot be read, they do not belong together, or the
    /// certificate is not that of an authority.
    pub fn read(certificate: &[u8], key: &[u8]) -> Result<Self, CaError> {
        let certificate = CertificateDer::from_pem_slice(certificate)
            .map_err(|e| CaError::Pem(format!("no certificate in it: {e}")))?;
        let unreadable = || CaError::Key("there is no private key of PKCS #8 in it that can sign here".to_owned());
        let key =
            core::str::from_utf8(key).ok().and_then(|text| KeyPair::from_pem(text).ok()).ok_or_else(unreadable)?;
        Self::of(certificate, key)
    }

    fn of(certificate: CertificateDer<'static>, key: KeyPair) -> Result<Self, CaError> {
        let unreadable = |e: &dyn core::fmt::Display| CaError::Pem(format!("the certificate cannot be read: {e}"));
        let (_, parsed) = x509_parser::parse_x509_certificate(&certificate).map_err(|e| unreadable(&e))?;
        if !parsed.is_ca() {
            return Err(CaError::Pem("the certificate is not that of an authority".to_owned()));
        }
        if parsed.public_key().subject_public_key.data.as_ref() != key.public_key_raw() {
            return Err(CaError::Key("it does not belong to the certificate".to_owned()));
        }
        let until = seconds(parsed.validity().not_after.timestamp());
        let constraints = parsed.name_constraints().map_err(|e| unreadable(&e))?;
        let permitted = constraints.and_then(|c| c.value.permitted_subtrees.as_ref());
        let permitted = permitted.into_iter().flatten().filter_map(|tree| match &tree.base {
            // An address with its mask.
            GeneralName::IPAddress(octets) => names::of_general(&GeneralName::IPAddress(&octets[..octets.len() / 2])),
            base => names::of_general(base),
        });
        let permitted = permitted.collect();
        let issuer = Issuer::from_ca_cert_der(&certificate, key)?;
        Ok(Self { certificate, issuer, until, permitted })
    }

    /// Its certificate.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// When it expires, as the time since 1970-01-01T00:00:00Z.
    pub fn until(&self) -> Duration {
        self.until
    }

    /// The domains and addresses that it may sign for; everyone's where there are none.
    pub fn permitted(&self) -> &[String] {
        &self.permitted
    }

    /// A certificate with a key that is made for it: what was signed, and the key in PEM.
    ///
    /// # Errors
    /// As [`sign`](Self::sign).
    pub fn issue(&self, leaf: &Leaf, kind: KeyKind) -> Result<(Signed, String), CaError> {
        let key = kind.generate()?;
        Ok((self.sign_key(leaf, &key)?, key.serialize_pem()))
    }

    /// A certificate for the key of a request. The names are those of `leaf`, which need not be those of the request.
    ///
    /// # Errors
    /// [`CaError::NoName`] and [`CaError::Name`], [`CaError::NotPermitted`] where one is not this authority's to sign for,
    /// [`CaError::Outlives`] where it would hold longer than the authority itself.
    pub fn sign(&self, leaf: &Leaf, request: &Request) -> Result<Signed, CaError> {
        self.sign_key(leaf, request.key())
    }

    fn sign_key(&self, leaf: &Leaf, key: &impl rcgen::PublicKeyData) -> Result<Signed, CaError> {
        let until = leaf.now.saturating_add(leaf.life);
        if until > self.until {
            return Err(CaError::Outlives { most: self.until.saturating_sub(leaf.now) });
        }
        let names: Vec<&str> = leaf.names.iter().map(|n| n.trim_end_matches('.')).collect();
        let first = names.first().ok_or(CaError::NoName)?;
        let alternatives = names.iter().map(|n| alternative_name(n)).collect::<Result<_, _>>()?;
        let is_permitted = |name: &str| self.permitted.iter().any(|p| names::is_within(name, p));
        if !self.permitted.is_empty()
            && let Some(stranger) = names.iter().find(|n| !is_permitted(n))
        {
            return Err(CaError::NotPermitted((*stranger).to_owned()));
        }
        let serial = KeySource::System.serial("")?;
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name_alone(first);
        params.subject_alt_names = alternatives;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        if key.algorithm() == &rcgen::PKCS_RSA_SHA256 {
            // TLS 1.2 without key agreement encrypts under the key of the certificate.
            params.key_usages.push(KeyUsagePurpose::KeyEncipherment);
        }
        params.extended_key_usages = leaf.usage.purposes();
        params.use_authority_key_identifier_extension = true;
        let digits = hex(serial.as_ref());
        params.serial_number = Some(serial);
        (params.not_before, params.not_after) = (date(leaf.now.saturating_sub(BACKDATED)), date(until));
        let certificate = params.signed_by(key, &self.issuer)?;
        let subject = subject_line(certificate.der())?;
        Ok(Signed { pem: certificate.pem(), serial: digits, subject, until })
    }

    /// The list of what is revoked, in PEM. `number` grows from list to list.
    ///
    /// # Errors
    /// [`CaError::Serial`] and [`CaError::Reason`] where an entry of `revoked` is none.
    pub fn revocations(
        &self,
        number: u64,
        now: Duration,
        next: Duration,
        revoked: &[Revoked],
    ) -> Result<String, CaError> {
        let entry = |revoked: &Revoked| {
            let serial = unhex(&revoked.serial).ok_or_else(|| CaError::Serial(revoked.serial.clone()))?;
            let known = REASONS.iter().find(|(name, _)| *name == revoked.reason);
            let reason = known.ok_or_else(|| CaError::Reason(revoked.reason.clone()))?.1;
            Ok(RevokedCertParams {
                serial_number: SerialNumber::from(serial),
                revocation_time: date(revoked.since),
                // RFC 5280 §5.3.1: "the reason code CRL entry extension SHOULD be absent instead of using the unspecified (0)
                // reasonCode value".
                reason_code: (reason != RevocationReason::Unspecified).then_some(reason),
                invalidity_date: None,
            })
        };
        let list = CertificateRevocationListParams {
            this_update: date(now),
            next_update: date(next),
            crl_number: SerialNumber::from(number),
            issuing_distribution_point: None,
            revoked_certs: revoked.iter().map(entry).collect::<Result<_, CaError>>()?,
            key_identifier_method: KeyIdMethod::PreSpecified(self.key_identifier()),
        };
        Ok(list.signed_by(&self.issuer)?.pem()?)
    }

    /// The identifier of the key as it stands in the certificate, which a list must repeat (RFC 5280 §5.2.1).
    fn key_identifier(&self) -> Vec<u8> {
        let parsed = x509_parser::parse_x509_certificate(&self.certificate).ok();
        let found = parsed.and_then(|(_, parsed)| {
            parsed.iter_extensions().find_map(|extension| match extension.parsed_extension() {
                x509_parser::extensions::ParsedExtension::SubjectKeyIdentifier(key) => Some(key.0.to_vec()),
                _ => None,
            })
        });
        found.unwrap_or_default()
    }
}

/// Asks for a certificate for `names` with a new key: the request and the key, in PEM.
///
/// # Errors
/// [`CaError::NoName`] and [`CaError::Name`].
pub fn request_with_new_key(names: &[String], kind: KeyKind) -> Result<(String, String), CaError> {
    let key = kind.generate()?;
    Ok((request::ask(names, &key)?, key.serialize_pem()))
}

impl Founding {
    fn params(&self, constraints: BasicConstraints, at_most: Option<Duration>) -> Result<CertificateParams, CaError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name_alone(&self.name);
        params.is_ca = IsCa::Ca(constraints);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.serial_number = Some(KeySource::System.serial("")?);
        let until = self.now.saturating_add(self.life);
        let until = at_most.map_or(until, |most| until.min(most));
        (params.not_before, params.not_after) = (date(self.now.saturating_sub(BACKDATED)), date(until));
        if !self.permitted.is_empty() {
            let tree = |name: &String| {
                Ok(match alternative_name(name)? {
                    rcgen::SanType::IpAddress(ip) => GeneralSubtree::IpAddress(rcgen::CidrSubnet::from_addr_prefix(
                        ip,
                        if ip.is_ipv4() { 32 } else { 128 },
                    )),
                    _ if name.starts_with("*.") => return Err(CaError::Name(name.clone())),
                    _ => GeneralSubtree::DnsName(name.to_ascii_lowercase()),
                })
            };
            let permitted_subtrees = self.permitted.iter().map(tree).collect::<Result<_, CaError>>()?;
            params.name_constraints = Some(NameConstraints { permitted_subtrees, excluded_subtrees: Vec::new() });
        }
        Ok(params)
    }
}

/// The subject of a certificate as one line, in the form of OpenSSL's database.
fn subject_line(certificate: &CertificateDer<'_>) -> Result<String, CaError> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).map_err(|e| CaError::Pem(e.to_string()))?;
    let common = parsed.subject().iter_common_name().next().and_then(|name| name.as_str().ok());
    Ok(common.map_or_else(|| "/".to_owned(), |name| format!("/CN={name}")))
}

pub(super) fn seconds(timestamp: i64) -> Duration {
    Duration::from_secs(u64::try_from(timestamp).unwrap_or_default())
}

/// Capital hexadecimal digits, two an octet.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02X}")).collect()
}

pub(crate) fn unhex(digits: &str) -> Option<Vec<u8>> {
    if digits.is_empty() || !digits.len().is_multiple_of(2) || !digits.is_ascii() {
        return None;
    }
    (0..digits.len()).step_by(2).map(|i| u8::from_str_radix(&digits[i..i + 2], 16).ok()).collect()
}

/// How many days a certificate may hold that outlives its authority otherwise.
pub(super) fn whole_days(most: Duration) -> u64 {
    most.as_secs() / DAY.as_secs()
}
