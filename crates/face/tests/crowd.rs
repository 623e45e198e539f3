//! Ten thousand programs that wait for one socket: what comes wakes one of them, and whoever gives up hands on.

mod stage;

use core::time::Duration;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex};

use septet_core::Instant as At;
use septet_face::net::{TcpListener, TcpStream, UdpSocket};
use septet_face::poll::{Interest, Poll, Trigger};
use septet_face::time::Instant;
use septet_face::{start, thread};
use septet_host::Host;
use septet_socket::cpu::Costs;
use stage::{Log, boots, host, host_with, pair};

/// A host whose switches from thread to thread are counted.
fn counting() -> Host {
    host_with(2, Costs { switch: Duration::from_nanos(100), wake: Duration::from_nanos(500), ..Costs::default() })
}

/// How many times a thread of the host went to sleep.
fn sleeps(recorder: &septet_core::Recorder) -> usize {
    recorder.series("cpu.switches.voluntary").map_or(0, |series| series.count())
}

const CROWD: usize = 10_000;

/// Runs the crowd; each of its threads does one thing with a clone of the socket. All of them wait at 1 s, and none at the end:
/// each slept once, but for those few that were passed over.
fn play_crowd(
    server: impl Fn() -> thread::JoinHandle<usize> + Clone + Send + 'static,
    client: impl Fn() + Clone + Send + 'static,
) {
    let log = Log::default();
    let (mut a, mut b) = (host(1), counting());
    let recorder = b.recorder();
    let out = log.clone();
    boots(&mut b, "server", move || {
        let threads: Vec<_> = (0..CROWD).map(|_| server()).collect();
        let sum: usize = threads.into_iter().map(|t| t.join().unwrap()).sum();
        out.say(format!("{sum} served"));
    });
    boots(&mut a, "client", client);
    let (mut world, ..) = pair(a, b);
    let _ = world.run_until(At::from_secs(1));
    // The program that started them waits for the first.
    assert_eq!(sleeps(&recorder), CROWD + 1);
    let _ = world.run_until(At::from_secs(20));
    assert_eq!(log.lines(), [format!("{CROWD} served")]);
    // Whoever joins them sleeps again for each at most.
    let sleeps = sleeps(&recorder) - (CROWD + 1);
    assert!(sleeps < 2 * CROWD, "{sleeps}");
}

/// A datagram for each of the crowd.
fn send_to_all() {
    thread::sleep(Duration::from_secs(1));
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    for i in 0..CROWD {
        socket.send_to(b"x", "10.0.0.2:9").unwrap();
        // The first waits for the answer to an ARP request, and few may wait beside it.
        thread::sleep(Duration::from_micros(if i == 0 { 100_000 } else { 10 }));
    }
}

#[test]
fn a_datagram_wakes_one_of_ten_thousand() {
    let socket = Arc::new(Mutex::new(None::<UdpSocket>));
    let server = move || {
        let socket = socket.lock().unwrap().get_or_insert_with(|| UdpSocket::bind("0.0.0.0:9").unwrap()).try_clone();
        let socket = socket.unwrap();
        thread::spawn(move || socket.recv_from(&mut [0; 10]).unwrap().0)
    };
    play_crowd(server, send_to_all);
}

#[test]
fn a_connection_wakes_one_of_ten_thousand() {
    let listener = Arc::new(Mutex::new(None::<TcpListener>));
    let server = move || {
        let mut listener = listener.lock().unwrap();
        let listener = listener.get_or_insert_with(|| TcpListener::bind("0.0.0.0:9").unwrap()).try_clone().unwrap();
        thread::spawn(move || usize::from(listener.accept().is_ok()))
    };
    play_crowd(server, || {
        thread::sleep(Duration::from_secs(1));
        for _ in 0..100 {
            let streams: Vec<_> =
                (0..CROWD / 100).map(|_| thread::spawn(|| TcpStream::connect("10.0.0.2:9").unwrap())).collect();
            streams.into_iter().for_each(|stream| drop(stream.join().unwrap()));
        }
    });
}

