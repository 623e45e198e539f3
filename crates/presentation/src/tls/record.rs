//! Reads the hellos off a byte stream of TLS records, as an onlooker would.

use rustls::ProtocolVersion;

/// RFC 8446 §5.1: "The length MUST NOT exceed 2^14 bytes"; ciphertext may add 256, TLS 1.2's 2,048.
const MAX_RECORD: usize = 16_384 + 2_048;
/// A hello longer than this is not followed.
const MAX_HELLO: usize = 64 * 1024;

/// What the records of one direction show.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Seen {
    /// A ClientHello.
    ClientHello(ClientHello),
    /// A ServerHello.
    ServerHello(ServerHello),
    /// A record that is encrypted, or comes after the hellos, with its whole length.
    Later(usize),
}

/// What a ClientHello says in the open.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct ClientHello {
    /// The handshake message's length, its header included.
    pub(super) bytes: usize,
    /// The name asked for.
    pub(super) sni: Option<String>,
    /// The protocols offered by ALPN.
    pub(super) alpn: Vec<String>,
    /// The versions offered.
    pub(super) versions: Vec<ProtocolVersion>,
    /// How many cipher suites are offered.
    pub(super) suites: usize,
    /// Whether it offers to resume an earlier session.
    pub(super) psk: bool,
}

/// What a ServerHello says in the open.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct ServerHello {
    /// The handshake message's length, its header included.
    pub(super) bytes: usize,
    /// The version chosen.
    pub(super) version: ProtocolVersion,
    /// The cipher suite chosen.
    pub(super) suite: u16,
    /// Whether an earlier session is resumed.
    pub(super) psk: bool,
    /// Whether it asks the client to begin anew with another key share.
    pub(super) retry: bool,
}

/// Follows one direction of a connection.
#[derive(Default)]
pub(super) struct Scanner {
    record: Vec<u8>,
    handshake: Vec<u8>,
    /// Bytes of a record of no interest still to come.
    skip: usize,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum State {
    /// Handshake messages are in the open.
    #[default]
    Open,
    /// What follows is encrypted.
    Closed,
    /// The bytes are not TLS.
    Lost,
}

impl Scanner {
    /// Takes the next bytes of the stream and calls `seen` for what they complete.
    pub(super) fn feed(&mut self, mut bytes: &[u8], mut seen: impl FnMut(Seen)) {
        while !bytes.is_empty() && self.state != State::Lost {
            if self.skip > 0 {
                let n = self.skip.min(bytes.len());
                self.skip -= n;
                bytes = &bytes[n..];
                continue;
            }
            let wanted = match self.record.get(3..5) {
                None => 5 - self.record.len(),
                Some(len) => 5 + usize::from(u16::from_be_bytes([len[0], len[1]])) - self.record.len(),
            };
            let n = wanted.min(bytes.len());
            self.record.extend_from_slice(&bytes[..n]);
            bytes = &bytes[n..];
            self.step(&mut seen);
        }
    }

    /// Acts on the record gathered so far.
    fn step(&mut self, seen: &mut impl FnMut(Seen)) {
        let [kind, _, _, hi, lo, body @ ..] = &self.record[..] else { return };
        let len = usize::from(u16::from_be_bytes([*hi, *lo]));
        if len > MAX_RECORD || !(20..=24).contains(kind) {
            self.state = State::Lost;
            return;
        }
        if *kind != 22 || self.state == State::Closed {
            if *kind == 20 {
                self.state = State::Closed;
            } else {
                seen(Seen::Later(5 + len));
            }
            self.skip = len - body.len();
            self.record.clear();
            return;
        }
        if body.len() < len {
            return;
        }
        if self.handshake.len() + len > MAX_HELLO {
            self.state = State::Lost;
            return;
        }
        self.handshake.extend_from_slice(body);
        self.record.clear();
        while let [kind, a, b, c, rest @ ..] = &self.handshake[..] {
            let len = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
            let Some(body) = rest.get(..len) else { return };
            match kind {
                1 => {
                    if let Some(hello) = client_hello(body) {
                        seen(Seen::ClientHello(hello));
                    }
                }
                2 => {
                    if let Some(hello) = server_hello(body) {
                        // RFC 8446 §2: after a TLS 1.3 ServerHello all handshake messages are encrypted, but a
                        // HelloRetryRequest is followed by another one in the open.
                        if hello.version == ProtocolVersion::TLSv1_3 && !hello.retry {
                            self.state = State::Closed;
                        }
                        seen(Seen::ServerHello(hello));
                    }
                }
                _ => seen(Seen::Later(4 + len)),
            }
            self.handshake.drain(..4 + len);
        }
    }
}

fn client_hello(body: &[u8]) -> Option<ClientHello> {
    let mut r = Reader(body);
    let legacy = r.u16()?;
    r.take(32)?;
    r.vec8()?;
    let suites = r.vec16()?.0.len() / 2;
    r.vec8()?;
    let mut hello = ClientHello { bytes: 4 + body.len(), suites, ..ClientHello::default() };
    let mut extensions = r.vec16().unwrap_or(Reader(&[]));
    while !extensions.0.is_empty() {
        let kind = extensions.u16()?;
        let mut data = extensions.vec16()?;
        match kind {
            // server_name, RFC 6066 §3
            0 => {
                let mut names = data.vec16()?;
                if names.u8()? == 0 {
                    hello.sni = Some(String::from_utf8_lossy(names.vec16()?.0).into_owned());
                }
            }
            // application_layer_protocol_negotiation, RFC 7301 §3.1
            16 => {
                let mut names = data.vec16()?;
                while !names.0.is_empty() {
                    hello.alpn.push(String::from_utf8_lossy(names.vec8()?.0).into_owned());
                }
            }
            // pre_shared_key, RFC 8446 §4.2.11
            41 => hello.psk = true,
            // supported_versions, RFC 8446 §4.2.1
            43 => {
                let mut versions = data.vec8()?;
                while !versions.0.is_empty() {
                    hello.versions.push(versions.u16()?.into());
                }
            }
            _ => {}
        }
    }
    if hello.versions.is_empty() {
        hello.versions.push(legacy.into());
    }
    Some(hello)
}

/// RFC 8446 §4.1.3: the SHA-256 of "HelloRetryRequest" in place of the random.
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11,
    0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

fn server_hello(body: &[u8]) -> Option<ServerHello> {
    let mut r = Reader(body);
    let mut version = r.u16()?;
    let retry = r.take(32)? == RETRY;
    r.vec8()?;
    let suite = r.u16()?;
    r.u8()?;
    let mut psk = false;
    let mut extensions = r.vec16().unwrap_or(Reader(&[]));
    while !extensions.0.is_empty() {
        let kind = extensions.u16()?;
        let mut data = extensions.vec16()?;
        match kind {
            41 => psk = true,
            43 => version = data.u16()?,
            _ => {}
        }
    }
    Some(ServerHello { bytes: 4 + body.len(), version: version.into(), suite, psk, retry })
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(n)?;
        self.0 = tail;
        Some(head)
    }

