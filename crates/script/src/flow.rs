//! One conversation of a script: how its numbers stand to those on the wire.

use std::net::SocketAddr;

use crate::icmp;
use crate::syntax::{Body, Direction, Echoed, IpSpec, Packet, TcpOption, TcpSpec, Tos};
use crate::wire::{Content, Datagram, Segment, encode, flags};

/// The octet at `offset` of every stream: what is written, sent, received and read must be these.
pub(crate) fn pattern(offset: u64) -> u8 {
    (offset % 251) as u8
}

/// `len` octets of the stream from `offset` on.
pub(crate) fn stream(offset: u64, len: usize) -> Vec<u8> {
    (offset..offset + len as u64).map(pattern).collect()
}

/// A number as the script has it and as the wire has it.
#[derive(Clone, Copy, Debug)]
struct Anchor {
    script: u32,
    live: u32,
}

impl Anchor {
    /// Sequence numbers are relative to the initial one, except where SYN is set: those are absolute.
    fn to_live(this: Option<Self>, number: u32, flags: u16) -> u32 {
        let Some(Self { script, live }) = this else { return number };
        let base = if flags & flags::SYN != 0 { script } else { 0 };
        number.wrapping_sub(base).wrapping_add(live)
    }

    fn to_script(this: Option<Self>, number: u32, flags: u16) -> u32 {
        let Some(Self { script, live }) = this else { return number };
        let base = if flags & flags::SYN != 0 { script } else { 0 };
        number.wrapping_sub(live).wrapping_add(base)
    }
}

/// A conversation between the stack under test and the world of the script.
#[derive(Clone, Debug)]
pub(crate) struct Flow {
    /// Our end; the port is unknown until the stack has chosen it.
    pub(crate) local: SocketAddr,
    /// The script's end.
    pub(crate) remote: SocketAddr,
    local_isn: Option<Anchor>,
    remote_isn: Option<Anchor>,
    clock: Option<Anchor>,
}

impl Flow {
    pub(crate) fn new(local: SocketAddr, remote: SocketAddr) -> Self {
        Self { local, remote, local_isn: None, remote_isn: None, clock: None }
    }

    /// The packet on the wire that an inbound packet of the script stands for.
    pub(crate) fn inbound(&mut self, packet: &Packet) -> Result<Datagram, String> {
        let (src_port, dst_port) = packet.ports.unwrap_or((self.remote.port(), self.local.port()));
        let content = match &packet.body {
            Body::Tcp(tcp) => Content::Tcp(self.inbound_tcp(tcp, src_port, dst_port)),
            Body::Udp { len } => Content::Udp { src: src_port, dst: dst_port, payload: stream(0, (*len).into()) },
            Body::Icmp(spec) => {
                let (kind, code, rest) = icmp::encode(spec, self.remote.is_ipv4())?;
                let body =
                    if icmp::is_error(kind, self.remote.is_ipv4()) { self.quoted(spec.echoed) } else { Vec::new() };
                Content::Icmp { kind, code, rest, body }
            }
        };
        let tos = match packet.ip.tos {
            Tos::Unsaid | Tos::Ect01 => 0,
            Tos::Ecn(tos) | Tos::Whole(tos) => tos,
        };
        let (src, dst) = (self.remote.ip(), self.local.ip());
        Ok(Datagram { src, dst, tos, ttl: packet.ip.ttl.unwrap_or(64), content })
    }

    fn inbound_tcp(&mut self, tcp: &TcpSpec, src: u16, dst: u16) -> Segment {
        let TcpSpec { flags, seq, len, ack, window, urgent, ref options } = *tcp;
        if flags & flags::SYN != 0 && self.remote_isn.is_none() {
            // The script's own numbers go on the wire as they are.
            self.remote_isn = Some(Anchor { script: seq, live: seq });
        }
        let live = |number| Anchor::to_live(self.local_isn, number, flags);
        let map = |option: &TcpOption| match option {
            TcpOption::Sack(blocks) => TcpOption::Sack(blocks.iter().map(|(l, r)| (live(*l), live(*r))).collect()),
            TcpOption::Timestamps { val, ecr } if *ecr != 0 => {
                TcpOption::Timestamps { val: *val, ecr: Anchor::to_live(self.clock, *ecr, flags::SYN) }
            }
            other => other.clone(),
        };
        // Octet zero of the stream has the sequence number after the SYN's.
        let first = u64::from(if flags & flags::SYN != 0 { 0 } else { seq.wrapping_sub(1) });
        Segment {
            src,
            dst,
            seq: Anchor::to_live(self.remote_isn, seq, flags),
            ack: if flags & flags::ACK != 0 { live(ack) } else { 0 },
            flags,
            window: window.unwrap_or(0),
            urgent,
            options: options.iter().flatten().map(map).collect(),
            payload: stream(first, len.into()),
        }
    }

    /// What an ICMP error quotes of a packet of ours: its IP header and, of a segment, as much as matters.
    fn quoted(&self, echoed: Echoed) -> Vec<u8> {
        let (src, dst) = (self.local.port(), self.remote.port());
        let content = match echoed {
            Echoed::Udp { len } => Content::Udp { src, dst, payload: vec![0; len.into()] },
            Echoed::Tcp { .. } | Echoed::Unsaid => {
                let (seq, len) = if let Echoed::Tcp { seq, len } = echoed { (seq, len) } else { (0, 0) };
                Content::Tcp(Segment {
                    src,
                    dst,
                    seq: Anchor::to_live(self.local_isn, seq, 0),
                    ack: 0,
                    flags: 0,
                    window: 0,
                    urgent: 0,
                    options: Vec::new(),
                    payload: vec![0; len.into()],
                })
            }
        };
        let datagram = Datagram { src: self.local.ip(), dst: self.remote.ip(), tos: 0, ttl: 64, content };
        let mut quoted = encode(&datagram);
        // RFC 792: "The internet header plus the first 64 bits of the original datagram's data."
        quoted.truncate(if self.local.is_ipv4() { 28 } else { 48 });
        quoted
    }

