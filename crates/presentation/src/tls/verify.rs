//! Checks a server's certificate, and tells the trace what came of it.

use core::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use septet_core::Storey;
use septet_socket::{NetExt, NetRef};

use super::finding;

/// What of a certificate is checked.
pub(super) enum Check {
    /// The chain, the dates and the name.
    All(Arc<dyn ServerCertVerifier>),
    /// Only that the server holds the key of the certificate that it shows.
    KeyOnly(Arc<dyn ServerCertVerifier>),
}

pub(super) struct NotingVerifier {
    pub(super) net: NetRef,
    pub(super) check: Check,
}

impl NotingVerifier {
    fn inner(&self) -> &dyn ServerCertVerifier {
        match &self.check {
            Check::All(v) | Check::KeyOnly(v) => &**v,
        }
    }
}

impl ServerCertVerifier for NotingVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verdict = match &self.check {
            Check::All(v) => v.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now),
            Check::KeyOnly(_) => Ok(ServerCertVerified::assertion()),
        };
        let finding = verdict.as_ref().err().map(|e| {
            let chain: Vec<_> = core::iter::once(end_entity).chain(intermediates).collect();
            finding::describe(e, &chain, Some(server_name))
        });
        self.net.trace(Storey::Presentation, "tls.certificate", |f| {
            f.set("way", "received").set("name", server_name.to_str().into_owned());
            f.set("certificates", 1 + intermediates.len());
            f.set("bytes", end_entity.len() + intermediates.iter().map(|c| c.len()).sum::<usize>());
            match (&finding, &self.check) {
                (None, Check::All(_)) => f.set("why", "the chain ends at a trusted root, the dates and the name fit"),
                (None, Check::KeyOnly(_)) => f.set("why", "taken unchecked, as asked"),
                (Some(finding), _) => {
                    let shown = verdict.as_ref().err().and_then(finding::in_a_browser);
                    let shown = shown.map(|code| format!(" (a browser shows {code})")).unwrap_or_default();
                    f.set("why", format!("refused: {finding}{shown}"))
                }
            };
        });
        if let Some(finding) = finding {
            finding::leave(finding);
        }
        verdict
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner().verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner().verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner().supported_verify_schemes()
    }
}

impl fmt::Debug for NotingVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NotingVerifier")
    }
}

/// Knows how to check signatures and trusts no certificate; stands behind [`Check::KeyOnly`].
#[derive(Debug)]
pub(super) struct Signatures(pub(super) Arc<rustls::crypto::CryptoProvider>);

impl ServerCertVerifier for Signatures {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Err(rustls::CertificateError::UnknownIssuer.into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
