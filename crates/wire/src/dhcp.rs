//! DHCP messages (RFC 2131) and their options (RFC 2132), over UDP.

use std::net::Ipv4Addr;

use septet_core::DropReason;

use crate::ethernet::MacAddr;

/// Where servers and relays listen.
pub const SERVER_PORT: u16 = 67;
/// Where clients listen.
pub const CLIENT_PORT: u16 = 68;
/// The longest message that every client takes (§2: "312 octets" of options and the 236 before them).
pub const MAX_LEN: usize = 548;
/// RFC 1542 §2.1: shorter ones are lost at some relays.
const MIN_LEN: usize = 300;
const FIXED: usize = 236;
const COOKIE: [u8; 4] = [99, 130, 83, 99];
const BROADCAST: u16 = 0x8000;

/// Who speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Op {
    /// A client: BOOTREQUEST.
    Request,
    /// A server: BOOTREPLY.
    Reply,
}

/// What a message is (option 53).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Who has an address for me?
    Discover,
    /// This one could be yours.
    Offer,
    /// I take this one, or keep it.
    Request,
    /// Somebody has that address already.
    Decline,
    /// It is yours.
    Ack,
    /// It is not.
    Nak,
    /// I need it no longer.
    Release,
    /// I have an address, and ask for the rest.
    Inform,
}

const KINDS: [(Kind, u8, &str); 8] = [
    (Kind::Discover, 1, "DHCPDISCOVER"),
    (Kind::Offer, 2, "DHCPOFFER"),
    (Kind::Request, 3, "DHCPREQUEST"),
    (Kind::Decline, 4, "DHCPDECLINE"),
    (Kind::Ack, 5, "DHCPACK"),
    (Kind::Nak, 6, "DHCPNAK"),
    (Kind::Release, 7, "DHCPRELEASE"),
    (Kind::Inform, 8, "DHCPINFORM"),
];

impl Kind {
    /// Its name in the RFC.
    pub fn as_str(self) -> &'static str {
        KINDS.iter().find(|(kind, ..)| *kind == self).map_or("DHCP", |(.., name)| name)
    }

    fn code(self) -> u8 {
        KINDS.iter().find(|(kind, ..)| *kind == self).map_or(0, |(_, code, _)| *code)
    }
}

/// How a client without an address can be reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Reach {
    /// At its link address.
    #[default]
    Unicast,
    /// By what is sent to all: the BROADCAST bit of `flags`.
    Broadcast,
}

/// A message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// Who speaks.
    pub op: Op,
    /// How many relays it went through.
    pub hops: u8,
    /// The number by which a client knows the answers to its questions.
    pub xid: u32,
    /// Seconds since the client began.
    pub secs: u16,
    /// How the client can be reached.
    pub reach: Reach,
    /// The address that the client has and answers ARP for.
    pub ciaddr: Ipv4Addr,
    /// The address that it gets.
    pub yiaddr: Ipv4Addr,
    /// The next server of its boot.
    pub siaddr: Ipv4Addr,
    /// The relay on the client's link.
    pub giaddr: Ipv4Addr,
    /// The client's link address.
    pub chaddr: MacAddr,
    /// The rest.
    pub options: Options,
}

/// The options of a message; what is not there is `None`, or empty.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// What the message is (53).
    pub kind: Kind,
    /// Which addresses are on the client's link (1).
    pub subnet_mask: Option<Ipv4Addr>,
    /// Routers on the client's link, the preferred one first (3).
    pub routers: Vec<Ipv4Addr>,
    /// Name servers, the preferred one first (6).
    pub name_servers: Vec<Ipv4Addr>,
    /// The client's name (12).
    pub host_name: Option<String>,
    /// The domain of its names (15).
    pub domain: Option<String>,
    /// The broadcast address of its link (28).
    pub broadcast: Option<Ipv4Addr>,
    /// The address that the client asks for (50).
    pub requested: Option<Ipv4Addr>,
    /// For how many seconds the address is the client's (51).
    pub lease: Option<u32>,
    /// Which server is meant, or speaks (54).
    pub server: Option<Ipv4Addr>,
    /// What the client wants to know (55).
    pub wanted: Vec<u8>,
    /// Why, in words (56).
    pub message: Option<String>,
    /// The longest message that the client takes (57).
    pub max_size: Option<u16>,
    /// After how many seconds the client asks its server to prolong the lease: T1 (58).
    pub renewal: Option<u32>,
    /// After how many seconds it asks any server: T2 (59).
    pub rebinding: Option<u32>,
    /// By which the client wants to be known instead of its link address (61).
    pub client_id: Option<Vec<u8>>,
    /// What a relay added, to be given back as it is (82, RFC 3046).
    pub relay: Option<Vec<u8>>,
}

