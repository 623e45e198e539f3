//! The messages of BGP-4 (RFC 4271), with four-octet numbers of autonomous systems (RFC 6793).

use std::net::Ipv4Addr;

/// TCP's port for it.
pub const PORT: u16 = 179;
/// RFC 4271 §4.1: octets of the largest message.
pub const MAX_LEN: usize = 4096;

const HEADER_LEN: usize = 19;
const VERSION: u8 = 4;
/// RFC 6793 §9: what stands for a number that does not fit into two octets.
const AS_TRANS: u16 = 23_456;
/// RFC 5492 §4: the parameter of an OPEN that holds capabilities.
const CAPABILITIES: u8 = 2;
/// RFC 4760 §8: the capability that names a family of addresses whose routes are told.
const MULTIPROTOCOL: u8 = 1;
/// AFI 1, a reserved octet, SAFI 1.
const IPV4_UNICAST: [u8; 4] = [0, 1, 0, 1];
/// RFC 6793 §3.
const FOUR_OCTETS: u8 = 65;

/// RFC 4271 §4.5: why a session ends.
pub mod error {
    /// A message whose header is wrong.
    pub const HEADER: u8 = 1;
    /// An OPEN that cannot be accepted.
    pub const OPEN: u8 = 2;
    /// An UPDATE that is wrong.
    pub const UPDATE: u8 = 3;
    /// Nothing came within the hold time.
    pub const HOLD: u8 = 4;
    /// A message at the wrong time.
    pub const STATE: u8 = 5;
    /// The end, by intent.
    pub const CEASE: u8 = 6;
}

/// What is wrong with a message: code and subcode of the NOTIFICATION that says so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault(pub u8, pub u8);

/// A message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message {
    /// Who the sender is.
    Open(Open),
    /// Routes that are told or withdrawn.
    Update(Update),
    /// Why the session ends.
    Notification(Fault),
    /// The sender is still there.
    Keepalive,
}

/// Who the sender is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Open {
    /// Its autonomous system.
    pub system: u32,
    /// Seconds of silence after which the session ends; zero for never.
    pub hold: u16,
    /// Its identifier.
    pub id: Ipv4Addr,
    /// Whether numbers of four octets stand in paths (RFC 6793).
    pub four_octets: bool,
    /// Whether it tells routes of IPv4.
    pub unicast: Unicast,
}

/// Whether the sender of an OPEN tells routes of IPv4 unicast, as RFC 4760 §8 lets it say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unicast {
    /// It says so.
    Announced,
    /// It names no family at all, and so means this one.
    Implied,
    /// It names others only.
    Absent,
}

/// Where a route comes from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Origin {
    /// The inside of its system.
    Igp = 0,
    /// The protocol before this one.
    Egp = 1,
    /// Elsewhere.
    Incomplete = 2,
}

/// A network: its address, and how many of the bits count.
pub type Network = (Ipv4Addr, u8);

/// Routes that are told or withdrawn.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Update {
    /// Networks to which there is no way any more.
    pub withdrawn: Vec<Network>,
    /// What holds for all networks that are told; none where none is.
    pub attributes: Option<Attributes>,
    /// Networks to which there is a way.
    pub networks: Vec<Network>,
}

/// The attributes of routes that are used here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attributes {
    /// Where they come from.
    pub origin: Origin,
    /// The systems on the way, the nearest first; those of sets in their order.
    pub path: Vec<u32>,
    /// Whom packets go to.
    pub next_hop: Ipv4Addr,
    /// Which of several links to the same neighbour it wants used; less is better.
    pub med: Option<u32>,
    /// How much the routers of one system like it.
    pub local_pref: Option<u32>,
}

impl Message {
    /// Reads the first message of a stream; gives its octets too. `None` where more must come first.
    ///
    /// # Errors
    /// What is wrong, in the numbers of RFC 4271 §6.
    pub fn parse(bytes: &[u8], four_octets: bool) -> Result<Option<(Self, usize)>, Fault> {
        let Some(header) = bytes.first_chunk::<HEADER_LEN>() else { return Ok(None) };
        if header[..16] != [0xff; 16] {
            return Err(Fault(error::HEADER, 1));
        }
        let len = usize::from(u16::from_be_bytes([header[16], header[17]]));
        let least = match header[18] {
            1 => 29,
            2 => 23,
            3 => 21,
            4 => HEADER_LEN,
            _ => return Err(Fault(error::HEADER, 3)),
        };
        if len < least || len > MAX_LEN || header[18] == 4 && len != HEADER_LEN {
            return Err(Fault(error::HEADER, 2));
        }
        let Some(body) = bytes.get(HEADER_LEN..len) else { return Ok(None) };
        let message = match header[18] {
            1 => Self::Open(open(body)?),
            2 => Self::Update(update(body, four_octets)?),
            3 => Self::Notification(Fault(body[0], body[1])),
            _ => Self::Keepalive,
        };
        Ok(Some((message, len)))
    }

