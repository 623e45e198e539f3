//! The station.

use core::cell::{RefCell, RefMut};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use septet_core::{Carrier, EventId, Frame, Instant, Out, Port, PortReport, Power, Recorder, Station, Storey};
use septet_engine::executor::{self, Executor, Round};
use septet_network::ip::ConfigError;
use septet_network::route::Towards;
use septet_network::{Iface, Ip};
use septet_socket::{NetRef, SystemRef};
use septet_transport::tcp;

use crate::disk::Disk;
use crate::handle::{self, Here, HostKey, HostNet, Sockets};
use crate::stack::middlebox::Flow;
use crate::stack::{self, HostConfig, Storeys, UPPERS};

/// A computer on the network: a host, or a router where it forwards.
///
/// It is switched on by the world. Its programs are started by the closures given to [`on_boot`](Self::on_boot), each
/// time afresh.
pub struct Host {
    stack: Rc<RefCell<Storeys>>,
    executor: Executor,
    boot: Vec<Box<dyn Fn(NetRef)>>,
    net: Arc<HostNet>,
    key: HostKey,
}

impl Host {
    /// A host that is switched off.
    ///
    /// # Errors
    /// A route's gateway is on no link of the host, or a VLAN is over an interface that is not there.
    pub fn new(config: HostConfig) -> Result<Self, ConfigError> {
        let of_ports = || config.interfaces.iter().flat_map(|i| &i.addresses);
        let on_link = |gateway: &IpAddr| {
            of_ports().chain(config.vlans.iter().flat_map(|v| &v.addresses)).any(|c| c.prefix().contains(*gateway))
        };
        let written = config.by_hand.iter().flat_map(|by_hand| &by_hand.routes);
        let via = written.clone().filter_map(|r| if let Towards::Via(via) = &r.towards { Some(via) } else { None });
        let mut gateways = config.routes.iter().map(|r| &r.gateway).chain(via.flatten());
        if let Some(gateway) = gateways.find(|gateway| !on_link(gateway)) {
            return Err(ConfigError::GatewayNotOnLink(*gateway));
        }
        let interfaces = config.interfaces.len() + config.vlans.len();
        for route in written {
            match route.towards {
                Towards::Link(iface) if usize::from(iface) >= interfaces => {
                    return Err(ConfigError::NoSuchInterface(iface));
                }
                _ => {}
            }
        }
        if let Some(vlan) = config.vlans.iter().find(|v| usize::from(v.over) >= config.interfaces.len()) {
            return Err(ConfigError::NoSuchInterface(vlan.over));
        }
        let all = config.interfaces.len() + config.vlans.len();
        if let Some((iface, _)) = config.ipv6.iter().find(|(iface, _)| usize::from(*iface) >= all) {
            return Err(ConfigError::NoSuchInterface(*iface));
        }
        let config = Arc::new(config);
        let executor = Executor::new();
        let recorder = Recorder::new();
        let stack = Storeys::new(config.clone(), executor.handle(), UPPERS, recorder.clone());
        let stack = Rc::new(RefCell::new(stack));
        let key = handle::enter(&stack);
        let net = Arc::new(HostNet::new(key.clone(), executor.handle(), config, recorder));
        Ok(Self { stack, executor, boot: Vec::new(), net, key })
    }

    /// Calls `boot` each time the host is switched on: it starts programs on the [`NetRef`] that it is given.
    pub fn on_boot(&mut self, boot: impl Fn(NetRef) + 'static) {
        self.boot.push(Box::new(boot));
    }

    /// The host's network as its programs see it. Where it is used from outside the host's own programs, the world
    /// must be told to look at the host again, as `World::station_mut` does.
    pub fn net(&self) -> NetRef {
        self.net.clone()
    }

    /// The host's sockets for callers that never wait. As for [`net`](Self::net), the world must be told of their use.
    pub fn sockets(&self) -> SystemRef {
        Arc::new(Sockets::new(self.key.clone(), self.executor.handle()))
    }

    /// The host as its programs find it that were given no network.
    pub fn here(&self) -> Here {
        Here::of(self.net.clone())
    }

