//! A lab that is up: the pump, the forwards, the doors, the places that real programs took, and the control socket.

mod children;
mod console;
mod descriptors;
mod doors;
mod places;

use std::cell::{Cell, RefCell};
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use septet_application::programs::{self, Context};
use septet_core::{Instant, StationId};
use septet_host::Host;
use septet_lab::{FaultId, HostSpec, Mistake, Mistakes, NodeKind, Outcome, Run, Standing};
use septet_socket::NetRef;
use tokio::task::{LocalSet, spawn_local};

use crate::clock::Lag;
use crate::control::{self, Answer, FaultState, Handler, Reply, Request, Server, Status};
use crate::forward::{ForwardCounters, ForwardSpec, Forwarder};
use crate::pump::{Failure, LATE, Pump};
use crate::secret::LiveRun;
use children::Children;
use console::{Piece, Stream};
use descriptors::Before;
use places::Places;

/// What a live lab is given beside its file.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What it is called on the control socket; the lab's own name where this is absent.
    pub name: Option<String>,
    /// Port forwards.
    pub forwards: Vec<ForwardSpec>,
    /// Hosts whose place a TAP interface takes, beside those of the lab file: `(host, interface)`.
    pub taps: Vec<(String, String)>,
    /// Ends the lab at the first event that is later than this.
    pub max_lag: Option<Duration>,
}

/// Why a live lab ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// The lab's `stop` was reached.
    Stop,
    /// A client of the control socket asked for it.
    Told,
    /// `quit` completed: the user interrupted it.
    Quit,
    /// An event was later than [`Options::max_lag`].
    Late {
        /// When it was due.
        at: Instant,
        /// How late it was.
        lag: Duration,
    },
}

/// How a live lab ended.
#[derive(Debug)]
pub struct Ended {
    /// Why.
    pub ending: Ending,
    /// How late events were, of those at which the clock was looked at.
    pub lag: Lag,
    /// How much time the lab's clock lost against the machine's.
    pub lost: Duration,
    /// What the run came to.
    pub outcome: Outcome,
    /// What the forwards carried, in their order.
    pub forwards: Vec<(ForwardSpec, ForwardCounters)>,
}

/// A lab that is up.
pub struct Up {
    pump: Pump,
    name: String,
    /// Node names and stations, by the index of the node.
    nodes: Vec<(String, NodeKind, StationId)>,
    forwards: RefCell<Vec<OpenForward>>,
    places: Places,
    children: Children,
}

struct OpenForward {
    spec: ForwardSpec,
    listen: SocketAddr,
    from: String,
    counters: Rc<Cell<ForwardCounters>>,
}

impl Up {
    /// Puts a lab on the wall clock. Every door is open when this returns.
    /// The process may open as many descriptors as its hard limit allows from then on.
    /// `ready` is then told where; the lab runs until its `stop`, until `quit` completes, or until it is told to stop.
    ///
    /// # Errors
    /// Where a port, an interface or the control socket cannot be had, with the reason; [`Failure`] as `Other`.
    pub async fn run(
        run: LiveRun,
        options: Options,
        ready: impl FnOnce(&Status),
        quit: impl Future<Output = ()>,
    ) -> io::Result<Ended> {
        let end = run.lab().stop;
        let tasks = LocalSet::new();
        let this = Rc::new(Self::new(run.into_inner(), options.name, descriptors::raise()));
        if let Some(max_lag) = options.max_lag {
            this.pump.insist(max_lag);
        }
        let result = tasks
            .run_until(async {
                let server = Server::bind(&this.name)?;
                this.open(&options.forwards, &options.taps).await?;
                let watched = this.clone();
                spawn_local(async move { watched.children.watch().await });
                ready(&this.status());
                let handler = this.clone();
                let mut control = spawn_local(async move { server.serve(handler).await });
                let warn = this.clone();
                let watch = spawn_local(async move { warn.watch_the_clock().await });
                let result = tokio::select! {
                    played = this.pump.run(end) => match played {
                        Ok(()) if this.pump.now() < end => Ok(Ending::Told),
                        Ok(()) => Ok(Ending::Stop),
                        Err(Failure::Late { at, lag }) => Ok(Ending::Late { at, lag }),
                        Err(Failure::Io(e)) => Err(e),
                        Err(storm) => Err(io::Error::other(storm)),
                    },
                    () = quit => Ok(Ending::Quit),
                    died = &mut control => match died {
                        Ok(Err(e)) => Err(e),
                        _ => Ok(Ending::Told),
                    },
                };
                watch.abort();
                control.abort();
                result
            })
            .await;
        // Tasks hold sockets, TAPs and handles of the pump.
        drop(tasks);
        this.children.end();
        let ending = result?;
        let forwards = this.forwards.borrow().iter().map(|f| (f.spec.clone(), f.counters.get())).collect();
        let outcome = this
            .pump
            .with_holder(|run: &mut Run| run.outcome())
            .ok_or_else(|| io::Error::other("the pump holds a run"))?;
        Ok(Ended { ending, lag: this.pump.lag(), lost: this.pump.lost(), outcome, forwards })
    }

