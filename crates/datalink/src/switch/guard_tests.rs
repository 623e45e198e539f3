//! What a switch believes of ARP and DHCP, frame by frame.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use septet_core::{Frame, Instant, Port};
use septet_wire::arp::{self, Operation};
use septet_wire::dhcp::{CLIENT_PORT, Kind, Message, Op, SERVER_PORT};
use septet_wire::{ipv4, udp};

use super::guard::{Denied, Guard, Guardian, News};
use crate::ethernet::{EtherType, Header, MacAddr};
use crate::vlan::VlanId;

const SERVER: u16 = 0;
const ALICE: u16 = 1;
const MALLORY: u16 = 2;

fn mac(of: u16) -> MacAddr {
    MacAddr::local(of.into())
}

fn ip(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 1, last)
}

fn at(seconds: u64) -> Instant {
    Instant::from_secs(seconds)
}

fn framed(from: MacAddr, to: MacAddr, ether_type: EtherType, mut frame: Frame) -> Frame {
    Header { destination: to, source: from, ether_type }.push(&mut frame);
    frame
}

fn arp(by: MacAddr, operation: Operation, (sender_mac, sender_ip): (MacAddr, Ipv4Addr), to: MacAddr) -> Frame {
    let packet = arp::Packet { operation, sender_mac, sender_ip, target_mac: to, target_ip: ip(9) };
    framed(by, to, EtherType::ARP, packet.to_frame())
}

fn dhcp(by: MacAddr, message: &Message) -> Frame {
    let (from, to) = if message.op == Op::Reply { (SERVER_PORT, CLIENT_PORT) } else { (CLIENT_PORT, SERVER_PORT) };
    let (src, dst) = (Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST);
    let mut frame = Frame::new(Frame::HEADROOM, &message.to_bytes());
    udp::Header { src_port: from, dst_port: to }.push(src.into(), dst.into(), &mut frame);
    let header = ipv4::Header {
        tos: 0,
        total_len: (frame.len() + ipv4::HEADER_LEN) as u16,
        ident: 0,
        dont_fragment: false,
        more_fragments: false,
        fragment_offset: 0,
        ttl: 64,
        protocol: udp::PROTOCOL,
        src,
        dst,
        header_len: ipv4::HEADER_LEN as u8,
    };
    header.push(&mut frame);
    framed(by, MacAddr::BROADCAST, EtherType::IPV4, frame)
}

fn guarded() -> Guardian {
    Guardian::new(&Guard {
        dhcp: Some(BTreeSet::from([SERVER])),
        arp: Some(BTreeSet::from([SERVER])),
        fixed: BTreeMap::from([(ip(1), (mac(7), None)), (ip(2), (mac(ALICE), Some(ALICE)))]),
    })
}

#[track_caller]
fn judge(guardian: &mut Guardian, now: Instant, port: u16, frame: &Frame) -> Result<Option<News>, String> {
    let judged = guardian.judge(now, VlanId::DEFAULT, Some(Port(port)), frame.bytes());
    judged.map_err(|Denied { why, .. }| why)
}

fn says(guardian: &mut Guardian, now: Instant, port: u16, address: Ipv4Addr) -> Result<(), String> {
    let frame = arp(mac(port), Operation::Reply, (mac(port), address), mac(9));
    judge(guardian, now, port, &frame).map(|news| assert_eq!(news, None))
}

/// Alice asks, and the server gives her an address.
fn lease(guardian: &mut Guardian, now: Instant, address: Ipv4Addr, seconds: Option<u32>) -> Option<News> {
    let ask = Message::request(Kind::Request, 1, mac(ALICE));
    assert_eq!(judge(guardian, now, ALICE, &dhcp(mac(ALICE), &ask)), Ok(None));
    let mut ack = Message::request(Kind::Ack, 1, mac(ALICE));
    (ack.op, ack.yiaddr, ack.options.lease) = (Op::Reply, address, seconds);
    judge(guardian, now, SERVER, &dhcp(mac(SERVER), &ack)).unwrap()
}

