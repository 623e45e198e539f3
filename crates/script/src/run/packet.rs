//! Packets in and out.

use septet_core::Instant;

use super::{PORT, Runner, UnderTest};
use crate::bench::Sent;
use crate::error::{At, Error};
use crate::flow::{Flow, as_said, stream};
use crate::syntax::{Body, Packet, TcpOption, Tos};
use crate::wire::{Content, Datagram, decode, encode, flags};

impl Runner {
    pub(super) fn inbound(&mut self, at: At, packet: &Packet) -> Result<(), Error> {
        let index = self.flow_for_inbound(packet);
        let flow = &mut self.flows[index];
        let datagram = flow.inbound(packet).map_err(|message| Error::syntax(at, message))?;
        self.bench.inject(&encode(&datagram));
        self.poll_pending(at)
    }

    fn flow_for_inbound(&mut self, packet: &Packet) -> usize {
        if let Some((remote, local)) = packet.ports {
            let known = self.flows.iter().position(|f| f.remote.port() == remote && f.local.port() == local);
            let index = known.unwrap_or_else(|| {
                let mut flow = Flow::new(self.local_end(), (self.remote, remote).into());
                flow.local.set_port(local);
                self.flows.push(flow);
                self.flows.len() - 1
            });
            if self.under_test == UnderTest::Listening {
                self.under_test = UnderTest::Flow(index);
            }
            return index;
        }
        if let UnderTest::Flow(index) = self.under_test {
            return index;
        }
        let port = if matches!(packet.body, Body::Tcp(_)) { self.remote_port() } else { PORT };
        self.flows.push(Flow::new(self.local_end(), (self.remote, port).into()));
        let index = self.flows.len() - 1;
        self.under_test = UnderTest::Flow(index);
        index
    }

    /// Waits for the packet that the script expects between `from` and `to`, and says when it came.
    pub(super) fn outbound(&mut self, at: At, packet: &Packet, from: Instant, to: Instant) -> Result<Instant, Error> {
        while self.bench.peek_sent().is_none()
            && let Some(next) = self.next_deadline().filter(|next| *next <= to)
        {
            self.bench.advance(next);
            self.poll_pending(at)?;
        }
        let Some(mut sent) = self.bench.take_sent() else {
            self.bench.advance(to);
            self.poll_pending(at)?;
            let when = window(from, to);
            return Err(Error::mismatch(at, format!("expected {packet} {when}\n      but nothing came")));
        };
        let wanted = if let Body::Tcp(tcp) = &packet.body { usize::from(tcp.len) } else { 0 };
        self.join(&mut sent, wanted)?;
        let wrong = |this: &Self, why: &str| {
            let when = window(from, to);
            Error::mismatch(at, format!("expected {packet} {when}\n      but came {}{why}", this.show(&sent)))
        };
        let datagram = decode(&sent.packet).map_err(|message| wrong(self, &format!(": {message}")))?;
        let Some(index) = self.flow_for_outbound(packet, &datagram) else {
            return Err(wrong(self, ", which belongs to another conversation"));
        };
        let flow = &mut self.flows[index];
        flow.learn(&datagram, packet);
        let mut actual = as_said(flow.outbound(&datagram), packet);
        if self.tick.is_zero() {
            forget_clock(&mut actual, packet);
        }
        if actual != *packet {
            return Err(wrong(self, ""));
        }
        if let (Content::Tcp(segment), Body::Tcp(tcp)) = (&datagram.content, &actual.body)
            && segment.payload != stream(u64::from(tcp.seq.wrapping_sub(1)), segment.payload.len())
            && tcp.flags & flags::SYN == 0
        {
            return Err(wrong(self, ", whose payload is not what was written"));
        }
        if sent.at < from || sent.at > to {
            return Err(wrong(self, ""));
        }
        self.bench.advance(sent.at);
        Ok(sent.at)
    }

