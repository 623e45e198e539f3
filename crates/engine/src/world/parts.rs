//! A world in several parts, each with an agenda of its own.
//!
//! A part may play as far as nothing can come from another: as far as the least delay of the links between parts, the
//! lookahead, reaches from the earliest event of all. Then what is in flight between them is handed over, and all play
//! on. Where a link between parts has no delay the parts take turns, event by event, in the order of the whole world. The
//! world's own agenda is no part's: whatever happens there happens between two such rounds, to all of them at once.
//!
//! It comes to the same as one part, to the digest, to every event and its name, to the order in which monitors are told.

use core::fmt;
use core::mem;
use core::time::Duration;
use std::sync::Arc;

use septet_core::{Instant, Seed, StationId};
use septet_physical::{Blind, Direction, Heading, LinkContext, Medium};

use super::run::after;
use crate::World;
use crate::fabric::Path;
use crate::parcel::Parcel;
use crate::part::{Knot, Part, Slot};
use crate::watch::Watch;

/// A path from one part to another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Crossing {
    pub(super) path: u32,
    pub(super) from: usize,
    pub(super) to: usize,
}

/// Why a world stays whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unparted {
    /// It has begun.
    Started,
    /// It is in parts already.
    Parted,
}

impl fmt::Display for Unparted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Started => "a world is parted before it begins",
            Self::Parted => "the world is in parts already",
        })
    }
}

impl std::error::Error for Unparted {}

impl World {
    /// Puts the stations into parts, by the number that `part` gives for each; parts are numbered from zero, and one
    /// without stations does no harm. What the world does stays the same.
    ///
    /// # Errors
    /// [`Unparted`] where it has begun to run, or is in parts.
    pub fn part(&mut self, part: impl Fn(StationId) -> usize) -> Result<(), Unparted> {
        if self.started {
            return Err(Unparted::Started);
        }
        let [whole] = &mut self.parts[..] else { return Err(Unparted::Parted) };
        let whole = mem::replace(whole, Part::new());
        self.homes = (0..whole.slots.len() as u32).map(|id| part(StationId(id))).collect();
        let count = self.homes.iter().max().map_or(1, |most| most + 1);
        let Part { fabric, trace, slots, touched, .. } = whole;
        self.parts = (0..count).map(|_| Part::new()).collect();
        for part in &mut self.parts {
            part.trace = trace.fork();
            part.fabric.splitter = fabric.splitter;
            part.fabric.watch = fabric.watch.as_ref().map(|watch| Box::new(watch.fork()));
        }
        for ((slot, outlets), home) in slots.into_iter().zip(fabric.outlets).zip(&self.homes) {
            for part in &mut self.parts {
                part.slots.push(Slot::elsewhere());
                part.fabric.outlets.push(Default::default());
            }
            let Part { slots, fabric, .. } = &mut self.parts[*home];
            if let (Some(here), Some(out)) = (slots.last_mut(), fabric.outlets.last_mut()) {
                (*here, *out) = (slot, outlets);
            }
        }
        for path in fabric.paths {
            self.place_path(path);
        }
        for station in touched {
            self.parts[self.homes[station.0 as usize]].touched.push(station);
        }
        Ok(())
    }

    /// How many parts the world has.
    pub fn parts(&self) -> usize {
        self.parts.len()
    }

    /// Gives a path to the part that sends on it, and to the others a place where it is in flight.
    pub(super) fn place_path(&mut self, path: Path) {
        let number = self.parts[0].fabric.paths.len() as u32;
        let (from, to) = (path.from, path.to);
        let [sends, hears] = [from, to].map(|end| self.homes[end.station.0 as usize]);
        for (_, part) in self.parts.iter_mut().enumerate().filter(|(part, _)| *part != sends) {
            part.fabric.paths.push(Path::new(from, to, nothing()));
        }
        self.parts[sends].fabric.paths.push(path);
        if sends != hears {
            self.crossings.push(Crossing { path: number, from: sends, to: hears });
        }
    }

    /// Plays what happens from `next` on and before `horizon`, as far as parts need not hear of each other.
    pub(super) fn play_parts(&mut self, next: Instant, horizon: Instant) -> Result<(), Knot> {
        let lookahead = self.lookahead();
        let horizon = horizon.min(if lookahead.is_zero() { after(next) } else { next + lookahead });
        self.exchange(horizon);
        self.together(|world| {
            if lookahead.is_zero() {
                // Of all parts the one with the first event, and that event alone: the next may come of it elsewhere.
                world.parts.iter_mut().for_each(|part| part.advance(next));
                let first = world.parts.iter_mut().filter(|part| part.peek().is_some()).min_by_key(|part| part.peek());
                return first.map_or(Ok(()), |part| part.step_before(horizon).map(|_| ()));
            }
            world.parts.iter_mut().try_for_each(|part| part.play_before(horizon))?;
            let last = Instant::from_nanos(horizon.as_nanos() - 1);
            world.parts.iter_mut().for_each(|part| part.advance(last));
            Ok(())
        })
    }

    /// Lets parts play one after another, and tells the monitors in the order of the whole.
    pub(super) fn together<T>(&mut self, play: impl FnOnce(&mut Self) -> T) -> T {
        self.watches().for_each(Watch::note);
        let played = play(self);
        let notes: Vec<_> = self.watches().flat_map(Watch::noted).collect();
        if !notes.is_empty() {
            self.monitors.borrow_mut().tell(notes);
        }
        played
    }

    fn watches(&mut self) -> impl Iterator<Item = &mut Watch> {
        self.parts.iter_mut().filter_map(|part| part.fabric.watch.as_deref_mut())
    }

    /// How long nothing can come to any part that was not in flight before.
    fn lookahead(&self) -> Duration {
        if self.kin.values().any(|homes| homes.len() > 1) {
            return Duration::ZERO;
        }
        let least = self.crossings.iter().map(|crossing| {
            let path = &self.parts[crossing.from].fabric.paths[crossing.path as usize];
            path.direction.least_delay()
        });
        // Parts with no link between them have nothing to wait for.
        least.min().unwrap_or(Duration::MAX)
    }

    /// Hands over what arrives in another part before `horizon`.
    fn exchange(&mut self, horizon: Instant) {
        let mut parcels: Vec<Parcel> = Vec::new();
        for &Crossing { path, from, to } in &self.crossings {
            self.parts[from].pack(path, horizon, &mut parcels);
            for parcel in parcels.drain(..) {
                self.parts[to].unpack(&parcel);
            }
        }
    }
}

/// A direction on which nobody here sends.
fn nothing() -> Direction {
    let context = LinkContext { name: "".into(), seed: Seed::new(0), lens: Arc::new(Blind) };
    Direction::new(&Medium::default(), &Arc::new(context), Heading::AToB)
}
