//! What a host's system calls cost, and whose turn it is on its cores.
//!
//! Threads run one at a time on each core. One that waits gives its core up and is switched away from (a voluntary context
//! switch); one that has run for its slice while others are ready goes to the end of the queue (an involuntary one). All of it
//! takes virtual time, in an order that nothing but the world's events decides.

use core::future::poll_fn;
use core::task::{Poll, Waker};
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use septet_core::Metric;

use crate::{NetExt, NetRef};

/// What calls cost on a host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Costs {
    /// On how many cores its threads run.
    pub cores: u16,
    /// A system call, whatever it does.
    pub call: Duration,
    /// Copying 1024 bytes between the kernel and a program.
    pub copy: Duration,
    /// A core that goes from one thread to another.
    pub switch: Duration,
    /// From what a thread waits for until it is ready to run.
    pub wake: Duration,
    /// How long a thread runs while others are ready.
    pub slice: Duration,
    /// What a thread takes of memory, in bytes: its stacks as far as they are used.
    pub thread: u64,
}

impl Default for Costs {
    /// Those of a server of these years, rounded.
    fn default() -> Self {
        Self {
            cores: 1,
            call: Duration::from_nanos(200),
            copy: Duration::from_nanos(50),
            switch: Duration::from_micros(2),
            wake: Duration::from_micros(3),
            slice: Duration::from_millis(3),
            thread: 24 * 1024,
        }
    }
}

/// The cores of one host, and the threads that want them.
#[derive(Debug)]
pub struct Cpu {
    costs: Costs,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Cores on which nobody runs.
    free: u16,
    /// Who waits for a core, in order.
    queue: VecDeque<u64>,
    threads: BTreeMap<u64, Thread>,
    /// Threads so far.
    begun: u64,
}

#[derive(Debug)]
struct Thread {
    stage: Stage,
    waker: Option<Waker>,
    /// How much of its slice it has used.
    used: Duration,
}

/// Where a thread is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// It waits for something, and wants no core.
    Waits,
    /// It is ready, and waits for a core.
    Ready,
    /// It has got a core, and has not been switched to.
    Given,
    /// It runs.
    Runs,
}

impl Cpu {
    /// Cores without threads.
    pub fn new(costs: Costs) -> Arc<Self> {
        let state = State { free: costs.cores.max(1), queue: VecDeque::new(), threads: BTreeMap::new(), begun: 0 };
        Arc::new(Self { costs, state: Mutex::new(state) })
    }

    /// What calls cost.
    pub fn costs(&self) -> &Costs {
        &self.costs
    }

