//! Multicast by `setsockopt(2)`: two hosts on a cable, what their members hear, and Linux's errors.

use core::time::Duration;
use std::net::{IpAddr, SocketAddr};

use septet_core::{Port, Seed, StationId};
use septet_engine::World;
use septet_host::{Host, HostConfig, InterfaceConfig};
use septet_physical::Medium;
use septet_posix::{Errno, Fd, Operation, Process, Reply, Request};
use septet_wire::ethernet::MacAddr;

const SOL_IP: i32 = 0;
const SOL_IPV6: i32 = 41;
const IP_MULTICAST_IF: i32 = 32;
const IP_MULTICAST_TTL: i32 = 33;
const IP_MULTICAST_LOOP: i32 = 34;
const IP_ADD_MEMBERSHIP: i32 = 35;
const IP_DROP_MEMBERSHIP: i32 = 36;
const IP_BLOCK_SOURCE: i32 = 38;
const IP_ADD_SOURCE_MEMBERSHIP: i32 = 39;
const MCAST_JOIN_GROUP: i32 = 42;
const MCAST_JOIN_SOURCE_GROUP: i32 = 46;
const IPV6_MULTICAST_IF: i32 = 17;
const IPV6_MULTICAST_HOPS: i32 = 18;
const IPV6_MULTICAST_LOOP: i32 = 19;
const IPV6_JOIN_GROUP: i32 = 20;
const IPV6_LEAVE_GROUP: i32 = 21;
const ENODEV: Errno = Errno(19);
const INET: i32 = 2;
const INET6: i32 = 10;

const GROUP: [u8; 4] = [239, 1, 2, 3];
const GROUP6: &str = "ff05::77";

/// Two hosts, each with a process.
struct Pair {
    world: World,
    stations: [StationId; 2],
    processes: [Process; 2],
}

const A: usize = 0;
const B: usize = 1;

impl Pair {
    fn new() -> Self {
        let mut world = World::new(Seed::new(3));
        let mut processes = Vec::new();
        let stations = [1u8, 2].map(|number| {
            let addresses = [format!("10.0.0.{number}/24"), format!("2001:db8::{number}/64")];
            let addresses = addresses.iter().map(|a| a.parse().unwrap()).collect();
            let interface = InterfaceConfig { mac: MacAddr::local(number.into()), addresses, mtu: 1500 };
            let host = HostConfig { interfaces: vec![interface], ..HostConfig::new(format!("h{number}")) };
            let host = Host::new(host).unwrap();
            processes.push(Process::new(host.sockets()));
            world.add_station(&format!("h{number}"), Box::new(host))
        });
        let cable = Medium { delay: Duration::from_micros(50), ..Medium::default() };
        world.connect((stations[A], Port(0)), (stations[B], Port(0)), cable.clone(), cable, "cable");
        let mut pair = Self { world, stations, processes: processes.try_into().expect("there are two") };
        pair.pass(2_000);
        pair
    }

    /// Lets so many milliseconds go by.
    fn pass(&mut self, millis: u64) {
        for station in self.stations {
            self.world.station_mut::<Host>(station);
        }
        let until = self.world.now() + Duration::from_millis(millis);
        self.world.run_until(until).unwrap();
    }

    fn socket(&mut self, who: usize, family: i32) -> Fd {
        let fd = self.processes[who].free_fd();
        self.processes[who].socket(fd, family, 2, 0).unwrap();
        fd
    }

    /// A socket that is bound to the port.
    fn bound(&mut self, who: usize, at: &str) -> Fd {
        let at: SocketAddr = at.parse().unwrap();
        let fd = self.socket(who, if at.is_ipv4() { INET } else { INET6 });
        self.processes[who].bind(fd, at).unwrap();
        fd
    }

    fn set(&mut self, (who, fd): (usize, Fd), option: (i32, i32), value: &[u8]) -> Result<(), Errno> {
        self.processes[who].set_option(fd, option.0, option.1, value)
    }

