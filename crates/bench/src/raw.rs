//! Stations without storeys: they make, rewrite and swallow frames, so that the engine is measured by itself.

use core::time::Duration;

use septet_core::{Checksums, Frame, Instant, Out, Port, Station, checksum};
use septet_datalink::ethernet::{EtherType, Header, MacAddr};

/// Sends a frame of a fixed length out of its port 0 at fixed intervals.
pub(crate) struct Source {
    pub(crate) left: u64,
    pub(crate) next: Instant,
    pub(crate) interval: Duration,
    /// IPv4 and UDP headers and payload.
    pub(crate) packet: Vec<u8>,
}

/// Rewrites headers as a router does, and passes on from port 0 to port 1.
pub(crate) struct Rewriter(pub(crate) u64);

/// Counts what arrives.
#[derive(Default)]
pub(crate) struct Sink {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
}

fn header(from: u64) -> Header {
    Header { destination: MacAddr::local(from + 1), source: MacAddr::local(from), ether_type: EtherType::IPV4 }
}

impl Station for Source {
    fn receive(&mut self, _: Instant, _: Port, _: Frame, _: &mut Out<'_>) {}

    fn on_deadline(&mut self, now: Instant, out: &mut Out<'_>) {
        while self.left > 0 && self.next <= now {
            let mut frame = Frame::new(Frame::HEADROOM, &self.packet);
            frame.checksums = Checksums::Good;
            header(0).push(&mut frame);
            out.send(Port(0), frame);
            self.left -= 1;
            self.next += self.interval;
        }
    }

    fn deadline(&self) -> Option<Instant> {
        (self.left > 0).then_some(self.next)
    }
}

impl Station for Rewriter {
    fn receive(&mut self, _: Instant, port: Port, mut frame: Frame, out: &mut Out<'_>) {
        if port != Port(0) || Header::pull(&mut frame).is_err() || frame.len() < 20 {
            return;
        }
        let ip = frame.header_mut(20);
        let old = u16::from_be_bytes([ip[8], ip[9]]);
        ip[8] = ip[8].saturating_sub(1);
        let new = u16::from_be_bytes([ip[8], ip[9]]);
        let sum = checksum::update(u16::from_be_bytes([ip[10], ip[11]]), old, new);
        ip[10..12].copy_from_slice(&sum.to_be_bytes());
        header(self.0).push(&mut frame);
        out.send(Port(1), frame);
    }

    fn on_deadline(&mut self, _: Instant, _: &mut Out<'_>) {}

    fn deadline(&self) -> Option<Instant> {
        None
    }
}

impl Station for Sink {
    fn receive(&mut self, _: Instant, _: Port, frame: Frame, _: &mut Out<'_>) {
        self.packets += 1;
        self.bytes += frame.len() as u64;
    }

    fn on_deadline(&mut self, _: Instant, _: &mut Out<'_>) {}

    fn deadline(&self) -> Option<Instant> {
        None
    }
}
