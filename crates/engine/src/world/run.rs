//! Time moves on: what the agenda of the world and those of its parts hold comes to pass.

use core::fmt;
use std::cmp::Reverse;

use septet_core::{EventId, Instant, Power, StationId};

use super::Entry;
use crate::World;
use crate::agenda::Key;
use crate::part::Knot;

/// More happens at one instant than ever should, and time does not go on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Storm {
    /// The instant that does not end.
    pub at: Instant,
    /// The station that the last event was for.
    pub station: String,
    /// What goes in circles.
    pub of: Circle,
}

/// What goes in circles at an instant that does not end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Circle {
    /// Frames, over links without delay; so many events there were.
    Frames(u64),
    /// The programs of one station.
    Programs,
}

impl fmt::Display for Storm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, station, of } = self;
        match of {
            Circle::Frames(events) => write!(
                f,
                "no time passes any more at {at} s: {events} events and no end, the last of them at `{station}`. Frames go \
                 to and fro without delay: give the links a delay or a rate, or break the loop"
            ),
            Circle::Programs => write!(
                f,
                "no time passes any more at {at} s: the programs of `{station}` run in circles ({})",
                crate::executor::Runaway
            ),
        }
    }
}

impl std::error::Error for Storm {}

/// How far one step goes.
#[derive(Clone, Copy)]
enum Stride {
    /// One event.
    Event,
    /// Up to whatever is to be decided next.
    Far,
}

impl World {
    /// Plays everything up to and including `end`; then it is `end`.
    ///
    /// # Errors
    /// [`Storm`] where an instant does not end.
    pub fn run_until(&mut self, end: Instant) -> Result<(), Storm> {
        while self.stride(end, Stride::Far)? {}
        self.advance(end);
        Ok(())
    }

    /// Plays the next event, if there is one at or before `end`, and tells whether there was. A world of several parts
    /// plays all that none of them can have to do with the others.
    ///
    /// # Errors
    /// [`Storm`] where an instant does not end.
    pub fn step_until(&mut self, end: Instant) -> Result<bool, Storm> {
        self.stride(end, Stride::Event)
    }

    fn stride(&mut self, end: Instant, stride: Stride) -> Result<bool, Storm> {
        if !self.started {
            self.start();
        }
        // A world of many stations has much to do when all of them begin.
        let limit = self.storm_limit.unwrap_or_else(|| 2_000_000 + 100 * self.stations() as u64);
        for part in &mut self.parts {
            part.storm_limit = limit;
            part.rearm_touched();
        }
        if let Some(knot) = self.parts.iter_mut().find_map(|part| part.stuck()) {
            return Err(self.storm(knot));
        }
        let next = self.parts.iter().filter_map(|part| part.peek()).min().map_or(Instant::FAR_FUTURE, Key::at);
        let action = self.agenda.peek().map(|Reverse(entry)| entry.at);
        if let Some(at) = action.filter(|at| *at <= next) {
            if at > end {
                return Ok(false);
            }
            if let Some(Reverse(Entry { action, .. })) = self.agenda.pop() {
                self.advance(at);
                self.act(action);
                self.parts.iter_mut().for_each(|part| part.hand_on());
            }
            return Ok(true);
        }
        if next > end || next == Instant::FAR_FUTURE {
            return Ok(false);
        }
        let horizon = after(end).min(action.unwrap_or(Instant::FAR_FUTURE));
        let played = match (&mut self.parts[..], stride) {
            ([whole], Stride::Far) => whole.play_before(horizon).map(|()| true),
            ([whole], Stride::Event) => whole.step_before(horizon),
            _ => self.play_parts(next, horizon).map(|()| true),
        };
        played.map_err(|knot| self.storm(knot))
    }

    /// When something next happens. `None`: nothing will, unless from outside.
    pub fn next_event(&mut self) -> Option<Instant> {
        if !self.started {
            return Some(self.now());
        }
        let event = self.parts.iter_mut().filter_map(|part| {
            part.rearm_touched();
            part.next_event()
        });
        let action = self.agenda.peek().map(|Reverse(entry)| entry.at);
        event.chain(action).min()
    }

    /// Moves time on in all parts.
    pub(super) fn advance(&mut self, to: Instant) {
        match &mut self.parts[..] {
            [whole] => whole.advance(to),
            _ => self.together(|world| world.parts.iter_mut().for_each(|part| part.advance(to))),
        }
    }

    pub(super) fn start(&mut self) {
        self.started = true;
        let on: Vec<StationId> = (0..self.stations() as u32).map(StationId).filter(|id| self.is_on(*id)).collect();
        for &id in &on {
            self.tell_carriers(id, EventId::NONE);
        }
        for &id in &on {
            self.call(id, EventId::NONE, |station, now, out| station.on_power(now, Power::On, out));
        }
    }

    fn storm(&self, Knot { at, station, of }: Knot) -> Storm {
        Storm { at, station: self.name(station).to_owned(), of }
    }
}

/// The instant behind `at`.
pub(super) fn after(at: Instant) -> Instant {
    Instant::from_nanos(at.as_nanos().saturating_add(1))
}
