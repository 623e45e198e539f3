//! The router's machine, step by step.

use core::time::Duration;
use std::net::IpAddr;

use septet_core::Instant;

use super::*;

const GROUP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(239, 1, 2, 3));
const OWN: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

struct Bench {
    router: Querier,
    now: Instant,
}

fn source(last: u8) -> IpAddr {
    [10, 9, 0, last].into()
}

impl Bench {
    fn new(settings: Settings) -> Self {
        let now = Instant::from_secs(1);
        let mut bench = Self { router: Querier::new(Family::V4, settings, now), now };
        // The queries of the beginning are done.
        bench.run(100);
        bench
    }

    fn run(&mut self, secs: u64) -> Vec<(f64, Query)> {
        let (start, end) = (self.now, self.now + Duration::from_secs(secs));
        let mut sent = Vec::new();
        loop {
            while self.router.news().is_some() {}
            let Some(at) = self.router.deadline().filter(|at| *at <= end) else { break };
            self.now = at.max(self.now);
            while let Some((to, message)) = self.router.on_timer(self.now, 1500) {
                let Message::Query(query) = message else { panic!("{message:?}") };
                assert_eq!(to, query.group.unwrap_or(Family::V4.all_systems()));
                sent.push(((self.now - start).as_secs_f64(), query));
            }
        }
        self.now = end;
        sent
    }

    fn said(&mut self, said: Said, sources: &[u8]) {
        let record = Record { said, group: GROUP, sources: sources.iter().map(|n| source(*n)).collect() };
        self.router.receive(self.now, OWN, source(200), &Message::Report(vec![record]));
    }

    fn wants(&self, sources: core::ops::RangeInclusive<u8>) -> Vec<u8> {
        sources.filter(|n| self.router.wants(GROUP, source(*n))).collect()
    }
}

#[test]
fn asks_twice_at_the_beginning_and_then_every_interval() {
    let mut router = Querier::new(Family::V6, Settings::default(), Instant::from_secs(1));
    let mut times = Vec::new();
    while times.len() < 4 {
        while router.news().is_some() {}
        let at = router.deadline().unwrap();
        while let Some((to, message)) = router.on_timer(at, 1500) {
            let Message::Query(query) = message else { panic!() };
            assert_eq!((to, query.robustness, query.interval.as_secs()), (Family::V6.all_systems(), 2, 125));
            times.push(at.as_secs_f64());
        }
    }
    assert_eq!(times, [1.0, 32.25, 157.25, 282.25]);
}

#[test]
fn the_lowest_address_asks_and_another_takes_over() {
    let mut b = Bench::new(Settings::default());
    let general = Message::Query(Query::new(Version::V3, None, Duration::from_secs(10)));
    b.router.receive(b.now, OWN, [10, 0, 0, 3].into(), &general);
    b.router.receive(b.now, OWN, [0, 0, 0, 0].into(), &general);
    assert!(b.router.is_querier(), "a higher address and none do not win");
    b.router.receive(b.now, OWN, [10, 0, 0, 1].into(), &general);
    assert!(!b.router.is_querier());
    assert_eq!(b.router.news(), Some(News::Listens([10, 0, 0, 1].into())));
    let sent = b.run(300);
    // 2 · 125 s + 10 s / 2.
    assert_eq!((sent[0].0, sent.len()), (255.0, 1));
    assert!(b.router.is_querier());
}

#[test]
fn a_member_is_given_up_when_nobody_answers() {
    let mut b = Bench::new(Settings::default());
    b.said(Said::ToExclude, &[]);
    assert_eq!(b.wants(1..=2), [1, 2]);
    b.said(Said::ToInclude, &[]);
    let asked: Vec<(f64, Option<IpAddr>)> = b.run(5).into_iter().map(|(at, q)| (at, q.group)).collect();
    assert_eq!(asked, [(0.0, Some(GROUP)), (1.0, Some(GROUP))]);
    assert_eq!(b.wants(1..=2), []);
    // One that answers stays.
    b.said(Said::ToExclude, &[]);
    b.said(Said::ToInclude, &[]);
    b.run(1);
    b.said(Said::IsExclude, &[]);
    b.run(5);
    assert_eq!(b.wants(1..=1), [1]);
    // One that says nothing is given up after 2 · 125 s + 10 s, counted from its last answer.
    b.run(253);
    assert_eq!(b.wants(1..=1), [1]);
    b.run(2);
    assert_eq!(b.wants(1..=1), []);
}

#[test]
fn fast_leave_asks_nobody() {
    let mut b = Bench::new(Settings { leave: Leave::AtOnce, ..Settings::default() });
    b.said(Said::ToExclude, &[]);
    b.said(Said::ToInclude, &[]);
    assert_eq!(b.wants(1..=1), []);
    b.said(Said::Allow, &[1, 2]);
    b.said(Said::Block, &[1]);
    assert_eq!(b.wants(1..=3), [2]);
    assert!(b.run(5).is_empty());
}

