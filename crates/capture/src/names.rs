//! The table of names: what stations, ports, links and addresses are called in a lab.

use std::collections::BTreeMap;
use std::net::IpAddr;

use septet_core::{Port, StationId};

/// What stations, ports and addresses are called. Built once, before the run, by whoever built the world.
///
/// ```
/// use septet_capture::Names;
/// use septet_core::{Port, StationId};
/// let mut names = Names::new();
/// let (client, r1) = (StationId(0), StationId(1));
/// names.station(client, "client").station(r1, "r1");
/// names.link((client, Port(0)), (r1, Port(0)), "client--r1");
/// names.address(client, Port(0), "10.0.0.2".parse().unwrap());
/// assert_eq!(names.of_station(client), "client");
/// assert_eq!(names.of_port(r1, Port(0)), "r1 eth0");
/// assert_eq!(names.of_address("10.0.0.2".parse().unwrap()), Some("client"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Names {
    stations: BTreeMap<StationId, String>,
    ports: BTreeMap<(StationId, Port), PortName>,
    owners: BTreeMap<IpAddr, StationId>,
    aliases: BTreeMap<IpAddr, Vec<String>>,
    macs: BTreeMap<[u8; 6], StationId>,
}

/// What is known of one port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortName {
    /// Its own name, where it is not `eth` and the number of the port.
    pub name: Option<String>,
    /// The port at the other end of the cable.
    pub peer: Option<(StationId, Port)>,
    /// The name of the link: `r1--r2`.
    pub link: Option<String>,
    /// Its link address.
    pub mac: Option<[u8; 6]>,
    /// Its IP addresses.
    pub addresses: Vec<IpAddr>,
    /// The rate of its transmitter in bits a second.
    pub speed: Option<u64>,
    /// What its frames look like in a capture.
    pub link_type: LinkType,
}

/// The number that tells a reader of a capture what a packet starts with (the LINKTYPE registry).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LinkType(pub u16);

impl LinkType {
    /// IEEE 802.3 Ethernet.
    pub const ETHERNET: Self = Self(1);
    /// PPP as in RFC 1661, starting with the protocol number or with `ff 03` before it.
    pub const PPP: Self = Self(9);
    /// PPP in HDLC-like framing (RFC 1662), starting with address and control.
    pub const PPP_HDLC: Self = Self(50);
    /// A bare IPv4 or IPv6 packet.
    pub const RAW: Self = Self(101);
    /// X.25 LAPB.
    pub const LAPB: Self = Self(207);
    /// HDLC-framed octets of a serial line. In a capture each frame is a "Wireshark upper PDU" that names its dissector,
    /// since PPP and LAPB frames come mixed on such a line.
    pub const SERIAL: Self = Self(252);
}

impl Default for LinkType {
    fn default() -> Self {
        Self::ETHERNET
    }
}

impl Names {
    /// An empty table. What has no name in it is called by its number.
    pub fn new() -> Self {
        Self::default()
    }

    /// Calls station `id` `name`.
    pub fn station(&mut self, id: StationId, name: impl Into<String>) -> &mut Self {
        self.stations.insert(id, name.into());
        self
    }

    /// What is known of a port, to be filled in; the port exists from now on.
    pub fn port(&mut self, station: StationId, port: Port) -> &mut PortName {
        self.ports.entry((station, port)).or_default()
    }

    /// Joins two ports by the link called `name`.
    pub fn link(&mut self, a: (StationId, Port), b: (StationId, Port), name: &str) -> &mut Self {
        for (here, there) in [(a, b), (b, a)] {
            let port = self.port(here.0, here.1);
            port.peer = Some(there);
            port.link = Some(name.to_owned());
        }
        self
    }

    /// Gives a port an IP address.
    pub fn address(&mut self, station: StationId, port: Port, address: IpAddr) -> &mut Self {
        self.port(station, port).addresses.push(address);
        self.owners.insert(address, station);
        self
    }

    /// Gives a port its link address.
    pub fn mac(&mut self, station: StationId, port: Port, mac: [u8; 6]) -> &mut Self {
        self.port(station, port).mac = Some(mac);
        self.macs.insert(mac, station);
        self
    }

    /// Gives an address a further name, as the lab's DNS does: `www.shop.test`.
    pub fn alias(&mut self, address: IpAddr, name: impl Into<String>) -> &mut Self {
        self.aliases.entry(address).or_default().push(name.into());
        self
    }

    /// The name of a station; empty where it has none, as the place of events that have no place.
    pub fn of_station(&self, id: StationId) -> &str {
        self.stations.get(&id).map_or("", String::as_str)
    }

    /// The station called `name`.
    pub fn find(&self, name: &str) -> Option<StationId> {
        self.stations.iter().find(|(_, n)| *n == name).map(|(id, _)| *id)
    }

    /// The name of a port, with its station's: `client eth0`.
    pub fn of_port(&self, station: StationId, port: Port) -> String {
        let number = station.0;
        let own = self.ports.get(&(station, port)).and_then(|p| p.name.clone()).unwrap_or_else(|| port.to_string());
        match self.stations.get(&station) {
            Some(name) => format!("{name} {own}"),
            None => format!("station{number} {own}"),
        }
    }

    /// The station that has `address`.
    pub fn owner(&self, address: IpAddr) -> Option<StationId> {
        self.owners.get(&address).copied()
    }

    /// The name of the station that has `address`.
    pub fn of_address(&self, address: IpAddr) -> Option<&str> {
        self.owners.get(&address).map(|id| self.of_station(*id))
    }

    /// The name of the station that has the link address `mac`.
    pub fn of_mac(&self, mac: [u8; 6]) -> Option<&str> {
        self.macs.get(&mac).map(|id| self.of_station(*id))
    }

    /// What is known of a port.
    pub fn get(&self, station: StationId, port: Port) -> Option<&PortName> {
        self.ports.get(&(station, port))
    }

    /// The name of the station at the other end of a port's cable.
    pub fn peer(&self, station: StationId, port: Port) -> Option<&str> {
        self.ports.get(&(station, port)).and_then(|p| p.peer).map(|(id, _)| self.of_station(id))
    }

    /// The name of the link at a port.
    pub fn of_link(&self, station: StationId, port: Port) -> Option<&str> {
        self.ports.get(&(station, port)).and_then(|p| p.link.as_deref())
    }

    /// All stations in order.
    pub fn stations(&self) -> impl Iterator<Item = (StationId, &str)> {
        self.stations.iter().map(|(id, name)| (*id, name.as_str()))
    }

    /// All ports in order.
    pub fn ports(&self) -> impl Iterator<Item = (StationId, Port, &PortName)> {
        self.ports.iter().map(|((station, port), name)| (*station, *port, name))
    }

    /// All addresses in order, each with its names: the station's first, then the aliases.
    pub fn addresses(&self) -> impl Iterator<Item = (IpAddr, Vec<&str>)> {
        let mut all: BTreeMap<IpAddr, Vec<&str>> = BTreeMap::new();
        for (address, id) in &self.owners {
            all.entry(*address).or_default().push(self.of_station(*id));
        }
        for (address, names) in &self.aliases {
            all.entry(*address).or_default().extend(names.iter().map(String::as_str));
        }
        all.into_iter()
    }
}
