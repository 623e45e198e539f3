//! What may befall a running world: cables cut and mended, media changed, stations switched off and on.

use std::sync::Arc;

use septet_core::{Carrier, DropReason, EventId, Port, Power, Station, StationId, Storey};
use septet_physical::Medium;

use crate::fabric::{End, UNPLUGGED};
use crate::gate::{FilterId, Rule, Side};
use crate::part::Part;
use crate::{Heading, LinkId, World};

impl World {
    /// Cuts or mends a link. What is on a cable when it is cut is lost, what waits for it is dropped.
    pub fn set_carrier(&mut self, link: LinkId, carrier: Carrier, cause: EventId) {
        let Some(l) = self.links.get_mut(link.0 as usize) else { return };
        if l.plugged == carrier {
            return;
        }
        l.plugged = carrier;
        let name = l.context.name.to_string();
        let kind = if carrier == Carrier::Up { "link.up" } else { "link.down" };
        let event = self.emit(None, Storey::Physical, kind, cause, |f| {
            f.set("link", name);
        });
        if carrier == Carrier::Down {
            for path in self.paths(link) {
                self.stop(path, DropReason::Carrier, event);
                self.sever(path, DropReason::Carrier, event);
            }
        }
        self.refresh(link, None, event);
    }

    /// Gives one direction of a link another medium. Frames that have begun keep what the old one did to them.
    pub fn set_medium(&mut self, link: LinkId, heading: Heading, medium: impl Into<Arc<Medium>>, cause: EventId) {
        let Some(l) = self.links.get_mut(link.0 as usize) else { return };
        let medium = medium.into();
        l.media[heading as usize] = medium.clone();
        let path = path(link, heading);
        let part = self.sender(path);
        let now = part.now();
        part.act(path, cause, |direction, told| direction.set_medium(now, &medium, told));
        part.fabric.schedule_room(path);
    }

    /// The medium of one direction of a link.
    pub fn medium(&self, link: LinkId, heading: Heading) -> Option<&Arc<Medium>> {
        Some(&self.links.get(link.0 as usize)?.media[heading as usize])
    }

    /// Puts a filter into the gate at one side of one direction of a link: before its sender's queue, or before its
    /// receiver.
    pub fn add_filter(&mut self, link: LinkId, heading: Heading, side: Side, rule: Rule) {
        if self.links.get(link.0 as usize).is_none() {
            return;
        }
        let (path, kin) = (path(link, heading), rule.kin);
        let part = self.gatekeeper(path, side);
        let gates = part.fabric.paths[path as usize].cold_mut().gates.get_or_insert_default();
        gates.sides[side as usize].rules.push(rule);
        if let Some(kin) = kin {
            let home = self.gate_home(path, side);
            *self.kin.entry(kin).or_default().entry(home).or_default() += 1;
        }
    }

    /// Takes a filter away. Frames that it held go on now, in the order in which they came; those that it delays go on
    /// in their time.
    pub fn remove_filter(&mut self, link: LinkId, heading: Heading, side: Side, filter: FilterId) {
        if self.links.get(link.0 as usize).is_none() {
            return;
        }
        let path = path(link, heading);
        let part = self.gatekeeper(path, side);
        let Some(gates) = part.fabric.paths[path as usize].gates() else { return };
        let gate = &mut gates.sides[side as usize];
        let kin = gate.kin(filter);
        let free = gate.remove(filter);
        match side {
            Side::Out => part.go_on(path, free, Vec::new()),
            Side::In => part.go_on(path, Vec::new(), free),
        }
        // Without filters a frame pays for none.
        let p = &mut part.fabric.paths[path as usize];
        if p.gates().is_some_and(|gates| gates.is_empty()) {
            p.cold_mut().gates = None;
        }
        if let Some(kin) = kin {
            self.forget_kin(kin, self.gate_home(path, side));
        }
    }

    /// One filter fewer of this kin stands in a part.
    fn forget_kin(&mut self, kin: u64, home: usize) {
        let Some(homes) = self.kin.get_mut(&kin) else { return };
        if let Some(count) = homes.get_mut(&home) {
            *count -= 1;
            if *count == 0 {
                homes.remove(&home);
            }
        }
        if homes.is_empty() {
            self.kin.remove(&kin);
        }
    }

    /// The part in which a gate of a path stands.
    fn gate_home(&self, path: u32, side: Side) -> usize {
        let p = &self.parts[0].fabric.paths[path as usize];
        self.home(if side == Side::Out { p.from.station } else { p.to.station })
    }

    fn gatekeeper(&mut self, path: u32, side: Side) -> &mut Part {
        let home = self.gate_home(path, side);
        &mut self.parts[home]
    }

