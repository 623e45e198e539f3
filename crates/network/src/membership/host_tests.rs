//! The host's machine, step by step.

use core::time::Duration;
use std::collections::BTreeSet;
use std::net::IpAddr;

use septet_core::{Instant, Rng, Seed};

use super::*;

const GROUP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(239, 1, 2, 3));

struct Bench {
    host: Memberships,
    rng: Rng,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        Self { host: Memberships::new(Family::V4), rng: Seed::new(1).stream("h"), now: Instant::from_secs(1) }
    }

    /// What is due now.
    fn due(&mut self) -> Vec<(IpAddr, Message)> {
        core::iter::from_fn(|| self.host.on_timer(self.now, 1500, &mut self.rng)).collect()
    }

    /// What comes until then, and how long after now.
    fn run(&mut self, secs: u64) -> Vec<(Duration, Message)> {
        let (start, end) = (self.now, self.now + Duration::from_secs(secs));
        let mut sent = Vec::new();
        while let Some(at) = self.host.deadline().filter(|at| *at <= end) {
            self.now = at.max(self.now);
            let due = self.due();
            sent.extend(due.into_iter().map(|(_, message)| (self.now - start, message)));
        }
        self.now = end;
        sent
    }

    fn said(&mut self, secs: u64) -> Vec<(Said, Vec<u8>)> {
        let records = |(_, message)| match message {
            Message::Report(records) => records,
            other => panic!("{other:?}"),
        };
        self.run(secs).into_iter().flat_map(records).map(|r| (r.said, lasts(&r.sources))).collect()
    }

    fn query(&mut self, query: Query) {
        self.host.receive(self.now, &Message::Query(query), &mut self.rng);
    }
}

fn source(last: u8) -> IpAddr {
    [10, 0, 0, last].into()
}

fn sources(last: &[u8]) -> BTreeSet<IpAddr> {
    last.iter().map(|n| source(*n)).collect()
}

fn lasts(sources: &[IpAddr]) -> Vec<u8> {
    sources.iter().map(|s| if let IpAddr::V4(s) = s { s.octets()[3] } else { 0 }).collect()
}

#[test]
fn joins_and_leaves_are_told_twice_within_a_second() {
    let mut b = Bench::new();
    b.host.join(b.now, GROUP, &Filter::ALL);
    b.host.join(b.now, GROUP, &Filter::ALL);
    let (to, first) = b.due().remove(0);
    assert_eq!(to, Family::V4.all_reports());
    assert_eq!(
        first,
        Message::Report(vec![Record { said: Said::ToExclude, group: GROUP, sources: vec![] }]),
        "two members, one change"
    );
    let again = b.run(10);
    assert!(again.len() == 1 && again[0].0 <= Duration::from_secs(1), "{again:?}");
    b.host.leave(b.now, GROUP, &Filter::ALL);
    assert_eq!(b.said(10), [], "another member is left");
    b.host.leave(b.now, GROUP, &Filter::ALL);
    assert!(!b.host.contains(GROUP));
    assert_eq!(b.said(10), [(Said::ToInclude, vec![]), (Said::ToInclude, vec![])]);
    assert_eq!(b.host.deadline(), None);
    b.host.join(b.now, Family::V4.all_systems(), &Filter::ALL);
    assert_eq!(b.host.deadline(), None, "of all systems nothing is told");
}

#[test]
fn sources_that_change_are_told_and_merged_with_what_is_told_already() {
    let mut b = Bench::new();
    let first = Filter::Include(sources(&[1, 2]));
    b.host.join(b.now, GROUP, &first);
    assert_eq!(b.said(2), [(Said::Allow, vec![1, 2]), (Said::Allow, vec![1, 2])]);
    let second = Filter::Include(sources(&[2, 3]));
    b.host.refilter(b.now, GROUP, &first, &second);
    let change = [(Said::Allow, vec![3]), (Said::Block, vec![1])];
    assert_eq!(b.said(2), [change.clone(), change].concat());
    // Before the second report a member wants all but one: the list goes with the change of mode.
    b.host.join(b.now, GROUP, &Filter::Exclude(sources(&[2, 7])));
    b.due();
    b.host.refilter(b.now, GROUP, &second, &Filter::NONE);
    assert_eq!(
        b.said(2),
        [(Said::ToExclude, vec![2, 7]), (Said::Block, vec![2])],
        "source 2 is no longer wanted by anybody, and was told once with the mode and once by itself"
    );
}

