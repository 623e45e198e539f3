//! The TPDUs of class 0, coded and decoded (X.224 §13).

use bytes::{Buf as _, Bytes};

use crate::malformed::Malformed;

/// X.224 §13.3.4: the longest TSAP selector that is taken.
pub const MAX_SELECTOR: usize = 32;
/// Octets of a DT TPDU before its data.
pub const DATA_HEADER: usize = 3;

const CR: u8 = 0xe0;
const CC: u8 = 0xd0;
const DR: u8 = 0x80;
const DT: u8 = 0xf0;
const ER: u8 = 0x70;
const TPDU_SIZE: u8 = 0xc0;
const CALLING: u8 = 0xc1;
const CALLED: u8 = 0xc2;
/// §13.13: in an ER TPDU the code 1100 0001 holds the TPDU that was invalid.
const INVALID: u8 = 0xc1;
const ADDITIONAL: u8 = 0xe0;
const END: u8 = 0x80;

/// What a connection request and its confirm say.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Terms {
    /// The reference of whoever sends it.
    pub source: u16,
    /// The reference of the other end; nought in a request.
    pub destination: u16,
    /// The power of two that a TPDU may measure: 7 to 13. None stands for 65,531 octets, RFC 1006's default.
    pub size: Option<u8>,
    /// The TSAP that calls.
    pub calling: Bytes,
    /// The TSAP that is called.
    pub called: Bytes,
}

/// A TPDU of class 0.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Tpdu {
    /// CR: connection request, with the preferred class.
    ConnectionRequest(Terms, u8),
    /// CC: connection confirm, with the class that was chosen.
    ConnectionConfirm(Terms, u8),
    /// DR: disconnect request.
    DisconnectRequest {
        /// The other end's reference.
        destination: u16,
        /// The sender's.
        source: u16,
        /// Why (§13.5.3 d).
        reason: u8,
    },
    /// DT: data.
    Data {
        /// A piece of a TSDU.
        bytes: Bytes,
        /// Whether it is the last one.
        last: Last,
    },
    /// ER: a TPDU was in error.
    Error {
        /// The other end's reference.
        destination: u16,
        /// Why (§13.12.3 c).
        cause: u8,
        /// The header of what was invalid, as far as it is told.
        invalid: Bytes,
    },
}

/// Whether a DT TPDU ends its TSDU: its EOT mark.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Last {
    /// It does.
    Yes,
    /// More follows.
    No,
}

