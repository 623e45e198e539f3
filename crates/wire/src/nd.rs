//! The messages of neighbour discovery (RFC 4861 §4): who has which link address, who is a router, and what he says.

mod resolvers;

use core::time::Duration;
use std::net::Ipv6Addr;

use septet_core::Frame;

use crate::ethernet::MacAddr;
use crate::icmp::{HEADER_LEN, Message};
use crate::icmpv6::{self, kind};
use crate::ipv6;
pub use crate::mld::{ALL_NODES, ALL_ROUTERS};

pub use self::resolvers::{Resolvers, SearchList};

/// RFC 4861 §3.1: with a hop limit of 255 "received Neighbor Discovery messages … were sent by neighbors".
pub const HOP_LIMIT: u8 = 255;

const SOURCE_LINK_ADDRESS: u8 = 1;
const TARGET_LINK_ADDRESS: u8 = 2;
const PREFIX_INFORMATION: u8 = 3;
const REDIRECTED_HEADER: u8 = 4;
const MTU: u8 = 5;

/// RFC 4291 §2.7.1: the group of `addr`'s solicitations, "FF02:0:0:0:0:1:FFXX:XXXX".
pub fn solicited_node(addr: Ipv6Addr) -> Ipv6Addr {
    let low = addr.to_bits() & 0xff_ffff;
    Ipv6Addr::from_bits(0xff02_0000_0000_0000_0000_0001_ff00_0000 | low)
}

/// RFC 2464 §4: the interface identifier of a link address, its "universal/local" bit turned over, `FFFE` in its middle.
pub fn interface_id(mac: MacAddr) -> u64 {
    let [a, b, c, d, e, f] = mac.0;
    u64::from_be_bytes([a ^ 2, b, c, 0xff, 0xfe, d, e, f])
}

/// RFC 4862 §5.3: the link-local address that an interface makes of its link address.
pub fn link_local(mac: MacAddr) -> Ipv6Addr {
    Ipv6Addr::from_bits(0xfe80 << 112 | u128::from(interface_id(mac)))
}

/// "Who has `target`?"
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NeighborSolicit {
    /// The address that is asked for.
    pub target: Ipv6Addr,
    /// The link address of who asks, where he has told it.
    pub source: Option<MacAddr>,
}

/// "`target` is here."
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NeighborAdvert {
    /// The address that is told of.
    pub target: Ipv6Addr,
    /// The R flag: its owner is a router.
    pub router: bool,
    /// The S flag: it was asked for.
    pub solicited: bool,
    /// The O flag: what was known before is void.
    pub overrides: bool,
    /// Its link address.
    pub link: Option<MacAddr>,
}

/// What a router says of itself and of the link.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RouterAdvert {
    /// The hop limit that hosts are to use; zero where it does not say.
    pub hop_limit: u8,
    /// For how long it is a default router; zero: not at all.
    pub lifetime: Duration,
    /// For how long a neighbour counts as reachable; zero where it does not say.
    pub reachable: Duration,
    /// Between two solicitations; zero where it does not say.
    pub retrans: Duration,
    /// Its link address.
    pub link: Option<MacAddr>,
    /// The MTU of the link.
    pub mtu: Option<u32>,
    /// The prefixes of the link.
    pub prefixes: Vec<PrefixInformation>,
    /// Whom to ask for names.
    pub resolvers: Vec<Resolvers>,
    /// Where names without a dot are looked for.
    pub search: Vec<SearchList>,
}

/// "What is for `destination` is better sent to `target`": RFC 4861 §4.5.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Redirect {
    /// The better first hop, by its link-local address; the destination itself where that is on the link.
    pub target: Ipv6Addr,
    /// What it is the better first hop for.
    pub destination: Ipv6Addr,
    /// The link address of the target.
    pub link: Option<MacAddr>,
    /// The packet that gave rise to it, as much of it as there is room for; empty where it was left out.
    pub packet: Vec<u8>,
}

/// A prefix in a router's advertisement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PrefixInformation {
    /// The prefix, and behind its length what the router wrote there.
    pub prefix: Ipv6Addr,
    /// Its leading bits that count.
    pub len: u8,
    /// The L flag: who has it is on this link.
    pub on_link: bool,
    /// The A flag: hosts may make addresses of it.
    pub autonomous: bool,
    /// For how many seconds it is valid; all ones: for ever.
    pub valid: u32,
    /// For how many seconds addresses of it are preferred; all ones: for ever.
    pub preferred: u32,
}

