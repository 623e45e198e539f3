//! The lab's certificate authority: root → intermediate → leaf.
//!
//! In virtual time keys are Ed25519 from the lab's seed, and dates and serials follow from the epoch and the names, so
//! every certificate has the same bytes on every run. In real time keys are ECDSA P-256 from the operating system,
//! which browsers accept.
//!
//! ```
//! use core::time::Duration;
//! use septet_core::Seed;
//! use septet_presentation::ca::{Authority, KeySource};
//!
//! let epoch = Duration::from_secs(1_767_225_600);
//! let authority = Authority::new(KeySource::Seeded(Seed::new(7)), epoch)?;
//! let identity = authority.issue(&["www.shop.test", "10.0.3.2"])?;
//! assert_eq!(identity.chain().len(), 2);
//! assert!(authority.root_pem().starts_with("-----BEGIN CERTIFICATE-----"));
//! # Ok::<(), septet_presentation::ca::CaError>(())
//! ```

mod describe;
mod issuer;
mod names;
mod order;
mod request;

use core::fmt;
use core::time::Duration;
use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType, IsCa, Issuer,
    KeyIdMethod, KeyPair, KeyUsagePurpose, RevocationReason, RevokedCertParams, SanType, SerialNumber,
};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use septet_core::Seed;
use sha2::{Digest, Sha256};

pub use describe::{date_and_time, describe, is_same_certificate, list_number, names_of, serial_of};
#[cfg(test)]
pub(crate) use issuer::unhex;
pub use issuer::{Founding, Issuing, Kept, KeyKind, Leaf, REASONS, Revoked, Signed, Usage, request_with_new_key};
pub use names::is_within;
pub use order::{FLAWS, Flaw, FlawEntry, IssuedBy, Order};
pub use request::Request;

/// One day.
const DAY: Duration = Duration::from_secs(86_400);
/// CA/Browser Forum baseline requirements §6.3.2: a subscriber certificate lives at most 398 days.
const LEAF_LIFE: Duration = DAY.saturating_mul(397);
const INTERMEDIATE_LIFE: Duration = DAY.saturating_mul(5 * 365);
const ROOT_LIFE: Duration = DAY.saturating_mul(10 * 365);
const LIST_LIFE: Duration = DAY.saturating_mul(30);
/// What a peer's clock may be slow by.
const BACKDATED: Duration = DAY;

/// Where private keys and serial numbers come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeySource {
    /// The lab's seed. For virtual time only: anyone who knows the seed knows the keys.
    Seeded(Seed),
    /// The operating system.
    System,
}

/// Why a certificate could not be made or read.
#[derive(Debug)]
pub enum CaError {
    /// A name that no certificate can carry.
    Name(String),
    /// No name at all was given.
    NoName,
    /// The certificate could not be built or signed.
    Build(rcgen::Error),
    /// The chain or the key was refused by TLS.
    Tls(rustls::Error),
    /// What was read is not a PEM file of certificates.
    Pem(String),
    /// What was read is no private key, or not the one that it should be.
    Key(String),
    /// A request for a certificate is refused.
    Request(String),
    /// A name that the authority may not sign for.
    NotPermitted(String),
    /// The certificate would hold longer than the authority's own, which holds for this long.
    Outlives {
        /// How long the authority's holds.
        most: Duration,
    },
    /// What is not a serial number in hexadecimal digits.
    Serial(String),
    /// What is not a reason to revoke.
    Reason(String),
}

impl fmt::Display for CaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "`{name}` is neither a DNS name nor an IP address"),
            Self::NoName => f.write_str("a certificate needs at least one name"),
            Self::Build(e) => write!(f, "cannot make the certificate: {e}"),
            Self::Tls(e) => write!(f, "TLS refuses the certificate: {e}"),
            Self::Pem(why) => write!(f, "not a PEM file of certificates: {why}"),
            Self::Key(why) => write!(f, "not the private key: {why}"),
            Self::Request(why) => write!(f, "the request is refused: {why}"),
            Self::NotPermitted(name) => write!(f, "the authority may not sign for `{name}`"),
            Self::Outlives { most } => {
                write!(
                    f,
                    "the authority itself holds for {} days more, and nobody can promise longer",
                    issuer::whole_days(*most)
                )
            }
            Self::Serial(text) => write!(f, "`{text}` is not a serial number: an even number of hexadecimal digits"),
            Self::Reason(text) => {
                let known: Vec<_> = REASONS.iter().map(|(name, _)| *name).collect();
                write!(f, "`{text}` is not a reason: {}", known.join(", "))
            }
        }
    }
}