/// RFC 3376 §6.4.1 and §6.4.2, line by line.
#[test]
fn sources_by_the_tables() {
    let include = || {
        let mut b = Bench::new(Settings::default());
        b.said(Said::Allow, &[1, 2]);
        b
    };
    let exclude = || {
        let mut b = Bench::new(Settings::default());
        // EXCLUDE (X = {1, 2}, Y = {3, 4})
        b.said(Said::Allow, &[1, 2]);
        b.said(Said::IsExclude, &[1, 2, 3, 4]);
        b
    };
    let asked = |b: &mut Bench| -> Vec<Vec<u8>> {
        let last = |s: &IpAddr| if let IpAddr::V4(s) = s { s.octets()[3] } else { 0 };
        b.run(0).iter().map(|(_, q)| q.sources.iter().map(last).collect()).collect()
    };
    type Start<'a> = &'a dyn Fn() -> Bench;
    /// State, what is said, what is asked, what is wanted of 1..=6 at once, and 5 s later when nobody answers.
    type Line<'a> = (Start<'a>, Said, &'a [u8], &'a [&'a [u8]], &'a [u8], &'a [u8]);
    let table: &[Line<'_>] = &[
        (&include, Said::IsInclude, &[2, 3], &[], &[1, 2, 3], &[1, 2, 3]),
        (&include, Said::IsExclude, &[2, 3], &[], &[1, 2, 4, 5, 6], &[1, 2, 4, 5, 6]),
        (&include, Said::Block, &[2, 3], &[&[2]], &[1, 2], &[1]),
        (&include, Said::ToExclude, &[2, 3], &[&[2]], &[1, 2, 4, 5, 6], &[1, 4, 5, 6]),
        (&include, Said::ToInclude, &[2, 3], &[&[1]], &[1, 2, 3], &[2, 3]),
        (&exclude, Said::IsInclude, &[1, 3], &[], &[1, 2, 3, 5, 6], &[1, 2, 3, 5, 6]),
        (&exclude, Said::IsExclude, &[1, 3, 5], &[], &[1, 2, 4, 5, 6], &[1, 2, 4, 5, 6]),
        (&exclude, Said::Block, &[1, 3, 5], &[&[1, 5]], &[1, 2, 5, 6], &[2, 6]),
        (&exclude, Said::ToExclude, &[1, 3, 5], &[&[1, 5]], &[1, 2, 4, 5, 6], &[2, 4, 6]),
        (&exclude, Said::ToInclude, &[1, 3], &[&[], &[2]], &[1, 2, 3, 5, 6], &[1, 3]),
    ];
    for (start, said, given, questions, at_once, later) in table {
        let mut b = start();
        b.said(*said, given);
        assert_eq!(asked(&mut b), *questions, "{said:?} {given:?}");
        assert_eq!(b.wants(1..=6), *at_once, "{said:?} {given:?}");
        b.run(5);
        assert_eq!(b.wants(1..=6), *later, "{said:?} {given:?} later");
    }
}

#[test]
fn hosts_of_older_versions_are_understood() {
    let mut b = Bench::new(Settings::default());
    let tell = |b: &mut Bench, message| b.router.receive(b.now, OWN, source(9), &message);
    tell(&mut b, Message::Member(Version::V2, GROUP));
    b.said(Said::Block, &[1]);
    b.said(Said::ToExclude, &[1]);
    assert_eq!(b.wants(1..=1), [1], "a host of version 2 wants all, so nothing is blocked");
    tell(&mut b, Message::Leave(GROUP));
    assert_eq!(b.run(5).len(), 2);
    assert_eq!(b.wants(1..=1), []);
    tell(&mut b, Message::Member(Version::V1, GROUP));
    tell(&mut b, Message::Leave(GROUP));
    assert!(b.run(5).is_empty());
    assert_eq!(b.wants(1..=1), [1], "a host of version 1 cannot answer that it is still there");
}

#[test]
fn memory_is_bounded() {
    let mut b = Bench::new(Settings::default());
    for n in 0..20_000_u32 {
        let group = IpAddr::from((0xef00_0000 + n).to_be_bytes());
        let record = Record { said: Said::ToExclude, group, sources: vec![] };
        b.router.receive(b.now, OWN, source(9), &Message::Report(vec![record]));
    }
    assert_eq!(b.router.groups().count(), 4096);
    let record = |n: u32| Record {
        said: Said::Allow,
        group: [239, 0, 0, 1].into(),
        sources: (0..400).map(|i| IpAddr::from((0x0a00_0000 + n * 400 + i).to_be_bytes())).collect(),
    };
    for n in 0..20 {
        b.router.receive(b.now, OWN, source(9), &Message::Report(vec![record(n)]));
    }
    b.run(300);
    assert_eq!(b.router.groups().count(), 0);
}
