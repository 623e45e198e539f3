//! What two say to each other before a text, and the text itself: one octet for the kind, four for the length, the content.

use core::fmt;

use super::agreement::SIGNATURE;
use super::method::{METHODS, Method};

/// No message is longer.
const LONGEST: usize = 1 << 20;

/// A message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message {
    /// How the text is to be kept from others.
    Hello(Method),
    /// The key itself.
    Key([u8; 32]),
    /// A public key of RSA, its modulus.
    PublicKey(Vec<u8>),
    /// The key, closed with a public key.
    ClosedKey(Vec<u8>),
    /// The text, closed with a public key.
    ClosedText(Vec<u8>),
    /// One's share in a key.
    Share([u8; 32]),
    /// The other's share, who made it, and a signature of both shares.
    SignedShare {
        /// The share.
        share: [u8; 32],
        /// The public key of who signed.
        signer: [u8; 32],
        /// The signature.
        signature: [u8; SIGNATURE],
    },
    /// The text, sealed with the key.
    SealedText(Vec<u8>),
}

/// What is no message, or not the one that comes next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Broken {
    /// No message begins like this.
    NotAMessage,
    /// It says that it is too long.
    TooLong(usize),
    /// It comes out of turn.
    OutOfTurn(&'static str),
    /// What is closed or signed with another key, or was changed.
    DoesNotOpen(&'static str),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAMessage => f.write_str("what came is no message of this exchange"),
            Self::TooLong(len) => write!(f, "a message of {len} bytes, of which {LONGEST} are too many"),
            Self::OutOfTurn(what) => write!(f, "{what} came out of turn"),
            Self::DoesNotOpen(what) => write!(f, "{what} was made with another key, or changed on its way"),
        }
    }
}

impl std::error::Error for Broken {}

impl Message {
    /// What it is, in a few words.
    pub fn what(&self) -> &'static str {
        match self {
            Self::Hello(_) => "a hello",
            Self::Key(_) => "the key",
            Self::PublicKey(_) => "a public key",
            Self::ClosedKey(_) => "the key, closed with the public key",
            Self::ClosedText(_) => "the text, closed with the public key",
            Self::Share(_) => "a share in a key",
            Self::SignedShare { .. } => "the other share in the key, signed",
            Self::SealedText(_) => "the text, sealed with the key",
        }
    }

    /// As it is sent.
    pub fn to_octets(&self) -> Vec<u8> {
        let (kind, content): (u8, Vec<u8>) = match self {
            Self::Hello(method) => {
                let name = METHODS.iter().find(|known| known.method == *method).map_or("", |known| known.name);
                (0, name.into())
            }
            Self::Key(key) => (1, key.to_vec()),
            Self::PublicKey(modulus) => (2, modulus.clone()),
            Self::ClosedKey(closed) => (3, closed.clone()),
            Self::ClosedText(closed) => (4, closed.clone()),
            Self::Share(share) => (5, share.to_vec()),
            Self::SignedShare { share, signer, signature } => (6, [&share[..], signer, signature].concat()),
            Self::SealedText(sealed) => (7, sealed.clone()),
        };
        let len = u32::try_from(content.len()).unwrap_or(u32::MAX);
        [&[kind][..], &len.to_be_bytes(), &content].concat()
    }

    /// The first message of `octets` and how long it is; none yet where more is to come.
    ///
    /// # Errors
    /// [`Broken::NotAMessage`] and [`Broken::TooLong`].
    pub fn parse(octets: &[u8]) -> Result<Option<(Self, usize)>, Broken> {
        let Some((&[kind, a, b, c, d], rest)) = octets.split_first_chunk() else { return Ok(None) };
        if kind > 7 {
            return Err(Broken::NotAMessage);
        }
        let len = u32::from_be_bytes([a, b, c, d]) as usize;
        if len > LONGEST {
            return Err(Broken::TooLong(len));
        }
        let Some(content) = rest.get(..len) else { return Ok(None) };
        let key = |content: &[u8]| <[u8; 32]>::try_from(content).map_err(|_| Broken::NotAMessage);
        let message = match kind {
            0 => {
                let known = METHODS.iter().find(|known| known.name.as_bytes() == content);
                Self::Hello(known.ok_or(Broken::NotAMessage)?.method)
            }
            1 => Self::Key(key(content)?),
            2 => Self::PublicKey(content.to_vec()),
            3 => Self::ClosedKey(content.to_vec()),
            4 => Self::ClosedText(content.to_vec()),
            5 => Self::Share(key(content)?),
            6 => {
                let (share, rest) = content.split_first_chunk().ok_or(Broken::NotAMessage)?;
                let (signer, signature) = rest.split_first_chunk().ok_or(Broken::NotAMessage)?;
                let signature = signature.try_into().map_err(|_| Broken::NotAMessage)?;
                Self::SignedShare { share: *share, signer: *signer, signature }
            }
            _ => Self::SealedText(content.to_vec()),
        };
        Ok(Some((message, 5 + len)))
    }
}