impl std::error::Error for CaError {}

impl From<rcgen::Error> for CaError {
    fn from(e: rcgen::Error) -> Self {
        Self::Build(e)
    }
}

impl From<rustls::Error> for CaError {
    fn from(e: rustls::Error) -> Self {
        Self::Tls(e)
    }
}

impl From<CaError> for io::Error {
    fn from(e: CaError) -> Self {
        Self::new(io::ErrorKind::InvalidInput, e)
    }
}

/// A certificate authority with a root and one intermediate that signs leaves.
pub struct Authority {
    keys: KeySource,
    now: Duration,
    root: CertificateDer<'static>,
    root_pem: String,
    root_issuer: Issuer<'static, KeyPair>,
    intermediate: CertificateDer<'static>,
    intermediate_pem: String,
    issuer: Issuer<'static, KeyPair>,
    /// The serial numbers of what was taken back, by who signed it.
    revoked: Mutex<BTreeSet<(IssuedBy, Vec<u8>)>>,
}

impl Authority {
    /// An authority founded at `now`, the time since 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    /// [`CaError::Build`] where the operating system gives no randomness.
    pub fn new(keys: KeySource, now: Duration) -> Result<Self, CaError> {
        Self::called("ca", keys, now)
    }

    /// Another authority than the usual one, whose keys and serial numbers are drawn under its name.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn other(name: &str, keys: KeySource, now: Duration) -> Result<Self, CaError> {
        Self::called(&format!("{name} ca"), keys, now)
    }

    /// An authority whose keys and serial numbers are drawn under this name.
    fn called(called: &str, keys: KeySource, now: Duration) -> Result<Self, CaError> {
        let root_key = keys.key(&format!("{called} root key"))?;
        let root_params = authority(called, "Root", BasicConstraints::Unconstrained, keys, now, ROOT_LIFE)?;
        let root = root_params.self_signed(&root_key)?;
        let root_issuer = Issuer::new(root_params, root_key);

        let key = keys.key(&format!("{called} intermediate key"))?;
        let mut params =
            authority(called, "Intermediate", BasicConstraints::Constrained(0), keys, now, INTERMEDIATE_LIFE)?;
        params.use_authority_key_identifier_extension = true;
        let intermediate = params.signed_by(&key, &root_issuer)?;
        Ok(Self {
            keys,
            now,
            root: root.der().clone(),
            root_pem: root.pem(),
            root_issuer,
            intermediate: intermediate.der().clone(),
            intermediate_pem: intermediate.pem(),
            issuer: Issuer::new(params, key),
            revoked: Mutex::default(),
        })
    }

    /// A certificate for `names`, which may be DNS names (a leading `*.` too) and IP addresses, with its key.
    ///
    /// # Errors
    /// [`CaError::NoName`] and [`CaError::Name`] where the names will not do.
    pub fn issue<N: AsRef<str>>(&self, names: &[N]) -> Result<ServerIdentity, CaError> {
        self.fill(&Order::new(names.iter().map(|n| n.as_ref().to_owned()).collect()))
    }

    /// The certificate that `order` asks for, with its key.
    ///
    /// # Errors
    /// [`CaError::NoName`] and [`CaError::Name`] where the names will not do.
    pub fn fill(&self, order: &Order) -> Result<ServerIdentity, CaError> {
        let Made { chain, key, .. } = self.make(order)?;
        ServerIdentity::new(chain, PrivatePkcs8KeyDer::from(key.serialize_der()).into())
    }

    /// The same in PEM: the chain, leaf first, and then the key.
    ///
    /// # Errors
    /// As [`fill`](Self::fill).
    pub fn fill_pem(&self, order: &Order) -> Result<String, CaError> {
        let Made { pem, key, .. } = self.make(order)?;
        Ok(pem + &key.serialize_pem())
    }

    fn make(&self, order: &Order) -> Result<Made, CaError> {
        if order.flaw == Some(Flaw::UntrustedRoot) {
            let stranger = Self::called("untrusted ca", self.keys, self.now)?;
            return stranger.make(&Order { flaw: None, ..order.clone() });
        }
        let names = match order.flaw {
            Some(Flaw::WrongName) => vec![order::WRONG_NAME],
            _ => order.names.iter().map(|n| n.trim_end_matches('.')).collect(),
        };
        let Some(first) = names.first() else { return Err(CaError::NoName) };
        let label = match order.usage {
            Usage::Server => format!("ca leaf {}", names.join(" ")),
            Usage::Client | Usage::Both => format!("ca client leaf {}", names.join(" ")),
        };
        let key = self.keys.key(&label)?;

        let mut params = leaf(&names, first)?;
        params.extended_key_usages = order.usage.purposes();
        let serial = self.keys.serial(&label)?;
        if order.flaw == Some(Flaw::Revoked) {
            let mut revoked = self.revoked.lock().unwrap_or_else(PoisonError::into_inner);
            revoked.insert((order.issued_by, serial.to_bytes()));
        }
        params.serial_number = Some(serial);
        let (from, until) = order.validity(self.now);
        (params.not_before, params.not_after) = (date(from), date(until));

        let leaf = match (order.flaw, order.issued_by) {
            (Some(Flaw::SelfSigned), _) => params.self_signed(&key)?,
            (_, IssuedBy::Intermediate) => params.signed_by(&key, &self.issuer)?,
            (_, IssuedBy::Root) => params.signed_by(&key, &self.root_issuer)?,
        };
        let (mut chain, mut pem) = (vec![leaf.der().clone()], leaf.pem());
        let is_whole = !matches!(order.flaw, Some(Flaw::SelfSigned | Flaw::MissingIntermediate));
        if is_whole && order.issued_by == IssuedBy::Intermediate {
            chain.push(self.intermediate.clone());
            pem += &self.intermediate_pem;
        }
        Ok(Made { chain, pem, key })
    }

    /// Signs what was asked for: the chain in PEM, leaf first. That whoever asks is who it says is for the caller to have found.
    ///
    /// # Errors
    /// [`CaError::Name`] where the names will not do.
    pub fn sign(&self, request: &Request) -> Result<String, CaError> {
        let names: Vec<&str> = request.names().iter().map(|n| n.trim_end_matches('.')).collect();
        let first = names.first().ok_or(CaError::NoName)?;
        let mut params = leaf(&names, first)?;
        params.serial_number = Some(self.keys.serial(&format!("ca request {}", names.join(" ")))?);
        let (from, until) = Order::new(Vec::new()).validity(self.now);
        (params.not_before, params.not_after) = (date(from), date(until));
        let signed = params.signed_by(request.key(), &self.issuer)?;
        Ok(signed.pem() + &self.intermediate_pem)
    }

    /// What a client needs to trust every certificate of this authority.
    pub fn trust_store(&self) -> TrustStore {
        let mut roots = RootCertStore::empty();
        // Our own root parses: it was built a moment ago, and the tests hold that.
        let _ = roots.add(self.root.clone());
        TrustStore { roots: Arc::new(roots), lists: Arc::default() }
    }

    /// The lists of what was taken back so far: the intermediate's, and the root's own.
    ///
    /// # Errors
    /// [`CaError::Build`] where a list cannot be signed.
    pub fn revocations(&self) -> Result<Vec<CertificateRevocationListDer<'static>>, CaError> {
        let revoked = self.revoked.lock().unwrap_or_else(PoisonError::into_inner);
        let signers = [(IssuedBy::Intermediate, &self.issuer), (IssuedBy::Root, &self.root_issuer)];
        let list = |(by, issuer): (IssuedBy, &Issuer<'static, KeyPair>)| {
            let entry = |(_, serial): &(IssuedBy, Vec<u8>)| RevokedCertParams {
                serial_number: SerialNumber::from_slice(serial),
                revocation_time: date(self.now),
                reason_code: Some(RevocationReason::KeyCompromise),
                invalidity_date: None,
            };
            let params = CertificateRevocationListParams {
                this_update: date(self.now.saturating_sub(BACKDATED)),
                next_update: date(self.now + LIST_LIFE),
                crl_number: SerialNumber::from(1),
                issuing_distribution_point: None,
                revoked_certs: revoked.iter().filter(|(of, _)| *of == by).map(entry).collect(),
                key_identifier_method: KeyIdMethod::Sha256,
            };
            Ok(params.signed_by(issuer)?.der().clone())
        };
        signers.into_iter().map(list).collect()
    }

    /// The root certificate as a PEM file, for `curl --cacert` and for a browser.
    pub fn root_pem(&self) -> &str {
        &self.root_pem
    }
}

