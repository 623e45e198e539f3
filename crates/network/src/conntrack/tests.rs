//! Conversations followed packet by packet, at explicit times.

use septet_core::Checksums;
use septet_wire::icmp;
use septet_wire::tcp::{Flags, Header};

use super::samples::{at, echo, error, query, segment, tcp, udp};
use super::*;

const SYN_ACK: Flags = Flags::from_bits(0x12);
const FIN_ACK: Flags = Flags::from_bits(0x11);
const RST_ACK: Flags = Flags::from_bits(0x14);

struct Table {
    tracker: Tracker,
    now: Instant,
}

impl Table {
    fn new(max: usize) -> Self {
        Self { tracker: Tracker::new(Timeouts::default(), max), now: Instant::ZERO }
    }

    fn look(&mut self, frame: &Frame) -> Found {
        let packet = Packet::read(frame.bytes()).unwrap();
        self.tracker.take(self.now, &packet, frame, Verify::Yes)
    }

    /// A packet that gets through.
    fn pass(&mut self, frame: &Frame) -> (State, Confirmed) {
        let found = self.look(frame);
        (found.state, self.tracker.confirm(self.now, found.of).0)
    }

    fn state(&mut self, frame: &Frame) -> State {
        self.pass(frame).0
    }

    fn only(&self) -> &Connection {
        let mut all = self.tracker.iter();
        let only = all.next().expect("one is remembered");
        assert!(all.next().is_none(), "and no other");
        only
    }

    fn lives(&self) -> u64 {
        self.only().expires().saturating_since(self.now).as_secs()
    }

    fn wait(&mut self, seconds: u64) -> usize {
        self.now += Duration::from_secs(seconds);
        core::iter::from_fn(|| self.tracker.expire(self.now)).count()
    }
}

#[test]
fn a_connection_of_tcp_from_its_first_segment_to_its_last() {
    let (a, b) = (at(1, 5000), at(2, 80));
    let mut table = Table::new(MAX);
    let mut step = |from, flags, seq, ack, data: &[u8], state: State, is: tcp::State, lives: u64| {
        let to = if from == a { b } else { a };
        assert_eq!(table.state(&tcp(from, to, flags, seq, ack, data)), state, "{flags} {seq}");
        assert_eq!((table.only().tcp_state(), table.lives()), (Some(is), lives), "{flags} {seq}");
        table.only().is_assured()
    };
    use State::{Established, New};
    use tcp::State as Is;
    step(a, Flags::SYN, 100, 0, b"", New, Is::SynSent, 120);
    step(a, Flags::SYN, 100, 0, b"", New, Is::SynSent, 120);
    step(b, SYN_ACK, 900, 101, b"", Established, Is::SynRecv, 60);
    assert!(step(a, Flags::ACK, 101, 901, b"", Established, Is::Established, 432_000), "it is assured");
    step(a, Flags::ACK, 101, 901, b"hello", Established, Is::Established, 300);
    step(b, Flags::ACK, 901, 106, b"", Established, Is::Established, 432_000);
    step(b, FIN_ACK, 901, 106, b"bye", Established, Is::FinWait, 120);
    step(a, Flags::ACK, 106, 905, b"", Established, Is::CloseWait, 60);
    step(a, FIN_ACK, 106, 905, b"", Established, Is::LastAck, 30);
    step(b, Flags::ACK, 905, 107, b"", Established, Is::TimeWait, 120);
    assert_eq!((table.wait(119), table.wait(1)), (0, 1));
    assert!(table.tracker.is_empty());
}

/// A table with a connection that is open, of which a has sent up to 101 and b up to 901.
fn open() -> Table {
    let (a, b) = (at(1, 5000), at(2, 80));
    let mut table = Table::new(MAX);
    for frame in
        [tcp(a, b, Flags::SYN, 100, 0, b""), tcp(b, a, SYN_ACK, 900, 101, b""), tcp(a, b, Flags::ACK, 101, 901, b"")]
    {
        assert_ne!(table.state(&frame), State::Invalid);
    }
    table
}

