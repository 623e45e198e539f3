//! A lab that runs, and what its run came to.

use core::fmt;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use septet_application::programs::Captured;
use septet_capture::summary::{self, End, Summary};
use septet_capture::{Flow, LinkType, Names};
use septet_core::{EventId, Instant, Port as PortNumber, PortReport, Recorder, StationId, Storey};
use septet_engine::{Circle, Digest, LinkId, Stats, Storm, World};
use septet_host::Host;
use septet_language::mistake::Mistakes;
use septet_network::Cidr;
use septet_network::ip::Autoconf;
use septet_presentation::ca::{Authority, TrustStore};
use septet_service::RecordData;

use crate::expect::eval::Verdict;
use crate::expect::readings::Readings;
use crate::fault::board::{self, SharedBoard, Standing};
use crate::fault::damage::FaultId;
use crate::fault::kind::Fault;
use crate::lab::Lab;
use crate::model::address::link_local;
use crate::model::command::Schedule;
use crate::model::node::{ByItself, Node};
use crate::model::versions::Version;
use crate::model::whereabouts::Whereabouts;
use crate::stage::boot::Progress;

/// What a program printed.
#[derive(Clone, Debug)]
pub struct Output {
    /// The node, as an index into [`Lab::nodes`].
    pub node: usize,
    /// The command, as an index into the node's commands.
    pub command: usize,
    /// What it printed.
    pub console: Captured,
    /// How often it ran, and whether it still does.
    pub(crate) progress: Arc<Progress>,
}

/// A program that the end of the run cut off, or that never had its turn.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unfinished {
    /// The node's name.
    pub node: String,
    /// The command line, without its schedule.
    pub command: String,
    /// When it began; `None` where it waited for another program to end.
    pub since: Option<Instant>,
}

/// A lab that runs: its world, and what is kept for its end.
pub struct Run {
    pub(crate) lab: Lab,
    pub(crate) seed: u64,
    /// The world; monitors are added and time is moved here.
    pub world: World,
    pub(crate) places: Rc<Whereabouts>,
    pub(crate) board: SharedBoard,
    pub(crate) readings: Readings,
    pub(crate) authority: Option<Arc<Authority>>,
    pub(crate) outputs: Rc<RefCell<Vec<Output>>>,
    /// Whether the trace was told which programs the end cuts off.
    pub(crate) stop_told: bool,
}

impl Run {
    /// The lab.
    pub fn lab(&self) -> &Lab {
        &self.lab
    }

    /// The seed of this run.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The root certificate of the lab's authority as a PEM file, where a service speaks TLS.
    pub fn root_pem(&self) -> Option<&str> {
        self.authority.as_ref().map(|authority| authority.root_pem())
    }

    /// Whose certificates the lab's programs believe.
    pub fn trust(&self) -> TrustStore {
        self.authority.as_ref().map_or_else(TrustStore::empty, |authority| authority.trust_store())
    }

    /// The default gateways of a node, by its index in the lab: one of each version of IP at most.
    pub fn gateways(&self, node: usize) -> Vec<IpAddr> {
        self.lab.gateways(node)
    }

    /// The name servers that routers tell a node that configures itself, once it listens.
    pub fn name_servers_by_routers(&self, node: usize) -> Vec<IpAddr> {
        self.lab.name_servers_by_routers(node)
    }

    /// The station of a node, by its index in the lab.
    pub fn station(&self, node: usize) -> Option<StationId> {
        self.places.stations.get(node).copied()
    }

    /// The link in the world, by its index in the lab.
    pub fn link(&self, link: usize) -> Option<LinkId> {
        self.places.links.get(link).copied()
    }

    /// The recorders of hosts and routers, each with the node's name, in the order of the file.
    pub fn recorders(&self) -> impl Iterator<Item = (&str, &Recorder)> {
        let named = self.lab.nodes.iter().zip(&self.places.recorders);
        named.filter_map(|(node, recorder)| Some((node.name.as_str(), recorder.as_ref()?)))
    }

    /// What each program printed so far.
    pub fn outputs(&self) -> Vec<Output> {
        self.outputs.borrow().clone()
    }