/// A certificate that was made: the chain, leaf first, in both forms, and the key.
struct Made {
    chain: Vec<CertificateDer<'static>>,
    pem: String,
    key: KeyPair,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("keys", &self.keys).finish_non_exhaustive()
    }
}

/// A certificate chain, leaf first, and the key that belongs to it: a server's, or a client's.
#[derive(Clone)]
pub struct ServerIdentity(Arc<rustls::sign::CertifiedKey>);

impl ServerIdentity {
    /// An identity from elsewhere: a chain, leaf first and root left out, and the leaf's private key.
    ///
    /// # Errors
    /// [`CaError::Tls`] where the key is of an unknown kind or does not belong to the leaf.
    pub fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Self, CaError> {
        let key = rustls::crypto::ring::sign::any_supported_type(&key)?;
        let certified = rustls::sign::CertifiedKey::new(chain, key);
        certified.keys_match()?;
        Ok(Self(Arc::new(certified)))
    }

    /// An identity from PEM files: the chain, leaf first, and the leaf's private key.
    ///
    /// # Errors
    /// [`CaError::Pem`] and [`CaError::Key`] where one of them is none; [`CaError::Tls`] as [`new`](Self::new).
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, CaError> {
        let chain: Vec<_> =
            CertificateDer::pem_slice_iter(chain).collect::<Result<_, _>>().map_err(|e| CaError::Pem(e.to_string()))?;
        if chain.is_empty() {
            return Err(CaError::Pem("there is no certificate in it".to_owned()));
        }
        Self::new(chain, PrivateKeyDer::from_pem_slice(key).map_err(|e| CaError::Key(e.to_string()))?)
    }

