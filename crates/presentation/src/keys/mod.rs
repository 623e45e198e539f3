//! Keys: one that both have, pairs of a public and a private one, and what is made of the two.
//!
//! Every algorithm is an established library's: the ciphers, Ed25519 and HKDF are ring's, RSA is RustCrypto's, X25519 is
//! dalek's. What is random comes from whoever calls, in virtual time from the lab's seed.
//!
//! ```
//! use septet_presentation::keys::{Cipher, SymmetricKey};
//!
//! let key = SymmetricKey::new(Cipher::ChaCha20Poly1305, &[7; 32]);
//! let sealed = key.seal([1; 12], b"meet me at noon");
//! assert_eq!(key.open(&sealed).as_deref(), Some(&b"meet me at noon"[..]));
//! let other = SymmetricKey::new(Cipher::ChaCha20Poly1305, &[8; 32]);
//! assert_eq!(other.open(&sealed), None);
//! ```

mod agreement;
mod eavesdropper;
mod exchange;
mod message;
mod method;
mod rsa;
mod symmetric;

pub use agreement::{Agreement, SIGNATURE, Signer, verify};
pub use eavesdropper::Eavesdropper;
pub use exchange::{LongTerm, Receiver, Sender};
pub use message::{Broken, Message};
pub use method::{METHODS, Method, MethodEntry};
pub use rsa::{RSA_BITS, RsaPrivate, RsaPublic};
pub use symmetric::{Cipher, SymmetricKey};

/// Where random octets come from.
pub type Random<'a> = &'a mut dyn FnMut(&mut [u8]);

/// Fills with the operating system's randomness; never in virtual time.
///
/// # Errors
/// `Other` where it gives none.
pub fn system_random(octets: &mut [u8]) -> std::io::Result<()> {
    let source = rustls::crypto::ring::default_provider().secure_random;
    source.fill(octets).map_err(|_| std::io::Error::other("the operating system gives no randomness"))
}