    /// The message's octets.
    pub fn to_bytes(&self, four_octets: bool) -> Vec<u8> {
        let mut out = vec![0xff; 16];
        out.extend([0, 0, 0]);
        out[18] = match self {
            Self::Open(open) => {
                out.push(VERSION);
                out.extend(u16::try_from(open.system).unwrap_or(AS_TRANS).to_be_bytes());
                out.extend(open.hold.to_be_bytes());
                out.extend(open.id.octets());
                let mut capabilities = Vec::new();
                if open.unicast == Unicast::Announced {
                    capabilities.extend([MULTIPROTOCOL, 4]);
                    capabilities.extend(IPV4_UNICAST);
                }
                if open.four_octets {
                    capabilities.extend([FOUR_OCTETS, 4]);
                    capabilities.extend(open.system.to_be_bytes());
                }
                // RFC 5492 §4: one parameter with all of them.
                let len = capabilities.len() as u8;
                if len == 0 {
                    out.push(0);
                } else {
                    out.extend([len + 2, CAPABILITIES, len]);
                    out.extend(capabilities);
                }
                1
            }
            Self::Update(update) => {
                sized(&mut out, |out| update.withdrawn.iter().for_each(|network| write_network(out, network)));
                sized(&mut out, |out| {
                    if let Some(attributes) = &update.attributes {
                        attributes.write(out, four_octets);
                    }
                });
                update.networks.iter().for_each(|network| write_network(&mut out, network));
                2
            }
            Self::Notification(Fault(code, subcode)) => {
                out.extend([*code, *subcode]);
                3
            }
            Self::Keepalive => 4,
        };
        let len = (out.len() as u16).to_be_bytes();
        out[16..18].copy_from_slice(&len);
        out
    }
}

impl Attributes {
    fn write(&self, out: &mut Vec<u8>, four_octets: bool) {
        out.extend([0x40, 1, 1, self.origin as u8]);
        let width = if four_octets { 4 } else { 2 };
        // RFC 4271 §4.3: a segment has at most 255 systems.
        let path = &self.path[..self.path.len().min(255)];
        let len = if path.is_empty() { 0 } else { 2 + path.len() * width };
        out.extend([0x50, 2]);
        out.extend((len as u16).to_be_bytes());
        if !path.is_empty() {
            out.extend([2, path.len() as u8]);
        }
        for system in path {
            if four_octets {
                out.extend(system.to_be_bytes());
            } else {
                out.extend(u16::try_from(*system).unwrap_or(AS_TRANS).to_be_bytes());
            }
        }
        out.extend([0x40, 3, 4]);
        out.extend(self.next_hop.octets());
        if let Some(med) = self.med {
            out.extend([0x80, 4, 4]);
            out.extend(med.to_be_bytes());
        }
        if let Some(local_pref) = self.local_pref {
            out.extend([0x40, 5, 4]);
            out.extend(local_pref.to_be_bytes());
        }
    }
}

fn sized(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend([0, 0]);
    write(out);
    let len = ((out.len() - at - 2) as u16).to_be_bytes();
    out[at..at + 2].copy_from_slice(&len);
}

fn write_network(out: &mut Vec<u8>, (address, len): &Network) {
    out.push(*len);
    out.extend(&address.octets()[..usize::from(len.div_ceil(8)).min(4)]);
}

