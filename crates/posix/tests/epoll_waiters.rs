//! Many calls that wait for one epoll instance: as Linux has it what comes wakes one of them, the newest first, and whoever is
//! woken and leaves hands on.

mod stage;

use core::time::Duration;

use septet_core::Seed;
use septet_posix::{EpollEvent, Errno, Fd, Operation, PollEntry, Reply, Request};
use stage::{CLIENT, DATAGRAM, SERVER, STREAM, Stage, at};

const EPOLL_CTL_ADD: i32 = 1;
const EPOLL_CTL_DEL: i32 = 2;
const EPOLLIN: u32 = 1;
const EPOLLOUT: u32 = 4;
const EDGE: u32 = 1 << 31;

impl Stage {
    fn instance(&mut self) -> Fd {
        let process = &mut self.processes[SERVER];
        let fd = process.free_fd();
        process.epoll_create(fd);
        fd
    }

    fn register(&mut self, epoll: Fd, fd: Fd, events: u32) {
        let event = EpollEvent { events, data: fd as u64 };
        self.processes[SERVER].epoll_control(epoll, EPOLL_CTL_ADD, fd, event).unwrap();
    }

    /// Who was woken and not asked yet.
    fn woken(&self) -> Vec<u32> {
        core::mem::take(&mut *self.bell.lock().unwrap())
    }
}

fn wait(fd: Fd) -> Request {
    Request::EpollWait { fd, max: 8, timeout: None }
}

/// A server's datagram socket that an instance watches, and where datagrams come from, which has sent one before.
fn watched(stage: &mut Stage, events: u32) -> (Fd, Fd, Fd) {
    let (server, client) = (stage.served(DATAGRAM), stage.socket(CLIENT, DATAGRAM));
    stage.send(client, "where you are");
    stage.pass(10);
    take(stage, server).unwrap();
    let epoll = stage.instance();
    stage.register(epoll, server, events);
    (epoll, server, client)
}

fn take(stage: &mut Stage, fd: Fd) -> Result<Reply, Errno> {
    stage.call(SERVER, Request::Receive { fd, max: 100, flags: 0x40 })
}

fn sockets(end: &Result<Reply, Errno>) -> Vec<u64> {
    let Ok(Reply::Events(events)) = end else { panic!("{end:?}") };
    events.iter().map(|event| event.data).collect()
}

#[test]
fn ten_thousand_wait_and_each_datagram_wakes_one() {
    const CALLS: usize = 10_000;
    let mut stage = Stage::new();
    let (epoll, _, client) = watched(&mut stage, EPOLLIN | EDGE);
    (0..CALLS).for_each(|_| stage.begin(wait(epoll)));
    for n in 1..=500 {
        stage.send(client, "one");
        stage.pass(1);
        assert_eq!(stage.settle().len(), 1);
        // Who is called next finds nothing new, and stays where it is: one more that looks, and no more.
        assert!(stage.woken <= 2 * n, "{} calls looked at {n} datagrams", stage.woken);
    }
    assert_eq!(stage.waiting.len(), CALLS - 500);
}

#[test]
fn the_newest_is_woken_first() {
    let mut stage = Stage::new();
    let (epoll, server, client) = watched(&mut stage, EPOLLIN | EDGE);
    (0..3).for_each(|_| stage.begin(wait(epoll)));
    for left in [vec![1, 2], vec![1], vec![]] {
        stage.send(client, "one");
        stage.pass(1);
        assert_eq!(stage.settle().iter().map(sockets).collect::<Vec<_>>(), [[server as u64]]);
        assert_eq!(stage.waiting.keys().copied().collect::<Vec<_>>(), left);
    }
}

