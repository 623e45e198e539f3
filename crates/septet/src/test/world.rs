//! A world whose hosts run the test's own code.

use core::fmt;
use core::time::Duration;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use septet_core::{Instant, Recorder, Rng, StationId};
use septet_host::{Disk, Host};
use septet_lab::{BuildOptions, Lab, Mistakes, Outcome, Run, Verdict};

use super::builder::Builder;
use super::came::Came;
use super::failure::{Failure, What};
use super::faults::Happened;
use super::program::{Age, Ending, Program};
use super::trial;
use super::watch::Seen;
use crate::desk::Board;

/// A world whose hosts run the test's own code: async functions over [`septet::net`](crate::net) and
/// [`septet::time`](crate::time), or over tokio's traits.
///
/// Hosts are added by name, then it is played: to its end by [`run`](Self::run), or in steps, between which things go wrong
/// and are looked at. Unless it is made of a [lab](Self::of), every host reaches every other, by name too.
///
/// ```
/// use core::time::Duration;
/// use septet::net::UdpSocket;
/// use septet::test::World;
///
/// let mut world = World::new();
/// world.host("clock", || async {
///     let socket = UdpSocket::bind("0.0.0.0:13").await?;
///     loop {
///         let (_, from) = socket.recv_from(&mut [0; 16]).await?;
///         socket.send_to(b"noon", from).await?;
///     }
/// });
/// world.client("asker", async {
///     let socket = UdpSocket::bind("0.0.0.0:0").await?;
///     for _ in 0..3 {
///         socket.send_to(b"?", "clock:13").await?;
///         septet::time::sleep(Duration::from_secs(1)).await;
///     }
///     Ok(())
/// });
/// world.run_for(Duration::from_millis(500))?;
/// world.partition("asker", "clock");
/// world.run()?;
/// assert_eq!(world.counter("clock", "UdpInDatagrams"), 1, "the others met the partition");
/// # Ok::<(), septet::test::Failure>(())
/// ```
///
/// # Panics
/// Its methods panic where they are called with the name of a host that it does not have, and where its lab has mistakes.
pub struct World {
    plan: Plan,
    /// The lab as it runs, once it does.
    run: Option<Run>,
    programs: Vec<Program>,
    board: Arc<Board>,
    clients: Vec<Rc<Ending>>,
    pub(super) happened: Vec<Happened>,
    always: Vec<Invariant>,
    failure: Option<Failure>,
    age: Age,
    /// The packets that were seen, where they are kept.
    pub(super) seen: Option<Seen>,
    /// The test that it is part of.
    pub(super) trial: Option<trial::Part>,
}

/// What the world is made from.
enum Plan {
    /// Hosts that all reach one another.
    Open(Box<Builder>),
    /// A lab.
    Lab(Box<Lab>),
}

/// What is to hold after every event.
struct Invariant {
    name: String,
    holds: Box<dyn FnMut() -> Result<(), String>>,
}

/// How far a world is played.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Goal {
    /// Up to its time, whatever its clients do.
    Time,
    /// Until its clients have ended.
    Clients,
}

impl Builder {
    /// The world, to which hosts are added.
    pub fn build(self) -> World {
        World::with(Plan::Open(Box::new(self)))
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// A world in which every host reaches every other within a millisecond, at 1 Gbit/s.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// A world in which every host reaches every other, over a network of this kind.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// A world that is a lab: its hosts may run code beside what the lab lets them run.
    ///
    /// ```
    /// use septet::test::World;
    /// use septet::{Lab, net::TcpStream};
    ///
    /// let lab = Lab::builder("farm")
    ///     .link("client -- r1 : rate 10mbit delay 20ms")
    ///     .link("r1 -- web")
    ///     .router("r1", |r| r)
    ///     .host("web", |h| h.service("http", |http| http.set("body", "20kb")))
    ///     .host("client", |h| h)
    ///     .expect("asked", "web.http.requests == 0")
    ///     .build()?;
    /// let mut world = World::of(lab);
    /// world.client("client", async {
    ///     TcpStream::connect("web:80").await?;
    ///     Ok(())
    /// });
    /// world.run()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of(lab: Lab) -> Self {
        Self::with(Plan::Lab(Box::new(lab)))
    }