impl Tpdu {
    /// Reads a TPDU.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn parse(bytes: &Bytes) -> Result<Self, Malformed> {
        let wrong = |at, why: &str| Malformed::new("TPDU", at, why);
        let [li, code, ..] = **bytes else { return Err(wrong(0, "it has no header")) };
        let header = usize::from(li) + 1;
        if li == 255 || header > bytes.len() {
            return Err(wrong(0, "the header is longer than what is there"));
        }
        if li == 0 {
            return Err(wrong(0, "the header is too short"));
        }
        let mut rest = bytes.clone();
        rest.advance(header);
        let fixed = bytes.slice(2..header);
        // §13.3.2: the lower half of CR and CC is the credit, nought in class 0.
        match code & 0xf0 {
            CR | CC => {
                let name = if code & 0xf0 == CR { "CR TPDU" } else { "CC TPDU" };
                let [d1, d2, s1, s2, class, ..] = *fixed else {
                    return Err(Malformed::new(name, header, "references and class are missing"));
                };
                if !rest.is_empty() {
                    return Err(Malformed::new(name, header, "class 0 carries no user data here"));
                }
                let mut terms = Terms {
                    source: u16::from_be_bytes([s1, s2]),
                    destination: u16::from_be_bytes([d1, d2]),
                    ..Terms::default()
                };
                for (at, code, value) in parameters(name, &fixed, 5)? {
                    let short = |value: Bytes| {
                        let fits = value.len() <= MAX_SELECTOR;
                        fits.then_some(value).ok_or_else(|| Malformed::new(name, at, "a selector of over 32 octets"))
                    };
                    match code {
                        TPDU_SIZE => match *value {
                            [size @ 7..=13] => terms.size = Some(size),
                            _ => return Err(Malformed::new(name, at, "the TPDU size is none of 128 to 8192 octets")),
                        },
                        CALLING => terms.calling = short(value)?,
                        CALLED => terms.called = short(value)?,
                        // §13.2.3: "a parameter not defined in this Recommendation shall be ignored" in a CR TPDU; what a CC
                        // TPDU adds beyond class 0 (checksum, version) changes nothing either.
                        _ => {}
                    }
                }
                let class = class >> 4;
                Ok(if code & 0xf0 == CR {
                    Self::ConnectionRequest(terms, class)
                } else {
                    Self::ConnectionConfirm(terms, class)
                })
            }
            DR => {
                let [d1, d2, s1, s2, reason, ..] = *fixed else {
                    return Err(Malformed::new("DR TPDU", header, "references and reason are missing"));
                };
                let (destination, source) = (u16::from_be_bytes([d1, d2]), u16::from_be_bytes([s1, s2]));
                Ok(Self::DisconnectRequest { destination, source, reason })
            }
            DT => match *fixed {
                [number] => {
                    let last = if number & END != 0 { Last::Yes } else { Last::No };
                    Ok(Self::Data { bytes: rest, last })
                }
                _ => Err(Malformed::new("DT TPDU", 0, "in class 0 the header is 3 octets long")),
            },
            ER => {
                let [d1, d2, cause, ..] = *fixed else {
                    return Err(Malformed::new("ER TPDU", header, "reference and cause are missing"));
                };
                let found = parameters("ER TPDU", &fixed, 3)?;
                let invalid = found.into_iter().find(|(_, code, _)| *code == INVALID).map_or_else(Bytes::new, |p| p.2);
                Ok(Self::Error { destination: u16::from_be_bytes([d1, d2]), cause, invalid })
            }
            _ => Err(wrong(1, "no TPDU of class 0 has this code")),
        }
    }

    /// The octets of the TPDU.
    pub fn build(&self) -> Vec<u8> {
        let mut bytes = vec![0];
        let mut data: &[u8] = &[];
        match self {
            Self::ConnectionRequest(terms, class) => connection(&mut bytes, CR, terms, *class),
            Self::ConnectionConfirm(terms, class) => connection(&mut bytes, CC, terms, *class),
            Self::DisconnectRequest { destination, source, reason } => {
                bytes.push(DR);
                bytes.extend(destination.to_be_bytes());
                bytes.extend(source.to_be_bytes());
                bytes.push(*reason);
            }
            Self::Data { bytes: content, last } => {
                bytes.extend([DT, if *last == Last::Yes { END } else { 0 }]);
                data = content;
            }
            Self::Error { destination, cause, invalid } => {
                bytes.push(ER);
                bytes.extend(destination.to_be_bytes());
                bytes.push(*cause);
                if !invalid.is_empty() {
                    parameter(&mut bytes, INVALID, &invalid[..invalid.len().min(128)]);
                }
            }
        }
        bytes[0] = (bytes.len() - 1) as u8;
        bytes.extend_from_slice(data);
        bytes
    }
}

fn connection(bytes: &mut Vec<u8>, code: u8, terms: &Terms, class: u8) {
    let Terms { source, destination, size, calling, called } = terms;
    bytes.push(code);
    bytes.extend(destination.to_be_bytes());
    bytes.extend(source.to_be_bytes());
    bytes.push(class << 4);
    if let Some(size) = size {
        parameter(bytes, TPDU_SIZE, &[*size]);
    }
    for (code, selector) in [(CALLING, calling), (CALLED, called)] {
        if !selector.is_empty() {
            parameter(bytes, code, &selector[..selector.len().min(MAX_SELECTOR)]);
        }
    }
}

fn parameter(bytes: &mut Vec<u8>, code: u8, value: &[u8]) {
    bytes.extend([code, value.len() as u8]);
    bytes.extend_from_slice(value);
}

