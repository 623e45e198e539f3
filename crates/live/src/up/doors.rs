//! Doors out of the lab: connections to a port of a host go on to a port of this machine.

use std::any::Any;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use septet_core::StationId;
use septet_lab::{Node, Outside};
use septet_socket::{ListenOptions, NetRef};
use tokio::net::TcpStream;
use tokio::task::spawn_local;

use crate::pump::Pump;
use crate::relay::{End, relay};

/// The doors of a node.
pub(super) fn of(node: &Node) -> impl Iterator<Item = (u16, SocketAddr)> {
    let outside = node.spec.services.iter().filter_map(|service| {
        let any: &dyn Any = &**service;
        any.downcast_ref::<Outside>()
    });
    outside.flat_map(|outside| outside.doors.iter().copied())
}

/// How often a host that was switched off is asked whether it is on again.
const AGAIN: Duration = Duration::from_millis(100);

/// Opens a door. It closes where its host is switched off, and opens again with it.
pub(super) fn open(pump: &Pump, station: StationId, net: NetRef, port: u16, target: SocketAddr) -> io::Result<()> {
    let at = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port);
    let mut listener = pump.with(|_| net.listen(at, ListenOptions::default()))?;
    let inner = pump.clone();
    let serve = async move {
        loop {
            let Ok((mut lab, _)) = listener.accept().await else {
                listener = loop {
                    tokio::time::sleep(AGAIN).await;
                    if let Ok(listener) = net.listen(at, ListenOptions::default()) {
                        break listener;
                    }
                };
                continue;
            };
            let carry = async move {
                match TcpStream::connect(target).await {
                    Ok(mut kernel) => {
                        let _ = kernel.set_nodelay(true);
                        // Each side hears of the other's end by the end of its own connection.
                        let _ = relay(&mut lab, &mut kernel, |_, _| ()).await;
                    }
                    Err(_) => lab.reset_on_drop(),
                }
            };
            spawn_local(inner.drive(station, carry));
        }
    };
    spawn_local(pump.drive(station, serve));
    Ok(())
}