    /// The same of the text of a lab file.
    ///
    /// # Errors
    /// All its mistakes at once.
    pub fn parse(lab: &str) -> Result<Self, Mistakes> {
        Lab::parse("lab", lab).map(Self::of)
    }

    fn with(plan: Plan) -> Self {
        Self {
            plan,
            run: None,
            programs: Vec::new(),
            board: Arc::default(),
            clients: Vec::new(),
            happened: Vec::new(),
            always: Vec::new(),
            failure: None,
            age: Age::Built,
            seen: None,
            trial: trial::take_part(),
        }
    }

    /// Runs a program on a host from the beginning, and anew whenever the host is restarted. It may run for ever; should it
    /// end with an error, the test has failed.
    ///
    /// A name that is new makes a host, where the world is not a lab and has not been played yet.
    pub fn host<F>(&mut self, host: &str, program: impl Fn() -> F + 'static)
    where
        F: Future<Output = super::Result> + 'static,
    {
        self.add(Program::again_and_again(host, program));
    }

    /// Runs a program on a host once. [`run`](Self::run) plays until all of them have ended; should one end with an error,
    /// the test has failed. With its host it dies, and is not begun again.
    ///
    /// A name that is new makes a host, where the world is not a lab and has not been played yet.
    pub fn client<F>(&mut self, host: &str, program: F)
    where
        F: Future<Output = super::Result> + 'static,
    {
        let (program, ending) = Program::once(host, program);
        self.clients.push(ending);
        self.add(program);
    }

    #[track_caller]
    fn add(&mut self, program: Program) {
        match &mut self.run {
            None => self.programs.push(program),
            Some(run) => {
                let station = station(run, program.host());
                program.install(&mut run.world, station, &self.board, self.age);
            }
        }
    }

    /// What is to hold at all times: `holds` is asked after every event, and says what it found where it does not.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU32, Ordering};
    /// static LEADERS: AtomicU32 = AtomicU32::new(0);
    /// let mut world = septet::test::World::new();
    /// world.always("one leader", || match LEADERS.load(Ordering::Relaxed) {
    ///     0 | 1 => Ok(()),
    ///     n => Err(format!("{n} leaders")),
    /// });
    /// ```
    pub fn always(&mut self, name: &str, holds: impl FnMut() -> Result<(), String> + 'static) {
        self.always.push(Invariant { name: name.to_owned(), holds: Box::new(holds) });
    }

    /// The lab as it runs, with its world, for whatever has no method here.
    #[track_caller]
    pub fn lab(&mut self) -> &mut Run {
        if self.run.is_none()
            && let Err(failure) = self.begin()
        {
            panic!("{failure}");
        }
        self.run.as_mut().expect("it was begun")
    }

    /// Builds the world, where that was not done.
    fn begin(&mut self) -> Result<(), Failure> {
        let lab_failure = |words: String| Failure::of(None, Instant::ZERO, What::Lab(words));
        let mut lab = match &self.plan {
            Plan::Lab(lab) => (**lab).clone(),
            Plan::Open(builder) => {
                let mut hosts: Vec<&str> = Vec::new();
                for program in &self.programs {
                    if !hosts.contains(&program.host()) {
                        hosts.push(program.host());
                    }
                }
                builder.with_hosts(&hosts).build().map_err(|mistakes| lab_failure(mistakes.to_string()))?
            }
        };
        let seed = match &self.trial {
            Some(part) => part.prepare(&mut lab).map_err(lab_failure)?,
            None => None,
        };
        let options = BuildOptions { seed, ..BuildOptions::default() };
        let mut run = lab.build(&options).map_err(|e| lab_failure(e.to_string()))?;
        for program in self.programs.drain(..) {
            let station = station(&run, program.host());
            program.install(&mut run.world, station, &self.board, Age::Built);
        }
        if let Some(part) = &mut self.trial {
            part.watch(&mut run);
        }
        let scripted = run.lab().faults.iter().map(|fault| Happened {
            text: fault.text.clone(),
            from: fault.at,
            until: fault.until,
            id: None,
        });
        self.happened = scripted.collect();
        self.run = Some(run);
        Ok(())
    }

    /// Plays until all clients have ended; to the lab's `stop` where it has none, or expects something of its run.
    ///
    /// # Errors
    /// The first thing that went wrong: a program that failed or panicked, an expectation of the lab that does not hold, or
    /// what was to hold [always](Self::always); a client that had not ended when the lab stopped.
    pub fn run(&mut self) -> Result<(), Failure> {
        let stop = self.begun()?.lab().stop;
        let judged = !self.begun()?.lab().expectations.is_empty();
        let goal = if self.clients.is_empty() || judged { Goal::Time } else { Goal::Clients };
        self.drive(stop, goal)?;
        let waiting: Vec<String> = self.clients.iter().filter(|c| !c.is_over()).map(|c| c.host.clone()).collect();
        if !waiting.is_empty() {
            return Err(self.fail(None, What::Unfinished(waiting)));
        }
        if judged {
            let failed = self.lab().outcome().verdicts.into_iter().find(|verdict| !verdict.held);
            if let Some(verdict) = failed {
                let found = verdict.found_in_words();
                return Err(self.fail(None, What::Expectation { name: verdict.name, text: verdict.text, found }));
            }
        }
        Ok(())
    }

    /// Plays up to the time `after` the beginning.
    ///
    /// # Errors
    /// What went wrong on the way.
    pub fn run_until(&mut self, after: Duration) -> Result<(), Failure> {
        self.begun()?;
        self.drive(Instant::ZERO + after, Goal::Time)
    }

    /// Plays for so long.
    ///
    /// # Errors
    /// What went wrong on the way.
    pub fn run_for(&mut self, time: Duration) -> Result<(), Failure> {
        let until = self.begun()?.world.now() + time;
        self.drive(until, Goal::Time)
    }

    /// Plays the next event, and tells whether there was one before the lab's `stop`.
    ///
    /// # Errors
    /// What went wrong in it.
    pub fn step(&mut self) -> Result<bool, Failure> {
        let stop = self.begun()?.lab().stop;
        self.check()?;
        self.age = Age::Played;
        let stepped = self.begun()?.world.step_until(stop);
        let went_on = stepped.map_err(|storm| self.storm(&storm))?;
        self.check()?;
        Ok(went_on)
    }

    /// Whether all clients have ended.
    pub fn is_over(&self) -> bool {
        self.clients.iter().all(|client| client.is_over())
    }

    fn begun(&mut self) -> Result<&mut Run, Failure> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        if self.run.is_none()
            && let Err(failure) = self.begin()
        {
            return Err(self.keep(failure));
        }
        Ok(self.run.as_mut().expect("it was begun"))
    }

