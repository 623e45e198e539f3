//! A host on the bench: our storey 4 under a small storey 3, with the kernel's socket calls, raw packets in and out,
//! and a clock that only moves when it is told to.
//!
//! The interpreter and the shared object that packetdrill loads both stand on it.

mod epoll;
mod info;
mod ip;
mod operation;
mod option;
mod socket;
mod sysctl;
mod udp;

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use septet_core::{EventId, Frame, Instant, Rng, Seed, Trace};
use septet_transport::tcp::{self, Config, Endpoint, Info, State};

pub use epoll::{EpollEvent, Trigger};
pub use info::{octets as info_octets, values as info_values};
pub use operation::{Operation, PollEntry, Reply, Request};
pub use sysctl::{NAMES as SYSCTLS, set as set_sysctl};

use socket::Descriptor;

/// A file descriptor.
pub type Fd = i32;

/// An error of a system call: Linux's number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Errno(pub i32);

#[allow(missing_docs)]
impl Errno {
    pub const ENOENT: Self = Self(2);
    pub const EBADF: Self = Self(9);
    pub const EAGAIN: Self = Self(11);
    pub const EEXIST: Self = Self(17);
    pub const EINVAL: Self = Self(22);
    pub const EPIPE: Self = Self(32);
    pub const EDESTADDRREQ: Self = Self(89);
    pub const EMSGSIZE: Self = Self(90);
    pub const ENOPROTOOPT: Self = Self(92);
    pub const EPROTONOSUPPORT: Self = Self(93);
    pub const EOPNOTSUPP: Self = Self(95);
    pub const EAFNOSUPPORT: Self = Self(97);
    pub const EADDRINUSE: Self = Self(98);
    pub const EADDRNOTAVAIL: Self = Self(99);
    pub const EISCONN: Self = Self(106);
    pub const ENOTCONN: Self = Self(107);
    pub const EALREADY: Self = Self(114);
    pub const EINPROGRESS: Self = Self(115);
}

impl From<tcp::Error> for Errno {
    fn from(error: tcp::Error) -> Self {
        Self(error.errno())
    }
}

/// A packet that left the host.
#[derive(Clone, Debug)]
pub struct Sent {
    /// When.
    pub at: Instant,
    /// The IP packet.
    pub packet: Vec<u8>,
}

/// What a bench starts with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The source of initial sequence numbers and ports.
    pub seed: Seed,
    /// The time at which it starts.
    pub begin: Instant,
    /// The host's IPv4 address.
    pub local4: Ipv4Addr,
    /// The host's IPv6 address.
    pub local6: Ipv6Addr,
    /// The MTU of its link, for IPv4 and for IPv6.
    pub mtu: [u32; 2],
    /// The personality.
    pub config: Config,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            seed: Seed::new(1),
            begin: Instant::ZERO,
            local4: Ipv4Addr::new(192, 168, 0, 1),
            local6: Ipv6Addr::new(0xfd3d, 0xa0b, 0x17d6, 0, 0, 0, 0, 1),
            mtu: [1500, 1520],
            // The kernel builds super-segments for every device, and cuts them in software where it must.
            config: Config { gso_max_size: 65_536, ..Config::linux() },
        }
    }
}

/// The host on the bench.
pub struct Bench {
    now: Instant,
    tcp: Endpoint,
    udp: septet_transport::udp::Endpoint,
    udp_ports: Rng,
    local4: IpAddr,
    local6: IpAddr,
    mtu: [u32; 2],
    descriptors: BTreeMap<Fd, Descriptor>,
    sent: VecDeque<Sent>,
    trace: Trace,
    next_id: u16,
}

impl Bench {
    /// A host that has nothing open.
    pub fn new(setup: Setup) -> Self {
        let Setup { seed, begin, local4, local6, mtu, config } = setup;
        Self {
            now: begin,
            tcp: Endpoint::new(config, &mut seed.stream("tcp")),
            udp: septet_transport::udp::Endpoint::default(),
            udp_ports: seed.stream("udp"),
            local4: local4.into(),
            local6: local6.into(),
            mtu,
            descriptors: BTreeMap::new(),
            sent: VecDeque::new(),
            trace: Trace::off(),
            next_id: 1,
        }
    }

