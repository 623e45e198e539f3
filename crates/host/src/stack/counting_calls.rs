//! What ports counted, for programs that ask: only the wire knows, and programs run without it, so that the answer comes when
//! the host next has it at hand.

use core::task::{Context, Poll};
use std::io;

use septet_core::{Instant, LinkCounters, Out, Port, PortReport};
use septet_network::Iface;

use super::storeys::Storeys;

impl Storeys {
    /// What each interface counted, by its own wire.
    pub(crate) fn poll_counters(&mut self, cx: &Context<'_>) -> Poll<io::Result<Vec<(Iface, LinkCounters)>>> {
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
        // An interface of a VLAN has no wire of its own.
        let own = (0..self.ip.interfaces()).filter(|iface| self.ip.port_of(*iface) == Port(*iface));
        let counted = |iface: Iface| {
            let mut report = PortReport { counted: out.counters(Port(iface))?, ..PortReport::default() };
            if let Some(stats) = self.link.get(iface) {
                stats.add_to(&mut report);
            }
            Some((iface, report.counted))
        };
        let known = own.filter_map(counted).collect();
        if let Some(counting) = &mut self.counting {
            counting.known = Some((now, known));
            counting.asking.wake();
        }
    }
}