#[test]
fn what_stays_there_is_handed_on_and_what_was_taken_is_not() {
    // Level-triggered: who has heard of it calls the next, who hears of it too unless it was taken meanwhile.
    let mut stage = Stage::new();
    let (epoll, server, client) = watched(&mut stage, EPOLLIN);
    (0..3).for_each(|_| stage.begin(wait(epoll)));
    stage.send(client, "one");
    stage.pass(1);
    assert_eq!(stage.woken(), [3]);
    let third = stage.waiting.remove(&3).unwrap();
    assert!(stage.go_on(3, third).is_some());
    assert_eq!(stage.woken(), [2]);
    take(&mut stage, server).unwrap();
    let second = stage.waiting.remove(&2).unwrap();
    assert!(stage.go_on(2, second).is_none());
    assert!(stage.woken().is_empty(), "there is nothing that the first could find");
    stage.send(client, "two");
    stage.pass(1);
    assert_eq!(stage.settle().len(), 2, "nobody takes it, so all hear of it");
    assert!(stage.waiting.is_empty());
}

#[test]
fn who_is_woken_and_gives_up_hands_on() {
    let mut stage = Stage::new();
    let (epoll, _, client) = watched(&mut stage, EPOLLIN | EDGE);
    (0..5).for_each(|_| stage.begin(wait(epoll)));
    stage.send(client, "one");
    stage.pass(1);
    for number in [5, 4, 3, 2] {
        assert_eq!(stage.woken(), [number]);
        stage.waiting.remove(&number);
    }
    assert_eq!(stage.settle().len(), 1);
}

#[test]
fn more_than_fits_is_handed_on_in_turn() {
    let mut stage = Stage::new();
    let (epoll, first, client) = watched(&mut stage, EPOLLIN);
    let others: Vec<Fd> = (10..13)
        .map(|port| {
            let fd = stage.socket(SERVER, DATAGRAM);
            stage.processes[SERVER].bind(fd, at(port)).unwrap();
            stage.register(epoll, fd, EPOLLIN);
            fd
        })
        .collect();
    let all: Vec<u64> = core::iter::once(first).chain(others).map(|fd| fd as u64).collect();
    for port in 9..13 {
        let request = Request::Send { fd: client, data: b"one".to_vec(), flags: 0, to: Some(at(port)) };
        stage.call(CLIENT, request).unwrap();
    }
    stage.pass(1);
    let two = |stage: &mut Stage| {
        let request = Request::EpollWait { fd: epoll, max: 3, timeout: Some(Duration::ZERO) };
        let Ok(Reply::Events(events)) = stage.call(SERVER, request) else { unreachable!() };
        events.iter().map(|event| event.data).collect::<Vec<_>>()
    };
    assert_eq!(two(&mut stage), all[..3]);
    assert_eq!(two(&mut stage), [all[3], all[0], all[1]]);
    assert_eq!(two(&mut stage), [all[2], all[3], all[0]]);
}

#[test]
fn a_socket_that_begins_while_its_instance_is_waited_for_is_heard() {
    let mut stage = Stage::new();
    let epoll = stage.instance();
    // Bound, and listening, only after the call waits.
    let (datagrams, listener) = (stage.socket(SERVER, DATAGRAM), stage.socket(SERVER, STREAM));
    stage.register(epoll, datagrams, EPOLLIN | EDGE);
    stage.begin(wait(epoll));
    stage.processes[SERVER].bind(datagrams, at(9)).unwrap();
    assert!(stage.settle().is_empty());
    let client = stage.socket(CLIENT, DATAGRAM);
    stage.send(client, "one");
    stage.pass(10);
    assert_eq!(stage.settle().iter().map(sockets).collect::<Vec<_>>(), [[datagrams as u64]]);
    // Registered only after the call waits.
    stage.begin(wait(epoll));
    stage.processes[SERVER].bind(listener, at(9)).unwrap();
    stage.processes[SERVER].listen(listener, 10).unwrap();
    stage.register(epoll, listener, EPOLLIN | EDGE);
    assert!(stage.settle().is_empty());
    let fd = stage.socket(CLIENT, STREAM);
    let process = &mut stage.processes[CLIENT];
    assert!(Operation::start(process, Request::Connect { fd, to: Some(at(9)) }).poll(process).is_none());
    stage.pass(10);
    assert_eq!(stage.settle().iter().map(sockets).collect::<Vec<_>>(), [[listener as u64]]);
    // What is ready when it is registered is told at once.
    stage.begin(wait(epoll));
    let free = stage.socket(SERVER, DATAGRAM);
    stage.register(epoll, free, EPOLLOUT);
    assert_eq!(stage.settle().iter().map(sockets).collect::<Vec<_>>(), [[free as u64]]);
}

