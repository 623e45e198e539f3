//! What is checked from outside after every event and every segment sent.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use septet_core::Instant;
use septet_transport::tcp::wire::{Flags, Header};
use septet_transport::tcp::{Endpoint, Flight, SocketId, State, Transmit};

use super::apps::App;

/// What is remembered to compare with.
#[derive(Default)]
pub(crate) struct Watch {
    /// The right edge of the window that a connection of an end last advertised, with the ISN of the stream. By socket,
    /// not by addresses: a SYN cookie that comes back twice makes two connections of one ISN.
    edges: BTreeMap<(usize, SocketId), (u64, u64)>,
}

/// The sender's side before a segment left.
pub(crate) struct Before {
    flights: Vec<Option<Flight>>,
    probes: u64,
}

impl Watch {
    pub(crate) fn before(&self, endpoint: &Endpoint, apps: &[App]) -> Before {
        let flights = apps.iter().map(|a| endpoint.connection(a.id).ok().map(|c| c.flight())).collect();
        Before { flights, probes: endpoint.mib().loss_probes }
    }

    /// New data keeps to both windows.
    pub(crate) fn after(&self, endpoint: &Endpoint, apps: &[App], before: &Before) {
        for (app, old) in apps.iter().zip(&before.flights) {
            let (Some(old), Ok(c)) = (old, endpoint.connection(app.id)) else { continue };
            let new = c.flight();
            if new.snd_nxt == old.snd_nxt || !c.state().is_synchronized() {
                continue;
            }
            // Named exceptions. A FIN is not data: it may stand beyond the edge of the peer's window.
            let data = new.snd_data - old.snd_nxt.min(new.snd_data);
            let fin = new.snd_nxt - old.snd_nxt - data;
            assert!(data == 0 || new.snd_data <= new.wnd_end, "data beyond the peer's window: {old:?} to {new:?}");
            // A segment may always go when nothing is in flight; a tail loss probe is one beyond the window; a FIN takes
            // one number.
            let alone = if old.in_flight == 0 { new.segment } else { 0 };
            let is_probe = endpoint.mib().loss_probes > before.probes;
            let probe = if is_probe { old.in_flight + new.segment } else { 0 };
            assert!(
                new.in_flight <= old.cwnd.max(alone).max(probe) + fin || data == 0,
                "flight beyond the congestion window: {old:?} to {new:?}\n{c:#?}"
            );
        }
    }

    /// RFC 9293 §3.8.6: "A TCP receiver SHOULD NOT shrink the window": the right edge does not move back.
    pub(crate) fn window(&mut self, now: Instant, end: usize, endpoint: &Endpoint, apps: &[App], t: &Transmit) {
        let Ok((header, _)) = Header::parse(t.frame.bytes()) else { panic!("an end sends what is no segment") };
        let local = SocketAddr::new(t.src, header.src_port);
        let remote = SocketAddr::new(t.dst, header.dst_port);
        let mut own = apps.iter().filter(|a| a.local == local && a.remote == remote).map(|a| a.id);
        let Some((id, c)) = own.find_map(|id| endpoint.connection(id).ok().map(|c| (id, c))) else { return };
        let Ok(info) = endpoint.info(now, id) else { return };
        let flags = header.flags;
        if flags.any(Flags::SYN | Flags::RST) || !flags.has(Flags::ACK) || c.state() == State::Closed {
            return;
        }
        let flight = c.flight();
        // A reply that waited in the queue may be older than what has come since.
        let ack =
            flight.rcv_nxt.saturating_add_signed(i64::from(header.ack.wrapping_sub(flight.rcv_nxt as u32) as i32));
        let edge = ack + (u64::from(header.window) << info.tcpi_rcv_wscale);
        let isn = flight.irs;
        let entry = self.edges.entry((end, id)).or_insert((isn, edge));
        if entry.0 != isn {
            *entry = (isn, edge);
        }
        // What the scale rounds up is kept to, unless the greatest buffer is full: then RCV.NXT between two multiples decides
        // by how much it is rounded.
        let unit = 1 << info.tcpi_rcv_wscale;
        let is_full = info.receive_queue + 2 * (edge + unit - ack) > endpoint.config().rmem[2] as u64;
        let least = if is_full { entry.1.saturating_sub(unit - 1) } else { entry.1 };
        assert!(edge >= least, "the window shrinks from {} to {edge}", entry.1);
        entry.1 = entry.1.max(edge);
    }

    /// What holds of one connection at any time.
    pub(crate) fn connection(&self, end: usize, endpoint: &Endpoint, app: &App, now: Instant) {
        if let Ok(c) = endpoint.connection(app.id) {
            if let Err(sentence) = c.check_invariants() {
                panic!("end {end}: {sentence} does not hold\n{c:#?}");
            }
            let _ = endpoint.info(now, app.id);
        }
    }
}
