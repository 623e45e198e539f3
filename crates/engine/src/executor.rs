//! The deterministic executor of one host: tasks run in the order in which they were woken, timers in the order of
//! their time, and nothing else decides.
//!
//! Each task has a cause: the event because of which it does what it does. A wake-up hands the waker's cause on, a spawn
//! the spawner's, and a timer the one of the task that set it.

use core::future::Future;
use core::pin::Pin;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use septet_core::{EventId, Instant};
use slab::Slab;
use smallvec::SmallVec;

/// Why a task does what it does next; kept beside the task.
type Cause = AtomicU64;
type Runnable = async_task::Runnable<Cause>;
type Task = async_task::Task<(), Cause>;

/// Polls at one instant after which programs are held to be running in circles.
const RUNAWAY: u64 = 10_000_000;
/// Polls in a row, so that whoever plays the world can look around.
const ROUND: u64 = 100_000;

/// Runs the programs of one host.
///
/// ```
/// use septet_core::Instant;
/// use septet_engine::executor::Executor;
/// let mut executor = Executor::new();
/// let handle = executor.handle();
/// let timer = handle.sleep_until(Instant::from_secs(2));
/// let (tx, rx) = std::sync::mpsc::channel();
/// handle.spawn(Box::pin(async move {
///     timer.await;
///     tx.send("awake").unwrap();
/// }));
/// let _ = executor.run(Instant::ZERO).unwrap();
/// assert_eq!(executor.deadline(), Some(Instant::from_secs(2)));
/// let _ = executor.run(Instant::from_secs(2)).unwrap();
/// assert_eq!(rx.try_recv(), Ok("awake"));
/// ```
#[derive(Debug, Default)]
pub struct Executor {
    shared: Arc<Shared>,
    /// The time at which `polls` are counted.
    counted: Instant,
    /// Polls since time last moved.
    polls: u64,
}

/// How a round of an executor ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "tasks may still wait to be run"]
pub enum Round {
    /// No task is ready.
    Done,
    /// Tasks are, but others should be looked at for once.
    Paused,
}

/// Starts tasks and timers on an executor; may be cloned and sent anywhere.
#[derive(Clone, Debug)]
pub struct Handle {
    shared: Arc<Shared>,
}

/// Names a task of one executor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TaskId {
    slot: usize,
    number: u64,
}

impl TaskId {
    /// No task.
    const NONE: Self = Self { slot: usize::MAX, number: 0 };
}

/// Programs woke one another at one instant without an end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Runaway;

impl core::fmt::Display for Runaway {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "programs were run {RUNAWAY} times without time going on")
    }
}

impl std::error::Error for Runaway {}

impl Executor {
    /// An executor without tasks.
    pub fn new() -> Self {
        Self::default()
    }

    /// What starts tasks and timers on it.
    pub fn handle(&self) -> Handle {
        Handle { shared: self.shared.clone() }
    }

    /// Whether a task waits to be run.
    #[inline]
    pub fn is_ready(&self) -> bool {
        self.shared.ready_len.load(Ordering::Relaxed) > 0
    }

    /// When the next timer fires.
    #[inline]
    pub fn deadline(&self) -> Option<Instant> {
        match self.shared.next_timer.load(Ordering::Relaxed) {
            NO_TIMER => None,
            at => Some(Instant::from_nanos(at)),
        }
    }

    /// Fires the timers that are due, then runs tasks until none is ready or a hundred thousand were run.
    ///
    /// # Errors
    /// [`Runaway`] where that does not end; the tasks stay as they are.
    pub fn run(&mut self, now: Instant) -> Result<Round, Runaway> {
        self.shared.now.store(now.as_nanos(), Ordering::Relaxed);
        if self.counted != now {
            (self.counted, self.polls) = (now, 0);
        }
        if self.deadline().is_some_and(|at| at <= now) {
            let due = lock(&self.shared.timers).as_mut().map(|timers| timers.due(now, &self.shared.next_timer));
            for (waker, cause) in due.into_iter().flatten() {
                self.shared.because(cause);
                waker.wake();
            }
        }
        for _ in 0..ROUND {
            let Some(runnable) = self.is_ready().then(|| self.shared.take()).flatten() else { break };
            self.shared.because(EventId(runnable.metadata().load(Ordering::Relaxed)));
            runnable.run();
            self.polls += 1;
            if self.polls >= RUNAWAY {
                return Err(Runaway);
            }
        }
        self.shared.because(EventId::NONE);
        Ok(if self.is_ready() { Round::Paused } else { Round::Done })
    }

