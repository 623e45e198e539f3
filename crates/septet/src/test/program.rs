//! A program of the test on a host of its world.

use core::cell::Cell;
use core::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use septet_core::{Instant, StationId};
use septet_engine::World as Engine;
use septet_engine::executor;
use septet_host::Host;

use super::failure::{Failure, What};
use crate::desk::{Board, Desk, caught, watched};

type Running = Pin<Box<dyn Future<Output = Result<(), String>>>>;

/// What runs on a host.
pub(super) struct Program {
    host: String,
    /// Begins it; `None` where it is not begun again.
    begin: Box<dyn Fn() -> Option<Running>>,
}

/// How far a world has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Age {
    /// It is built; its hosts are switched on when it is first played.
    Built,
    /// It is played already.
    Played,
}

/// Whether a client has ended.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) host: String,
    over: Cell<bool>,
}

impl Ending {
    pub(super) fn is_over(&self) -> bool {
        self.over.get()
    }
}

/// Lives in a client's future: when that is dropped, the client has ended.
struct Over(Rc<Ending>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.over.set(true);
    }
}

impl Program {
    pub(super) fn again_and_again<F>(host: &str, program: impl Fn() -> F + 'static) -> Self
    where
        F: Future<Output = super::Result> + 'static,
    {
        let begin = move || -> Option<Running> {
            let future = program();
            Some(Box::pin(async move { future.await.map_err(|e| e.to_string()) }))
        };
        Self { host: host.to_owned(), begin: Box::new(begin) }
    }

    pub(super) fn once<F>(host: &str, program: F) -> (Self, Rc<Ending>)
    where
        F: Future<Output = super::Result> + 'static,
    {
        let ending = Rc::new(Ending { host: host.to_owned(), over: Cell::new(false) });
        let over = Over(ending.clone());
        let running: Running = Box::pin(async move {
            let _over = over;
            program.await.map_err(|e| e.to_string())
        });
        let once = Cell::new(Some(running));
        (Self { host: host.to_owned(), begin: Box::new(move || once.take()) }, ending)
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Lets the program begin when the host is switched on; at once, where it is and the world is played already.
    ///
    /// # Panics
    /// Where the station is no host.
    #[track_caller]
    pub(super) fn install(self, world: &mut Engine, station: StationId, board: &Arc<Board>, age: Age) {
        let is_on = age == Age::Played && world.is_on(station);
        let host = world.station_mut::<Host>(station).expect("only hosts and routers run programs");
        host.put_beside(Arc::new(Desk { host: self.host.clone(), board: board.clone() }));
        let start = Rc::new(Start { program: self, tasks: host.tasks(), board: board.clone() });
        if is_on {
            start.start();
        }
        host.on_boot(move |_| start.start());
    }
}

/// Begins a program on its host.
struct Start {
    program: Program,
    tasks: executor::Handle,
    board: Arc<Board>,
}

impl Start {
    fn start(self: &Rc<Self>) {
        let this = self.clone();
        // What makes the future runs in the host's turn, as the future does.
        let _ = self.tasks.spawn_local(Box::pin(async move {
            let Self { program, tasks, board } = &*this;
            let now = || -> Instant { tasks.now() };
            let failed = |what| board.fail(Failure::of(Some(program.host.clone()), now(), what));
            let running = match caught(|| (program.begin)()) {
                Ok(Some(running)) => running,
                Ok(None) => return,
                Err(panic) => return board.fail(panic.failure(&program.host, now())),
            };
            match watched(running).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => failed(What::Error(error)),
                Err(panic) => board.fail(panic.failure(&program.host, now())),
            }
        }));
    }
}
