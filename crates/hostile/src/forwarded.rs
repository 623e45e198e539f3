//! What a connection begins with that somebody passed on.

use septet_application::proxy_protocol::{Header, Version};

/// Bytes as the beginning of a connection from where the PROXY protocol is expected.
pub fn proxy_protocol(bytes: &[u8]) {
    let read = Header::read(bytes);
    let Ok(Some((header, length))) = read else {
        // What is no header with so many bytes is none with more.
        if read.is_err() {
            let more = [bytes, b"\r\n\r\n".as_slice()].concat();
            assert!(Header::read(&more).is_err(), "more bytes make it a header");
        }
        return;
    };
    assert!(length <= bytes.len());
    for cut in [0, length / 2, length - 1] {
        assert_eq!(Header::read(&bytes[..cut]), Ok(None), "it ends before its end");
    }
    for version in [Version::V1, Version::V2] {
        let written = header.write(version);
        let again = Header::read(&written).expect("what is written is a header").expect("and whole");
        assert_eq!(again.1, written.len());
        // Addresses of IPv4 within IPv6 are written as what they are.
        let (Header::Proxied { source: a, .. }, Header::Proxied { source: b, .. }) = (header, again.0) else {
            assert_eq!((header, again.0), (Header::Own, Header::Own));
            continue;
        };
        assert_eq!((a.ip().to_canonical(), a.port()), (b.ip().to_canonical(), b.port()));
    }
}
