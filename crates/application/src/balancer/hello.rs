//! The name that a TLS client asks for, out of its first bytes and without a word to it (RFC 8446 §4.1.2, RFC 6066 §3).

use core::time::Duration;
use std::io;

use septet_socket::{NetExt, NetRef, Stream};
use tokio::io::AsyncReadExt;

use crate::begun::Begun;

/// What the first bytes of a connection are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Hello {
    /// A ClientHello, for the server of this name, in small letters.
    Named(String),
    /// A ClientHello that names no server.
    Nameless,
    /// No ClientHello.
    Other,
}

/// RFC 8446 §5.1: the type of a record that carries a handshake.
const HANDSHAKE: u8 = 22;
/// §4: the type of the message.
const CLIENT_HELLO: u8 = 1;
/// RFC 6066 §3.
const SERVER_NAME: u16 = 0;
const HOST_NAME: u8 = 0;
/// §5.1: "The length MUST NOT exceed 2^14 bytes."
const LONGEST_RECORD: usize = 1 << 14;
/// Hellos with keys of many groups, post-quantum ones among them, have some kilobytes.
const LONGEST_HELLO: usize = 32 * 1024;
const PATIENCE: Duration = Duration::from_secs(5);

impl Hello {
    /// What `bytes` begin with; `None` where more of them are needed to tell.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut message = Vec::new();
        let mut rest = bytes;
        // A message may be cut into several records.
        loop {
            match needed(&message) {
                Some(needed) if message.len() >= needed => break,
                Some(needed) if needed > LONGEST_HELLO => return Some(Self::Other),
                _ => {}
            }
            if rest.first().is_some_and(|kind| *kind != HANDSHAKE) || rest.get(1).is_some_and(|major| *major != 3) {
                return Some(Self::Other);
            }
            let length = usize::from(u16::from_be_bytes([*rest.get(3)?, *rest.get(4)?]));
            if length == 0 || length > LONGEST_RECORD {
                return Some(Self::Other);
            }
            let part = &rest[5..rest.len().min(5 + length)];
            if message.is_empty() && part.first().is_some_and(|kind| *kind != CLIENT_HELLO) {
                return Some(Self::Other);
            }
            message.extend_from_slice(part);
            if part.len() < length {
                match needed(&message) {
                    Some(needed) if needed > LONGEST_HELLO => return Some(Self::Other),
                    Some(needed) if message.len() >= needed => break,
                    _ => return None,
                }
            }
            rest = &rest[5 + length..];
        }
        let end = needed(&message)?;
        Some(server_name(&message[4..end]).unwrap_or(Self::Other))
    }
}

/// How long the message is, with its head.
fn needed(message: &[u8]) -> Option<usize> {
    let head = message.get(1..4)?;
    Some(4 + (usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2])))
}

/// What is left to read of a structure.
struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn take(&mut self, n: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self, octets: usize) -> Option<usize> {
        Some(self.take(octets)?.iter().fold(0, |number, octet| number << 8 | usize::from(*octet)))
    }

    /// A vector whose length stands before it in so many octets.
    fn vector(&mut self, octets: usize) -> Option<Reader<'b>> {
        let length = self.number(octets)?;
        self.take(length).map(Reader)
    }
}

/// `None` where the body is not that of a ClientHello.
fn server_name(body: &[u8]) -> Option<Hello> {
    let mut hello = Reader(body);
    hello.take(2 + 32)?;
    hello.vector(1)?;
    hello.vector(2)?;
    hello.vector(1)?;
    if hello.0.is_empty() {
        // Before TLS 1.3 there may be no extensions.
        return Some(Hello::Nameless);
    }
    let mut extensions = hello.vector(2)?;
    while !extensions.0.is_empty() {
        let kind = extensions.number(2)?;
        let mut data = extensions.vector(2)?;
        if kind != usize::from(SERVER_NAME) {
            continue;
        }
        let mut names = data.vector(2)?;
        while !names.0.is_empty() {
            let kind = names.number(1)?;
            let name = names.vector(2)?.0;
            // "The hostname is represented as a byte string using ASCII encoding without a trailing dot."
            if kind == usize::from(HOST_NAME) {
                let is_name = !name.is_empty() && name.len() <= 255 && name.iter().all(u8::is_ascii_graphic);
                let name = core::str::from_utf8(name).ok().filter(|_| is_name)?;
                return Some(Hello::Named(name.to_ascii_lowercase()));
            }
        }
    }
    Some(Hello::Nameless)
}

