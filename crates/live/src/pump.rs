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
/// The most that a world may be behind its clock. A machine that needs longer gets a slower clock instead: the world as
/// a whole is slower then than its file says, but nothing piles up.
pub const BEHIND: Duration = Duration::from_millis(50);
/// How long whoever comes from outside waits for the world to catch up with its clock before the clock gives way.
const CATCH_UP: Duration = Duration::from_millis(10);
/// After so many events the clock is looked at.
const LOOK: u32 = 16;

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
    max_lag: Cell<Option<Duration>>,
    failure: RefCell<Option<Failure>>,
}

/// Whether the world has caught up.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Played {
    /// Nothing is left that is due.
    All,
    /// The turn was over before.
    Part,
}

/// Why a live world ended before its time.
#[derive(Debug)]
pub enum Failure {
    /// The world has a loop without delay.
    Storm(Storm),
    /// An event was later than [`Pump::insist`] allows.
    Late {
        /// When it was due.
        at: Instant,
        /// How late it was.
        lag: Duration,
    },
    /// The system refused a timer.
    Io(io::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Storm(e) => e.fmt(f),
            Self::Late { at, lag } => {
                write!(f, "at {:.3} s an event was {:.1} ms late", at.as_secs_f64(), lag.as_secs_f64() * 1e3)
            }
            Self::Io(e) => write!(f, "timer: {e}"),
        }
    }
}

impl std::error::Error for Failure {}

impl Pump {
    /// Puts the world of `holder` on the wall clock: its time is now.
    pub fn new(mut holder: impl Holder) -> Self {
        let clock = Clock::start(holder.world().now());
        Self::on(clock, holder)
    }