    /// Sets the time without running anything.
    pub fn set_now(&self, now: Instant) {
        self.shared.now.store(now.as_nanos(), Ordering::Relaxed);
    }

    /// Drops all tasks at once, whatever they wait for; those spawned while it happens too. Afterwards the executor is
    /// as new.
    pub fn clear(&mut self) {
        lock(&self.shared.tasks).open = false;
        loop {
            let tasks: Vec<_> = lock(&self.shared.tasks).slots.iter_mut().flat_map(|slots| slots.drain()).collect();
            // A cancelled task comes back as a runnable whose drop drops the future.
            for Slot { task, .. } in tasks {
                drop(task);
            }
            let Some(runnable) = self.shared.take() else { break };
            drop(runnable);
        }
        let timers = core::mem::take(&mut *lock(&self.shared.timers));
        self.shared.next_timer.store(NO_TIMER, Ordering::Relaxed);
        drop(timers);
        self.polls = 0;
        lock(&self.shared.tasks).open = true;
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        self.clear();
        lock(&self.shared.tasks).open = false;
    }
}

impl Handle {
    /// The time at which tasks are being run.
    pub fn now(&self) -> Instant {
        Instant::from_nanos(self.shared.now.load(Ordering::Relaxed))
    }

    /// Starts a task; it is first polled when the executor next runs. Where the executor is gone, the future is
    /// dropped.
    pub fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) -> TaskId {
        let Some((tasks, done)) = self.admit() else { return TaskId::NONE };
        let (id, shared) = (done.id, self.shared.clone());
        let task = async_task::Builder::new().metadata(Cause::new(0));
        begin(tasks, id, task.spawn(|_| watched(done, future), move |runnable| shared.schedule(runnable)))
    }

    /// The same for a future that must stay on its thread, be it a program that is not `Send` or a coroutine.
    ///
    /// # Panics
    /// The executor panics where it polls or drops the task on another thread than that of this call.
    pub fn spawn_local(&self, future: Pin<Box<dyn Future<Output = ()>>>) -> TaskId {
        let Some((tasks, done)) = self.admit() else { return TaskId::NONE };
        let (id, shared) = (done.id, self.shared.clone());
        let task = async_task::Builder::new().metadata(Cause::new(0));
        begin(tasks, id, task.spawn_local(|_| watched(done, future), move |runnable| shared.schedule(runnable)))
    }

    /// The list of tasks, and the name of a new one; `None` where the executor is gone.
    fn admit(&self) -> Option<(MutexGuard<'_, Tasks>, Done)> {
        let mut tasks = lock(&self.shared.tasks);
        if !tasks.open {
            return None;
        }
        tasks.spawned += 1;
        let id = TaskId { slot: tasks.slots.get_or_insert_default().vacant_key(), number: tasks.spawned };
        Some((tasks, Done { shared: self.shared.clone(), id }))
    }

    /// Ends a task; its future is dropped before it is polled again.
    pub fn abort(&self, id: TaskId) {
        drop(self.shared.forget(id));
    }

    /// Completes at `at`.
    pub fn sleep_until(&self, at: Instant) -> Timer {
        Timer { shared: self.shared.clone(), at, slot: None, cause: EventId::NONE }
    }

    /// Why the running task does what it does; outside of tasks, what was last said with [`because`](Self::because).
    #[inline]
    pub fn cause(&self) -> EventId {
        EventId(self.shared.cause.load(Ordering::Relaxed))
    }

    /// What the running task does from here on, it does because of `cause`; so do tasks that are woken or spawned from
    /// here on, until another cause is given.
    #[inline]
    pub fn because(&self, cause: EventId) {
        self.shared.because(cause);
    }
}

#[derive(Debug)]
struct Shared {
    now: AtomicU64,
    /// Why what happens now happens: the running task's cause, or that of a wake-up from outside of tasks.
    cause: Cause,
    ready: Mutex<VecDeque<Runnable>>,
    ready_len: AtomicUsize,
    tasks: Mutex<Tasks>,
    /// Made when a timer is first set: most hosts of a large world never do.
    timers: Mutex<Option<Box<Timers>>>,
    next_timer: AtomicU64,
}

const NO_TIMER: u64 = u64::MAX;

impl Default for Shared {
    fn default() -> Self {
        Self {
            now: AtomicU64::new(0),
            cause: Cause::new(0),
            ready: Mutex::default(),
            ready_len: AtomicUsize::new(0),
            tasks: Mutex::new(Tasks { open: true, spawned: 0, slots: None }),
            timers: Mutex::default(),
            next_timer: AtomicU64::new(NO_TIMER),
        }
    }
}

