//! The time that a computer takes from the end of a frame to the beginning of its answer: interrupt, driver, stack.
//!
//! Where everybody has a cable of his own it is nothing to notice. On a line on which only one may speak it decides who meets
//! whom: an answer in no time falls into the gap behind the frame that it answers, a later one into the middle of the next.

use core::time::Duration;
use std::collections::VecDeque;

use septet_core::{Carrier, Frame, Instant, Out, Port, Power, Station};

/// A station to which frames come some time after they arrived.
pub struct Turnaround {
    station: Box<dyn Station>,
    time: Duration,
    /// What has arrived, and when the station takes it.
    arrived: VecDeque<(Instant, Port, Frame)>,
}

impl Turnaround {
    /// `station`, which takes each frame `time` after it arrived.
    pub fn new(station: Box<dyn Station>, time: Duration) -> Self {
        Self { station, time, arrived: VecDeque::new() }
    }
}

impl Station for Turnaround {
    fn receive(&mut self, now: Instant, port: Port, frame: Frame, _: &mut Out<'_>) {
        self.arrived.push_back((now + self.time, port, frame));
    }

    fn on_deadline(&mut self, now: Instant, out: &mut Out<'_>) {
        while let Some((_, port, frame)) = self.arrived.pop_front_if(|(at, ..)| *at <= now) {
            self.station.receive(now, port, frame, out);
        }
        if self.station.deadline().is_some_and(|at| at <= now) {
            self.station.on_deadline(now, out);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let arrived = self.arrived.front().map(|(at, ..)| *at);
        arrived.into_iter().chain(self.station.deadline()).min()
    }

    fn on_carrier(&mut self, now: Instant, port: Port, carrier: Carrier, out: &mut Out<'_>) {
        self.station.on_carrier(now, port, carrier, out);
    }

    fn on_room(&mut self, now: Instant, port: Port, out: &mut Out<'_>) {
        self.station.on_room(now, port, out);
    }

    fn on_power(&mut self, now: Instant, power: Power, out: &mut Out<'_>) {
        self.arrived.clear();
        self.station.on_power(now, power, out);
    }

    fn inner(&self) -> Option<&dyn Station> {
        Some(&*self.station)
    }

    fn inner_mut(&mut self) -> Option<&mut dyn Station> {
        Some(&mut *self.station)
    }

    fn act_inside(&mut self, _: Instant, out: &mut Out<'_>, act: &mut dyn FnMut(&mut dyn Station, &mut Out<'_>)) {
        act(&mut *self.station, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use septet_core::{Trace, Wire};

    /// Sends back what it gets, at once.
    struct Mirror;

    impl Station for Mirror {
        fn receive(&mut self, _: Instant, port: Port, frame: Frame, out: &mut Out<'_>) {
            out.send(port, frame);
        }
        fn on_deadline(&mut self, _: Instant, _: &mut Out<'_>) {}
        fn deadline(&self) -> Option<Instant> {
            None
        }
    }

    #[derive(Default)]
    struct Sent(Vec<u16>);

    impl Wire for Sent {
        fn send(&mut self, port: Port, _: Frame, _: &mut Trace) {
            self.0.push(port.0);
        }
        fn backlog(&self, _: Port) -> usize {
            0
        }
        fn wake_below(&mut self, _: Port, _: usize) {}
    }

    #[test]
    fn answers_come_that_much_later_and_in_order() {
        let us = Instant::from_micros;
        let mut station = Turnaround::new(Box::new(Mirror), Duration::from_micros(20));
        let (mut wire, mut trace) = (Sent::default(), Trace::off());
        let mut out = Out::new(&mut wire, &mut trace);
        station.receive(us(5), Port(1), Frame::empty(0), &mut out);
        station.receive(us(7), Port(2), Frame::empty(0), &mut out);
        assert_eq!(station.deadline(), Some(us(25)));
        station.on_deadline(us(25), &mut out);
        assert_eq!(station.deadline(), Some(us(27)));
        station.on_deadline(us(27), &mut out);
        assert_eq!(station.deadline(), None);
        // Switched off, it forgets what it has not taken.
        station.receive(us(30), Port(3), Frame::empty(0), &mut out);
        station.on_power(us(31), Power::Off, &mut out);
        assert_eq!((station.deadline(), wire.0), (None, vec![1, 2]));
    }
}