    /// The certificates, leaf first.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.0.cert
    }

    pub(crate) fn certified_key(&self) -> Arc<rustls::sign::CertifiedKey> {
        self.0.clone()
    }
}

impl fmt::Debug for ServerIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerIdentity").field("certificates", &self.chain().len()).finish_non_exhaustive()
    }
}

/// Who has made a key and asks for a certificate for it.
pub struct Asking {
    key: KeyPair,
    request: String,
}

impl Asking {
    /// Asks for `names`, with an Ed25519 key of this secret where there is one, or else a new one of the operating system's.
    ///
    /// # Errors
    /// [`CaError::NoName`] and [`CaError::Name`].
    pub fn new(names: &[String], secret: Option<&[u8; 32]>) -> Result<Self, CaError> {
        let key = match secret {
            Some(secret) => ed25519(secret)?,
            None => KeySource::System.key("")?,
        };
        let request = request::ask(names, &key)?;
        Ok(Self { key, request })
    }

    /// The request, in PEM.
    pub fn request(&self) -> &str {
        &self.request
    }

    /// The identity that the answer makes of the key.
    ///
    /// # Errors
    /// [`CaError::Pem`] where the answer is no chain, [`CaError::Tls`] where it is one for another key.
    pub fn answered(self, chain: &[u8]) -> Result<ServerIdentity, CaError> {
        let chain: Vec<_> =
            CertificateDer::pem_slice_iter(chain).collect::<Result<_, _>>().map_err(|e| CaError::Pem(e.to_string()))?;
        if chain.is_empty() {
            return Err(CaError::Pem("there is no certificate in it".to_owned()));
        }
        ServerIdentity::new(chain, PrivatePkcs8KeyDer::from(self.key.serialize_der()).into())
    }
}

impl fmt::Debug for Asking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asking").finish_non_exhaustive()
    }
}

/// The roots that a client trusts, and the lists that it has of what was taken back.
#[derive(Clone, Debug)]
pub struct TrustStore {
    roots: Arc<RootCertStore>,
    lists: Arc<[CertificateRevocationListDer<'static>]>,
}

impl PartialEq for TrustStore {
    fn eq(&self, other: &Self) -> bool {
        (&self.roots.roots, &self.lists) == (&other.roots.roots, &other.lists)
    }
}

impl TrustStore {
    /// Trusts nobody.
    pub fn empty() -> Self {
        Self { roots: Arc::new(RootCertStore::empty()), lists: Arc::default() }
    }

    /// Trusts whom either trusts, and knows what either knows to be revoked.
    #[must_use]
    pub fn and(self, other: &Self) -> Self {
        let mut roots = RootCertStore::clone(&self.roots);
        roots.extend(other.roots.roots.iter().cloned());
        let lists = self.lists.iter().chain(other.lists.iter()).cloned().collect();
        Self { roots: Arc::new(roots), lists }
    }

