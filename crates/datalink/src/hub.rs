//! A repeater (IEEE 802.3 clause 9; with more than two ports, a hub): what comes in at one port goes out at all
//! others, bit by bit, and where two talk at once all hear the jam. One collision domain.

use septet_core::{Carrier, Frame, Instant, Out, Port, Power, Station, Storey, counters};
use septet_physical::Signal;

/// A repeater. It understands no frame; its cables have no rate of their own, and the cards at their other ends keep
/// the time.
#[derive(Debug, Default)]
pub struct Hub {
    ports: Vec<Option<PortState>>,
    /// Two or more talked at once, and not all have ceased.
    collision: bool,
    counters: Counters,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct PortState {
    carrier: Carrier,
    /// What comes in.
    hears: Signal,
    /// What goes out.
    says: Signal,
}

counters! {
    /// What a hub counts.
    #[derive(Copy)]
    pub struct Counters {
        frames = "hub_frames", "frames that a hub repeated";
        collisions = "hub_collisions", "collisions at a hub";
    }
}

impl Hub {
    /// A hub with as many ports as are connected.
    pub fn new() -> Self {
        Self::default()
    }

    /// What it counted.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Says on every port what it must, given what is heard.
    fn repeat(&mut self, out: &mut Out<'_>) {
        let active = self.ports.iter().flatten().filter(|port| port.hears == Signal::On).count();
        if active > 1 && !self.collision {
            self.collision = true;
            self.counters.collisions += 1;
            out.trace.emit(Storey::Physical, "hub.collision", septet_core::EventId::NONE, |f| {
                f.set("talkers", active).set("why", "more than one station sends: all ports are jammed");
            });
        }
        if active == 0 {
            self.collision = false;
        }
        for at in 0..self.ports.len() {
            let Some(port) = &mut self.ports[at] else { continue };
            // §9.6.5: where several talk, all ports are jammed; where one talks, or is the last that still does after a
            // collision ("one port left"), everyone but that one hears it. Two hubs that jammed each other's last port
            // would do so for ever.
            let others = active - usize::from(port.hears == Signal::On);
            let says = if others > 0 { Signal::On } else { Signal::Off };
            if port.carrier == Carrier::Up && core::mem::replace(&mut port.says, says) != says {
                out.send(Port(at as u16), says.to_frame());
            }
        }
    }
}

impl Station for Hub {
    fn receive(&mut self, _: Instant, port: Port, frame: Frame, out: &mut Out<'_>) {
        let Some(Some(state)) = self.ports.get_mut(usize::from(port.0)) else { return };
        match Signal::of(&frame) {
            Some(signal) => {
                state.hears = signal;
                self.repeat(out);
            }
            // A frame that a jam has spoilt ends as one at every other port.
            None if self.collision => {}
            None => {
                self.counters.frames += 1;
                let others: Vec<u16> = (0..self.ports.len() as u16)
                    .filter(|at| *at != port.0)
                    .filter(|at| self.ports[usize::from(*at)].is_some_and(|p| p.carrier == Carrier::Up))
                    .collect();
                for at in others {
                    out.send(Port(at), frame.clone());
                }
            }
        }
    }

    fn on_deadline(&mut self, _: Instant, _: &mut Out<'_>) {}

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn on_carrier(&mut self, _: Instant, port: Port, carrier: Carrier, out: &mut Out<'_>) {
        let at = usize::from(port.0);
        if self.ports.len() <= at {
            self.ports.resize(at + 1, None);
        }
        self.ports[at] = Some(PortState { carrier, hears: Signal::Off, says: Signal::Off });
        self.repeat(out);
    }

    fn show_counters(&self, _: Instant, see: &mut dyn FnMut(&'static str, u64)) {
        self.counters.show(see);
    }

    fn on_power(&mut self, _: Instant, power: Power, _: &mut Out<'_>) {
        if power == Power::Off {
            self.collision = false;
            for port in self.ports.iter_mut().flatten() {
                (port.hears, port.says) = (Signal::Off, Signal::Off);
            }
        }
    }
}
