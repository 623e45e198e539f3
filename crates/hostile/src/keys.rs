//! What an authority is handed, and what an eavesdropper hears: certificates, requests, lists, messages with keys.

use septet_presentation::ca::{self, Request};
use septet_presentation::keys::{Eavesdropper, Message};

/// Octets as a PEM file, as the DER within one, and as one side of an exchange of keys.
pub fn certificates(bytes: &[u8]) {
    read(bytes);
    for label in ["CERTIFICATE", "CERTIFICATE REQUEST", "X509 CRL"] {
        read(format!("-----BEGIN {label}-----\n{}-----END {label}-----\n", base64(bytes)).as_bytes());
    }
    let mut whole = Eavesdropper::default();
    let mut cut = Eavesdropper::default();
    let heard = whole.hear(0, bytes);
    let mut pieces = bytes.chunks(5).map(|piece| cut.hear(0, piece));
    let cut_heard: Result<Vec<Vec<Message>>, _> = pieces.by_ref().collect();
    assert_eq!(heard.is_ok(), cut_heard.is_ok(), "cutting changes something");
    if let (Ok(heard), Ok(cut_heard)) = (heard, cut_heard) {
        assert_eq!(heard, cut_heard.concat(), "cutting changes something");
        let said: Vec<u8> = heard.iter().flat_map(Message::to_octets).collect();
        assert!(bytes.starts_with(&said), "a message is not what it was read from");
        assert_eq!(whole.read(), cut.read());
    }
}

fn read(text: &[u8]) {
    let _ = (ca::describe(text), ca::serial_of(text), ca::list_number(text), ca::is_same_certificate(text, text));
    if let Ok(request) = Request::from_pem(text) {
        assert!(!request.names().is_empty());
        for name in request.names() {
            ca::check_name(name).expect("names are checked");
        }
    }
}

/// Lines of 64 digits (RFC 7468 §2).
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for line in bytes.chunks(48) {
        for three in line.chunks(3) {
            let word = three.iter().fold(0_u32, |word, b| word << 8 | u32::from(*b)) << (8 * (3 - three.len()));
            for i in 0..4 {
                let digit = DIGITS[(word >> (18 - 6 * i) & 63) as usize];
                out.push(if i > three.len() { '=' } else { char::from(digit) });
            }
        }
        out.push('\n');
    }
    out
}