    /// Knows what these lists say is revoked. A certificate of an authority without a list is believed as before.
    #[must_use]
    pub fn with_revocations(self, lists: Vec<CertificateRevocationListDer<'static>>) -> Self {
        let lists = self.lists.iter().cloned().chain(lists).collect();
        Self { lists, ..self }
    }

    /// Knows what the lists of a PEM file say is revoked.
    ///
    /// # Errors
    /// [`CaError::Pem`] where there is none, or one does not parse.
    pub fn with_revocations_of_pem(self, pem: &[u8]) -> Result<Self, CaError> {
        let wrong = |e: rustls::pki_types::pem::Error| CaError::Pem(e.to_string());
        let lists: Vec<_> =
            CertificateRevocationListDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(wrong)?;
        for list in &lists {
            x509_parser::parse_x509_crl(list).map_err(|e| CaError::Pem(e.to_string()))?;
        }
        if lists.is_empty() {
            return Err(CaError::Pem("there is no list of what was revoked in it".to_owned()));
        }
        Ok(self.with_revocations(lists))
    }

    /// The certificates of a PEM file, as `curl --cacert` takes them.
    ///
    /// # Errors
    /// [`CaError::Pem`] where there is none, or one does not parse.
    pub fn from_pem(pem: &[u8]) -> Result<Self, CaError> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|e| CaError::Pem(e.to_string()))?;
            roots.add(certificate).map_err(|e| CaError::Pem(e.to_string()))?;
        }
        if roots.is_empty() {
            return Err(CaError::Pem("there is no certificate in it".to_owned()));
        }
        Ok(Self { roots: Arc::new(roots), lists: Arc::default() })
    }

    pub(crate) fn roots(&self) -> Arc<RootCertStore> {
        self.roots.clone()
    }

    pub(crate) fn lists(&self) -> &[CertificateRevocationListDer<'static>] {
        &self.lists
    }
}

impl KeySource {
    fn key(self, name: &str) -> Result<KeyPair, CaError> {
        let Self::Seeded(seed) = self else {
            return Ok(KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?);
        };
        let mut secret = [0; 32];
        seed.stream(name).fill(&mut secret);
        ed25519(&secret)
    }

    fn serial(self, name: &str) -> Result<SerialNumber, CaError> {
        let mut bytes = [0; 16];
        match self {
            Self::Seeded(seed) => seed.stream(&format!("{name} serial")).fill(&mut bytes),
            Self::System => rustls::crypto::ring::default_provider()
                .secure_random
                .fill(&mut bytes)
                .map_err(|_| CaError::Tls(rustls::Error::FailedToGetRandomBytes))?,
        }
        // RFC 5280 §4.1.2.2: a positive integer of at most 20 octets.
        bytes[0] = bytes[0] & 0x7f | 0x40;
        Ok(SerialNumber::from_slice(&bytes))
    }
}

/// The Ed25519 key with this secret.
fn ed25519(secret: &[u8; 32]) -> Result<KeyPair, CaError> {
    // RFC 8410 §7: PKCS #8 version 1 around an Ed25519 key.
    let mut der = vec![0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    der.extend_from_slice(secret);
    Ok(KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(der), &rcgen::PKCS_ED25519)?)
}

