//! Two ends of a line.

use super::*;
use proptest::prelude::*;
use septet_core::Seed;

struct Pair {
    now: Instant,
    ends: [Ppp; 2],
    line: [VecDeque<(Instant, Frame)>; 2],
    ups: [Vec<(Ipv4Addr, Option<Ipv4Addr>)>; 2],
    downs: u32,
    delivered: [Vec<Vec<u8>>; 2],
    /// Every frame on the line: sender, octets.
    sent: Vec<(usize, Vec<u8>)>,
    damage: Box<dyn FnMut(&mut Frame) -> bool>,
}

impl Pair {
    fn new(a: Config, b: Config) -> Self {
        let seed = Seed::new(3);
        let mut pair = Self {
            now: Instant::from_millis(1),
            ends: [Ppp::new(a, seed.stream("a")), Ppp::new(b, seed.stream("b"))],
            line: Default::default(),
            ups: Default::default(),
            downs: 0,
            delivered: Default::default(),
            sent: Vec::new(),
            damage: Box::new(|_| false),
        };
        for end in &mut pair.ends {
            end.carrier_up(pair.now, &mut Trace::off());
        }
        pair
    }

    fn run(&mut self, millis: u64) -> &mut Self {
        let end = self.now + Duration::from_millis(millis);
        let trace = &mut Trace::off();
        for _ in 0..200_000 {
            for i in 0..2 {
                while let Some(mut frame) = self.ends[i].poll_transmit(self.now, trace) {
                    self.sent.push((i, frame.bytes().to_vec()));
                    if !(self.damage)(&mut frame) {
                        self.line[1 - i].push_back((self.now + Duration::from_millis(5), frame));
                    }
                }
                while let Some(event) = self.ends[i].poll_event() {
                    match event {
                        Event::Up { local, remote } => self.ups[i].push((local, remote)),
                        Event::Down => self.downs += 1,
                        Event::Deliver(frame) => self.delivered[i].push(frame.bytes().to_vec()),
                    }
                }
            }
            let arrival = self.line.iter().filter_map(|line| line.front().map(|(at, _)| *at)).min();
            let timer = self.ends.iter().filter_map(Ppp::poll_timeout).min();
            let next = [arrival, timer].into_iter().flatten().min().unwrap_or(Instant::FAR_FUTURE);
            if next > end {
                self.now = end;
                return self;
            }
            self.now = self.now.max(next);
            for i in 0..2 {
                while self.line[i].front().is_some_and(|(at, _)| *at <= self.now)
                    && let Some((_, frame)) = self.line[i].pop_front()
                {
                    self.ends[i].receive(self.now, frame.bytes(), EventId::NONE, trace);
                }
                if self.ends[i].poll_timeout().is_some_and(|at| at <= self.now) {
                    self.ends[i].on_timeout(self.now, trace);
                }
            }
        }
        panic!("no progress at {}", self.now);
    }

    /// The codes of the LCP or IPCP packets that `end` sent.
    fn codes(&self, end: usize, number: u16) -> Vec<Code> {
        let bodies = self.sent.iter().filter(|(from, _)| *from == end).filter_map(|(_, line)| hdlc::peek(line));
        bodies
            .filter_map(|peeked| match split_protocol(peeked.body.get(2..)?) {
                Ok((n, info)) if n == number => Packet::parse(info).ok().map(|p| p.code),
                _ => None,
            })
            .collect()
    }
}

const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const B: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

fn config(local: Ipv4Addr) -> Config {
    Config { local, ..Config::default() }
}

#[test]
fn negotiates_and_carries_ip() {
    let mut p = Pair::new(config(A), config(B));
    p.run(1000);
    assert_eq!(p.ups, [vec![(A, Some(B))], vec![(B, Some(A))]]);
    assert_eq!(p.codes(0, protocol::LCP)[..2], [Code::ConfigureRequest, Code::ConfigureAck]);
    p.ends[0].send(Frame::new(64, b"packet")).unwrap();
    p.run(100);
    assert_eq!(p.delivered[1], [b"packet"]);
}

