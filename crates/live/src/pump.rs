//! Drives a world by the wall clock, on one thread beside tokio's tasks.

use core::any::Any;
use core::cell::{Cell, RefCell};
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::fmt;
use std::io;
use std::rc::Rc;

use septet_core::{Instant, Station, StationId};
use septet_engine::{Storm, World};
use septet_host::Host;
use septet_lab::Run;
use tokio::sync::Notify;

use crate::clock::{Clock, Lag};

/// How long the world may run before the other tasks get their turn.
const TURN: Duration = Duration::from_millis(1);
/// Behind the clock by this much, the machine does not keep up.
pub const LATE: Duration = Duration::from_millis(10);

/// Whoever has a world.
pub trait Holder: Any {
    /// The world.
    fn world(&mut self) -> &mut World;
}

impl Holder for World {
    fn world(&mut self) -> &mut World {
        self
    }
}

impl Holder for Run {
    fn world(&mut self) -> &mut World {
        &mut self.world
    }
}

/// A world on the wall clock; a clone is another handle on it. Everything happens on the thread that made it.
#[derive(Clone)]
pub struct Pump(Rc<Inner>);

struct Inner {
    holder: RefCell<Box<dyn Holder>>,
    clock: Clock,
    kick: Notify,
    stop: Notify,
    stopped: Cell<bool>,
    lag: RefCell<Lag>,
    storm: RefCell<Option<Storm>>,
}

/// Why a live world ended before its time.
#[derive(Debug)]
pub enum Failure {
    /// The world has a loop without delay.
    Storm(Storm),
    /// The system refused a timer.
    Io(io::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Storm(e) => e.fmt(f),
            Self::Io(e) => write!(f, "timer: {e}"),
        }
    }
}

impl std::error::Error for Failure {}

impl Pump {
    /// Puts the world of `holder` on the wall clock: its time is now.
    pub fn new(mut holder: impl Holder) -> Self {
        let clock = Clock::start(holder.world().now());
        Self(Rc::new(Inner {
            holder: RefCell::new(Box::new(holder)),
            clock,
            kick: Notify::new(),
            stop: Notify::new(),
            stopped: Cell::new(false),
            lag: RefCell::default(),
            storm: RefCell::default(),
        }))
    }

    /// The world's time that it is now.
    pub fn now(&self) -> Instant {
        self.0.clock.now()
    }

    /// How late events fired so far.
    pub fn lag(&self) -> Lag {
        self.0.lag.borrow().clone()
    }

    /// Brings the world up to now, and lets `act` look at it and change it.
    pub fn with<R>(&self, act: impl FnOnce(&mut World) -> R) -> R {
        self.with_dyn(|holder| act(holder.world()))
    }

    /// The same with the holder of the world, where that is of type `H`.
    pub fn with_holder<H: Holder, R>(&self, act: impl FnOnce(&mut H) -> R) -> Option<R> {
        self.with_dyn(|holder| {
            let any: &mut dyn Any = holder;
            any.downcast_mut().map(act)
        })
    }

    fn with_dyn<R>(&self, act: impl FnOnce(&mut dyn Holder) -> R) -> R {
        let now = self.now();
        let mut holder = self.0.holder.borrow_mut();
        self.play(holder.world(), now);
        let result = act(&mut **holder);
        // What was asked for at this instant happens at this instant.
        self.play(holder.world(), now);
        drop(holder);
        self.0.kick.notify_one();
        result
    }

    /// Ends [`run`](Self::run).
    pub fn stop(&self) {
        self.0.stopped.set(true);
        self.0.stop.notify_one();
    }

    /// Plays the world by the clock until `end`, or until [`stop`](Self::stop).
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn run(&self, end: Instant) -> Result<(), Failure> {
        let timer = Timer::new().map_err(Failure::Io)?;
        while !self.0.stopped.get() {
            let now = self.now();
            let (next, behind) = {
                let mut holder = self.0.holder.borrow_mut();
                let world = holder.world();
                self.play(world, now.min(end));
                (world.next_event(), world.now() < now.min(end))
            };
            if let Some(storm) = self.0.storm.borrow_mut().take() {
                return Err(Failure::Storm(storm));
            }
            if now >= end && !behind {
                break;
            }
            if behind {
                tokio::task::yield_now().await;
                continue;
            }
            let wake = next.unwrap_or(Instant::FAR_FUTURE).min(end);
            tokio::select! {
                biased;
                () = self.0.stop.notified() => {}
                () = self.0.kick.notified() => {}
                slept = timer.sleep(wake.saturating_since(self.now())) => slept.map_err(Failure::Io)?,
            }
        }
        Ok(())
    }