    /// Joins segments that follow one another at one moment until `wanted` octets are together: a script writes a
    /// burst of segments in one line.
    fn join(&mut self, sent: &mut Sent, wanted: usize) -> Result<(), Error> {
        let Ok(Datagram { content: Content::Tcp(mut whole), src, dst, tos, ttl }) = decode(&sent.packet) else {
            return Ok(());
        };
        while !whole.payload.is_empty() && whole.payload.len() < wanted {
            let Some(next) = self.bench.peek_sent().filter(|next| next.at == sent.at) else { break };
            let Ok(Datagram { content: Content::Tcp(next), tos: next_tos, src: s, dst: d, .. }) = decode(&next.packet)
            else {
                break;
            };
            let follows = next.seq == whole.seq.wrapping_add(whole.payload.len() as u32)
                && (next.src, next.dst, next.ack, next.window) == (whole.src, whole.dst, whole.ack, whole.window)
                && (next_tos, s, d) == (tos, src, dst)
                && next.options == whole.options
                && whole.payload.len() + next.payload.len() <= wanted
                && whole.flags & (flags::FIN | flags::RST | flags::SYN) == 0;
            if !follows {
                break;
            }
            whole.payload.extend(&next.payload);
            // PSH and FIN belong to the end of the burst, CWR to its beginning.
            whole.flags = next.flags | whole.flags & flags::CWR;
            self.bench.take_sent();
        }
        sent.packet = encode(&Datagram { src, dst, tos, ttl, content: Content::Tcp(whole) });
        Ok(())
    }

    fn flow_for_outbound(&self, packet: &Packet, datagram: &Datagram) -> Option<usize> {
        if let Some((local, remote)) = packet.ports {
            let fits = |f: &Flow| f.remote.port() == remote && (f.local.port() == local) && f.owns(datagram);
            return self.flows.iter().position(fits);
        }
        match self.under_test {
            UnderTest::Flow(index) if self.flows[index].owns(datagram) => Some(index),
            _ => None,
        }
    }

    pub(super) fn nothing_sent_before(&mut self, at: At, when: Instant) -> Result<(), Error> {
        match self.bench.peek_sent() {
            Some(sent) if sent.at < when => {
                let sent = self.bench.take_sent().expect("it was just seen");
                Err(Error::mismatch(
                    at,
                    format!("before this, nothing is expected\n      but came {}", self.show(&sent)),
                ))
            }
            _ => Ok(()),
        }
    }

    /// A packet of the stack, printed in the language with the time of the script.
    pub(super) fn show(&self, sent: &Sent) -> String {
        let when = Self::clock(sent.at);
        match decode(&sent.packet) {
            Err(message) => format!("a packet that cannot be read ({message}) at {when}"),
            Ok(datagram) => {
                let known = self.flows.iter().find(|f| f.owns(&datagram));
                let mut shown = match known {
                    Some(flow) => flow.outbound(&datagram),
                    None => Flow::new(self.local_end(), (self.remote, 0).into()).outbound(&datagram),
                };
                shown.ip.ttl = None;
                if let Tos::Whole(tos @ 0..4) = shown.ip.tos {
                    shown.ip.tos = if tos == 0 { Tos::Unsaid } else { Tos::Ecn(tos) };
                }
                if known.is_some_and(|flow| flow.local.port() != 0) && self.flows.len() == 1 {
                    shown.ports = None;
                }
                format!("{shown} at {when}")
            }
        }
    }
}

fn window(from: Instant, to: Instant) -> String {
    if from == to {
        format!("at {}", Runner::clock(from))
    } else {
        format!("between {} and {}", Runner::clock(from), Runner::clock(to))
    }
}

/// Takes the script's timestamp for the actual one, where they are not to be checked.
fn forget_clock(actual: &mut Packet, script: &Packet) {
    let (Body::Tcp(actual), Body::Tcp(script)) = (&mut actual.body, &script.body) else { return };
    let (Some(actual), Some(script)) = (&mut actual.options, &script.options) else { return };
    for (actual, script) in actual.iter_mut().zip(script) {
        if let (TcpOption::Timestamps { val, .. }, TcpOption::Timestamps { val: said, .. }) = (actual, script) {
            *val = *said;
        }
    }
}
