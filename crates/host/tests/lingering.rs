//! Many who wait until what a closed connection sent has arrived (`SO_LINGER`): each is woken once, and each costs what one costs.

use core::task::Waker;
use core::time::Duration;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use septet_core::{Instant, Port, Rate, Seed};
use septet_datalink::ethernet::MacAddr;
use septet_engine::World;
use septet_host::{Host, HostConfig, InterfaceConfig};
use septet_physical::Medium;
use septet_physical::queue::{Limit, QueueSpec};
use septet_socket::{ListenOptions, Watch, Watched, Wish};
use septet_transport::tcp::Follows;

fn host(number: u8) -> Host {
    let address = format!("10.0.0.{number}/24").parse().unwrap();
    let interface = InterfaceConfig { mac: MacAddr::local(number.into()), addresses: vec![address], mtu: 1500 };
    Host::new(HostConfig { interfaces: vec![interface], ..HostConfig::new(format!("h{number}")) }).unwrap()
}

#[derive(Default)]
struct Rings(AtomicUsize);

impl Wake for Rings {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Closes so many connections at once, and waits for each; gives the bytes that were allocated until the last was woken.
fn close(connections: usize) -> u64 {
    let (client, mut server) = (host(1), host(2));
    let system = client.sockets();
    server.on_boot(|net| {
        let listener = net.listen("10.0.0.2:7".parse().unwrap(), ListenOptions::default()).unwrap();
        let inner = net.clone();
        drop(net.spawn(Box::pin(async move {
            let mut kept = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                kept.push(stream);
                inner.sleep_until(inner.now()).await;
            }
        })));
    });
    let mut world = World::new(Seed::new(1));
    let (a, b) = (world.add_station("a", Box::new(client)), world.add_station("b", Box::new(server)));
    // What is sent leaves one after the other, and arrives so.
    let line = Medium {
        rate: Rate::from_bits_per_sec(10_000_000),
        delay: Duration::from_millis(1),
        queue: QueueSpec::drop_tail(Limit::Packets(10_000)),
        ..Medium::default()
    };
    world.connect((a, Port(0)), (b, Port(0)), line.clone(), line, "line");
    world.run_until(Instant::from_secs(1)).unwrap();
    let open = |_| system.connect(None, "10.0.0.2:7".parse().unwrap(), &system.defaults()).unwrap();
    let sockets: Vec<_> = (0..connections).map(open).collect();
    world.station_mut::<Host>(a);
    world.run_until(Instant::from_secs(10)).unwrap();
    let rings: Vec<Arc<Rings>> = (0..connections).map(|_| Arc::default()).collect();
    let mut watches = Vec::new();
    for (socket, rings) in sockets.into_iter().zip(&rings) {
        assert_eq!(system.write(socket, &[7; 100], Follows::Nothing).unwrap(), 100);
        system.close(socket);
        let waker = Waker::from(rings.clone());
        watches.push(Watch::begin(&system, Watched::Tcp(socket), Wish::Change, &waker).unwrap());
    }
    world.station_mut::<Host>(a);
    let cost = allocation_counter::measure(|| world.run_until(Instant::from_secs(30)).unwrap());
    assert!(rings.iter().all(|rings| rings.0.load(Ordering::Relaxed) == 1));
    cost.bytes_total
}

#[test]
fn each_of_many_lingering_closes_costs_what_one_costs() {
    let (few, many) = (close(200), close(800));
    assert!(many < 6 * few, "{few} bytes were allocated for 200, and {many} for four times as many");
}
