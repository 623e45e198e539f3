//! Threads of a program, in the shape of `std::thread`: coroutines of the same process where its host is simulated.

use core::time::Duration;
use std::io;

use septet_coroutine::wait;
use septet_socket::NetExt as _;

use crate::program::{Failure, Program, Task, begin};

/// What is said of a thread before it begins.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    name: Option<String>,
    stack: Option<usize>,
}

impl Builder {
    /// A thread of which nothing is said.
    pub fn new() -> Self {
        Self::default()
    }

    /// What it is called; what its program is called where nobody says.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The size of its stack in bytes, 256 KiB on a simulated host where nobody says, at least 64 KiB.
    #[must_use]
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack = Some(bytes);
        self
    }

    /// Starts the thread.
    ///
    /// # Errors
    /// There is no memory for its stack, or no thread.
    pub fn spawn<T, F>(self, body: F) -> io::Result<JoinHandle<T>>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let Some(task) = Task::current() else {
            let mut builder = std::thread::Builder::new();
            if let Some(name) = self.name {
                builder = builder.name(name);
            }
            if let Some(stack) = self.stack {
                builder = builder.stack_size(stack);
            }
            return Ok(JoinHandle(Handle::Kernel(builder.spawn(body)?)));
        };
        let name = self.name.map_or_else(|| task.name.clone(), Into::into);
        let task = Task::new(task.process.clone(), name, self.stack.unwrap_or(task.stack));
        Ok(JoinHandle(Handle::Simulated(begin(task, body)?)))
    }
}

/// Starts a thread.
///
/// # Panics
/// There is no memory for its stack, or no thread; [`Builder::spawn`] tells.
pub fn spawn<T, F>(body: F) -> JoinHandle<T>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    Builder::new().spawn(body).expect("a thread can be started")
}

/// A thread that can be waited for; it runs on where this is dropped.
#[derive(Debug)]
pub struct JoinHandle<T>(Handle<T>);

#[derive(Debug)]
enum Handle<T> {
    Simulated(Program<T>),
    Kernel(std::thread::JoinHandle<T>),
}

impl<T> JoinHandle<T> {
    /// Waits until it is over.
    ///
    /// # Errors
    /// It panicked, or was ended with its host.
    pub fn join(self) -> Result<T, Failure> {
        let nowhere = |message: String| Failure {
            host: String::new(),
            name: String::new(),
            at: septet_core::Instant::ZERO,
            message,
        };
        match self.0 {
            Handle::Simulated(program) => {
                let joined = match Task::current().filter(|_| !program.is_finished()) {
                    Some(task) => wait(task.sleep(program)),
                    None => wait(program),
                };
                joined.unwrap_or_else(|why| Err(nowhere(why.to_string())))
            }
            Handle::Kernel(thread) => {
                let name = thread.thread().name().unwrap_or_default().to_owned();
                let why = |payload: Box<dyn core::any::Any + Send>| septet_coroutine::Panicked::of(&*payload).message;
                thread.join().map_err(|payload| Failure { name, ..nowhere(why(payload)) })
            }
        }
    }

    /// Whether it is over.
    pub fn is_finished(&self) -> bool {
        match &self.0 {
            Handle::Simulated(program) => program.is_finished(),
            Handle::Kernel(thread) => thread.is_finished(),
        }
    }
}

/// Waits for so long.
pub fn sleep(time: Duration) {
    match Task::current() {
        // A program that ends does not sleep.
        Some(task) => drop(wait(task.sleep(task.process.net().sleep(time)))),
        None => std::thread::sleep(time),
    }
}

/// Works for so long, and waits for nothing: it takes a core, where those of the host are counted, and else just time.
pub fn work(time: Duration) {
    let Some(task) = Task::current() else {
        let begun = std::time::Instant::now();
        while begun.elapsed() < time {
            core::hint::spin_loop();
        }
        return;
    };
    // A program that ends does not work.
    let _ = match task.thread.get() {
        Some(thread) => wait(thread.work(time)),
        None => wait(task.process.net().sleep(time)),
    };
}

/// Lets the other threads of the host go on first.
pub fn yield_now() {
    let Some(task) = Task::current() else { return std::thread::yield_now() };
    if let Some(thread) = task.thread.get() {
        let _ = wait(thread.yield_now());
        return;
    }
    let mut yielded = false;
    let turn = core::future::poll_fn(|cx| {
        if core::mem::replace(&mut yielded, true) {
            return core::task::Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        core::task::Poll::Pending
    });
    let _ = wait(turn);
}
