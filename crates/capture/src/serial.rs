//! Frames of a serial line as Wireshark reads them.

use septet_datalink::hdlc;

/// Wireshark's tags in front of an exported PDU: the dissector's name, the end.
const DISSECTOR_NAME: u16 = 12;
const END: u16 = 0;

/// The frame in the octets `line`, without flags, stuffing and frame check, behind the tags that name its dissector;
/// what is no frame is shown as bare octets.
pub(crate) fn export(line: &[u8]) -> Vec<u8> {
    let body = hdlc::peek(line);
    let (name, body) = match body.as_deref() {
        // In numbered mode the address is that of one end.
        Some(body @ [0x01 | 0x03, _, ..]) => ("lapb", body),
        Some(body @ [_, _, ..]) => ("ppp_hdlc", body),
        _ => ("data", line),
    };
    let mut padded = name.as_bytes().to_vec();
    padded.resize(name.len().next_multiple_of(4), 0);
    let mut bytes = Vec::with_capacity(body.len() + 16);
    bytes.extend(DISSECTOR_NAME.to_be_bytes());
    bytes.extend((padded.len() as u16).to_be_bytes());
    bytes.extend(padded);
    bytes.extend(END.to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend_from_slice(body);
    bytes
}

/// The IP packet in the octets `line`, where there is one.
pub(crate) fn ip(line: &[u8]) -> Option<Vec<u8>> {
    let mut body = hdlc::peek(line)?;
    let header = match body.as_slice() {
        [0xff, 0x03, 0x00, 0x21, ..] => 4,
        [0xff, 0x03, 0x21, ..] => 3,
        // Numbered: an I frame of modulo 8 or 128, and the protocol.
        [0x01 | 0x03, control, 0x00, 0x21, ..] if control & 1 == 0 => 4,
        [0x01 | 0x03, control, _, 0x00, 0x21, ..] if control & 1 == 0 => 5,
        [0x21, ..] => 1,
        _ => return None,
    };
    body.drain(..header);
    Some(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use septet_datalink::hdlc::{Accm, Fcs, encode};

    #[test]
    fn a_frame_names_its_dissector() {
        let export = |body: &[u8]| export(&encode(body, Fcs::Sixteen, Accm::ALL));
        assert_eq!(export(&[0xff, 3, 0xc0, 0x21, 1])[..12], *b"\0\x0c\0\x08ppp_hdlc");
        assert_eq!(export(&[3, 0x3f])[..8], *b"\0\x0c\0\x04lapb");
        assert_eq!(export(&[3, 0x3f])[8..], [0, 0, 0, 0, 3, 0x3f]);
    }
}
