//! Group membership as a router learns it: the querier of IGMPv3 (RFC 3376 §6) and of MLDv2 (RFC 3810 §7), with what it takes
//! from hosts of older versions (RFC 3376 §7.3, RFC 3810 §8.3).

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;

use septet_core::Instant;

use super::family::Family;
use septet_wire::membership::{Message, Query, Record, Said, Version};

/// Groups of one link that are remembered; of what is beyond nobody is taken to be a member.
const GROUPS: usize = 4096;
/// Sources that are remembered of a group.
const SOURCES: usize = 512;

/// What may be set (RFC 3376 §8, RFC 3810 §9).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// In which version it asks.
    pub version: Version,
    /// "The Robustness Variable allows tuning for the expected packet loss on a network": at least 1.
    pub robustness: u8,
    /// "The Query Interval": between general queries.
    pub interval: Duration,
    /// "The Query Response Interval": within what time general queries are answered.
    pub response: Duration,
    /// "The Last Member Query Interval": within what time queries about one group are answered, and between those.
    pub last_member: Duration,
    /// What a leave does.
    pub leave: Leave,
}

/// What a router does when a member leaves a group.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Leave {
    /// It asks whether there are others.
    #[default]
    Asks,
    /// It takes the member for the last ("fast leave"): where a link has one host.
    AtOnce,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            version: Version::V3,
            robustness: 2,
            interval: Duration::from_secs(125),
            response: Duration::from_secs(10),
            last_member: Duration::from_secs(1),
            leave: Leave::Asks,
        }
    }
}

/// What became known of a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum News {
    /// A group has its first member.
    Joined(IpAddr),
    /// A group has no members any more.
    Left(IpAddr),
    /// This router asks from now on.
    Asks,
    /// A router with a lower address asks.
    Listens(IpAddr),
}

/// Who asks on a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Role {
    /// This router: next then, and so many times more at the pace of the beginning.
    Querier { next: Instant, startup: u8 },
    /// Another one, unless it is not heard of until then.
    Other { until: Instant },
}

/// What one router knows of the groups on one link, of one version of IP.
#[derive(Clone, Debug)]
pub struct Querier {
    family: Family,
    settings: Settings,
    /// RFC 3376 §4.1.6 and §4.1.7: those of the router that asks.
    robustness: u8,
    interval: Duration,
    role: Role,
    groups: BTreeMap<IpAddr, Group>,
    outgoing: VecDeque<(IpAddr, Message)>,
    news: VecDeque<News>,
}

/// RFC 3376 §6.2: the state of one group.
#[derive(Clone, Default, Debug)]
struct Group {
    /// The group timer, which runs in EXCLUDE mode.
    exclude: Option<Instant>,
    /// Sources whose timers run: those that are wanted in INCLUDE mode, those that somebody wants in EXCLUDE mode.
    sources: BTreeMap<IpAddr, Instant>,
    /// In EXCLUDE mode: those that nobody wants.
    unwanted: BTreeSet<IpAddr>,
    /// RFC 3376 §7.3.2: until when there are hosts of versions 1 and 2.
    older: [Option<Instant>; 2],
    /// Queries about the group that are to be repeated: when, how often.
    asking: Option<(Instant, u8)>,
    /// The same of sources.
    asking_sources: BTreeMap<IpAddr, u8>,
    /// When those are asked for again.
    asking_next: Option<Instant>,
}

impl Group {
    fn is_over(&self) -> bool {
        self.exclude.is_none() && self.sources.is_empty()
    }

    fn version(&self, now: Instant) -> Version {
        let present = |timer: Option<Instant>| timer.is_some_and(|until| now < until);
        match self.older {
            [first, _] if present(first) => Version::V1,
            [_, second] if present(second) => Version::V2,
            _ => Version::V3,
        }
    }
}