fn open(b: &[u8]) -> Result<Open, Fault> {
    if b[0] != VERSION {
        return Err(Fault(error::OPEN, 1));
    }
    let mut open = Open {
        system: u32::from(u16::from_be_bytes([b[1], b[2]])),
        hold: u16::from_be_bytes([b[3], b[4]]),
        id: Ipv4Addr::new(b[5], b[6], b[7], b[8]),
        four_octets: false,
        unicast: Unicast::Implied,
    };
    let mut parameters = b.get(10..10 + usize::from(b[9])).ok_or(Fault(error::OPEN, 0))?;
    while let [kind, len, rest @ ..] = parameters {
        let (value, behind) = rest.split_at_checked(usize::from(*len)).ok_or(Fault(error::OPEN, 0))?;
        parameters = behind;
        let mut capabilities = if *kind == CAPABILITIES { value } else { &[] };
        while let [code, len, rest @ ..] = capabilities {
            let (value, behind) = rest.split_at_checked(usize::from(*len)).ok_or(Fault(error::OPEN, 0))?;
            capabilities = behind;
            match (*code, value.first_chunk::<4>()) {
                (FOUR_OCTETS, Some(system)) => {
                    (open.system, open.four_octets) = (u32::from_be_bytes(*system), true);
                }
                // "Reserved … SHOULD be set to 0 by the sender and ignored by the receiver".
                (MULTIPROTOCOL, Some([0, 1, _, 1])) => open.unicast = Unicast::Announced,
                (MULTIPROTOCOL, Some(_)) if open.unicast == Unicast::Implied => open.unicast = Unicast::Absent,
                _ => {}
            }
        }
    }
    // RFC 4271 §6.2: a hold time of one or two seconds is unacceptable, and an identifier must be a host's.
    match open {
        Open { system: 0, .. } => Err(Fault(error::OPEN, 2)),
        Open { hold: 1 | 2, .. } => Err(Fault(error::OPEN, 6)),
        Open { id, .. } if id.is_unspecified() || id.is_multicast() || id.is_broadcast() => Err(Fault(error::OPEN, 3)),
        open => Ok(open),
    }
}

fn networks(mut b: &[u8]) -> Result<Vec<Network>, Fault> {
    let mut networks = Vec::new();
    while let [len, rest @ ..] = b {
        // RFC 4271 §6.3: "Invalid Network Field".
        let octets = usize::from(len.div_ceil(8));
        let (own, behind) = rest.split_at_checked(octets).filter(|_| *len <= 32).ok_or(Fault(error::UPDATE, 10))?;
        let mut address = [0; 4];
        address[..octets].copy_from_slice(own);
        let mask = u32::MAX.checked_shl(32 - u32::from(*len)).unwrap_or(0);
        networks.push((Ipv4Addr::from_bits(u32::from_be_bytes(address) & mask), *len));
        b = behind;
    }
    Ok(networks)
}

fn update(b: &[u8], four_octets: bool) -> Result<Update, Fault> {
    let list = || Fault(error::UPDATE, 1);
    let (len, rest) = b.split_first_chunk::<2>().ok_or_else(list)?;
    let (withdrawn, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*len))).ok_or_else(list)?;
    let (len, rest) = rest.split_first_chunk::<2>().ok_or_else(list)?;
    let (attributes, told) = rest.split_at_checked(usize::from(u16::from_be_bytes(*len))).ok_or_else(list)?;
    let (withdrawn, networks) = (networks(withdrawn)?, networks(told)?);
    let attributes = if networks.is_empty() { None } else { Some(read_attributes(attributes, four_octets)?) };
    Ok(Update { withdrawn, attributes, networks })
}

fn read_attributes(mut b: &[u8], four_octets: bool) -> Result<Attributes, Fault> {
    let list = || Fault(error::UPDATE, 1);
    let (mut origin, mut path, mut next_hop, mut med, mut local_pref) = (None, None, None, None, None);
    while let [flags, kind, rest @ ..] = b {
        let (len, rest) = if flags & 0x10 == 0 {
            let (len, rest) = rest.split_first().ok_or_else(list)?;
            (usize::from(*len), rest)
        } else {
            let (len, rest) = rest.split_first_chunk::<2>().ok_or_else(list)?;
            (usize::from(u16::from_be_bytes(*len)), rest)
        };
        let (value, behind) = rest.split_at_checked(len).ok_or_else(list)?;
        b = behind;
        let wrong_len = || Fault(error::UPDATE, 5);
        let number = || value.try_into().map(u32::from_be_bytes).map_err(|_| wrong_len());
        match kind {
            1 => {
                origin = Some(match value {
                    [0] => Origin::Igp,
                    [1] => Origin::Egp,
                    [2] => Origin::Incomplete,
                    [_] => return Err(Fault(error::UPDATE, 6)),
                    _ => return Err(wrong_len()),
                });
            }
            2 => path = Some(read_path(value, four_octets)?),
            3 => next_hop = Some(Ipv4Addr::from_bits(number()?)),
            4 => med = Some(number()?),
            5 => local_pref = Some(number()?),
            // RFC 4271 §6.3: one that is well-known and not recognized.
            _ if flags & 0x80 == 0 && !(6..=7).contains(kind) => return Err(Fault(error::UPDATE, 2)),
            _ => {}
        }
    }
    // "Missing Well-known Attribute".
    let missing = Fault(error::UPDATE, 3);
    let next_hop = next_hop.ok_or(missing)?;
    if next_hop.is_unspecified() || next_hop.is_multicast() || next_hop.is_broadcast() {
        return Err(Fault(error::UPDATE, 8));
    }
    Ok(Attributes { origin: origin.ok_or(missing)?, path: path.ok_or(missing)?, next_hop, med, local_pref })
}

