//! Places of hosts that the kernel takes: by a TAP of the file, or by a real program in a namespace.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use septet_core::{EventId, Station, StationId, Storey};
use septet_host::Host;
use septet_lab::{NodeKind, Run};
use tokio::io::unix::AsyncFd;
use tokio::sync::Mutex;
use tokio::task::{JoinHandle, spawn_local};

use crate::control::{Answer, Place, Reply};
use crate::linux::interface::Interface;
use crate::linux::station::{TapStation, feed};
use crate::linux::tap::{Offload, Persistence, Tap};
use crate::pump::Pump;

/// How long a program may take from being told its place to being in it.
const PATIENCE: Duration = Duration::from_secs(10);

/// The places taken, by station.
pub(super) struct Places {
    pump: Pump,
    taken: RefCell<BTreeMap<StationId, Taken>>,
    turns: RefCell<BTreeMap<StationId, Rc<Mutex<()>>>>,
}

struct Taken {
    /// The host whose place it is.
    host: Box<dyn Station>,
    feed: JoinHandle<()>,
    /// The outer processes of the programs in it; none where a TAP of the file has it.
    programs: Vec<u32>,
}

impl Places {
    pub(super) fn new(pump: Pump) -> Self {
        Self { pump, taken: RefCell::default(), turns: RefCell::default() }
    }

    /// Lets the interface called `name` take the place of a host for as long as the lab is up. One that is down gets the
    /// host's addresses and is switched on, where we may; one that is up is left as it is.
    pub(super) fn open_tap(&self, node: usize, station: StationId, name: &str) -> io::Result<()> {
        let place = self.place(node).map_err(io::Error::other)?;
        let tap = Tap::open(name, Offload::None, Persistence::Fresh)?;
        match configure(tap.name(), &place) {
            // Root made it for us, and configures it.
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {}
            result => result?,
        }
        self.take(station, tap, Vec::new())
    }

    /// Answers a program that asks for the place of a host, and keeps it there until the program has ended.
    pub(super) async fn plug(&self, node: usize, station: StationId, answer: &mut Answer) -> io::Result<()> {
        let Some(pid) = answer.pid() else {
            return answer.reply(&Reply::Error { text: "the system does not say which process asks".to_owned() }).await;
        };
        let mut place = match self.place(node) {
            Ok(place) => place,
            Err(text) => return answer.reply(&Reply::Error { text }).await,
        };
        // Of two that ask at once the second joins the first, once that one has its place.
        let turn = self.turns.borrow_mut().entry(station).or_default().clone();
        let turn = turn.lock().await;
        let others = self.taken.borrow().get(&station).map(|taken| taken.programs.clone());
        match others.as_deref() {
            Some([]) => {
                let text = "a TAP of the lab file has this place".to_owned();
                return answer.reply(&Reply::Error { text }).await;
            }
            Some([first, ..]) => {
                place.join = Some(*first);
                answer.reply(&Reply::Place(Box::new(place))).await?;
                if let Some(taken) = self.taken.borrow_mut().get_mut(&station) {
                    taken.programs.push(pid);
                }
            }
            None => {
                answer.reply(&Reply::Place(Box::new(place))).await?;
                let fd = tokio::time::timeout(PATIENCE, answer.descriptor()).await??;
                let tap = Tap::from_fd(fd, "eth0", Offload::None);
                if let Err(e) = self.take(station, tap, vec![pid]) {
                    return answer.reply(&Reply::Error { text: e.to_string() }).await;
                }
                // One that has ended meanwhile is found gone below.
                let _ = answer.reply(&Reply::Ok).await;
            }
        }
        drop(turn);
        answer.gone().await;
        self.leave(station, pid);
        Ok(())
    }