    fn send(&mut self, who: usize, fd: Fd, text: &str, to: &str) {
        let request = Request::Send { fd, data: text.into(), flags: 0, to: Some(to.parse().unwrap()) };
        let process = &mut self.processes[who];
        let sent = Operation::start(process, request).poll(process);
        assert!(matches!(sent, Some(Ok(Reply::Number(_)))), "{sent:?}");
        self.pass(10);
    }

    /// All that has come.
    fn heard(&mut self, who: usize, fd: Fd) -> Vec<String> {
        let mut heard = Vec::new();
        let process = &mut self.processes[who];
        let dont_wait = 0x40;
        let request = Request::Receive { fd, max: 100, flags: dont_wait };
        while let Some(Ok(Reply::Data { data, .. })) = Operation::start(process, request.clone()).poll(process) {
            heard.push(String::from_utf8(data).unwrap());
        }
        heard
    }
}

/// `struct ip_mreq`
fn mreq(group: [u8; 4], interface: [u8; 4]) -> Vec<u8> {
    [group, interface].concat()
}

/// `struct ip_mreqn`
fn mreqn(group: [u8; 4], index: u32) -> Vec<u8> {
    [&group[..], &[0; 4], &index.to_le_bytes()].concat()
}

/// `struct ipv6_mreq`
fn mreq6(group: &str, index: u32) -> Vec<u8> {
    let IpAddr::V6(group) = group.parse().unwrap() else { unreachable!() };
    [&group.octets()[..], &index.to_le_bytes()].concat()
}

/// `struct sockaddr_storage`
fn storage(address: IpAddr) -> Vec<u8> {
    let mut storage = vec![0; 128];
    match address {
        IpAddr::V4(v4) => {
            storage[0] = INET as u8;
            storage[4..8].copy_from_slice(&v4.octets());
        }
        IpAddr::V6(v6) => {
            storage[0] = INET6 as u8;
            storage[8..24].copy_from_slice(&v6.octets());
        }
    }
    storage
}

/// `struct group_req`, and with a source `struct group_source_req`
fn group_req(index: u32, addresses: &[&str]) -> Vec<u8> {
    let mut request = [index.to_le_bytes(), [0; 4]].concat();
    addresses.iter().for_each(|address| request.extend(storage(address.parse().unwrap())));
    request
}

#[test]
fn members_hear_what_is_sent_to_their_group() {
    let mut pair = Pair::new();
    let listener = pair.socket(B, INET);
    // As programs do: the group first, the port after it.
    pair.set((B, listener), (SOL_IP, IP_ADD_MEMBERSHIP), &mreq(GROUP, [10, 0, 0, 2])).unwrap();
    assert_eq!(pair.processes[B].local_port(listener), 0, "nobody was told of a port yet");
    pair.processes[B].bind(listener, "0.0.0.0:5000".parse().unwrap()).unwrap();
    assert_eq!(pair.processes[B].bind(listener, "0.0.0.0:5001".parse().unwrap()), Err(Errno::EINVAL));
    assert_eq!(pair.processes[B].local_port(listener), 5000);
    let sender = pair.socket(A, INET);
    pair.pass(100);
    pair.send(A, sender, "one", "239.1.2.3:5000");
    pair.send(A, sender, "of another group", "239.1.2.4:5000");
    assert_eq!(pair.heard(B, listener), ["one"]);
    pair.set((B, listener), (SOL_IP, IP_DROP_MEMBERSHIP), &mreqn(GROUP, 2)).unwrap();
    pair.send(A, sender, "two", "239.1.2.3:5000");
    assert_eq!(pair.heard(B, listener), [""; 0]);

    let listener = pair.bound(B, "[::]:5000");
    pair.set((B, listener), (SOL_IPV6, IPV6_JOIN_GROUP), &mreq6(GROUP6, 2)).unwrap();
    let sender = pair.socket(A, INET6);
    pair.pass(100);
    pair.send(A, sender, "one", "[ff05::77]:5000");
    assert_eq!(pair.heard(B, listener), ["one"]);
    pair.set((B, listener), (SOL_IPV6, IPV6_LEAVE_GROUP), &mreq6(GROUP6, 0)).unwrap();
    pair.send(A, sender, "two", "[ff05::77]:5000");
    assert_eq!(pair.heard(B, listener), [""; 0]);
}

