//! Many calls that wait for one socket: what comes wakes one for each, whoever gives up hands on, and nobody waits while there
//! is something to take.

mod stage;

use septet_core::Seed;
use septet_posix::{Errno, Fd, Operation, Reply, Request};
use stage::{CLIENT, DATAGRAM, SERVER, STREAM, Stage, at};

const MSG_PEEK: i32 = 2;
const MSG_DONTWAIT: i32 = 0x40;

fn receive(fd: Fd) -> Request {
    Request::Receive { fd, max: 100, flags: 0 }
}

#[test]
fn ten_thousand_wait_and_each_datagram_wakes_one() {
    const CALLS: usize = 10_000;
    let mut stage = Stage::new();
    let (server, client) = (stage.served(DATAGRAM), stage.socket(CLIENT, DATAGRAM));
    (0..CALLS).for_each(|_| stage.begin(receive(server)));
    let mut ends = 0;
    // The first alone: it waits for the answer to an ARP request.
    for batch in [1, 99].into_iter().chain(core::iter::repeat_n(100, CALLS / 100 - 1)) {
        (0..batch).for_each(|_| stage.send(client, "one"));
        stage.pass(10);
        assert_eq!(stage.settle().len(), batch);
        ends += batch;
    }
    assert_eq!((ends, stage.waiting.len()), (CALLS, 0));
    assert_eq!(stage.woken, CALLS);
}

#[test]
fn what_is_sent_wakes_no_reader() {
    let mut stage = Stage::new();
    let (server, client) = (stage.served(DATAGRAM), stage.socket(CLIENT, DATAGRAM));
    stage.send(client, "where I am");
    stage.pass(10);
    let Ok(Reply::Data { from, .. }) = stage.call(SERVER, receive(server)) else { unreachable!() };
    (0..100).for_each(|_| stage.begin(receive(server)));
    stage.call(SERVER, Request::Send { fd: server, data: b"answer".to_vec(), flags: 0, to: from }).unwrap();
    stage.pass(10);
    assert!(stage.settle().is_empty());
    assert_eq!(stage.woken, 0);
}

#[test]
fn who_is_woken_and_gives_up_hands_on() {
    let mut stage = Stage::new();
    let (server, client) = (stage.served(DATAGRAM), stage.socket(CLIENT, DATAGRAM));
    (0..5).for_each(|_| stage.begin(receive(server)));
    stage.send(client, "one");
    stage.pass(10);
    // Four in a row are woken, and dropped before they ask.
    for number in 1..=4 {
        assert_eq!(core::mem::take(&mut *stage.bell.lock().unwrap()), [number]);
        stage.waiting.remove(&number);
    }
    assert_eq!(stage.settle().len(), 1);
}

#[test]
fn who_looks_and_leaves_it_hands_on() {
    let mut stage = Stage::new();
    let (server, client) = (stage.served(DATAGRAM), stage.socket(CLIENT, DATAGRAM));
    stage.begin(Request::Receive { fd: server, max: 100, flags: MSG_PEEK });
    stage.begin(receive(server));
    stage.send(client, "one");
    stage.pass(10);
    assert_eq!(stage.settle().len(), 2);
}

#[test]
fn an_error_and_the_end_of_the_socket_wake_all() {
    let mut stage = Stage::new();
    let socket = stage.socket(SERVER, DATAGRAM);
    stage.call(SERVER, Request::Connect { fd: socket, to: Some(([10, 0, 0, 2], 9).into()) }).unwrap();
    (0..50).for_each(|_| stage.begin(receive(socket)));
    stage.call(SERVER, Request::Send { fd: socket, data: b"nobody".to_vec(), flags: 0, to: None }).unwrap();
    stage.pass(10);
    let ends = stage.settle();
    assert!(matches!(&ends[..], [Err(Errno::ECONNREFUSED)]), "{ends:?}");
    assert_eq!((stage.woken, stage.waiting.len()), (50, 49));
    stage.call(SERVER, Request::Close { fd: socket }).unwrap();
    let ends = stage.settle();
    assert_eq!(ends.len(), 49);
    assert!(ends.iter().all(|end| matches!(end, Err(Errno::EBADF))), "{ends:?}");
}

