//! Worlds of tests: programs, faults from code, and what goes wrong.

use core::cell::Cell;
use core::time::Duration;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use septet::net::{TcpListener, TcpStream, UdpSocket};
use septet::task::JoinSet;
use septet::test::{Failure, What, World};
use septet::time::{Instant, sleep, timeout, unix_time};
use septet::{fs, task};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

type Done = septet::test::Result;

/// Answers datagrams, whatever they say.
async fn echo() -> Done {
    let socket = UdpSocket::bind("0.0.0.0:7").await?;
    let mut buf = [0; 1500];
    loop {
        let (len, from) = socket.recv_from(&mut buf).await?;
        socket.send_to(&buf[..len], from).await?;
    }
}

/// Whether an answer comes from `to` within so long.
async fn answers(to: &str, within: Duration) -> Result<bool, std::io::Error> {
    let socket = UdpSocket::bind("0.0.0.0:0").await?;
    socket.send_to(b"?", (to, 7)).await?;
    Ok(timeout(within, socket.recv_from(&mut [0; 16])).await.is_ok())
}

const SOON: Duration = Duration::from_millis(100);

#[test]
fn partitions_one_way_and_both_are_repaired() {
    let mut world = World::new();
    for host in ["a", "b", "c"] {
        world.host(host, echo);
    }
    world.client("d", async {
        let state = async || -> std::io::Result<[bool; 3]> {
            Ok([answers("a", SOON).await?, answers("b", SOON).await?, answers("c", SOON).await?])
        };
        assert_eq!(state().await?, [true, true, true]);
        septet::test::partition("d", "a");
        septet::test::partition_oneway("b", "d");
        sleep(SOON).await;
        assert_eq!(state().await?, [false, false, true]);
        septet::test::repair("a", "d");
        septet::test::repair("b", "d");
        sleep(SOON).await;
        assert_eq!(state().await?, [true, true, true]);
        septet::test::partition(["a", "b"], ["c", "d"]);
        sleep(SOON).await;
        assert_eq!(state().await?, [false, false, true]);
        Ok(())
    });
    world.run().unwrap();
    // What was asked met the wire one way only.
    assert_eq!(world.counter("b", "UdpInDatagrams"), 3);
    assert_eq!(world.counter("a", "UdpInDatagrams"), 2);
    let told: Vec<String> = world.faults().iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[0].contains("..") && told[0].ends_with(": drop host d on a"), "{told:?}");
}