impl Options {
    /// With nothing but what the message is.
    pub const fn new(kind: Kind) -> Self {
        Self {
            kind,
            subnet_mask: None,
            routers: Vec::new(),
            name_servers: Vec::new(),
            host_name: None,
            domain: None,
            broadcast: None,
            requested: None,
            lease: None,
            server: None,
            wanted: Vec::new(),
            message: None,
            max_size: None,
            renewal: None,
            rebinding: None,
            client_id: None,
            relay: None,
        }
    }
}

impl Message {
    /// A client's message.
    pub const fn request(kind: Kind, xid: u32, chaddr: MacAddr) -> Self {
        let none = Ipv4Addr::UNSPECIFIED;
        Self {
            op: Op::Request,
            hops: 0,
            xid,
            secs: 0,
            reach: Reach::Unicast,
            ciaddr: none,
            yiaddr: none,
            siaddr: none,
            giaddr: none,
            chaddr,
            options: Options::new(kind),
        }
    }

    /// Reads a message.
    ///
    /// # Errors
    /// [`DropReason::Malformed`] where it is cut off, or an option has a length that it cannot have;
    /// [`DropReason::UnknownProtocol`] where it is BOOTP's without DHCP's options, or about other links than Ethernet.
    pub fn parse(bytes: &[u8]) -> Result<Self, DropReason> {
        let (Some(fixed), Some(cookie)) = (bytes.get(..FIXED), bytes.get(FIXED..FIXED + 4)) else {
            return Err(DropReason::Malformed);
        };
        if cookie != COOKIE || fixed[1] != 1 || fixed[2] != 6 {
            return Err(DropReason::UnknownProtocol);
        }
        let op = match fixed[0] {
            1 => Op::Request,
            2 => Op::Reply,
            _ => return Err(DropReason::Malformed),
        };
        let address = |at: usize| Ipv4Addr::new(fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]);
        let flags = u16::from_be_bytes([fixed[10], fixed[11]]);
        let mut found = Found::default();
        found.read(&bytes[FIXED + 4..])?;
        // RFC 2132 §9.3: options may go on in `file` (1), `sname` (2) or both (3), in this order.
        let overload = found.take(52).and_then(|value| value.first().copied()).unwrap_or(0);
        if overload & 1 != 0 {
            found.read(&fixed[108..236])?;
        }
        if overload & 2 != 0 {
            found.read(&fixed[44..108])?;
        }
        Ok(Self {
            op,
            hops: fixed[3],
            xid: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            secs: u16::from_be_bytes([fixed[8], fixed[9]]),
            reach: if flags & BROADCAST != 0 { Reach::Broadcast } else { Reach::Unicast },
            ciaddr: address(12),
            yiaddr: address(16),
            siaddr: address(20),
            giaddr: address(24),
            chaddr: MacAddr([fixed[28], fixed[29], fixed[30], fixed[31], fixed[32], fixed[33]]),
            options: found.options()?,
        })
    }

    /// The message as it is sent.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; FIXED];
        bytes[0] = if self.op == Op::Request { 1 } else { 2 };
        (bytes[1], bytes[2], bytes[3]) = (1, 6, self.hops);
        bytes[4..8].copy_from_slice(&self.xid.to_be_bytes());
        bytes[8..10].copy_from_slice(&self.secs.to_be_bytes());
        let flags = if self.reach == Reach::Broadcast { BROADCAST } else { 0 };
        bytes[10..12].copy_from_slice(&flags.to_be_bytes());
        for (at, address) in [(12, self.ciaddr), (16, self.yiaddr), (20, self.siaddr), (24, self.giaddr)] {
            bytes[at..at + 4].copy_from_slice(&address.octets());
        }
        bytes[28..34].copy_from_slice(&self.chaddr.0);
        bytes.extend_from_slice(&COOKIE);
        self.options.write(&mut bytes);
        bytes.push(255);
        bytes.resize(bytes.len().max(MIN_LEN), 0);
        bytes
    }
}

