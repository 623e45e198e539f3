//! The PROXY protocol, versions 1 and 2: who opened a connection, said in its first bytes by whoever passes it on.
//!
//! Written and read as HAProxy's `doc/proxy-protocol.txt` says, which is quoted here.

use core::fmt;
use core::time::Duration;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use septet_core::Storey;
use septet_network::Prefix;
use septet_socket::{NetExt, NetRef};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::begun::Begun;

/// How a header is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Version {
    /// A line of text.
    V1,
    /// Bytes.
    V2,
}

impl Version {
    /// Each with its name in a lab file.
    pub const ALL: [(&'static str, Self); 2] = [("v1", Self::V1), ("v2", Self::V2)];
}

/// What a header says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Header {
    /// The connection was opened by another.
    Proxied {
        /// Who opened it.
        source: SocketAddr,
        /// To where.
        destination: SocketAddr,
    },
    /// Nothing: it was opened by whoever sends the header, or by somebody who has no address of IP.
    Own,
}

/// Why bytes are no header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoHeader {
    /// They begin like neither version.
    Signature,
    /// A line that is too long, or is not as it should be.
    Line,
    /// "Receivers must drop connections presenting unexpected values here."
    Command,
    /// "… must be rejected as invalid by receivers."
    Family,
    /// The header is shorter than its addresses.
    Length,
}

impl fmt::Display for NoHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Signature => "it begins with no header of the PROXY protocol",
            Self::Line => "its first line is no header of version 1 of the PROXY protocol",
            Self::Command => "its header of the PROXY protocol has an unknown version or command",
            Self::Family => "its header of the PROXY protocol has an unknown family or transport",
            Self::Length => "its header of the PROXY protocol is shorter than the addresses in it",
        })
    }
}

impl std::error::Error for NoHeader {}

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// "So a 108-byte buffer is always enough to store all the line and a trailing zero".
const LONGEST_LINE: usize = 107;
/// "The receiver may apply a short timeout and decide to abort the connection if the protocol header is not seen within a
/// few seconds (at least 3 seconds to cover a TCP retransmit)."
const PATIENCE: Duration = Duration::from_secs(5);
/// The part of a header of version 2 that is always there.
const FIXED: usize = 16;

impl Header {
    /// The bytes that say it. Addresses of two versions of IP are both written as addresses of IPv6.
    pub fn write(&self, version: Version) -> Vec<u8> {
        let pair = match *self {
            Self::Own => None,
            Self::Proxied { source, destination } => Some(alike(source, destination)),
        };
        match version {
            Version::V1 => match pair {
                None => b"PROXY UNKNOWN\r\n".to_vec(),
                Some((source, destination)) => {
                    let family = if source.is_ipv4() { "TCP4" } else { "TCP6" };
                    let (from, to) = (source.ip(), destination.ip());
                    format!("PROXY {family} {from} {to} {} {}\r\n", source.port(), destination.port()).into_bytes()
                }
            },
            Version::V2 => {
                let mut addresses = Vec::with_capacity(36);
                // LOCAL with an unspecified family, or PROXY over a stream of either version of IP.
                let (command, family) = match pair {
                    None => (0x20, 0x00),
                    Some((source, destination)) => {
                        for ip in [source.ip(), destination.ip()] {
                            match ip {
                                IpAddr::V4(ip) => addresses.extend(ip.octets()),
                                IpAddr::V6(ip) => addresses.extend(ip.octets()),
                            }
                        }
                        addresses.extend(source.port().to_be_bytes());
                        addresses.extend(destination.port().to_be_bytes());
                        (0x21, if source.is_ipv4() { 0x11 } else { 0x21 })
                    }
                };
                let mut header = SIGNATURE.to_vec();
                header.extend([command, family, 0, addresses.len() as u8]);
                header.extend(addresses);
                header
            }
        }
    }

    /// The header that `bytes` begin with, and its length; `None` where more bytes are needed to tell.
    ///
    /// # Errors
    /// Why they begin with none.
    pub fn read(bytes: &[u8]) -> Result<Option<(Self, usize)>, NoHeader> {
        let begins = |with: &[u8]| bytes.iter().zip(with).all(|(a, b)| a == b);
        if begins(&SIGNATURE) {
            binary(bytes)
        } else if begins(b"PROXY") {
            line(bytes)
        } else {
            Err(NoHeader::Signature)
        }
    }
}

