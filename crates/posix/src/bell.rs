//! Who waits for an epoll instance, and what it is woken by.
//!
//! Whatever an instance watches rings its bell. Of those in `epoll_wait` each ring wakes one, as Linux has it: `ep_poll()` waits
//! with `__add_wait_queue_exclusive()`, which puts the newest in front.

use core::task::Waker;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Wake;

use septet_socket::Watch;

/// An instance's bell.
#[derive(Debug, Default)]
pub(crate) struct Bell(Mutex<Places>);

#[derive(Debug, Default)]
struct Places {
    /// How many times it was rung.
    rings: u64,
    /// How many places were taken so far: the number of the next.
    taken: u64,
    /// Those in `epoll_wait`, the newest last.
    waits: BTreeMap<u64, Waker>,
    /// Those of them that were woken, and have not answered yet.
    called: BTreeSet<u64>,
    /// Those in `poll(2)`, all of which a ring wakes.
    polls: BTreeMap<u64, Waker>,
    /// Instances that watch this one, which every ring rings.
    above: BTreeMap<u64, Waker>,
}

/// How somebody waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Manner {
    /// In line.
    InLine,
    /// Beside the line, for one ring.
    Once,
    /// For every ring.
    Always,
}

impl Bell {
    fn places(&self) -> MutexGuard<'_, Places> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many times it was rung.
    pub(crate) fn rings(&self) -> u64 {
        self.places().rings
    }

    /// What rings it when it is woken.
    pub(crate) fn rope(self: &Arc<Self>) -> Waker {
        Waker::from(self.clone())
    }

    /// Takes a place among those who wait.
    pub(crate) fn wait(self: &Arc<Self>, manner: Manner, waker: &Waker) -> Place {
        let mut places = self.places();
        places.taken += 1;
        let number = places.taken;
        let waits = match manner {
            Manner::InLine => &mut places.waits,
            Manner::Once => &mut places.polls,
            Manner::Always => &mut places.above,
        };
        waits.insert(number, waker.clone());
        Place { bell: self.clone(), number, manner }
    }

    /// Wakes the first in line, who asks whether there is anything; whether there is one.
    pub(crate) fn call(&self) -> bool {
        let mut places = self.places();
        let Some((number, waker)) = places.waits.pop_last() else { return false };
        places.called.insert(number);
        drop(places);
        waker.wake();
        true
    }

    /// Something may have become ready: wakes the first in line and all beside it; whether there was one in line.
    pub(crate) fn ring(&self) -> bool {
        let mut places = self.places();
        places.rings += 1;
        let polls = core::mem::take(&mut places.polls);
        let above: Vec<_> = places.above.values().cloned().collect();
        drop(places);
        let called = self.call();
        polls.into_values().chain(above).for_each(Waker::wake);
        called
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}

/// A place among those who wait, given up where this is dropped: who was called and has not answered hands on.
#[derive(Debug)]
pub(crate) struct Place {
    bell: Arc<Bell>,
    number: u64,
    manner: Manner,
}

impl Place {
    /// Whether its holder was woken.
    pub(crate) fn is_called(&self) -> bool {
        self.bell.places().called.contains(&self.number)
    }

    /// Its holder finds nothing; whether it was woken. Nobody is called in its stead, who would find nothing either.
    pub(crate) fn answer(&self) -> bool {
        self.bell.places().called.remove(&self.number)
    }

    /// Waits on at the same place, where it stands in line at `bell`; whether it does.
    pub(crate) fn wait_on(&self, bell: &Arc<Bell>, waker: &Waker) -> bool {
        if self.manner != Manner::InLine || !Arc::ptr_eq(&self.bell, bell) {
            return false;
        }
        let mut places = self.bell.places();
        places.called.remove(&self.number);
        places.waits.insert(self.number, waker.clone());
        true
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let was_called = {
            let mut places = self.bell.places();
            match self.manner {
                Manner::InLine => places.waits.remove(&self.number),
                Manner::Once => places.polls.remove(&self.number),
                Manner::Always => places.above.remove(&self.number),
            };
            places.called.remove(&self.number)
        };
        if was_called {
            self.bell.call();
        }
    }
}

/// What somebody waits by, or hears of a descriptor by.
#[derive(Debug)]
pub(crate) enum Wait {
    Socket { _watch: Watch },
    Instance(Place),
}

impl Wait {
    /// Whether it stands in line for an epoll instance and was called.
    pub(crate) fn is_called(&self) -> bool {
        matches!(self, Self::Instance(place) if place.is_called())
    }

    /// Whether it was called, for nothing: then nobody else would find anything either.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self, Self::Instance(place) if place.answer())
    }
}
