//! What a snooping switch learns, and where it sends.

use std::net::{Ipv4Addr, Ipv6Addr};

use septet_core::Frame;
use septet_wire::membership::Version;
use septet_wire::{icmpv6, ipv4, ipv6};

use super::*;

const VLAN: VlanId = VlanId::DEFAULT;
const GROUP: Ipv4Addr = Ipv4Addr::new(239, 1, 2, 3);

struct Bench {
    snooper: Snooper,
    now: Instant,
}

impl Bench {
    fn new(snooping: Snooping) -> Self {
        Self { snooper: Snooper::new(&snooping), now: Instant::from_secs(1) }
    }

    fn packet(&mut self, port: u16, frame: &Frame) -> Course {
        self.snooper.course(self.now, VLAN, Port(port), frame.bytes())
    }

    fn says(&mut self, port: u16, message: &Message) -> Course {
        self.packet(
            port,
            &four([10, 0, 0, 9].into(), Ipv4Addr::new(224, 0, 0, 22), protocol::IGMP, &igmp::build(message)),
        )
    }

    fn data(&mut self, group: Ipv4Addr) -> Course {
        self.packet(7, &four([10, 0, 0, 1].into(), group, protocol::UDP, &[0; 16]))
    }

    fn record(&mut self, port: u16, said: Said, sources: &[IpAddr]) {
        let record = Record { said, group: GROUP.into(), sources: sources.to_vec() };
        self.says(port, &Message::Report(vec![record]));
    }

    fn query(&mut self, port: u16, group: Option<IpAddr>) -> Course {
        let query = Query {
            robustness: 2,
            interval: Duration::from_secs(20),
            ..Query::new(Version::V3, group, Duration::from_secs(if group.is_some() { 1 } else { 10 }))
        };
        self.says(port, &Message::Query(query))
    }

    fn wait(&mut self, secs: u64) {
        self.now += Duration::from_secs(secs);
    }
}

fn four(src: Ipv4Addr, dst: Ipv4Addr, protocol: u8, payload: &[u8]) -> Frame {
    let mut frame = Frame::new(Frame::HEADROOM, payload);
    let header = ipv4::Header {
        tos: 0,
        total_len: 0,
        ident: 1,
        dont_fragment: false,
        more_fragments: false,
        fragment_offset: 0,
        ttl: 1,
        protocol,
        src,
        dst,
        header_len: 20,
    };
    header.push(&mut frame);
    frame
}

fn to(ports: &[u16]) -> Course {
    Course::To(ports.iter().copied().collect())
}

#[test]
fn groups_go_to_members_and_routers_only() {
    let mut b = Bench::new(Snooping::default());
    assert_eq!(b.data(GROUP), Course::Everywhere, "nobody has joined it yet");
    assert_eq!(b.query(0, None), Course::Everywhere);
    let join = Message::Member(Version::V2, GROUP.into());
    assert_eq!(b.says(3, &join), to(&[0]), "reports go to routers");
    b.record(4, Said::ToExclude, &[]);
    b.record(5, Said::Allow, &[[10, 0, 0, 1].into()]);
    b.record(6, Said::IsInclude, &[]);
    assert_eq!(b.data(GROUP), to(&[0, 3, 4, 5]));
    assert_eq!(b.snooper.groups(b.now), 1);
    assert_eq!(b.data([239, 9, 9, 9].into()), Course::Everywhere);
    assert_eq!(b.data([224, 0, 0, 251].into()), Course::Everywhere, "link-local groups are flooded");
    let course =
        b.snooper.course(b.now, VlanId::new(2).unwrap(), Port(7), four([10, 0, 0, 1].into(), GROUP, 17, &[]).bytes());
    assert_eq!(course, Course::Everywhere, "of another VLAN nobody said anything");
    b.snooper.forget(Port(4));
    assert_eq!(b.data(GROUP), to(&[0, 3, 5]));
}