    fn new(run: Run, name: Option<String>, before: Before) -> Self {
        let lab = run.lab();
        let station = |(index, node): (usize, &septet_lab::Node)| {
            run.station(index).map(|station| (node.name.clone(), node.kind(), station))
        };
        let nodes = lab.nodes.iter().enumerate().filter_map(station).collect();
        let name = name.unwrap_or_else(|| lab.name.clone());
        let pump = Pump::new(run);
        Self {
            places: Places::new(pump.clone()),
            pump,
            name,
            nodes,
            forwards: RefCell::default(),
            children: Children::new(before),
        }
    }

    /// Opens everything that the file and the command line ask for.
    async fn open(&self, forwards: &[ForwardSpec], taps: &[(String, String)]) -> io::Result<()> {
        let mut wanted: Vec<(String, String)> = Vec::new();
        let mut commands: Vec<(String, String)> = Vec::new();
        let mut doors = Vec::new();
        self.pump.with_holder(|run: &mut Run| {
            for node in &run.lab().nodes {
                let spec = node.spec.host();
                let tap = spec.and_then(|host| host.tap.clone());
                let exec = spec.and_then(|host| host.exec.clone());
                wanted.extend(tap.map(|tap| (node.name.clone(), tap)));
                commands.extend(exec.map(|command| (node.name.clone(), command)));
                doors.extend(doors::of(node).map(|door| (node.name.clone(), door)));
            }
        });
        for (host, tap) in wanted.iter().chain(taps) {
            let node = self.host(host)?;
            self.places.open_tap(node, self.nodes[node].2, tap)?;
        }
        for spec in forwards {
            self.forward(spec).await?;
        }
        for (host, (port, target)) in doors {
            let (station, net) = self.net(self.host(&host)?)?;
            doors::open(&self.pump, station, net, port, target)?;
        }
        for (host, command) in commands {
            self.host(&host)?;
            self.children.start(&self.name, &host, &command)?;
        }
        Ok(())
    }

    /// The index of the host called `name`.
    fn host(&self, name: &str) -> io::Result<usize> {
        let found = self.nodes.iter().position(|(n, kind, _)| n == name && *kind != NodeKind::Switch);
        found.ok_or_else(|| {
            let hosts: Vec<&str> = self
                .nodes
                .iter()
                .filter(|(_, kind, _)| *kind != NodeKind::Switch)
                .map(|(n, _, _)| n.as_str())
                .collect();
            io::Error::new(
                io::ErrorKind::NotFound,
                format!("no host `{name}` in this lab; it has {}", hosts.join(", ")),
            )
        })
    }

    /// The station of a host and its network.
    fn net(&self, node: usize) -> io::Result<(StationId, NetRef)> {
        let (name, _, station) = &self.nodes[node];
        let net = self.pump.with(|world| world.station::<Host>(*station).map(Host::net));
        let net = net.ok_or_else(|| io::Error::other(format!("a real program has taken the place of `{name}`")))?;
        Ok((*station, net))
    }