#[test]
fn who_has_a_lease_may_say_so_as_long_as_it_lasts_and_nobody_else_may() {
    let mut g = guarded();
    assert_eq!(says(&mut g, at(1), ALICE, ip(50)).unwrap_err(), "nobody is known to have that address");
    let bound = lease(&mut g, at(1), ip(50), Some(60));
    assert_eq!(bound, Some(News::Bound(ip(50), mac(ALICE), Port(ALICE))));
    assert_eq!(g.bindings(at(2)), 1);
    assert_eq!(says(&mut g, at(2), ALICE, ip(50)), Ok(()));
    assert_eq!(says(&mut g, at(2), MALLORY, ip(50)).unwrap_err(), format!("that address is {}'s", mac(ALICE)));
    // What is prolonged is no news, and lasts longer.
    assert_eq!(lease(&mut g, at(30), ip(50), Some(60)), None);
    assert_eq!(says(&mut g, at(89), ALICE, ip(50)), Ok(()));
    assert!(says(&mut g, at(90), ALICE, ip(50)).is_err(), "its lease is over");
    assert_eq!(g.bindings(at(90)), 0);
    // An answer without a time is for ever, and so is the longest one.
    for seconds in [None, Some(u32::MAX)] {
        lease(&mut g, at(100), ip(51), seconds);
        assert_eq!(says(&mut g, at(1_000_000_000), ALICE, ip(51)), Ok(()));
    }
}

#[test]
fn a_lease_is_of_one_vlan() {
    let mut g = guarded();
    lease(&mut g, at(1), ip(50), None);
    let frame = arp(mac(ALICE), Operation::Reply, (mac(ALICE), ip(50)), mac(9));
    let other = VlanId::new(20).unwrap();
    assert!(g.judge(at(2), other, Some(Port(ALICE)), frame.bytes()).is_err());
}

#[test]
fn a_frame_speaks_for_its_own_sender_and_to_whom_it_goes() {
    let mut g = guarded();
    let wrong = arp(mac(MALLORY), Operation::Reply, (mac(ALICE), ip(2)), mac(9));
    assert!(judge(&mut g, at(1), MALLORY, &wrong).unwrap_err().starts_with("it comes from"));
    let mut elsewhere = arp(mac(ALICE), Operation::Reply, (mac(ALICE), ip(2)), mac(9));
    elsewhere.header_mut(6).copy_from_slice(&mac(8).0);
    assert!(judge(&mut g, at(1), ALICE, &elsewhere).unwrap_err().starts_with("it goes to"));
    let cut = framed(mac(ALICE), mac(9), EtherType::ARP, Frame::new(Frame::HEADROOM, &[0, 1, 8, 0]));
    assert!(judge(&mut g, at(1), ALICE, &cut).is_err());
    // A probe claims nothing, an announcement does.
    let probe = |sender| arp(mac(MALLORY), Operation::Request, (mac(MALLORY), sender), MacAddr::BROADCAST);
    assert_eq!(judge(&mut g, at(1), MALLORY, &probe(Ipv4Addr::UNSPECIFIED)), Ok(None));
    assert!(judge(&mut g, at(1), MALLORY, &probe(ip(2))).is_err());
}

#[test]
fn what_is_fixed_is_known_from_the_beginning() {
    let mut g = guarded();
    assert_eq!(says(&mut g, at(1), ALICE, ip(2)), Ok(()));
    // At another port it is somebody who has taken her link address.
    let frame = arp(mac(ALICE), Operation::Reply, (mac(ALICE), ip(2)), mac(9));
    assert_eq!(judge(&mut g, at(1), MALLORY, &frame).unwrap_err(), "who has that address is behind eth1");
    // Where the port does not matter it is believed anywhere.
    let frame = arp(mac(7), Operation::Reply, (mac(7), ip(1)), mac(9));
    assert_eq!(judge(&mut g, at(1), MALLORY, &frame), Ok(None));
}

#[test]
fn trusted_ports_and_the_router_inside_are_believed() {
    let mut g = guarded();
    let lie = arp(mac(5), Operation::Reply, (mac(5), ip(2)), mac(9));
    assert_eq!(judge(&mut g, at(1), SERVER, &lie), Ok(None));
    assert_eq!(g.judge(at(1), VlanId::DEFAULT, None, lie.bytes()), Ok(None));
    // Where only one of the two is looked at, the other is not.
    let mut only_dhcp = Guardian::new(&Guard { dhcp: Some(BTreeSet::new()), ..Guard::default() });
    assert_eq!(judge(&mut only_dhcp, at(1), MALLORY, &lie), Ok(None));
    let mut only_arp = Guardian::new(&Guard { arp: Some(BTreeSet::new()), ..Guard::default() });
    let mut offer = Message::request(Kind::Offer, 1, mac(ALICE));
    offer.op = Op::Reply;
    assert_eq!(judge(&mut only_arp, at(1), MALLORY, &dhcp(mac(MALLORY), &offer)), Ok(None));
}

