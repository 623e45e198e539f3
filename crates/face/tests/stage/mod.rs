//! Two hosts on a cable, and what their programs say.
#![allow(dead_code, reason = "each test uses what it needs")]

use core::time::Duration;
use std::sync::{Arc, Mutex};

use septet_core::{Instant, Port, Seed, StationId};
use septet_datalink::ethernet::MacAddr;
use septet_engine::World;
use septet_face::start;
use septet_host::{Host, HostConfig, InterfaceConfig};
use septet_physical::Medium;
use septet_socket::cpu::Costs;

/// Where programs write what a test reads.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn say(&self, text: impl Into<String>) {
        self.0.lock().unwrap().push(text.into());
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

pub(crate) fn host(number: u64) -> Host {
    Host::new(config(number)).unwrap()
}

/// A host whose calls cost time.
pub(crate) fn host_with(number: u64, costs: Costs) -> Host {
    Host::new(HostConfig { costs: Some(Arc::new(costs)), ..config(number) }).unwrap()
}

fn config(number: u64) -> HostConfig {
    let address = format!("10.0.0.{number}/24").parse().unwrap();
    let interface = InterfaceConfig { mac: MacAddr::local(number), addresses: vec![address], mtu: 1500 };
    HostConfig { interfaces: vec![interface], ..HostConfig::new(format!("h{number}")) }
}

/// Starts a program whenever the host boots.
pub(crate) fn boots(host: &mut Host, name: &'static str, program: impl Fn() + Clone + Send + 'static) {
    host.on_boot(move |net| drop(start(&net, name, program.clone()).unwrap()));
}

/// A world in which a cable with a delay of one millisecond joins the hosts 10.0.0.1 and 10.0.0.2.
pub(crate) fn pair(a: Host, b: Host) -> (World, StationId, StationId) {
    let mut world = World::new(Seed::new(7));
    let (a, b) = (world.add_station("h1", Box::new(a)), world.add_station("h2", Box::new(b)));
    let medium = Medium { delay: Duration::from_millis(1), ..Medium::default() };
    world.connect((a, Port(0)), (b, Port(0)), medium.clone(), medium, "cable");
    (world, a, b)
}

/// Runs a program on each host for ten seconds at most.
pub(crate) fn play(client: impl Fn() + Clone + Send + 'static, server: impl Fn() + Clone + Send + 'static) -> World {
    let (mut a, mut b) = (host(1), host(2));
    boots(&mut a, "client", client);
    boots(&mut b, "server", server);
    let (mut world, ..) = pair(a, b);
    let _ = world.run_until(Instant::from_secs(10));
    world
}
