use super::*;

const R1: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const NET: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const MASK: Ipv4Addr = Ipv4Addr::new(255, 255, 255, 0);

fn lsa(body: &Body, kind: LsaType) -> Lsa {
    Lsa::new(LsaKey { kind, id: NET, router: R1 }, OPTION_EXTERNAL, MIN_SEQUENCE, body)
}

fn bodies() -> Vec<Lsa> {
    let link = |kind| RouterLink { kind, id: NET, data: MASK, metric: 10 };
    let links = [RouterLinkKind::Router, RouterLinkKind::Transit, RouterLinkKind::Stub].map(link).to_vec();
    let external = External { mask: MASK, kind: ExternalKind::Two, metric: 20, forward: Ipv4Addr::UNSPECIFIED, tag: 7 };
    vec![
        lsa(&Body::Router(RouterLsa { external: true, border: false, links }), LsaType::Router),
        lsa(&Body::Network(MASK, vec![R1, NET]), LsaType::Network),
        lsa(&Body::Summary(MASK, 70_000), LsaType::Summary),
        lsa(&Body::External(external), LsaType::External),
    ]
}

#[test]
fn parse_gives_back_what_was_written() {
    let hello = Hello {
        mask: MASK,
        interval: 10,
        options: OPTION_EXTERNAL,
        priority: 1,
        dead: 40,
        designated: NET,
        backup: Ipv4Addr::UNSPECIFIED,
        neighbors: vec![R1],
    };
    let headers: Vec<LsaHeader> = bodies().iter().map(|lsa| lsa.header).collect();
    let dd = Description {
        mtu: 1500,
        options: OPTION_EXTERNAL,
        init: false,
        more: true,
        master: true,
        sequence: 77,
        headers: headers.clone(),
    };
    for message in [
        Message::Hello(hello),
        Message::Description(dd),
        Message::Request(headers.iter().map(|header| header.key).collect()),
        Message::Update(bodies()),
        Message::Acknowledge(headers),
    ] {
        let packet = Packet { router: R1, area: Ipv4Addr::UNSPECIFIED, message };
        let bytes = packet.to_bytes();
        assert_eq!(Packet::parse(&bytes), Ok(packet));
        for at in 0..bytes.len() {
            assert!(Packet::parse(&bytes[..at]).is_err());
        }
        let mut bad = bytes.clone();
        bad[8] ^= 1;
        assert_eq!(Packet::parse(&bad), Err(DropReason::L4Checksum));
    }
    for lsa in bodies() {
        let body = lsa.read().unwrap();
        assert!(Lsa::new(lsa.header.key, OPTION_EXTERNAL, MIN_SEQUENCE, &body).says_as(&lsa));
    }
}

#[test]
fn an_advertisement_that_was_damaged_is_left_out() {
    let mut bytes = Packet { router: R1, area: Ipv4Addr::UNSPECIFIED, message: Message::Update(bodies()) }.to_bytes();
    // The metric of the first's first link, with the packet's checksum made right again.
    let at = HEADER_LEN + 4 + LSA_HEADER_LEN + 4 + 11;
    bytes[at] ^= 0xff;
    bytes[12..14].fill(0);
    let sum = sum(&bytes).to_be_bytes();
    bytes[12..14].copy_from_slice(&sum);
    let Ok(Packet { message: Message::Update(left), .. }) = Packet::parse(&bytes) else { panic!() };
    assert_eq!(left, bodies()[1..]);
}

#[test]
fn the_more_recent_instance() {
    use core::cmp::Ordering::{Equal, Greater, Less};
    let header = |sequence, checksum, age| LsaHeader { sequence, checksum, age, ..bodies()[0].header };
    for (a, b, order) in [
        (header(2, 1, 9), header(1, 2, 0), Greater),
        (header(MIN_SEQUENCE, 2, 0), header(MAX_SEQUENCE, 2, 0), Less),
        (header(1, 2, 9), header(1, 1, 0), Greater),
        (header(1, 1, MAX_AGE), header(1, 1, 0), Greater),
        (header(1, 1, 10), header(1, 1, 911), Greater),
        (header(1, 1, 10), header(1, 1, 910), Equal),
    ] {
        assert_eq!(a.newer_than(&b), order);
        assert_eq!(b.newer_than(&a), order.reverse());
    }
}