#[derive(Debug)]
struct Tasks {
    open: bool,
    spawned: u64,
    /// Made when a task is first spawned.
    slots: Option<Box<Slab<Slot>>>,
}

#[derive(Debug)]
struct Slot {
    number: u64,
    task: Task,
}

impl Shared {
    #[inline]
    fn because(&self, cause: EventId) {
        self.cause.store(cause.0, Ordering::Relaxed);
    }

    fn schedule(&self, runnable: Runnable) {
        // Of several wake-ups before a task runs the first is why it runs.
        runnable.metadata().store(self.cause.load(Ordering::Relaxed), Ordering::Relaxed);
        let mut ready = lock(&self.ready);
        ready.push_back(runnable);
        self.ready_len.store(ready.len(), Ordering::Relaxed);
    }

    fn take(&self) -> Option<Runnable> {
        let mut ready = lock(&self.ready);
        let next = ready.pop_front();
        self.ready_len.store(ready.len(), Ordering::Relaxed);
        next
    }

    fn forget(&self, id: TaskId) -> Option<Task> {
        let mut tasks = lock(&self.tasks);
        let slots = tasks.slots.as_mut()?;
        let live = slots.get(id.slot).is_some_and(|s| s.number == id.number);
        live.then(|| slots.remove(id.slot).task)
    }
}

/// Lives in a task's future and takes the task off the list when that is dropped.
struct Done {
    shared: Arc<Shared>,
    id: TaskId,
}

impl Drop for Done {
    fn drop(&mut self) {
        if let Some(task) = self.shared.forget(self.id) {
            task.detach();
        }
    }
}

/// Enters a task in the list, and lets it be run.
fn begin(mut tasks: MutexGuard<'_, Tasks>, id: TaskId, (runnable, task): (Runnable, Task)) -> TaskId {
    tasks.slots.get_or_insert_default().insert(Slot { number: id.number, task });
    drop(tasks);
    runnable.schedule();
    id
}

/// A task's future, which takes the task off the list when it is over.
async fn watched(done: Done, future: impl Future<Output = ()>) {
    let _done = done;
    future.await;
}

/// A timer that waits.
#[derive(Debug)]
struct Armed {
    number: u64,
    waker: Waker,
    cause: EventId,
}

#[derive(Debug, Default)]
struct Timers {
    heap: BinaryHeap<Reverse<(Instant, u64, usize)>>,
    slots: Slab<Armed>,
    armed: u64,
    /// Entries of the heap whose slot is gone.
    stale: usize,
}

impl Timers {
    fn arm(&mut self, at: Instant, waker: Waker, cause: EventId, next: &AtomicU64) -> (usize, u64) {
        self.armed += 1;
        let slot = self.slots.insert(Armed { number: self.armed, waker, cause });
        self.heap.push(Reverse((at, self.armed, slot)));
        next.fetch_min(at.as_nanos(), Ordering::Relaxed);
        (slot, self.armed)
    }

    fn cancel(&mut self, (slot, number): (usize, u64), next: &AtomicU64) -> Option<Waker> {
        if !self.is_live(slot, number) {
            return None;
        }
        let Armed { waker, .. } = self.slots.remove(slot);
        self.stale += 1;
        if self.stale > 64 && self.stale > self.heap.len() / 2 {
            let mut heap = core::mem::take(&mut self.heap).into_vec();
            heap.retain(|&Reverse((_, number, slot))| self.is_live(slot, number));
            self.heap = heap.into();
            self.stale = 0;
        }
        self.settle(next);
        Some(waker)
    }

    /// Takes the wakers that are due, in order, each with why its timer was set.
    fn due(&mut self, now: Instant, next: &AtomicU64) -> SmallVec<[(Waker, EventId); 4]> {
        let mut wakers = SmallVec::new();
        while let Some(&Reverse((at, number, slot))) = self.heap.peek() {
            if at > now {
                break;
            }
            self.heap.pop();
            if self.is_live(slot, number) {
                let Armed { waker, cause, .. } = self.slots.remove(slot);
                wakers.push((waker, cause));
            } else {
                self.stale -= 1;
            }
        }
        self.settle(next);
        wakers
    }

    /// Drops stale entries off the top, and publishes the time of the first live one.
    fn settle(&mut self, next: &AtomicU64) {
        while let Some(&Reverse((_, number, slot))) = self.heap.peek() {
            if self.is_live(slot, number) {
                break;
            }
            self.heap.pop();
            self.stale -= 1;
        }
        let at = self.heap.peek().map_or(NO_TIMER, |Reverse((at, ..))| at.as_nanos());
        next.store(at, Ordering::Relaxed);
    }

