//! A learning switch (IEEE 802.1D §7): it learns where stations are from the frames they send, forwards to the one
//! port where that is known, and floods where it is not.

use core::time::Duration;

use septet_core::{
    Carrier, DropReason, EventId, Frame, Instant, Metric, Out, Port, PortReport, Power, Station, Storey, Tally,
};

use crate::ethernet::{self, Header, MacAddr};
use crate::stats::{LinkStats, Ports};
use crate::vlan::VlanId;

mod guard;
mod managed;
mod snooping;
pub mod table;

pub use guard::Guard;
pub use managed::{FlowControl, Management, PortMode, Tree, Version, Vlans};
pub use snooping::{PortLeave, Snooping, Unknown};

use table::{Learned, Table};

/// What may be set on a switch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// How long an address is remembered that is not heard of again (IEEE 802.1D §7.9.2: 300 s).
    pub ageing: Duration,
    /// How many addresses are remembered; those that find no room are flooded to.
    pub capacity: usize,
    /// The largest payload that each port takes and sends, by its number; [`ethernet::MTU`] of others.
    pub mtus: Vec<usize>,
    /// VLANs, spanning tree, mirroring and flow control; `None` for a switch that only learns.
    pub management: Option<Management>,
}

impl Default for Config {
    fn default() -> Self {
        Self { ageing: Duration::from_secs(300), capacity: 8192, mtus: Vec::new(), management: None }
    }
}

/// What a switch counts.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Counters {
    /// Frames forwarded to the one port where their destination is.
    pub forwarded: u64,
    /// Frames sent to all other ports.
    pub flooded: u64,
    /// Frames for groups sent only to ports where somebody wants them.
    pub snooped: u64,
    /// Frames whose destination is where they came from.
    pub filtered: u64,
    /// ARP that says of an address what is not so.
    pub arp_denied: u64,
    /// DHCP from where none is to come.
    pub dhcp_denied: u64,
    /// Frames dropped, by reason.
    pub drops: Tally,
}

/// Reads what is counted under a metric.
type Reader = fn(&Switch, Instant) -> u64;

/// What is shown of a switch: a metric a line.
const COUNTED: &[(Metric, Reader)] = &[
    (
        Metric::counter("switch_forwarded", "frames forwarded to the one port where their destination is"),
        |switch, _| switch.counters.forwarded,
    ),
    (Metric::counter("switch_flooded", "frames sent to all other ports"), |switch, _| switch.counters.flooded),
    (Metric::counter("switch_filtered", "frames whose destination is where they came from"), |switch, _| {
        switch.counters.filtered
    }),
    (Metric::counter("switch_snooped", "frames for groups sent only where somebody wants them"), |switch, _| {
        switch.counters.snooped
    }),
    (Metric::counter("switch_groups", "groups with members, as far as a switch that snoops knows"), |switch, now| {
        switch.snooped_groups(now) as u64
    }),
    (
        Metric::counter(
            "switch_arp_denied",
            "ARP packets that said of an address what is not so, with `arp_inspection`",
        ),
        |switch, _| switch.counters.arp_denied,
    ),
    (
        Metric::counter("switch_dhcp_denied", "DHCP messages from where none is to come, with `dhcp_snooping`"),
        |switch, _| switch.counters.dhcp_denied,
    ),
    (Metric::counter("switch_bindings", "addresses that a switch knows the owners of by DHCP"), |switch, now| {
        switch.bindings(now) as u64
    }),
    (Metric::counter("switch_drops", "frames that a switch dropped"), |switch, _| switch.counters.drops.total()),
    (Metric::counter("switch_addresses", "addresses that a switch knows"), |switch, now| {
        switch.table.iter(now).count() as u64
    }),
    (Metric::counter("switch_blocked_ports", "ports that the spanning tree keeps from forwarding"), |switch, _| {
        switch.blocked_ports() as u64
    }),
];

/// What a switch counts as a whole.
pub fn metrics() -> impl Iterator<Item = &'static Metric> {
    COUNTED.iter().map(|(metric, _)| metric)
}

