//! The thread that owns the bench, and the questions put to it.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use septet_core::{Instant, Seed};
use septet_posix::{Errno, Fd, Operation, Reply, Request};
use septet_script::bench::{Bench, Setup};
use septet_transport::tcp::{set_sysctl, sysctls};

/// The virtual time at which the bench starts, so that nothing looks like the beginning of the world.
const BEGIN: Instant = Instant::from_secs(1_000_000);
/// How far beyond the last call a packet is waited for; a script that waits for more waits for nothing.
const HORIZON: Duration = Duration::from_secs(4 * 3600);

type Task = Box<dyn FnOnce(&mut Host) + Send>;

struct Shared {
    tasks: Mutex<Sender<Task>>,
    /// The thread that plays the script; all others make blocking calls.
    player: ThreadId,
    /// Descriptors of the bench.
    fds: Mutex<BTreeSet<Fd>>,
}

static SHARED: OnceLock<Shared> = OnceLock::new();

thread_local! {
    /// When the last call of this thread returned, in virtual time, until the thread asks for the time.
    static RETURNED_AT: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// The bench and the calls that wait for it.
pub(crate) struct Host {
    pub(crate) bench: Bench,
    waiting: Vec<Waiting>,
    /// When something other than receiving was last asked for.
    last_call: Instant,
    /// Whether the personality follows the files under `/proc/sys`.
    follows_sysctls: bool,
    /// The namespace's congestion controller when the script began. A namespace inherits its default from the machine,
    /// and may not be allowed to choose: only what the script has changed is taken for its wish.
    inherited_controller: Option<String>,
}

struct Waiting {
    operation: Operation,
    answer: Sender<Answer>,
}

type Answer = (Result<Reply, Errno>, Instant);

/// Starts the thread with a bench as `flags` say: `mtu=1500,seed=1,sysctls=off,net.ipv4.tcp_ecn=1`, all optional.
pub(crate) fn start(flags: &str) -> Result<(), String> {
    let mut setup = Setup { begin: BEGIN, ..Setup::default() };
    let mut follows_sysctls = true;
    for flag in flags.split(',').map(str::trim).filter(|f| !f.is_empty()) {
        let (name, value) = flag.split_once('=').ok_or_else(|| format!("`{flag}` is not NAME=VALUE"))?;
        let number = || value.parse::<u32>().map_err(|_| format!("`{value}` is no number for {name}"));
        match name {
            "mtu" => setup.mtu = [number()?; 2],
            "seed" => setup.seed = Seed::new(number()?.into()),
            "sysctls" => follows_sysctls = value == "on",
            _ => match name.strip_prefix("net.ipv4.") {
                Some(name) => set_sysctl(&mut setup.config, name, value)?,
                None => return Err(format!("the flag `{name}` is not known")),
            },
        }
    }
    let (tasks, received) = channel::<Task>();
    thread::Builder::new()
        .name("bench".into())
        .spawn(move || serve(&received, setup, follows_sysctls))
        .map_err(|e| format!("no thread for the bench: {e}"))?;
    let player = thread::current().id();
    let shared = Shared { tasks: Mutex::new(tasks), player, fds: Mutex::default() };
    SHARED.set(shared).map_err(|_| "the bench was started before".into())
}

const CONTROLLER: &str = "tcp_congestion_control";

/// What the namespace's file `/proc/sys/net/ipv4/NAME` says.
fn sysctl(name: &str) -> Option<String> {
    std::fs::read_to_string(format!("/proc/sys/net/ipv4/{name}")).ok()
}

fn serve(tasks: &Receiver<Task>, setup: Setup, follows_sysctls: bool) {
    let bench = Bench::new(setup);
    let inherited_controller = sysctl(CONTROLLER);
    let mut host = Host { bench, waiting: Vec::new(), last_call: BEGIN, follows_sysctls, inherited_controller };
    while let Ok(task) = tasks.recv() {
        task(&mut host);
    }
}

/// Whether `fd` is one of the bench's.
pub(crate) fn owns(fd: Fd) -> bool {
    SHARED.get().is_some_and(|s| lock(&s.fds).contains(&fd))
}

/// Notes that `fd` is, or is no longer, one of the bench's.
pub(crate) fn own(fd: Fd, owned: bool) {
    if let Some(shared) = SHARED.get() {
        let mut fds = lock(&shared.fds);
        if owned {
            fds.insert(fd)
        } else {
            fds.remove(&fd)
        };
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // What the locks guard is whole between any two statements.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Asks the bench's thread; `None` where it is no more (it panicked, and said so).
pub(crate) fn ask<T: Send + 'static>(question: impl FnOnce(&mut Host) -> T + Send + 'static) -> Option<T> {
    let (answer, answered) = channel();
    let task: Task = Box::new(move |host| {
        let _ = answer.send(question(host));
    });
    lock(&SHARED.get()?.tasks).send(task).ok()?;
    answered.recv().ok()
}

/// The same for a question that is a call: the horizon of what is waited for moves on.
pub(crate) fn call<T: Send + 'static>(question: impl FnOnce(&mut Host) -> T + Send + 'static) -> Option<T> {
    ask(move |host| {
        host.last_call = host.bench.now();
        let answer = question(host);
        host.wake();
        answer
    })
}

/// Makes a call that may wait. In the script's own thread, which nothing could wake, virtual time passes inside it.
///
/// Another thread asks one question only: as soon as it sleeps, packetdrill takes the call to be under way.
pub(crate) fn perform(request: Request) -> Result<Reply, Errno> {
    let dead = Errno(libc::EIO);
    let player = SHARED.get().is_some_and(|s| s.player == thread::current().id());
    if player {
        return call(move |host| host.perform_now(request)).unwrap_or(Err(dead));
    }
    let (answer, answered) = channel();
    call(move |host| host.begin(request, answer));
    let Ok((result, at)) = answered.recv() else { return Err(dead) };
    RETURNED_AT.set(Some(at));
    result
}

/// The time, which moves by a microsecond each time it is asked for: whoever spins until a moment gets there. To a
/// thread whose call has just returned it is the time of that return.
pub(crate) fn time() -> Instant {
    if let Some(at) = RETURNED_AT.take() {
        return at;
    }
    let step = Duration::from_micros(1);
    ask(move |host| {
        host.advance(host.bench.now() + step);
        host.bench.now()
    })
    .unwrap_or(BEGIN)
}

/// Lets time pass.
pub(crate) fn sleep(span: Duration) {
    call(move |host| host.advance(host.bench.now() + span));
}

/// The next packet and when it left; `None` where none comes within the horizon.
pub(crate) fn receive() -> Option<(Vec<u8>, Instant)> {
    ask(|host| {
        let until = host.last_call + HORIZON;
        loop {
            if let Some(sent) = host.bench.take_sent() {
                return Some((sent.packet, sent.at));
            }
            let next = host.next_deadline().filter(|next| *next <= until)?;
            host.step(next);
        }
    })?
}

impl Host {
    /// Takes over the personality that the namespace's files describe.
    pub(crate) fn follow_sysctls(&mut self) {
        if !self.follows_sysctls {
            return;
        }
        for name in sysctls() {
            let value = sysctl(name);
            if name == CONTROLLER && value == self.inherited_controller {
                continue;
            }
            if let Some(value) = value {
                // A value that we do not know leaves ours.
                let _ = self.bench.configure(name, &value);
            }
        }
    }

    fn begin(&mut self, request: Request, answer: Sender<Answer>) {
        self.follow_sysctls_for(&request);
        let operation = self.bench.start(request);
        self.waiting.push(Waiting { operation, answer });
    }

    fn follow_sysctls_for(&mut self, request: &Request) {
        if matches!(request, Request::Connect { .. }) {
            self.follow_sysctls();
        }
    }

    fn perform_now(&mut self, request: Request) -> Result<Reply, Errno> {
        self.follow_sysctls_for(&request);
        let mut operation = self.bench.start(request);
        let until = self.bench.now() + HORIZON;
        loop {
            if let Some(result) = self.bench.poll(&mut operation) {
                return result;
            }
            let next = self.next_deadline().into_iter().chain(operation.deadline()).min();
            match next.filter(|next| *next <= until) {
                Some(next) => self.step(next),
                None => return Err(Errno::EAGAIN),
            }
        }
    }

    /// Lets those who wait look again; who is done gets the time at which it was so.
    fn wake(&mut self) {
        let now = self.bench.now();
        let bench = &mut self.bench;
        self.waiting.retain_mut(|waiting| match bench.poll(&mut waiting.operation) {
            Some(result) => {
                let _ = waiting.answer.send((result, now));
                false
            }
            None => true,
        });
    }

    fn next_deadline(&mut self) -> Option<Instant> {
        let waiting = self.waiting.iter().filter_map(|w| w.operation.deadline());
        self.bench.next_deadline().into_iter().chain(waiting).min()
    }

    fn step(&mut self, to: Instant) {
        self.bench.advance(to);
        self.wake();
    }

    fn advance(&mut self, to: Instant) {
        while let Some(next) = self.next_deadline().filter(|next| *next < to) {
            self.step(next);
        }
        self.step(to);
    }
}
