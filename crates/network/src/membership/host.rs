//! Group membership as a host tells it: IGMPv3 (RFC 3376 §5), MLDv2 (RFC 3810 §6), and the older versions where a router speaks
//! one (RFC 3376 §7.2, RFC 3810 §8.2).

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;

use septet_core::{Instant, Rng};

use super::family::Family;
use super::merge::Merged;
use septet_wire::membership::{Filter, Message, Query, Record, Said, Version};

/// RFC 3376 §8.1, RFC 3810 §9.1: how often is said what may get lost, unless a querier knows better.
const ROBUSTNESS: u8 = 2;
/// RFC 3376 §8.2: the interval of queriers that do not tell theirs.
const QUERY_INTERVAL: Duration = Duration::from_secs(125);
/// RFC 3376 §8.11, RFC 3810 §9.11: changes are said again within this time.
const UNSOLICITED_REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// RFC 2236 §8.10, RFC 2710 §7.10: the same of the second version.
const OLD_UNSOLICITED_REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// The groups of one interface, of one version of IP.
#[derive(Clone, Debug)]
pub struct Memberships {
    family: Family,
    groups: BTreeMap<IpAddr, Group>,
    /// When a general query is answered.
    general: Option<Instant>,
    /// When changes are next told.
    change: Option<Instant>,
    /// RFC 3376 §7.2.1: until when routers of versions 1 and 2 are taken to be there.
    older: [Option<Instant>; 2],
    /// What was said last by the older version spoken.
    spoken: Version,
    robustness: u8,
    query_interval: Duration,
    outgoing: VecDeque<(IpAddr, Message)>,
}

/// One group.
#[derive(Clone, Default, Debug)]
struct Group {
    wanted: Merged,
    /// When a query about this group is answered, and of which sources; of all where there are none.
    answer: Option<(Instant, BTreeSet<IpAddr>)>,
    /// How often the change of mode is still to be told.
    mode_left: u8,
    /// How often the change of each source is still to be told.
    sources_left: BTreeMap<IpAddr, u8>,
    /// Of the older versions: when the next report goes out, and how many follow.
    report: Option<(Instant, u8)>,
    /// RFC 2236 §6: "a flag which is set when we were the last host to send a report".
    last_reporter: bool,
}

impl Group {
    fn is_over(&self) -> bool {
        self.wanted.is_empty() && self.mode_left == 0 && self.sources_left.is_empty()
    }
}

impl Memberships {
    /// No groups yet.
    pub const fn new(family: Family) -> Self {
        Self {
            family,
            groups: BTreeMap::new(),
            general: None,
            change: None,
            older: [None; 2],
            spoken: Version::V3,
            robustness: ROBUSTNESS,
            query_interval: QUERY_INTERVAL,
            outgoing: VecDeque::new(),
        }
    }

    /// One member more; what this changes is told at once, by [`on_timer`](Self::on_timer).
    pub fn join(&mut self, now: Instant, group: IpAddr, filter: &Filter) {
        self.change(now, group, |wanted| wanted.add(filter));
    }

    /// One of those less.
    pub fn leave(&mut self, now: Instant, group: IpAddr, filter: &Filter) {
        if self.groups.contains_key(&group) {
            self.change(now, group, |wanted| wanted.remove(filter));
        }
    }

    /// A member wants something else of a group.
    pub fn refilter(&mut self, now: Instant, group: IpAddr, from: &Filter, to: &Filter) {
        self.change(now, group, |wanted| {
            wanted.remove(from);
            wanted.add(to);
        });
    }

    /// Whether this host is a member.
    pub fn contains(&self, group: IpAddr) -> bool {
        group == self.family.all_systems() || self.groups.get(&group).is_some_and(|g| !g.wanted.is_empty())
    }

    /// Whether a member wants what `source` sends to `group`.
    pub fn wants(&self, group: IpAddr, source: IpAddr) -> bool {
        group == self.family.all_systems() || self.groups.get(&group).is_some_and(|g| g.wanted.wants(source))
    }

    /// The groups that it is a member of, and what is wanted of each.
    pub fn iter(&self) -> impl Iterator<Item = (IpAddr, Filter)> {
        self.groups.iter().filter(|(_, g)| !g.wanted.is_empty()).map(|(group, g)| (*group, g.wanted.filter()))
    }

    /// In which version routers are spoken to.
    pub fn version(&self, now: Instant) -> Version {
        let present = |timer: Option<Instant>| timer.is_some_and(|until| now < until);
        match self.older {
            [first, _] if present(first) => Version::V1,
            [_, second] if present(second) => Version::V2,
            _ => Version::V3,
        }
    }