/// A learning switch.
#[derive(Debug)]
pub struct Switch {
    config: Config,
    /// By port number; `None` where no cable was ever plugged in.
    carriers: Vec<Option<Carrier>>,
    table: Table,
    counters: Counters,
    managed: Option<Box<managed::Managed>>,
    stats: Ports,
    /// Counts what changes where frames can go.
    course: u32,
}

impl Switch {
    /// A switch that knows nobody yet; it has as many ports as are connected.
    pub fn new(config: Config) -> Self {
        let table = Table::new(config.ageing, config.capacity);
        let managed = config.management.as_ref().map(|m| Box::new(managed::Managed::new(m)));
        Self {
            config,
            carriers: Vec::new(),
            table,
            counters: Counters::default(),
            managed,
            stats: Ports::default(),
            course: 0,
        }
    }

    /// What it counted.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Who it believes is where.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// What it counted at `port`; `None` where nothing was.
    pub fn link_stats(&self, port: Port) -> Option<&LinkStats> {
        self.stats.get(port.0)
    }

    /// Drops a frame that came in at `port`.
    fn drop(&mut self, port: Port, frame: &Frame, reason: DropReason, out: &mut Out<'_>) {
        self.stats.at(port.0).refuse(frame.len(), reason);
        self.tell_drop(port, frame, reason, out);
    }

    /// Drops a frame that was to go out of `port`.
    fn drop_outgoing(&mut self, port: Port, frame: &Frame, reason: DropReason, out: &mut Out<'_>) {
        self.stats.at(port.0).give_up(reason);
        self.tell_drop(port, frame, reason, out);
    }

    fn tell_drop(&mut self, port: Port, frame: &Frame, reason: DropReason, out: &mut Out<'_>) {
        self.counters.drops.add(reason);
        out.trace.emit(Storey::DataLink, "switch.drop", frame.cause, |f| {
            f.set("port", port.to_string()).set("frame", frame.id).set("len", frame.len()).set("reason", reason);
            f.set(
                "why",
                match reason {
                    DropReason::Malformed => "its source is a group, which no station is, or its header is damaged",
                    DropReason::Vlan => "this port does not carry its VLAN",
                    DropReason::StpBlocking => "the spanning tree keeps this port from forwarding",
                    DropReason::Policy => "nothing goes in at a mirror port",
                    DropReason::TooBig => {
                        "it is larger than that link's MTU, and a switch neither cuts it nor tells its sender"
                    }
                    other => ethernet::why_refused(other),
                },
            );
        });
    }

    fn mtu(&self, port: Port) -> usize {
        self.config.mtus.get(usize::from(port.0)).copied().unwrap_or(ethernet::MTU)
    }

    /// Sends `frame` out of `to`, where its link takes frames of that size.
    ///
    /// IEEE 802.1D §7.7.1 has a bridge forward only what is no larger than the LAN behind the port takes; it has no way to
    /// tell the sender.
    fn send(&mut self, to: Port, frame: Frame, out: &mut Out<'_>) {
        if ethernet::payload_len(&frame) > self.mtu(to) {
            return self.drop_outgoing(to, &frame, DropReason::TooBig, out);
        }
        out.send(to, frame);
    }

    fn learn(&mut self, now: Instant, vlan: VlanId, source: MacAddr, port: Port, cause: EventId, out: &mut Out<'_>) {
        let (kind, why) = match self.table.learn(now, vlan, source, port) {
            Learned::Known => return,
            Learned::New => ("switch.learn", "a frame from it came in here"),
            Learned::Moved => ("switch.move", "a frame from it came in here and no longer elsewhere"),
            Learned::NoRoom => ("switch.full", "the table has no room for it"),
        };
        out.trace.emit(Storey::DataLink, kind, cause, |f| {
            f.set("mac", source).set("port", port.to_string()).set("why", why);
        });
    }