impl Querier {
    /// One that begins to ask at `now`.
    pub fn new(family: Family, settings: Settings, now: Instant) -> Self {
        Self {
            family,
            settings,
            robustness: settings.robustness.max(1),
            interval: settings.interval,
            // RFC 3376 §8.6 and §8.7: so many queries, "1/4 the [Query Interval]" apart.
            role: Role::Querier { next: now, startup: settings.robustness.max(1) - 1 },
            groups: BTreeMap::new(),
            outgoing: VecDeque::new(),
            news: VecDeque::from([News::Asks]),
        }
    }

    /// The link is there again: this router asks as at its beginning.
    pub fn begin_again(&mut self) {
        self.role = Role::Querier { next: Instant::ZERO, startup: self.settings.robustness.max(1) - 1 };
    }

    /// Whether this router is the one that asks.
    pub const fn is_querier(&self) -> bool {
        matches!(self.role, Role::Querier { .. })
    }

    /// Whether somebody on the link wants what `source` sends to `group`.
    pub fn wants(&self, group: IpAddr, source: IpAddr) -> bool {
        self.groups.get(&group).is_some_and(|group| match group.exclude {
            Some(_) => !group.unwanted.contains(&source),
            None => group.sources.contains_key(&source),
        })
    }

    /// The groups with members.
    pub fn groups(&self) -> impl Iterator<Item = IpAddr> {
        self.groups.keys().copied()
    }