/// A lifetime that does not end: RFC 4861 §4.6.2, "A value of all one bits (0xffffffff) represents infinity."
pub const INFINITE: u32 = u32::MAX;

/// A message of neighbour discovery.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Discovery {
    /// A neighbour is asked for.
    NeighborSolicit(NeighborSolicit),
    /// A neighbour tells.
    NeighborAdvert(NeighborAdvert),
    /// Routers are asked for; with the link address of who asks.
    RouterSolicit(Option<MacAddr>),
    /// A router tells.
    RouterAdvert(RouterAdvert),
    /// A router knows a better way.
    Redirect(Redirect),
}

/// Reads the body of `message`, whose octets `bytes` are from the ICMPv6 header on; `None` where it is no message of
/// neighbour discovery, or one that RFC 4861 has us discard: too short, or with an option of no length.
pub fn parse(message: &Message, bytes: &[u8]) -> Option<Discovery> {
    let body = bytes.get(HEADER_LEN..)?;
    let target = || Some(Ipv6Addr::from(*body.first_chunk::<16>()?));
    Some(match message.icmp_type {
        kind::NEIGHBOR_SOLICIT => {
            let target = target()?;
            let mut source = None;
            each(&body[16..], |kind, option| {
                if kind == SOURCE_LINK_ADDRESS {
                    source = mac(option);
                }
            })?;
            Discovery::NeighborSolicit(NeighborSolicit { target, source })
        }
        kind::NEIGHBOR_ADVERT => {
            let target = target()?;
            let flag = |bit: u32| message.rest >> bit & 1 == 1;
            let mut link = None;
            each(&body[16..], |kind, option| {
                if kind == TARGET_LINK_ADDRESS {
                    link = mac(option);
                }
            })?;
            let (router, solicited, overrides) = (flag(31), flag(30), flag(29));
            Discovery::NeighborAdvert(NeighborAdvert { target, router, solicited, overrides, link })
        }
        kind::ROUTER_SOLICIT => {
            let mut source = None;
            each(body, |kind, option| {
                if kind == SOURCE_LINK_ADDRESS {
                    source = mac(option);
                }
            })?;
            Discovery::RouterSolicit(source)
        }
        kind::ROUTER_ADVERT => {
            let (times, options) = body.split_first_chunk::<8>()?;
            let millis = |at: usize| {
                let word = [times[at], times[at + 1], times[at + 2], times[at + 3]];
                Duration::from_millis(u32::from_be_bytes(word).into())
            };
            let mut advert = RouterAdvert {
                hop_limit: (message.rest >> 24) as u8,
                lifetime: Duration::from_secs((message.rest & 0xffff).into()),
                reachable: millis(0),
                retrans: millis(4),
                ..RouterAdvert::default()
            };
            each(options, |kind, option| match kind {
                SOURCE_LINK_ADDRESS => advert.link = mac(option),
                MTU => advert.mtu = option.get(4..8).map(word),
                PREFIX_INFORMATION => advert.prefixes.extend(prefix(option)),
                resolvers::RECURSIVE_SERVERS => advert.resolvers.extend(Resolvers::read(option)),
                resolvers::SEARCH_LIST => advert.search.extend(SearchList::read(option)),
                // RFC 4861 §4.6: "silently ignore any options they do not recognize and continue processing the message."
                _ => {}
            })?;
            Discovery::RouterAdvert(advert)
        }
        kind::REDIRECT => {
            let target = target()?;
            let destination = Ipv6Addr::from(*body[16..].first_chunk::<16>()?);
            let (mut link, mut packet) = (None, Vec::new());
            each(&body[32..], |kind, option| match kind {
                TARGET_LINK_ADDRESS => link = mac(option),
                REDIRECTED_HEADER => packet = option[8..].to_vec(),
                _ => {}
            })?;
            Discovery::Redirect(Redirect { target, destination, link, packet })
        }
        _ => return None,
    })
}

/// Calls `see` with the type and the whole of each option. RFC 4861 §4.6: "Nodes MUST silently discard an ND packet that
/// contains an option with length zero."
fn each(mut rest: &[u8], mut see: impl FnMut(u8, &[u8])) -> Option<()> {
    while let &[kind, units, ..] = rest {
        let len = usize::from(units) * 8;
        if len == 0 || len > rest.len() {
            return None;
        }
        let (option, tail) = rest.split_at(len);
        see(kind, option);
        rest = tail;
    }
    rest.is_empty().then_some(())
}