#[test]
fn what_is_held_waits_and_is_released_in_order() {
    let mut world = World::new();
    let got: Arc<Mutex<Vec<u8>>> = Arc::default();
    let seen = got.clone();
    world.host("server", move || {
        let seen = seen.clone();
        async move {
            let socket = UdpSocket::bind("0.0.0.0:7").await?;
            let mut buf = [0; 1];
            loop {
                socket.recv(&mut buf).await?;
                seen.lock().unwrap().push(buf[0]);
            }
        }
    });
    world.client("client", async {
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        for n in 0..5 {
            socket.send_to(&[n], "server:7").await?;
            sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    });
    world.run_until(Duration::from_millis(150)).unwrap();
    world.hold("client", "server");
    world.run_until(Duration::from_millis(700)).unwrap();
    assert_eq!(*got.lock().unwrap(), [0, 1]);
    world.release("server", "client");
    world.run_for(Duration::from_millis(10)).unwrap();
    assert_eq!(*got.lock().unwrap(), [0, 1, 2, 3, 4]);
}

#[test]
fn delay_and_loss() {
    let mut world = World::new();
    world.host("server", echo);
    world.host("client", || async { Ok(()) });
    world.delay("client", "server", Duration::from_millis(200));
    world.client("client", async {
        let begun = Instant::now();
        assert!(answers("server", Duration::from_secs(1)).await?);
        assert!(begun.elapsed() > Duration::from_millis(400), "{:?}", begun.elapsed());
        Ok(())
    });
    world.run().unwrap();
    world.repair("client", "server");
    world.loss("server", "client", 1.0);
    world.client("client", async {
        assert!(!answers("server", Duration::from_secs(1)).await?);
        Ok(())
    });
    world.run().unwrap();
}

#[test]
fn a_crash_keeps_what_was_synced_and_a_wipe_nothing() {
    let boots: Rc<Cell<u32>> = Rc::default();
    let found: Rc<Cell<Option<bool>>> = Rc::default();
    let (counted, kept) = (boots.clone(), found.clone());
    let mut world = World::new();
    world.host("db", move || {
        counted.set(counted.get() + 1);
        let kept = kept.clone();
        async move {
            kept.set(Some(fs::try_exists("data").await?));
            fs::write("data", b"1").await?;
            fs::sync("data").await?;
            fs::write("more", b"2").await?;
            core::future::pending().await
        }
    });
    let soon = Duration::from_secs(1);
    world.run_for(soon).unwrap();
    assert_eq!((boots.get(), found.get()), (1, Some(false)));
    world.crash("db");
    world.run_for(soon).unwrap();
    assert_eq!(boots.get(), 1, "it stays off");
    world.restart("db");
    world.run_for(soon).unwrap();
    assert_eq!((boots.get(), found.get()), (2, Some(true)));
    // One that is on begins anew, too.
    world.restart("db");
    world.run_for(soon).unwrap();
    assert_eq!((boots.get(), found.get()), (3, Some(true)));
    world.crash("db");
    world.wipe("db");
    world.restart("db");
    world.run_for(soon).unwrap();
    assert_eq!((boots.get(), found.get()), (4, Some(false)));
}

#[test]
fn a_host_sees_its_own_wrong_clock() {
    let mut world = World::new();
    let seen: Rc<Cell<(Duration, Duration)>> = Rc::default();
    let told = seen.clone();
    world.host("db", move || {
        let told = told.clone();
        async move {
            let begun = (Instant::now(), unix_time());
            loop {
                sleep(Duration::from_secs(1)).await;
                told.set((begun.0.elapsed(), unix_time().saturating_sub(begun.1)));
            }
        }
    });
    let secs = Duration::from_secs;
    world.run_until(Duration::from_millis(10_500)).unwrap();
    assert_eq!(seen.get(), (secs(10), secs(10)));
    world.skew("db", 60_000);
    world.run_until(Duration::from_millis(11_500)).unwrap();
    assert_eq!(seen.get(), (secs(11), secs(71)));
    // By nine tenths too fast from 11.5 s on: 19 of its seconds pass in 10. A timer that was set keeps its time.
    world.drift("db", 900_000);
    world.run_until(Duration::from_millis(21_500)).unwrap();
    let own = seen.get().0;
    assert!(own > secs(30) && own < secs(31), "{own:?}");
}

#[test]
fn a_clock_is_set_anew_and_set_right() {
    let mut world = World::new();
    let ahead: Rc<Cell<Duration>> = Rc::default();
    let told = ahead.clone();
    world.host("db", move || {
        let told = told.clone();
        async move {
            let begun = (Instant::now(), unix_time());
            loop {
                sleep(Duration::from_millis(100)).await;
                told.set(unix_time() - begun.1 - begun.0.elapsed());
            }
        }
    });
    let second = Duration::from_secs(1);
    world.run_for(second).unwrap();
    for (millis, wanted) in [(60_000, 60), (5_000, 5), (0, 0)] {
        world.skew("db", millis);
        world.run_for(second).unwrap();
        assert_eq!(ahead.get(), Duration::from_secs(wanted), "{millis} ms");
    }
    let lines: Vec<String> = world.faults().iter().map(ToString::to_string).collect();
    assert_eq!(lines, ["1s..2s: skew +60000ms on db", "2s..3s: skew +5000ms on db"]);
}

#[test]
fn a_panic_is_the_tests_failure_with_host_and_time() {
    let ended = Arc::new(AtomicU32::new(0));
    struct Ends(Arc<AtomicU32>);
    impl Drop for Ends {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let mut world = World::new();
    for host in ["a", "b"] {
        let ended = ended.clone();
        world.host(host, move || {
            let ends = Ends(ended.clone());
            async move {
                let _ends = ends;
                core::future::pending().await
            }
        });
    }
    world.client("c", async {
        sleep(Duration::from_millis(1500)).await;
        assert_eq!(1 + 1, 3, "arithmetic");
        Ok(())
    });
    let failure: Failure = world.run().unwrap_err();
    assert_eq!(failure.host(), Some("c"));
    assert_eq!(failure.at().as_millis(), 1500);
    let What::Panic { words, place } = failure.what() else { panic!("{failure}") };
    assert!(words.contains("arithmetic"), "{words}");
    assert!(place.as_ref().unwrap().contains("worlds.rs"), "{place:?}");
    // It stays failed, and the others are cleaned up.
    assert_eq!(world.run().unwrap_err(), failure);
    drop(world);
    assert_eq!(ended.load(Ordering::Relaxed), 2);
}

#[test]
fn a_panic_that_nobody_hears_fails_and_one_that_is_heard_does_not() {
    let play = |heard: bool| {
        let mut world = World::new();
        world.client("c", async move {
            let task = task::spawn(async { panic!("in a task") });
            if heard {
                assert!(task.await.unwrap_err().is_panic());
            } else {
                drop(task);
                sleep(Duration::from_secs(1)).await;
            }
            Ok(())
        });
        world.run()
    };
    assert!(play(true).is_ok());
    let failure = play(false).unwrap_err();
    assert_eq!(failure.host(), Some("c"));
    assert!(failure.to_string().contains("in a task"), "{failure}");
}

#[test]
fn errors_unfinished_clients_and_broken_invariants_are_told() {
    let mut world = World::builder().stop(Duration::from_secs(3)).build();
    world.client("c", async { Err("no luck".into()) });
    assert_eq!(world.run().unwrap_err().to_string(), "the program on `c` failed at 0.000000000 s: no luck");

    let mut world = World::builder().stop(Duration::from_secs(3)).build();
    world.client("c", core::future::pending());
    let failure = world.run().unwrap_err();
    assert!(matches!(failure.what(), What::Unfinished(hosts) if hosts == &["c"]), "{failure}");

    static COUNT: AtomicU32 = AtomicU32::new(0);
    let mut world = World::new();
    world.always("few", || match COUNT.load(Ordering::Relaxed) {
        n @ 3.. => Err(format!("{n} of them")),
        _ => Ok(()),
    });
    world.host("c", || async {
        for _ in 0..5 {
            sleep(Duration::from_secs(1)).await;
            COUNT.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    });
    let failure = world.run().unwrap_err();
    assert_eq!(failure.to_string(), "`few` does not hold at 3.000000000 s: 3 of them");
}

#[test]
fn a_lab_is_a_world_with_its_services_and_expectations() {
    let lab = r#"
        [lab]
        stop = "10s"
        [topology]
        links = ["client -- web : rate 10mbit delay 10ms"]
        [host.web.http]
        body = "5kb"
        [host.client]
        [expect]
        once = "web.http.requests == 1"
    "#;
    let ask = |path: &'static str| async move {
        let mut stream = TcpStream::connect("web:80").await?;
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n").as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{:?}", String::from_utf8_lossy(&answer[..20]));
        Ok(())
    };
    let mut world = World::parse(lab).unwrap();
    world.client("client", ask("/"));
    world.run().unwrap();
    assert_eq!(world.elapsed(), Duration::from_secs(10), "a lab that expects something is played to its end");
    assert!(world.judge("web.http.requests >= 1").held && !world.judge("web.http.requests >= 2").held);
    let mut world = World::parse(lab).unwrap();
    world.client("client", ask("/a"));
    world.client("client", ask("/b"));
    let failure = world.run().unwrap_err();
    assert!(matches!(failure.what(), What::Expectation { name, .. } if name == "once"), "{failure}");
}

#[test]
#[should_panic(expected = "no host `c` in this world; it has a")]
fn a_host_that_there_is_not() {
    let mut world = World::new();
    world.host("a", echo);
    world.partition("a", "c");
}

#[test]
fn a_thousand_hosts_and_ten_thousand_programs() {
    let mut world = World::new();
    let ended = Rc::new(Cell::new(0));
    for n in 0..10_000 {
        let ended = ended.clone();
        world.client(&format!("h{}", n % 50), async move {
            let listener = (n < 50).then_some(TcpListener::bind("0.0.0.0:7"));
            let _listener = match listener {
                Some(bound) => Some(bound.await?),
                None => None,
            };
            sleep(Duration::from_millis(n % 100)).await;
            ended.set(ended.get() + 1);
            Ok(())
        });
    }
    world.run().unwrap();
    assert_eq!(ended.get(), 10_000);
}

#[test]
fn a_set_gives_tasks_back_in_the_order_in_which_they_ended_though_nobody_asked_meanwhile() {
    let mut world = World::new();
    world.client("client", async {
        let mut tasks = JoinSet::new();
        for n in [3u64, 1, 2] {
            tasks.spawn(async move {
                sleep(Duration::from_secs(n)).await;
                n
            });
        }
        assert!(tasks.try_join_next().is_none());
        let late = tasks.spawn(std::future::pending());
        sleep(Duration::from_secs(9)).await;
        late.abort();
        let mut order = Vec::new();
        while let Some(ended) = tasks.join_next().await {
            order.push(ended.ok());
        }
        assert_eq!(order, [Some(1), Some(2), Some(3), None]);
        Ok(())
    });
    world.run().unwrap();
}

#[test]
fn a_set_of_many_tasks_asks_each_when_it_has_ended() {
    const TASKS: u64 = 50_000;
    let mut world = World::new();
    world.client("client", async {
        let mut tasks = JoinSet::new();
        for n in 0..TASKS {
            tasks.spawn(async move {
                sleep(Duration::from_micros(n)).await;
                n
            });
        }
        assert_eq!(tasks.join_all().await, (0..TASKS).collect::<Vec<_>>());
        Ok(())
    });
    world.run().unwrap();
}
