//! Frames of a serial line as Wireshark reads them.

use core::fmt::Write as _;

use septet_datalink::hdlc;
use septet_datalink::lapb::{Control, LapbFrame, Modulo, Pf};

/// Wireshark's tags in front of an exported PDU: the dissector's name, a text for a column, the end.
const DISSECTOR_NAME: u16 = 12;
const PROTOCOL_TEXT: u16 = 33;
const END: u16 = 0;

/// A frame as Wireshark reads it.
pub(crate) struct Exported {
    /// Tags, and what they are about.
    pub(crate) bytes: Vec<u8>,
    /// Where in it an IP packet begins.
    pub(crate) ip: Option<usize>,
}

/// The frame in the octets `line`, without flags, stuffing and frame check, behind the tags that name its dissector;
/// what is no frame, or does not match its check, is shown as bare octets.
///
/// Wireshark takes what a numbered information frame carries for X.25, whatever it is. So the frame's header becomes a
/// text in a tag (`exported_pdu.col_proto_str`), and what follows is given to the dissector of PPP.
pub(crate) fn export(line: &[u8]) -> Exported {
    // What bits were flipped in is shown as it arrived.
    let body = hdlc::peek(line).filter(|peeked| peeked.fcs.is_some()).map(|peeked| peeked.body);
    let mut bytes = Vec::with_capacity(line.len() + 64);
    let body = match body.as_deref() {
        // In numbered mode the address is that of one end.
        Some(body @ [0x01 | 0x03, _, ..]) => match information(body) {
            Some((header, modulo)) => {
                tag(&mut bytes, DISSECTOR_NAME, "ppp");
                tag(&mut bytes, PROTOCOL_TEXT, &describe(body, header, modulo));
                &body[header..]
            }
            None => {
                tag(&mut bytes, DISSECTOR_NAME, "lapb");
                // The dissector counts modulo 8 only.
                if let [_, control, _] = body
                    && control & 3 == 1
                {
                    tag(&mut bytes, PROTOCOL_TEXT, &describe(body, 3, Modulo::OneTwentyEight));
                }
                body
            }
        },
        Some(body @ [_, _, ..]) => {
            tag(&mut bytes, DISSECTOR_NAME, "ppp_hdlc");
            body
        }
        _ => {
            tag(&mut bytes, DISSECTOR_NAME, "data");
            line
        }
    };
    bytes.extend(END.to_be_bytes());
    bytes.extend([0, 0]);
    let at = bytes.len();
    bytes.extend_from_slice(body);
    Exported { ip: packet(body).map(|packet| at + packet), bytes }
}

fn tag(bytes: &mut Vec<u8>, number: u16, text: &str) {
    let padded = text.len().next_multiple_of(4);
    bytes.extend(number.to_be_bytes());
    bytes.extend((padded as u16).to_be_bytes());
    bytes.extend_from_slice(text.as_bytes());
    bytes.resize(bytes.len() + padded - text.len(), 0);
}

/// Where in the numbered frame `body` a PPP packet begins, and how its frames are counted; `None` where it has none.
fn information(body: &[u8]) -> Option<(usize, Modulo)> {
    let is_ppp = |at: usize| {
        matches!(
            body.get(at..),
            Some(
                [0x00, 0x21 | 0x57, ..]
                    | [0x80 | 0xc0, 0x21, ..]
                    | [0x80, 0x57, ..]
                    | [0x21, 0x45..=0x4f, ..]
                    | [0x57, 0x60..=0x6f, ..]
            )
        )
    };
    if body.get(1)? & 1 != 0 {
        return None;
    }
    [(2, Modulo::Eight), (3, Modulo::OneTwentyEight)].into_iter().find(|(at, _)| is_ppp(*at))
}