/// Reads as much of `stream` as tells what it begins with; all of it is read once more from the stream that comes back.
///
/// # Errors
/// Those of the stream; `TimedOut` where not enough comes.
pub(super) async fn peek<S: Stream + Send>(net: &NetRef, mut stream: S) -> io::Result<(Hello, Begun<S>)> {
    let read = async {
        let mut bytes = Vec::new();
        loop {
            if let Some(hello) = Hello::read(&bytes) {
                return Ok::<_, io::Error>((hello, bytes));
            }
            // Records of an octet each would make it longer without end.
            if bytes.len() > 2 * LONGEST_HELLO || stream.read_buf(&mut bytes).await? == 0 {
                return Ok((Hello::Other, bytes));
            }
        }
    };
    let (hello, bytes) = net.timeout(PATIENCE, read).await.unwrap_or_else(|e| Err(e.into()))?;
    Ok((hello, Begun::new(bytes, stream)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ClientHello with these extensions, in one record.
    fn hello(extensions: &[(u16, Vec<u8>)]) -> Vec<u8> {
        let mut all = Vec::new();
        for (kind, data) in extensions {
            all.extend(kind.to_be_bytes());
            all.extend((data.len() as u16).to_be_bytes());
            all.extend(data);
        }
        let mut body = vec![3, 3];
        body.extend([7; 32]);
        body.extend([0, 0, 2, 0x13, 0x01, 1, 0]);
        body.extend((all.len() as u16).to_be_bytes());
        body.extend(all);
        let mut message = vec![CLIENT_HELLO, 0];
        message.extend((body.len() as u16).to_be_bytes());
        message.extend(body);
        message
    }

    fn named(name: &[u8]) -> (u16, Vec<u8>) {
        let mut list = ((name.len() + 3) as u16).to_be_bytes().to_vec();
        list.push(HOST_NAME);
        list.extend((name.len() as u16).to_be_bytes());
        list.extend(name);
        (SERVER_NAME, list)
    }

    /// The message in records of at most `most` octets.
    fn records(message: &[u8], most: usize) -> Vec<u8> {
        let record = |part: &[u8]| [&[HANDSHAKE, 3, 1], &(part.len() as u16).to_be_bytes()[..], part].concat();
        message.chunks(most).flat_map(record).collect()
    }

    #[test]
    fn a_hello_in_pieces_is_read_when_it_is_whole() {
        let message = hello(&[(43, vec![2, 3, 4]), named(b"WWW.shop.test")]);
        for most in [1, 4, 50, 1000] {
            let bytes = records(&message, most);
            for end in 0..bytes.len() {
                assert_eq!(Hello::read(&bytes[..end]), None, "{end} of {} in records of {most}", bytes.len());
            }
            assert_eq!(Hello::read(&bytes), Some(Hello::Named("www.shop.test".to_owned())));
        }
    }

    #[test]
    fn what_is_no_hello_is_told_at_once() {
        assert_eq!(Hello::read(&records(&hello(&[]), 1000)), Some(Hello::Nameless));
        for bytes in [
            &b"GET / HTTP/1.1"[..],
            &[22, 2],
            &[22, 3, 1, 0, 0],
            &[22, 3, 1, 0x40, 1],
            &[22, 3, 1, 0, 9, 2],
            &[22, 3, 1, 0, 9, 1, 255, 0, 0],
        ] {
            assert_eq!(Hello::read(bytes), Some(Hello::Other), "{bytes:?}");
        }
        for name in [&b""[..], b"a b", &[b'a'; 256]] {
            assert_eq!(Hello::read(&records(&hello(&[named(name)]), 1000)), Some(Hello::Other));
        }
        let mut long = hello(&[named(b"a.test")]);
        let at = long.len() - 7;
        long[at] = 200;
        assert_eq!(Hello::read(&records(&long, 1000)), Some(Hello::Other), "a name that is longer than its list");
    }
}
