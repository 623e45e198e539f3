//! Tasks in tokio's shape: inside a simulation they run on the simulated host whose program spawns them and end with it,
//! outside they are tokio's own.

mod set;

use core::any::Any;
use core::fmt;
use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use septet_host::Here;
use septet_socket::Spawned;

use crate::desk::{Panic, watched};

pub use set::JoinSet;

/// Runs `future` beside the caller.
///
/// A panic in it comes out of its handle, as with tokio. One that nobody hears, since the handle was dropped or never asked,
/// fails the test that the simulation is.
///
/// ```
/// # let mut world = septet::test::World::new();
/// world.client("client", async {
///     let task = septet::task::spawn(async { 6 * 7 });
///     assert_eq!(task.await?, 42);
///     Ok(())
/// });
/// world.run()?;
/// # Ok::<(), septet::test::Failure>(())
/// ```
///
/// # Panics
/// Outside of a simulation and of tokio's runtime.
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    match Here::current() {
        Some(here) => JoinHandle::here(&here, future),
        None => JoinHandle::real(tokio::task::spawn(future)),
    }
}

/// Calls `f`. Outside of a simulation that is on a thread for what blocks; inside it is at once, in the turn of the host,
/// and no virtual time passes meanwhile.
///
/// ```
/// # let mut world = septet::test::World::new();
/// world.client("client", async {
///     let sum = septet::task::spawn_blocking(|| (1..=100).sum::<u32>()).await?;
///     assert_eq!(sum, 5050);
///     Ok(())
/// });
/// world.run()?;
/// # Ok::<(), septet::test::Failure>(())
/// ```
///
/// # Panics
/// Outside of a simulation and of tokio's runtime.
pub fn spawn_blocking<F, R>(f: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    match Here::current() {
        Some(_) => spawn(async move { f() }),
        None => JoinHandle(Kind::Real(tokio::task::spawn_blocking(f))),
    }
}

/// Lets other tasks run first.
///
/// ```
/// # let mut world = septet::test::World::new();
/// world.client("client", async {
///     let other = septet::task::spawn(async { "ran" });
///     septet::task::yield_now().await;
///     assert!(other.is_finished());
///     Ok(())
/// });
/// world.run()?;
/// # Ok::<(), septet::test::Failure>(())
/// ```
pub async fn yield_now() {
    if Here::current().is_none() {
        return tokio::task::yield_now().await;
    }
    let mut yielded = false;
    poll_fn(|cx| {
        if core::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// What a task came to, or will; see [`spawn`]. Dropping it lets the task run on.
pub struct JoinHandle<T>(Kind<T>);

enum Kind<T> {
    Here(Arc<Shared<T>>),
    Real(tokio::task::JoinHandle<T>),
}

/// What a task and its handles share.
struct Shared<T>(Mutex<State<T>>);

struct State<T> {
    result: Option<Result<T, JoinError>>,
    is_finished: bool,
    /// Whether the handle is gone, so that nobody will ask for the result.
    unheard: bool,
    waker: Option<Waker>,
    spawned: Option<Spawned>,
}

impl<T> Default for State<T> {
    fn default() -> Self {
        Self { result: None, is_finished: false, unheard: false, waker: None, spawned: None }
    }
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn finish(&self, result: Result<T, JoinError>) {
        let mut state = self.lock();
        if state.is_finished {
            return;
        }
        state.is_finished = true;
        let waker = state.waker.take();
        if state.unheard {
            drop(state);
            unheard(result);
        } else {
            state.result = Some(result);
            drop(state);
            waker.into_iter().for_each(Waker::wake);
        }
    }
}

/// A result that nobody asks for: a panic is told of.
fn unheard<T>(result: Result<T, JoinError>) {
    if let Err(JoinError(Why::Panic(panic))) = result {
        panic.into_inner().unwrap_or_else(PoisonError::into_inner).tell();
    }
}

/// Lives in the task: where that is dropped before its end, it was cancelled.
struct End<T>(Arc<Shared<T>>);

impl<T> Drop for End<T> {
    fn drop(&mut self) {
        self.0.finish(Err(JoinError(Why::Cancelled)));
    }
}

/// Ends a task, whatever it returns.
trait Abort: Send + Sync {
    fn abort(&self);
    fn is_finished(&self) -> bool;
}

impl<T: Send> Abort for Shared<T> {
    fn abort(&self) {
        let spawned = self.lock().spawned.take();
        if let Some(spawned) = spawned {
            spawned.abort();
        }
    }

    fn is_finished(&self) -> bool {
        self.lock().is_finished
    }
}

impl<T: Send + 'static> JoinHandle<T> {
    /// Of a task that is spawned on a simulated host.
    pub(crate) fn here(host: &Here, future: impl Future<Output = T> + Send + 'static) -> Self {
        let shared = Arc::new(Shared(Mutex::new(State::default())));
        let end = End(shared.clone());
        let spawned = host.net().spawn(Box::pin(async move {
            let result = watched(future).await;
            end.0.finish(result.map_err(|panic| JoinError(Why::Panic(Mutex::new(panic)))));
        }));
        shared.lock().spawned = Some(spawned);
        Self(Kind::Here(shared))
    }

    pub(crate) fn real(handle: tokio::task::JoinHandle<T>) -> Self {
        Self(Kind::Real(handle))
    }

    /// Ends the task; what it was doing is dropped before it is run again.
    pub fn abort(&self) {
        match &self.0 {
            Kind::Here(shared) => shared.abort(),
            Kind::Real(handle) => handle.abort(),
        }
    }

    /// Whether the task has ended.
    pub fn is_finished(&self) -> bool {
        match &self.0 {
            Kind::Here(shared) => shared.is_finished(),
            Kind::Real(handle) => handle.is_finished(),
        }
    }

    /// What ends the task from elsewhere.
    ///
    /// ```
    /// # let mut world = septet::test::World::new();
    /// world.client("client", async {
    ///     let task = septet::task::spawn(core::future::pending::<()>());
    ///     let abort = task.abort_handle();
    ///     abort.abort();
    ///     assert!(task.await.unwrap_err().is_cancelled());
    ///     assert!(abort.is_finished());
    ///     Ok(())
    /// });
    /// world.run()?;
    /// # Ok::<(), septet::test::Failure>(())
    /// ```
    pub fn abort_handle(&self) -> AbortHandle {
        AbortHandle(match &self.0 {
            Kind::Here(shared) => Aborts::Here(shared.clone()),
            Kind::Real(handle) => Aborts::Real(handle.abort_handle()),
        })
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    /// # Panics
    /// Where it is polled again after it was ready.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.get_mut().0 {
            Kind::Here(shared) => {
                let mut state = shared.lock();
                if let Some(result) = state.result.take() {
                    return Poll::Ready(result);
                }
                assert!(!state.is_finished, "JoinHandle polled after completion");
                state.waker = Some(cx.waker().clone());
                Poll::Pending
            }
            Kind::Real(handle) => Pin::new(handle).poll(cx).map_err(|e| JoinError(Why::Real(e))),
        }
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        if let Kind::Here(shared) = &self.0 {
            let mut state = shared.lock();
            state.unheard = true;
            if let Some(result) = state.result.take() {
                drop(state);
                unheard(result);
            }
        }
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinHandle")
    }
}

/// Ends a task from elsewhere; see [`JoinHandle::abort_handle`].
#[derive(Clone)]
pub struct AbortHandle(Aborts);

#[derive(Clone)]
enum Aborts {
    Here(Arc<dyn Abort>),
    Real(tokio::task::AbortHandle),
}

impl AbortHandle {
    /// Ends the task.
    pub fn abort(&self) {
        match &self.0 {
            Aborts::Here(task) => task.abort(),
            Aborts::Real(task) => task.abort(),
        }
    }

    /// Whether the task has ended.
    pub fn is_finished(&self) -> bool {
        match &self.0 {
            Aborts::Here(task) => task.is_finished(),
            Aborts::Real(task) => task.is_finished(),
        }
    }
}

impl fmt::Debug for AbortHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AbortHandle")
    }
}