#[test]
fn queries_are_answered_within_their_time() {
    let mut b = Bench::new();
    b.host.join(b.now, GROUP, &Filter::Exclude(sources(&[9])));
    b.run(5);
    let ten = Duration::from_secs(10);
    b.query(Query::new(Version::V3, None, ten));
    let at = b.host.deadline().unwrap();
    b.query(Query::new(Version::V3, None, ten * 1000));
    assert_eq!(b.host.deadline(), Some(at), "an answer that comes sooner serves the later query too");
    assert_eq!(b.said(10), [(Said::IsExclude, vec![9])]);
    // About sources: those that are wanted.
    let about = |n: &[u8]| Query {
        sources: sources(n).into_iter().collect(),
        ..Query::new(Version::V3, Some(GROUP), Duration::from_secs(1))
    };
    b.query(about(&[8]));
    b.query(about(&[9, 10]));
    assert_eq!(b.said(2), [(Said::IsInclude, vec![8, 10])]);
    b.query(about(&[9]));
    assert_eq!(b.said(2), [], "that source is not wanted");
    b.query(about(&[8]));
    b.query(Query::new(Version::V3, Some(GROUP), Duration::from_secs(1)));
    assert_eq!(b.said(2), [(Said::IsExclude, vec![9])], "the whole group is asked for now");
    b.query(Query::new(Version::V3, Some([239, 9, 9, 9].into()), Duration::from_secs(1)));
    assert_eq!(b.said(2), []);
}

#[test]
fn an_older_router_hears_its_own_version() {
    let mut b = Bench::new();
    b.query(Query::new(Version::V2, None, Duration::from_secs(10)));
    assert_eq!(b.host.version(b.now), Version::V2);
    b.host.join(b.now, GROUP, &Filter::Include(sources(&[1])));
    let sent = b.run(11);
    assert_eq!(sent.len(), 2);
    assert!(sent.iter().all(|(_, message)| *message == Message::Member(Version::V2, GROUP)), "{sent:?}");
    // Another member answers first, and is left to tell that it goes.
    b.query(Query::new(Version::V2, Some(GROUP), Duration::from_secs(1)));
    b.host.receive(b.now, &Message::Member(Version::V2, GROUP), &mut b.rng);
    assert_eq!(b.run(2), []);
    b.host.leave(b.now, GROUP, &Filter::Include(sources(&[1])));
    assert_eq!(b.run(2), []);
    b.host.join(b.now, GROUP, &Filter::ALL);
    b.run(11);
    b.host.leave(b.now, GROUP, &Filter::ALL);
    assert_eq!(b.due(), [(Family::V4.all_routers(), Message::Leave(GROUP))]);
    // 2 · 125 s + 10 s after the last query the third version is spoken again.
    b.run(300);
    assert_eq!(b.host.version(b.now), Version::V3);
    b.host.join(b.now, GROUP, &Filter::ALL);
    assert_eq!(b.said(2).len(), 2);
    b.query(Query::new(Version::V1, None, Duration::from_secs(10)));
    assert_eq!(b.run(11)[0].1, Message::Member(Version::V1, GROUP));
    b.host.leave(b.now, GROUP, &Filter::ALL);
    assert_eq!(b.run(11), [], "the first version knows no leave");
}

#[test]
fn what_is_too_long_for_a_packet_is_split_or_cut() {
    let many = |n: u16| Filter::Include((0..n).map(|i| IpAddr::from([10, 1, (i >> 8) as u8, i as u8])).collect());
    let mut b = Bench::new();
    b.host.join(b.now, GROUP, &many(800));
    let lens: Vec<usize> = b
        .due()
        .into_iter()
        .map(|(_, message)| match message {
            Message::Report(records) => records[0].sources.len(),
            other => panic!("{other:?}"),
        })
        .collect();
    // (1500 - 24 - 8 - 8) / 4 = 365
    assert_eq!(lens, [365, 365, 70]);
    let Filter::Include(all) = many(800) else { unreachable!() };
    b.host.refilter(b.now, GROUP, &many(800), &Filter::Exclude(all));
    let Message::Report(records) = &b.due()[0].1 else { panic!() };
    assert_eq!((records[0].said, records[0].sources.len()), (Said::ToExclude, 365));
    // Many groups share reports.
    let mut b = Bench::new();
    for n in 0..=255 {
        b.host.join(b.now, [239, 7, 7, n].into(), &Filter::ALL);
    }
    assert_eq!(b.due().len(), 2, "256 records of 8 octets");
}
