//! §17.29: the port role transitions machine of each role, and what a port does that plays it.

use core::time::Duration;

use septet_core::Instant;

use super::{MIGRATE_TIME, PortData, RapidTree};
use crate::stp::State;
use crate::stp::bpdu::Role;

impl RapidTree {
    /// §17.29: one transition of the port role transitions machine.
    pub(super) fn play_role(&mut self, now: Instant, at: usize) -> bool {
        let p = &self.ports[at];
        if !p.is_settled() {
            return false;
        }
        if p.role != p.selected_role {
            self.take_role(now, at);
            return true;
        }
        match p.role {
            Role::Disabled => self.rest(at),
            Role::Root => self.play_root(now, at),
            Role::Designated => self.play_designated(now, at),
            Role::Alternate | Role::Backup => self.play_alternate(at),
        }
    }

    /// A role begins, and with it end the timers that the last one held up.
    fn take_role(&mut self, now: Instant, at: usize) {
        let delay = self.root_times.forward_delay;
        let (hello, max_age) = (self.parameters.hello_time, self.root_times.max_age);
        let p = &mut self.ports[at];
        let last = core::mem::replace(&mut p.role, p.selected_role);
        match last {
            Role::Disabled => p.fd_while = Some(now + max_age),
            Role::Root => p.rr_while = Some(now + delay),
            Role::Alternate => p.fd_while = Some(now + delay),
            Role::Backup => (p.fd_while, p.rb_while) = (Some(now + delay), Some(now + 2 * hello)),
            Role::Designated => {}
        }
        match p.role {
            Role::Disabled => self.set_state(at, State::Discarding, "the port lost its carrier"),
            Role::Alternate => {
                self.set_state(at, State::Discarding, "alternate port: another one is the way to the root")
            }
            Role::Backup => {
                self.set_state(at, State::Discarding, "backup port: this bridge has another on that segment")
            }
            // Until it may forward it stays as it is.
            Role::Root | Role::Designated => {}
        }
    }

    /// DISABLED_PORT, ALTERNATE_PORT: nothing is asked of a port that does not forward.
    fn rest(&mut self, at: usize) -> bool {
        let p = &mut self.ports[at];
        (p.fd_while, p.rr_while) = (None, None);
        let rests = p.synced && !p.sync && !p.re_root;
        (p.synced, p.sync, p.re_root) = (true, false, false);
        !rests
    }

    fn play_root(&mut self, now: Instant, at: usize) -> bool {
        let all_synced = self.all_synced(at);
        let re_rooted = (0..self.ports.len()).all(|other| other == at || !self.ports[other].was_root_of_late());
        let delay = self.forward_delay(at);
        let p = &mut self.ports[at];
        if p.proposed && !p.agree {
            p.proposed = false;
            self.ports.iter_mut().for_each(|p| p.sync = true);
        } else if all_synced && !p.agree || p.proposed && p.agree {
            (p.proposed, p.sync, p.agree, p.new_info) = (false, false, true, true);
        } else if !p.forward && !p.re_root {
            self.ports.iter_mut().for_each(|p| p.re_root = true);
        } else if p.re_root && p.forward {
            p.re_root = false;
        } else if p.fd_while.is_none() || re_rooted && p.rb_while.is_none() {
            let why = "root port: it is the way to the root";
            match (p.learn, p.forward) {
                (false, _) => {
                    p.fd_while = Some(now + delay);
                    self.set_state(at, State::Learning, why);
                }
                (true, false) => {
                    p.fd_while = None;
                    self.set_state(at, State::Forwarding, why);
                }
                (true, true) => return false,
            }
        } else {
            return false;
        }
        true
    }

    fn play_designated(&mut self, now: Instant, at: usize) -> bool {
        let delay = self.forward_delay(at);
        let edge_delay = self.edge_delay(at);
        let p = &mut self.ports[at];
        let may_open = p.fd_while.is_none() || p.agreed || p.oper_edge;
        let why = match () {
            () if p.oper_edge => "edge port: an end station is behind it",
            () if p.agreed => "designated port: the neighbour agrees",
            () => "designated port: nobody objected for the forward delay",
        };
        if !p.forward && !p.agreed && !p.proposing && !p.oper_edge {
            p.proposing = true;
            p.edge_delay_while = Some(now + edge_delay);
            p.new_info = true;
        } else if !p.learn && !p.forward && !p.synced
            || p.agreed && !p.synced
            || p.oper_edge && !p.synced
            || p.sync && p.synced
        {
            (p.rr_while, p.synced, p.sync) = (None, true, false);
        } else if !p.was_root_of_late() && p.re_root {
            p.re_root = false;
        } else if (p.sync && !p.synced || p.re_root && p.was_root_of_late() || p.disputed)
            && !p.oper_edge
            && (p.learn || p.forward)
        {
            let why = if p.disputed { "a neighbour did not hear this bridge" } else { "the neighbour is asked anew" };
            p.disputed = false;
            p.fd_while = Some(now + delay);
            self.set_state(at, State::Discarding, why);
        } else if may_open && (!p.was_root_of_late() || !p.re_root) && !p.sync && !p.forward {
            if p.learn {
                p.fd_while = None;
                p.agreed = p.send_rstp;
                self.set_state(at, State::Forwarding, why);
            } else {
                p.fd_while = Some(now + delay);
                self.set_state(at, State::Learning, why);
            }
        } else {
            return false;
        }
        true
    }

    fn play_alternate(&mut self, at: usize) -> bool {
        let all_synced = self.all_synced(at);
        let p = &mut self.ports[at];
        if p.proposed && !p.agree {
            p.proposed = false;
            self.ports.iter_mut().for_each(|p| p.sync = true);
        } else if all_synced && !p.agree || p.proposed && p.agree {
            (p.proposed, p.agree, p.new_info) = (false, true, true);
        } else {
            return self.rest(at);
        }
        true
    }

    /// §17.20.3, for the port `at`: the others have done what it asked for.
    fn all_synced(&self, at: usize) -> bool {
        let is_synced = |p: &PortData| p.selected && p.role == p.selected_role && (p.role == Role::Root || p.synced);
        (0..self.ports.len()).all(|other| other == at || is_synced(&self.ports[other]))
            && self.ports[at].selected
            && self.ports[at].role == self.ports[at].selected_role
    }

    /// §17.20.4.
    pub(super) fn edge_delay(&self, at: usize) -> Duration {
        if self.ports[at].point_to_point { MIGRATE_TIME } else { self.root_times.max_age }
    }

    /// §17.20.5.
    fn forward_delay(&self, at: usize) -> Duration {
        if self.ports[at].send_rstp { self.root_times.hello_time } else { self.root_times.forward_delay }
    }
}
