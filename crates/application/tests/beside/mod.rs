//! A client on a host beside one that serves, in virtual time: what the tests of HTTP share.

use std::io;
use std::sync::{Arc, Mutex};

use septet_core::{Instant, Port, Seed};
use septet_datalink::ethernet::MacAddr;
use septet_engine::World;
use septet_host::{Host, HostConfig, InterfaceConfig};
use septet_physical::Medium;
use septet_presentation::ca::{Authority, KeySource, ServerIdentity, TrustStore};
use septet_socket::{BoxFuture, NetRef, TcpStream};

/// Where HTTP is spoken.
pub(crate) const PLAIN: ([u8; 4], u16) = ([10, 0, 0, 2], 80);
/// Where HTTPS is.
pub(crate) const SECURE: ([u8; 4], u16) = ([10, 0, 0, 2], 443);

/// What `client` gives, within so many seconds, on a host beside one that does what `serve` says.
pub(crate) fn beside<T: Send + 'static>(
    serve: impl Fn(&NetRef, &ServerIdentity) -> Vec<BoxFuture<'static, io::Result<()>>> + 'static,
    client: impl Fn(NetRef, TrustStore) -> BoxFuture<'static, T> + 'static,
    seconds: u64,
) -> T {
    let mut world = World::new(Seed::new(1));
    let host = |name: &str, number: u8| {
        let address = format!("10.0.0.{number}/24").parse().unwrap();
        let interface = InterfaceConfig { mac: MacAddr::local(number.into()), addresses: vec![address], mtu: 1500 };
        Host::new(HostConfig { interfaces: vec![interface], ..HostConfig::new(name) }).unwrap()
    };
    let authority = Authority::new(KeySource::Seeded(Seed::new(1)), HostConfig::new("").epoch).unwrap();
    let (identity, trust) = (authority.issue(&["10.0.0.2"]).unwrap(), authority.trust_store());
    let mut server = host("server", 2);
    server.on_boot(move |net| {
        for serving in serve(&net, &identity) {
            let _ = net.spawn(Box::pin(async move { panic!("a server ended: {:?}", serving.await) }));
        }
    });
    let result = Arc::new(Mutex::new(None));
    let mut asking = host("client", 1);
    let place = result.clone();
    asking.on_boot(move |net| {
        let (future, place) = (client(net.clone(), trust.clone()), place.clone());
        let _ = net.spawn(Box::pin(async move { *place.lock().unwrap() = Some(future.await) }));
    });
    let ends = [world.add_station("client", Box::new(asking)), world.add_station("server", Box::new(server))];
    let medium = Medium::default();
    world.connect((ends[0], Port(0)), (ends[1], Port(0)), medium.clone(), medium, "link");
    for second in 1..=seconds {
        world.run_until(Instant::from_secs(second)).unwrap();
        if let Some(result) = result.lock().unwrap().take() {
            return result;
        }
    }
    panic!("the client waits for ever");
}

/// A connection to the plain port.
pub(crate) async fn connect(net: &NetRef) -> TcpStream {
    net.connect(PLAIN.into(), Default::default()).await.unwrap()
}