    fn drive(&mut self, until: Instant, goal: Goal) -> Result<(), Failure> {
        // A shorter run than the test asks for is a part of it.
        let until = until.min(self.begun()?.lab().stop.max(self.lab().world.now()));
        self.age = Age::Played;
        loop {
            self.check()?;
            if goal == Goal::Clients && self.is_over() {
                return Ok(());
            }
            let stepped = self.lab().world.step_until(until);
            match stepped {
                Ok(true) => {}
                Ok(false) => {
                    let done = self.lab().world.run_until(until);
                    done.map_err(|storm| self.storm(&storm))?;
                    return self.check();
                }
                Err(storm) => return Err(self.storm(&storm)),
            }
        }
    }

    /// Does what programs asked for, and looks at what they told and at what is to hold always.
    #[inline]
    fn check(&mut self) -> Result<(), Failure> {
        while let Some(told) = self.board.take() {
            if let Some(failure) = told.failures.into_iter().next() {
                return Err(self.keep(failure));
            }
            told.wishes.into_iter().for_each(|wish| self.grant(wish));
        }
        if self.always.is_empty() {
            return Ok(());
        }
        let broken = self.always.iter_mut().find_map(|invariant| {
            let found = (invariant.holds)().err()?;
            Some(What::Invariant { name: invariant.name.clone(), found })
        });
        broken.map_or(Ok(()), |what| Err(self.fail(None, what)))
    }

