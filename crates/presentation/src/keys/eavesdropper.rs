//! Who hears everything and is told nothing: what it can read of an exchange, at once and with keys stolen later.

use super::agreement::Agreement;
use super::exchange::{LongTerm, open};
use super::message::{Broken, Message};

/// How much of one conversation is remembered.
const MOST: usize = 1 << 20;

/// An eavesdropper on one conversation: what both say, in the order in which it was heard.
#[derive(Debug, Default)]
pub struct Eavesdropper {
    ways: [Vec<u8>; 2],
    heard: Vec<Message>,
}

impl Eavesdropper {
    /// Octets that one of the two said, 0 or 1; gives the messages that they complete.
    ///
    /// # Errors
    /// [`Broken`] where it is another conversation than one with keys.
    pub fn hear(&mut self, way: usize, octets: &[u8]) -> Result<Vec<Message>, Broken> {
        let said = &mut self.ways[way & 1];
        said.extend_from_slice(octets);
        let mut new = Vec::new();
        while let Some((message, len)) = Message::parse(said)? {
            said.drain(..len);
            new.push(message);
        }
        if said.len() > MOST {
            return Err(Broken::TooLong(said.len()));
        }
        self.heard.extend_from_slice(&new);
        Ok(new)
    }

    /// The text, where what was said is enough to read it.
    pub fn read(&self) -> Option<Vec<u8>> {
        let keys = self.heard.iter().filter_map(|message| match message {
            Message::Key(key) => Some(*key),
            _ => None,
        });
        self.open_with(keys)
    }

    /// The text, where what was said and the receiver's private keys are enough to read it: each key is tried on everything.
    pub fn read_with(&self, stolen: &LongTerm) -> Option<Vec<u8>> {
        // Blinding hides from others how long it takes; a thief hides it from nobody.
        let mut random = |octets: &mut [u8]| octets.fill(1);
        let mut keys = Vec::new();
        for message in &self.heard {
            match message {
                Message::ClosedText(closed) => {
                    if let Some(text) = stolen.rsa().open(&mut random, closed) {
                        return Some(text);
                    }
                }
                Message::ClosedKey(closed) => {
                    keys.extend(stolen.rsa().open(&mut random, closed).and_then(|key| <[u8; 32]>::try_from(key).ok()));
                }
                // The key that signs is not the secret behind the share; all a thief can do is try.
                Message::Share(share) | Message::SignedShare { share, .. } => {
                    keys.extend(Agreement::of(stolen.seed()).agree(*share));
                }
                _ => {}
            }
        }
        self.open_with(keys.into_iter()).or_else(|| self.read())
    }

    fn open_with(&self, keys: impl Iterator<Item = [u8; 32]>) -> Option<Vec<u8>> {
        let sealed = |message: &Message| match message {
            Message::SealedText(sealed) => Some(sealed.clone()),
            _ => None,
        };
        let sealed: Vec<_> = self.heard.iter().filter_map(sealed).collect();
        keys.flat_map(|key| sealed.iter().find_map(|sealed| open(&key, sealed)).into_iter().collect::<Vec<_>>()).next()
    }
}

#[cfg(test)]
mod tests {
    use septet_core::Seed;

    use super::super::exchange::{Receiver, Sender};
    use super::super::method::{METHODS, Method};
    use super::*;

    #[test]
    fn what_can_be_read_of_each() {
        let mut stream = Seed::new(3).stream("keys");
        let mut random = |octets: &mut [u8]| stream.fill(octets);
        let keys = LongTerm::generate(&mut random);
        let text = b"meet me at noon, and come alone: a text that is longer than one block of RSA has room for, which \
                     is a hundred and ninety octets with this padding, so that more than one block has to be closed";
        for known in METHODS {
            let (mut sender, mut receiver) = (Sender::new(known.method, text), Receiver::new(&keys));
            let mut thief = Eavesdropper::default();
            let mut said = sender.begin(&mut random);
            while !said.is_empty() {
                let mut answers = Vec::new();
                for message in said {
                    // In pieces, as it comes off a wire.
                    for piece in message.to_octets().chunks(7) {
                        thief.hear(0, piece).unwrap();
                    }
                    answers.extend(receiver.hear(&message, &mut random).unwrap());
                }
                said = Vec::new();
                for answer in answers {
                    thief.hear(1, &answer.to_octets()).unwrap();
                    said.extend(sender.hear(&answer, &mut random).unwrap());
                }
            }
            assert!(sender.is_done());
            assert_eq!(receiver.text(), Some(&text[..]), "{}", known.name);
            let stolen = LongTerm::from_octets(&keys.to_octets()).unwrap();
            let (at_once, later) = (thief.read().is_some(), thief.read_with(&stolen).is_some());
            let expected = match known.method {
                Method::Symmetric => (true, true),
                Method::Public | Method::Hybrid => (false, true),
                Method::Agreement => (false, false),
            };
            assert_eq!((at_once, later), expected, "{}", known.name);
        }
    }

    #[test]
    fn another_conversation_is_none() {
        let mut thief = Eavesdropper::default();
        assert_eq!(thief.hear(0, b"GET / HTTP/1.1\r\n"), Err(Broken::NotAMessage));
        assert_eq!(thief.hear(1, &[1, 0, 0, 0]), Ok(Vec::new()));
        assert_eq!(thief.hear(1, &[9]), Ok(Vec::new()));
        assert_eq!(Eavesdropper::default().hear(0, &[1, 255, 0, 0, 0]), Err(Broken::TooLong(0xff00_0000)));
        assert_eq!(Eavesdropper::default().hear(0, &[1, 0, 0, 0, 1, 5]), Err(Broken::NotAMessage));
    }
}
