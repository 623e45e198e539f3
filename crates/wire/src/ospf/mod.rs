//! The packets of OSPF version 2 (RFC 2328 appendix A).

mod lsa;
mod octets;

use std::net::Ipv4Addr;

use septet_core::{DropReason, checksum};

use self::octets::{address, half, word};
pub use lsa::{
    Body, External, ExternalKind, LINK_LEN, LSA_HEADER_LEN, Lsa, LsaHeader, LsaKey, LsaType, MAX_AGE, MAX_AGE_DIFF,
    MAX_SEQUENCE, MIN_SEQUENCE, RouterLink, RouterLinkKind, RouterLsa,
};

/// IP's number for it.
pub const PROTOCOL: u8 = 89;
/// All routers that speak it on a link.
pub const ALL_ROUTERS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 5);
/// The designated router of a link and its backup.
pub const ALL_DESIGNATED: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 6);
/// Octets of the header that all packets have.
pub const HEADER_LEN: usize = 24;
/// Octets of a database description before its headers.
pub const DESCRIPTION_LEN: usize = 8;

const VERSION: u8 = 2;
/// Where the 64 bits of authentication stand, which the checksum leaves out.
const AUTHENTICATION: core::ops::Range<usize> = 16..24;

/// The E-bit of the options: the area is no stub.
pub const OPTION_EXTERNAL: u8 = 0x02;

/// A packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Packet {
    /// Who sends it.
    pub router: Ipv4Addr,
    /// The area of the link.
    pub area: Ipv4Addr,
    /// What it says.
    pub message: Message,
}

/// What a packet says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message {
    /// Type 1: who is there.
    Hello(Hello),
    /// Type 2: what the sender's database holds.
    Description(Description),
    /// Type 3: what is asked for.
    Request(Vec<LsaKey>),
    /// Type 4: advertisements.
    Update(Vec<Lsa>),
    /// Type 5: which of them have arrived.
    Acknowledge(Vec<LsaHeader>),
}

/// Type 1.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hello {
    /// The mask of the sender's address.
    pub mask: Ipv4Addr,
    /// Seconds between its Hellos.
    pub interval: u16,
    /// What it can do.
    pub options: u8,
    /// How much it wants to be the designated router.
    pub priority: u8,
    /// Seconds of silence after which it is held to be gone.
    pub dead: u32,
    /// Whom it takes for the designated router, by its address on the link.
    pub designated: Ipv4Addr,
    /// Whom it takes for the backup.
    pub backup: Ipv4Addr,
    /// From whom it has heard of late, by router id.
    pub neighbors: Vec<Ipv4Addr>,
}

/// Type 2.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Description {
    /// The largest datagram that the sender's link takes.
    pub mtu: u16,
    /// What it can do.
    pub options: u8,
    /// Whether it is the first.
    pub init: bool,
    /// Whether more follow.
    pub more: bool,
    /// Whether its sender leads the exchange.
    pub master: bool,
    /// Its number.
    pub sequence: u32,
    /// What the sender's database holds.
    pub headers: Vec<LsaHeader>,
}

impl Packet {
    /// Reads a packet, its checksum included.
    ///
    /// # Errors
    /// `Malformed` for lengths that do not fit, `L4Checksum`, and `UnknownProtocol` for another version, a type that there is not, or a
    /// packet that is authenticated.
    pub fn parse(bytes: &[u8]) -> Result<Self, DropReason> {
        let header = bytes.first_chunk::<HEADER_LEN>().ok_or(DropReason::Malformed)?;
        let len = usize::from(u16::from_be_bytes([header[2], header[3]]));
        if len < HEADER_LEN || len > bytes.len() {
            return Err(DropReason::Malformed);
        }
        if header[0] != VERSION || header[14..16] != [0, 0] {
            return Err(DropReason::UnknownProtocol);
        }
        let bytes = &bytes[..len];
        if sum(bytes) != 0 {
            return Err(DropReason::L4Checksum);
        }
        let body = &bytes[HEADER_LEN..];
        let message = match header[1] {
            1 => Message::Hello(hello(body)?),
            2 => Message::Description(description(body)?),
            3 => Message::Request(requests(body)?),
            4 => Message::Update(lsa::update(body)?),
            5 => Message::Acknowledge(lsa::headers(body)?),
            _ => return Err(DropReason::UnknownProtocol),
        };
        Ok(Self { router: address(header, 4), area: address(header, 8), message })
    }