    /// Whether a packet of the stack belongs to this conversation, as far as its addresses say.
    pub(crate) fn owns(&self, datagram: &Datagram) -> bool {
        let addresses = datagram.src == self.local.ip() && datagram.dst == self.remote.ip();
        let port = |known: u16, there: u16| known == 0 || known == there;
        addresses
            && match &datagram.content {
                Content::Tcp(Segment { src, dst, .. }) | Content::Udp { src, dst, .. } => {
                    port(self.local.port(), *src) && port(self.remote.port(), *dst)
                }
                Content::Icmp { .. } => true,
            }
    }

    /// Learns what an outbound packet shows for the first time, where the script expects it here.
    pub(crate) fn learn(&mut self, datagram: &Datagram, script: &Packet) {
        let (Content::Tcp(segment), Body::Tcp(tcp)) = (&datagram.content, &script.body) else {
            if let Content::Udp { src, .. } = datagram.content {
                self.local.set_port(src);
            }
            return;
        };
        self.local.set_port(segment.src);
        if segment.flags & flags::SYN != 0 && tcp.flags & flags::SYN != 0 {
            self.local_isn = Some(Anchor { script: tcp.seq, live: segment.seq });
        }
        let clock = |options: &[TcpOption]| {
            options.iter().find_map(|o| if let TcpOption::Timestamps { val, .. } = o { Some(*val) } else { None })
        };
        if self.clock.is_none()
            && let Some(live) = clock(&segment.options)
            && let Some(script) = tcp.options.as_deref().and_then(clock)
        {
            self.clock = Some(Anchor { script, live });
        }
    }

    /// The packet in the script's numbers, everything shown.
    pub(crate) fn outbound(&self, datagram: &Datagram) -> Packet {
        let body = match &datagram.content {
            Content::Tcp(segment) => Body::Tcp(self.outbound_tcp(segment)),
            Content::Udp { payload, .. } => Body::Udp { len: payload.len() as u16 },
            Content::Icmp { kind, code, rest, .. } => {
                Body::Icmp(icmp::decode(*kind, *code, *rest, datagram.src.is_ipv4()))
            }
        };
        let ip = IpSpec { tos: Tos::Whole(datagram.tos), ttl: Some(datagram.ttl) };
        Packet { direction: Direction::Outbound, ip, ports: ports(&datagram.content), body }
    }

    fn outbound_tcp(&self, segment: &Segment) -> TcpSpec {
        let flags = segment.flags;
        let remote = |number| Anchor::to_script(self.remote_isn, number, flags);
        let map = |option: &TcpOption| match option {
            TcpOption::Sack(blocks) => TcpOption::Sack(blocks.iter().map(|(l, r)| (remote(*l), remote(*r))).collect()),
            TcpOption::Timestamps { val, ecr } => {
                TcpOption::Timestamps { val: Anchor::to_script(self.clock, *val, flags::SYN), ecr: *ecr }
            }
            other => other.clone(),
        };
        TcpSpec {
            flags,
            seq: Anchor::to_script(self.local_isn, segment.seq, flags),
            len: segment.payload.len() as u16,
            ack: if flags & flags::ACK != 0 { remote(segment.ack) } else { 0 },
            window: Some(segment.window),
            urgent: segment.urgent,
            options: Some(segment.options.iter().map(map).collect()),
        }
    }
}

/// The ports of TCP and UDP.
fn ports(content: &Content) -> Option<(u16, u16)> {
    match content {
        Content::Tcp(Segment { src, dst, .. }) | Content::Udp { src, dst, .. } => Some((*src, *dst)),
        Content::Icmp { .. } => None,
    }
}

/// Forgets what `script` says nothing about, so that the rest can be compared.
pub(crate) fn as_said(mut actual: Packet, script: &Packet) -> Packet {
    if script.ports.is_none() {
        actual.ports = None;
    }
    actual.ip.ttl = actual.ip.ttl.filter(|_| script.ip.ttl.is_some());
    let Tos::Whole(tos) = actual.ip.tos else { return actual };
    actual.ip.tos = match script.ip.tos {
        Tos::Unsaid => Tos::Unsaid,
        Tos::Ecn(_) => Tos::Ecn(tos & 3),
        Tos::Ect01 if matches!(tos & 3, 1 | 2) => Tos::Ect01,
        Tos::Ect01 => Tos::Ecn(tos & 3),
        Tos::Whole(_) => Tos::Whole(tos),
    };
    match (&mut actual.body, &script.body) {
        (Body::Tcp(tcp), Body::Tcp(said)) => {
            tcp.window = tcp.window.filter(|_| said.window.is_some());
            if said.options.is_none() {
                tcp.options = None;
            }
        }
        (Body::Icmp(icmp), Body::Icmp(said)) => {
            icmp.mtu = icmp.mtu.filter(|_| said.mtu.is_some());
            icmp.id = icmp.id.filter(|_| said.id.is_some());
            icmp.echoed = said.echoed;
        }
        _ => {}
    }
    actual
}
