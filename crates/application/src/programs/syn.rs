//! Probes of TCP, as `traceroute -T` and `mtr -T` send them: a SYN each, by hand, from a port of its own. Whoever answers it has been
//! reached, be it with SYN and ACK or with RST; the host, which knows nothing of the connection, resets it then.

use std::io;
use std::net::IpAddr;

use septet_core::Frame;
use septet_socket::admin::Address;
use septet_socket::{NetExt, NetRef, PacketSocket, RawPacket, Trouble};
use septet_wire::ethernet::EtherType;
use septet_wire::packet::Packet;
use septet_wire::tcp::{self, Flags, Header, HeaderOptions, SackBlocks, Timestamps};
use septet_wire::{protocol, reported};

/// Where probes leave, as far as it was said.
#[derive(Clone, Default, Debug)]
pub(super) struct Origin {
    /// By this interface.
    pub(super) device: Option<String>,
    /// From this address.
    pub(super) address: Option<IpAddr>,
}

/// What came back.
pub(super) enum Answer {
    /// The host itself answered.
    Host(IpAddr),
    /// A node on the way says why it did not let the probe pass.
    Way(IpAddr, Trouble),
}

/// Sends SYNs and hears what comes of them.
pub(super) struct Prober {
    net: NetRef,
    /// All packets of this version of IP that come in where probes leave.
    socket: PacketSocket,
    host: IpAddr,
    source: IpAddr,
    /// By which they leave, whatever the routes say.
    device: Option<String>,
    port: u16,
    /// The port of the first probe; each further one has the next.
    first: u16,
}

/// The ports of probes, from which on there is room for all.
const PORTS: u16 = 0x8000;

impl Prober {
    /// # Errors
    /// No way there, no such interface or address, or `Unsupported` where no packets can be sent by hand.
    pub(super) fn open(net: &NetRef, host: IpAddr, port: u16, origin: &Origin) -> io::Result<Self> {
        let by_hand = |e: io::Error| match e.kind() {
            io::ErrorKind::Unsupported => io::Error::new(e.kind(), "this network lets nobody send SYNs by hand"),
            _ => e,
        };
        let admin = net.admin().map_err(by_hand)?;
        let (links, addresses) = (admin.links()?, admin.addresses()?);
        let (iface, way) = match &origin.device {
            Some(device) => {
                let link = links.iter().find(|link| link.name == *device).ok_or(io::ErrorKind::NotFound)?;
                let at = |a: &&Address| a.iface == link.iface && a.address.addr().is_ipv4() == host.is_ipv4();
                let source = addresses.iter().find(at).ok_or(io::ErrorKind::NetworkUnreachable)?;
                (link.iface, source.address.addr())
            }
            None => {
                let path = admin.path_to(host)?;
                let inside = || io::Error::new(io::ErrorKind::Unsupported, "packets to the host itself pass no link");
                (path.iface.ok_or_else(inside)?, path.source)
            }
        };
        if origin.address.is_some_and(|own| addresses.iter().all(|address| address.address.addr() != own)) {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        }
        let source = origin.address.unwrap_or(way);
        let device = links.iter().find(|link| link.iface == iface).map_or("", |link| &link.name);
        let version = if host.is_ipv4() { EtherType::IPV4 } else { EtherType::IPV6 };
        let socket = net.open_packet(device, version).map_err(by_hand)?;
        let first = PORTS + (net.random_u64() % 0x4000) as u16;
        let device = origin.device.clone();
        Ok(Self { net: net.clone(), socket, host, source, device, port, first })
    }

    pub(super) fn send(&self, probe: u32, ttl: u8) -> io::Result<()> {
        let timestamps = Timestamps { value: self.net.now().as_millis() as u32, echo: 0 };
        let options = HeaderOptions {
            mss: Some(1460),
            wscale: Some(2),
            sack_permitted: true,
            timestamps: Some(timestamps),
            sack: SackBlocks::default(),
        };
        let header = Header {
            src_port: self.first.wrapping_add(probe as u16),
            dst_port: self.port,
            seq: self.net.random_u64() as u32,
            ack: 0,
            flags: Flags::SYN,
            window: 5840,
            urgent: 0,
            options,
        };
        let mut bytes = vec![0; header.wire_len()];
        header.write(&mut bytes);
        let mut frame = Frame::new(0, &bytes);
        tcp::seal(self.source, self.host, &mut frame);
        self.net.send_raw(&RawPacket {
            source: Some(self.source),
            device: self.device.as_deref(),
            ttl,
            ..RawPacket::new(self.host, protocol::TCP, frame.bytes())
        })
    }

    /// The next packet that is about a probe, and which.
    pub(super) async fn receive(&self, buf: &mut [u8]) -> io::Result<(u32, Answer)> {
        loop {
            let taken = self.socket.receive(buf).await?;
            if let Some(answer) = self.read(&buf[..taken.len.min(buf.len())]) {
                return Ok(answer);
            }
        }
    }

    fn read(&self, bytes: &[u8]) -> Option<(u32, Answer)> {
        let packet = Packet::read(bytes)?;
        let upper = packet.upper(bytes);
        match packet.protocol? {
            protocol::TCP if packet.src == self.host => Some((self.answered(upper)?, Answer::Host(packet.src))),
            number @ (protocol::ICMP | protocol::ICMPV6) => {
                let &[kind, code, _, _, a, b, c, d, ref quoted @ ..] = upper else { return None };
                let rest = u32::from_be_bytes([a, b, c, d]);
                let trouble = reported(number, kind, code, rest)?;
                let quote = Packet::read(quoted).filter(|quote| quote.dst == self.host)?;
                let probe = self.quoted(quote.upper(quoted)).filter(|_| quote.protocol == Some(protocol::TCP))?;
                Some((probe, Answer::Way(packet.src, trouble)))
            }
            _ => None,
        }
    }

    /// The probe that a segment from the host answers, by its ports.
    fn answered(&self, segment: &[u8]) -> Option<u32> {
        let &[a, b, c, d, ..] = segment else { return None };
        (u16::from_be_bytes([a, b]) == self.port).then(|| self.probe(u16::from_be_bytes([c, d])))
    }

    /// The probe that an error is about: it quotes as much as the ports at least (RFC 792).
    fn quoted(&self, segment: &[u8]) -> Option<u32> {
        let &[a, b, c, d, ..] = segment else { return None };
        (u16::from_be_bytes([c, d]) == self.port).then(|| self.probe(u16::from_be_bytes([a, b])))
    }

    fn probe(&self, port: u16) -> u32 {
        u32::from(port.wrapping_sub(self.first))
    }
}
