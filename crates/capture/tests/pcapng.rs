//! What the capture holds, as tshark, etherparse and the format itself see it.

mod judge;

use core::time::Duration;
use std::cell::RefCell;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;

use etherparse::{PacketBuilder, SlicedPacket, TransportSlice};
use septet_capture::{Names, Pcapng, pcapng::Options};
use septet_core::{
    DropReason, Event, EventId, Fate, Fields, Frame, FrameId, Instant, Monitor, Observation, Port, StationId, Storey,
    Way,
};

const CLIENT: StationId = StationId(0);
const SERVER: StationId = StationId(1);

fn names() -> Names {
    let mut names = Names::new();
    names.station(CLIENT, "client").station(SERVER, "server");
    names.link((CLIENT, Port(0)), (SERVER, Port(0)), "client--server");
    names.mac(CLIENT, Port(0), [2, 0, 0, 0, 0, 1]).mac(SERVER, Port(0), [2, 0, 0, 0, 0, 2]);
    names.address(CLIENT, Port(0), "10.0.0.1".parse().unwrap());
    names.address(SERVER, Port(0), "10.0.0.2".parse().unwrap());
    names.address(SERVER, Port(0), "fd00::2".parse().unwrap());
    names.alias("10.0.0.2".parse().unwrap(), "www.shop.test");
    names.port(CLIENT, Port(0)).speed = Some(20_000_000);
    names
}

fn udp(payload: &[u8]) -> Frame {
    let mut bytes = Vec::new();
    PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2])
        .ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
        .udp(40_000, 7)
        .write(&mut bytes, payload)
        .unwrap();
    let mut frame = Frame::new(0, &bytes);
    frame.pad_to(60);
    frame
}

fn event(id: u64, cause: u64, kind: &'static str, build: impl FnOnce(&mut Fields)) -> Event {
    let mut fields = Fields::default();
    build(&mut fields);
    let (id, cause) = (EventId(id), EventId(cause));
    Event { id, at: Instant::from_millis(1), station: CLIENT, storey: Storey::Physical, kind, cause, fields }
}

fn see<W: io::Write>(capture: &mut Pcapng<W>, at: u64, station: StationId, way: Way, frame: &Frame, fate: Fate) {
    let at = Instant::from_nanos(at);
    capture.frame(&Observation { at, station, port: Port(0), way, frame, fate });
}

/// Four packets: one that arrives, one that is lost, one that is damaged, and that one as it arrives.
fn sample() -> Vec<u8> {
    let options = Options {
        epoch: Duration::from_secs(1_700_000_000),
        comment: Some("lab pair".to_owned()),
        ..Options::default()
    };
    let mut capture = Pcapng::new(Vec::new(), names(), options);
    capture.event(&event(1, 0, "x.write", |f| {
        f.set("why", "the program wrote");
    }));
    capture.event(&event(2, 1, "x.send", |_| {}));
    let mut whole = udp(b"whole");
    (whole.cause, whole.id) = (EventId(2), FrameId(1));
    see(&mut capture, 1_000_000, CLIENT, Way::Sent, &whole, Fate::Passed);
    see(&mut capture, 1_000_123, SERVER, Way::Received, &whole, Fate::Passed);
    let mut lost = udp(b"lost");
    lost.id = FrameId(2);
    see(&mut capture, 2_000_000, CLIENT, Way::Sent, &lost, Fate::Lost(DropReason::Loss));
    let mut damaged = udp(&[0x55; 100]);
    damaged.id = FrameId(3);
    let right = crc32(damaged.bytes());
    see(&mut capture, 3_000_000, CLIENT, Way::Sent, &damaged, Fate::Damaged(3));
    damaged.fcs = Some(right);
    damaged.bytes_mut()[60] ^= 0b111;
    see(&mut capture, 3_000_123, SERVER, Way::Received, &damaged, Fate::Passed);
    capture.secret(Instant::from_millis(4), "CLIENT_RANDOM 00 11");
    capture.secret(Instant::from_millis(4), "CLIENT_RANDOM 00 11");
    see(&mut capture, 4_000_000, CLIENT, Way::Sent, &whole, Fate::Passed);
    let (bytes, totals) = capture.finish().unwrap();
    assert_eq!((totals.packets, totals.bytes), (6, bytes.len() as u64));
    bytes
}

/// CRC-32 of IEEE 802.3, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 })
    })
}

/// The blocks of a file: type and body.
fn blocks(mut bytes: &[u8]) -> Vec<(u32, &[u8])> {
    let word = |b: &[u8], at: usize| u32::from_le_bytes(b[at..at + 4].try_into().unwrap());
    let mut blocks = Vec::new();
    while !bytes.is_empty() {
        let len = word(bytes, 4) as usize;
        assert_eq!((len % 4, word(bytes, len - 4) as usize), (0, len));
        blocks.push((word(bytes, 0), &bytes[8..len - 4]));
        bytes = &bytes[len..];
    }
    blocks
}

fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn blocks_come_in_the_order_that_readers_need() {
    let bytes = sample();
    let kinds: Vec<u32> = blocks(&bytes).iter().map(|(kind, _)| *kind).collect();
    // Section, two interfaces, names, five packets, secrets before the packet that needs them, statistics.
    assert_eq!(kinds, [0x0a0d_0d0a, 1, 1, 4, 6, 6, 6, 6, 6, 10, 6, 5, 5]);
}