/// Both as addresses of one version of IP.
fn alike(source: SocketAddr, destination: SocketAddr) -> (SocketAddr, SocketAddr) {
    // A header has no room for a zone either.
    let plain = |at: SocketAddr| SocketAddr::new(at.ip().to_canonical(), at.port());
    let (source, destination) = (plain(source), plain(destination));
    let wide = |at: SocketAddr| match at.ip() {
        IpAddr::V4(ip) => SocketAddr::new(ip.to_ipv6_mapped().into(), at.port()),
        IpAddr::V6(ip) => SocketAddr::new(ip.into(), at.port()),
    };
    if source.is_ipv4() == destination.is_ipv4() { (source, destination) } else { (wide(source), wide(destination)) }
}

/// Version 1: `PROXY TCP4 192.0.2.1 192.0.2.2 4000 80`.
fn line(bytes: &[u8]) -> Result<Option<(Header, usize)>, NoHeader> {
    let Some(end) = bytes.iter().take(LONGEST_LINE).position(|b| *b == b'\n') else {
        return if bytes.len() < LONGEST_LINE { Ok(None) } else { Err(NoHeader::Line) };
    };
    let text = bytes[..end].strip_suffix(b"\r").and_then(|line| core::str::from_utf8(line).ok());
    let header = text.and_then(of_line).ok_or(NoHeader::Line)?;
    Ok(Some((header, end + 1)))
}

fn of_line(text: &str) -> Option<Header> {
    let mut words = text.strip_prefix("PROXY ")?.split(' ');
    let family = words.next()?;
    // "The receiver must ignore anything presented before the CRLF is found" behind UNKNOWN.
    if family == "UNKNOWN" {
        return Some(Header::Own);
    }
    let (from, to) = (words.next()?, words.next()?);
    let address = |text: &str| -> Option<IpAddr> {
        match family {
            "TCP4" => text.parse().ok().map(IpAddr::V4),
            "TCP6" => text.parse().ok().map(IpAddr::V6),
            _ => None,
        }
    };
    let (from, to) = (address(from)?, address(to)?);
    let (source, destination) = (port(words.next()?)?, port(words.next()?)?);
    let header =
        Header::Proxied { source: SocketAddr::new(from, source), destination: SocketAddr::new(to, destination) };
    words.next().is_none().then_some(header)
}

/// "… an integer in [0..65535] inclusive … Heading zeroes are not permitted in order to avoid any possible confusion with
/// octal numbers."
fn port(text: &str) -> Option<u16> {
    let is_plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_plain)
}