    fn is_live(&self, slot: usize, number: u64) -> bool {
        self.slots.get(slot).is_some_and(|armed| armed.number == number)
    }
}

/// A future that completes at its time. Dropping it takes the timer back.
#[derive(Debug)]
#[must_use = "a timer does nothing unless awaited"]
pub struct Timer {
    shared: Arc<Shared>,
    at: Instant,
    slot: Option<(usize, u64)>,
    /// Why it was set.
    cause: EventId,
}

impl Future for Timer {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.shared.now.load(Ordering::Relaxed) >= self.at.as_nanos() {
            if self.slot.is_some() {
                self.shared.because(self.cause);
            }
            self.cancel();
            return Poll::Ready(());
        }
        let mut guard = lock(&self.shared.timers);
        let timers = guard.get_or_insert_default();
        let known = self.slot.filter(|&(slot, number)| timers.is_live(slot, number));
        match known {
            Some((slot, _)) => timers.slots[slot].waker.clone_from(cx.waker()),
            None => {
                let cause = EventId(self.shared.cause.load(Ordering::Relaxed));
                let slot = timers.arm(self.at, cx.waker().clone(), cause, &self.shared.next_timer);
                drop(guard);
                (self.slot, self.cause) = (Some(slot), cause);
            }
        }
        Poll::Pending
    }
}

