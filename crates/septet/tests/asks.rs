//! What users of turmoil, bach and madsim ask for, each a test.

use core::time::Duration;
use std::sync::{Arc, Mutex};

use septet::collections::{HashMap, HashSet};
use septet::net::{TcpListener, TcpStream};
use septet::runtime::Handle;
use septet::test::World;
use septet::time::Instant;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Takes what comes, to its end, and answers with its length.
async fn count() -> septet::test::Result {
    let listener = TcpListener::bind("0.0.0.0:80").await?;
    loop {
        let (mut stream, _) = listener.accept().await?;
        septet::task::spawn(async move {
            let (mut from, mut to) = stream.split();
            let n = tokio::io::copy(&mut from, &mut tokio::io::sink()).await?;
            to.write_u64(n).await
        });
    }
}

async fn send(bytes: usize) -> std::io::Result<Duration> {
    let begun = Instant::now();
    let mut stream = TcpStream::connect("server:80").await?;
    stream.write_all(&vec![1; bytes]).await?;
    stream.shutdown().await?;
    assert_eq!(stream.read_u64().await?, bytes as u64);
    Ok(begun.elapsed())
}

/// turmoil #185: one lost segment hangs the client, there being "no re-transmit behaviour".
#[test]
fn a_lost_segment_is_sent_again() {
    let mut world = World::new();
    world.host("server", count);
    world.client("client", async {
        send(1000).await?;
        Ok(())
    });
    // The first segment with data in it, and no other.
    world.fault("drop tcp dport 80 size 500.. first 1 on server");
    world.watch();
    world.run().unwrap();
    assert_eq!(world.counter("client", "TcpRetransSegs"), 1);
    assert_eq!(world.packets("tcp dport 80 size 500..").len(), 2);
}

/// bach #61: a real stack under the simulator, so that loss affects throughput.
#[test]
fn loss_costs_throughput() {
    let took = |loss: &str| {
        let mut world = World::builder().rate("100mbit").latency(Duration::from_millis(10)).loss(loss).build();
        let took: Arc<Mutex<Duration>> = Arc::default();
        let told = took.clone();
        world.host("server", count);
        world.client("client", async move {
            *told.lock().unwrap() = send(3_000_000).await?;
            Ok(())
        });
        world.run().unwrap();
        *took.lock().unwrap()
    };
    let (without, little, much) = (took("0%"), took("1%"), took("5%"));
    assert!(without < Duration::from_millis(700), "{without:?}");
    assert!(little > without + without / 2 && much > 2 * little, "{without:?}, {little:?}, {much:?}");
}

/// turmoil #16: hash maps whose order the seed decides: the same again, and another with another seed.
#[test]
fn the_order_of_a_hash_map_is_the_seeds() {
    let order = |seed: u64| {
        let mut world = World::builder().seed(seed).build();
        let order: Arc<Mutex<Vec<u32>>> = Arc::default();
        let told = order.clone();
        world.client("alone", async move {
            let map: HashMap<u32, ()> = (0..50).map(|n| (n, ())).collect();
            let set: HashSet<u32> = map.keys().copied().collect();
            *told.lock().unwrap() = map.into_keys().chain(set).collect();
            Ok(())
        });
        world.run().unwrap();
        order.lock().unwrap().clone()
    };
    assert_eq!(order(1), order(1));
    assert_ne!(order(1), order(2));
}

/// turmoil #16: and retries, which are the program's own, over a network that comes back.
#[test]
fn a_retry_gets_there() {
    let mut world = World::new();
    world.host("server", count);
    world.client("client", async {
        let mut tries = 0;
        while septet::time::timeout(Duration::from_millis(300), send(10)).await.is_err() {
            tries += 1;
        }
        assert!((2..10).contains(&tries), "{tries}");
        Ok(())
    });
    world.fault("0s..1s: drop tcp on server");
    world.run().unwrap();
}

/// madsim #213: a handle of the runtime.
#[test]
fn a_handle_spawns_on_its_host() {
    let mut world = World::new();
    world.client("alone", async {
        let handle = Handle::current();
        assert_eq!(handle.host(), Some("alone".to_owned()));
        assert_eq!(handle.spawn(async { Handle::current().host() }).await?, Some("alone".to_owned()));
        Ok(())
    });
    world.run().unwrap();
    assert!(Handle::try_current().is_none(), "the test itself is no program of a host");
}
