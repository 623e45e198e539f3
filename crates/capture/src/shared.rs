//! A monitor that a world runs and its maker keeps a hand on.

use std::cell::RefCell;
use std::rc::Rc;

use septet_core::{Event, Instant, Interest, Monitor, Observation, Port, StationId};

/// A monitor in two hands: one clone goes into the world, the other asks for the findings when the run is over.
#[derive(Debug, Default)]
pub struct Shared<M>(Rc<RefCell<M>>);

impl<M> Shared<M> {
    /// Shares `monitor`.
    pub fn new(monitor: M) -> Self {
        Self(Rc::new(RefCell::new(monitor)))
    }

    /// Looks at the monitor.
    pub fn with<T>(&self, look: impl FnOnce(&mut M) -> T) -> T {
        look(&mut self.0.borrow_mut())
    }

    /// Takes the monitor out, once every other hand has let go of it; `None` before.
    pub fn into_inner(self) -> Option<M> {
        Rc::into_inner(self.0).map(RefCell::into_inner)
    }
}

impl<M: Default> Shared<M> {
    /// Takes the monitor out and leaves a fresh one.
    pub fn take(&self) -> M {
        self.0.take()
    }
}

impl<M> Clone for Shared<M> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<M: Monitor> Monitor for Shared<M> {
    fn interest(&self) -> Interest {
        self.0.borrow().interest()
    }

    fn ports(&self) -> Option<Vec<(StationId, Port)>> {
        self.0.borrow().ports()
    }

    fn event(&mut self, event: &Event) {
        self.0.borrow_mut().event(event);
    }

    fn keep(&mut self, event: Box<Event>) {
        self.0.borrow_mut().keep(event);
    }

    fn secret(&mut self, at: Instant, line: &str) {
        self.0.borrow_mut().secret(at, line);
    }

    fn frame(&mut self, observation: &Observation<'_>) {
        self.0.borrow_mut().frame(observation);
    }
}