    /// What copying so many bytes costs.
    pub fn copying(&self, bytes: usize) -> Duration {
        let nanos = self.costs.copy.as_nanos() * bytes as u128 / 1024;
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// A thread that begins, and wants no core yet.
    pub fn thread(self: &Arc<Self>, net: NetRef) -> CpuThread {
        let mut state = self.lock();
        state.begun += 1;
        let number = state.begun;
        state.threads.insert(number, Thread { stage: Stage::Waits, waker: None, used: Duration::ZERO });
        CpuThread { cpu: self.clone(), net, number }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// A core is free: who is first in the queue gets it.
    fn hand_on(&mut self) {
        let next = self.queue.pop_front().and_then(|number| self.threads.get_mut(&number));
        match next {
            Some(thread) => {
                thread.stage = Stage::Given;
                if let Some(waker) = thread.waker.take() {
                    waker.wake();
                }
            }
            None => self.free += 1,
        }
    }
}

/// A thread of a host whose calls cost time.
pub struct CpuThread {
    cpu: Arc<Cpu>,
    net: NetRef,
    number: u64,
}

impl CpuThread {
    /// Its cores.
    pub fn cpu(&self) -> &Cpu {
        &self.cpu
    }

    /// Runs for so long, in turns with others where they are ready; waits for a core where it has none.
    pub async fn work(&self, time: Duration) {
        let mut left = time;
        self.get_core().await;
        while !left.is_zero() {
            let slice = self.cpu.costs.slice.max(Duration::from_nanos(1));
            let piece = left.min(slice.saturating_sub(self.used()).max(Duration::from_nanos(1)));
            self.run_for(piece).await;
            left -= piece;
            if self.used() >= slice && self.is_preempted() {
                self.net.count("cpu.switches.involuntary");
                self.get_core().await;
            }
        }
    }

    /// It has nothing to do until something happens: its core goes to another.
    pub fn wait(&self) {
        let mut state = self.cpu.lock();
        let Some(thread) = state.threads.get_mut(&self.number) else { return };
        let stage = core::mem::replace(&mut thread.stage, Stage::Waits);
        thread.used = Duration::ZERO;
        match stage {
            Stage::Runs | Stage::Given => state.hand_on(),
            Stage::Ready => state.queue.retain(|number| *number != self.number),
            Stage::Waits => return,
        }
        drop(state);
        self.net.count("cpu.switches.voluntary");
    }

    /// What it waited for has happened: it goes on once it has a core.
    pub async fn wake(&self) {
        if !self.cpu.costs.wake.is_zero() {
            self.net.sleep(self.cpu.costs.wake).await;
        }
        self.get_core().await;
    }

    /// Lets the others that are ready go first.
    pub async fn yield_now(&self) {
        if self.is_preempted() {
            self.net.count("cpu.switches.involuntary");
        }
        self.get_core().await;
    }

    fn used(&self) -> Duration {
        self.cpu.lock().threads.get(&self.number).map_or(Duration::ZERO, |thread| thread.used)
    }

    /// Its slice is over: whether others are ready, so that it goes to the end of the queue.
    fn is_preempted(&self) -> bool {
        let mut state = self.cpu.lock();
        let others = !state.queue.is_empty();
        let Some(thread) = state.threads.get_mut(&self.number) else { return false };
        thread.used = Duration::ZERO;
        if !others || thread.stage != Stage::Runs {
            return false;
        }
        thread.stage = Stage::Ready;
        state.queue.push_back(self.number);
        state.hand_on();
        true
    }

    async fn get_core(&self) {
        let switched = poll_fn(|cx| {
            let mut state = self.cpu.lock();
            let state = &mut *state;
            let Some(thread) = state.threads.get_mut(&self.number) else { return Poll::Ready(false) };
            match thread.stage {
                Stage::Runs => return Poll::Ready(false),
                Stage::Given => {
                    thread.stage = Stage::Runs;
                    return Poll::Ready(true);
                }
                Stage::Waits if state.free > 0 => {
                    state.free -= 1;
                    thread.stage = Stage::Runs;
                    return Poll::Ready(true);
                }
                Stage::Waits => {
                    thread.stage = Stage::Ready;
                    state.queue.push_back(self.number);
                }
                Stage::Ready => {}
            }
            thread.waker = Some(cx.waker().clone());
            Poll::Pending
        });
        if switched.await {
            self.run_for(self.cpu.costs.switch).await;
        }
    }

    async fn run_for(&self, time: Duration) {
        if time.is_zero() {
            return;
        }
        self.net.sleep(time).await;
        if let Some(thread) = self.cpu.lock().threads.get_mut(&self.number) {
            thread.used += time;
        }
        self.net.observe("cpu.busy", time.as_secs_f64());
    }
}

impl core::fmt::Debug for CpuThread {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("CpuThread").field(&self.number).finish()
    }
}

impl Drop for CpuThread {
    fn drop(&mut self) {
        let mut state = self.cpu.lock();
        let Some(thread) = state.threads.remove(&self.number) else { return };
        match thread.stage {
            Stage::Runs | Stage::Given => state.hand_on(),
            Stage::Ready => state.queue.retain(|number| *number != self.number),
            Stage::Waits => {}
        }
    }
}

/// What is recorded where calls cost time.
pub const METRICS: &[Metric] = &[
    Metric {
        unit: septet_core::Unit::Time,
        ..Metric::counter(
            "cpu.busy",
            "time that threads of programs ran, with `costs`: over a span and its cores the load",
        )
    },
    Metric::counter("cpu.switches.voluntary", "context switches away from threads that waited, with `costs`"),
    Metric::counter(
        "cpu.switches.involuntary",
        "context switches away from threads that had run for their slice, with `costs`",
    ),
];
