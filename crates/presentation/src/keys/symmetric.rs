//! One key that closes and opens: AES-GCM and ChaCha20-Poly1305 (RFC 5116, RFC 8439).

use core::fmt;

use ring::aead::{
    AES_128_GCM, AES_256_GCM, Aad, Algorithm, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey,
};

/// A cipher that also notices what was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cipher {
    /// AES-128-GCM, with the first 16 octets of the key.
    Aes128Gcm,
    /// AES-256-GCM.
    Aes256Gcm,
    /// ChaCha20-Poly1305.
    ChaCha20Poly1305,
}

impl Cipher {
    /// Every cipher, with its name.
    pub const ALL: [(&'static str, Self); 3] = [
        ("AES-128-GCM", Self::Aes128Gcm),
        ("AES-256-GCM", Self::Aes256Gcm),
        ("ChaCha20-Poly1305", Self::ChaCha20Poly1305),
    ];

    fn algorithm(self) -> &'static Algorithm {
        match self {
            Self::Aes128Gcm => &AES_128_GCM,
            Self::Aes256Gcm => &AES_256_GCM,
            Self::ChaCha20Poly1305 => &CHACHA20_POLY1305,
        }
    }
}

/// A key of a cipher.
pub struct SymmetricKey {
    cipher: Cipher,
    key: LessSafeKey,
}

impl SymmetricKey {
    /// A key of 32 octets, of which AES-128 takes the first half.
    #[must_use]
    pub fn new(cipher: Cipher, key: &[u8; 32]) -> Self {
        let algorithm = cipher.algorithm();
        let unbound = UnboundKey::new(algorithm, &key[..algorithm.key_len()]);
        // The length is the algorithm's own, the only thing that ring asks about.
        Self { cipher, key: LessSafeKey::new(unbound.unwrap_or_else(|_| unreachable!("a key of its own length"))) }
    }

    /// The nonce, the text sealed, and the tag. No nonce may seal twice under one key.
    #[must_use]
    pub fn seal(&self, nonce: [u8; NONCE_LEN], text: &[u8]) -> Vec<u8> {
        let mut body = text.to_vec();
        let sealed = self.key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut body);
        sealed.unwrap_or_else(|_| unreachable!("nothing that fits into memory is too long"));
        [&nonce[..], &body].concat()
    }

    /// The text of what [`seal`](Self::seal) made with this key; nothing where another key made it, or one bit differs.
    #[must_use]
    pub fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, body) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut body = body.to_vec();
        let text = self.key.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::empty(), &mut body).ok()?.len();
        body.truncate(text);
        Some(body)
    }
}

impl fmt::Debug for SymmetricKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SymmetricKey").field("cipher", &self.cipher).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn octets(hex: &str) -> Vec<u8> {
        crate::ca::unhex(hex).unwrap()
    }

    /// RFC 8439 §2.8.2 has additional data, which nothing here sends; this is the McGrew–Viega test case 16's key without.
    #[test]
    fn gcm_of_nist() {
        // NIST SP 800-38D, test case 14: 256-bit key of zeros, 96-bit nonce of zeros, one block of zeros.
        let key = SymmetricKey::new(Cipher::Aes256Gcm, &[0; 32]);
        let expected = octets("CEA7403D4D606B6E074EC5D3BAF39D18D0D1C8A799996BF0265B98B5D48AB919");
        assert_eq!(key.seal([0; 12], &[0; 16])[12..], expected);
    }

    #[test]
    fn whatever_is_changed_is_noticed() {
        for (name, cipher) in Cipher::ALL {
            let key = SymmetricKey::new(cipher, &[3; 32]);
            let sealed = key.seal([9; 12], b"noon");
            for at in 0..sealed.len() {
                let mut changed = sealed.clone();
                changed[at] ^= 1;
                assert_eq!(key.open(&changed), None, "{name}, octet {at}");
            }
            assert_eq!(key.open(&sealed[..sealed.len() - 1]), None);
            assert_eq!(key.open(&[]), None);
        }
    }
}
