//! The multicast groups of one socket: where, and from whom it wants what is sent to them (RFC 3376 §2, RFC 3678 §4).

use std::net::IpAddr;

use septet_wire::membership::Filter;
use smallvec::SmallVec;

use super::Error;

/// What a socket asks about a group on one interface.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GroupChange {
    /// To take part, whoever sends: `IP_ADD_MEMBERSHIP`, `MCAST_JOIN_GROUP`.
    Join,
    /// To take part no more: `IP_DROP_MEMBERSHIP`, `MCAST_LEAVE_GROUP`.
    Leave,
    /// To take part in what this source sends: `IP_ADD_SOURCE_MEMBERSHIP`, `MCAST_JOIN_SOURCE_GROUP`.
    JoinSource(IpAddr),
    /// To take part no more in what this source sends: `IP_DROP_SOURCE_MEMBERSHIP`, `MCAST_LEAVE_SOURCE_GROUP`.
    LeaveSource(IpAddr),
    /// To take part in what all but this source send: `IP_BLOCK_SOURCE`, `MCAST_BLOCK_SOURCE`.
    Block(IpAddr),
    /// To take part in what this source sends again: `IP_UNBLOCK_SOURCE`, `MCAST_UNBLOCK_SOURCE`.
    Unblock(IpAddr),
}

/// A group that a socket is in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Membership {
    /// The group.
    pub group: IpAddr,
    /// The interface on which it takes part.
    pub iface: u16,
    /// From whom.
    pub filter: Filter,
}

/// The groups of one socket, in the order in which they were joined.
#[derive(Debug, Default)]
pub(super) struct Groups(SmallVec<[Membership; 1]>);

impl Groups {
    /// Does as a socket asks; gives the filters before and after.
    pub(super) fn change(&mut self, group: IpAddr, iface: u16, change: GroupChange) -> Result<(Filter, Filter), Error> {
        if !group.is_multicast() {
            return Err(Error::InvalidInput);
        }
        let at = self.0.iter().position(|m| m.group == group && m.iface == iface);
        let before = at.map_or(Filter::NONE, |at| self.0[at].filter.clone());
        let after = filter(at.map(|_| before.clone()), change)?;
        match (at, after.is_none()) {
            (Some(at), true) => {
                self.0.remove(at);
            }
            (Some(at), false) => self.0[at].filter = after.clone(),
            (None, true) => {}
            (None, false) => self.0.push(Membership { group, iface, filter: after.clone() }),
        }
        Ok((before, after))
    }

    /// Whether it wants what `source` sent to `group`, which came in on `iface`; nothing stands for what never left the host.
    pub(super) fn want(&self, group: IpAddr, iface: Option<u16>, source: IpAddr) -> bool {
        let here = |m: &&Membership| m.group == group && iface.is_none_or(|iface| iface == m.iface);
        self.0.iter().filter(here).any(|m| m.filter.wants(source))
    }

    pub(super) fn contains(&self, group: IpAddr) -> bool {
        self.0.iter().any(|m| m.group == group)
    }

    pub(super) fn into_all(self) -> SmallVec<[Membership; 1]> {
        self.0
    }
}

/// What is wanted after a change, with the errors of Linux's `ip_mc_join_group`, `ip_mc_leave_group` and `ip_mc_source`.
fn filter(before: Option<Filter>, change: GroupChange) -> Result<Filter, Error> {
    match (change, before) {
        (GroupChange::Join, None) => Ok(Filter::ALL),
        (GroupChange::Join, Some(_)) => Err(Error::AddrInUse),
        (GroupChange::Leave, Some(_)) => Ok(Filter::NONE),
        (GroupChange::Leave, None) => Err(Error::AddrNotAvailable),
        (GroupChange::JoinSource(source), before) => match before.unwrap_or(Filter::NONE) {
            Filter::Include(mut sources) => {
                if sources.insert(source) {
                    Ok(Filter::Include(sources))
                } else {
                    Err(Error::AddrNotAvailable)
                }
            }
            Filter::Exclude(_) => Err(Error::InvalidInput),
        },
        (GroupChange::LeaveSource(source), Some(Filter::Include(mut sources))) => {
            if sources.remove(&source) {
                Ok(Filter::Include(sources))
            } else {
                Err(Error::AddrNotAvailable)
            }
        }
        (GroupChange::Block(source), Some(Filter::Exclude(mut sources))) => {
            if sources.insert(source) {
                Ok(Filter::Exclude(sources))
            } else {
                Err(Error::AddrNotAvailable)
            }
        }
        (GroupChange::Unblock(source), Some(Filter::Exclude(mut sources))) => {
            if sources.remove(&source) {
                Ok(Filter::Exclude(sources))
            } else {
                Err(Error::AddrNotAvailable)
            }
        }
        (GroupChange::LeaveSource(_) | GroupChange::Block(_) | GroupChange::Unblock(_), _) => Err(Error::InvalidInput),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use GroupChange::{Block, Join, JoinSource, Leave, LeaveSource, Unblock};

    #[test]
    fn memberships_with_the_errors_of_linux() {
        let [group, a, b]: [IpAddr; 3] = [[239, 1, 1, 1].into(), [10, 0, 0, 1].into(), [10, 0, 0, 2].into()];
        let mut groups = Groups::default();
        let ok = |filter: Filter| Ok(filter);
        let include = |s: &[IpAddr]| Filter::Include(s.iter().copied().collect());
        let exclude = |s: &[IpAddr]| Filter::Exclude(s.iter().copied().collect());
        // What is asked, what is wanted after it, and whether what `a` and `b` send is.
        let steps = [
            (Leave, Err(Error::AddrNotAvailable), (false, false)),
            (Block(a), Err(Error::InvalidInput), (false, false)),
            (LeaveSource(a), Err(Error::InvalidInput), (false, false)),
            (Join, ok(exclude(&[])), (true, true)),
            (Join, Err(Error::AddrInUse), (true, true)),
            (JoinSource(a), Err(Error::InvalidInput), (true, true)),
            (Block(a), ok(exclude(&[a])), (false, true)),
            (Block(a), Err(Error::AddrNotAvailable), (false, true)),
            (Unblock(b), Err(Error::AddrNotAvailable), (false, true)),
            (Unblock(a), ok(exclude(&[])), (true, true)),
            (Leave, ok(include(&[])), (false, false)),
            (JoinSource(a), ok(include(&[a])), (true, false)),
            (JoinSource(a), Err(Error::AddrNotAvailable), (true, false)),
            (JoinSource(b), ok(include(&[a, b])), (true, true)),
            (Join, Err(Error::AddrInUse), (true, true)),
            (Block(a), Err(Error::InvalidInput), (true, true)),
            (LeaveSource(a), ok(include(&[b])), (false, true)),
            (LeaveSource(b), ok(include(&[])), (false, false)),
            (Leave, Err(Error::AddrNotAvailable), (false, false)),
        ];
        for (n, (change, after, wanted)) in steps.into_iter().enumerate() {
            assert_eq!(groups.change(group, 0, change).map(|(_, after)| after), after, "step {n}");
            assert_eq!((groups.want(group, Some(0), a), groups.want(group, None, b)), wanted, "step {n}");
        }
        assert_eq!(groups.change(a, 0, Join), Err(Error::InvalidInput));
        groups.change(group, 1, Join).unwrap();
        assert!(!groups.want(group, Some(0), a) && groups.want(group, Some(1), a));
    }
}