    /// What runs at a node, by its name, in words: ``` `a` runs `iperf3 -c b` and `ping b` ```. Where it is a service that
    /// runs, its name is told.
    fn at_work(&self, node: usize) -> Option<String> {
        const MOST: usize = 4;
        let here = &self.lab.nodes[node];
        let outputs = self.outputs.borrow();
        let own = outputs.iter().filter(|output| output.node == node && output.progress.is_unfinished());
        let commands = own.filter_map(|output| Some(here.commands().get(output.command)?.line.clone()));
        let mut works: Vec<String> = commands.chain(here.services().iter().map(|s| s.name().to_owned())).collect();
        let more = works.len().saturating_sub(MOST);
        works.truncate(MOST);
        let works = works.iter().map(|work| format!("`{work}`")).collect::<Vec<_>>().join(", ");
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        (!works.is_empty()).then(|| format!("`{}` runs {works}{more}", here.name))
    }

    /// Who lets no time pass, in a sentence.
    pub fn blame(&self, storm: &Storm) -> String {
        let at = self.lab.node(&storm.station);
        let whole = storm.of == Circle::Programs;
        let others = (0..self.lab.nodes.len()).filter(|node| Some(*node) != at && !whole);
        let works: Vec<String> = at.into_iter().chain(others).filter_map(|node| self.at_work(node)).take(4).collect();
        format!("{storm}{}{}", if works.is_empty() { "" } else { "; " }, works.join("; "))
    }

    /// The node that holds most in memory, in a sentence that says what it runs.
    pub fn heaviest(&self) -> String {
        let weight = |node: usize| {
            let station = self.places.stations[node];
            let connections =
                self.world.station::<Host>(station).map_or(0, |host| host.connections(self.world.now()).len());
            let samples = self.places.recorders[node].as_ref().map_or(0, |recorder| {
                recorder.names().iter().filter_map(|name| recorder.series(name)).map(|s| s.samples().len()).sum()
            });
            // A connection is some kilobytes, a sample a time and a value.
            connections * 8192 + samples * size_of::<septet_core::Sample>()
        };
        let outputs = self.outputs.borrow();
        let printed = |node: usize| -> usize {
            let own = outputs.iter().filter(|output| output.node == node);
            own.map(|output| output.console.output().len() + output.console.errors().len()).sum()
        };
        let heaviest = (0..self.lab.nodes.len()).max_by_key(|node| weight(*node) + printed(*node));
        let Some(node) = heaviest else { return "nobody".to_owned() };
        self.at_work(node).unwrap_or_else(|| format!("`{}`", self.lab.nodes[node].name))
    }

    /// What everything is called, for captures and stories.
    pub fn names(&self) -> Names {
        let mut names = Names::new();
        for (node, &station) in self.lab.nodes.iter().zip(&self.places.stations) {
            names.station(station, &node.name);
            for (number, port) in node.ports.iter().enumerate() {
                let number = PortNumber(number as u16);
                if node.kind().has_addresses() {
                    names.mac(station, number, port.mac);
                }
                for cidr in port.addresses.iter().chain(&port.by_itself.learned) {
                    names.address(station, number, cidr.addr());
                }
                let speaks_v6 = |addresses: &[Cidr], own: &ByItself| {
                    own.autoconf == Autoconf::On || addresses.iter().any(|cidr| cidr.addr().is_ipv6())
                };
                if speaks_v6(&port.addresses, &port.by_itself) {
                    names.address(station, number, link_local(port.mac).into());
                }
            }
        }
        for (link, cables) in self.lab.links.iter().zip(&self.places.cables) {
            let ends = link.ends.map(|end| (self.places.stations[end.node], PortNumber(end.port)));
            names.link(ends[0], ends[1], &link.name);
            for (end, cable) in ends.into_iter().zip(cables) {
                let port = names.port(end.0, end.1);
                port.speed = cable.medium.rate.map(|r| r.bits_per_sec());
                if cable.serial.is_some() {
                    port.link_type = LinkType::SERIAL;
                }
            }
        }
        for service in self.lab.nodes.iter().flat_map(Node::services) {
            for (name, data) in service.names() {
                let addresses = match data {
                    RecordData::Host(node) => first_of_each(&self.lab.nodes[node]),
                    RecordData::Address(address) => vec![address],
                    _ => Vec::new(),
                };
                for address in addresses {
                    names.alias(address, name.clone());
                }
            }
        }
        names
    }