    fn on(clock: Clock, holder: impl Holder) -> Self {
        Self(Rc::new(Inner {
            holder: RefCell::new(Box::new(holder)),
            clock,
            kick: Notify::new(),
            stop: Notify::new(),
            stopped: Cell::new(false),
            lag: RefCell::default(),
            max_lag: Cell::default(),
            failure: RefCell::default(),
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

    /// How much time the world's clock lost against the wall's, because the machine could not play the world as fast.
    pub fn lost(&self) -> Duration {
        self.0.clock.lost()
    }

    /// From now on the clock loses no time: the world fails with [`Failure::Late`] at the first event later than this.
    pub fn insist(&self, max_lag: Duration) {
        self.0.max_lag.set(Some(max_lag));
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
        let mut holder = self.0.holder.borrow_mut();
        self.catch_up(holder.world());
        let result = act(&mut **holder);
        // What was asked for at this instant happens at this instant.
        let world = holder.world();
        self.finish(world, world.now());
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
            let (next, played) = {
                let mut holder = self.0.holder.borrow_mut();
                let world = holder.world();
                let played = self.play(world, end);
                if played == Played::All && world.now() >= end {
                    break;
                }
                (world.next_event(), played)
            };
            if played == Played::Part {
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
        self.0.failure.take().map_or(Ok(()), Err)
    }

    /// Wraps a future that uses sockets of `host`, so that the world is up to date before each of its steps and sees
    /// at once what it did.
    pub fn drive<F: Future>(&self, host: StationId, future: F) -> Driven<F> {
        Driven { pump: self.clone(), host, future: Box::pin(future) }
    }

    /// Lets `host` see the time, and what was done to its sockets.
    pub(crate) fn settle(&self, host: StationId) {
        self.with(|world| world.with::<Host, _>(host, |host, now, out| host.on_deadline(now, out)));
    }

    /// Takes the holder back, where this is the last handle and it is of type `H`.
    pub fn into_holder<H: Holder>(self) -> Option<H> {
        let holder = Rc::try_unwrap(self.0).ok()?.holder.into_inner();
        let any: Box<dyn Any> = holder;
        any.downcast().ok().map(|holder| *holder)
    }

    /// Plays until it is now. What comes from outside enters then and never before, or it could leave before its time:
    /// the past is played as fast as the machine can. Where that takes too long the clock gives way.
    fn catch_up(&self, world: &mut World) {
        let begun = self.0.clock.wall();
        loop {
            let now = self.now();
            if world.next_event().is_none_or(|next| next > now) {
                return self.finish(world, now);
            }
            self.play(world, Instant::FAR_FUTURE);
            if self.0.failure.borrow().is_some() {
                return;
            }
            let insists = self.0.max_lag.get().is_some() && !self.0.stopped.get();
            if !insists && self.0.clock.wall() - begun > CATCH_UP {
                return self.0.clock.slip_to(world.now());
            }
        }
    }

    /// Plays what is due, by `end` at the latest, for one turn.
    fn play(&self, world: &mut World, end: Instant) -> Played {
        let begun = self.0.clock.wall();
        if let Some(next) = world.next_event().filter(|next| *next <= self.now().min(end)) {
            self.look(next);
        }
        // Behind the look, for it may set the clock back.
        let until = self.now().min(end);
        for step in 1u32.. {
            match world.step_until(until) {
                Ok(true) if step.is_multiple_of(LOOK) => {
                    self.look(world.now());
                    if self.0.clock.wall() - begun > TURN {
                        return Played::Part;
                    }
                }
                Ok(true) => {}
                Ok(false) => break,
                Err(storm) => {
                    self.fail(Failure::Storm(storm));
                    return Played::Part;
                }
            }
        }
        self.finish(world, until);
        Played::All
    }

    /// Plays everything up to and including `now`, of which little is left; then it is `now`.
    fn finish(&self, world: &mut World, now: Instant) {
        if let Err(storm) = world.run_until(now) {
            self.fail(Failure::Storm(storm));
        }
    }

    /// Takes note of how late it is for what was due at `at`, and bounds that.
    fn look(&self, at: Instant) {
        let lag = self.now().saturating_since(at);
        self.0.lag.borrow_mut().record(lag);
        match self.0.max_lag.get() {
            Some(max) if lag > max => self.fail(Failure::Late { at, lag }),
            None if lag > BEHIND => self.0.clock.slip_to(at + BEHIND),
            _ => {}
        }
    }

    /// Ends [`run`](Self::run) with the first failure.
    fn fail(&self, failure: Failure) {
        self.0.failure.borrow_mut().get_or_insert(failure);
        self.stop();
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
    use septet_engine::{Action, Call};

    use super::*;

    #[tokio::test]
    async fn fires_at_its_time_and_ends_at_its_end() {
        let mut world = World::new(Seed::new(1));
        let fired = Rc::new(Cell::new(None));
        let seen = fired.clone();
        let agent = world.add_agent(move |_, world: &mut World| seen.set(Some(world.now())));
        world.at(Instant::from_millis(3), Action::Call(Call { agent, message: 0 }));
        let pump = Pump::new(world);
        pump.run(Instant::from_millis(6)).await.unwrap();
        assert_eq!(fired.get(), Some(Instant::from_millis(3)));
        assert!(pump.now() >= Instant::from_millis(6));
        assert_eq!(pump.into_holder::<World>().unwrap().now(), Instant::from_millis(6));
    }

    /// A world in which something happens every millisecond of its first second that takes the machine `cost`, and the
    /// wall's clock that shows it.
    fn costly(cost: Duration) -> (Pump, Rc<Cell<Duration>>) {
        let wall = Rc::new(Cell::new(Duration::ZERO));
        let mut world = World::new(Seed::new(1));
        for ms in 1..=1000 {
            let wall = wall.clone();
            let agent = world.add_agent(move |_, _: &mut World| wall.set(wall.get() + cost));
            world.at(Instant::from_millis(ms), Action::Call(Call { agent, message: 0 }));
        }
        world.run_until(Instant::ZERO).unwrap();
        (Pump::on(Clock::told(Instant::ZERO, wall.clone()), world), wall)
    }

    #[test]
    fn what_comes_from_outside_enters_now() {
        let (pump, wall) = costly(Duration::from_micros(100));
        wall.set(Duration::from_millis(5));
        // Five events are due; they take half a millisecond, in which none is.
        assert_eq!(pump.with(|world| world.now()), Instant::from_micros(5500));
        wall.set(Duration::from_millis(40));
        // 35 take 3.4 ms, three take 0.3 ms.
        assert_eq!(pump.with(|world| world.now()), Instant::from_micros(43_800));
        assert_eq!(pump.lost(), Duration::ZERO);
    }

    #[test]
    fn a_machine_that_is_too_slow_slows_the_clock() {
        let (pump, wall) = costly(Duration::from_millis(3));
        wall.set(Duration::from_millis(5));
        for _ in 0..300 {
            let before = wall.get();
            let entered = pump.with(|world| world.now());
            assert!(entered >= pump.now() && wall.get() - before <= CATCH_UP + Duration::from_millis(3) * LOOK);
            wall.set(wall.get() + Duration::from_millis(1));
        }
        // Three milliseconds of work to one of the world, as long as there is any.
        assert!(pump.lost() >= Duration::from_millis(2000), "{:?}", pump.lost());
        assert!(pump.lag().max() <= Duration::from_millis(5) + Duration::from_millis(3) * LOOK, "{:?}", pump.lag());
    }

    #[test]
    fn an_interruption_is_lost_but_for_the_bound() {
        let (pump, wall) = costly(Duration::ZERO);
        wall.set(Duration::from_millis(701));
        assert_eq!(pump.with(|world| world.now()), Instant::from_millis(1) + BEHIND);
        assert_eq!((pump.lost(), pump.lag().max()), (Duration::from_millis(650), Duration::from_millis(700)));
        // Where nothing is due nothing is late.
        let mut idle = World::new(Seed::new(1));
        idle.run_until(Instant::ZERO).unwrap();
        let pump = Pump::on(Clock::told(Instant::ZERO, wall), idle);
        assert_eq!(pump.with(|world| world.now()), Instant::from_millis(701));
        assert_eq!(pump.lost(), Duration::ZERO);
    }

    #[tokio::test]
    async fn whoever_insists_is_told_of_the_first_late_event() {
        let (pump, wall) = costly(Duration::ZERO);
        pump.insist(Duration::from_millis(60));
        wall.set(Duration::from_millis(61));
        assert_eq!(pump.with(|world| world.now()), Instant::from_millis(61), "as late as allowed, and nothing is lost");
        wall.set(Duration::from_millis(123));
        let failure = pump.run(Instant::FAR_FUTURE).await.unwrap_err();
        assert!(
            matches!(failure, Failure::Late { at, lag }
            if at == Instant::from_millis(62) && lag == Duration::from_millis(61)),
            "{failure}"
        );
        assert_eq!(pump.lost(), Duration::ZERO);
    }

    #[tokio::test]
    async fn a_failure_met_from_outside_ends_the_run() {
        let (pump, wall) = costly(Duration::ZERO);
        pump.insist(Duration::from_millis(60));
        wall.set(Duration::from_millis(200));
        pump.with(|_| ());
        assert!(matches!(pump.run(Instant::FAR_FUTURE).await, Err(Failure::Late { .. })));
    }

    #[tokio::test]
    async fn stop_ends_a_world_that_has_nothing_to_do() {
        let pump = Pump::new(World::new(Seed::new(1)));
        let (result, ()) = tokio::join!(pump.run(Instant::FAR_FUTURE), async { pump.stop() });
        result.unwrap();
    }
}
