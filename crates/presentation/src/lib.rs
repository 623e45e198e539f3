//! Storey 6: TLS, certificates, character sets, MIME, compression.