/// Options as they were found: RFC 3396 §7: those that come in pieces are put together.
#[derive(Default)]
struct Found(Vec<(u8, Vec<u8>)>);

impl Found {
    fn read(&mut self, mut bytes: &[u8]) -> Result<(), DropReason> {
        while let [code, rest @ ..] = bytes {
            match (*code, rest) {
                (0, _) => bytes = rest,
                (255, _) => break,
                (code, [len, rest @ ..]) => {
                    let (value, rest) = rest.split_at_checked(usize::from(*len)).ok_or(DropReason::Malformed)?;
                    match self.0.iter_mut().find(|(known, _)| *known == code) {
                        Some((_, before)) => before.extend_from_slice(value),
                        None => self.0.push((code, value.to_vec())),
                    }
                    bytes = rest;
                }
                _ => return Err(DropReason::Malformed),
            }
        }
        Ok(())
    }

    fn take(&mut self, code: u8) -> Option<Vec<u8>> {
        let at = self.0.iter().position(|(known, _)| *known == code)?;
        Some(self.0.swap_remove(at).1)
    }

    fn number<const N: usize>(&mut self, code: u8) -> Result<Option<[u8; N]>, DropReason> {
        self.take(code).map(|value| value.try_into().map_err(|_| DropReason::Malformed)).transpose()
    }

    fn address(&mut self, code: u8) -> Result<Option<Ipv4Addr>, DropReason> {
        Ok(self.number::<4>(code)?.map(Ipv4Addr::from))
    }

    fn addresses(&mut self, code: u8) -> Result<Vec<Ipv4Addr>, DropReason> {
        let value = self.take(code).unwrap_or_default();
        let (all, rest) = value.as_chunks::<4>();
        if rest.is_empty() { Ok(all.iter().copied().map(Ipv4Addr::from).collect()) } else { Err(DropReason::Malformed) }
    }

    fn seconds(&mut self, code: u8) -> Result<Option<u32>, DropReason> {
        Ok(self.number(code)?.map(u32::from_be_bytes))
    }

    /// RFC 2132 §2: "Options containing NVT ASCII data SHOULD NOT include a trailing NULL; however, the receiver of such
    /// options MUST be prepared to delete trailing nulls if they exist."
    fn text(&mut self, code: u8) -> Option<String> {
        let value = self.take(code)?;
        let text = String::from_utf8_lossy(&value).trim_end_matches('\0').to_owned();
        (!text.is_empty()).then_some(text)
    }

    fn options(mut self) -> Result<Options, DropReason> {
        let [code] = self.number::<1>(53)?.ok_or(DropReason::UnknownProtocol)?;
        let known = KINDS.iter().find(|(_, number, _)| *number == code);
        let (kind, ..) = *known.ok_or(DropReason::UnknownProtocol)?;
        Ok(Options {
            kind,
            subnet_mask: self.address(1)?,
            routers: self.addresses(3)?,
            name_servers: self.addresses(6)?,
            host_name: self.text(12),
            domain: self.text(15),
            broadcast: self.address(28)?,
            requested: self.address(50)?,
            lease: self.seconds(51)?,
            server: self.address(54)?,
            wanted: self.take(55).unwrap_or_default(),
            message: self.text(56),
            max_size: self.number(57)?.map(u16::from_be_bytes),
            renewal: self.seconds(58)?,
            rebinding: self.seconds(59)?,
            client_id: self.take(61).filter(|id| !id.is_empty()),
            relay: self.take(82).filter(|added| !added.is_empty()),
        })
    }
}