#[test]
fn segments_outside_of_the_window_are_invalid() {
    let (a, b) = (at(1, 5000), at(2, 80));
    for (what, frame) in [
        ("behind the window", tcp(b, a, Flags::ACK, 901 + 5000, 101, b"late")),
        ("long past", tcp(b, a, Flags::ACK, 901u32.wrapping_sub(5000), 101, b"old")),
        ("acknowledges what was never sent", tcp(b, a, Flags::ACK, 901, 102, b"x")),
        ("acknowledges what is long past", tcp(b, a, Flags::ACK, 901, 101u32.wrapping_sub(70_000), b"x")),
        ("a reset out of the blue", tcp(b, a, Flags::RST, 901 + 70_000, 0, b"")),
        ("a reset from the past", tcp(b, a, Flags::RST, 899, 0, b"")),
    ] {
        let mut table = open();
        assert_eq!(table.state(&frame), State::Invalid, "{what}");
        assert_eq!(table.only().tcp_state(), Some(tcp::State::Established), "{what}");
    }
    let mut table = open();
    assert_eq!(table.state(&tcp(b, a, RST_ACK, 901, 101, b"")), State::Established);
    assert_eq!((table.only().tcp_state(), table.lives()), (Some(tcp::State::Close), 10));
}

#[test]
fn scaled_windows_are_taken_at_their_full_size() {
    let (a, b) = (at(1, 5000), at(2, 80));
    let syn = |from: std::net::SocketAddr, to: std::net::SocketAddr, flags, seq, ack| {
        let mut header = Header { src_port: from.port(), dst_port: to.port(), seq, ack, flags, ..Header::default() };
        (header.window, header.options.wscale) = (1000, Some(7));
        segment(from.ip(), to.ip(), &header, b"")
    };
    let mut table = Table::new(MAX);
    table.state(&syn(a, b, Flags::SYN, 100, 0));
    table.state(&syn(b, a, SYN_ACK, 900, 101));
    assert_eq!(table.state(&tcp(a, b, Flags::ACK, 101, 901, b"")), State::Established);
    // 1000 << 7: far beyond what the unscaled windows of the SYNs would allow.
    assert_eq!(table.state(&tcp(b, a, Flags::ACK, 901 + 100_000, 101, b"x")), State::Established);
    assert_eq!(table.state(&tcp(b, a, Flags::ACK, 901 + 300_000, 101, b"x")), State::Invalid);
}

#[test]
fn only_a_first_segment_begins_a_connection() {
    let (a, b) = (at(1, 5000), at(2, 80));
    for flags in [SYN_ACK, FIN_ACK, Flags::RST, RST_ACK] {
        let mut table = Table::new(MAX);
        assert_eq!(table.state(&tcp(a, b, flags, 1, 1, b"")), State::Invalid, "{flags}");
        assert!(table.tracker.is_empty());
    }
    // One that was there before this host knew of it is taken up, as Linux does.
    let mut table = Table::new(MAX);
    assert_eq!(table.state(&tcp(a, b, Flags::ACK, 500, 700, b"x")), State::New);
    assert_eq!((table.only().tcp_state(), table.lives()), (Some(tcp::State::Established), 300));
    assert_eq!(table.state(&tcp(b, a, Flags::ACK, 700, 501, b"y")), State::Established);
}

#[test]
fn a_refusal_leaves_nothing_and_a_closed_connection_gives_way_to_the_next() {
    let (a, b) = (at(1, 5000), at(2, 80));
    let mut table = Table::new(MAX);
    table.state(&tcp(a, b, Flags::SYN, 100, 0, b""));
    assert_eq!(table.state(&tcp(b, a, RST_ACK, 0, 101, b"")), State::Established);
    assert_eq!(table.wait(0), 1);
    let mut table = open();
    for frame in
        [tcp(a, b, FIN_ACK, 101, 901, b""), tcp(b, a, FIN_ACK, 901, 102, b""), tcp(a, b, Flags::ACK, 102, 902, b"")]
    {
        assert_eq!(table.state(&frame), State::Established);
    }
    assert_eq!(table.only().tcp_state(), Some(tcp::State::TimeWait));
    assert_eq!(table.state(&tcp(a, b, Flags::SYN, 77, 0, b"")), State::New, "the same ends again");
    assert_eq!(table.only().tcp_state(), Some(tcp::State::SynSent));
}

#[test]
fn two_syns_that_cross_open_one_connection() {
    let (a, b) = (at(1, 5000), at(2, 80));
    let mut table = Table::new(MAX);
    assert_eq!(table.state(&tcp(a, b, Flags::SYN, 100, 0, b"")), State::New);
    assert_eq!(table.state(&tcp(b, a, Flags::SYN, 900, 0, b"")), State::Established);
    assert_eq!(table.only().tcp_state(), Some(tcp::State::SynSent2));
    assert_eq!(table.state(&tcp(a, b, SYN_ACK, 100, 901, b"")), State::Established);
    assert_eq!(table.only().tcp_state(), Some(tcp::State::SynRecv));
}