fn read_path(mut b: &[u8], four_octets: bool) -> Result<Vec<u32>, Fault> {
    let wrong = Fault(error::UPDATE, 11);
    let width = if four_octets { 4 } else { 2 };
    let mut path = Vec::new();
    while let [kind, count, rest @ ..] = b {
        let (systems, behind) = rest.split_at_checked(usize::from(*count) * width).ok_or(wrong)?;
        if !matches!(kind, 1 | 2) || *count == 0 {
            return Err(wrong);
        }
        path.extend(systems.chunks(width).map(|octets| octets.iter().fold(0, |sum, o| sum << 8 | u32::from(*o))));
        b = behind;
    }
    if b.is_empty() { Ok(path) } else { Err(wrong) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NET: Network = (Ipv4Addr::new(10, 9, 0, 0), 16);

    fn open() -> Open {
        Open {
            system: 4_200_000_000,
            hold: 90,
            id: Ipv4Addr::new(192, 0, 2, 1),
            four_octets: true,
            unicast: Unicast::Implied,
        }
    }

    #[test]
    fn an_open_that_names_other_families_only_is_known_by_it() {
        let mut bytes = Message::Open(Open { unicast: Unicast::Announced, ..open() }).to_bytes(true);
        let at = bytes.windows(6).position(|octets| octets == [1, 4, 0, 1, 0, 1]).unwrap();
        let said = |bytes: &[u8]| match Message::parse(bytes, true) {
            Ok(Some((Message::Open(open), _))) => open.unicast,
            other => panic!("{other:?}"),
        };
        bytes[at + 3] = 2;
        assert_eq!(said(&bytes), Unicast::Absent, "IPv6");
        bytes[at] = 70;
        assert_eq!(said(&bytes), Unicast::Implied, "another capability");
    }

    fn messages() -> Vec<Message> {
        let attributes = Attributes {
            origin: Origin::Igp,
            path: vec![65_001, 4_200_000_000],
            next_hop: Ipv4Addr::new(192, 0, 2, 1),
            med: Some(5),
            local_pref: Some(200),
        };
        let told =
            Update { withdrawn: vec![(Ipv4Addr::UNSPECIFIED, 0)], attributes: Some(attributes), networks: vec![NET] };
        vec![
            Message::Open(Open { unicast: Unicast::Announced, ..open() }),
            Message::Open(Open { system: 65_001, four_octets: false, ..open() }),
            Message::Update(told),
            Message::Update(Update { withdrawn: vec![NET], ..Update::default() }),
            Message::Notification(Fault(error::HOLD, 0)),
            Message::Keepalive,
        ]
    }

    #[test]
    fn parse_gives_back_what_was_written() {
        for message in messages() {
            let bytes = message.to_bytes(true);
            for at in 0..bytes.len() {
                assert_eq!(Message::parse(&bytes[..at], true), Ok(None), "{at} octets of {message:?}");
            }
            assert_eq!(Message::parse(&bytes, true), Ok(Some((message, bytes.len()))));
        }
    }

    #[test]
    fn what_is_wrong_is_said_in_numbers() {
        let good = messages()[2].to_bytes(true);
        let changed = |at: usize, value: u8| {
            let mut bad = good.clone();
            bad[at] = value;
            Message::parse(&bad, true)
        };
        assert_eq!(changed(0, 0), Err(Fault(error::HEADER, 1)));
        assert_eq!(changed(18, 9), Err(Fault(error::HEADER, 3)));
        assert_eq!(changed(16, 0xff), Err(Fault(error::HEADER, 2)));
        assert_eq!(changed(20, 0xff), Err(Fault(error::UPDATE, 1)));
        // The origin, the kind of the path's segment, the mask of the network.
        assert_eq!(changed(27, 7), Err(Fault(error::UPDATE, 6)));
        assert_eq!(changed(32, 7), Err(Fault(error::UPDATE, 11)));
        assert_eq!(changed(good.len() - 3, 77), Err(Fault(error::UPDATE, 10)));
    }
}