    /// RFC 3376 §5.1: "A change of interface state causes the system to immediately transmit a State-Change Report".
    fn change(&mut self, now: Instant, group: IpAddr, how: impl FnOnce(&mut Merged)) {
        let (version, robustness) = (self.update_version(now), self.robustness);
        let entry = self.groups.entry(group).or_default();
        let before = entry.wanted.filter();
        how(&mut entry.wanted);
        let after = entry.wanted.filter();
        if before == after || !self.family.is_reported(group) {
            self.groups.retain(|_, g| !g.is_over());
            return;
        }
        if version != Version::V3 {
            return self.change_older(now, version, group, &before, &after);
        }
        match (&before, &after) {
            (Filter::Include(old), Filter::Include(new)) | (Filter::Exclude(old), Filter::Exclude(new)) => {
                for source in old.symmetric_difference(new) {
                    entry.sources_left.insert(*source, robustness);
                }
            }
            // A change of mode tells the whole list.
            _ => {
                entry.mode_left = robustness;
                entry.sources_left.clear();
            }
        }
        self.change = Some(now);
    }

    /// Older versions know only whether a host is a member.
    fn change_older(&mut self, now: Instant, version: Version, group: IpAddr, before: &Filter, after: &Filter) {
        let Some(entry) = self.groups.get_mut(&group) else { return };
        if before.is_none() {
            entry.report = Some((now, self.robustness - 1));
        } else if after.is_none() {
            let last = entry.last_reporter;
            self.groups.remove(&group);
            // RFC 2236 §3: a host that was not the last to report may say nothing; §7.2.1: version 1 knows no leave.
            if last && version == Version::V2 {
                self.outgoing.push_back((self.family.all_routers(), Message::Leave(group)));
            }
        }
    }

    /// Whoever is on the link now has heard of no group yet: all are told as if they were new.
    pub fn tell_all_again(&mut self) {
        let family = self.family;
        for (_, entry) in self.groups.iter_mut().filter(|(group, _)| family.is_reported(**group)) {
            match (self.spoken, entry.wanted.filter()) {
                (Version::V3, Filter::Exclude(_)) => entry.mode_left = self.robustness,
                (Version::V3, Filter::Include(sources)) => {
                    entry.sources_left.extend(sources.into_iter().map(|source| (source, self.robustness)));
                }
                _ => entry.report = Some((Instant::ZERO, self.robustness - 1)),
            }
            self.change = Some(Instant::ZERO);
        }
    }

    /// Takes a message of another node. `rng` chooses when it is answered.
    pub fn receive(&mut self, now: Instant, message: &Message, rng: &mut Rng) {
        match message {
            Message::Query(query) => self.asked(now, query, rng),
            Message::Member(_, group) => {
                // RFC 2236 §3: "If the host receives another host's Report … while it has a timer running, it stops its
                // timer"; version 3 listens to none.
                if self.update_version(now) != Version::V3
                    && let Some(entry) = self.groups.get_mut(group)
                {
                    (entry.report, entry.last_reporter) = (None, false);
                }
            }
            Message::Leave(_) | Message::Report(_) => {}
        }
    }

    fn asked(&mut self, now: Instant, query: &Query, rng: &mut Rng) {
        match query.version {
            Version::V3 => {
                if query.robustness > 0 {
                    self.robustness = query.robustness;
                }
                if !query.interval.is_zero() {
                    self.query_interval = query.interval;
                }
            }
            // RFC 3376 §8.12: "Robustness Variable) times (the Query Interval in the last Query received)) plus (one Query
            // Response Interval)".
            older => {
                let until = now + self.query_interval * u32::from(self.robustness) + query.max_response;
                self.older[usize::from(older == Version::V2)] = Some(until);
            }
        }
        if self.update_version(now) != Version::V3 {
            return self.asked_older(now, query, rng);
        }
        let at = now + up_to(query.max_response, rng);
        // RFC 3376 §5.2, rule 1.
        if self.general.is_some_and(|general| general <= at) {
            return;
        }
        let Some(group) = query.group else {
            // Rule 2.
            self.general = Some(at);
            return;
        };
        let Some(entry) = self.groups.get_mut(&group).filter(|g| !g.wanted.is_empty()) else { return };
        let sources = || query.sources.iter().copied().collect::<BTreeSet<_>>();
        match &mut entry.answer {
            // Rule 3.
            None => entry.answer = Some((at, sources())),
            // Rules 4 and 5.
            Some((pending, recorded)) => {
                *pending = at.min(*pending);
                if query.sources.is_empty() || recorded.is_empty() {
                    recorded.clear();
                } else {
                    recorded.extend(sources());
                }
            }
        }
    }

    fn asked_older(&mut self, now: Instant, query: &Query, rng: &mut Rng) {
        for (group, entry) in &mut self.groups {
            let asked = query.group.is_none_or(|asked| asked == *group) && self.family.is_reported(*group);
            // RFC 2236 §3: a timer that runs already is reset only if it would fire later than is asked.
            let late = entry.report.is_none_or(|(at, _)| at > now + query.max_response);
            if asked && late && !entry.wanted.is_empty() {
                let left = entry.report.map_or(0, |(_, left)| left);
                entry.report = Some((now + up_to(query.max_response, rng), left));
            }
        }
    }

    /// RFC 3376 §7.2.1: "Whenever a host changes its compatibility mode, it cancels all its pending response and
    /// retransmission timers."
    fn update_version(&mut self, now: Instant) -> Version {
        let version = self.version(now);
        if version != self.spoken {
            self.spoken = version;
            (self.general, self.change) = (None, None);
            for entry in self.groups.values_mut() {
                (entry.answer, entry.report, entry.mode_left) = (None, None, 0);
                entry.sources_left.clear();
            }
            self.groups.retain(|_, g| !g.is_over());
        }
        version
    }