#[test]
fn sources_are_told_apart() {
    let mut pair = Pair::new();
    let [from_b, blocked, by_group] = ["0.0.0.0:5001", "0.0.0.0:5002", "[::]:5003"].map(|at| pair.bound(B, at));
    let source = |first: [u8; 4]| [GROUP, [10, 0, 0, 2], first].concat();
    pair.set((B, from_b), (SOL_IP, IP_ADD_SOURCE_MEMBERSHIP), &source([10, 0, 0, 9])).unwrap();
    pair.set((B, blocked), (SOL_IP, IP_ADD_MEMBERSHIP), &mreqn(GROUP, 0)).unwrap();
    pair.set((B, blocked), (SOL_IP, IP_BLOCK_SOURCE), &source([10, 0, 0, 1])).unwrap();
    let wanted = group_req(2, &[GROUP6, "2001:db8::1"]);
    pair.set((B, by_group), (SOL_IPV6, MCAST_JOIN_SOURCE_GROUP), &wanted).unwrap();
    let (sender, sender6) = (pair.socket(A, INET), pair.socket(A, INET6));
    pair.pass(100);
    pair.send(A, sender, "x", "239.1.2.3:5001");
    pair.send(A, sender, "x", "239.1.2.3:5002");
    pair.send(A, sender6, "x", "[ff05::77]:5003");
    assert_eq!((pair.heard(B, from_b).len(), pair.heard(B, blocked).len(), pair.heard(B, by_group).len()), (0, 0, 1));
    pair.set((B, from_b), (SOL_IP, IP_ADD_SOURCE_MEMBERSHIP), &source([10, 0, 0, 1])).unwrap();
    pair.send(A, sender, "y", "239.1.2.3:5001");
    assert_eq!(pair.heard(B, from_b), ["y"]);
}

#[test]
fn hops_looping_and_the_interface_are_set_and_told() {
    let mut pair = Pair::new();
    let own = pair.bound(A, "0.0.0.0:6000");
    pair.set((A, own), (SOL_IP, MCAST_JOIN_GROUP), &group_req(2, &["239.1.2.3"])).unwrap();
    pair.send(A, own, "to myself", "239.1.2.3:6000");
    assert_eq!(pair.heard(A, own), ["to myself"], "looping is on at first");
    pair.set((A, own), (SOL_IP, IP_MULTICAST_LOOP), &0_i32.to_le_bytes()).unwrap();
    pair.send(A, own, "again", "239.1.2.3:6000");
    assert_eq!(pair.heard(A, own), [""; 0]);

    // With no hop left nothing leaves the host (RFC 1112 §6.1).
    let far = pair.bound(B, "0.0.0.0:6000");
    pair.set((B, far), (SOL_IP, IP_ADD_MEMBERSHIP), &mreqn(GROUP, 2)).unwrap();
    pair.pass(100);
    let get = |pair: &mut Pair, level, name| pair.processes[A].get_option(own, level, name).unwrap();
    assert_eq!(get(&mut pair, SOL_IP, IP_MULTICAST_TTL), 1_i32.to_le_bytes());
    pair.set((A, own), (SOL_IP, IP_MULTICAST_TTL), &[0]).unwrap();
    pair.send(A, own, "no further", "239.1.2.3:6000");
    pair.set((A, own), (SOL_IP, IP_MULTICAST_TTL), &7_i32.to_le_bytes()).unwrap();
    pair.send(A, own, "further", "239.1.2.3:6000");
    assert_eq!(pair.heard(B, far), ["further"]);
    assert_eq!(get(&mut pair, SOL_IP, IP_MULTICAST_TTL), 7_i32.to_le_bytes());
    assert_eq!(get(&mut pair, SOL_IP, IP_MULTICAST_LOOP), 0_i32.to_le_bytes());
    pair.set((A, own), (SOL_IP, IP_MULTICAST_IF), &[10, 0, 0, 1]).unwrap();
    assert_eq!(get(&mut pair, SOL_IP, IP_MULTICAST_IF), [10, 0, 0, 1]);

    let six = pair.socket(A, INET6);
    pair.set((A, six), (SOL_IPV6, IPV6_MULTICAST_HOPS), &9_i32.to_le_bytes()).unwrap();
    pair.set((A, six), (SOL_IPV6, IPV6_MULTICAST_IF), &2_u32.to_le_bytes()).unwrap();
    let six = |pair: &mut Pair, name| pair.processes[A].get_option(six, SOL_IPV6, name).unwrap();
    assert_eq!(six(&mut pair, IPV6_MULTICAST_HOPS), 9_i32.to_le_bytes());
    assert_eq!(six(&mut pair, IPV6_MULTICAST_IF), 2_i32.to_le_bytes());
    assert_eq!(six(&mut pair, IPV6_MULTICAST_LOOP), 1_i32.to_le_bytes());
}