#[test]
fn several_writers_of_a_connection_all_come_to_an_end() {
    const EACH: usize = 300_000;
    let mut stage = Stage::new();
    let (listener, client) = (stage.served(STREAM), stage.socket(CLIENT, STREAM));
    let process = &mut stage.processes[CLIENT];
    let mut connect = Operation::start(process, Request::Connect { fd: client, to: Some(at(9)) });
    assert!(connect.poll(process).is_none());
    stage.pass(10);
    connect.poll(&mut stage.processes[CLIENT]).unwrap().unwrap();
    let Ok(Reply::Accepted { fd: stream, .. }) = stage.call(SERVER, Request::Accept { listener, fd: None }) else {
        unreachable!()
    };
    // The first fill the buffers, those behind find no room at all.
    let write = |len| Request::Send { fd: stream, data: vec![7; len], flags: 0, to: None };
    stage.begin(write(20 * EACH));
    (0..9).for_each(|_| stage.begin(write(EACH)));
    stage.pass(100);
    assert!(stage.settle().is_empty());
    let mut received = 0;
    for round in 0.. {
        while let Ok(Reply::Data { data, .. }) =
            stage.call(CLIENT, Request::Receive { fd: client, max: 1 << 20, flags: MSG_DONTWAIT })
        {
            received += data.len();
        }
        stage.pass(100);
        if round == 0 {
            // Whoever was called first gives up.
            let first = stage.bell.lock().unwrap().remove(0);
            stage.waiting.remove(&first);
        }
        stage.settle();
        if stage.waiting.is_empty() {
            break;
        }
        assert!(round < 100, "{} wait, {received} bytes came", stage.waiting.len());
    }
    assert!(received > 8 * EACH, "{received}");
}

/// Calls that wait, give up, look, are passed over by others, and find one or several things at once: whenever all that were
/// woken have been asked, either nobody waits or there is nothing to take.
fn nobody_waits_for_what_is_there(kind: i32, come: impl Fn(&mut Stage, Fd, usize), take: impl Fn(Fd, bool) -> Request) {
    let mut taken = 0;
    for seed in 0..60 {
        let mut rng = Seed::new(seed).stream("waiters");
        let mut stage = Stage::new();
        let fd = stage.served(kind);
        come(&mut stage, fd, 1);
        for _ in 0..60 {
            let dice = rng.below(10);
            match dice {
                0..=3 => {
                    stage.begun += 1;
                    let operation = Operation::start(&mut stage.processes[SERVER], take(fd, rng.chance(0.2)));
                    taken += usize::from(stage.go_on(stage.begun, operation).is_some());
                }
                4 => {
                    // Whoever waits gives up, be it just woken or not.
                    let all: Vec<_> = stage.waiting.keys().copied().collect();
                    if !all.is_empty() {
                        stage.waiting.remove(&all[rng.below(all.len() as u64) as usize]);
                    }
                }
                5 if stage.is_readable(fd) => {
                    // Somebody comes by and takes what another was woken for.
                    drop(stage.call(SERVER, take(fd, false)));
                    taken += 1;
                }
                _ => {
                    come(&mut stage, fd, 1 + rng.below(4) as usize);
                    // Some of those woken are not asked before others give up.
                    if rng.chance(0.5) {
                        continue;
                    }
                }
            }
            taken += stage.settle().len();
            assert!(stage.waiting.is_empty() || !stage.is_readable(fd), "seed {seed}: {:?}", stage.waiting);
        }
    }
    assert!(taken > 1_000, "{taken}");
}

#[test]
fn nobody_waits_for_a_datagram_that_is_there() {
    let come = |stage: &mut Stage, _, number| {
        let socket = stage.socket(CLIENT, DATAGRAM);
        (0..number).for_each(|_| stage.send(socket, "one"));
        stage.pass(1);
        drop(stage.call(CLIENT, Request::Close { fd: socket }));
    };
    let take = |fd, looks| Request::Receive { fd, max: 100, flags: if looks { MSG_PEEK } else { 0 } };
    nobody_waits_for_what_is_there(DATAGRAM, come, take);
}

#[test]
fn nobody_waits_for_a_connection_that_is_there() {
    let come = |stage: &mut Stage, _, number| {
        for _ in 0..number {
            let fd = stage.socket(CLIENT, STREAM);
            let process = &mut stage.processes[CLIENT];
            assert!(Operation::start(process, Request::Connect { fd, to: Some(at(9)) }).poll(process).is_none());
        }
        stage.pass(1);
    };
    nobody_waits_for_what_is_there(STREAM, come, |listener, _| Request::Accept { listener, fd: None });
}