/// The header of a numbered frame, in octets and in words: `LAPB 03 06: I, N(S)=3, N(R)=0`.
fn describe(body: &[u8], header: usize, modulo: Modulo) -> String {
    let mut text = "LAPB".to_owned();
    for octet in &body[..header] {
        let _ = write!(text, " {octet:02x}");
    }
    let Ok(frame) = LapbFrame::parse(body, modulo) else { return text };
    let _ = match frame.control {
        Control::I { ns, nr } => write!(text, ": I, N(S)={ns}, N(R)={nr}"),
        Control::Rr { nr } => write!(text, ": RR, N(R)={nr}"),
        Control::Rnr { nr } => write!(text, ": RNR, N(R)={nr}"),
        Control::Rej { nr } => write!(text, ": REJ, N(R)={nr}"),
        Control::Srej { nr } => write!(text, ": SREJ, N(R)={nr}"),
        _ => Ok(()),
    };
    if frame.pf == Pf::Set {
        text.push_str(", P/F");
    }
    text
}

/// The IP packet in the octets `line`, where there is one.
pub(crate) fn ip(line: &[u8]) -> Option<Vec<u8>> {
    let mut body = hdlc::peek(line)?.body;
    let at = match body.as_slice() {
        [0x01 | 0x03, ..] => information(&body)?.0,
        _ => 0,
    };
    body.drain(..at + packet(&body[at..])?);
    Some(body)
}

/// Where in an unnumbered frame or a PPP packet an IP packet begins.
fn packet(body: &[u8]) -> Option<usize> {
    let at = if body.starts_with(&[0xff, 0x03]) { 2 } else { 0 };
    match body.get(at..)? {
        [0x00, 0x21 | 0x57, ..] => Some(at + 2),
        [0x21 | 0x57, ..] => Some(at + 1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use septet_datalink::hdlc::{Accm, Fcs, encode};

    #[test]
    fn a_frame_names_its_dissector() {
        let export = |body: &[u8]| export(&encode(body, Fcs::Sixteen, Accm::ALL)).bytes;
        assert_eq!(export(&[0xff, 3, 0xc0, 0x21, 1])[..12], *b"\0\x0c\0\x08ppp_hdlc");
        assert_eq!(export(&[3, 0x3f])[..8], *b"\0\x0c\0\x04lapb");
        assert_eq!(export(&[3, 0x3f])[8..], [0, 0, 0, 0, 3, 0x3f]);
    }

    #[test]
    fn what_a_numbered_frame_carries_is_ppp_and_its_header_a_text() {
        let text = |body: &[u8]| {
            let Exported { bytes: export, ip } = export(&encode(body, Fcs::ThirtyTwo, Accm::NONE));
            assert!(ip.is_none_or(|at| export[at] == 0x45));
            let at = export.windows(4).position(|w| w == b"LAPB").unwrap();
            let end = export[at..].iter().position(|octet| *octet == 0).unwrap_or(export.len() - at);
            (export[4..8].to_vec(), String::from_utf8(export[at..at + end].to_vec()).unwrap(), export)
        };
        let (name, words, export) = text(&[3, 0x26, 0x00, 0x21, 0x45, 0]);
        assert_eq!((&name[..3], words.as_str()), (&b"ppp"[..], "LAPB 03 26: I, N(S)=3, N(R)=1"));
        assert!(export.ends_with(&[0x00, 0x21, 0x45, 0]));
        let (_, words, export) = text(&[1, 200, 15, 0x00, 0x21, 0x45, 0]);
        assert_eq!(words, "LAPB 01 c8 0f: I, N(S)=100, N(R)=7, P/F");
        assert!(export.ends_with(&[0x00, 0x21, 0x45, 0]));
        let (name, words, _) = text(&[3, 0x01, 80]);
        assert_eq!((&name[..], words.as_str()), (&b"lapb"[..], "LAPB 03 01 50: RR, N(R)=40"));
    }

    #[test]
    fn the_packet_is_found_in_every_frame() {
        let found = |body: &[u8]| ip(&encode(body, Fcs::Sixteen, Accm::NONE));
        for before in
            [&[0xff, 3, 0, 0x21][..], &[0xff, 3, 0x21], &[0x21], &[0, 0x21], &[1, 2, 0, 0x21], &[3, 2, 8, 0x21]]
        {
            assert_eq!(found(&[before, &[0x45, 9, 9]].concat()).as_deref(), Some(&[0x45, 9, 9][..]), "{before:x?}");
        }
        assert_eq!(found(&[0xff, 3, 0xc0, 0x21, 1, 2]), None);
    }
}
