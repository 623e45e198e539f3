use septet_core::{DropReason, Fate, Frame};

use super::*;

fn names() -> Names {
    let mut names = Names::new();
    for (i, name) in ["client", "r1", "lb"].into_iter().enumerate() {
        names.station(StationId(i as u32), name);
    }
    names.address(StationId(0), Port(0), "10.0.0.1".parse().unwrap());
    names.address(StationId(2), Port(0), "10.0.2.2".parse().unwrap());
    names
}

/// An Ethernet frame with a TCP segment of `data` bytes, between client and lb.
fn segment(there: bool, flags: u8, seq: u32, data: usize) -> Frame {
    let mut bytes = vec![0; 12];
    bytes.extend([0x08, 0x00, 0x45, 0]);
    bytes.extend((40 + data as u16).to_be_bytes());
    bytes.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
    let (a, b) = ([10, 0, 0, 1], [10, 0, 2, 2]);
    let (ports, ends) = if there { ([40_000u16, 443], [a, b]) } else { ([443, 40_000], [b, a]) };
    bytes.extend(ends.concat());
    bytes.extend(ports.map(u16::to_be_bytes).concat());
    bytes.extend(seq.to_be_bytes());
    bytes.extend([0, 0, 0, 0, 0x50, flags, 0, 0, 0, 0, 0, 0]);
    bytes.resize(bytes.len() + data, 7);
    let mut frame = Frame::new(0, &bytes);
    frame.pad_to(60);
    frame
}

fn see(flows: &mut Flows, millis: u64, station: u32, way: Way, frame: &Frame, fate: Fate) {
    let at = Instant::from_millis(millis);
    flows.frame(&Observation { at, station: StationId(station), port: Port(0), way, frame, fate });
}

#[test]
fn a_conversation_is_one_flow_with_two_directions() {
    let mut flows = Flows::new(names());
    let pass = Fate::Passed;
    let syn = segment(true, 0x02, 100, 0);
    see(&mut flows, 0, 0, Way::Sent, &syn, pass);
    // What the router does with it is not counted.
    see(&mut flows, 1, 1, Way::Received, &syn, pass);
    see(&mut flows, 1, 1, Way::Sent, &syn, pass);
    see(&mut flows, 2, 2, Way::Received, &syn, pass);
    let syn_ack = segment(false, 0x12, 900, 0);
    see(&mut flows, 2, 2, Way::Sent, &syn_ack, pass);
    see(&mut flows, 4, 0, Way::Received, &syn_ack, pass);
    let data = segment(true, 0x18, 101, 1000);
    see(&mut flows, 5, 0, Way::Sent, &data, Fate::Lost(DropReason::Loss));
    see(&mut flows, 9, 0, Way::Sent, &data, pass);
    see(&mut flows, 11, 2, Way::Received, &data, pass);
    let [flow] = &flows.flows()[..] else { panic!("{:?}", flows.flows()) };
    assert_eq!((flow.protocol.as_str(), flow.client.as_str(), flow.server.as_str()), ("tcp", "client", "lb"));
    assert_eq!(flow.server_address, "10.0.2.2:443");
    assert_eq!((flow.first_s, flow.last_s, flow.handshake_s), (0.0, 0.011, Some(0.004)));
    assert_eq!(
        flow.there,
        Counts { packets: 3, bytes: 2120, delivered_packets: 2, delivered_bytes: 1080, retransmitted: 1 }
    );
    assert_eq!(flow.back.delivered_packets, 1);
}

#[test]
fn sequence_numbers_wrap() {
    let mut flows = Flows::new(names());
    for (seq, expected) in [(u32::MAX - 500, 0), (499, 0), (u32::MAX - 500, 1), (1499, 1)] {
        see(&mut flows, 0, 0, Way::Sent, &segment(true, 0x10, seq, 1000), Fate::Passed);
        assert_eq!(flows.flows()[0].there.retransmitted, expected, "{seq}");
    }
}

#[test]
fn no_bytes_are_too_odd() {
    let whole = segment(true, 0x10, 1, 50);
    for len in 0..whole.len() {
        for link_type in [LinkType::ETHERNET, LinkType::PPP, LinkType::RAW, LinkType::LAPB] {
            Packet::parse(link_type, &whole.bytes()[..len]);
            Packet::parse(link_type, &whole.bytes()[14.min(len)..len]);
        }
    }
    assert_eq!(Packet::parse(LinkType::ETHERNET, &[0x81; 64]), None);
}