impl Timer {
    fn cancel(&mut self) {
        if let Some(slot) = self.slot.take() {
            // Where the next timer is for later, all that were set for then have fired: this one too.
            if self.shared.next_timer.load(Ordering::Relaxed) > self.at.as_nanos() {
                return;
            }
            // The waker is dropped when the lock is free again: it may hold the last reference to a task.
            let mut timers = lock(&self.shared.timers);
            let waker = timers.as_mut().and_then(|timers| timers.cancel(slot, &self.shared.next_timer));
            drop(timers);
            drop(waker);
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.cancel();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every critical section leaves its data whole, whatever a waker or a future does.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::future::poll_fn;

    type Log = Arc<Mutex<Vec<String>>>;

    fn note(log: &Log, text: impl Into<String>) {
        lock(log).push(text.into());
    }

    fn taken(log: &Log) -> Vec<String> {
        core::mem::take(&mut *lock(log))
    }

    /// Tells when it is dropped.
    struct Tell(Log, &'static str);
    impl Drop for Tell {
        fn drop(&mut self) {
            note(&self.0, format!("{} dropped", self.1));
        }
    }

    #[test]
    fn timers_fire_in_the_order_of_time_then_of_arming() {
        let (mut ex, log) = (Executor::new(), Log::default());
        for (name, ms) in [("a", 30), ("b", 10), ("c", 10), ("d", 20)] {
            let (h, log) = (ex.handle(), log.clone());
            ex.handle().spawn(Box::pin(async move {
                h.sleep_until(Instant::from_millis(ms)).await;
                note(&log, format!("{name} at {}", h.now().as_millis()));
            }));
        }
        let _ = ex.run(Instant::ZERO).unwrap();
        while let Some(at) = ex.deadline() {
            let _ = ex.run(at).unwrap();
        }
        assert_eq!(taken(&log), ["b at 10", "c at 10", "d at 20", "a at 30"]);
        assert!(lock(&ex.shared.tasks).slots.as_ref().unwrap().is_empty());
    }

    #[test]
    fn abort_drops_before_the_next_poll() {
        let (mut ex, log) = (Executor::new(), Log::default());
        let tell = Tell(log.clone(), "task");
        let id = ex.handle().spawn(Box::pin(async move {
            let _tell = tell;
            poll_fn(|_| Poll::<()>::Pending).await;
        }));
        let _ = ex.run(Instant::ZERO).unwrap();
        ex.handle().abort(id);
        let _ = ex.run(Instant::ZERO).unwrap();
        assert_eq!(taken(&log), ["task dropped"]);
        ex.handle().abort(id);
    }

    #[test]
    fn clear_drops_sleeping_ready_and_newly_spawned() {
        struct Respawn(Handle, Log);
        impl Drop for Respawn {
            fn drop(&mut self) {
                let tell = Tell(self.1.clone(), "spawned late");
                self.0.spawn(Box::pin(async move {
                    let _tell = tell;
                    panic!("must not run");
                }));
            }
        }
        let (mut ex, log) = (Executor::new(), Log::default());
        let (h, respawn) = (ex.handle(), Respawn(ex.handle(), log.clone()));
        ex.handle().spawn(Box::pin(async move {
            let _respawn = respawn;
            h.sleep_until(Instant::from_secs(9)).await;
        }));
        let _ = ex.run(Instant::ZERO).unwrap();
        let tell = Tell(log.clone(), "ready");
        ex.handle().spawn(Box::pin(async move { drop(tell) }));
        ex.clear();
        let mut got = taken(&log);
        got.sort();
        assert_eq!(got, ["ready dropped", "spawned late dropped"]);
        assert_eq!((ex.deadline(), ex.is_ready()), (None, false));
        let tell = Tell(log.clone(), "again");
        ex.handle().spawn(Box::pin(async move { drop(tell) }));
        let _ = ex.run(Instant::ZERO).unwrap();
        assert_eq!(taken(&log), ["again dropped"]);
    }

    #[test]
    fn cancelled_timers_leave_no_trace() {
        let mut ex = Executor::new();
        let h = ex.handle();
        ex.handle().spawn(Box::pin(async move {
            for _ in 0..1000 {
                let mut timer = h.sleep_until(Instant::from_secs(5));
                poll_fn(|cx| {
                    assert!(Pin::new(&mut timer).poll(cx).is_pending());
                    Poll::Ready(())
                })
                .await;
            }
        }));
        let _ = ex.run(Instant::ZERO).unwrap();
        assert!(lock(&ex.shared.timers).as_ref().unwrap().heap.len() <= 130);
        assert_eq!(ex.deadline(), None);
    }

    #[test]
    fn a_circle_of_wakes_ends() {
        let mut ex = Executor::new();
        ex.handle().spawn(Box::pin(poll_fn(|cx| {
            cx.waker().wake_by_ref();
            Poll::Pending
        })));
        ex.polls = RUNAWAY - 1000;
        ex.counted = Instant::from_nanos(1);
        assert_eq!(ex.run(Instant::from_nanos(1)), Err(Runaway));
        // Where time passes, even by a nanosecond and however it was set, the count begins anew.
        ex.polls = RUNAWAY - 1000;
        ex.set_now(Instant::from_nanos(2));
        assert_eq!(ex.run(Instant::from_nanos(2)), Ok(Round::Paused));
    }

    #[test]
    fn a_task_has_the_cause_of_its_spawner_of_its_waker_and_of_its_timer() {
        let (mut ex, log) = (Executor::new(), Log::default());
        let told = |name: &'static str| {
            let (h, log) = (ex.handle(), log.clone());
            move || note(&log, format!("{name} {:?}", h.cause()))
        };
        let (tx, rx) = futures_channel();
        let h = ex.handle();
        let (spawned, slept, inner) = (told("spawned"), told("slept"), told("inner"));
        h.because(EventId(7));
        h.clone().spawn(Box::pin(async move {
            spawned();
            h.because(EventId(8));
            let timer = h.sleep_until(Instant::from_secs(1));
            h.spawn(Box::pin(async move { inner() }));
            timer.await;
            slept();
            tx();
        }));
        let (h, woken) = (ex.handle(), told("woken"));
        h.because(EventId(9));
        h.clone().spawn(Box::pin(async move {
            rx.await;
            woken();
        }));
        let _ = ex.run(Instant::ZERO).unwrap();
        assert_eq!(h.cause(), EventId::NONE);
        // What happens to others meanwhile is no cause of these.
        h.because(EventId(99));
        let _ = ex.run(Instant::from_secs(1)).unwrap();
        assert_eq!(taken(&log), ["spawned #7", "inner #8", "slept #8", "woken #8"]);
    }

    /// Something to call, and what completes when it was called.
    fn futures_channel() -> (impl FnOnce() + Send, impl Future<Output = ()> + Send) {
        let state: Arc<Mutex<(bool, Option<Waker>)>> = Arc::default();
        let other = state.clone();
        let call = move || {
            let mut state = lock(&state);
            state.0 = true;
            if let Some(waker) = state.1.take() {
                waker.wake();
            }
        };
        let wait = poll_fn(move |cx| {
            let mut state = lock(&other);
            state.1 = Some(cx.waker().clone());
            if state.0 { Poll::Ready(()) } else { Poll::Pending }
        });
        (call, wait)
    }

    #[test]
    fn handles_outlive_the_executor() {
        let log = Log::default();
        let (h, tell) = (Executor::new().handle(), Tell(log.clone(), "orphan"));
        h.spawn(Box::pin(async move { drop(tell) }));
        assert_eq!(taken(&log), ["orphan dropped"]);
    }
}