    /// Its disk.
    pub fn disk(&self) -> &Disk {
        &self.net.parts().disk
    }

    /// Keeps `what` with the host, for its programs to find by [`Here::beside`]; tells whether nothing was kept before.
    pub fn put_beside(&self, what: Arc<dyn core::any::Any + Send + Sync>) -> bool {
        self.net.put_beside(what)
    }

    /// Starts tasks beside the host's programs, those that are not `Send` too: they may run in the midst of a program's
    /// turn, and end with the host.
    pub fn tasks(&self) -> executor::Handle {
        self.executor.handle()
    }

    /// Counters and series of the host's programs.
    pub fn recorder(&self) -> Recorder {
        self.net.own_recorder()
    }

    /// What the host counted since the world began, by the names of `nstat`.
    pub fn counters(&self) -> impl Iterator<Item = (&'static str, u64)> {
        stack::counters(&self.stack.borrow()).into_iter()
    }

    /// What `ss -ti` shows at `now` of every connection that may still have something in flight.
    pub fn connections(&self, now: Instant) -> Vec<(tcp::SocketId, tcp::Info)> {
        self.stack.borrow().tcp.infos(now)
    }

    /// Every TCP connection that is past its handshake and not yet over.
    pub fn flows(&self) -> Vec<Flow> {
        self.stack.borrow().tcp.flows()
    }

    /// Looks at storey 3: routes, neighbours, addresses.
    pub fn with_ip<R>(&self, look: impl FnOnce(&Ip) -> R) -> R {
        look(&self.stack.borrow().ip)
    }

    /// Changes storey 3, as a routing protocol or an administrator does. What is changed is gone when the host is
    /// switched off.
    pub fn with_ip_mut<R>(&mut self, change: impl FnOnce(&mut Ip) -> R) -> R {
        change(&mut self.stack_mut().ip)
    }

    /// Tells everyone on the link of `iface` this host's addresses: gratuitous ARP.
    pub fn announce(&mut self, iface: Iface, out: &mut Out<'_>) {
        self.stack_mut().ip.announce(iface, out);
    }

    /// The storeys, to be changed.
    fn stack_mut(&self) -> RefMut<'_, Storeys> {
        let mut stack = self.stack.borrow_mut();
        stack.unsettle();
        stack
    }

    /// The link of one interface is there, or is gone: what a switch tells the interfaces in its VLANs, as the carrier of a port
    /// tells it those of a cable.
    pub(crate) fn on_link(&mut self, now: Instant, iface: Iface, carrier: Carrier, out: &mut Out<'_>) {
        self.change(now, out, |stack, out| {
            stack.ip.set_link(iface, carrier, out);
            stack.tell_link(now, iface, out);
        });
    }

    /// Changes the storeys by what happens to the host from outside, and lets what follows from it happen where it is on.
    fn change(&mut self, now: Instant, out: &mut Out<'_>, act: impl FnOnce(&mut Storeys, &mut Out<'_>)) {
        let power = {
            let mut stack = self.stack_mut();
            stack.now = now;
            act(&mut stack, out);
            stack.power
        };
        if power == Power::On {
            self.settle(now, out);
        }
    }

    /// Lets sockets, programs and ports take turns until nothing is left to do now.
    fn settle(&mut self, now: Instant, out: &mut Out<'_>) {
        loop {
            {
                let mut stack = self.stack_mut();
                if self.key.has_dropped() {
                    self.key.take_dropped().into_iter().for_each(|socket| stack.close(socket, out.trace));
                }
                stack.climb(now, out);
                stack.converse(now, out);
            }
            let mut round = Round::Done;
            if self.executor.is_ready() || self.executor.deadline().is_some_and(|at| at <= now) {
                round = self.run_programs(now, out);
            }
            let mut stack = self.stack_mut();
            stack.flush(now, out);
            stack.answer_counters(now, out);
            // The deadline says that programs wait to go on.
            if round == Round::Paused || stack.is_settled() && !self.executor.is_ready() && !self.key.has_dropped() {
                return;
            }
        }
    }

    /// Runs programs; what they tell goes to the world's trace.
    fn run_programs(&mut self, now: Instant, out: &mut Out<'_>) -> Round {
        let before = out.trace.cause();
        let result = handle::lend(&self.net, &mut self.stack.borrow_mut(), out.trace, || self.executor.run(now));
        out.trace.set_cause(before);
        result.unwrap_or_else(|runaway| {
            let cause = self.executor.handle().cause();
            out.trace.emit(Storey::Application, "program.killed", cause, |f| {
                f.set("why", runaway.to_string());
            });
            self.executor.clear();
            out.stuck();
            Round::Done
        })
    }

    fn power_off(&mut self) {
        {
            let mut stack = self.stack_mut();
            if stack.power == Power::On
                && let Some(parts) = self.net.used_parts()
            {
                parts.disk.crash(&mut stack.rng);
            }
            stack.power = Power::Off;
            stack.wipe();
        }
        // Handles dropped from here on find their sockets gone, and nothing is sent.
        self.executor.clear();
    }

    fn power_on(&mut self, now: Instant, out: &mut Out<'_>) {
        self.stack_mut().power = Power::On;
        self.executor.set_now(now);
        self.stack_mut().start_routing(now, out);
        let (before, tasks) = (out.trace.cause(), self.executor.handle());
        handle::lend(&self.net, &mut self.stack.borrow_mut(), out.trace, || {
            for boot in &self.boot {
                tasks.because(before);
                boot(self.net.clone());
            }
        });
        tasks.because(EventId::NONE);
        out.trace.set_cause(before);
        self.settle(now, out);
    }
}

