//! Doors out of the lab: connections to a port of a host go on to a port of this machine.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use septet_core::StationId;
use septet_lab::Node;
use septet_socket::{Accepted, Acceptor, ListenOptions, NetExt, NetRef, Nodelay, Places, TcpOptions};
use tokio::task::spawn_local;

use crate::border::{Inside, cross};
use crate::kernel::KernelNet;
use crate::pump::Pump;

/// The doors of a node.
pub(super) fn of(node: &Node) -> impl Iterator<Item = (u16, SocketAddr)> {
    node.services().iter().flat_map(|service| service.doors().iter().copied())
}

/// How often a host that was switched off is asked whether it is on again.
const AGAIN: Duration = Duration::from_millis(100);

/// Opens a door. It closes where its host is switched off, and opens again with it.
pub(super) fn open(pump: &Pump, station: StationId, net: NetRef, port: u16, target: SocketAddr) -> io::Result<()> {
    let at = net.everywhere(port);
    let places = Places::default();
    let listen = {
        let net = net.clone();
        move || net.listen(at, ListenOptions::default()).map(|listener| Acceptor::new(listener, &places))
    };
    let mut acceptor: Acceptor = pump.with(|_| listen())?;
    let outside = KernelNet::new()?.into_net();
    let inner = pump.clone();
    let serve = async move {
        loop {
            let (stream, place) = match acceptor.accept(&net).await {
                Ok(Accepted::Placed((stream, _), place)) => (stream, place),
                Ok(Accepted::Spared(_)) => continue,
                Err(_) => {
                    acceptor = loop {
                        tokio::time::sleep(AGAIN).await;
                        if let Ok(acceptor) = listen() {
                            break acceptor;
                        }
                    };
                    continue;
                }
            };
            let (pump, outside) = (inner.clone(), outside.clone());
            let carry = async move {
                let far = outside.connect(target, TcpOptions { nodelay: Some(Nodelay::On), ..TcpOptions::default() });
                let inside = Inside { pump, host: station, stream };
                // Where nobody listens the lab's side is reset, which is all that there is to tell.
                let _ = cross(&outside, inside, far, |_, _| ()).await;
                drop(place);
            };
            spawn_local(inner.drive(station, carry));
        }
    };
    spawn_local(pump.drive(station, serve));
    Ok(())
}