    /// Plays up to the lab's `stop`.
    ///
    /// # Errors
    /// [`Storm`] where an instant does not end.
    pub fn play(&mut self) -> Result<(), Storm> {
        self.world.run_until(self.lab.stop)
    }

    /// Lets a fault happen, its times counted from now.
    pub fn inject(&mut self, fault: &Fault) -> FaultId {
        let now = self.world.now();
        board::schedule(&self.board, &mut self.world, fault, now)
    }

    /// Ends a fault before its time, or calls one off that has not begun; tells whether there was anything to end.
    pub fn cancel(&mut self, id: FaultId) -> bool {
        board::cancel(&self.board, &mut self.world, id)
    }

    /// The faults in effect and those to come, the file's and those let happen since, in the order of their numbers.
    pub fn faults(&self) -> Vec<(FaultId, String, Standing)> {
        let board = self.board.borrow();
        board.faults().map(|(id, fault, standing)| (id, fault.text.clone(), standing)).collect()
    }

    /// The programs that have not ended, in the order of the file.
    pub fn unfinished(&self) -> Vec<(StationId, Unfinished)> {
        let outputs = self.outputs.borrow();
        let mut unfinished = Vec::new();
        let mut waits = false;
        for Output { node, command, progress, .. } in outputs.iter() {
            let (Some(n), Some(&station)) = (self.lab.nodes.get(*node), self.places.stations.get(*node)) else {
                continue;
            };
            let Some(c) = n.commands().get(*command) else { continue };
            let mut add = |since| {
                let (node, command) = (n.name.clone(), c.line.clone());
                unfinished.push((station, Unfinished { node, command, since }));
            };
            let running = progress.running();
            let follows = matches!(c.schedule, Schedule::Then(_));
            if follows && waits && progress.started() == 0 {
                add(None);
            }
            running.iter().for_each(|since| add(Some(*since)));
            waits = !running.is_empty() || follows && waits;
        }
        unfinished
    }

    /// Tells the trace which programs the end of the run cuts off.
    fn tell_unfinished(&mut self) -> Vec<Unfinished> {
        let unfinished = self.unfinished();
        let (now, told) = (self.world.now(), core::mem::replace(&mut self.stop_told, true));
        for (station, Unfinished { command, since, .. }) in unfinished.iter().filter(|_| !told) {
            self.world.emit(Some(*station), Storey::Application, "program.unfinished", EventId::NONE, |f| {
                f.set("command", command.clone());
                match since {
                    Some(since) => f.set("ran", now - *since),
                    None => f.set("why", "the program before it has not ended"),
                };
            });
        }
        unfinished.into_iter().map(|(_, program)| program).collect()
    }

    /// Whether an expectation, as a file's `[expect]` has it, holds now.
    ///
    /// # Errors
    /// What is wrong with it; see [`Lab::expectation`].
    pub fn judge(&mut self, text: &str) -> Result<Verdict, Mistakes> {
        let expectation = self.lab.expectation(text)?;
        let observed = self.readings.at_end(&mut self.world, &self.places);
        Ok(expectation.verdict(&observed))
    }

    /// What the run came to so far. The first call tells the trace which programs have not ended.
    pub fn outcome(&mut self) -> Outcome {
        let end = if self.world.now() >= self.lab.stop { End::Stop } else { End::Interrupted };
        let unfinished = self.tell_unfinished();
        let verdicts = {
            let observed = self.readings.at_end(&mut self.world, &self.places);
            self.lab.expectations.iter().map(|e| e.verdict(&observed)).collect()
        };
        let mut counters = BTreeMap::new();
        let mut ports = BTreeMap::new();
        for (node, &station) in self.lab.nodes.iter().zip(&self.places.stations) {
            let mut counted: BTreeMap<&'static str, u64> = BTreeMap::new();
            self.world.show_counters(station, &mut |name, n| *counted.entry(name).or_default() += n);
            counted.retain(|_, n| *n > 0);
            counters.insert(node.name.clone(), counted);
            for number in 0..node.ports.len() as u16 {
                if let Some(counted) = self.world.port_report(station, PortNumber(number)) {
                    ports.insert(format!("{} eth{number}", node.name), counted);
                }
            }
        }
        Outcome {
            lab: self.lab.name.clone(),
            seed: self.seed,
            epoch: self.lab.epoch,
            at: self.world.now(),
            end,
            digest: self.world.digest(),
            stats: self.world.stats(),
            transmissions: self.world.transmissions(),
            verdicts,
            recorders: self.recorders().map(|(name, r)| (name.to_owned(), r.clone())).collect(),
            counters,
            ports,
            unfinished,
        }
    }