impl Station for Host {
    #[inline]
    fn receive(&mut self, now: Instant, port: Port, mut frame: Frame, out: &mut Out<'_>) {
        frame.ingress = now;
        let settled = {
            // Not `stack_mut`: what most frames leave behind is nothing.
            let mut stack = self.stack.borrow_mut();
            if stack.power == Power::Off {
                return;
            }
            stack.receive(now, port, frame, out);
            stack.is_settled()
        };
        if !settled || self.executor.is_ready() || self.key.has_dropped() {
            self.settle(now, out);
        }
    }

    fn on_deadline(&mut self, now: Instant, out: &mut Out<'_>) {
        {
            let mut stack = self.stack_mut();
            if stack.power == Power::Off {
                return;
            }
            stack.now = now;
            stack.on_deadline(now, out);
        }
        // Tasks beside the host's own ask its network for the time too.
        self.executor.set_now(now);
        self.settle(now, out);
    }

    #[inline]
    fn deadline(&self) -> Option<Instant> {
        let stack = self.stack.borrow();
        if stack.power == Power::Off {
            return None;
        }
        if self.executor.is_ready() || self.key.has_dropped() {
            return Some(stack.now);
        }
        Instant::earliest(stack.deadline(), self.executor.deadline())
    }

    fn on_carrier(&mut self, now: Instant, port: Port, carrier: Carrier, out: &mut Out<'_>) {
        self.change(now, out, |stack, out| {
            stack.ip.set_carrier(port, carrier, out);
            stack.on_room(port);
            stack.reroute(now, port, out);
        });
    }

    fn on_room(&mut self, now: Instant, port: Port, out: &mut Out<'_>) {
        {
            let mut stack = self.stack_mut();
            stack.now = now;
            stack.on_room(port);
        }
        self.settle(now, out);
    }

    fn show_counters(&self, _: Instant, see: &mut dyn FnMut(&'static str, u64)) {
        self.counters().for_each(|(name, n)| see(name, n));
    }

    fn show_port(&self, port: Port, report: &mut PortReport) {
        if let Some(stats) = self.stack.borrow().link.get(port.0) {
            stats.add_to(report);
        }
    }

    fn on_power(&mut self, now: Instant, power: Power, out: &mut Out<'_>) {
        self.stack_mut().now = now;
        match power {
            Power::Off => self.power_off(),
            Power::On => self.power_on(now, out),
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // Programs that are dropped must find no host: their sockets are gone with it.
        handle::leave(&self.key);
    }
}

impl core::fmt::Debug for Host {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Host").field("name", &self.net.config().name).finish_non_exhaustive()
    }
}
