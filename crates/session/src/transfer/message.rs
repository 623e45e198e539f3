//! What the two ends of a transfer tell each other in user data: an offer, its answer, and why it ends.

use core::fmt;

use bytes::Bytes;

use crate::spdu::Serial;

/// "Septet file transfer", version 1.
const MAGIC: &[u8; 4] = b"SFT1";
/// A step is at most so many octets.
const LARGEST_STEP: u32 = 1 << 30;
/// A reason is at most so long.
const REASON: usize = 400;

/// Which transfer it is: the identifier of its activity.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Id(pub [u8; 6]);

impl Id {
    /// That of a file: the same name, length and time of change are the same transfer, so that a sender who has forgotten
    /// everything goes on with it.
    pub fn of(name: &str, size: u64, changed: u64) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("septet 2026 transfer id");
        hasher.update(&size.to_be_bytes());
        hasher.update(&changed.to_be_bytes());
        hasher.update(name.as_bytes());
        let mut id = [0; 6];
        id.copy_from_slice(&hasher.finalize().as_bytes()[..6]);
        Self(id)
    }

    /// What [`Display`](fmt::Display) writes.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut id = [0; 6];
        if text.len() != 12 || !text.is_ascii() {
            return None;
        }
        for (n, octet) in id.iter_mut().enumerate() {
            *octet = u8::from_str_radix(&text[2 * n..2 * n + 2], 16).ok()?;
        }
        Some(Self(id))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({self})")
    }
}

/// What a sender would send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Offer {
    /// Which transfer it is.
    pub id: Id,
    /// The length of the file, in octets.
    pub size: u64,
    /// From one synchronization point to the next, in octets.
    pub step: u32,
    /// The name of the file.
    pub name: String,
}

impl Offer {
    /// The octets.
    pub fn build(&self) -> Bytes {
        let Self { id, size, step, name } = self;
        let mut bytes = MAGIC.to_vec();
        bytes.extend(id.0);
        bytes.extend(size.to_be_bytes());
        bytes.extend(step.to_be_bytes());
        bytes.extend((name.len() as u16).to_be_bytes());
        bytes.extend(name.as_bytes());
        bytes.into()
    }

    /// Reads an offer.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let rest = bytes.strip_prefix(MAGIC).ok_or("it is no offer of a file")?;
        let (head, name) = rest.split_at_checked(20).ok_or("the offer is too short")?;
        let array = |range: core::ops::Range<usize>| &head[range];
        let mut id = Id::default();
        id.0.copy_from_slice(array(0..6));
        let size = u64::from_be_bytes(array(6..14).try_into().map_err(|_| "size")?);
        let step = u32::from_be_bytes(array(14..18).try_into().map_err(|_| "step")?);
        let len = usize::from(u16::from_be_bytes([head[18], head[19]]));
        if name.len() != len {
            return Err("the offer ends within the name".to_owned());
        }
        let name = core::str::from_utf8(name).map_err(|_| "the name is no UTF-8")?.to_owned();
        if step == 0 || step > LARGEST_STEP {
            return Err(format!("a synchronization point every {step} octets"));
        }
        // The last serial number is that of the end.
        if size / u64::from(step) >= u64::from(Serial::MAX.get()) {
            return Err(format!("{size} octets are too many for points every {step}"));
        }
        Ok(Self { id, size, step, name })
    }
}

/// How an offer is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// The file is wanted, from the point with this number on; nought is its beginning.
    From(Serial),
    /// It is here, whole.
    Whole,
}

impl Answer {
    /// The octets.
    pub fn build(&self) -> Bytes {
        let (kind, serial) = match self {
            Self::From(serial) => (0, serial.get()),
            Self::Whole => (1, 0),
        };
        let mut bytes = MAGIC.to_vec();
        bytes.push(kind);
        bytes.extend(serial.to_be_bytes());
        bytes.into()
    }

    /// Reads an answer.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        match bytes.strip_prefix(MAGIC) {
            Some([0, serial @ ..]) => {
                let serial = serial.try_into().map(u32::from_be_bytes).ok().and_then(Serial::new);
                serial.map(Self::From).ok_or_else(|| "the answer has no serial number".to_owned())
            }
            Some([1, _, _, _, _]) => Ok(Self::Whole),
            _ => Err("the other end takes no files".to_owned()),
        }
    }
}

/// Why one end refuses or aborts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Told {
    /// Another try may do.
    Later(String),
    /// None will.
    Never(String),
}

impl Told {
    /// The octets.
    pub fn build(&self) -> Bytes {
        let (kind, why) = match self {
            Self::Later(why) => (0, why),
            Self::Never(why) => (1, why),
        };
        let mut bytes = vec![kind];
        bytes.extend(why.bytes().take(REASON));
        bytes.into()
    }

    /// Reads a reason; what cannot be read is one to try again.
    pub fn parse(bytes: &[u8]) -> Self {
        let shown = |text: &[u8]| {
            let text = String::from_utf8_lossy(&text[..text.len().min(REASON)]);
            text.chars().filter(|c| !c.is_control()).collect::<String>()
        };
        match bytes {
            [1, why @ ..] => Self::Never(shown(why)),
            [_, why @ ..] => Self::Later(shown(why)),
            [] => Self::Later("without a reason".to_owned()),
        }
    }

    /// The reason.
    pub fn why(&self) -> &str {
        match self {
            Self::Later(why) | Self::Never(why) => why,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_built_is_read_again(id in any::<[u8; 6]>(), size in 0_u64..1 << 40, name in ".{0,40}", n in 0_u32..999_999) {
            let offer = Offer { id: Id(id), size, step: 1 << 22, name };
            prop_assert_eq!(Offer::parse(&offer.build()), Ok(offer));
            for answer in [Answer::Whole, Answer::From(Serial::new(n).unwrap())] {
                prop_assert_eq!(Answer::parse(&answer.build()), Ok(answer));
            }
            prop_assert_eq!(Id::from_hex(&Id(id).to_string()), Some(Id(id)));
        }

        #[test]
        fn nothing_breaks_it(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = (Offer::parse(&bytes), Answer::parse(&bytes), Told::parse(&bytes));
            let _ = Offer::parse(&[&MAGIC[..], &bytes].concat());
        }
    }
}