#[test]
fn a_datagram_wakes_one_of_ten_thousand_in_one_epoll_wait() {
    let watched = Arc::new(Mutex::new(None::<Arc<(Poll, UdpSocket)>>));
    let server = move || {
        let mut watched = watched.lock().unwrap();
        let watched = watched.get_or_insert_with(|| {
            let (poll, socket) = (Poll::new().unwrap(), UdpSocket::bind("0.0.0.0:9").unwrap());
            poll.add(&socket, 0, Interest::Read, Trigger::Edge).unwrap();
            Arc::new((poll, socket))
        });
        let watched = watched.clone();
        thread::spawn(move || {
            assert_eq!(watched.0.wait(1, None).unwrap().len(), 1);
            watched.1.recv_from(&mut [0; 10]).unwrap().0
        })
    };
    play_crowd(server, send_to_all);
}

/// Two programs wait for one datagram, the first of them in line until `until` says; gives who had it, and when.
fn two(costs: Option<Costs>, first: impl Fn(&UdpSocket) -> bool + Send + Sync + 'static, abort: Option<At>) -> String {
    let log = Log::default();
    let mut a = host(1);
    let mut b = costs.map_or_else(|| host(2), |costs| host_with(2, costs));
    let (out, first) = (log.clone(), Arc::new(first));
    b.on_boot(move |net| {
        let socket: Arc<Mutex<Option<UdpSocket>>> = Arc::default();
        let shared = |out: &Log| (socket.clone(), out.clone());
        let (slot, out_first) = shared(&out);
        let first = first.clone();
        let one = start(&net, "first", move || {
            let begun = Instant::now();
            let socket = UdpSocket::bind("0.0.0.0:9").unwrap();
            *slot.lock().unwrap() = Some(socket.try_clone().unwrap());
            if first(&socket) {
                out_first.say(format!("first {}", begun.elapsed().as_nanos()));
            }
        })
        .unwrap();
        let (slot, out_second) = shared(&out);
        let second = start(&net, "second", move || {
            let begun = Instant::now();
            thread::sleep(Duration::from_millis(1));
            let socket = slot.lock().unwrap().take().unwrap();
            socket.recv_from(&mut [0; 10]).unwrap();
            out_second.say(format!("second {}", begun.elapsed().as_nanos()));
        });
        drop(second.unwrap());
        let Some(abort) = abort else { return drop(one) };
        let timer = net.sleep_until(abort);
        net.spawn(Box::pin(async move {
            timer.await;
            one.abort();
        }));
    });
    boots(&mut a, "client", || {
        thread::sleep(Duration::from_millis(10));
        UdpSocket::bind("0.0.0.0:0").unwrap().send_to(b"x", "10.0.0.2:9").unwrap();
    });
    let (mut world, ..) = pair(a, b);
    let _ = world.run_until(At::from_secs(5));
    let lines = log.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines[0].clone()
}

fn waits(socket: &UdpSocket) -> bool {
    socket.recv_from(&mut [0; 10]).is_ok()
}

/// When the datagram comes.
fn arrival() -> u64 {
    let line = two(None, waits, None);
    line.strip_prefix("first ").expect("the first in line").parse().unwrap()
}

#[test]
fn a_time_that_is_over_when_the_datagram_comes_loses_no_datagram() {
    let comes = arrival();
    let mut had = [0, 0];
    for nanos in (comes - 3_000..=comes + 3_000).step_by(1_000) {
        let gives_up = move |socket: &UdpSocket| {
            socket.set_read_timeout(Some(Duration::from_nanos(nanos))).unwrap();
            socket
                .recv_from(&mut [0; 10])
                .map(drop)
                .map_err(|why| assert_eq!(why.kind(), ErrorKind::WouldBlock))
                .is_ok()
        };
        had[usize::from(two(None, gives_up, None).starts_with("second"))] += 1;
    }
    assert!(had[0] > 0 && had[1] > 0, "{had:?}");
}

#[test]
fn who_is_ended_when_it_is_just_woken_hands_the_datagram_on() {
    // From the wake-up until it runs a thread takes five microseconds.
    let costs = Costs { call: Duration::ZERO, cores: 2, ..Costs::default() };
    let plain = two(Some(costs.clone()), waits, None);
    let comes: u64 = plain.strip_prefix("first ").expect("the first in line").parse().unwrap();
    for before in [1_000, 2_000, 4_000] {
        let ended = two(Some(costs.clone()), waits, Some(At::from_nanos(comes - before)));
        assert!(ended.starts_with("second "), "{ended}");
    }
    let ended = two(None, waits, Some(At::from_nanos(arrival())));
    assert!(ended.starts_with("first ") || ended.starts_with("second "), "{ended}");
}
