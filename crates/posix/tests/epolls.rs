//! Epoll instances that watch one another: what Linux refuses, and what is heard through all that it allows.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use core::time::Duration;
use septet_core::{Seed, StationId};
use septet_engine::World;
use septet_host::{Host, HostConfig};
use septet_posix::{EpollEvent, Errno, Fd, Operation, Process, Reply, Request};

const EPOLL_CTL_ADD: i32 = 1;
const EPOLLIN: u32 = 1;

fn begin() -> (World, StationId, Process) {
    let mut world = World::new(Seed::new(1));
    let host = Host::new(HostConfig::new("h")).unwrap();
    let process = Process::new(host.sockets());
    let station = world.add_station("h", Box::new(host));
    world.run_until(septet_core::Instant::from_secs(1)).unwrap();
    (world, station, process)
}

fn instances<const N: usize>(process: &mut Process) -> [Fd; N] {
    [(); N].map(|()| {
        let fd = process.free_fd();
        process.epoll_create(fd);
        fd
    })
}

fn add(process: &mut Process, upper: Fd, lower: Fd) -> Result<(), Errno> {
    process.epoll_control(upper, EPOLL_CTL_ADD, lower, EpollEvent { events: EPOLLIN, data: lower as u64 })
}

#[test]
fn an_instance_does_not_watch_itself() {
    let (_world, _, mut process) = begin();
    let [one] = instances(&mut process);
    assert_eq!(add(&mut process, one, one), Err(Errno::EINVAL));
    assert_eq!(add(&mut process, one, 99), Err(Errno::EBADF));
}

#[test]
fn instances_do_not_watch_one_another_in_a_circle() {
    let (_world, _, mut process) = begin();
    let [a, b, c] = instances(&mut process);
    assert_eq!(add(&mut process, a, b), Ok(()));
    assert_eq!(add(&mut process, b, c), Ok(()));
    assert_eq!(add(&mut process, c, a), Err(Errno::ELOOP));
    assert_eq!(add(&mut process, b, a), Err(Errno::ELOOP));
    assert_eq!(add(&mut process, a, b), Err(Errno::EEXIST));
    // Two ways to the same one are no circle.
    assert_eq!(add(&mut process, a, c), Ok(()));
    let wait = Request::EpollWait { fd: a, max: 10, timeout: Some(Duration::ZERO) };
    let none = Operation::start(&mut process, wait).poll(&mut process);
    assert!(matches!(&none, Some(Ok(Reply::Events(events))) if events.is_empty()), "{none:?}");
}

#[test]
fn five_instances_stand_upon_one_another_and_no_more() {
    // From below, from above, and two towers of which one comes upon the other: each as Linux 6.18 has it.
    let (_world, _, mut process) = begin();
    let p = &mut process;
    let tower: [Fd; 6] = instances(p);
    let built: Vec<_> = tower.windows(2).map(|pair| add(p, pair[1], pair[0])).collect();
    assert_eq!(built, [Ok(()), Ok(()), Ok(()), Ok(()), Err(Errno::ELOOP)]);
    let tower: [Fd; 6] = instances(p);
    let built: Vec<_> = tower.windows(2).map(|pair| add(p, pair[0], pair[1])).collect();
    assert_eq!(built, [Ok(()), Ok(()), Ok(()), Ok(()), Err(Errno::ELOOP)]);
    let ([a, b, c], [d, e, f]) = (instances(p), instances(p));
    [(a, b), (b, c), (d, e), (e, f)].into_iter().for_each(|(upper, lower)| add(p, upper, lower).unwrap());
    assert_eq!(add(p, c, d), Err(Errno::ELOOP));
    assert_eq!(add(p, c, e), Ok(()));
}

#[derive(Default)]
struct Rings(AtomicUsize);

impl Wake for Rings {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn what_comes_is_heard_through_five_instances() {
    let (mut world, station, mut process) = begin();
    let socket = process.free_fd();
    process.socket(socket, 2, 2, 0).unwrap();
    process.bind(socket, "127.0.0.1:9".parse().unwrap()).unwrap();
    let [top, a, b, c, bottom] = instances(&mut process);
    [(top, a), (a, b), (b, c), (c, bottom), (bottom, socket)]
        .into_iter()
        .for_each(|(upper, lower)| add(&mut process, upper, lower).unwrap());
    let wait = Request::EpollWait { fd: top, max: 10, timeout: None };
    let mut wait = Operation::start(&mut process, wait);
    assert!(wait.poll(&mut process).is_none());
    let rings = Arc::new(Rings::default());
    process.watch(&mut wait, &Waker::from(rings.clone()));
    let to = Some("127.0.0.1:9".parse().unwrap());
    let send = Request::Send { fd: socket, data: b"one".to_vec(), flags: 0, to };
    Operation::start(&mut process, send).poll(&mut process).unwrap().unwrap();
    world.station_mut::<Host>(station);
    world.run_until(septet_core::Instant::from_secs(2)).unwrap();
    assert_ne!(rings.0.load(Ordering::Relaxed), 0);
    let ready = wait.poll(&mut process);
    assert!(matches!(&ready, Some(Ok(Reply::Events(events))) if events[0].data == a as u64), "{ready:?}");
}