#[test]
fn a_stream_of_udp_lives_longer_than_a_question_and_its_answer() {
    let (a, b) = (at(1, 5000), at(2, 53));
    let mut table = Table::new(MAX);
    assert_eq!(table.state(&udp(a, b, b"?")), State::New);
    assert_eq!(table.state(&udp(a, b, b"?")), State::New, "nobody has answered");
    assert_eq!(table.state(&udp(b, a, b"!")), State::Established);
    assert_eq!((table.lives(), table.only().is_assured()), (30, false));
    table.wait(3);
    assert_eq!(table.state(&udp(a, b, b"?")), State::Established);
    assert_eq!((table.lives(), table.only().is_assured()), (120, true));
    assert_eq!((table.wait(119), table.wait(1)), (0, 1));
    assert_eq!(table.only_if_any(), None);
    assert_eq!(table.state(&udp(b, a, b"!")), State::New, "what comes now comes unasked");
}

impl Table {
    fn only_if_any(&self) -> Option<Tuple> {
        self.tracker.iter().next().map(|c| c.tuples[0])
    }
}

#[test]
fn pings_are_told_apart_by_their_identifier() {
    let mut table = Table::new(MAX);
    assert_eq!(table.state(&echo(1, 2, 7)), State::New);
    let answer = |ident| query(at(2, 0).ip(), at(1, 0).ip(), false, ident, b"ping");
    assert_eq!(table.state(&answer(8)), State::Invalid);
    assert_eq!(table.state(&answer(7)), State::Established);
    assert_eq!(table.lives(), 30);
}

#[test]
fn an_error_is_related_to_what_it_is_about() {
    let (a, b) = (at(1, 5000), at(2, 53));
    let mut table = Table::new(MAX);
    let about = udp(a, b, b"?");
    assert_eq!(table.state(&error(9, 1, icmp::kind::TIME_EXCEEDED, 0, &about)), State::Invalid, "nobody sent that");
    table.state(&about);
    let found = table.look(&error(9, 1, icmp::kind::TIME_EXCEEDED, 0, &about));
    assert_eq!((found.state, found.direction), (State::Related, Direction::Reply));
    let other = error(9, 3, icmp::kind::TIME_EXCEEDED, 0, &about);
    assert_eq!(table.state(&other), State::Invalid, "it is for another than who sent it");
    assert!(!table.only().is_answered(), "an error is no answer");
}

#[test]
fn what_is_dropped_on_its_way_is_not_remembered() {
    let mut table = Table::new(MAX);
    assert_eq!(table.look(&udp(at(1, 1), at(2, 2), b"")).state, State::New);
    assert_eq!(table.look(&udp(at(2, 2), at(1, 1), b"")).state, State::New);
    assert!(table.tracker.is_empty());
    assert_eq!(table.tracker.deadline(), None);
}

#[test]
fn a_full_table_makes_room_only_at_the_cost_of_what_nobody_answered() {
    let mut table = Table::new(3);
    let flow = |n: u16| udp(at(1, n), at(2, 53), b"?");
    let answer = |n: u16| udp(at(2, 53), at(1, n), b"!");
    for n in 1..=3 {
        assert!(matches!(table.pass(&flow(n)).1, Confirmed::Now(_)));
    }
    assert!(matches!(table.pass(&flow(4)).1, Confirmed::Instead(_)));
    assert_eq!(table.state(&answer(1)), State::New, "the oldest went");
    assert_eq!(table.tracker.len(), 3);
    let mut table = Table::new(3);
    for n in 1..=3 {
        table.pass(&flow(n));
        table.pass(&answer(n));
    }
    table.wait(3);
    for n in 1..=3 {
        table.pass(&flow(n));
    }
    assert_eq!(table.pass(&flow(4)).1, Confirmed::Full, "all are streams");
    table.wait(120);
    assert!(matches!(table.pass(&flow(4)).1, Confirmed::Now(_)));
}

#[test]
fn times_of_those_that_made_way_do_not_pile_up() {
    let mut table = Table::new(8);
    for n in 0..20_000u16 {
        table.pass(&udp(at(1, n), at(2, 53), b"?"));
        assert!(table.tracker.due.len() <= 4 * 8 + 65);
    }
    assert_eq!((table.tracker.len(), table.tracker.by_tuple.len(), table.tracker.unassured.len()), (8, 16, 8));
}

#[test]
fn wrong_checksums_and_fragments_belong_to_nothing() {
    let mut table = Table::new(MAX);
    let mut frame = udp(at(1, 1), at(2, 2), b"abc");
    frame.bytes_mut()[29] ^= 1;
    assert_eq!(table.state(&frame), State::Invalid);
    frame.checksums = Checksums::Good;
    assert_eq!(table.state(&frame), State::New, "what this process made is not looked at again");
}
