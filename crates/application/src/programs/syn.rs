//! Probes of TCP, as `traceroute -T` sends them: a SYN each, by hand, from a port of its own. Whoever answers it has been
//! reached, be it with SYN and ACK or with RST; the host, which knows nothing of the connection, resets it then.

use std::io;
use std::net::IpAddr;

use septet_core::Frame;
use septet_socket::{NetExt, NetRef, PacketSocket, Trouble};
use septet_wire::ethernet::EtherType;
use septet_wire::packet::Packet;
use septet_wire::tcp::{self, Flags, Header, HeaderOptions, SackBlocks, Timestamps};
use septet_wire::{protocol, reported};

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
    port: u16,
    /// The port of the first probe; each further one has the next.
    first: u16,
}

/// The ports of probes, from which on there is room for all.
const PORTS: u16 = 0x8000;

impl Prober {
    pub(super) fn open(net: &NetRef, host: IpAddr, port: u16) -> io::Result<Self> {
        let admin = net.admin()?;
        let path = admin.path_to(host)?;
        let Some(iface) = path.iface else {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "packets to the host itself pass no link"));
        };
        let links = admin.links()?;
        let device = links.iter().find(|link| link.iface == iface).map_or("", |link| &link.name);
        let version = if host.is_ipv4() { EtherType::IPV4 } else { EtherType::IPV6 };
        let socket = net.open_packet(device, version)?;
        let first = PORTS + (net.random_u64() % 0x4000) as u16;
        Ok(Self { net: net.clone(), socket, host, source: path.source, port, first })
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
        self.net.send_raw(self.host, protocol::TCP, ttl, frame.bytes())
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
