//! The relay on a network: it carries messages between the links of a router and servers elsewhere.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use septet_core::{Metric, Storey};
use septet_network::neighbor::State;
use septet_socket::{Admin, Broadcast, NetExt, NetRef, UdpSocket};
use septet_wire::dhcp::{Message, Op, SERVER_PORT};

use super::lease::Dest;
use super::{TO_ALL, client_at, relaying, server_at};
use crate::task;

/// Relays until the host stops: what clients say on a link without a server goes to each of `servers`.
///
/// # Errors
/// `AddrInUse` where another listens at the port, `Unsupported` where the network has no sockets of one interface.
pub async fn relay(net: NetRef, servers: Vec<Ipv4Addr>) -> io::Result<()> {
    let admin = net.admin()?;
    let mut ports = Vec::new();
    for link in admin.links()? {
        let own = admin.addresses()?.into_iter().find(|a| a.iface == link.iface && a.address.addr().is_ipv4());
        let Some(own) = own else { continue };
        let IpAddr::V4(address) = own.address.addr() else { continue };
        let socket = net.bind_udp_on(&link.name, SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), SERVER_PORT))?;
        socket.set_broadcast(Broadcast::Allowed)?;
        // Where a server is on the link itself it hears clients without help.
        let needs_help = !servers.iter().any(|server| own.address.prefix().contains((*server).into()));
        ports.push(Port { iface: link.iface, address, socket, needs_help });
    }
    let shared = Arc::new(Relay { net: net.clone(), admin, servers, ports });
    let tasks: Vec<_> =
        (0..shared.ports.len()).map(|port| task::spawn(&net, Box::pin(shared.clone().serve(port)))).collect();
    core::future::pending::<()>().await;
    drop(tasks);
    Ok(())
}

struct Relay {
    net: NetRef,
    admin: Admin,
    servers: Vec<Ipv4Addr>,
    ports: Vec<Port>,
}

/// One interface of the relay.
struct Port {
    iface: u16,
    address: Ipv4Addr,
    socket: UdpSocket,
    needs_help: bool,
}

impl Relay {
    async fn serve(self: Arc<Self>, number: usize) {
        let mut buf = vec![0; 2048];
        let port = &self.ports[number];
        loop {
            let Ok(datagram) = port.socket.receive(&mut buf).await else { return };
            let Ok(message) = Message::parse(&buf[..datagram.len]) else { continue };
            match message.op {
                Op::Request if port.needs_help => self.up(port, &message).await,
                Op::Request => {}
                Op::Reply => self.down(&message).await,
            }
        }
    }

    async fn up(&self, port: &Port, message: &Message) {
        let Some(relayed) = relaying::to_server(message, port.address) else { return };
        self.tell("dhcp.relay.up", &relayed);
        for server in &self.servers {
            // By the routes, from whatever interface leads there: the device of this socket is the client's.
            if let Ok(out) = self.net.bind_udp(SocketAddr::new(port.address.into(), 0)) {
                let _ = out.send_to(&relayed.to_bytes(), server_at(*server)).await;
            }
        }
    }

    async fn down(&self, message: &Message) {
        let Some((dest, relayed)) = relaying::to_client(message) else { return };
        let Some(port) = self.ports.iter().find(|port| port.address == message.giaddr) else { return };
        self.tell("dhcp.relay.down", &relayed);
        let to = match dest {
            Dest::Future(address, mac) => {
                let _ = self.admin.set_neighbor(port.iface, address.into(), mac, State::Reachable);
                client_at(address)
            }
            Dest::Client(address) => client_at(address),
            Dest::All | Dest::Relay(_) => client_at(TO_ALL),
        };
        let _ = port.socket.send_to(&relayed.to_bytes(), to).await;
    }

    fn tell(&self, what: &'static str, message: &Message) {
        self.net.count(what);
        self.net.trace(Storey::Application, "dhcp.relayed", |f| {
            f.set("type", message.options.kind.as_str()).set("client", message.chaddr.0);
            f.set(
                "why",
                if message.op == Op::Request { "no server is on its link" } else { "it is for a client here" },
            );
        });
    }
}

/// What it records.
pub const METRICS: &[Metric] = &[
    Metric::counter("dhcp.relay.up", "messages of clients that went on to servers"),
    Metric::counter("dhcp.relay.down", "messages of servers that went on to clients"),
];