/// Version 2.
fn binary(bytes: &[u8]) -> Result<Option<(Header, usize)>, NoHeader> {
    let Some(&[command, family, high, low]) = bytes.get(SIGNATURE.len()..FIXED) else { return Ok(None) };
    let local = match command {
        0x20 => true,
        0x21 => false,
        _ => return Err(NoHeader::Command),
    };
    let width = match family {
        0x11 | 0x12 => Some(4),
        0x21 | 0x22 => Some(16),
        // No family, and sockets of Unix, whose ends have no address of IP.
        0x00 | 0x31 | 0x32 => None,
        // "The receiver must accept this connection as valid and must use the real connection endpoints and discard the
        // protocol block including the family which is ignored."
        _ if local => None,
        _ => return Err(NoHeader::Family),
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    let needed = if local { 0 } else { width.map_or(0, |width| 2 * width + 4) };
    if length < needed {
        return Err(NoHeader::Length);
    }
    // What comes behind the addresses are TLVs, of which none is asked for.
    let Some(block) = bytes.get(FIXED..FIXED + length) else { return Ok(None) };
    let header = match width.filter(|_| !local) {
        None => Header::Own,
        Some(width) => {
            let ip = |at: usize| {
                let mut octets = [0; 16];
                octets[..width].copy_from_slice(&block[at..at + width]);
                match width {
                    4 => IpAddr::from([octets[0], octets[1], octets[2], octets[3]]),
                    _ => IpAddr::V6(Ipv6Addr::from(octets)),
                }
            };
            let port = |at: usize| u16::from_be_bytes([block[at], block[at + 1]]);
            Header::Proxied {
                source: SocketAddr::new(ip(0), port(2 * width)),
                destination: SocketAddr::new(ip(width), port(2 * width + 2)),
            }
        }
    };
    Ok(Some((header, FIXED + length)))
}

/// Whether connections of `peer` begin with a header, where those from `senders` do.
pub(crate) fn is_from(peer: SocketAddr, senders: &[Prefix]) -> bool {
    senders.iter().any(|prefix| prefix.contains(peer.ip().to_canonical()))
}

/// Reads the header that the `stream` of `peer` begins with: what it says, and the stream behind it.
///
/// # Errors
/// Those of the stream; `UnexpectedEof` where it ends before, `InvalidData` where it begins with none, `TimedOut` where it
/// does not come.
pub(crate) async fn accept<S: AsyncRead + Unpin + Send>(
    net: &NetRef,
    stream: S,
    peer: SocketAddr,
) -> io::Result<(Header, Begun<S>)> {
    let read = net.timeout(PATIENCE, read(stream)).await.unwrap_or_else(|e| Err(e.into()));
    net.trace(Storey::Application, "proxy.header", |f| {
        f.set("peer", peer);
        match &read {
            Ok((Header::Proxied { source, destination }, _)) => {
                f.set("source", *source).set("destination", *destination);
            }
            Ok((Header::Own, _)) => {}
            Err(e) => {
                f.set("why", e.to_string());
            }
        }
    });
    read
}

async fn read<S: AsyncRead + Unpin + Send>(mut stream: S) -> io::Result<(Header, Begun<S>)> {
    let mut bytes = Vec::new();
    loop {
        match Header::read(&bytes) {
            Ok(Some((header, length))) => {
                bytes.drain(..length);
                return Ok((header, Begun::new(bytes, stream)));
            }
            // A header of version 2 has at most 64 KiB, and one of version 1 ends sooner.
            Ok(None) => {
                if stream.read_buf(&mut bytes).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            Err(e) => return Err(io::Error::new(io::ErrorKind::InvalidData, e)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxied(source: &str, destination: &str) -> Header {
        Header::Proxied { source: source.parse().unwrap(), destination: destination.parse().unwrap() }
    }

    #[test]
    fn what_is_written_is_read_and_no_byte_more() {
        let headers = [
            proxied("192.0.2.1:4000", "198.51.100.7:80"),
            proxied("[2001:db8::1]:4000", "[2001:db8::2]:443"),
            proxied("[::ffff:192.0.2.1]:1", "[2001:db8::2]:0"),
            Header::Own,
        ];
        for version in [Version::V1, Version::V2] {
            for header in headers {
                let mut bytes = header.write(version);
                let length = bytes.len();
                for end in 0..length {
                    assert_eq!(Header::read(&bytes[..end]), Ok(None), "{header:?} {version:?} up to {end}");
                }
                bytes.extend(b"GET /");
                let read = Header::read(&bytes).unwrap().unwrap();
                assert_eq!(read, (header, length), "{version:?}");
            }
        }
    }

    #[test]
    fn the_line_is_as_the_document_has_it() {
        let header = proxied("192.168.0.1:56324", "192.168.0.11:443");
        assert_eq!(header.write(Version::V1), b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n");
        let read = |text: &str| Header::read(text.as_bytes()).map(|read| read.map(|(header, _)| header));
        let unknown = "PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n";
        assert_eq!(read(unknown), Ok(Some(Header::Own)));
        for bad in [
            "PROXY TCP4 192.168.0.1 192.168.0.11 56324 0443\r\n",
            "PROXY TCP4 192.168.0.1 192.168.0.11 56324 +443\r\n",
            "PROXY TCP4 192.168.0.1 192.168.0.11 56324 65536\r\n",
            "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443 \r\n",
            "PROXY TCP4  192.168.0.1 192.168.0.11 56324 443\r\n",
            "PROXY TCP4 192.168.0.01 192.168.0.11 56324 443\r\n",
            "PROXY TCP6 192.168.0.1 192.168.0.11 56324 443\r\n",
            "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\n",
            "PROXY UDP4 192.168.0.1 192.168.0.11 56324 443\r\n",
            &format!("PROXY UNKNOWN {}", "x".repeat(LONGEST_LINE)),
        ] {
            assert_eq!(read(bad), Err(NoHeader::Line), "{bad}");
        }
        assert_eq!(read("GET / HTTP/1.1\r\n"), Err(NoHeader::Signature));
    }

    #[test]
    fn bytes_that_no_sender_may_send_are_refused() {
        let whole = proxied("192.0.2.1:4000", "198.51.100.7:80").write(Version::V2);
        let with = |at: usize, value: u8| {
            let mut bytes = whole.clone();
            bytes[at] = value;
            Header::read(&bytes)
        };
        assert_eq!(with(12, 0x11), Err(NoHeader::Command), "version 1 in bytes");
        assert_eq!(with(12, 0x22), Err(NoHeader::Command));
        assert_eq!(with(13, 0x41), Err(NoHeader::Family));
        assert_eq!(with(15, 11), Err(NoHeader::Length));
        assert_eq!(with(12, 0x20), Ok(Some((Header::Own, whole.len()))), "what LOCAL says of addresses is ignored");
        // TLVs behind the addresses are stepped over.
        let mut more = whole.clone();
        more[15] += 4;
        more.extend([0x04, 0, 1, 0]);
        assert_eq!(Header::read(&more).unwrap().unwrap().1, whole.len() + 4);
    }
}
