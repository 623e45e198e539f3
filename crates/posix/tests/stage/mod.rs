//! A server whose calls wait, and who of them is woken.
#![allow(dead_code, reason = "each test uses what it needs")]

use core::time::Duration;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};

use septet_core::{Port, Seed, StationId};
use septet_engine::World;
use septet_host::{Host, HostConfig, InterfaceConfig};
use septet_physical::Medium;
use septet_posix::{Errno, Fd, Operation, PollEntry, Process, Reply, Request};
use septet_wire::ethernet::MacAddr;

pub(crate) const STREAM: i32 = 1;
pub(crate) const DATAGRAM: i32 = 2;

pub(crate) const SERVER: usize = 0;
pub(crate) const CLIENT: usize = 1;

/// Who was woken, in order.
pub(crate) type Bell = Arc<Mutex<Vec<u32>>>;

pub(crate) struct Rings(Bell, u32);

impl Wake for Rings {
    fn wake(self: Arc<Self>) {
        self.0.lock().unwrap().push(self.1);
    }
}

/// A server whose calls wait, and a client.
pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) stations: [StationId; 2],
    pub(crate) processes: [Process; 2],
    pub(crate) bell: Bell,
    pub(crate) waiting: BTreeMap<u32, Operation>,
    pub(crate) begun: u32,
    /// How many times a call was woken.
    pub(crate) woken: usize,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let mut world = World::new(Seed::new(3));
        let mut processes = Vec::new();
        let stations = [1u8, 2].map(|number| {
            let addresses = vec![format!("10.0.0.{number}/24").parse().unwrap()];
            let interface = InterfaceConfig { mac: MacAddr::local(number.into()), addresses, mtu: 1500 };
            let host = HostConfig { interfaces: vec![interface], ..HostConfig::new(format!("h{number}")) };
            let host = Host::new(host).unwrap();
            processes.push(Process::new(host.sockets()));
            world.add_station(&format!("h{number}"), Box::new(host))
        });
        let cable = Medium { delay: Duration::from_micros(50), ..Medium::default() };
        world.connect((stations[0], Port(0)), (stations[1], Port(0)), cable.clone(), cable, "cable");
        let processes = processes.try_into().expect("there are two");
        let mut stage =
            Self { world, stations, processes, bell: Bell::default(), waiting: BTreeMap::new(), begun: 0, woken: 0 };
        stage.pass(1_000);
        stage
    }

    /// Lets so many milliseconds go by.
    pub(crate) fn pass(&mut self, millis: u64) {
        for station in self.stations {
            self.world.station_mut::<Host>(station);
        }
        let until = self.world.now() + Duration::from_millis(millis);
        self.world.run_until(until).unwrap();
    }

    pub(crate) fn socket(&mut self, who: usize, kind: i32) -> Fd {
        let process = &mut self.processes[who];
        let fd = process.free_fd();
        process.socket(fd, 2, kind, 0).unwrap();
        fd
    }

    /// A socket of the server at port 9.
    pub(crate) fn served(&mut self, kind: i32) -> Fd {
        let fd = self.socket(SERVER, kind);
        let process = &mut self.processes[SERVER];
        process.bind(fd, at(9)).unwrap();
        if kind == STREAM {
            process.listen(fd, 100).unwrap();
        }
        fd
    }

    /// What a call comes to that never waits.
    pub(crate) fn call(&mut self, who: usize, request: Request) -> Result<Reply, Errno> {
        let process = &mut self.processes[who];
        Operation::start(process, request).poll(process).expect("it does not wait")
    }

    pub(crate) fn send(&mut self, fd: Fd, text: &str) {
        let request = Request::Send { fd, data: text.into(), flags: 0, to: Some(at(9)) };
        self.call(CLIENT, request).unwrap();
    }

    /// A call of the server, which waits.
    pub(crate) fn begin(&mut self, request: Request) {
        self.begun += 1;
        let operation = Operation::start(&mut self.processes[SERVER], request);
        let ended = self.go_on(self.begun, operation);
        assert!(ended.is_none(), "{ended:?}");
    }

    /// Asks a call, which waits where there is nothing for it.
    pub(crate) fn go_on(&mut self, number: u32, mut operation: Operation) -> Option<Result<Reply, Errno>> {
        let process = &mut self.processes[SERVER];
        let ended = operation.poll(process);
        if ended.is_none() {
            process.watch(&mut operation, &Waker::from(Arc::new(Rings(self.bell.clone(), number))));
            self.waiting.insert(number, operation);
        }
        ended
    }

    /// Asks those that are woken, until none is; gives what they came to.
    pub(crate) fn settle(&mut self) -> Vec<Result<Reply, Errno>> {
        let mut ends = Vec::new();
        loop {
            let woken = core::mem::take(&mut *self.bell.lock().unwrap());
            if woken.is_empty() {
                return ends;
            }
            self.woken += woken.len();
            for number in woken {
                let operation = self.waiting.remove(&number);
                ends.extend(operation.and_then(|operation| self.go_on(number, operation)));
            }
        }
    }

    /// Whether a call to read on a socket of the server would not wait.
    pub(crate) fn is_readable(&mut self, fd: Fd) -> bool {
        let entries = vec![PollEntry { fd, events: 1, revents: 0 }];
        let Ok(Reply::Ready(entries)) = self.call(SERVER, Request::Poll { entries, timeout: Some(Duration::ZERO) })
        else {
            unreachable!()
        };
        entries[0].revents != 0
    }
}

pub(crate) fn at(port: u16) -> SocketAddr {
    ([10, 0, 0, 1], port).into()
}
