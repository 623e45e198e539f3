//! Group membership as a host tells it (RFC 2236, IGMPv2).

use core::time::Duration;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use septet_core::{Instant, Rng};
pub use septet_wire::igmp::*;

/// RFC 2236 §8.10: "the time between repetitions of a host's initial report of membership in a group".
pub const UNSOLICITED_REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// The groups of one interface.
#[derive(Clone, Default, Debug)]
pub struct Memberships {
    groups: BTreeMap<Ipv4Addr, Group>,
    /// Left, and the routers not yet told.
    left: Vec<Ipv4Addr>,
}

/// RFC 2236 §6: "Delaying Member" with a timer, "Idle Member" without.
#[derive(Clone, Debug)]
struct Group {
    members: u32,
    timer: Option<Instant>,
    /// The report that the timer sends is the first, and is to be repeated.
    first: bool,
    /// §6: "a flag which is set when we were the last host to send a report".
    last_reporter: bool,
}

impl Memberships {
    /// One more member on this host; the first is reported at once, by [`on_timer`](Self::on_timer).
    pub fn join(&mut self, now: Instant, group: Ipv4Addr) {
        let entry = self.groups.entry(group).or_insert_with(|| Group {
            members: 0,
            timer: (group != ALL_SYSTEMS).then_some(now),
            first: true,
            last_reporter: false,
        });
        entry.members += 1;
        self.left.retain(|g| *g != group);
    }

    /// One member less; that the last is gone is told to the routers at once, by [`on_timer`](Self::on_timer).
    pub fn leave(&mut self, group: Ipv4Addr) {
        let Some(entry) = self.groups.get_mut(&group) else { return };
        entry.members -= 1;
        if entry.members == 0 && self.groups.remove(&group).is_some_and(|g| g.last_reporter) {
            self.left.push(group);
        }
    }

    /// Whether this host is a member.
    pub fn contains(&self, group: Ipv4Addr) -> bool {
        group == ALL_SYSTEMS || self.groups.contains_key(&group)
    }

    /// Takes a message of another host.
    pub fn receive(&mut self, now: Instant, message: &Message, rng: &mut Rng) {
        match message.kind {
            Kind::Query => {
                for (group, entry) in &mut self.groups {
                    let asked = message.group.is_unspecified() || message.group == *group;
                    // §3: a timer that runs already is reset only if it would fire later than is asked.
                    let late = entry.timer.is_none_or(|at| at > now + message.max_response) && !entry.first;
                    if asked && late && *group != ALL_SYSTEMS {
                        entry.timer = Some(now + up_to(message.max_response, rng));
                    }
                }
            }
            // §3: "If the host receives another host's Report … while it has a timer running, it stops its timer".
            Kind::Report | Kind::ReportV1 => {
                if let Some(entry) = self.groups.get_mut(&message.group) {
                    (entry.timer, entry.last_reporter) = (None, false);
                }
            }
            Kind::Leave => {}
        }
    }

    /// When the next message is due.
    pub fn deadline(&self) -> Option<Instant> {
        if !self.left.is_empty() {
            return Some(Instant::ZERO);
        }
        self.groups.values().filter_map(|g| g.timer).min()
    }

    /// Takes a message that is due: reports go to their group, leaves to [`ALL_ROUTERS`].
    pub fn on_timer(&mut self, now: Instant, rng: &mut Rng) -> Option<Message> {
        if let Some(group) = self.left.pop() {
            return Some(Message { kind: Kind::Leave, max_response: Duration::ZERO, group });
        }
        let (group, entry) = self.groups.iter_mut().find(|(_, g)| g.timer.is_some_and(|at| at <= now))?;
        // §3: the first report is repeated "once or twice after short delays" in case it is lost.
        let again = core::mem::take(&mut entry.first);
        entry.timer = again.then(|| now + up_to(UNSOLICITED_REPORT_INTERVAL, rng));
        entry.last_reporter = true;
        Some(report(*group))
    }
}

fn report(group: Ipv4Addr) -> Message {
    Message { kind: Kind::Report, max_response: Duration::ZERO, group }
}

/// A random time in `(0, max]`.
fn up_to(max: Duration, rng: &mut Rng) -> Duration {
    Duration::from_nanos(1 + rng.below(max.as_nanos() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use septet_core::Seed;

    const GROUP: Ipv4Addr = Ipv4Addr::new(239, 1, 2, 3);

    #[test]
    fn life_of_a_membership() {
        let mut rng = Seed::new(1).stream("igmp");
        let mut m = Memberships::default();
        m.join(Instant::ZERO, GROUP);
        m.join(Instant::ZERO, GROUP);
        assert_eq!(m.on_timer(Instant::ZERO, &mut rng).unwrap().kind, Kind::Report);
        assert_eq!(m.on_timer(Instant::ZERO, &mut rng), None);
        let again = m.deadline().unwrap();
        assert!(again <= Instant::from_secs(10));
        assert_eq!(m.on_timer(again, &mut rng).unwrap().group, GROUP);
        assert_eq!(m.deadline(), None);
        let query = Message { kind: Kind::Query, max_response: Duration::from_secs(1), group: Ipv4Addr::UNSPECIFIED };
        m.receive(Instant::from_secs(20), &query, &mut rng);
        assert!(m.deadline().unwrap() <= Instant::from_secs(21));
        m.receive(Instant::from_secs(20), &report(GROUP), &mut rng);
        assert_eq!(m.deadline(), None, "another member has answered");
        m.leave(GROUP);
        m.leave(GROUP);
        assert_eq!(m.deadline(), None, "another host reported last, and will answer the routers");
        assert!(!m.contains(GROUP));
        m.join(Instant::from_secs(30), GROUP);
        m.on_timer(Instant::from_secs(30), &mut rng);
        m.leave(GROUP);
        assert_eq!(m.on_timer(Instant::from_secs(30), &mut rng).unwrap().kind, Kind::Leave);
    }
}