/// Why a task did not come to its end.
pub struct JoinError(Why);

enum Why {
    Cancelled,
    /// What was panicked with may go from thread to thread, and is looked at by one at a time.
    Panic(Mutex<Panic>),
    Real(tokio::task::JoinError),
}

impl JoinError {
    /// Whether it was aborted, or ended with its host.
    pub fn is_cancelled(&self) -> bool {
        match &self.0 {
            Why::Cancelled => true,
            Why::Panic(_) => false,
            Why::Real(e) => e.is_cancelled(),
        }
    }

    /// Whether it panicked.
    pub fn is_panic(&self) -> bool {
        match &self.0 {
            Why::Cancelled => false,
            Why::Panic(_) => true,
            Why::Real(e) => e.is_panic(),
        }
    }

    /// What it panicked with.
    ///
    /// ```
    /// # let mut world = septet::test::World::new();
    /// world.client("client", async {
    ///     let task = septet::task::spawn(async { panic!("on purpose") });
    ///     let why = task.await.unwrap_err().into_panic();
    ///     assert_eq!(*why.downcast_ref::<&str>().unwrap(), "on purpose");
    ///     Ok(())
    /// });
    /// world.run()?;
    /// # Ok::<(), septet::test::Failure>(())
    /// ```
    ///
    /// # Panics
    /// Where it did not.
    pub fn into_panic(self) -> Box<dyn Any + Send + 'static> {
        self.try_into_panic().expect("the task panicked")
    }

    /// What it panicked with.
    ///
    /// # Errors
    /// The same error, where it did not.
    pub fn try_into_panic(self) -> Result<Box<dyn Any + Send + 'static>, Self> {
        match self.0 {
            Why::Panic(panic) => Ok(panic.into_inner().unwrap_or_else(PoisonError::into_inner).payload),
            Why::Real(e) => e.try_into_panic().map_err(|e| Self(Why::Real(e))),
            Why::Cancelled => Err(Self(Why::Cancelled)),
        }
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Why::Cancelled => f.write_str("task was cancelled"),
            Why::Panic(panic) => {
                let words = panic.lock().unwrap_or_else(PoisonError::into_inner).words();
                write!(f, "task panicked with message {words:?}")
            }
            Why::Real(e) => e.fmt(f),
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinError({self})")
    }
}

impl std::error::Error for JoinError {}

impl From<JoinError> for std::io::Error {
    fn from(e: JoinError) -> Self {
        Self::other(e)
    }
}
