//! What ports counted, for programs that ask: only the wire knows, and programs run without it, so that the answer comes when
//! the host next has it at hand.

use core::task::{Context, Poll};
use std::io;

use septet_core::{Instant, Out, Port, PortReport};
use septet_network::Iface;
use septet_socket::admin::Counted;

use super::storeys::Storeys;

impl Storeys {
    /// What each interface counted: by its own wire, or by itself where it has none. The loopback comes first.
    pub(crate) fn poll_counters(&mut self, cx: &Context<'_>) -> Poll<io::Result<Vec<Counted>>> {
        self.running()?;
        let now = self.now;
        let counting = self.counting.get_or_insert_default();
        match &counting.known {
            Some((at, known)) if *at == now => {
                let known = known.clone();
                self.counting = None;
                Poll::Ready(Ok(known))
            }
            _ => {
                counting.asking.register(cx);
                Poll::Pending
            }
        }
    }

    /// Answers who asks.
    #[inline]
    pub(crate) fn answer_counters(&mut self, now: Instant, out: &Out<'_>) {
        if self.counting.as_ref().is_some_and(|counting| !counting.asking.is_empty()) {
            self.count(now, out);
        }
    }

    fn count(&mut self, now: Instant, out: &Out<'_>) {
        let counted = |iface: Iface| {
            // An interface of a VLAN has no wire of its own.
            if self.ip.vlan_of(iface).is_some() {
                return Some(self.ip.unwired.get(Some(iface)));
            }
            let mut report = PortReport { counted: out.counters(Port(iface))?, ..PortReport::default() };
            if let Some(stats) = self.link.get(iface) {
                stats.add_to(&mut report);
            }
            Some(report.counted)
        };
        let loopback = (None, self.ip.unwired.get(None));
        let others = (0..self.ip.interfaces()).filter_map(|iface| Some((Some(iface), counted(iface)?)));
        let known = core::iter::once(loopback).chain(others).collect();
        if let Some(counting) = &mut self.counting {
            counting.known = Some((now, known));
            counting.asking.wake();
        }
    }
}