#[test]
fn members_are_given_up_when_they_are_silent_or_have_left() {
    let mut b = Bench::new(Snooping { unknown: Unknown::Routers, ..Snooping::default() });
    b.query(0, None);
    b.record(3, Said::ToExclude, &[]);
    b.record(4, Said::ToExclude, &[]);
    b.record(4, Said::ToInclude, &[]);
    assert_eq!(b.data(GROUP), to(&[0, 3, 4]), "there may be others behind that port");
    b.query(0, Some(GROUP.into()));
    b.record(3, Said::IsExclude, &[]);
    b.wait(2);
    assert_eq!(b.data(GROUP), to(&[0, 3]), "2 · 1 s without an answer");
    b.wait(47);
    b.query(0, None);
    assert_eq!(b.data(GROUP), to(&[0, 3]));
    b.wait(2);
    assert_eq!(b.data(GROUP), to(&[0]), "2 · 20 s + 10 s without a word");
    b.wait(60);
    assert_eq!(b.data(GROUP), to(&[]), "nor does the router ask any more");
}

#[test]
fn fast_leave_and_known_routers() {
    let snooping = Snooping { leave: PortLeave::AtOnce, routers: [2].into(), ..Snooping::default() };
    let mut b = Bench::new(snooping);
    b.record(3, Said::ToExclude, &[]);
    b.record(4, Said::ToExclude, &[]);
    assert_eq!(b.data(GROUP), to(&[2, 3, 4]));
    b.says(3, &Message::Leave(GROUP.into()));
    assert_eq!(b.data(GROUP), to(&[2, 4]));
    b.record(4, Said::ToInclude, &[]);
    assert_eq!(b.data(GROUP), Course::Everywhere);
}

#[test]
fn version_6_too() {
    let group: Ipv6Addr = "ff1e::7".parse().unwrap();
    let src: Ipv6Addr = "fe80::1".parse().unwrap();
    let six = |dst: Ipv6Addr, next_header, frame: &mut Frame| {
        let header =
            ipv6::Header { traffic_class: 0, flow_label: 0, payload_len: 0, next_header, hop_limit: 1, src, dst };
        header.push(frame);
    };
    let says = |message: &Message| {
        let (fixed, body) = mld::build(message);
        let mut frame = Frame::new(Frame::HEADROOM, &body);
        icmpv6::push(&fixed, &mut frame, src, mld::ALL_REPORTS);
        frame.push(8).copy_from_slice(&mld::ROUTER_ALERT);
        six(mld::ALL_REPORTS, 0, &mut frame);
        frame
    };
    let mut b = Bench::new(Snooping::default());
    b.packet(1, &says(&Message::Query(Query::new(Version::V3, None, Duration::from_secs(10)))));
    let record = Record { said: Said::ToExclude, group: group.into(), sources: vec![] };
    assert_eq!(b.packet(3, &says(&Message::Report(vec![record]))), to(&[1]));
    let data = |dst| {
        let mut frame = Frame::new(Frame::HEADROOM, &[0; 8]);
        six(dst, protocol::UDP, &mut frame);
        frame
    };
    assert_eq!(b.packet(7, &data(group)), to(&[1, 3]));
    assert_eq!(b.packet(7, &data("ff02::1:ff00:1".parse().unwrap())), Course::Everywhere, "neighbour discovery");
}

#[test]
fn nonsense_is_flooded_and_takes_no_memory() {
    let mut b = Bench::new(Snooping::default());
    for n in 0..40_000_u32 {
        let group = IpAddr::from((0xef00_0000 + n).to_be_bytes());
        b.says(3, &Message::Member(Version::V2, group));
    }
    assert_eq!(b.snooper.groups.len(), GROUPS);
    assert_eq!(b.packet(3, &Frame::new(0, &[0x45; 21])), Course::Everywhere);
    b.says(3, &Message::Member(Version::V2, [10, 0, 0, 1].into()));
    assert!(!b.snooper.groups.contains_key(&(VLAN, [10, 0, 0, 1].into())));
}