    /// Plays to the end and tells what the run came to.
    ///
    /// # Errors
    /// [`Storm`] where an instant does not end.
    pub fn finish(mut self) -> Result<Outcome, Storm> {
        self.play()?;
        Ok(self.outcome())
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("lab", &self.lab.name).field("now", &self.world.now()).finish_non_exhaustive()
    }
}

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The lab's name.
    pub lab: String,
    /// The seed.
    pub seed: u64,
    /// The civil time at which virtual time began, as the time since 1970.
    pub epoch: core::time::Duration,
    /// The virtual time at which it ended.
    pub at: Instant,
    /// Why it ended.
    pub end: End,
    /// Over every delivery: time, port and bytes.
    pub digest: Digest,
    /// What the world did.
    pub stats: Stats,
    /// Frames whose transmission began, over all links.
    pub transmissions: u64,
    /// What was found for each expectation.
    pub verdicts: Vec<Verdict>,
    /// What the programs of each host recorded.
    pub recorders: Vec<(String, Recorder)>,
    /// What each node counted as a whole, hosts by the names of `nstat`; what is zero is left out.
    pub counters: BTreeMap<String, BTreeMap<&'static str, u64>>,
    /// What each port counted, by node and port: `client eth0`.
    pub ports: BTreeMap<String, PortReport>,
    /// Programs that had not ended, in the order of the file.
    pub unfinished: Vec<Unfinished>,
}

impl Outcome {
    /// Whether every expectation held.
    pub fn ok(&self) -> bool {
        self.verdicts.iter().all(|v| v.held)
    }

    /// The outcome as `summary.json` has it, with the flows that a monitor counted.
    pub fn summary(&self, flows: Vec<Flow>, packets_of_other_flows: u64) -> Summary {
        let Self {
            lab,
            seed,
            epoch,
            at,
            end,
            digest,
            stats,
            transmissions,
            verdicts,
            recorders,
            counters,
            ports,
            unfinished,
        } = self;
        let mut nodes: BTreeMap<String, BTreeMap<String, summary::Metric>> = BTreeMap::new();
        for (name, recorder) in recorders {
            nodes.insert(name.clone(), summary::metrics(recorder));
        }
        let world = [
            ("events".to_owned(), stats.events),
            ("deliveries".to_owned(), stats.deliveries),
            ("transmissions".to_owned(), *transmissions),
        ];
        let owned = |counted: &BTreeMap<&str, u64>| counted.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect();
        Summary {
            septet: "run",
            version: summary::VERSION,
            lab: lab.clone(),
            seed: *seed,
            epoch_s: epoch.as_secs_f64(),
            end_s: at.as_secs_f64(),
            end: *end,
            digest: digest.to_string(),
            world: world.into(),
            nodes,
            ports: ports.iter().map(|(name, counted)| (name.clone(), counted.iter().collect())).collect(),
            counters: counters.iter().map(|(node, counted)| (node.clone(), owned(counted))).collect(),
            flows,
            packets_of_other_flows,
            unfinished: unfinished
                .iter()
                .map(|u| summary::Unfinished {
                    node: u.node.clone(),
                    command: u.command.clone(),
                    since_s: u.since.map(|at| at.as_secs_f64()),
                })
                .collect(),
            expectations: verdicts
                .iter()
                .map(|v| summary::Expectation {
                    name: v.name.clone(),
                    expression: v.text.clone(),
                    ok: v.held,
                    found: v.found_in_words(),
                })
                .collect(),
            ok: self.ok(),
        }
    }
}

/// A node's first address of each version of IP.
fn first_of_each(node: &Node) -> Vec<IpAddr> {
    let first =
        |version| node.known_addresses().map(|cidr| cidr.addr()).find(|address| Version::of(*address) == version);
    Version::ALL.into_iter().filter_map(first).collect()
}