#[test]
fn an_address_is_assigned_by_nak() {
    let mut p = Pair::new(Config { assign: Some(B), ..config(A) }, config(Ipv4Addr::UNSPECIFIED));
    p.run(1000);
    assert_eq!(p.ups, [vec![(A, Some(B))], vec![(B, Some(A))]]);
    assert!(p.codes(0, protocol::IPCP).contains(&Code::ConfigureNak));
}

#[test]
fn options_take_effect() {
    let terms = Terms {
        mru: 600,
        accm: Accm::NONE,
        protocol_compression: Compression::On,
        address_compression: Compression::On,
        fcs: Fcs::ThirtyTwo,
        ..Terms::DEFAULT
    };
    let mut p = Pair::new(config(A), Config { terms, ..config(B) });
    p.run(1000);
    assert!(matches!(p.ends[0].send(Frame::new(64, &[0; 601])), Err((_, DropReason::TooBig))));
    p.ends[0].send(Frame::new(64, &[0x45, 1, 2])).unwrap();
    p.run(100);
    assert_eq!(p.delivered[1], [[0x45, 1, 2]]);
    let (_, last) = p.sent.last().unwrap();
    // Flag, protocol 21, three octets, FCS-32, flag; nothing else, but for stuffed octets of the FCS.
    assert_eq!(last[..5], [hdlc::FLAG, 0x21, 0x45, 1, 2]);
}

#[test]
fn the_restart_timer_repeats_the_request_ten_times() {
    let mut p = Pair::new(config(A), config(B));
    p.damage = Box::new(|_| true);
    p.run(60_000);
    assert_eq!(p.codes(0, protocol::LCP), [Code::ConfigureRequest; 10]);
    assert_eq!(p.ends[0].states().0, State::Stopped);
}

#[test]
fn echoes_find_a_dead_end_and_the_link_comes_back() {
    let echo = Some(Duration::from_secs(1));
    let mut p = Pair::new(Config { echo, echo_failures: 3, ..config(A) }, config(B));
    p.run(3500);
    assert!(p.codes(1, protocol::LCP).contains(&Code::EchoReply));
    p.damage = Box::new(|_| true);
    p.run(6000);
    assert!(!p.ends[0].is_up());
    p.damage = Box::new(|_| false);
    p.run(20_000);
    assert!(p.ends.iter().all(Ppp::is_up), "{:?} {:?}", p.ends[0].states(), p.ends[1].states());
}

#[test]
fn an_unknown_protocol_is_rejected() {
    let mut p = Pair::new(config(A), config(B));
    p.run(1000);
    let body = [&[0xff, 3, 0x80, 0x57][..], b"ipv6cp"].concat();
    let (now, trace) = (p.now, &mut Trace::off());
    p.ends[1].receive(now, &hdlc::encode(&body, Fcs::Sixteen, Accm::ALL), EventId::NONE, trace);
    p.run(100);
    assert_eq!(p.codes(1, protocol::LCP).last(), Some(&Code::ProtocolReject));
    assert!(p.ends.iter().all(Ppp::is_up));
}

#[test]
fn an_end_that_starts_anew_is_understood_after_a_longer_check_was_agreed_on() {
    let longer = |local| Config { terms: Terms { fcs: Fcs::ThirtyTwo, ..config(local).terms }, ..config(local) };
    let mut p = Pair::new(longer(A), longer(B));
    p.run(1000);
    assert!(p.ends.iter().all(Ppp::is_up));
    // One end restarts, and the other is not told.
    p.ends[0] = Ppp::new(longer(A), Seed::new(9).stream("again"));
    p.ends[0].carrier_up(p.now, &mut Trace::off());
    p.run(4000);
    assert!(p.ends.iter().all(Ppp::is_up));
    p.ends[0].send(Frame::new(16, &[0x45; 60])).unwrap();
    p.run(100);
    assert_eq!(p.delivered[1].len(), 1);
}

