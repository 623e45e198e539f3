//! What a host does when it boots: its services and its programs.

use core::fmt;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use septet_application::dhcp;
use septet_application::programs::{self, Console, Context};
use septet_core::{Instant, Storey};
use septet_network::{Cidr, Prefix};
use septet_presentation::ca::{Authority, TrustStore};
use septet_service::{Boot, HostId, Site, tell_beginning};
use septet_socket::{BoxFuture, NetExt, NetRef};

use crate::lab::Lab;
use crate::model::command::{Command, Schedule};
use crate::model::node::Node;
use crate::model::topology::DOMAIN;

/// Where the services of one node start.
pub(crate) struct Stage<'a> {
    pub(crate) lab: &'a Lab,
    pub(crate) node: usize,
    /// The lab's certificate authority, where any service needs it.
    pub(crate) authority: Option<&'a Arc<Authority>>,
    /// The other authorities, by name.
    pub(crate) others: &'a BTreeMap<String, Authority>,
}

impl Site for Stage<'_> {
    fn here(&self) -> HostId {
        self.node
    }

    fn name(&self, host: HostId) -> String {
        self.lab.nodes[host].name.clone()
    }

    fn addresses(&self, host: HostId) -> Vec<IpAddr> {
        self.lab.nodes[host].known_addresses().map(|cidr| cidr.addr()).collect()
    }

    fn links(&self, host: HostId) -> Vec<Cidr> {
        self.lab.nodes[host].addresses().collect()
    }

    fn link_of(&self, address: IpAddr) -> Option<(Prefix, Vec<IpAddr>)> {
        let all = self.lab.nodes.iter().flat_map(|node| node.addresses().map(move |cidr| (node.kind(), cidr)));
        let near: Vec<_> = all.filter(|(_, cidr)| cidr.prefix().contains(address)).collect();
        let (_, first) = near.first()?;
        let mut routers: Vec<IpAddr> =
            near.iter().filter(|(kind, _)| kind.routes()).map(|(_, cidr)| cidr.addr()).collect();
        // As for hosts with addresses of their own, the router with the lowest address is the first choice.
        routers.sort_unstable();
        Some((first.prefix(), routers))
    }

    fn name_servers(&self) -> Vec<IpAddr> {
        let all = self.lab.resolvers().into_iter();
        all.flat_map(|node| self.lab.nodes[node].addresses().map(|cidr| cidr.addr()).collect::<Vec<_>>()).collect()
    }

    fn name_tellers(&self) -> Vec<IpAddr> {
        let tell = |node: &&Node| node.services().iter().any(|service| service.tells_names());
        self.lab.nodes.iter().filter(tell).flat_map(Node::known_addresses).map(|cidr| cidr.addr()).collect()
    }

    fn domain(&self) -> Option<(&str, Vec<HostId>)> {
        Some((DOMAIN, (0..self.lab.nodes.len()).collect()))
    }

    fn authority(&self) -> Option<&Authority> {
        self.authority.map(|authority| &**authority)
    }

    fn shared_authority(&self) -> Option<Arc<Authority>> {
        self.authority.cloned()
    }

    fn other_authority(&self, name: &str) -> Option<&Authority> {
        self.others.get(name)
    }
}

/// Where the output of a program goes, and how far it is, by the number of its node and of its command.
pub(crate) type Consoles = Rc<dyn Fn(usize, usize) -> (Arc<dyn Console>, Arc<Progress>)>;

/// How far a command is. It may run several times, and at once.
#[derive(Debug, Default)]
pub(crate) struct Progress(Mutex<Runs>);

#[derive(Debug, Default)]
struct Runs {
    started: u64,
    /// When those began that still run.
    running: Vec<Instant>,
    /// How many ended with their host, and not by themselves.
    cut: u64,
}

impl Progress {
    /// How often it was started.
    pub(crate) fn started(&self) -> u64 {
        self.lock().started
    }

    /// When each run began that has not ended.
    pub(crate) fn running(&self) -> Vec<Instant> {
        self.lock().running.clone()
    }

    /// Whether one runs, or did until its host had to end it.
    pub(crate) fn is_unfinished(&self) -> bool {
        let runs = self.lock();
        runs.cut > 0 || !runs.running.is_empty()
    }

    fn begin(self: &Arc<Self>, at: Instant) -> Running {
        let mut runs = self.lock();
        runs.started += 1;
        runs.running.push(at);
        Running { progress: self.clone(), at, end: End::Cut }
    }