    /// Where connections of a forward to `target` come from, where nobody says: the first host, in the order of the
    /// file, that offers nothing.
    fn origin(&self, target: usize) -> io::Result<usize> {
        let origin = self.pump.with_holder(|run: &mut Run| {
            let nodes = run.lab().nodes.iter().enumerate();
            nodes
                .filter(|(index, node)| {
                    let idle =
                        |host: &HostSpec| host.stack.services.is_empty() && host.exec.is_none() && host.tap.is_none();
                    *index != target && node.spec.host().is_some_and(idle)
                })
                .map(|(index, _)| index)
                .next()
        });
        origin.flatten().ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::NotFound,
                "every other host of this lab offers a service; say where connections come from: 8443:lb:443@HOST",
            )
        })
    }

    /// Opens a forward and lets it run.
    async fn forward(&self, spec: &ForwardSpec) -> io::Result<control::Forward> {
        let target = self.host(&spec.host)?;
        let from = match &spec.from {
            Some(name) => self.host(name)?,
            None => self.origin(target)?,
        };
        let wanted = spec.listen.is_ipv4();
        let address = self.pump.with_holder(|run: &mut Run| reachable(run.lab(), from, target, wanted)).flatten();
        let address = address.ok_or_else(|| {
            io::Error::other(format!("`{}` has no address that `{}` can reach", spec.host, self.nodes[from].0))
        })?;
        let (station, net) = self.net(from)?;
        let to = SocketAddr::new(address, spec.port);
        let forwarder = Forwarder::open(spec.protocol, spec.listen, to, station, net, self.pump.clone()).await?;
        let open = OpenForward {
            spec: spec.clone(),
            listen: forwarder.local_addr()?,
            from: self.nodes[from].0.clone(),
            counters: forwarder.counters(),
        };
        let described = open.describe();
        self.forwards.borrow_mut().push(open);
        spawn_local(async move {
            if let Err(e) = forwarder.run().await {
                eprintln!("septet: a forward has ended: {e}");
            }
        });
        Ok(described)
    }

    fn status(&self) -> Status {
        let lag = self.pump.lag();
        let hosts = self.pump.with_holder(|run: &mut Run| {
            let addresses = |n: &septet_lab::Node| n.known_addresses().map(|cidr| cidr.addr()).collect::<Vec<_>>();
            let all = run.lab().nodes.iter().map(|n| (n.name.clone(), addresses(n)));
            all.filter(|(_, addresses)| !addresses.is_empty()).collect()
        });
        Status {
            version: control::VERSION,
            lab: self.name.clone(),
            pid: std::process::id(),
            time: self.pump.now().as_secs_f64(),
            lag_max: lag.max().as_secs_f64(),
            lag_p99: lag.quantile(0.99).as_secs_f64(),
            lost: self.pump.lost().as_secs_f64(),
            hosts: hosts.unwrap_or_default(),
            forwards: self.forwards.borrow().iter().map(OpenForward::describe).collect(),
            faults: self.pump.with_holder(|run: &mut Run| run.faults()).into_iter().flatten().map(described).collect(),
        }
    }

    /// Says so when the machine does not keep up; once a second at most, and seldom where it goes on.
    async fn watch_the_clock(&self) {
        let (mut told, mut told_lost) = (LATE, Duration::ZERO);
        // Whoever has closed stderr does not want to know.
        let tell = |text: String| drop(writeln!(io::stderr(), "septet: this machine does not keep up: {text}"));
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let (max, lost) = (self.pump.lag().max(), self.pump.lost());
            if max > told {
                tell(format!("an event was {:.1} ms late", max.as_secs_f64() * 1e3));
                told = max * 2;
            }
            if lost - told_lost > LATE.max(told_lost / 10) {
                tell(format!(
                    "the lab's clock has lost {:.2} s against the wall's; what takes a second of the lab takes longer, so \
                     rates are lower and delays longer than its file says",
                    lost.as_secs_f64()
                ));
                told_lost = lost;
            }
        }
    }

    fn fault(&self, text: &str) -> Result<Reply, String> {
        let happens = self.pump.with_holder(|run: &mut Run| {
            let fault = run.lab().fault(text).map_err(|mistakes| in_words(&mistakes))?;
            Ok(Reply::Fault { id: run.inject(&fault).number(), after: fault.at.as_secs_f64() })
        });
        happens.unwrap_or_else(|| Err("there is no lab".to_owned()))
    }

    fn undo(&self, id: u64) -> Result<(), String> {
        let undone = self.pump.with_holder(|run: &mut Run| {
            let found = run.faults().into_iter().map(|(id, ..)| id).find(|known: &FaultId| known.number() == id);
            found.is_some_and(|id| run.cancel(id))
        });
        match undone {
            Some(true) => Ok(()),
            _ => Err(format!("no fault {id} is in force or to come; `septet status` lists those that are")),
        }
    }

    /// Runs a built-in program on a host and passes its output on as it comes.
    async fn program(&self, host: &str, argv: Vec<String>, answer: &mut Answer) -> io::Result<Reply> {
        let (station, net) = match self.host(host).and_then(|node| self.net(node)) {
            Ok(found) => found,
            Err(e) => return Ok(Reply::Error { text: e.to_string() }),
        };
        let trust = self.pump.with_holder(|run: &mut Run| run.trust());
        let Some(trust) = trust else { return Ok(Reply::Error { text: "there is no lab".to_owned() }) };
        let (console, mut output) = Stream::new();
        let context = Context { net, console, trust };
        let mut program = self.pump.drive(station, programs::launch(context, argv));
        loop {
            // The client's going ends the program: it is dropped with this future.
            let piece = tokio::select! {
                biased;
                Some(piece) = output.recv() => piece,
                code = &mut program => {
                    while let Ok(piece) = output.try_recv() {
                        answer.reply(&piece.into_reply()).await?;
                    }
                    return Ok(Reply::Exit { code });
                }
                () = answer.gone() => return Err(io::ErrorKind::BrokenPipe.into()),
            };
            answer.reply(&piece.into_reply()).await?;
        }
    }
}