    fn storm(&mut self, storm: &septet_engine::Storm) -> Failure {
        let words = self.lab().blame(storm);
        self.fail(None, What::Storm(words))
    }

    fn fail(&mut self, host: Option<String>, what: What) -> Failure {
        let at = self.lab().world.now();
        self.keep(Failure::of(host, at, what))
    }

    fn keep(&mut self, failure: Failure) -> Failure {
        self.failure.get_or_insert(failure).clone()
    }

    /// The virtual time that has passed.
    pub fn elapsed(&self) -> Duration {
        self.run.as_ref().map_or(Duration::ZERO, |run| run.world.now().saturating_since(Instant::ZERO))
    }

    /// The seed that everything random is drawn from.
    #[track_caller]
    pub fn seed(&mut self) -> u64 {
        self.lab().seed()
    }

    /// Random numbers of the test's own, drawn from the seed: to choose what goes wrong, for example.
    #[track_caller]
    pub fn rng(&mut self) -> Rng {
        self.lab().world.seed().stream("test")
    }

    /// The first address of a host.
    #[track_caller]
    pub fn address(&mut self, host: &str) -> IpAddr {
        let lab = self.lab().lab();
        let address = lab.node(host).and_then(|node| lab.address(node));
        address.unwrap_or_else(|| panic!("{}", no_host(lab, host)))
    }

    /// The disk of a host, as its programs see it by [`septet::fs`](crate::fs).
    #[track_caller]
    pub fn disk(&mut self, host: &str) -> &Disk {
        let run = self.lab();
        let station = station(run, host);
        run.world.station_mut::<Host>(station).expect("a host").disk()
    }

    /// What the programs of a host recorded: its services' metrics, and the test's own by [`record`](super::record).
    #[track_caller]
    pub fn metrics(&mut self, host: &str) -> Recorder {
        let run = self.lab();
        let station = station(run, host);
        run.world.station::<Host>(station).expect("a host").recorder()
    }

    /// What a host counted, by the names of `nstat`: `TcpRetransSegs`, `UdpInDatagrams`.
    #[track_caller]
    pub fn counter(&mut self, host: &str, name: &str) -> u64 {
        let run = self.lab();
        let station = station(run, host);
        let counters = run.world.station::<Host>(station).expect("a host").counters();
        counters.filter(|(known, _)| *known == name).map(|(_, n)| n).sum()
    }

    /// Whether an expectation, as a lab file has it, holds now: `client.http.ok >= 10`, `p99(app.echo.time) < 20ms`.
    ///
    /// # Panics
    /// Where it has a mistake.
    #[track_caller]
    pub fn judge(&mut self, expectation: &str) -> Verdict {
        match self.lab().judge(expectation) {
            Ok(verdict) => verdict,
            Err(mistakes) => panic!("{mistakes}"),
        }
    }

    /// What the run came to so far, the digest over every delivery included.
    #[track_caller]
    pub fn outcome(&mut self) -> Outcome {
        self.lab().outcome()
    }

    /// Everything that went wrong so far, or is to, in the order in which it was let happen.
    pub fn faults(&self) -> &[Happened] {
        &self.happened
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let Some(part) = self.trial.take() else { return };
        let Some(mut run) = self.run.take() else { return part.none(self.failure.take()) };
        let happened = core::mem::take(&mut self.happened);
        let outcome = run.outcome();
        let lab = run.lab().clone();
        // Programs end before what watched them does.
        drop(run);
        part.over(Came { lab, outcome, happened, failure: self.failure.take() });
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("run", &self.run).finish_non_exhaustive()
    }
}

#[track_caller]
pub(super) fn station(run: &Run, host: &str) -> StationId {
    let lab = run.lab();
    let node = lab.node(host).filter(|node| lab.nodes[*node].kind().has_addresses());
    node.and_then(|node| run.station(node)).unwrap_or_else(|| panic!("{}", no_host(lab, host)))
}

fn no_host(lab: &Lab, host: &str) -> String {
    let hosts = lab.nodes.iter().filter(|n| n.kind().has_addresses()).map(|n| n.name.clone());
    format!("no host `{host}` in this world; it has {}", hosts.collect::<Vec<_>>().join(", "))
}