impl Options {
    fn write(&self, bytes: &mut Vec<u8>) {
        let Self {
            kind,
            subnet_mask,
            routers,
            name_servers,
            host_name,
            domain,
            broadcast,
            requested,
            lease,
            server,
            wanted,
            message,
            max_size,
            renewal,
            rebinding,
            client_id,
            relay,
        } = self;
        let addresses = |all: &[Ipv4Addr]| all.iter().flat_map(Ipv4Addr::octets).collect::<Vec<u8>>();
        put(bytes, 53, &[kind.code()]);
        let single = [(1, subnet_mask), (28, broadcast), (50, requested), (54, server)];
        for (code, address) in single {
            put(bytes, code, &address.map(|a| a.octets().to_vec()).unwrap_or_default());
        }
        for (code, seconds) in [(51, lease), (58, renewal), (59, rebinding)] {
            put(bytes, code, &seconds.map(|s| s.to_be_bytes().to_vec()).unwrap_or_default());
        }
        for (code, all) in [(3, routers), (6, name_servers)] {
            put(bytes, code, &addresses(all));
        }
        for (code, text) in [(12, host_name), (15, domain), (56, message)] {
            put(bytes, code, text.as_deref().unwrap_or_default().as_bytes());
        }
        put(bytes, 57, &max_size.map(|size| size.to_be_bytes().to_vec()).unwrap_or_default());
        put(bytes, 61, client_id.as_deref().unwrap_or_default());
        put(bytes, 55, wanted);
        // RFC 3046 §2.1: "the Relay Agent Information option … SHOULD be the last option".
        put(bytes, 82, relay.as_deref().unwrap_or_default());
    }
}

/// Writes an option; in pieces where it is longer than one can be (RFC 3396 §6), not at all where it is empty.
fn put(bytes: &mut Vec<u8>, code: u8, value: &[u8]) {
    for piece in value.chunks(255) {
        bytes.extend_from_slice(&[code, piece.len() as u8]);
        bytes.extend_from_slice(piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Message {
        let address = Ipv4Addr::new(10, 0, 0, 7);
        let mut message = Message::request(Kind::Request, 0xdead_beef, MacAddr([2, 0, 0, 0, 0, 9]));
        (message.op, message.hops, message.secs, message.reach) = (Op::Reply, 2, 300, Reach::Broadcast);
        (message.ciaddr, message.giaddr) = (address, Ipv4Addr::new(10, 0, 1, 1));
        message.options = Options {
            kind: Kind::Ack,
            subnet_mask: Some(Ipv4Addr::new(255, 255, 255, 0)),
            routers: vec![address, address],
            name_servers: vec![address],
            host_name: Some("alice".into()),
            domain: Some("lab".into()),
            broadcast: Some(Ipv4Addr::new(10, 0, 0, 255)),
            requested: Some(address),
            lease: Some(3600),
            server: Some(address),
            wanted: vec![1, 3, 6],
            message: Some("x".repeat(300)),
            max_size: Some(1500),
            renewal: Some(1800),
            rebinding: Some(3150),
            client_id: Some(vec![1, 2, 3]),
            relay: Some(vec![1, 1, 7]),
        };
        message
    }

    #[test]
    fn parse_gives_back_what_was_written() {
        let message = full();
        assert_eq!(Message::parse(&message.to_bytes()), Ok(message));
        let short = Message::request(Kind::Discover, 1, MacAddr([2; 6]));
        assert_eq!((short.to_bytes().len(), Message::parse(&short.to_bytes())), (MIN_LEN, Ok(short)));
    }

    #[test]
    fn what_is_cut_off_or_no_dhcp_is_refused() {
        let bytes = full().to_bytes();
        for len in 0..FIXED + 4 {
            assert_eq!(Message::parse(&bytes[..len]), Err(DropReason::Malformed), "{len}");
        }
        for len in FIXED + 4..bytes.len() {
            // Whatever it is, it is no panic.
            let _ = Message::parse(&bytes[..len]);
        }
        let mut bootp = bytes.clone();
        bootp[FIXED] = 0;
        assert_eq!(Message::parse(&bootp), Err(DropReason::UnknownProtocol));
        let mut long = bytes.clone();
        long[FIXED + 5] = 2;
        assert_eq!(Message::parse(&long), Err(DropReason::Malformed), "a type of two octets");
    }

    #[test]
    fn options_go_on_in_the_fields_of_the_boot_file() {
        let mut bytes = Message::request(Kind::Discover, 1, MacAddr([2; 6])).to_bytes();
        bytes[FIXED + 4..FIXED + 11].copy_from_slice(&[53, 1, 1, 52, 1, 3, 255]);
        bytes[108..115].copy_from_slice(&[12, 2, b'a', b'l', 12, 0, 255]);
        bytes[44..49].copy_from_slice(&[12, 2, b'i', 0, 255]);
        assert_eq!(Message::parse(&bytes).unwrap().options.host_name.as_deref(), Some("ali"));
    }
}