    /// Wraps a future that uses sockets of `host`, so that the world is up to date before each of its steps and sees
    /// at once what it did.
    pub fn drive<F: Future>(&self, host: StationId, future: F) -> Driven<F> {
        Driven { pump: self.clone(), host, future: Box::pin(future) }
    }

    /// Lets `host` see the time, and what was done to its sockets.
    fn settle(&self, host: StationId) {
        self.with(|world| world.with::<Host, _>(host, |host, now, out| host.on_deadline(now, out)));
    }

    /// Takes the holder back, where this is the last handle and it is of type `H`.
    pub fn into_holder<H: Holder>(self) -> Option<H> {
        let holder = Rc::try_unwrap(self.0).ok()?.holder.into_inner();
        let any: Box<dyn Any> = holder;
        any.downcast().ok().map(|holder| *holder)
    }

    /// Plays up to `now`, or for one turn.
    fn play(&self, world: &mut World, now: Instant) {
        let mut steps = 0u32;
        let mut first = true;
        loop {
            if first {
                first = false;
                if let Some(next) = world.next_event().filter(|next| *next <= now) {
                    self.0.lag.borrow_mut().record(self.now().saturating_since(next));
                }
            }
            match world.step_until(now) {
                Ok(true) => {
                    steps += 1;
                    if steps.is_multiple_of(256) && self.now().saturating_since(now) > TURN {
                        return;
                    }
                }
                Ok(false) => {
                    // Nothing is left before `now`, so this only moves the time.
                    if let Err(storm) = world.run_until(now) {
                        self.0.storm.replace(Some(storm));
                    }
                    return;
                }
                Err(storm) => {
                    self.0.storm.replace(Some(storm));
                    self.stop();
                    return;
                }
            }
        }
    }
}

impl fmt::Debug for Pump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pump").field("now", &self.now()).finish_non_exhaustive()
    }
}

/// See [`Pump::drive`].
#[derive(Debug)]
pub struct Driven<F> {
    pump: Pump,
    host: StationId,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for Driven<F> {
    type Output = F::Output;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.pump.settle(self.host);
        let result = self.future.as_mut().poll(cx);
        self.pump.settle(self.host);
        result
    }
}

#[cfg(target_os = "linux")]
use crate::linux::timer::Timer;

#[cfg(not(target_os = "linux"))]
use portable::Timer;

#[cfg(not(target_os = "linux"))]
mod portable {
    use std::io;
    use std::time::Duration;

    /// tokio's own timer, exact to a millisecond.
    pub(super) struct Timer;

    impl Timer {
        pub(super) fn new() -> io::Result<Self> {
            Ok(Self)
        }

        pub(super) async fn sleep(&self, duration: Duration) -> io::Result<()> {
            tokio::time::sleep(duration).await;
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use septet_core::Seed;

    use super::*;

    #[tokio::test]
    async fn fires_at_its_time_and_ends_at_its_end() {
        let mut world = World::new(Seed::new(1));
        let fired = Rc::new(Cell::new(None));
        let seen = fired.clone();
        world.at(Instant::from_millis(3), move |world| seen.set(Some(world.now())));
        let pump = Pump::new(world);
        pump.run(Instant::from_millis(6)).await.unwrap();
        assert_eq!(fired.get(), Some(Instant::from_millis(3)));
        assert!(pump.now() >= Instant::from_millis(6));
        assert_eq!(pump.into_holder::<World>().unwrap().now(), Instant::from_millis(6));
    }

    #[tokio::test]
    async fn stop_ends_a_world_that_has_nothing_to_do() {
        let pump = Pump::new(World::new(Seed::new(1)));
        let (result, ()) = tokio::join!(pump.run(Instant::FAR_FUTURE), async { pump.stop() });
        result.unwrap();
    }
}
