//! Randomness for TLS in virtual time: every byte comes from the `Net` whose stream is being polled.
//!
//! rustls wants its random source and key exchanges as statics, while a process may run many worlds. So the statics
//! look up the network that [`enter`] put in place around the poll; outside of such a scope they refuse to work, which
//! keeps them out of real time.

use std::cell::RefCell;
use std::sync::Arc;

use rustls::crypto::{
    ActiveKeyExchange, CryptoProvider, GetRandomFailed, SecureRandom, SharedSecret, SupportedKxGroup, ring,
};
use rustls::{Error, NamedGroup, PeerMisbehaved};
use septet_socket::{Entropy, NetRef};
use x25519_dalek::{PublicKey, StaticSecret};

/// The provider that `net` calls for: the stock one, unless its randomness is seeded.
pub(super) fn provider_for(net: &NetRef) -> Arc<CryptoProvider> {
    let mut provider = ring::default_provider();
    match net.entropy() {
        Entropy::System => {}
        // The stock key exchanges draw from the operating system themselves, so they have to go as well.
        Entropy::Seeded => {
            provider.secure_random = &Seeded;
            provider.kx_groups = vec![&X25519];
        }
    }
    Arc::new(provider)
}

thread_local! {
    static NET: RefCell<Option<NetRef>> = const { RefCell::new(None) };
}

/// Puts the network before this one back when dropped.
pub(super) struct Scope(Option<Option<NetRef>>);

/// Lets the statics draw from `net` until the scope is dropped. Nothing is done where its randomness is not seeded.
pub(super) fn enter(net: &NetRef) -> Scope {
    match net.entropy() {
        Entropy::System => Scope(None),
        Entropy::Seeded => Scope(Some(NET.replace(Some(net.clone())))),
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        if let Some(outer) = self.0.take() {
            NET.set(outer);
        }
    }
}

#[derive(Debug)]
struct Seeded;

impl SecureRandom for Seeded {
    fn fill(&self, buf: &mut [u8]) -> Result<(), GetRandomFailed> {
        let net = NET.with_borrow(Clone::clone).ok_or(GetRandomFailed)?;
        net.fill_random(buf);
        Ok(())
    }
}

#[derive(Debug)]
struct X25519;

impl SupportedKxGroup for X25519 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let mut secret = [0; 32];
        Seeded.fill(&mut secret)?;
        let secret = StaticSecret::from(secret);
        let public = PublicKey::from(&secret).to_bytes();
        Ok(Box::new(Exchange { secret, public }))
    }

    fn ffdhe_group(&self) -> Option<rustls::ffdhe_groups::FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

struct Exchange {
    secret: StaticSecret,
    public: [u8; 32],
}

impl ActiveKeyExchange for Exchange {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        let peer: [u8; 32] = peer.try_into().map_err(|_| Error::from(PeerMisbehaved::InvalidKeyShare))?;
        let shared = self.secret.diffie_hellman(&peer.into());
        // RFC 8446 §7.4.2: "implementations MUST check whether the computed Diffie-Hellman shared secret is the
        // all-zero value and abort if so".
        if !shared.was_contributory() {
            return Err(PeerMisbehaved::InvalidKeyShare.into());
        }
        Ok(SharedSecret::from(&shared.as_bytes()[..]))
    }

    fn ffdhe_group(&self) -> Option<rustls::ffdhe_groups::FfdheGroup<'static>> {
        None
    }

    fn pub_key(&self) -> &[u8] {
        &self.public
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_to_work_outside_of_a_scope() {
        assert!(Seeded.fill(&mut [0; 4]).is_err());
        assert!(X25519.start().is_err());
    }
}