fn mac(option: &[u8]) -> Option<MacAddr> {
    option[2..].first_chunk().copied().map(MacAddr)
}

fn word(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes.try_into().expect("four octets"))
}

fn prefix(option: &[u8]) -> Option<PrefixInformation> {
    let option = option.first_chunk::<32>()?;
    let (len, flags) = (option[2], option[3]);
    Some(PrefixInformation {
        prefix: Ipv6Addr::from(*option[16..].first_chunk::<16>()?),
        len,
        on_link: flags & 0x80 != 0,
        autonomous: flags & 0x40 != 0,
        valid: word(&option[4..8]),
        preferred: word(&option[8..12]),
    })
    .filter(|p| p.len <= 128)
}

impl Discovery {
    /// The message with its checksum, from `src` to `dst`.
    pub fn to_frame(&self, src: Ipv6Addr, dst: Ipv6Addr) -> Frame {
        let mut frame = Frame::empty(Frame::HEADROOM);
        let (icmp_type, rest) = match self {
            Self::NeighborSolicit(NeighborSolicit { target, source }) => {
                frame.extend(&target.octets());
                link_option(SOURCE_LINK_ADDRESS, *source, &mut frame);
                (kind::NEIGHBOR_SOLICIT, 0)
            }
            Self::NeighborAdvert(NeighborAdvert { target, router, solicited, overrides, link }) => {
                frame.extend(&target.octets());
                link_option(TARGET_LINK_ADDRESS, *link, &mut frame);
                let flags = u32::from(*router) << 31 | u32::from(*solicited) << 30 | u32::from(*overrides) << 29;
                (kind::NEIGHBOR_ADVERT, flags)
            }
            Self::RouterSolicit(source) => {
                link_option(SOURCE_LINK_ADDRESS, *source, &mut frame);
                (kind::ROUTER_SOLICIT, 0)
            }
            Self::RouterAdvert(advert) => {
                let millis = |d: Duration| u32::try_from(d.as_millis()).unwrap_or(u32::MAX).to_be_bytes();
                frame.extend(&millis(advert.reachable));
                frame.extend(&millis(advert.retrans));
                link_option(SOURCE_LINK_ADDRESS, advert.link, &mut frame);
                if let Some(mtu) = advert.mtu {
                    frame.extend(&[MTU, 1, 0, 0]);
                    frame.extend(&mtu.to_be_bytes());
                }
                advert.prefixes.iter().for_each(|prefix| prefix_option(prefix, &mut frame));
                advert.resolvers.iter().for_each(|resolvers| resolvers.write(&mut frame));
                advert.search.iter().for_each(|list| list.write(&mut frame));
                let lifetime = u32::try_from(advert.lifetime.as_secs()).unwrap_or(u32::MAX).min(0xffff);
                (kind::ROUTER_ADVERT, u32::from(advert.hop_limit) << 24 | lifetime)
            }
            Self::Redirect(Redirect { target, destination, link, packet }) => {
                frame.extend(&target.octets());
                frame.extend(&destination.octets());
                link_option(TARGET_LINK_ADDRESS, *link, &mut frame);
                redirected_header(packet, &mut frame);
                (kind::REDIRECT, 0)
            }
        };
        icmpv6::push(&Message { icmp_type, code: 0, rest }, &mut frame, src, dst);
        frame
    }
}

fn link_option(kind: u8, mac: Option<MacAddr>, frame: &mut Frame) {
    if let Some(mac) = mac {
        frame.extend(&[kind, 1]);
        frame.extend(&mac.0);
    }
}

/// RFC 4861 §4.6.3: "The original packet truncated to ensure that the size of the redirect message does not exceed the
/// minimum MTU required to support IPv6".
fn redirected_header(packet: &[u8], frame: &mut Frame) {
    let room = (ipv6::MIN_MTU as usize).saturating_sub(ipv6::HEADER_LEN + HEADER_LEN + frame.len() + 8);
    let whole = packet.len().min(room) / 8 * 8;
    if whole == 0 {
        return;
    }
    frame.extend(&[REDIRECTED_HEADER, 1 + (whole / 8) as u8, 0, 0, 0, 0, 0, 0]);
    frame.extend(&packet[..whole]);
}