    /// The packet's octets, checksum included.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![VERSION, 0, 0, 0];
        out.extend(self.router.octets());
        out.extend(self.area.octets());
        out.extend([0; 12]);
        out[1] = match &self.message {
            Message::Hello(hello) => {
                out.extend(hello.mask.octets());
                out.extend(hello.interval.to_be_bytes());
                out.extend([hello.options, hello.priority]);
                out.extend(hello.dead.to_be_bytes());
                [hello.designated, hello.backup].iter().chain(&hello.neighbors).for_each(|a| out.extend(a.octets()));
                1
            }
            Message::Description(dd) => {
                out.extend(dd.mtu.to_be_bytes());
                let flags = u8::from(dd.init) << 2 | u8::from(dd.more) << 1 | u8::from(dd.master);
                out.extend([dd.options, flags]);
                out.extend(dd.sequence.to_be_bytes());
                dd.headers.iter().for_each(|header| header.write(&mut out));
                2
            }
            Message::Request(keys) => {
                for LsaKey { kind, id, router } in keys {
                    out.extend(u32::from(*kind as u8).to_be_bytes());
                    out.extend(id.octets());
                    out.extend(router.octets());
                }
                3
            }
            Message::Update(lsas) => {
                out.extend((lsas.len() as u32).to_be_bytes());
                lsas.iter().for_each(|lsa| lsa.write(&mut out));
                4
            }
            Message::Acknowledge(headers) => {
                headers.iter().for_each(|header| header.write(&mut out));
                5
            }
        };
        let len = (out.len() as u16).to_be_bytes();
        out[2..4].copy_from_slice(&len);
        let sum = sum(&out).to_be_bytes();
        out[12..14].copy_from_slice(&sum);
        out
    }
}

/// RFC 2328 appendix D.4.1: "the 64-bit authentication field" is excluded.
fn sum(packet: &[u8]) -> u16 {
    checksum::Sum::new().bytes(&packet[..AUTHENTICATION.start]).bytes(&packet[AUTHENTICATION.end..]).finish()
}

fn hello(b: &[u8]) -> Result<Hello, DropReason> {
    let (fixed, rest) = b.split_at_checked(20).ok_or(DropReason::Malformed)?;
    let (neighbors, []) = rest.as_chunks::<4>() else { return Err(DropReason::Malformed) };
    Ok(Hello {
        mask: address(fixed, 0),
        interval: half(fixed, 4),
        options: fixed[6],
        priority: fixed[7],
        dead: word(fixed, 8),
        designated: address(fixed, 12),
        backup: address(fixed, 16),
        neighbors: neighbors.iter().map(|octets| Ipv4Addr::from(*octets)).collect(),
    })
}

fn description(b: &[u8]) -> Result<Description, DropReason> {
    let (fixed, rest) = b.split_at_checked(DESCRIPTION_LEN).ok_or(DropReason::Malformed)?;
    Ok(Description {
        mtu: half(fixed, 0),
        options: fixed[2],
        init: fixed[3] & 4 != 0,
        more: fixed[3] & 2 != 0,
        master: fixed[3] & 1 != 0,
        sequence: word(fixed, 4),
        headers: lsa::headers(rest)?,
    })
}

fn requests(b: &[u8]) -> Result<Vec<LsaKey>, DropReason> {
    let (asked, []) = b.as_chunks::<12>() else { return Err(DropReason::Malformed) };
    let key = |asked: &[u8; 12]| {
        let kind = u8::try_from(word(asked, 0)).ok().and_then(LsaType::of).ok_or(DropReason::UnknownProtocol)?;
        Ok(LsaKey { kind, id: address(asked, 4), router: address(asked, 8) })
    };
    asked.iter().map(key).collect()
}

#[cfg(test)]
mod tests;