    fn u8(&mut self) -> Option<u8> {
        Some(self.take(1)?[0])
    }

    fn u16(&mut self) -> Option<u16> {
        let b = self.take(2)?;
        Some(u16::from_be_bytes([b[0], b[1]]))
    }

    fn vec8(&mut self) -> Option<Reader<'a>> {
        let n = self.u8()?;
        self.take(n.into()).map(Reader)
    }

    fn vec16(&mut self) -> Option<Reader<'a>> {
        let n = self.u16()?;
        self.take(n.into()).map(Reader)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn extension(kind: u16, data: &[u8]) -> Vec<u8> {
        [&kind.to_be_bytes()[..], &(data.len() as u16).to_be_bytes(), data].concat()
    }

    fn handshake_record(kind: u8, body: &[u8]) -> Vec<u8> {
        let len = body.len();
        let message = [&[kind, 0, (len >> 8) as u8, len as u8][..], body].concat();
        [&[22, 3, 1][..], &(message.len() as u16).to_be_bytes(), &message].concat()
    }

    fn hello() -> Vec<u8> {
        let extensions = [
            extension(0, b"\x00\x0c\x00\x00\x09shop.test"),
            extension(16, b"\x00\x0c\x02h2\x08http/1.1"),
            extension(43, &[4, 3, 4, 3, 3]),
        ]
        .concat();
        let body = [
            &[3, 3][..],
            &[7; 32],
            &[0],
            &[0, 4, 0x13, 1, 0x13, 2],
            &[1, 0],
            &(extensions.len() as u16).to_be_bytes(),
            &extensions,
        ]
        .concat();
        handshake_record(1, &body)
    }

    #[test]
    fn a_client_hello_byte_by_byte() {
        let mut scanner = Scanner::default();
        let mut seen = Vec::new();
        for b in hello() {
            scanner.feed(&[b], |s| seen.push(s));
        }
        let [Seen::ClientHello(h)] = &seen[..] else { panic!("{seen:?}") };
        assert_eq!(h.sni.as_deref(), Some("shop.test"));
        assert_eq!(h.alpn, ["h2", "http/1.1"]);
        assert_eq!(h.versions, [ProtocolVersion::TLSv1_3, ProtocolVersion::TLSv1_2]);
        assert_eq!(h.suites, 2);
    }

    #[test]
    fn after_a_server_hello_records_are_only_counted() {
        let body = [&[3, 3][..], &[9; 32], &[0], &[0x13, 2], &[0], &[0, 6], &extension(43, &[3, 4])].concat();
        let mut bytes = handshake_record(2, &body);
        bytes.extend([20, 3, 3, 0, 1, 1]);
        bytes.extend([&[23, 3, 3, 0, 3][..], &[1; 3]].concat());
        let mut seen = Vec::new();
        Scanner::default().feed(&bytes, |s| seen.push(s));
        assert!(
            matches!(&seen[..], [Seen::ServerHello(h), Seen::Later(8)] if h.suite == 0x1302 && h.version == ProtocolVersion::TLSv1_3),
            "{seen:?}"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn any_bytes_in_any_pieces_do_no_harm(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..600),
            at in 0usize..600,
            piece in 1usize..50,
        ) {
            // Half of the time the bytes are a damaged hello.
            if at % 2 == 0 {
                let mut h = hello();
                let i = at % h.len();
                h[i] = bytes.first().copied().unwrap_or(0);
                bytes = h;
            }
            let mut scanner = Scanner::default();
            for p in bytes.chunks(piece) {
                scanner.feed(p, |_| {});
            }
            prop_assert!(scanner.record.len() <= MAX_RECORD + 5);
        }
    }
}
