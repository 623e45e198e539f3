//! §17.31: the topology change machine, by which all bridges forget who is where when a way has changed.

use core::time::Duration;

use septet_core::{Instant, Port};

use super::messages::Times;
use super::{Change, RapidTree};
use crate::stp::Event;
use crate::stp::bpdu::Role;

impl RapidTree {
    /// §17.31: one transition of the topology change machine.
    pub(super) fn change(&mut self, now: Instant, at: usize) -> bool {
        let p = &mut self.ports[at];
        let is_active_role = matches!(p.role, Role::Root | Role::Designated);
        match p.change {
            Change::Inactive => {
                if !p.learn {
                    (p.tc_while, p.tc_ack, p.tc_prop) = (None, false, false);
                    (p.rcvd_tc, p.rcvd_tcn, p.rcvd_tc_ack) = (false, false, false);
                    return false;
                }
                p.change = Change::Learning;
            }
            Change::Learning => {
                (p.rcvd_tc, p.rcvd_tcn, p.rcvd_tc_ack, p.tc_prop) = (false, false, false, false);
                if is_active_role && p.forward && !p.oper_edge {
                    p.change = Change::Active;
                    self.new_tc_while(now, at);
                    self.set_tc_prop_tree(at);
                    self.ports[at].new_info = true;
                } else if !is_active_role && !p.learn {
                    p.change = Change::Inactive;
                    self.events.push_back(Event::Flush(Port(at as u16)));
                } else {
                    return false;
                }
            }
            Change::Active => {
                if !is_active_role || p.oper_edge {
                    p.change = Change::Learning;
                } else if p.rcvd_tcn || p.rcvd_tc {
                    if p.rcvd_tcn {
                        self.new_tc_while(now, at);
                    }
                    let p = &mut self.ports[at];
                    p.tc_ack |= p.rcvd_tcn && p.role == Role::Designated;
                    (p.rcvd_tcn, p.rcvd_tc) = (false, false);
                    self.set_tc_prop_tree(at);
                } else if p.tc_prop {
                    p.tc_prop = false;
                    self.new_tc_while(now, at);
                    self.events.push_back(Event::Flush(Port(at as u16)));
                } else if p.rcvd_tc_ack {
                    (p.tc_while, p.rcvd_tc_ack) = (None, false);
                } else {
                    return false;
                }
            }
        }
        true
    }

    /// §17.21.7.
    fn new_tc_while(&mut self, now: Instant, at: usize) {
        let Times { max_age, forward_delay, hello_time, .. } = self.root_times;
        let p = &mut self.ports[at];
        if p.tc_while.is_none() {
            let time = if p.send_rstp { hello_time + Duration::from_secs(1) } else { max_age + forward_delay };
            p.tc_while = Some(now + time);
            p.new_info = true;
        }
    }

    /// §17.21.18: the others are told.
    fn set_tc_prop_tree(&mut self, at: usize) {
        let others = self.ports.iter_mut().enumerate().filter(|(other, _)| *other != at);
        others.for_each(|(_, p)| p.tc_prop = true);
    }
}
