//! A pair of keys, of which one closes and only the other opens: RSA with OAEP (RFC 8017 §7.1).

use core::convert::Infallible;
use core::fmt;

use rsa::rand_core::{TryCryptoRng, TryRng};
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use rsa::{BoxedUint, PrivateKey, PublicKey};
use sha2::Sha256;

use super::Random;

/// How long the modulus of a key is.
pub const RSA_BITS: usize = 2048;
const OCTETS: usize = RSA_BITS / 8;
/// What OAEP with SHA-256 leaves of a block: `k - 2 hLen - 2`.
const ROOM: usize = OCTETS - 2 * 32 - 2;
/// The public exponent that everyone uses.
const EXPONENT: u32 = 65_537;

/// The key that opens.
pub struct RsaPrivate(PrivateKey);

/// The key that closes.
#[derive(Clone, PartialEq, Eq)]
pub struct RsaPublic(PublicKey);

impl RsaPrivate {
    /// A pair of keys. Finding the primes takes a good part of a second.
    pub fn generate(random: Random<'_>) -> Self {
        let key = PrivateKey::new(&mut Source(random), RSA_BITS);
        Self(key.unwrap_or_else(|_| unreachable!("a usual size, and a source that does not fail")))
    }

    /// The key for everyone.
    pub fn public(&self) -> RsaPublic {
        RsaPublic(self.0.to_public_key())
    }

    /// What [`RsaPublic::close`] made; nothing where it was made for another, or changed.
    pub fn open(&self, random: Random<'_>, closed: &[u8]) -> Option<Vec<u8>> {
        if closed.is_empty() || !closed.len().is_multiple_of(OCTETS) {
            return None;
        }
        let mut source = Source(random);
        let blocks = closed.chunks(OCTETS);
        let open = |block| self.0.oaep_decrypt_with_rng::<Sha256, _>(&mut source, block).ok();
        Some(blocks.map(open).collect::<Option<Vec<_>>>()?.concat())
    }

    /// Its two primes, one after the other: who has these has the key.
    pub fn to_octets(&self) -> Vec<u8> {
        self.0.primes().iter().flat_map(|prime| padded(&prime.to_be_bytes(), OCTETS / 2)).collect()
    }

    /// The key with these primes; nothing where they are none that make one.
    pub fn from_octets(octets: &[u8]) -> Option<Self> {
        let (p, q) = octets.split_at_checked(OCTETS / 2).filter(|(_, q)| q.len() == OCTETS / 2)?;
        let bits = u32::try_from(RSA_BITS / 2).ok()?;
        let [p, q] = [p, q].map(|prime| BoxedUint::from_be_slice(prime, bits).ok());
        PrivateKey::from_p_q(p?, q?, BoxedUint::from(EXPONENT)).ok().map(Self)
    }
}

impl RsaPublic {
    /// Closes a text, a block of 256 octets for each 190 of it.
    pub fn close(&self, random: Random<'_>, text: &[u8]) -> Vec<u8> {
        let mut source = Source(random);
        let mut close = |piece: &[u8]| {
            let closed = self.0.oaep_encrypt_with_rng::<Sha256, _>(&mut source, piece);
            closed.unwrap_or_else(|_| unreachable!("a piece that has room, and a source that does not fail"))
        };
        // An empty text has a block too, or its length would be told.
        if text.is_empty() { close(&[]) } else { text.chunks(ROOM).flat_map(close).collect() }
    }

    /// Its modulus; the exponent is 65,537.
    pub fn to_octets(&self) -> Vec<u8> {
        padded(&self.0.n_bytes(), OCTETS)
    }

    /// The key with this modulus; nothing where it can be none.
    pub fn from_octets(octets: &[u8]) -> Option<Self> {
        if octets.len() != OCTETS {
            return None;
        }
        let modulus = BoxedUint::from_be_slice(octets, u32::try_from(RSA_BITS).ok()?).ok()?;
        PublicKey::new(modulus, BoxedUint::from(EXPONENT)).ok().map(Self)
    }
}

impl fmt::Debug for RsaPrivate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RsaPrivate")
    }
}

impl fmt::Debug for RsaPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RsaPublic")
    }
}

/// The last `len` octets of a number, with zeros before it where it has fewer.
fn padded(octets: &[u8], len: usize) -> Vec<u8> {
    let kept = &octets[octets.len().saturating_sub(len)..];
    let mut out = vec![0; len - kept.len()];
    out.extend_from_slice(kept);
    out
}

/// A source of randomness in the shape that the library wants.
struct Source<'a>(Random<'a>);

impl TryRng for Source<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut octets = [0; 4];
        (self.0)(&mut octets);
        Ok(u32::from_le_bytes(octets))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut octets = [0; 8];
        (self.0)(&mut octets);
        Ok(u64::from_le_bytes(octets))
    }

    fn try_fill_bytes(&mut self, octets: &mut [u8]) -> Result<(), Infallible> {
        (self.0)(octets);
        Ok(())
    }
}

impl TryCryptoRng for Source<'_> {}

#[cfg(test)]
mod tests {
    use septet_core::Seed;

    use super::*;

    #[test]
    fn what_one_key_closes_the_other_opens_and_a_seed_repeats_it() {
        let make = |seed: u64| {
            let mut stream = Seed::new(seed).stream("rsa");
            let mut random = |octets: &mut [u8]| stream.fill(octets);
            let key = RsaPrivate::generate(&mut random);
            let closed = key.public().close(&mut random, b"meet me at noon");
            (key, closed)
        };
        let ((key, closed), (again, same)) = (make(7), make(7));
        assert_eq!((key.to_octets(), &closed), (again.to_octets(), &same));
        let mut zeros = |octets: &mut [u8]| octets.fill(1);
        assert_eq!(key.open(&mut zeros, &closed).as_deref(), Some(&b"meet me at noon"[..]));
        let stolen = RsaPrivate::from_octets(&key.to_octets()).unwrap();
        assert_eq!(stolen.open(&mut zeros, &closed).as_deref(), Some(&b"meet me at noon"[..]));
        let public = RsaPublic::from_octets(&key.public().to_octets()).unwrap();
        let long = [5; 1000];
        let closed = public.close(&mut |octets| octets.fill(2), &long);
        assert_eq!((closed.len(), key.open(&mut zeros, &closed)), (6 * 256, Some(long.to_vec())));
        let mut changed = closed;
        changed[3] ^= 1;
        assert_eq!(key.open(&mut zeros, &changed), None);
        for nonsense in [&[][..], &[0; 256], &[255; 256], &[1; 255]] {
            let _ = (RsaPrivate::from_octets(nonsense), RsaPublic::from_octets(nonsense));
            assert_eq!(key.open(&mut zeros, nonsense), None);
        }
    }
}