#[test]
fn mistakes_have_the_numbers_of_linux() {
    let mut pair = Pair::new();
    let (four, six) = (pair.socket(A, INET), pair.socket(A, INET6));
    let mut set = |fd, level, name, value: &[u8]| pair.set((A, fd), (level, name), value);
    assert_eq!(set(four, SOL_IP, IP_ADD_MEMBERSHIP, &mreqn(GROUP, 2)), Ok(()));
    assert_eq!(set(four, SOL_IP, IP_ADD_MEMBERSHIP, &mreqn(GROUP, 2)), Err(Errno::EADDRINUSE));
    assert_eq!(set(four, SOL_IP, IP_DROP_MEMBERSHIP, &mreqn([239, 9, 9, 9], 2)), Err(Errno::EADDRNOTAVAIL));
    assert_eq!(set(four, SOL_IP, IP_ADD_MEMBERSHIP, &mreqn([10, 0, 0, 9], 2)), Err(Errno::EINVAL));
    assert_eq!(set(four, SOL_IP, IP_ADD_MEMBERSHIP, &mreqn([239, 9, 9, 9], 7)), Err(ENODEV));
    assert_eq!(set(four, SOL_IP, IP_ADD_MEMBERSHIP, &mreq([239, 9, 9, 9], [10, 9, 9, 9])), Err(ENODEV));
    assert_eq!(set(four, SOL_IP, IP_ADD_MEMBERSHIP, &[239, 9]), Err(Errno::EINVAL));
    assert_eq!(set(four, SOL_IP, IP_MULTICAST_IF, &[10, 9, 9, 9]), Err(Errno::EADDRNOTAVAIL));
    assert_eq!(set(four, SOL_IP, IP_MULTICAST_TTL, &256_i32.to_le_bytes()), Err(Errno::EINVAL));
    assert_eq!(set(four, SOL_IP, IP_MULTICAST_TTL, &(-1_i32).to_le_bytes()), Ok(()), "the default");
    assert_eq!(set(six, SOL_IPV6, IPV6_MULTICAST_LOOP, &2_i32.to_le_bytes()), Err(Errno::EINVAL));
    assert_eq!(set(six, SOL_IPV6, IPV6_JOIN_GROUP, &mreq6("2001:db8::1", 2)), Err(Errno::EINVAL));
    assert_eq!(set(six, SOL_IPV6, IPV6_MULTICAST_IF, &9_u32.to_le_bytes()), Err(ENODEV));
    assert_eq!(set(six, SOL_IPV6, MCAST_JOIN_GROUP, &group_req(2, &["239.1.2.3"])), Err(Errno::EADDRNOTAVAIL));
    assert_eq!(set(six, SOL_IPV6, MCAST_JOIN_SOURCE_GROUP, &group_req(2, &[GROUP6])), Err(Errno::EINVAL), "no source");
}