    fn take(&self, station: StationId, tap: Tap, programs: Vec<u32>) -> io::Result<()> {
        let tap = Rc::new(tap.watch()?);
        let host = self.pump.with(|world| {
            let cause = world.emit(Some(station), Storey::Lab, "place.taken", EventId::NONE, |f| {
                f.set("why", "the kernel takes this host's place");
            });
            world.replace(station, Box::new(TapStation::new(tap.clone())), cause)
        });
        let feed = spawn_local(fed(self.pump.clone(), station, tap));
        self.taken.borrow_mut().insert(station, Taken { host, feed, programs });
        Ok(())
    }

    /// A program has ended; with the last one the host comes back, freshly switched on.
    fn leave(&self, station: StationId, pid: u32) {
        let mut all = self.taken.borrow_mut();
        let Some(taken) = all.get_mut(&station) else { return };
        if let Some(at) = taken.programs.iter().position(|p| *p == pid) {
            taken.programs.remove(at);
        }
        if !taken.programs.is_empty() {
            return;
        }
        if let Some(Taken { host, feed, .. }) = all.remove(&station) {
            feed.abort();
            self.pump.with(|world| {
                let cause = world.emit(Some(station), Storey::Lab, "place.left", EventId::NONE, |f| {
                    f.set("why", "the host takes its place again");
                });
                world.replace(station, host, cause);
            });
        }
    }

    /// What a namespace needs to know to take the place of a host.
    fn place(&self, node: usize) -> Result<Place, String> {
        let place = self.pump.with_holder(|run: &mut Run| {
            let gateways = run.gateways(node);
            let lab = run.lab();
            let host = &lab.nodes[node];
            let name = &host.name;
            let [port] = &host.ports[..] else {
                return Err(format!("`{name}` has {} ports; only a host with one can be taken", host.ports.len()));
            };
            if host.kind() != NodeKind::Host {
                return Err(format!("`{name}` is a {}; only the place of a host can be taken", host.kind().as_str()));
            }
            let addresses = port.addresses.iter().map(|cidr| (cidr.addr(), cidr.prefix_len())).collect();
            Ok(Place {
                addresses,
                gateways,
                mac: port.mac,
                mtu: port.mtu.into(),
                name_servers: Vec::new(),
                search: Vec::new(),
                hosts: Vec::new(),
                join: None,
            })
        });
        let mut place = place.unwrap_or_else(|| Err("there is no lab".to_owned()))?;
        let found = self.pump.with_holder(|run: &mut Run| {
            let station = run.station(node)?;
            let net = run.world.station::<Host>(station).map(Host::net)?;
            let lab = run.lab();
            let names = lab.nodes.iter().map(|n| n.name.clone()).collect::<Vec<_>>();
            Some((net, names, run.name_servers_by_routers(node)))
        });
        if let Some((net, names, told)) = found.flatten() {
            let known = names.into_iter().map(|name| (net.hosts(&name), name));
            place.hosts = known.filter(|(found, _)| !found.is_empty()).map(|(found, name)| (name, found)).collect();
            place.name_servers = net.name_servers().into_iter().map(|server| server.ip()).collect();
            // Our host may not have heard of them yet; the kernel hears of them and tells nobody.
            for server in told {
                if !place.name_servers.contains(&server) {
                    place.name_servers.push(server);
                }
            }
            place.search = net.search_domains();
        }
        Ok(place)
    }
}

fn configure(name: &str, place: &Place) -> io::Result<()> {
    let interface = Interface::open(name)?;
    if interface.is_up()? {
        return Ok(());
    }
    interface.set_mac(place.mac)?;
    interface.set_mtu(place.mtu)?;
    // Linux forgets addresses of IPv6 that an interface gets before it is up.
    interface.up()?;
    place.addresses.iter().try_for_each(|(address, prefix)| interface.set_address(*address, *prefix))
}

async fn fed(pump: Pump, station: StationId, tap: Rc<AsyncFd<Tap>>) {
    // The interface goes with its namespace; then the place is given back by whoever took it.
    let _ = feed(pump, station, tap).await;
}