    fn lock(&self) -> MutexGuard<'_, Runs> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A run of a command; it has ended when this is dropped, be it because the host was switched off.
struct Running {
    progress: Arc<Progress>,
    at: Instant,
    end: End,
}

/// How a run of a command ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// By itself.
    Own,
    /// With its host.
    Cut,
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut runs = self.progress.lock();
        runs.cut += u64::from(self.end == End::Cut);
        if let Some(at) = runs.running.iter().position(|at| *at == self.at) {
            runs.running.remove(at);
        }
    }
}

/// Lets the interfaces of a host ask for their addresses by DHCP.
pub(crate) fn clients(devices: Vec<String>) -> Option<Boot> {
    if devices.is_empty() {
        return None;
    }
    let devices: Vec<(String, dhcp::Memory)> =
        devices.into_iter().map(|name| (name, dhcp::Memory::default())).collect();
    Some(Box::new(move |net| {
        tell_beginning(&net);
        for (device, memory) in &devices {
            let (own, device, memory) = (net.clone(), device.clone(), memory.clone());
            let _ = net.spawn(Box::pin(async move {
                let ended = match dhcp::Client::new(own.clone(), &device, memory) {
                    Ok(client) => client.run().await,
                    Err(error) => Err(error),
                };
                if let Err(error) = ended {
                    own.trace(Storey::Application, "dhcp.failed", |f| {
                        f.set("interface", device).set("why", error.to_string());
                    });
                }
            }));
        }
    }))
}

/// Starts the programs of a host at their times.
pub(crate) fn programs(node: usize, commands: &[Command], trust: &TrustStore, consoles: &Consoles) -> Option<Boot> {
    if commands.is_empty() {
        return None;
    }
    // A chain is a command and those that follow it with `then`.
    let mut chains: Vec<Vec<Ready>> = Vec::new();
    for (number, command) in commands.iter().enumerate() {
        let (console, progress) = consoles(node, number);
        let ready = Ready { command: Arc::new(command.clone()), console, progress };
        match chains.last_mut() {
            Some(chain) if matches!(command.schedule, Schedule::Then(_)) => chain.push(ready),
            _ => chains.push(vec![ready]),
        }
    }
    let chains: Vec<Arc<[Ready]>> = chains.into_iter().map(Arc::from).collect();
    let trust = trust.clone();
    Some(Box::new(move |net| {
        for chain in &chains {
            let _ = net.spawn(run(net.clone(), trust.clone(), chain.clone()));
        }
    }))
}

/// A command and where its output goes.
struct Ready {
    command: Arc<Command>,
    console: Arc<dyn Console>,
    progress: Arc<Progress>,
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.command.fmt(f)
    }
}

/// Runs a chain at the time of its first command.
fn run(net: NetRef, trust: TrustStore, chain: Arc<[Ready]>) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        match chain[0].command.schedule {
            Schedule::Boot | Schedule::Then(_) => once(net, trust, chain).await,
            // After a crash only what is still to come.
            Schedule::At(at) if at >= net.now() => {
                net.sleep_until(at).await;
                once(net, trust, chain).await;
            }
            Schedule::At(_) => {}
            Schedule::Every { period, from, until } => {
                let mut next = from;
                let missed = net.now().saturating_since(from).as_nanos().div_ceil(period.as_nanos().max(1));
                next += period.saturating_mul(u32::try_from(missed).unwrap_or(u32::MAX));
                while next < until && next < Instant::FAR_FUTURE {
                    net.sleep_until(next).await;
                    let _ = net.spawn(once(net.clone(), trust.clone(), chain.clone()));
                    next += period;
                }
            }
        }
    })
}

/// Runs the commands of a chain, each when the one before it has ended.
fn once(net: NetRef, trust: TrustStore, chain: Arc<[Ready]>) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        for (number, Ready { command, console, progress }) in chain.iter().enumerate() {
            if let Schedule::Then(pause) = command.schedule
                && number > 0
            {
                net.sleep(pause).await;
            }
            let context = Context { net: net.clone(), console: console.clone(), trust: trust.clone() };
            let words = core::iter::once(&command.program).chain(&command.arguments).cloned().collect();
            let mut running = progress.begin(net.now());
            programs::launch(context, words).await;
            running.end = End::Own;
        }
    })
}
