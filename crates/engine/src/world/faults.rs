//! What may befall a running world: cables cut and mended, media changed, stations switched off and on.

use std::sync::Arc;

use septet_core::{Carrier, DropReason, EventId, Port, Power, Station, StationId, Storey};
use septet_physical::Medium;

use crate::fabric::{End, UNPLUGGED, tell_drop};
use crate::gate::{FilterId, Gates, Rule, Side};
use crate::{Heading, LinkId, World};

impl World {
    /// Cuts or mends a link. What is on a cable when it is cut is lost, what waits for it is dropped.
    pub fn set_carrier(&mut self, link: LinkId, carrier: Carrier, cause: EventId) {
        let Some(l) = self.links.get_mut(link.0 as usize) else { return };
        if l.plugged == carrier {
            return;
        }
        l.plugged = carrier;
        let name = l.origin.name.to_string();
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
        let now = self.fabric.now;
        self.trace.set_scene(now, self.fabric.paths[path as usize].from.station);
        self.trace.set_cause(cause);
        self.fabric.act(path, &mut self.trace, |direction, told| direction.set_medium(now, &medium, told));
        self.fabric.schedule_room(path);
        self.hand_on();
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
        let gates = self.fabric.paths[path(link, heading) as usize].cold_mut().gates.get_or_insert_default();
        gates.sides[side as usize].rules.push(rule);
    }

    /// Takes a filter away. Frames that it held go on now, in the order in which they came; those that it delays go on
    /// in their time.
    pub fn remove_filter(&mut self, link: LinkId, heading: Heading, side: Side, filter: FilterId) {
        if self.links.get(link.0 as usize).is_none() {
            return;
        }
        let path = path(link, heading);
        let Some(gates) = self.fabric.paths[path as usize].gates() else { return };
        let free = gates.sides[side as usize].remove(filter);
        match side {
            Side::Out => self.go_on(path, free, Vec::new()),
            Side::In => self.go_on(path, Vec::new(), free),
        }
        // Without filters a frame pays for none.
        let p = &mut self.fabric.paths[path as usize];
        if p.gates().is_some_and(|gates| gates.is_empty()) {
            p.cold_mut().gates = None;
        }
    }

    /// Switches a station on or off. One that is off receives nothing, and its neighbours lose the carrier.
    pub fn set_power(&mut self, station: StationId, power: Power, cause: EventId) {
        let Some(slot) = self.stations.get_mut(station.0 as usize) else { return };
        if slot.power == power {
            return;
        }
        slot.power = power;
        let kind = if power == Power::On { "power.on" } else { "power.off" };
        let event = self.emit(Some(station), Storey::Physical, kind, cause, |_| {});
        let outlets = self.fabric.outlets[station.0 as usize].paths.clone();
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
        if self.stations.get(id.0 as usize).is_none() {
            return station;
        }
        self.set_power(id, Power::Off, cause);
        let old = core::mem::replace(&mut self.stations[id.0 as usize].station, station);
        self.set_power(id, Power::On, cause);
        old
    }

    fn power_up(&mut self, id: StationId, cause: EventId) {
        self.tell_carriers(id, cause);
        self.call(id, cause, |station, now, out| station.on_power(now, Power::On, out));
    }

    pub(super) fn tell_carriers(&mut self, id: StationId, cause: EventId) {
        for port in 0..self.fabric.outlets[id.0 as usize].paths.len() {
            let path = self.fabric.outlets[id.0 as usize].paths[port];
            if path != UNPLUGGED {
                let carrier = self.fabric.paths[path as usize].direction.carrier();
                self.call(id, cause, |station, now, out| station.on_carrier(now, Port(port as u16), carrier, out));
            }
        }
    }

    pub(super) fn paths(&self, link: LinkId) -> [u32; 2] {
        [link.0 * 2, link.0 * 2 + 1]
    }

    fn stop(&mut self, path: u32, reason: DropReason, cause: EventId) {
        let now = self.fabric.now;
        self.trace.set_scene(now, self.fabric.paths[path as usize].from.station);
        self.trace.set_cause(cause);
        self.fabric.act(path, &mut self.trace, |direction, told| direction.stop(now, reason, told));
        self.hand_on();
    }

    fn sever(&mut self, path: u32, reason: DropReason, cause: EventId) {
        let now = self.fabric.now;
        self.trace.set_scene(now, self.fabric.paths[path as usize].from.station);
        self.trace.set_cause(cause);
        self.fabric.act(path, &mut self.trace, |direction, told| direction.sever(now, reason, told));
        let p = &mut self.fabric.paths[path as usize];
        let port = p.from.port;
        for frame in p.gates().map(Gates::lose).unwrap_or_default() {
            p.direction.count_drop(reason);
            tell_drop(&mut self.trace, "link.lost", port, &frame, reason, "it waited at a filter when the link went");
        }
        self.fabric.schedule_room(path);
        self.hand_on();
    }

    /// Brings the carrier of a link in line with cable and power.
    fn refresh_paths(&mut self, link: LinkId) -> Carrier {
        let ends = self.paths(link).map(|p| self.fabric.paths[p as usize].from.station);
        let up = self.links[link.0 as usize].plugged == Carrier::Up && ends.iter().all(|e| self.is_on(*e));
        if up {
            for path in self.paths(link) {
                self.fabric.paths[path as usize].direction.resume();
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
            let End { station, port } = self.fabric.paths[path as usize].from;
            if self.is_on(station) && knows != Some(station) {
                self.call(station, cause, |station, now, out| station.on_carrier(now, port, carrier, out));
            }
        }
    }
}

fn path(link: LinkId, heading: Heading) -> u32 {
    link.0 * 2 + heading as u32
}