    fn forward(&mut self, now: Instant, from: Port, header: &Header, frame: Frame, out: &mut Out<'_>) {
        if header.destination.is_multicast() {
            return self.flood(from, header, frame, "its destination is a group", out);
        }
        match self.table.look_up(now, VlanId::DEFAULT, header.destination) {
            // IEEE 802.1D §7.7.1: never back to the port it came from.
            Some(to) if to == from => self.counters.filtered += 1,
            Some(to) => {
                self.counters.forwarded += 1;
                self.send(to, frame, out);
            }
            None => self.flood(from, header, frame, "its destination was not heard of yet", out),
        }
    }

    fn flood(&mut self, from: Port, header: &Header, frame: Frame, why: &'static str, out: &mut Out<'_>) {
        self.counters.flooded += 1;
        out.trace.emit(Storey::DataLink, "switch.flood", frame.cause, |f| {
            f.set("mac", header.destination).set("from", from.to_string()).set("frame", frame.id).set("why", why);
        });
        for at in 0..self.carriers.len() {
            let port = Port(at as u16);
            if self.carriers[at] == Some(Carrier::Up) && port != from {
                self.send(port, frame.clone(), out);
            }
        }
    }
}

impl Station for Switch {
    fn receive(&mut self, now: Instant, port: Port, frame: Frame, out: &mut Out<'_>) {
        if let Err(reason) = ethernet::check(&frame, self.mtu(port)) {
            return self.drop(port, &frame, reason, out);
        }
        let header = match Header::parse(frame.bytes()) {
            Ok(header) => header,
            Err(reason) => return self.drop(port, &frame, reason, out),
        };
        if header.source.is_multicast() {
            return self.drop(port, &frame, DropReason::Malformed, out);
        }
        if self.managed.is_some() {
            return self.receive_managed(now, port, &header, frame, out);
        }
        self.learn(now, VlanId::DEFAULT, header.source, port, frame.cause, out);
        self.forward(now, port, &header, frame, out);
    }

    fn on_deadline(&mut self, now: Instant, out: &mut Out<'_>) {
        self.on_managed_deadline(now, out);
    }

    /// Addresses age when they are asked for; only the spanning tree has timers.
    fn deadline(&self) -> Option<Instant> {
        self.managed.as_ref()?.deadline()
    }

    fn on_room(&mut self, now: Instant, port: Port, out: &mut Out<'_>) {
        self.on_managed_room(now, port, out);
    }

    fn on_carrier(&mut self, now: Instant, port: Port, carrier: Carrier, out: &mut Out<'_>) {
        let at = usize::from(port.0);
        if self.carriers.len() <= at {
            self.carriers.resize(at + 1, None);
        }
        self.carriers[at] = Some(carrier);
        self.course = self.course.wrapping_add(1);
        if carrier == Carrier::Down {
            let forgotten = self.table.forget_port(port);
            if forgotten > 0 {
                out.trace.emit(Storey::DataLink, "switch.forget", EventId::NONE, |f| {
                    f.set("port", port.to_string()).set("addresses", forgotten).set("why", "the port lost its carrier");
                });
            }
        }
        self.on_managed_carrier(now, port, carrier, out);
    }

    fn show_counters(&self, now: Instant, see: &mut dyn FnMut(&'static str, u64)) {
        COUNTED.iter().for_each(|(metric, read)| see(metric.name, read(self, now)));
    }

    fn show_port(&self, port: Port, report: &mut PortReport) {
        if let Some(stats) = self.link_stats(port) {
            stats.add_to(report);
        }
    }

    fn on_power(&mut self, now: Instant, power: Power, out: &mut Out<'_>) {
        if power == Power::Off {
            self.table = Table::new(self.config.ageing, self.config.capacity);
            (self.counters, self.stats) = (Counters::default(), Ports::default());
            self.managed = self.config.management.as_ref().map(|m| Box::new(managed::Managed::new(m)));
            self.course = self.course.wrapping_add(1);
        } else if self.managed.is_some() {
            self.start_managed(now, out);
        }
    }
}

#[cfg(test)]
mod guard_tests;
#[cfg(test)]
mod managed_tests;
#[cfg(test)]
mod tests;