#[test]
fn closes_in_an_orderly_way() {
    let mut p = Pair::new(config(A), config(B));
    p.run(1000);
    let now = p.now;
    p.ends[0].close(now, &mut Trace::off());
    p.run(10_000);
    assert!(p.codes(0, protocol::LCP).contains(&Code::TerminateRequest));
    assert!(p.codes(1, protocol::LCP).contains(&Code::TerminateAck));
    assert_eq!((p.downs, p.ends[0].states().0), (2, State::Closed));
}

#[test]
fn reliable_transmission_repeats_what_the_line_damages() {
    for arq in Arq::ALL {
        let reliable = |side| Some(super::reliable(side, arq, 32, Duration::from_millis(50)));
        let mut p = Pair::new(
            Config { reliable: reliable(Side::Dte), ..config(A) },
            Config { reliable: reliable(Side::Dce), ..config(B) },
        );
        p.run(1000);
        assert!(p.ends.iter().all(|e| e.is_up() && e.reliable().is_some()), "{arq:?}");
        let mut rng = Seed::new(1).stream("line");
        p.damage = Box::new(move |frame| {
            if rng.chance(0.2) {
                let at = rng.below(frame.len() as u64) as usize;
                frame.bytes_mut()[at] ^= 0x10;
            }
            false
        });
        for n in 0..100u8 {
            p.ends[0].send(Frame::new(64, &[0x45, n])).unwrap();
        }
        p.run(60_000);
        let expected: Vec<_> = (0..100u8).map(|n| vec![0x45, n]).collect();
        assert_eq!(p.delivered[1], expected, "{arq:?}");
    }
}

#[test]
fn one_end_with_a_window_below_eight_makes_both_count_modulo_eight() {
    for (a, b) in [(100, 4), (4, 100)] {
        let reliable = |side, window| Some(super::reliable(side, Arq::GoBackN, window, Duration::from_millis(50)));
        let mut p = Pair::new(
            Config { reliable: reliable(Side::Dte, a), ..config(A) },
            Config { reliable: reliable(Side::Dce, b), ..config(B) },
        );
        p.run(2000);
        for end in &p.ends {
            let link = end.reliable().unwrap();
            assert!(end.is_up() && link.config().modulo == Modulo::Eight && link.config().window <= 7, "{a} {b}");
        }
        // Who takes four frames is sent no more than four at a time.
        let taking_four = usize::from(a == 4);
        assert_eq!(p.ends[taking_four].reliable().unwrap().config().window, 4);
        p.ends[0].send(Frame::new(16, &[0x45; 60])).unwrap();
        p.run(200);
        assert_eq!(p.delivered[1].len(), 1);
    }
}

#[test]
fn numbered_mode_needs_both_ends() {
    let reliable = Some(super::reliable(Side::Dte, Arq::GoBackN, 7, Duration::from_millis(50)));
    let mut p = Pair::new(Config { reliable, ..config(A) }, config(B));
    p.run(1000);
    assert!(p.codes(1, protocol::LCP).contains(&Code::ConfigureReject));
    assert!(p.ends.iter().all(|e| e.is_up() && e.reliable().is_none()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_octets_are_taken_without_panic(
        frames in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..30), 0..30),
        numbers in proptest::collection::vec(0usize..4, 30),
    ) {
        let reliable = Some(super::reliable(Side::Dte, Arq::SelectiveRepeat, 4, Duration::from_millis(50)));
        let mut p = Pair::new(Config { reliable, ..config(A) }, config(B));
        p.run(500);
        for (frame, number) in frames.iter().zip(numbers) {
            let number = [protocol::LCP, protocol::IPCP, protocol::IPV4, 0x00fd][number];
            let body = unnumbered(frame, number, &Terms::DEFAULT);
            let (now, trace) = (p.now, &mut Trace::on());
            p.ends[0].receive(now, &hdlc::encode(&body, Fcs::Sixteen, Accm::ALL), EventId::NONE, trace);
            p.ends[0].receive(now, frame, EventId::NONE, trace);
            p.run(50);
        }
    }
}