    /// What became known since this was asked last.
    pub fn news(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    /// RFC 3376 §8.4: "Robustness Variable) times (the Query Interval)) plus (one Query Response Interval)".
    fn membership_interval(&self) -> Duration {
        self.interval * u32::from(self.robustness) + self.settings.response
    }

    /// RFC 3376 §8.10: how long after a leave a group is given up.
    fn last_member_time(&self) -> Duration {
        self.settings.last_member * u32::from(self.robustness)
    }

    /// Takes a message that `from` sent on the link; `own` is this router's address there.
    pub fn receive(&mut self, now: Instant, own: IpAddr, from: IpAddr, message: &Message) {
        match message {
            Message::Query(query) => self.hear_query(now, own, from, query),
            // RFC 3376 §7.3.2: "IS_EX( {} )", and "the Older Host Present timers".
            Message::Member(version, group) => {
                let until = now + self.membership_interval();
                if self.take(now, &Record { said: Said::IsExclude, group: *group, sources: Vec::new() })
                    && let Some(group) = self.groups.get_mut(group)
                {
                    group.older[usize::from(*version != Version::V1)] = Some(until);
                }
            }
            // §7.3.2: "TO_IN( {} )", which hosts of version 1 make one ignore.
            Message::Leave(group) => {
                if self.groups.get(group).is_some_and(|g| g.version(now) != Version::V1) {
                    self.take(now, &Record { said: Said::ToInclude, group: *group, sources: Vec::new() });
                }
            }
            Message::Report(records) => {
                for record in records {
                    self.take(now, record);
                }
            }
        }
    }

    /// RFC 3376 §6.6.2: "the Query with the lowest IP address … is elected". RFC 4541 §2.1.1: queries of switches from 0.0.0.0
    /// take no part.
    fn hear_query(&mut self, now: Instant, own: IpAddr, from: IpAddr, query: &Query) {
        if from.is_unspecified() || from == own {
            return;
        }
        if from < own {
            if self.is_querier() {
                self.news.push_back(News::Listens(from));
            }
            if query.robustness > 0 {
                self.robustness = query.robustness;
            }
            if !query.interval.is_zero() {
                self.interval = query.interval;
            }
            // §8.5: "Robustness Variable) times (the Query Interval)) plus (one half of one Query Response Interval)".
            let until = now + self.interval * u32::from(self.robustness) + self.settings.response / 2;
            self.role = Role::Other { until };
            for group in self.groups.values_mut() {
                (group.asking, group.asking_next) = (None, None);
                group.asking_sources.clear();
            }
        }
        // §6.6.1: "When a router receives a query with a clear Suppress Router-Side Processing flag, it must update its
        // timers".
        if let Some(group) = query.group
            && !query.suppress
            && !self.is_querier()
        {
            self.lower(now, group, &query.sources);
        }
    }

    /// Lowers the timers of a group, or of some of its sources, so that what nobody answers for is soon given up.
    fn lower(&mut self, now: Instant, group: IpAddr, sources: &[IpAddr]) {
        let soon = now + self.last_member_time();
        let Some(group) = self.groups.get_mut(&group) else { return };
        if sources.is_empty() {
            group.exclude = group.exclude.map(|at| at.min(soon));
        }
        for source in sources {
            if let Some(at) = group.sources.get_mut(source) {
                *at = soon.min(*at);
            }
        }
    }

    /// Takes one record in, by the tables of RFC 3376 §6.4; says whether it was taken.
    fn take(&mut self, now: Instant, record: &Record) -> bool {
        let Record { said, group, sources } = record;
        let outside = Family::of(*group) != self.family || !self.family.is_reported(*group) || !group.is_multicast();
        let none = matches!(said, Said::IsInclude | Said::ToInclude | Said::Allow | Said::Block) && sources.is_empty();
        if outside || !self.groups.contains_key(group) && (none || *said == Said::Block || self.groups.len() >= GROUPS)
        {
            return false;
        }
        let member = now + self.membership_interval();
        let leave = self.settings.leave;
        let fresh = !self.groups.contains_key(group);
        let entry = self.groups.entry(*group).or_default();
        let older = entry.version(now);
        // RFC 3376 §7.3.2: while there are hosts of version 2, blocks are ignored, and the sources of TO_EX; of version 1, TO_IN
        // too.
        if older != Version::V3 && *said == Said::Block || older == Version::V1 && *said == Said::ToInclude {
            return false;
        }
        let given = if older != Version::V3 && *said == Said::ToExclude { &[][..] } else { &sources[..] };
        let mut given: BTreeSet<IpAddr> = given.iter().copied().take(SOURCES).collect();
        let known = |entry: &Group| entry.sources.len() + entry.unwanted.len();
        if known(entry) + given.len() > SOURCES {
            given.retain(|s| entry.sources.contains_key(s) || entry.unwanted.contains(s));
        }
        let (mut ask, mut ask_group) = (BTreeSet::new(), false);
        match (entry.exclude, said) {
            // "INCLUDE (A)  IS_IN (B) or ALLOW (B)  INCLUDE (A+B)  (B)=GMI"; TO_IN too, and "Send Q(G,A-B)".
            // "EXCLUDE (X,Y)  IS_IN (A) or ALLOW (A)  EXCLUDE (X+A,Y-A)  (A)=GMI"; TO_IN too, and "Send Q(G,X-A), Send Q(G)".
            (mode, Said::IsInclude | Said::Allow | Said::ToInclude) => {
                if *said == Said::ToInclude {
                    ask = entry.sources.keys().filter(|s| !given.contains(s)).copied().collect();
                    ask_group = mode.is_some();
                }
                for source in given {
                    entry.unwanted.remove(&source);
                    entry.sources.insert(source, member);
                }
            }
            // "INCLUDE (A)  BLOCK (B)  INCLUDE (A)  Send Q(G,A*B)".
            (None, Said::Block) => ask = given.into_iter().filter(|s| entry.sources.contains_key(s)).collect(),
            // "EXCLUDE (X,Y)  BLOCK (A)  EXCLUDE (X+(A-Y),Y)  (A-X-Y)=Group Timer  Send Q(G,A-Y)".
            (Some(timer), Said::Block) => {
                for source in given.into_iter().filter(|s| !entry.unwanted.contains(s)) {
                    entry.sources.entry(source).or_insert(timer);
                    ask.insert(source);
                }
            }
            // "INCLUDE (A)  IS_EX (B)  EXCLUDE (A*B,B-A)  (B-A)=0  Delete (A-B)  Group Timer=GMI"; TO_EX too, and
            // "Send Q(G,A*B)".
            (None, Said::IsExclude | Said::ToExclude) => {
                entry.sources.retain(|s, _| given.contains(s));
                entry.unwanted = given.into_iter().filter(|s| !entry.sources.contains_key(s)).collect();
                if *said == Said::ToExclude {
                    ask = entry.sources.keys().copied().collect();
                }
                entry.exclude = Some(member);
            }
            // "EXCLUDE (X,Y)  IS_EX (A)  EXCLUDE (A-Y,Y*A)  (A-X-Y)=GMI  Delete (X-A)  Delete (Y-A)  Group Timer=GMI"; TO_EX with
            // "(A-X-Y)=Group Timer", and "Send Q(G,A-Y)".
            (Some(timer), Said::IsExclude | Said::ToExclude) => {
                let first = if *said == Said::IsExclude { member } else { timer };
                entry.sources.retain(|s, _| given.contains(s));
                entry.unwanted.retain(|s| given.contains(s));
                for source in given.into_iter().filter(|s| !entry.unwanted.contains(s)) {
                    entry.sources.entry(source).or_insert(first);
                    if *said == Said::ToExclude {
                        ask.insert(source);
                    }
                }
                entry.exclude = Some(member);
            }
        }
        if fresh {
            self.news.push_back(News::Joined(*group));
        }
        match leave {
            Leave::Asks => self.ask(now, *group, ask_group, ask),
            Leave::AtOnce => {
                if ask_group {
                    entry.exclude = None;
                    entry.unwanted.clear();
                }
                entry.sources.retain(|s, _| !ask.contains(s));
                if entry.exclude.is_some() {
                    entry.unwanted.extend(ask);
                }
            }
        }
        self.tidy();
        self.groups.contains_key(group)
    }

    /// RFC 3376 §6.6.3: queries about a group, or about sources of it, sent at once and repeated.
    fn ask(&mut self, now: Instant, group: IpAddr, whole: bool, sources: BTreeSet<IpAddr>) {
        if !self.is_querier() {
            return;
        }
        let (times, soon) = (self.robustness, now + self.last_member_time());
        let Some(entry) = self.groups.get_mut(&group) else { return };
        if whole {
            entry.exclude = entry.exclude.map(|at| at.min(soon));
            entry.asking = Some((now, times));
        }
        for source in sources {
            // "If the source timer is larger than LMQT": those that are given up soon anyway are not asked for.
            if let Some(at) = entry.sources.get_mut(&source).filter(|at| **at > soon) {
                *at = soon;
                entry.asking_sources.insert(source, times);
                entry.asking_next = Some(now);
            }
        }
    }

    /// Gives up groups that nobody is in.
    fn tidy(&mut self) {
        let Self { groups, news, .. } = self;
        groups.retain(|group, entry| {
            let over = entry.is_over();
            if over {
                news.push_back(News::Left(*group));
            }
            !over
        });
    }

    /// When something is next due.
    pub fn deadline(&self) -> Option<Instant> {
        if !self.outgoing.is_empty() || !self.news.is_empty() {
            return Some(Instant::ZERO);
        }
        let role = match self.role {
            Role::Querier { next, .. } => next,
            Role::Other { until } => until,
        };
        let groups = self.groups.values().flat_map(|g| {
            let asking = [g.exclude, g.asking.map(|(at, _)| at), g.asking_next];
            asking.into_iter().flatten().chain(g.sources.values().copied())
        });
        groups.chain([role]).min()
    }

    /// Takes a query that is due, and to whom it goes; it fits into packets of `mtu` octets.
    pub fn on_timer(&mut self, now: Instant, mtu: u32) -> Option<(IpAddr, Message)> {
        if self.outgoing.is_empty() {
            self.take_turn(now);
            self.expire(now);
            self.repeat(now, mtu);
        }
        self.outgoing.pop_front()
    }

    fn query(&self, group: Option<IpAddr>, max_response: Duration) -> Query {
        Query {
            robustness: if self.robustness > 7 { 0 } else { self.robustness },
            interval: self.interval,
            ..Query::new(self.settings.version, group, max_response)
        }
    }

    fn take_turn(&mut self, now: Instant) {
        if let Role::Other { until } = self.role
            && until <= now
        {
            self.role = Role::Querier { next: now, startup: 0 };
            (self.robustness, self.interval) = (self.settings.robustness.max(1), self.settings.interval);
            self.news.push_back(News::Asks);
        }
        if let Role::Querier { next, startup } = self.role
            && next <= now
        {
            let general = self.query(None, self.settings.response);
            self.outgoing.push_back((self.family.all_systems(), Message::Query(general)));
            let gap = if startup > 0 { self.interval / 4 } else { self.interval };
            self.role = Role::Querier { next: now + gap, startup: startup.saturating_sub(1) };
        }
    }

    /// RFC 3376 §6.5: in EXCLUDE mode a source whose timer expires is one that nobody wants; §6.2.3: when the group's expires, the
    /// sources whose timers still run are all that is wanted.
    fn expire(&mut self, now: Instant) {
        for entry in self.groups.values_mut() {
            let gone: Vec<IpAddr> = entry.sources.iter().filter(|(_, at)| **at <= now).map(|(s, _)| *s).collect();
            for source in gone {
                entry.sources.remove(&source);
                entry.asking_sources.remove(&source);
                if entry.exclude.is_some() {
                    entry.unwanted.insert(source);
                }
            }
            if entry.exclude.is_some_and(|at| at <= now) {
                entry.exclude = None;
                entry.unwanted.clear();
            }
        }
        self.tidy();
    }

    fn repeat(&mut self, now: Instant, mtu: u32) {
        let (again, soon) = (now + self.settings.last_member, now + self.last_member_time());
        let blank = self.query(None, self.settings.last_member);
        let blank = |group: IpAddr| Query { group: Some(group), ..blank.clone() };
        let fits = self.family.sources_per_query(mtu);
        let mut asked = Vec::new();
        for (group, entry) in &mut self.groups {
            if let Some((_, left)) = entry.asking.take_if(|(at, _)| *at <= now) {
                // §6.6.3.1: "If the group timer is larger than LMQT, the Suppress Router-Side Processing bit is set".
                let suppress = entry.exclude.is_some_and(|at| at > soon);
                asked.push(Query { suppress, ..blank(*group) });
                entry.asking = (left > 1).then_some((again, left - 1));
            }
            if entry.asking_next.take_if(|at| *at <= now).is_some() {
                let (later, now): (Vec<IpAddr>, Vec<IpAddr>) =
                    entry.asking_sources.keys().partition(|s| entry.sources.get(s).is_some_and(|at| *at > soon));
                // §6.6.3.2: two queries, one with the bit set and one without.
                for (suppress, sources) in [(true, later), (false, now)] {
                    let pieces = sources.chunks(fits).map(<[IpAddr]>::to_vec);
                    asked.extend(pieces.map(|sources| Query { suppress, sources, ..blank(*group) }));
                }
                entry.asking_sources.retain(|_, left| {
                    *left -= 1;
                    *left > 0
                });
                entry.asking_next = (!entry.asking_sources.is_empty()).then_some(again);
            }
        }
        // §7.3.2: queries of older versions know no sources.
        asked.retain(|query| query.version == Version::V3 || query.sources.is_empty());
        let to = |query: &Query| query.group.unwrap_or(self.family.all_systems());
        self.outgoing.extend(asked.into_iter().map(|query| (to(&query), Message::Query(query))));
    }
}
