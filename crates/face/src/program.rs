//! Programs: straight code on a host.

use core::any::Any;
use core::cell::OnceCell;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::io;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use septet_core::{Instant, Storey};
use septet_coroutine::{Coroutine, DEFAULT_STACK, Panicked};
use septet_posix::Process;
use septet_socket::cpu::CpuThread;
use septet_socket::{NetExt, NetRef, Spawned};

use crate::descriptor::Shared;

/// What a thread of a program on a simulated host runs in.
pub(crate) struct Task {
    pub(crate) process: Shared,
    pub(crate) name: Arc<str>,
    pub(crate) stack: usize,
    /// What it is to the host's cores, from its first turn on, where calls cost time.
    pub(crate) thread: OnceCell<CpuThread>,
}

impl Task {
    pub(crate) fn new(process: Shared, name: Arc<str>, stack: usize) -> Self {
        Self { process, name, stack, thread: OnceCell::new() }
    }

    /// That of the calling code; none where it is the kernel's.
    pub(crate) fn current() -> Option<Rc<Self>> {
        septet_coroutine::local()
    }

    /// Sleeps until something is ready: where cores are counted the thread gives its own up, is woken, and waits for one.
    pub(crate) async fn sleep<F: Future>(&self, until: F) -> F::Output {
        let thread = self.thread.get();
        if let Some(thread) = thread {
            thread.wait();
        }
        let result = until.await;
        if let Some(thread) = thread {
            thread.wake().await;
        }
        result
    }
}

/// Why a program came to no end of its own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// On which host.
    pub host: String,
    /// Which program, or thread of it.
    pub name: String,
    /// When, by the host's clock.
    pub at: Instant,
    /// What it said.
    pub message: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, name, at, message } = self;
        write!(f, "`{name}` on {host} panicked at {at} s: {message}")
    }
}

impl std::error::Error for Failure {}

/// A program that runs. It may be awaited, and runs on where this is dropped; it ends with its host.
#[derive(Debug)]
pub struct Program<T> {
    slot: Arc<Slot<T>>,
    spawned: Option<Spawned>,
}

impl<T> Program<T> {
    /// Ends it: what it holds is dropped. A thread of the kernel cannot be ended, and runs on.
    pub fn abort(mut self) {
        if let Some(spawned) = self.spawned.take() {
            spawned.abort();
        }
    }

    /// Whether it is over.
    pub fn is_finished(&self) -> bool {
        !matches!(self.slot.lock().end, End::Runs)
    }
}

impl<T> Future for Program<T> {
    type Output = Result<T, Failure>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.slot.lock();
        match core::mem::replace(&mut state.end, End::Taken) {
            End::Ended(result) => Poll::Ready(result),
            End::Runs => {
                state.end = End::Runs;
                match &mut state.waker {
                    Some(waker) => waker.clone_from(cx.waker()),
                    none => *none = Some(cx.waker().clone()),
                }
                Poll::Pending
            }
            End::Taken => panic!("a program comes to one end"),
        }
    }
}

/// Where a program leaves what it came to.
#[derive(Debug)]
pub(crate) struct Slot<T>(Mutex<State<T>>);

#[derive(Debug)]
struct State<T> {
    end: End<T>,
    waker: Option<Waker>,
}

#[derive(Debug)]
enum End<T> {
    Runs,
    Ended(Result<T, Failure>),
    Taken,
}

impl<T> Slot<T> {
    fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State { end: End::Runs, waker: None })))
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, result: Result<T, Failure>) {
        let waker = {
            let mut state = self.lock();
            state.end = End::Ended(result);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Ends with its host: whoever waits for it is told.
struct Ending<T> {
    slot: Arc<Slot<T>>,
    net: NetRef,
    name: Arc<str>,
}

impl<T> Ending<T> {
    fn failure(&self, message: String) -> Failure {
        Failure { host: self.net.hostname(), name: self.name.to_string(), at: self.net.now(), message }
    }

    fn set(&self, result: Result<T, Panicked>) {
        self.slot.set(result.map_err(|Panicked { message }| {
            self.net.trace(Storey::Application, "thread.panicked", |f| {
                f.set("thread", self.name.to_string()).set("why", message.clone());
            });
            self.failure(message)
        }));
    }
}

impl<T> Drop for Ending<T> {
    fn drop(&mut self) {
        if matches!(self.slot.lock().end, End::Runs) {
            self.slot.set(Err(self.failure("it was ended with its host".to_owned())));
        }
    }
}

/// Starts a program called `name` on the host of `net`: a coroutine where that is simulated, a thread where its sockets are
/// the kernel's.
///
/// # Errors
/// There is no memory for its stack, or no thread.
pub fn start<T, F>(net: &NetRef, name: &str, body: F) -> io::Result<Program<T>>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    match net.system() {
        Ok(system) => {
            let process = Shared::new(net.clone(), Process::new(system));
            begin(Task::new(process, name.into(), DEFAULT_STACK), body)
        }
        Err(why) if why.kind() == io::ErrorKind::Unsupported => on_kernel(net, name, body),
        Err(why) => Err(why),
    }
}

/// Starts a thread of a simulated program.
pub(crate) fn begin<T, F>(task: Task, body: F) -> io::Result<Program<T>>
where
    T: 'static,
    F: FnOnce() -> T + 'static,
{
    let net = task.process.net().clone();
    let system = net.system()?;
    let (slot, name, stack) = (Slot::new(), task.name.clone(), task.stack);
    if let Some(cpu) = system.cpu() {
        let _ = task.thread.set(cpu.thread(net.clone()));
    }
    let task = Rc::new(task);
    let coroutine = Coroutine::new(stack, task.clone() as Rc<dyn Any>, body)?;
    let ending = Ending { slot: slot.clone(), net, name };
    let counted = Counted::new(task.clone());
    let spawned = system.spawn_local(Box::pin(async move {
        let (ending, _counted) = (ending, counted);
        if let Some(thread) = task.thread.get() {
            thread.work(Duration::ZERO).await;
        }
        let result = coroutine.await;
        ending.set(result);
    }));
    Ok(Program { slot, spawned: Some(spawned) })
}

/// A thread that is counted until it ends.
struct Counted(Rc<Task>);

impl Counted {
    fn new(task: Rc<Task>) -> Self {
        record_threads(&task, task.process.begin_thread());
        Self(task)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        record_threads(&self.0, self.0.process.end_thread());
    }
}

fn record_threads(task: &Task, threads: usize) {
    let net = task.process.net();
    net.observe("io.threads", threads as f64);
    if let Some(thread) = task.thread.get() {
        net.observe("io.memory", threads as f64 * thread.cpu().costs().thread as f64);
    }
}

fn on_kernel<T, F>(net: &NetRef, name: &str, body: F) -> io::Result<Program<T>>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    let slot = Slot::new();
    let ending = Ending { slot: slot.clone(), net: net.clone(), name: name.into() };
    std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
        ending.set(result.map_err(|payload| Panicked::of(&*payload)));
    })?;
    Ok(Program { slot, spawned: None })
}