#[test]
fn packets_are_what_etherparse_reads() {
    let bytes = sample();
    let packets: Vec<_> = blocks(&bytes).into_iter().filter(|(kind, _)| *kind == 6).collect();
    let payloads: Vec<Vec<u8>> = packets
        .iter()
        .map(|(_, body)| {
            let len = u32::from_le_bytes(body[12..16].try_into().unwrap()) as usize;
            let packet = SlicedPacket::from_ethernet(&body[20..20 + len]).unwrap();
            let Some(TransportSlice::Udp(udp)) = packet.transport else { panic!("{packet:?}") };
            udp.payload().to_vec()
        })
        .collect();
    assert_eq!(payloads[0], b"whole");
    assert_eq!(payloads[2], b"lost");
    assert_eq!(payloads[3].len(), 100);
}

#[test]
fn tshark_reads_names_times_reasons_and_fates() {
    let path = file("sample.pcapng", &sample());
    let fields = ["frame.time_epoch", "frame.interface_name", "frame.packet_flags_direction", "frame.comment"];
    let arguments: Vec<&str> = ["-T", "fields"].into_iter().chain(fields.iter().flat_map(|f| ["-e", f])).collect();
    let Some(lines) = judge::tshark(&path, &arguments) else { return };
    let why = "x send (x.send #2); because client x write — the program wrote (x.write #1)";
    let expected = [
        ["1700000000.001000000", "client eth0", "0x00000002", why],
        ["1700000000.001000123", "server eth0", "0x00000001", why],
        ["1700000000.002000000", "client eth0", "0x00000002", "lost: loss on client--server"],
        ["1700000000.003000000", "client eth0", "0x00000002", "damaged: 3 bits flipped on client--server"],
        ["1700000000.003000123", "server eth0", "0x00000001", "damaged: the FCS does not match"],
        ["1700000000.004000000", "client eth0", "0x00000002", why],
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:?}");
    for (line, expected) in lines.iter().zip(expected) {
        assert_eq!(*line, expected);
    }
}

#[test]
fn only_the_damaged_frame_is_bad_for_tshark() {
    let path = file("checks.pcapng", &sample());
    let checks = ["-o", "eth.check_fcs:TRUE", "-o", "udp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"];
    let fields = ["-T", "fields", "-e", "frame.number", "-e", "eth.fcs.status", "-e", "udp.checksum.status"];
    let Some(lines) = judge::tshark(&path, &[&checks[..], &fields[..]].concat()) else { return };
    let bad: Vec<_> = lines.iter().filter(|l| l[1..].iter().any(|s| s == "0")).collect();
    assert_eq!(bad, [&["5", "0", "0"]], "{lines:?}");
    let all = judge::tshark(
        &path,
        &[&checks[..], &["-Y", "_ws.malformed || _ws.expert.severity == error && frame.number != 5"]].concat(),
    );
    assert_eq!(all, Some(vec![]));
}

#[test]
fn tshark_resolves_the_names_of_the_lab() {
    let path = file("names.pcapng", &sample());
    let Some(mut command) = judge::judge("tshark", "--version") else { return };
    // With names, but none from outside.
    let output =
        command.args(["-N", "n", "-T", "fields", "-e", "ip.src_host", "-e", "ip.dst_host", "-c", "1", "-r"]).arg(&path);
    let output = output.output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "client\tserver\n");
}

#[test]
fn a_full_disk_is_told_once() {
    struct Disk(usize);
    impl io::Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut capture = Pcapng::new(Disk(600_000), names(), Options::default());
    let frame = udp(&[0; 1000]);
    for i in 0..1000 {
        see(&mut capture, i * 1_000_000, CLIENT, Way::Sent, &frame, Fate::Passed);
    }
    assert_eq!(capture.error().unwrap().kind(), io::ErrorKind::StorageFull);
    assert_eq!(capture.finish().map(|_| ()).unwrap_err().kind(), io::ErrorKind::StorageFull);
}

#[test]
fn a_capture_that_grows_slowly_can_be_read_meanwhile() {
    #[derive(Clone, Default)]
    struct Reader(Rc<RefCell<Vec<u8>>>);
    impl io::Write for Reader {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let reader = Reader::default();
    let mut capture = Pcapng::new(reader.clone(), names(), Options::default());
    let seen = || reader.0.borrow().windows(5).filter(|w| w == b"hello").count();
    for (at, expected) in [(100, 0), (900, 0), (1_000, 3), (1_100, 3), (2_000, 5)] {
        see(&mut capture, at * 1_000_000, CLIENT, Way::Sent, &udp(b"hello"), Fate::Passed);
        assert_eq!(seen(), expected, "at {at} ms");
    }
    // What fills a chunk is written at once, wherever the last one ended.
    let frame = udp(&[0; 60_000]);
    for _ in 0..100 {
        see(&mut capture, 2_100_000_000, CLIENT, Way::Sent, &frame, Fate::Passed);
    }
    assert_eq!(reader.0.borrow().len() % (1024 * 1024), 0);
    let (_, totals) = capture.finish().unwrap();
    assert_eq!((totals.packets, totals.bytes), (105, reader.0.borrow().len() as u64));
}

#[test]
fn a_port_that_nobody_named_is_described_when_it_is_seen() {
    let mut capture = Pcapng::new(Vec::new(), Names::new(), Options::default());
    see(&mut capture, 5, StationId(9), Way::Sent, &udp(b"x"), Fate::Passed);
    let (bytes, _) = capture.finish().unwrap();
    let path = file("late.pcapng", &bytes);
    let Some(lines) = judge::tshark(&path, &["-T", "fields", "-e", "frame.interface_name"]) else { return };
    assert_eq!(lines, [["station9 eth0"]]);
}
