//! A key that both come to and nobody sends: X25519 (RFC 7748) with HKDF, and Ed25519 (RFC 8032) to say who is asked.

use core::fmt;

use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use x25519_dalek::{PublicKey, StaticSecret};

use super::Random;

/// How long a signature is.
pub const SIGNATURE: usize = 64;

/// One side's part in agreeing on a key: a secret that is thrown away afterwards, and what the other side is told.
pub struct Agreement {
    secret: StaticSecret,
    share: [u8; 32],
}

impl Agreement {
    /// A new secret.
    pub fn new(random: Random<'_>) -> Self {
        let mut secret = [0; 32];
        random(&mut secret);
        Self::of(secret)
    }

    /// With this secret.
    pub fn of(secret: [u8; 32]) -> Self {
        let secret = StaticSecret::from(secret);
        let share = PublicKey::from(&secret).to_bytes();
        Self { secret, share }
    }

    /// What the other side is told.
    pub fn share(&self) -> [u8; 32] {
        self.share
    }

    /// The key that both come to; none where the other side's share is one that gives everyone the same.
    pub fn agree(self, with: [u8; 32]) -> Option<[u8; 32]> {
        let shared = self.secret.diffie_hellman(&with.into());
        if !shared.was_contributory() {
            return None;
        }
        let mut key = [0; 32];
        let secret = Salt::new(HKDF_SHA256, &[]).extract(shared.as_bytes());
        secret.expand(&[b"septet keys"], Length).ok()?.fill(&mut key).ok()?;
        Some(key)
    }
}

struct Length;

impl KeyType for Length {
    fn len(&self) -> usize {
        32
    }
}

/// A private key that signs.
pub struct Signer(Ed25519KeyPair);

impl Signer {
    /// The key with this seed.
    pub fn of(seed: &[u8; 32]) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed);
        Self(pair.unwrap_or_else(|_| unreachable!("a seed of 32 octets is one")))
    }

    /// The key by which others check.
    pub fn public(&self) -> [u8; 32] {
        let mut public = [0; 32];
        public.copy_from_slice(self.0.public_key().as_ref());
        public
    }

    /// Signs.
    pub fn sign(&self, text: &[u8]) -> [u8; SIGNATURE] {
        let mut signature = [0; SIGNATURE];
        signature.copy_from_slice(self.0.sign(text).as_ref());
        signature
    }
}

/// Whether whoever has the private key of `public` signed `text`.
pub fn verify(public: &[u8; 32], text: &[u8], signature: &[u8; SIGNATURE]) -> bool {
    UnparsedPublicKey::new(&ED25519, public).verify(text, signature).is_ok()
}

impl fmt::Debug for Agreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Agreement")
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_come_to_one_key_and_nobody_else_does() {
        let [a, b, c] = [1, 2, 3].map(|n| Agreement::of([n; 32]));
        let (of_a, of_b) = (a.share(), b.share());
        let key = a.agree(of_b).unwrap();
        assert_eq!(b.agree(of_a), Some(key));
        assert_ne!(c.agree(of_a), Some(key));
        assert_eq!(Agreement::of([1; 32]).agree([0; 32]), None);
    }

    /// RFC 8032 §7.1, test 2.
    #[test]
    fn ed25519_of_the_rfc() {
        let seed = crate::ca::unhex("4CCD089B28FF96DA9DB6C346EC114E0F5B8A319F35ABA624DA8CF6ED4FB8A6FB").unwrap();
        let signer = Signer::of(&seed.try_into().unwrap());
        let signature = signer.sign(&[0x72]);
        assert_eq!(signature[..4], [0x92, 0xa0, 0x09, 0xa9]);
        assert!(verify(&signer.public(), &[0x72], &signature));
        assert!(!verify(&signer.public(), &[0x73], &signature));
    }
}