#[test]
fn a_server_or_relay_is_heard_behind_trusted_ports_only() {
    let mut g = guarded();
    for kind in [Kind::Offer, Kind::Ack, Kind::Nak] {
        let mut message = Message::request(kind, 1, mac(ALICE));
        (message.op, message.yiaddr) = (Op::Reply, ip(66));
        assert!(judge(&mut g, at(1), MALLORY, &dhcp(mac(MALLORY), &message)).is_err(), "{kind:?}");
    }
    assert_eq!(g.bindings(at(1)), 0);
    let mut relayed = Message::request(Kind::Discover, 1, mac(MALLORY));
    relayed.giaddr = ip(3);
    assert!(judge(&mut g, at(1), MALLORY, &dhcp(mac(MALLORY), &relayed)).is_err());
    let mut tagged = Message::request(Kind::Discover, 1, mac(MALLORY));
    tagged.options.relay = Some(vec![1, 1, 7]);
    assert!(judge(&mut g, at(1), MALLORY, &dhcp(mac(MALLORY), &tagged)).is_err());
    let starving = Message::request(Kind::Discover, 1, mac(40));
    assert!(judge(&mut g, at(1), MALLORY, &dhcp(mac(MALLORY), &starving)).unwrap_err().starts_with("it comes from"));
    assert_eq!(judge(&mut g, at(1), SERVER, &dhcp(mac(SERVER), &relayed)), Ok(None));
}

#[test]
fn only_who_has_an_address_gives_it_back() {
    let mut g = guarded();
    lease(&mut g, at(1), ip(50), None);
    let release = |by| {
        let mut message = Message::request(Kind::Release, 2, by);
        message.ciaddr = ip(50);
        message
    };
    let forged = dhcp(mac(MALLORY), &release(mac(MALLORY)));
    assert_eq!(judge(&mut g, at(2), MALLORY, &forged).unwrap_err(), "it gives back what another has");
    // Even with her link address, from another port.
    let forged = dhcp(mac(ALICE), &release(mac(ALICE)));
    assert!(judge(&mut g, at(2), MALLORY, &forged).is_err());
    assert_eq!(judge(&mut g, at(3), ALICE, &forged), Ok(Some(News::Released(ip(50), mac(ALICE)))));
    assert!(says(&mut g, at(4), ALICE, ip(50)).is_err());
}

#[test]
fn an_answer_that_nobody_waits_for_binds_nothing() {
    let mut g = guarded();
    let mut ack = Message::request(Kind::Ack, 1, mac(ALICE));
    (ack.op, ack.yiaddr) = (Op::Reply, ip(50));
    assert_eq!(judge(&mut g, at(1), SERVER, &dhcp(mac(SERVER), &ack)), Ok(None));
    // Too late, or to who has an address and asks for the rest.
    let ask = dhcp(mac(ALICE), &Message::request(Kind::Request, 1, mac(ALICE)));
    assert_eq!(judge(&mut g, at(1), ALICE, &ask), Ok(None));
    assert_eq!(judge(&mut g, at(1) + Duration::from_secs(64), SERVER, &dhcp(mac(SERVER), &ack)), Ok(None));
    assert_eq!(judge(&mut g, at(100), ALICE, &ask), Ok(None));
    ack.yiaddr = Ipv4Addr::UNSPECIFIED;
    assert_eq!(judge(&mut g, at(100), SERVER, &dhcp(mac(SERVER), &ack)), Ok(None));
    assert_eq!(g.bindings(at(100)), 0);
}

#[test]
fn what_it_remembers_is_bounded() {
    let mut g = guarded();
    for n in 0..20_000u64 {
        let client = MacAddr::local(1000 + n);
        let ask = dhcp(client, &Message::request(Kind::Request, 1, client));
        assert_eq!(judge(&mut g, at(1), ALICE, &ask), Ok(None));
    }
    let mut bound = 0;
    for n in 0..20_000u64 {
        let mut ack = Message::request(Kind::Ack, 1, MacAddr::local(1000 + n));
        (ack.op, ack.yiaddr) = (Op::Reply, Ipv4Addr::from_bits(0x0a01_0001 + n as u32));
        bound += usize::from(judge(&mut g, at(2), SERVER, &dhcp(mac(SERVER), &ack)).unwrap().is_some());
    }
    assert_eq!((bound, g.bindings(at(2))), (8192, 8192));
}
