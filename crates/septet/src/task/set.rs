//! Sets of tasks.

use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Wake;

use super::{AbortHandle, JoinError, JoinHandle, spawn};

/// Tasks of one kind, of which the next to end is waited for. Dropping it ends them all.
///
/// Inside a simulation they are given back in the order in which they ended, and so the same in every run.
///
/// ```
/// # let mut world = septet::test::World::new();
/// world.client("client", async {
///     let mut tasks = septet::task::JoinSet::new();
///     for n in [3u64, 1, 2] {
///         tasks.spawn(async move {
///             septet::time::sleep(core::time::Duration::from_secs(n)).await;
///             n
///         });
///     }
///     let mut order = Vec::new();
///     while let Some(n) = tasks.join_next().await {
///         order.push(n?);
///     }
///     assert_eq!(order, [1, 2, 3]);
///     Ok(())
/// });
/// world.run()?;
/// # Ok::<(), septet::test::Failure>(())
/// ```
#[derive(Debug)]
pub struct JoinSet<T: Send + 'static> {
    tasks: BTreeMap<u64, Task<T>>,
    /// Tasks so far.
    begun: u64,
    ended: Arc<Ended>,
}

#[derive(Debug)]
struct Task<T: Send + 'static> {
    handle: JoinHandle<T>,
    /// Enters the task among those that ended.
    waker: Waker,
    /// What it came to, where that is known and was not asked for.
    result: Option<Result<T, JoinError>>,
}

/// Tasks that may have ended, in that order, and who waits for one.
#[derive(Debug, Default)]
struct Ended(Mutex<Line>);

#[derive(Debug, Default)]
struct Line {
    tasks: VecDeque<u64>,
    waker: Option<Waker>,
}

impl Ended {
    fn lock(&self) -> MutexGuard<'_, Line> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, task: u64) {
        let waker = {
            let mut line = self.lock();
            line.tasks.push_back(task);
            line.waker.take()
        };
        waker.into_iter().for_each(Waker::wake);
    }
}

/// Woken when a task has ended.
struct Entry {
    task: u64,
    ended: Arc<Ended>,
}

impl Wake for Entry {
    fn wake(self: Arc<Self>) {
        self.ended.enter(self.task);
    }
}

impl<T: Send + 'static> Task<T> {
    /// What it came to; where it has not ended, it is entered when it has.
    fn look(&mut self) -> Option<Result<T, JoinError>> {
        if let Some(result) = self.result.take() {
            return Some(result);
        }
        match Pin::new(&mut self.handle).poll(&mut Context::from_waker(&self.waker)) {
            Poll::Ready(result) => Some(result),
            Poll::Pending => None,
        }
    }
}

impl<T: Send + 'static> Default for JoinSet<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Send + 'static> JoinSet<T> {
    /// An empty set.
    pub fn new() -> Self {
        Self { tasks: BTreeMap::new(), begun: 0, ended: Arc::default() }
    }

    /// How many tasks were not given back yet.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Runs a task beside the caller.
    ///
    /// # Panics
    /// As [`spawn`].
    pub fn spawn<F>(&mut self, task: F) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
    {
        let handle = spawn(task);
        let abort = handle.abort_handle();
        self.begun += 1;
        let waker = Waker::from(Arc::new(Entry { task: self.begun, ended: self.ended.clone() }));
        let mut task = Task { handle, waker, result: None };
        task.result = task.look();
        if task.result.is_some() {
            self.ended.enter(self.begun);
        }
        self.tasks.insert(self.begun, task);
        abort
    }

    /// Waits for the next task to end; `None` where there are none.
    pub async fn join_next(&mut self) -> Option<Result<T, JoinError>> {
        poll_fn(|cx| self.poll_join_next(cx)).await
    }

    /// The same as a step.
    pub fn poll_join_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, JoinError>>> {
        loop {
            if let Some(result) = self.try_join_next() {
                return Poll::Ready(Some(result));
            }
            if self.tasks.is_empty() {
                return Poll::Ready(None);
            }
            let mut line = self.ended.lock();
            // On tokio's threads one may have ended meanwhile.
            if line.tasks.is_empty() {
                line.waker = Some(cx.waker().clone());
                return Poll::Pending;
            }
        }
    }

    /// A task that has ended already.
    ///
    /// ```
    /// # let mut world = septet::test::World::new();
    /// world.client("client", async {
    ///     let mut tasks = septet::task::JoinSet::new();
    ///     tasks.spawn(async { 7 });
    ///     assert!(tasks.try_join_next().is_none());
    ///     septet::task::yield_now().await;
    ///     assert_eq!(tasks.try_join_next().unwrap()?, 7);
    ///     Ok(())
    /// });
    /// world.run()?;
    /// # Ok::<(), septet::test::Failure>(())
    /// ```
    pub fn try_join_next(&mut self) -> Option<Result<T, JoinError>> {
        loop {
            let number = self.ended.lock().tasks.pop_front()?;
            if let Some(result) = self.tasks.get_mut(&number).and_then(Task::look) {
                self.tasks.remove(&number);
                return Some(result);
            }
        }
    }

    /// Waits for all of them, and gives what they returned in the order in which they ended.
    ///
    /// ```
    /// # let mut world = septet::test::World::new();
    /// world.client("client", async {
    ///     let mut tasks = septet::task::JoinSet::new();
    ///     for n in [3u64, 1, 2] {
    ///         tasks.spawn(async move {
    ///             septet::time::sleep(core::time::Duration::from_secs(n)).await;
    ///             n
    ///         });
    ///     }
    ///     assert_eq!(tasks.join_all().await, [1, 2, 3]);
    ///     Ok(())
    /// });
    /// world.run()?;
    /// # Ok::<(), septet::test::Failure>(())
    /// ```
    ///
    /// # Panics
    /// Where one panicked or was cancelled.
    pub async fn join_all(mut self) -> Vec<T> {
        let mut all = Vec::with_capacity(self.len());
        while let Some(result) = self.join_next().await {
            match result {
                Ok(value) => all.push(value),
                Err(e) => match e.try_into_panic() {
                    Ok(payload) => std::panic::resume_unwind(payload),
                    Err(e) => panic!("{e}"),
                },
            }
        }
        all
    }

    /// Ends all of them; they are still given back.
    ///
    /// ```
    /// # let mut world = septet::test::World::new();
    /// world.client("client", async {
    ///     let mut tasks = septet::task::JoinSet::new();
    ///     tasks.spawn(core::future::pending::<()>());
    ///     tasks.abort_all();
    ///     assert!(tasks.join_next().await.unwrap().unwrap_err().is_cancelled());
    ///     Ok(())
    /// });
    /// world.run()?;
    /// # Ok::<(), septet::test::Failure>(())
    /// ```
    pub fn abort_all(&mut self) {
        self.tasks.values().for_each(|task| task.handle.abort());
    }

    /// Ends all of them, and waits until they have ended.
    pub async fn shutdown(&mut self) {
        self.abort_all();
        while self.join_next().await.is_some() {}
    }

    /// Lets all of them run on by themselves.
    pub fn detach_all(&mut self) {
        self.tasks.clear();
    }
}

impl<T: Send + 'static> Drop for JoinSet<T> {
    fn drop(&mut self) {
        self.abort_all();
    }
}