fn prefix_option(prefix: &PrefixInformation, frame: &mut Frame) {
    let flags = u8::from(prefix.on_link) << 7 | u8::from(prefix.autonomous) << 6;
    frame.extend(&[PREFIX_INFORMATION, 4, prefix.len, flags]);
    frame.extend(&prefix.valid.to_be_bytes());
    frame.extend(&prefix.preferred.to_be_bytes());
    frame.extend(&[0; 4]);
    frame.extend(&prefix.prefix.octets());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const A: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
    const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 9]);

    #[test]
    fn what_is_written_reads_back() {
        let prefix = PrefixInformation {
            prefix: "2001:db8:1::".parse().unwrap(),
            len: 64,
            on_link: true,
            autonomous: true,
            valid: INFINITE,
            preferred: 604_800,
        };
        let advert = RouterAdvert {
            hop_limit: 64,
            lifetime: Duration::from_secs(1800),
            reachable: Duration::from_secs(30),
            retrans: Duration::from_secs(1),
            link: Some(MAC),
            mtu: Some(1400),
            prefixes: vec![prefix, PrefixInformation { on_link: false, ..prefix }],
            resolvers: vec![Resolvers { lifetime: 30, servers: vec![A, ALL_NODES] }],
            search: vec![SearchList { lifetime: INFINITE, domains: vec!["lab".into(), "shop.test".into()] }],
        };
        let redirect = Redirect { target: A, destination: A, link: Some(MAC), packet: vec![0x60; 48] };
        let all = [
            Discovery::NeighborSolicit(NeighborSolicit { target: A, source: Some(MAC) }),
            Discovery::NeighborSolicit(NeighborSolicit { target: A, source: None }),
            Discovery::NeighborAdvert(NeighborAdvert {
                target: A,
                router: true,
                solicited: false,
                overrides: true,
                link: Some(MAC),
            }),
            Discovery::RouterSolicit(Some(MAC)),
            Discovery::RouterSolicit(None),
            Discovery::RouterAdvert(advert),
            Discovery::Redirect(Redirect { link: None, packet: Vec::new(), ..redirect.clone() }),
            Discovery::Redirect(redirect),
        ];
        for discovery in all {
            let frame = discovery.to_frame(A, ALL_NODES);
            let message = icmpv6::parse(&frame, A, ALL_NODES).expect("the checksum is right");
            assert_eq!(parse(&message, frame.bytes()), Some(discovery));
        }
    }

    #[test]
    fn a_redirect_quotes_what_fits_into_the_least_mtu() {
        let packet = vec![0x60; 1280];
        let redirect = Redirect { target: A, destination: ALL_NODES, link: Some(MAC), packet };
        let frame = Discovery::Redirect(redirect).to_frame(A, ALL_NODES);
        assert_eq!(frame.len() + ipv6::HEADER_LEN, 1280);
        let message = icmpv6::parse(&frame, A, ALL_NODES).expect("the checksum is right");
        let Some(Discovery::Redirect(read)) = parse(&message, frame.bytes()) else { panic!("a redirect") };
        assert_eq!(read.packet.len(), 1280 - 40 - 8 - 32 - 8 - 8);
    }

    #[test]
    fn groups_and_identifiers_are_made_of_addresses() {
        let addr: Ipv6Addr = "4037::1:800:200e:8c6c".parse().unwrap();
        assert_eq!(solicited_node(addr), "ff02::1:ff0e:8c6c".parse::<Ipv6Addr>().unwrap());
        assert_eq!(interface_id(MacAddr([0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde])), 0x3656_78ff_fe9a_bcde);
    }

    #[test]
    fn an_option_without_length_voids_the_message() {
        let mut bytes = vec![133, 0, 0, 0, 0, 0, 0, 0];
        let message = Message::parse(&bytes).unwrap();
        assert_eq!(parse(&message, &bytes), Some(Discovery::RouterSolicit(None)));
        bytes.extend([1, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(parse(&message, &bytes), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(kind in 133u8..=137, bytes in proptest::collection::vec(any::<u8>(), 8..120)) {
            let message = Message { icmp_type: kind, ..Message::parse(&bytes).unwrap() };
            parse(&message, &bytes);
        }
    }
}
