//! Doors out of the lab: connections to a port of a host go on to a port of this machine.

use std::any::Any;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

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

/// Opens a door.
pub(super) fn open(pump: &Pump, station: StationId, net: NetRef, port: u16, target: SocketAddr) -> io::Result<()> {
    let at = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port);
    let listener = pump.with(|_| net.listen(at, ListenOptions::default()))?;
    let inner = pump.clone();
    let serve = async move {
        // An error means that the host was switched off; its door goes with it.
        while let Ok((mut lab, _)) = listener.accept().await {
            let carry = async move {
                match TcpStream::connect(target).await {
                    Ok(mut kernel) => {
                        let _ = kernel.set_nodelay(true);
                        // Each side hears of the other's end by the end of its own connection.
                        let _ = relay(&mut lab, &mut kernel).await;
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
