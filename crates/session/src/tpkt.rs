//! TPKT: packets in the stream of a TCP connection (RFC 1006 §6).

use bytes::{Buf as _, Bytes, BytesMut};

use crate::malformed::Malformed;

/// Octets before each TPDU.
pub const HEADER: usize = 4;
/// The longest packet, its header included.
pub const MAX_PACKET: usize = 65_535;
/// The longest TPDU: RFC 1006 §4 "permits 65531 octets", what is left of a packet.
pub const MAX_TPDU: usize = MAX_PACKET - HEADER;
/// RFC 1006 §6: "the minimum packet length is 7 octets".
const MIN_PACKET: usize = 7;
/// "This field is always 3 for the version of the protocol described in this memo."
const VERSION: u8 = 3;

/// The header of a packet around a TPDU of `len` octets.
///
/// # Panics
/// Where it does not fit a packet: `len` is above [`MAX_TPDU`].
pub fn header(len: usize) -> [u8; HEADER] {
    assert!(len <= MAX_TPDU, "a TPDU of {len} octets in a TPKT");
    let [high, low] = ((len + HEADER) as u16).to_be_bytes();
    [VERSION, 0, high, low]
}

/// Finds the packets in a stream, however it is cut. It keeps at most one packet that is not complete.
#[derive(Debug, Default)]
pub struct Decoder {
    waiting: BytesMut,
}

impl Decoder {
    /// Takes octets of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
    }

    /// The next TPDU, where all of it came.
    ///
    /// # Errors
    /// The stream is none of packets; nothing can be read from it any more.
    pub fn poll(&mut self) -> Result<Option<Bytes>, Malformed> {
        let wrong = |at, why: String| Err(Malformed::new("TPKT", at, why));
        if let Some(version) = self.waiting.first().filter(|v| **v != VERSION) {
            return wrong(0, format!("the version is {version}, not 3"));
        }
        let [_, _, high, low, ..] = *self.waiting else { return Ok(None) };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length < MIN_PACKET {
            return wrong(2, format!("the length is {length}, at least {MIN_PACKET} must be"));
        }
        if self.waiting.len() < length {
            return Ok(None);
        }
        let mut packet = self.waiting.split_to(length).freeze();
        packet.advance(HEADER);
        Ok(Some(packet))
    }

    /// Octets that wait for the rest of their packet.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_none_is_refused_at_its_place() {
        let mut decoder = Decoder::default();
        decoder.push(b"GET / HTTP/1.1\r\n");
        assert_eq!(decoder.poll().unwrap_err().to_string(), "octet 0 of a TPKT: the version is 71, not 3");
        let mut decoder = Decoder::default();
        decoder.push(&[3, 0, 0, 6, 0, 0]);
        assert_eq!(decoder.poll().unwrap_err().at, 2);
    }

    proptest! {
        #[test]
        fn packets_come_out_however_the_stream_is_cut(
            tpdus in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 3..200), 0..8),
            cut in 1_usize..50,
        ) {
            let mut stream = Vec::new();
            for tpdu in &tpdus {
                stream.extend(header(tpdu.len()));
                stream.extend(tpdu);
            }
            let mut decoder = Decoder::default();
            let mut found = Vec::new();
            for piece in stream.chunks(cut) {
                decoder.push(piece);
                while let Some(tpdu) = decoder.poll().unwrap() {
                    found.push(tpdu.to_vec());
                }
            }
            prop_assert_eq!(found, tpdus);
            prop_assert_eq!(decoder.waiting(), 0);
        }
    }
}
