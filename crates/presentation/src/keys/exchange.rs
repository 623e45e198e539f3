//! The three ways to keep a text from others, and what TLS 1.3 does: sender and receiver as state machines.

use core::fmt;

use super::Random;
use super::agreement::{Agreement, SIGNATURE, Signer, verify};
use super::message::{Broken, Message};
use super::method::Method;
use super::rsa::{RsaPrivate, RsaPublic};
use super::symmetric::{Cipher, SymmetricKey};

const CIPHER: Cipher = Cipher::Aes256Gcm;

/// The private keys that a receiver keeps for long.
pub struct LongTerm {
    rsa: RsaPrivate,
    seed: [u8; 32],
}

impl LongTerm {
    /// New keys: one that opens, and one that signs.
    pub fn generate(random: Random<'_>) -> Self {
        let mut seed = [0; 32];
        random(&mut seed);
        Self { rsa: RsaPrivate::generate(random), seed }
    }

    /// The keys, for whoever steals them.
    pub fn to_octets(&self) -> Vec<u8> {
        [&self.seed[..], &self.rsa.to_octets()].concat()
    }

    /// Keys that were stolen; nothing where these are none.
    pub fn from_octets(octets: &[u8]) -> Option<Self> {
        let (seed, rsa) = octets.split_first_chunk()?;
        Some(Self { rsa: RsaPrivate::from_octets(rsa)?, seed: *seed })
    }

    pub(super) fn rsa(&self) -> &RsaPrivate {
        &self.rsa
    }

    pub(super) fn seed(&self) -> [u8; 32] {
        self.seed
    }
}

impl fmt::Debug for LongTerm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LongTerm")
    }
}

/// Who sends a text.
#[derive(Debug)]
pub struct Sender {
    method: Method,
    text: Vec<u8>,
    agreement: Option<Agreement>,
    is_done: bool,
}

impl Sender {
    /// A sender of `text`.
    pub fn new(method: Method, text: &[u8]) -> Self {
        Self { method, text: text.to_vec(), agreement: None, is_done: false }
    }

    /// What it says first.
    pub fn begin(&mut self, random: Random<'_>) -> Vec<Message> {
        let mut messages = vec![Message::Hello(self.method)];
        match self.method {
            Method::Symmetric => {
                let mut key = [0; 32];
                random(&mut key);
                messages.extend([Message::Key(key), self.seal(&key, random)]);
            }
            Method::Public | Method::Hybrid => {}
            Method::Agreement => {
                let agreement = Agreement::new(random);
                messages.push(Message::Share(agreement.share()));
                self.agreement = Some(agreement);
            }
        }
        messages
    }

    /// What it says to an answer.
    ///
    /// # Errors
    /// [`Broken::OutOfTurn`], and [`Broken::DoesNotOpen`] where a signature does not hold.
    pub fn hear(&mut self, answer: &Message, random: Random<'_>) -> Result<Vec<Message>, Broken> {
        match (self.method, answer) {
            (Method::Public | Method::Hybrid, Message::PublicKey(modulus)) if !self.is_done => {
                let public = RsaPublic::from_octets(modulus).ok_or(Broken::NotAMessage)?;
                if self.method == Method::Public {
                    self.is_done = true;
                    return Ok(vec![Message::ClosedText(public.close(random, &self.text))]);
                }
                let mut key = [0; 32];
                random(&mut key);
                Ok(vec![Message::ClosedKey(public.close(random, &key)), self.seal(&key, random)])
            }
            (Method::Agreement, Message::SignedShare { share, signer, signature }) => {
                let own = self.agreement.take().ok_or(Broken::OutOfTurn(answer.what()))?;
                if !verify(signer, &both(&own.share(), share), signature) {
                    return Err(Broken::DoesNotOpen("the share"));
                }
                let key = own.agree(*share).ok_or(Broken::DoesNotOpen("the share"))?;
                Ok(vec![self.seal(&key, random)])
            }
            _ => Err(Broken::OutOfTurn(answer.what())),
        }
    }

    /// Whether the text is on its way.
    pub fn is_done(&self) -> bool {
        self.is_done
    }

    fn seal(&mut self, key: &[u8; 32], random: Random<'_>) -> Message {
        self.is_done = true;
        let mut nonce = [0; 12];
        random(&mut nonce);
        Message::SealedText(SymmetricKey::new(CIPHER, key).seal(nonce, &self.text))
    }
}

/// Who receives a text.
#[derive(Debug)]
pub struct Receiver<'a> {
    keys: &'a LongTerm,
    method: Option<Method>,
    key: Option<[u8; 32]>,
    text: Option<Vec<u8>>,
}

impl<'a> Receiver<'a> {
    /// A receiver with these private keys.
    pub fn new(keys: &'a LongTerm) -> Self {
        Self { keys, method: None, key: None, text: None }
    }

    /// What it says to a message.
    ///
    /// # Errors
    /// [`Broken::OutOfTurn`] and [`Broken::DoesNotOpen`].
    pub fn hear(&mut self, message: &Message, random: Random<'_>) -> Result<Vec<Message>, Broken> {
        let foreign = || Broken::DoesNotOpen(message.what());
        match (self.method, message) {
            (None, Message::Hello(method)) => {
                self.method = Some(*method);
                let asks = matches!(method, Method::Public | Method::Hybrid);
                return Ok(if asks {
                    vec![Message::PublicKey(self.keys.rsa.public().to_octets())]
                } else {
                    Vec::new()
                });
            }
            (Some(Method::Symmetric), Message::Key(key)) => self.key = Some(*key),
            (Some(Method::Public), Message::ClosedText(closed)) => {
                self.text = Some(self.keys.rsa.open(random, closed).ok_or_else(foreign)?);
            }
            (Some(Method::Hybrid), Message::ClosedKey(closed)) => {
                let key = self.keys.rsa.open(random, closed).ok_or_else(foreign)?;
                self.key = Some(key.try_into().map_err(|_| Broken::NotAMessage)?);
            }
            (Some(Method::Agreement), Message::Share(other)) if self.key.is_none() => {
                let own = Agreement::new(random);
                let (share, signer) = (own.share(), Signer::of(&self.keys.seed));
                let signature: [u8; SIGNATURE] = signer.sign(&both(other, &share));
                self.key = Some(own.agree(*other).ok_or_else(foreign)?);
                return Ok(vec![Message::SignedShare { share, signer: signer.public(), signature }]);
            }
            (Some(_), Message::SealedText(sealed)) => {
                let key = self.key.ok_or(Broken::OutOfTurn(message.what()))?;
                self.text = Some(SymmetricKey::new(CIPHER, &key).open(sealed).ok_or_else(foreign)?);
            }
            _ => return Err(Broken::OutOfTurn(message.what())),
        }
        Ok(Vec::new())
    }

    /// The text, once it is there.
    pub fn text(&self) -> Option<&[u8]> {
        self.text.as_deref()
    }

    /// How it was kept from others.
    pub fn method(&self) -> Option<Method> {
        self.method
    }
}

fn both(of_sender: &[u8; 32], of_receiver: &[u8; 32]) -> Vec<u8> {
    [&of_sender[..], of_receiver].concat()
}

pub(super) fn open(key: &[u8; 32], sealed: &[u8]) -> Option<Vec<u8>> {
    SymmetricKey::new(CIPHER, key).open(sealed)
}