impl Handler for Up {
    async fn handle(self: Rc<Self>, request: Request, answer: &mut Answer) -> io::Result<()> {
        let or_error = |result: Result<Reply, String>| result.unwrap_or_else(|text| Reply::Error { text });
        let reply = match request {
            Request::Status {} => Reply::Status(Box::new(self.status())),
            Request::Fault { text } => or_error(self.fault(&text)),
            Request::Undo { id } => or_error(self.undo(id).map(|()| Reply::Ok)),
            Request::Run { host, argv } => self.program(&host, argv, answer).await?,
            Request::Plug { host } => match self.host(&host) {
                Ok(node) => return self.places.plug(node, self.nodes[node].2, answer).await,
                Err(e) => Reply::Error { text: e.to_string() },
            },
            Request::Forward { spec } => match spec.parse::<ForwardSpec>() {
                Ok(spec) => match self.forward(&spec).await {
                    Ok(forward) => Reply::Forward(forward),
                    Err(e) => Reply::Error { text: e.to_string() },
                },
                Err(e) => Reply::Error { text: e.to_string() },
            },
            Request::Stop {} => {
                self.pump.stop();
                Reply::Ok
            }
        };
        answer.reply(&reply).await
    }
}

/// A fault as the control socket tells of it.
fn described((id, text, standing): (FaultId, String, Standing)) -> control::Fault {
    let (state, at, until) = match standing {
        Standing::Pending { at } => (FaultState::Pending, Some(at), None),
        Standing::InForce { until } => (FaultState::InForce, None, until),
    };
    let seconds = |at: Instant| at.as_secs_f64();
    control::Fault { id: id.number(), text, state, at: at.map(seconds), until: until.map(seconds) }
}

/// Mistakes on one line: `no link is called `x--y`; did you mean …`.
fn in_words(mistakes: &Mistakes) -> String {
    let words = |m: &Mistake| match m.mend() {
        Some(mend) => format!("{}; {mend}", m.reason()),
        None => m.reason().to_owned(),
    };
    mistakes.iter().map(words).collect::<Vec<_>>().join("; ")
}

impl OpenForward {
    fn describe(&self) -> control::Forward {
        control::Forward {
            from: format!("{} {}", self.spec.protocol.as_str(), self.listen),
            to: format!("{}:{} from {}", self.spec.host, self.spec.port, self.from),
        }
    }
}

impl Piece {
    fn into_reply(self) -> Reply {
        match self {
            Self::Out(text) => Reply::Out { text },
            Self::Err(text) => Reply::Err { text },
        }
    }
}

impl std::fmt::Debug for Up {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Up").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The address at which one host of a lab reaches another: of the version of IP that is wanted, where both speak that.
fn reachable(lab: &septet_lab::Lab, from: usize, target: usize, v4: bool) -> Option<IpAddr> {
    let own: Vec<IpAddr> = lab.nodes[from].known_addresses().map(|cidr| cidr.addr()).collect();
    let common = lab.nodes[target].known_addresses().map(|cidr| cidr.addr()).filter(|there| {
        // To itself a host speaks, too.
        from == target || own.iter().any(|here| here.is_ipv4() == there.is_ipv4())
    });
    common.min_by_key(|there| there.is_ipv4() != v4)
}
