//! One question to one server, over sockets: from where it goes, and which answers count.

use core::sync::atomic::{AtomicU16, Ordering};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use hickory_proto::op::Message;
use hickory_proto::rr::Name;
use septet_core::Storey;
use septet_socket::{NetExt, NetRef, TcpOptions, UdpSocket};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::super::message::{EDNS_UDP, EdnsUse, Recursion, question};
use super::super::resolver::{Query, accepts, bind_random};
use super::machine::{Ask, Edns, Heard, Over};

/// From which ports questions go.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Ports {
    /// Each from another. RFC 5452 §9.2: "Resolver implementations MUST … use an unpredictable source port for outgoing queries".
    #[default]
    Random,
    /// All from this one, as resolvers did until 2008: to show what comes of it.
    Fixed(u16),
}

/// Which identifiers questions have.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Ids {
    /// Each another. RFC 5452 §9.2: "use an unpredictable query ID for outgoing queries".
    #[default]
    Random,
    /// One after the other, as resolvers did until 1997: to show what comes of it.
    Sequential,
}

/// How names are written in questions.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Case {
    /// As the client wrote them.
    #[default]
    Kept,
    /// With letters small or capital by chance, which an answer must repeat: draft-vixie-dnsext-dns0x20.
    Random,
}

/// How questions are put to servers.
#[derive(Debug)]
pub(super) struct Upstream {
    pub(super) ports: Ports,
    pub(super) ids: Ids,
    pub(super) case: Case,
    /// At which port servers are asked.
    pub(super) port: u16,
    last: AtomicU16,
    /// From a single port one question goes at a time.
    turn: tokio::sync::Mutex<()>,
}

impl Upstream {
    pub(super) fn new(ports: Ports, ids: Ids, case: Case, port: u16) -> Self {
        Self { ports, ids, case, port, last: AtomicU16::new(0), turn: tokio::sync::Mutex::new(()) }
    }

    /// Puts a question to a server and waits for the answer.
    pub(super) async fn put(&self, net: &NetRef, ask: &Ask) -> Heard {
        let _turn = match self.ports {
            Ports::Fixed(_) => Some(self.turn.lock().await),
            Ports::Random => None,
        };
        let asking = async {
            match ask.over {
                Over::Udp => self.over_udp(net, ask).await,
                Over::Tcp => self.over_tcp(net, ask).await,
            }
        };
        match net.timeout(ask.patience, asking).await {
            Ok(Ok(message)) => Heard::Answer(Box::new(message)),
            Err(_) => Heard::Silence,
            Ok(Err(error)) if error.kind() == io::ErrorKind::TimedOut => Heard::Silence,
            Ok(Err(_)) => Heard::Unreachable,
        }
    }

    fn build(&self, net: &NetRef, ask: &Ask) -> io::Result<(u16, Query, Vec<u8>)> {
        let id = match self.ids {
            Ids::Random => net.random_u64() as u16,
            Ids::Sequential => self.last.fetch_add(1, Ordering::Relaxed).wrapping_add(1),
        };
        let name = match self.case {
            Case::Kept => ask.name.clone(),
            Case::Random => shuffled(&ask.name, || net.random_u64()),
        };
        let edns = if ask.edns == Edns::With { EdnsUse::Payload(EDNS_UDP) } else { EdnsUse::Off };
        let bytes = question(id, &name, ask.kind, edns, Recursion::NotDesired).to_vec().map_err(io::Error::other)?;
        net.count("recursor.asked");
        if ask.over == Over::Tcp {
            net.count("recursor.asked.tcp");
        }
        net.trace(Storey::Application, "recursor.ask", |f| {
            f.set("server", ask.server).set("zone", ask.zone.to_ascii());
            f.set("name", name.to_ascii()).set("type", ask.kind.to_string()).set("id", id);
            f.set("over", if ask.over == Over::Tcp { "TCP" } else { "UDP" });
        });
        Ok((id, Query::new(SocketAddr::new(ask.server, self.port), name, ask.kind), bytes))
    }

    /// RFC 5452 §9.1: the identifier, the question and both addresses must be those of the question.
    fn is_answer(&self, message: &Message, id: u16, query: &Query) -> bool {
        let repeats = |name: &Name| self.case == Case::Kept || name.eq_case(&query.name);
        accepts(message, id, query) && message.queries.iter().all(|asked| repeats(asked.name()))
    }

    async fn over_udp(&self, net: &NetRef, ask: &Ask) -> io::Result<Message> {
        let (id, query, bytes) = self.build(net, ask)?;
        let socket = self.socket(net, query.server)?;
        socket.connect(query.server)?;
        socket.send(&bytes).await?;
        let mut buf = vec![0; 4096];
        loop {
            let datagram = socket.receive(&mut buf).await?;
            let message = Message::from_vec(&buf[..datagram.len.min(buf.len())]).ok();
            match message.filter(|message| datagram.from == query.server && self.is_answer(message, id, &query)) {
                Some(message) => return Ok(as_asked(message, &ask.name)),
                None => {
                    net.count("recursor.ignored");
                    net.trace(Storey::Application, "recursor.ignored", |f| {
                        f.set("server", datagram.from).set("name", query.name.to_ascii());
                        f.set("why", "neither the identifier nor the question of one that waits for an answer");
                    });
                }
            }
        }
    }

    fn socket(&self, net: &NetRef, server: SocketAddr) -> io::Result<UdpSocket> {
        let Ports::Fixed(port) = self.ports else { return bind_random(net, server) };
        let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        net.bind_udp(SocketAddr::new(any, port))
    }

    async fn over_tcp(&self, net: &NetRef, ask: &Ask) -> io::Result<Message> {
        let (id, query, bytes) = self.build(net, ask)?;
        let mut stream = net.connect(query.server, TcpOptions::default()).await?;
        let length = u16::try_from(bytes.len()).map_err(io::Error::other)?;
        stream.write_all(&[&length.to_be_bytes()[..], &bytes].concat()).await?;
        let length = stream.read_u16().await?;
        let mut buf = vec![0; length.into()];
        stream.read_exact(&mut buf).await?;
        let message = Message::from_vec(&buf).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e.to_string()))?;
        if self.is_answer(&message, id, &query) {
            return Ok(as_asked(message, &ask.name));
        }
        Err(io::Error::new(io::ErrorKind::InvalidData, "the answer is not one to the question"))
    }
}

/// The message with the name as it was asked for, however it was written on the way.
fn as_asked(mut message: Message, name: &Name) -> Message {
    for record in message.answers.iter_mut().filter(|record| record.name == *name) {
        record.name = name.clone();
    }
    message
}

/// The name with letters small or capital by chance.
fn shuffled(name: &Name, mut random: impl FnMut() -> u64) -> Name {
    let labels: Vec<Vec<u8>> = name
        .iter()
        .map(|label| {
            let bits = random();
            let letter = |(at, byte): (usize, &u8)| match bits >> (at % 64) & 1 {
                0 => byte.to_ascii_lowercase(),
                _ => byte.to_ascii_uppercase(),
            };
            label.iter().enumerate().map(letter).collect()
        })
        .collect();
    let mut shuffled = Name::from_labels(labels).unwrap_or_else(|_| name.clone());
    shuffled.set_fqdn(true);
    shuffled
}