/// What all leaves have in common.
fn leaf(names: &[&str], first: &str) -> Result<CertificateParams, CaError> {
    let mut params = CertificateParams::default();
    // X.520 bounds a common name at 64 characters; clients go by the alternative names anyway.
    params.distinguished_name = common_name(if first.len() <= 64 { first } else { "Septet lab server" });
    params.subject_alt_names = names.iter().map(|n| alternative_name(n)).collect::<Result<_, _>>()?;
    // Also what makes rcgen write the subject key identifier.
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = Usage::Server.purposes();
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn authority(
    called: &str,
    role: &str,
    constraints: BasicConstraints,
    keys: KeySource,
    now: Duration,
    life: Duration,
) -> Result<CertificateParams, CaError> {
    let serial = keys.serial(&format!("{called} {role}"))?;
    // Two labs' authorities have two names, or a client that trusts one would blame the other's signatures.
    let mark: String = serial.to_bytes().iter().take(4).map(|b| format!("{b:02x}")).collect();
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name(&format!("Septet Lab {role} CA {mark}"));
    params.is_ca = IsCa::Ca(constraints);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.serial_number = Some(serial);
    (params.not_before, params.not_after) = (date(now.saturating_sub(BACKDATED)), date(now + life));
    Ok(params)
}

fn common_name(name: &str) -> DistinguishedName {
    let mut dn = DistinguishedName::new();
    dn.push(DnType::OrganizationName, "Septet");
    dn.push(DnType::CommonName, name);
    dn
}

/// A name of nothing but this. X.520 bounds a common name at 64 characters; clients go by the alternative names anyway.
fn common_name_alone(name: &str) -> DistinguishedName {
    let mut dn = DistinguishedName::new();
    dn.push(DnType::CommonName, name.chars().take(64).collect::<String>());
    dn
}

fn alternative_name(name: &str) -> Result<SanType, CaError> {
    if let Ok(ip) = name.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(ip));
    }
    let host = name.strip_prefix("*.").unwrap_or(name);
    // RFC 5280 §4.2.1.6: the "preferred name syntax"; the underscore is what labs write too.
    let label =
        |l: &str| (1..=63).contains(&l.len()) && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if host.len() > 253 || !host.split('.').all(label) {
        return Err(CaError::Name(name.to_owned()));
    }
    Ok(SanType::DnsName(name.to_ascii_lowercase().try_into()?))
}

/// A certificate can carry this name.
///
/// # Errors
/// [`CaError::Name`] where it cannot.
pub fn check_name(name: &str) -> Result<(), CaError> {
    alternative_name(name.trim_end_matches('.')).map(drop)
}

/// RFC 5280 §4.1.2.5: 99991231235959Z stands for a certificate that "has no well-defined expiration date".
const LAST_DATE: u64 = 253_402_300_799;

fn date(since_1970: Duration) -> time::OffsetDateTime {
    rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(since_1970.as_secs().min(LAST_DATE))
}

/// The SHA-256 of a certificate, in the colon-separated capitals in which people compare fingerprints.
pub fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let digest = Sha256::digest(certificate.as_ref());
    digest.iter().map(|b| format!("{b:02X}")).collect::<Vec<_>>().join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    const EPOCH: Duration = Duration::from_secs(1_767_225_600);

    #[test]
    fn seeded_bytes_repeat_and_differ_by_seed() {
        let make = |seed| {
            let a = Authority::new(KeySource::Seeded(Seed::new(seed)), EPOCH).unwrap();
            (a.root_pem().to_owned(), a.issue(&["www.shop.test"]).unwrap().chain().to_vec())
        };
        assert_eq!(make(7), make(7));
        assert_ne!(make(7), make(8));
    }

    #[test]
    fn order_of_issue_changes_nothing() {
        let a = Authority::new(KeySource::Seeded(Seed::new(1)), EPOCH).unwrap();
        let b = Authority::new(KeySource::Seeded(Seed::new(1)), EPOCH).unwrap();
        b.issue(&["other.test"]).unwrap();
        assert_eq!(a.issue(&["www.test"]).unwrap().chain(), b.issue(&["www.test"]).unwrap().chain());
    }

    #[test]
    fn live_keys_are_fresh() {
        let make = || Authority::new(KeySource::System, EPOCH).unwrap().root_pem().to_owned();
        assert_ne!(make(), make());
    }

    #[test]
    fn names_are_checked() {
        let a = Authority::new(KeySource::Seeded(Seed::new(1)), EPOCH).unwrap();
        let long = "a".repeat(64);
        for bad in ["", "a b", "a..b", "päge.test", &long] {
            assert!(matches!(a.issue(&[bad]), Err(CaError::Name(_))), "{bad:?}");
        }
        assert!(matches!(a.issue::<&str>(&[]), Err(CaError::NoName)));
        let deep = format!("{0}.{0}.test", "x".repeat(60));
        a.issue(&["*.shop.test", "10.0.0.1", "fd00::1", "web1", &deep]).unwrap();
    }

    #[test]
    fn the_root_comes_back_from_its_pem_file() {
        let a = Authority::new(KeySource::Seeded(Seed::new(1)), EPOCH).unwrap();
        TrustStore::from_pem(a.root_pem().as_bytes()).unwrap();
        assert!(matches!(TrustStore::from_pem(b"nothing"), Err(CaError::Pem(_))));
        assert_eq!(a.trust_store().roots.len(), 1);
    }
}
