//! A certificate signing request (PKCS #10, RFC 2986): who asks, for what names, with which key.

use rcgen::{CertificateParams, KeyPair, SubjectPublicKeyInfo};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateSigningRequestDer, SignatureVerificationAlgorithm};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;

use super::{CaError, alternative_name, names};

/// A request whose signature holds: whoever made it has the private key that belongs to the public one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    names: Vec<String>,
    key: SubjectPublicKeyInfo,
}

impl Request {
    /// The request of a PEM file, as `openssl req -new` writes it.
    ///
    /// The names are those of the alternative names that it asks for; where it asks for none, its common name. Whatever else
    /// it asks for is left to the authority, which may as well not grant it.
    ///
    /// # Errors
    /// [`CaError::Request`] where it is none, where the signature does not hold, where the key is of a kind that nobody
    /// should trust any more, or where it asks to become an authority; [`CaError::Name`] and [`CaError::NoName`].
    pub fn from_pem(text: &[u8]) -> Result<Self, CaError> {
        let refuse = |why: String| Err(CaError::Request(why));
        match CertificateSigningRequestDer::from_pem_slice(text) {
            Ok(der) => Self::from_der(&der),
            Err(pem::Error::NoItemsFound) => refuse("there is no `BEGIN CERTIFICATE REQUEST` in it".to_owned()),
            Err(e) => refuse(format!("it is not PEM: {e}")),
        }
    }

    pub(super) fn from_der(der: &CertificateSigningRequestDer<'_>) -> Result<Self, CaError> {
        let refuse = |why: &str| CaError::Request(why.to_owned());
        let (rest, request) = X509CertificationRequest::from_der(der)
            .map_err(|e| CaError::Request(format!("it does not follow RFC 2986: {e}")))?;
        if !rest.is_empty() {
            return Err(refuse("something follows behind its end"));
        }
        let info = &request.certification_request_info;
        if let Ok(PublicKey::RSA(key)) = info.subject_pki.parsed()
            && key.key_size() < 2048
        {
            return Err(CaError::Request(format!(
                "its RSA key has {} bits, and fewer than 2048 are too few",
                key.key_size()
            )));
        }
        let signed_with = verification_of(&request)
            .ok_or_else(|| refuse("its key or signature is of a kind that is not taken: RSA of 2048 bits or more, ECDSA on P-256 or P-384 and Ed25519 are, with SHA-2"))?;
        let key = info.subject_pki.subject_public_key.data.as_ref();
        if signed_with.verify_signature(key, info.raw, request.signature_value.data.as_ref()).is_err() {
            // RFC 2986 §3: the signature is there "to prevent an entity from requesting a certificate with another
            // party's public key".
            return Err(refuse("its signature does not hold: whoever made it has not got the private key"));
        }
        let key = SubjectPublicKeyInfo::from_der(info.subject_pki.raw).map_err(CaError::Build)?;

        let mut found = Vec::new();
        for extension in request.requested_extensions().into_iter().flatten() {
            match extension {
                ParsedExtension::SubjectAlternativeName(alternative) => {
                    for name in &alternative.general_names {
                        found.push(names::of_general(name).ok_or_else(|| {
                            CaError::Request(format!(
                                "it asks for {name}, which is neither a DNS name nor an IP address"
                            ))
                        })?);
                    }
                }
                ParsedExtension::BasicConstraints(constraints) if constraints.ca => {
                    return Err(refuse("it asks to become an authority itself"));
                }
                ParsedExtension::ParseError { .. } => {
                    return Err(refuse("one of the extensions that it asks for cannot be read"));
                }
                _ => {}
            }
        }
        if found.is_empty() {
            let common = info.subject.iter_common_name().next().and_then(|name| name.as_str().ok());
            found.extend(common.map(str::to_owned));
        }
        if found.is_empty() {
            return Err(CaError::NoName);
        }
        for name in &found {
            alternative_name(name)?;
        }
        Ok(Self { names: found, key })
    }

    /// The names that it asks for: DNS names and IP addresses.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    pub(super) fn key(&self) -> &SubjectPublicKeyInfo {
        &self.key
    }
}

/// What checks its signature, where it is one that this library takes.
fn verification_of(request: &X509CertificationRequest<'_>) -> Option<&'static dyn SignatureVerificationAlgorithm> {
    let oid_and_parameters = |algorithm: &x509_parser::x509::AlgorithmIdentifier<'_>| {
        let mut der = Vec::new();
        let oid = algorithm.algorithm.as_bytes();
        der.extend([6, u8::try_from(oid.len()).ok().filter(|len| *len < 0x80)?]);
        der.extend_from_slice(oid);
        if let Some(parameters) = &algorithm.parameters {
            let content = parameters.data;
            der.extend([
                u8::try_from(parameters.tag().0).ok()?,
                u8::try_from(content.len()).ok().filter(|len| *len < 0x80)?,
            ]);
            der.extend_from_slice(content);
        }
        Some(der)
    };
    let key = oid_and_parameters(&request.certification_request_info.subject_pki.algorithm)?;
    let signature = oid_and_parameters(&request.signature_algorithm)?;
    let known = rustls::crypto::ring::default_provider().signature_verification_algorithms.all;
    known.iter().copied().find(|a| a.public_key_alg_id().as_ref() == key && a.signature_alg_id().as_ref() == signature)
}

/// Asks for a certificate for `names`: a request in PEM, signed with `key`.
pub(super) fn ask(names: &[String], key: &KeyPair) -> Result<String, CaError> {
    let mut params = CertificateParams::default();
    let first = names.first().ok_or(CaError::NoName)?;
    params.distinguished_name = super::common_name_alone(first);
    params.subject_alt_names = names.iter().map(|n| alternative_name(n)).collect::<Result<_, _>>()?;
    Ok(params.serialize_request(key)?.pem()?)
}