    /// When the next message is due.
    pub fn deadline(&self) -> Option<Instant> {
        if !self.outgoing.is_empty() {
            return Some(Instant::ZERO);
        }
        let answers = self.groups.values().filter_map(|g| g.answer.as_ref().map(|(at, _)| *at));
        let reports = self.groups.values().filter_map(|g| g.report.map(|(at, _)| at));
        answers.chain(reports).chain(self.general).chain(self.change).min()
    }

    /// Takes a message that is due, and to whom it goes. It fits into packets of `mtu` octets.
    pub fn on_timer(&mut self, now: Instant, mtu: u32, rng: &mut Rng) -> Option<(IpAddr, Message)> {
        if self.outgoing.is_empty() {
            self.update_version(now);
            self.tell_changes(now, mtu, rng);
            self.answer(now, mtu);
            self.report_older(now, rng);
        }
        self.outgoing.pop_front()
    }

    /// RFC 3376 §5.1: a report of changes is sent again "at intervals chosen at random from the range (0, [Unsolicited Report
    /// Interval])".
    fn tell_changes(&mut self, now: Instant, mtu: u32, rng: &mut Rng) {
        if self.change.is_none_or(|at| at > now) {
            return;
        }
        let mut records = Vec::new();
        for (group, entry) in &mut self.groups {
            let filter = entry.wanted.filter();
            if entry.mode_left > 0 {
                entry.mode_left -= 1;
                let said = if matches!(filter, Filter::Include(_)) { Said::ToInclude } else { Said::ToExclude };
                records.push(Record { said, group: *group, sources: filter.sources().iter().copied().collect() });
            } else {
                let (allow, block): (Vec<IpAddr>, Vec<IpAddr>) =
                    entry.sources_left.keys().partition(|source| filter.wants(**source));
                for (said, sources) in [(Said::Allow, allow), (Said::Block, block)] {
                    if !sources.is_empty() {
                        records.push(Record { said, group: *group, sources });
                    }
                }
            }
            entry.sources_left.retain(|_, left| {
                *left -= 1;
                *left > 0
            });
        }
        self.report(records, mtu);
        self.groups.retain(|_, g| !g.is_over());
        let again = self.groups.values().any(|g| g.mode_left > 0 || !g.sources_left.is_empty());
        self.change = again.then(|| now + up_to(UNSOLICITED_REPORT_INTERVAL, rng));
    }

    /// RFC 3376 §5.2: what is sent when the timer of a response expires.
    fn answer(&mut self, now: Instant, mtu: u32) {
        let due = |at: Instant| at <= now;
        let general = self.general.is_some_and(due);
        let mut records = Vec::new();
        for (group, entry) in self.groups.iter_mut().filter(|(group, _)| self.family.is_reported(**group)) {
            let answer = entry.answer.take_if(|(at, _)| due(*at));
            if entry.wanted.is_empty() || !general && answer.is_none() {
                continue;
            }
            let asked = answer.map(|(_, sources)| sources).filter(|sources| !general && !sources.is_empty());
            let (said, sources): (Said, Vec<IpAddr>) = match (entry.wanted.filter(), asked) {
                (Filter::Include(own), None) => (Said::IsInclude, own.into_iter().collect()),
                (Filter::Exclude(own), None) => (Said::IsExclude, own.into_iter().collect()),
                // "INCLUDE (A), B: IS_IN (A*B); EXCLUDE (A), B: IS_IN (B-A)"
                (own, Some(asked)) => {
                    let wanted: Vec<IpAddr> = asked.into_iter().filter(|source| own.wants(*source)).collect();
                    if wanted.is_empty() {
                        continue;
                    }
                    (Said::IsInclude, wanted)
                }
            };
            records.push(Record { said, group: *group, sources });
        }
        if general {
            self.general = None;
        }
        self.report(records, mtu);
    }

    fn report(&mut self, records: Vec<Record>, mtu: u32) {
        let to = self.family.all_reports();
        let reports = self.family.pack(records, mtu).into_iter().map(|records| (to, Message::Report(records)));
        self.outgoing.extend(reports);
    }

    fn report_older(&mut self, now: Instant, rng: &mut Rng) {
        for (group, entry) in &mut self.groups {
            let Some((_, left)) = entry.report.take_if(|(at, _)| *at <= now) else { continue };
            // RFC 2236 §3: the first report is repeated "once or twice after short delays" in case it is lost.
            entry.report = left.checked_sub(1).map(|left| (now + up_to(OLD_UNSOLICITED_REPORT_INTERVAL, rng), left));
            entry.last_reporter = true;
            self.outgoing.push_back((*group, Message::Member(self.spoken, *group)));
        }
    }
}

/// A random time in `(0, max]`.
fn up_to(max: Duration, rng: &mut Rng) -> Duration {
    Duration::from_nanos(1 + rng.below(max.as_nanos().max(1) as u64))
}
