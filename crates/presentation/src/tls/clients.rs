//! Whether a server asks its clients for certificates, and how it checks them.

use core::fmt;
use std::io;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use septet_core::Storey;
use septet_socket::{NetExt, NetRef};

use super::finding;
use crate::ca::{TrustStore, names_of};

/// What a server wants of its clients.
#[derive(Clone, Debug, Default)]
pub enum Clients {
    /// Nothing.
    #[default]
    Unasked,
    /// A certificate of one of these authorities, where they have one; a bad one is worse than none.
    Asked(TrustStore),
    /// A certificate of one of these authorities.
    Known(TrustStore),
}

impl Clients {
    /// Who checks what clients show; nobody where they are not asked.
    pub(super) fn verifier(
        &self,
        net: &NetRef,
        provider: Arc<CryptoProvider>,
    ) -> io::Result<Option<Arc<dyn ClientCertVerifier>>> {
        let (store, needed) = match self {
            Self::Unasked => return Ok(None),
            Self::Asked(store) => (store, false),
            Self::Known(store) => (store, true),
        };
        let builder = WebPkiClientVerifier::builder_with_provider(store.roots(), provider)
            .with_crls(store.lists().iter().cloned())
            .only_check_end_entity_revocation()
            .allow_unknown_revocation_status();
        let builder = if needed { builder } else { builder.allow_unauthenticated() };
        let inner = builder.build().map_err(|e| io::Error::new(io::ErrorKind::InvalidInput, e))?;
        Ok(Some(Arc::new(NotingClientVerifier { net: net.clone(), inner })))
    }
}

struct NotingClientVerifier {
    net: NetRef,
    inner: Arc<dyn ClientCertVerifier>,
}

impl ClientCertVerifier for NotingClientVerifier {
    fn client_auth_mandatory(&self) -> bool {
        self.inner.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verdict = self.inner.verify_client_cert(end_entity, intermediates, now);
        let finding = verdict.as_ref().err().map(|e| {
            let chain: Vec<_> = core::iter::once(end_entity).chain(intermediates).collect();
            finding::describe(e, &chain, None)
        });
        self.net.trace(Storey::Presentation, "tls.certificate", |f| {
            f.set("way", "received").set("of", "the client");
            if let Some(name) = names_of(end_entity).first() {
                f.set("name", name.clone());
            }
            f.set("certificates", 1 + intermediates.len());
            f.set("bytes", end_entity.len() + intermediates.iter().map(|c| c.len()).sum::<usize>());
            match &finding {
                None => f.set("why", "the chain ends at an authority whose clients are taken, and the dates fit"),
                Some(finding) => f.set("why", format!("refused: {finding}")),
            };
        });
        verdict
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

impl fmt::Debug for NotingClientVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NotingClientVerifier")
    }
}