#[test]
fn what_is_no_longer_watched_wakes_nobody() {
    let mut stage = Stage::new();
    let (epoll, server, client) = watched(&mut stage, EPOLLIN);
    stage.begin(wait(epoll));
    let event = EpollEvent { events: 0, data: 0 };
    stage.processes[SERVER].epoll_control(epoll, EPOLL_CTL_DEL, server, event).unwrap();
    stage.send(client, "one");
    stage.pass(1);
    assert!(stage.woken().is_empty());
    stage.register(epoll, server, EPOLLIN);
    assert_eq!(stage.settle().len(), 1);
}

#[test]
fn an_instance_that_is_closed_leaves_nobody_waiting() {
    let mut stage = Stage::new();
    let (epoll, ..) = watched(&mut stage, EPOLLIN);
    (0..3).for_each(|_| stage.begin(wait(epoll)));
    stage.call(SERVER, Request::Close { fd: epoll }).unwrap();
    let ends = stage.settle();
    assert_eq!(ends.len(), 3);
    assert!(ends.iter().all(|end| matches!(end, Err(Errno::EBADF))), "{ends:?}");
}

#[test]
fn an_instance_that_is_watched_at_edges_reports_each_of_them() {
    let mut stage = Stage::new();
    let (lower, server, client) = watched(&mut stage, EPOLLIN);
    let upper = stage.instance();
    stage.register(upper, lower, EPOLLIN | EDGE);
    for _ in 0..3 {
        stage.begin(wait(upper));
        assert!(stage.settle().is_empty());
        stage.send(client, "one");
        stage.pass(1);
        assert_eq!(stage.settle().iter().map(sockets).collect::<Vec<_>>(), [[lower as u64]]);
    }
    // poll(2) hears of an instance too, whoever stands in line for it.
    (0..3).for_each(|_| drop(take(&mut stage, server).unwrap()));
    let entries = vec![PollEntry { fd: lower, events: 1, revents: 0 }];
    stage.begin(Request::Poll { entries, timeout: None });
    stage.begin(wait(lower));
    stage.send(client, "one");
    stage.pass(1);
    assert_eq!(stage.settle().len(), 2);
}

/// Calls that wait, give up, are passed over and find one or several things at once: whenever all that were woken have been
/// asked, either nobody waits or there is nothing new.
#[test]
fn nobody_waits_for_what_is_there() {
    let mut heard = 0;
    for seed in 0..60 {
        let mut rng = Seed::new(seed).stream("epoll waiters");
        let mut stage = Stage::new();
        let (epoll, server, client) = watched(&mut stage, EPOLLIN);
        for _ in 0..60 {
            match rng.below(10) {
                0..=3 => {
                    stage.begun += 1;
                    let operation = Operation::start(&mut stage.processes[SERVER], wait(epoll));
                    let number = stage.begun;
                    heard += usize::from(stage.go_on(number, operation).is_some());
                }
                4..=6 => {
                    (0..=rng.below(2)).for_each(|_| stage.send(client, "one"));
                    stage.pass(1);
                }
                7 => drop(take(&mut stage, server)),
                // Whoever it is gives up, be it that it was woken or not.
                _ => {
                    let numbers: Vec<u32> = stage.waiting.keys().copied().collect();
                    if !numbers.is_empty() {
                        stage.waiting.remove(&numbers[rng.below(numbers.len() as u64) as usize]);
                    }
                }
            }
            if rng.chance(0.5) {
                heard += stage.settle().len();
                assert!(stage.waiting.is_empty() || !stage.is_readable(server), "seed {seed}");
            }
        }
    }
    assert!(heard > 500, "{heard}");
}