    /// Switches a station on or off. One that is off receives nothing, and its neighbours lose the carrier.
    pub fn set_power(&mut self, station: StationId, power: Power, cause: EventId) {
        if station.0 as usize >= self.stations() || self.is_on(station) == (power == Power::On) {
            return;
        }
        self.part_of(station).set_power(station, power);
        let kind = if power == Power::On { "power.on" } else { "power.off" };
        let event = self.emit(Some(station), Storey::Physical, kind, cause, |_| {});
        let outlets = self.part_of(station).fabric.outlets[station.0 as usize].paths.clone();
        let out: Vec<u32> = outlets.into_iter().filter(|p| *p != UNPLUGGED).collect();
        match power {
            Power::Off => {
                for &path in &out {
                    self.stop(path, DropReason::Power, event);
                    self.sever(path, DropReason::Power, event);
                    // What comes the other way is in flight still, and finds nobody.
                    self.stop(path ^ 1, DropReason::Carrier, event);
                }
                if self.started {
                    self.call(station, event, |station, now, out| station.on_power(now, power, out));
                }
                for &path in &out {
                    self.refresh(LinkId(path / 2), Some(station), event);
                }
            }
            Power::On => {
                for &path in &out {
                    self.refresh_paths(LinkId(path / 2));
                }
                if self.started {
                    self.power_up(station, event);
                }
                for &path in &out {
                    self.refresh(LinkId(path / 2), Some(station), event);
                }
            }
        }
    }

    /// Puts another station into the place of one, ports and name kept: the old one is switched off, the new one on.
    /// Returns the old one, or the new one back where there is no such place.
    pub fn replace(&mut self, id: StationId, station: Box<dyn Station>, cause: EventId) -> Box<dyn Station> {
        if id.0 as usize >= self.stations() {
            return station;
        }
        self.set_power(id, Power::Off, cause);
        let old = core::mem::replace(&mut self.part_of(id).slots[id.0 as usize].station, station);
        self.set_power(id, Power::On, cause);
        old
    }

    fn power_up(&mut self, id: StationId, cause: EventId) {
        self.tell_carriers(id, cause);
        self.call(id, cause, |station, now, out| station.on_power(now, Power::On, out));
    }

    pub(super) fn tell_carriers(&mut self, id: StationId, cause: EventId) {
        let part = self.part_of(id);
        for port in 0..part.fabric.outlets[id.0 as usize].paths.len() {
            let path = part.fabric.outlets[id.0 as usize].paths[port];
            if path != UNPLUGGED {
                let carrier = part.fabric.paths[path as usize].direction.carrier();
                part.call(id, cause, |station, now, out| station.on_carrier(now, Port(port as u16), carrier, out));
            }
        }
    }

    pub(super) fn paths(&self, link: LinkId) -> [u32; 2] {
        [link.0 * 2, link.0 * 2 + 1]
    }

    fn stop(&mut self, path: u32, reason: DropReason, cause: EventId) {
        let part = self.sender(path);
        let now = part.now();
        part.act(path, cause, |direction, told| direction.stop(now, reason, told));
    }

    fn sever(&mut self, path: u32, reason: DropReason, cause: EventId) {
        let part = self.sender(path);
        let now = part.now();
        part.act(path, cause, |direction, told| direction.sever(now, reason, told));
        part.lose_waiting(path, Side::Out, reason, cause);
        part.fabric.schedule_room(path);
        if self.crossings.iter().any(|crossing| crossing.path == path) {
            if let Some(cold) = self.sending(path).cold_if_any() {
                cold.packed = 0;
            }
            self.hearer(path).fabric.paths[path as usize].direction.forget_flights();
        }
        self.hearer(path).lose_waiting(path, Side::In, reason, cause);
    }

    /// Brings the carrier of a link in line with cable and power.
    fn refresh_paths(&mut self, link: LinkId) -> Carrier {
        let ends = self.paths(link).map(|p| self.parts[0].fabric.paths[p as usize].from.station);
        let up = self.links[link.0 as usize].plugged == Carrier::Up && ends.iter().all(|e| self.is_on(*e));
        if up {
            for path in self.paths(link) {
                self.sending(path).direction.resume();
            }
        }
        if up { Carrier::Up } else { Carrier::Down }
    }

    /// As [`refresh_paths`](Self::refresh_paths), and tells the ends where it changed, all but the one that knows.
    pub(super) fn refresh(&mut self, link: LinkId, knows: Option<StationId>, cause: EventId) {
        let carrier = self.refresh_paths(link);
        let l = &mut self.links[link.0 as usize];
        if l.carrier == carrier {
            return;
        }
        l.carrier = carrier;
        if !self.started {
            return;
        }
        for path in self.paths(link) {
            let End { station, port } = self.parts[0].fabric.paths[path as usize].from;
            if self.is_on(station) && knows != Some(station) {
                self.call(station, cause, |station, now, out| station.on_carrier(now, port, carrier, out));
            }
        }
    }
}

fn path(link: LinkId, heading: Heading) -> u32 {
    link.0 * 2 + heading as u32
}