    /// The time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// When a timer next expires.
    pub fn next_deadline(&mut self) -> Option<Instant> {
        self.tcp.poll_timeout()
    }

    /// Lets time pass until `to`; timers expire at their own times, in order.
    pub fn advance(&mut self, to: Instant) {
        while let Some(next) = self.next_deadline().filter(|next| *next <= to) {
            self.now = self.now.max(next);
            self.tcp.on_timeout(self.now, &mut self.trace);
            self.flush();
        }
        self.now = self.now.max(to);
    }

    /// Sets `net.ipv4.NAME`, for sockets made from now on.
    ///
    /// # Errors
    /// A name that is not known, or a value that it does not take.
    pub fn configure(&mut self, name: &str, value: &str) -> Result<(), String> {
        sysctl::set(self.tcp.config_mut(), name, value)
    }

    /// A packet arrives. What does not parse, or is not for anything here, is dropped as a host drops it.
    pub fn inject(&mut self, packet: &[u8]) {
        let Some(arrival) = ip::arrive(packet) else { return };
        // The address is whatever the world of the script takes it to be.
        match arrival.dst {
            IpAddr::V4(_) => self.local4 = arrival.dst,
            IpAddr::V6(_) => self.local6 = arrival.dst,
        }
        match arrival.protocol {
            6 => {
                let mtu = self.mtu_for(arrival.src);
                let meta = tcp::Meta { src: arrival.src, dst: arrival.dst, ecn: arrival.ecn, ttl: arrival.ttl, mtu };
                // Why it went no further shows in what the stack sends, or does not.
                let _ = self.tcp.receive(self.now, &meta, arrival.frame, &mut self.trace);
            }
            17 => self.receive_udp(arrival),
            1 | 58 => match ip::icmp_error(&arrival) {
                Some((6, error)) => {
                    let _ = self.tcp.icmp_error(self.now, &error, &mut self.trace);
                }
                Some((17, error)) => self.udp.icmp_error(&error, &mut self.trace),
                _ => {}
            },
            _ => {}
        }
        self.flush();
    }

    /// The next packet that left, if any.
    pub fn take_sent(&mut self) -> Option<Sent> {
        self.sent.pop_front()
    }

    /// The same without taking it.
    pub fn peek_sent(&self) -> Option<&Sent> {
        self.sent.front()
    }

    /// `TCP_INFO`.
    ///
    /// # Errors
    /// `EBADF`; `EOPNOTSUPP` where it is no TCP socket.
    pub fn info(&self, fd: Fd) -> Result<Info, Errno> {
        match self.tcp_id(fd)? {
            Some(id) => match self.tcp.info(self.now, id) {
                // A listener is asked too, and has little to tell.
                Err(_) if self.state(id) == State::Listen => Ok(Info { tcpi_state: State::Listen, ..Info::default() }),
                info => Ok(info?),
            },
            None => Ok(Info::default()),
        }
    }

    /// Hands to the wire what the stack has to send, and to the sockets what it has to tell.
    fn flush(&mut self) {
        while let Some(transmit) = self.tcp.poll_transmit(self.now, &mut self.trace) {
            let tcp::Transmit { src, dst, ecn, frame, .. } = transmit;
            let tos = self.tos_of(&frame, src, dst);
            for segment in tcp::split(&frame, src, dst) {
                self.send(segment, src, dst, 6, tos & !3 | ecn.bits());
            }
        }
        while let Some((id, _)) = self.tcp.poll_event() {
            self.note_wake(id);
        }
    }

    fn send(&mut self, mut frame: Frame, src: IpAddr, dst: IpAddr, protocol: u8, tos: u8) {
        let id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1);
        frame.cause = EventId::NONE;
        ip::depart(&mut frame, &ip::Departure { src, dst, protocol, tos, ttl: 64, id });
        self.sent.push_back(Sent { at: self.now, packet: frame.bytes().to_vec() });
    }

    fn mtu_for(&self, address: IpAddr) -> u32 {
        self.mtu[usize::from(address.is_ipv6())]
    }

    /// Our address towards `remote`.
    fn local_for(&self, remote: IpAddr) -> IpAddr {
        if remote.is_ipv4() { self.local4 } else { self.local6 }
    }
}