/// The variable part of a header whose fixed part, after the code, is `skip` octets long.
fn parameters(name: &'static str, fixed: &Bytes, skip: usize) -> Result<Vec<(usize, u8, Bytes)>, Malformed> {
    let mut at = skip;
    let mut found = Vec::new();
    while at < fixed.len() {
        // Length indicator and code stand before what is counted here.
        let place = at + 2;
        let [code, len] =
            *fixed.get(at..at + 2).ok_or_else(|| Malformed::new(name, place, "a parameter without length"))?
        else {
            return Err(Malformed::new(name, place, "a parameter without length"));
        };
        let end = at + 2 + usize::from(len);
        if end > fixed.len() {
            return Err(Malformed::new(name, place + 1, "a parameter longer than the header"));
        }
        if code != ADDITIONAL {
            found.push((place, code, fixed.slice(at + 2..end)));
        }
        at = end;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_request_as_other_systems_send_it() {
        let bytes = [17, 0xe0, 0, 0, 0, 1, 0, 0xc1, 2, 1, 0, 0xc2, 2, 1, 2, 0xc0, 1, 10];
        let Tpdu::ConnectionRequest(terms, 0) = Tpdu::parse(&Bytes::copy_from_slice(&bytes)).unwrap() else { panic!() };
        assert_eq!((terms.source, terms.size), (1, Some(10)));
        assert_eq!((&terms.calling[..], &terms.called[..]), (&[1, 0][..], &[1, 2][..]));
    }

    #[test]
    fn faults_have_their_place() {
        let why = |bytes: &'static [u8]| Tpdu::parse(&Bytes::from_static(bytes)).unwrap_err().to_string();
        assert_eq!(why(&[2, 0x10, 0]), "octet 1 of a TPDU: no TPDU of class 0 has this code");
        assert_eq!(why(&[9, 0xf0]), "octet 0 of a TPDU: the header is longer than what is there");
        assert_eq!(why(&[4, 0xf0, 1, 2, 3]), "octet 0 of a DT TPDU: in class 0 the header is 3 octets long");
        assert_eq!(why(&[8, 0xe0, 0, 0, 0, 1, 0, 0xc1, 9]), "octet 8 of a CR TPDU: a parameter longer than the header");
    }

    fn selector() -> impl Strategy<Value = Bytes> {
        proptest::collection::vec(any::<u8>(), 0..=MAX_SELECTOR).prop_map(Bytes::from)
    }

    fn any_tpdu() -> impl Strategy<Value = Tpdu> {
        let terms = || {
            (any::<u16>(), any::<u16>(), proptest::option::of(7_u8..=13), selector(), selector()).prop_map(
                |(source, destination, size, calling, called)| Terms { source, destination, size, calling, called },
            )
        };
        prop_oneof![
            (terms(), 0_u8..5).prop_map(|(t, c)| Tpdu::ConnectionRequest(t, c)),
            (terms(), 0_u8..5).prop_map(|(t, c)| Tpdu::ConnectionConfirm(t, c)),
            (any::<u16>(), any::<u16>(), any::<u8>())
                .prop_map(|(destination, source, reason)| Tpdu::DisconnectRequest { destination, source, reason }),
            (proptest::collection::vec(any::<u8>(), 0..300), any::<bool>()).prop_map(|(bytes, end)| Tpdu::Data {
                bytes: bytes.into(),
                last: if end { Last::Yes } else { Last::No }
            }),
            (any::<u16>(), any::<u8>(), proptest::collection::vec(any::<u8>(), 0..100))
                .prop_map(|(destination, cause, invalid)| Tpdu::Error { destination, cause, invalid: invalid.into() }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_built_is_read_again(tpdu in any_tpdu()) {
            prop_assert_eq!(Tpdu::parse(&tpdu.build().into()).unwrap(), tpdu);
        }

        #[test]
        fn nothing_breaks_it(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(tpdu) = Tpdu::parse(&bytes.into()) {
                prop_assert_eq!(Tpdu::parse(&tpdu.build().into()).unwrap(), tpdu);
            }
        }
    }
}
