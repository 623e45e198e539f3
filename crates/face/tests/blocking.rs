//! The blocking face on simulated hosts: straight code that waits.

mod stage;

use core::time::Duration;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::sync::{Arc, Mutex};

use septet_core::{EventId, Instant as At, Power};
use septet_engine::Action;
use septet_face::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use septet_face::poll::{Interest, Poll, Trigger};
use septet_face::time::Instant;
use septet_face::{start, thread};
use septet_socket::cpu::Costs;
use stage::{Log, boots, host, host_with, pair, play};

/// Sends lines back, a thread a connection.
fn echo() {
    let listener = TcpListener::bind("0.0.0.0:7").unwrap();
    for stream in listener.incoming() {
        let stream = stream.unwrap();
        thread::spawn(move || {
            for line in BufReader::new(stream.try_clone().unwrap()).lines() {
                writeln!(&stream, "{}", line.unwrap()).unwrap();
            }
        });
    }
}

#[test]
fn straight_code_waits_in_its_calls_and_time_goes_on() {
    let log = Log::default();
    let out = log.clone();
    let client = move || {
        let begun = Instant::now();
        let mut stream = TcpStream::connect("10.0.0.2:7").unwrap();
        out.say(format!("connected after {} ms", begun.elapsed().as_millis()));
        stream.write_all(b"one\ntwo\n").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut all = String::new();
        stream.read_to_string(&mut all).unwrap();
        out.say(all.replace('\n', " "));
        thread::sleep(Duration::from_secs(1));
        out.say(format!("slept until {} ms", begun.elapsed().as_millis()));
        let refused = TcpStream::connect("10.0.0.2:8").unwrap_err();
        out.say(format!("{:?}", refused.kind()));
    };
    let digest = play(client, echo).digest();
    // ARP and the handshake are a round trip each.
    let said = ["connected after 4 ms", "one two ", "slept until 1008 ms", "ConnectionRefused"];
    let lines = log.lines();
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert_eq!((&*lines[0], &*lines[1], &*lines[3]), (said[0], said[1], said[3]));
    let again = play(
        || {
            let mut stream = TcpStream::connect("10.0.0.2:7").unwrap();
            stream.write_all(b"one\ntwo\n").unwrap();
        },
        echo,
    );
    assert_ne!(again.digest(), digest, "another program is another run");
}

#[test]
fn a_run_is_the_same_each_time() {
    let client = || {
        let threads: Vec<_> = (0..20)
            .map(|i| {
                thread::spawn(move || {
                    let stream = TcpStream::connect("10.0.0.2:7").unwrap();
                    for turn in 0..5 {
                        writeln!(&stream, "client {i} says {turn}").unwrap();
                        let mut line = String::new();
                        BufReader::new(&stream).read_line(&mut line).unwrap();
                        assert_eq!(line, format!("client {i} says {turn}\n"));
                        thread::yield_now();
                    }
                    i
                })
            })
            .collect();
        let sum: u32 = threads.into_iter().map(|t| t.join().unwrap()).sum();
        assert_eq!(sum, 190);
    };
    assert_eq!(play(client, echo).digest(), play(client, echo).digest());
}

#[test]
fn a_datagram_is_copied_as_far_as_it_fits() {
    let log = Log::default();
    let out = log.clone();
    let server = move || {
        let socket = UdpSocket::bind("0.0.0.0:9").unwrap();
        let mut buf = [0; 8];
        let (len, from) = socket.peek_from(&mut buf).unwrap();
        out.say(format!("peeked {len} from {}", from.ip()));
        let (len, _) = socket.recv_from(&mut buf).unwrap();
        out.say(format!("{len} {}", String::from_utf8_lossy(&buf[..len])));
        socket.set_read_timeout(Some(Duration::from_millis(250))).unwrap();
        let begun = Instant::now();
        let why = socket.recv_from(&mut buf).unwrap_err();
        out.say(format!("{:?} after {} ms", why.kind(), begun.elapsed().as_millis()));
    };
    let client = || {
        thread::sleep(Duration::from_millis(10));
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        assert_eq!(socket.send_to(b"a longer datagram", "10.0.0.2:9").unwrap(), 17);
    };
    play(client, server);
    assert_eq!(log.lines(), ["peeked 8 from 10.0.0.1", "8 a longer", "WouldBlock after 250 ms"]);
}

#[test]
fn a_panic_is_the_program_s_failure_with_host_and_time() {
    let log = Log::default();
    let (mut a, b) = (host(1), host(2));
    let out = log.clone();
    a.on_boot(move |net| {
        let program = start(&net, "careless", || {
            thread::sleep(Duration::from_millis(1500));
            let words: Vec<&str> = Vec::new();
            words[3].len()
        });
        let out = out.clone();
        net.spawn(Box::pin(async move {
            let failure = program.unwrap().await.unwrap_err();
            out.say(failure.to_string());
        }));
    });
    let out = log.clone();
    boots(&mut a, "careful", move || {
        let inner = thread::Builder::new().name("part").spawn(|| panic!("on purpose")).unwrap();
        out.say(inner.join().unwrap_err().to_string());
        thread::sleep(Duration::from_secs(2));
        out.say("still here");
    });
    let (mut world, ..) = pair(a, b);
    let _ = world.run_until(At::from_secs(10));
    let lines = log.lines();
    assert_eq!(lines[0], "`part` on h1 panicked at 0.000000000 s: on purpose");
    assert!(lines[1].starts_with("`careless` on h1 panicked at 1.500000000 s: index out of bounds"), "{lines:?}");
    assert_eq!(lines[2], "still here");
}

/// Tells when it is dropped.
struct Tell(Log);

impl Drop for Tell {
    fn drop(&mut self) {
        self.0.say("let go");
    }
}

#[test]
fn a_host_that_is_switched_off_ends_its_programs_where_they_wait() {
    let log = Log::default();
    let (mut a, mut b) = (host(1), host(2));
    let (out, slot) = (log.clone(), Arc::new(Mutex::new(None)));
    let kept = slot.clone();
    b.on_boot(move |net| {
        let out = out.clone();
        let program = start(&net, "server", move || {
            let _tell = Tell(out.clone());
            let listener = TcpListener::bind("0.0.0.0:7").unwrap();
            let (stream, _) = listener.accept().unwrap();
            let mut writer = std::io::BufWriter::new(&stream);
            // What a buffer would write when it is dropped finds the host gone.
            writer.write_all(b"later").unwrap();
            let mut byte = [0];
            out.say(format!("{:?}", (&stream).read(&mut byte)));
        });
        *kept.lock().unwrap() = Some(program.unwrap());
    });
    boots(&mut a, "client", || {
        let mut stream = TcpStream::connect("10.0.0.2:7").unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
        assert_eq!(stream.read(&mut [0; 10]).unwrap_err().kind(), ErrorKind::WouldBlock);
    });
    let (mut world, _, b) = pair(a, b);
    let _ = world.run_until(At::from_secs(1));
    let first = slot.lock().unwrap().take().unwrap();
    world.at(At::from_secs(1), Action::Power { station: b, power: Power::Off, cause: EventId::NONE });
    let _ = world.run_until(At::from_secs(2));
    assert_eq!(log.lines(), ["let go"]);
    assert!(first.is_finished());
    let _ = world.run_until(At::from_secs(9));
}

/// Pages that the process has in memory, in bytes.
#[cfg(target_os = "linux")]
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// What docs/io-models.md states of a waiting program's memory.
#[cfg(target_os = "linux")]
const PER_PROGRAM: usize = 32 * 1024;

#[test]
#[cfg(target_os = "linux")]
fn ten_thousand_programs_wait_on_one_host() {
    const PROGRAMS: usize = 10_000;
    let log = Log::default();
    let (mut a, mut b) = (host(1), host(2));
    let out = log.clone();
    boots(&mut b, "server", move || {
        let threads: Vec<_> = (0..PROGRAMS)
            .map(|i| {
                thread::spawn(move || {
                    let socket = UdpSocket::bind(([0; 4], 10_000 + i as u16)).unwrap();
                    let mut buf = [0; 64];
                    socket.recv_from(&mut buf).unwrap().0
                })
            })
            .collect();
        let sum: usize = threads.into_iter().map(|t| t.join().unwrap()).sum();
        out.say(format!("{sum} bytes"));
    });
    boots(&mut a, "client", || {
        thread::sleep(Duration::from_secs(2));
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        for i in 0..PROGRAMS {
            socket.send_to(b"x", ([10, 0, 0, 2], 10_000 + i as u16)).unwrap();
            // The first waits for the answer to an ARP request, and few may wait beside it.
            thread::sleep(Duration::from_micros(if i == 0 { 100_000 } else { 10 }));
        }
    });
    let (mut world, ..) = pair(a, b);
    let before = resident();
    let _ = world.run_until(At::from_secs(1));
    let each = (resident() - before) / PROGRAMS;
    println!("{each} bytes for each program that waits");
    assert!(each < PER_PROGRAM, "{each} bytes for each");
    let _ = world.run_until(At::from_secs(10));
    assert_eq!(log.lines(), [format!("{PROGRAMS} bytes")]);
}

#[test]
fn each_call_is_counted_and_takes_its_time() {
    let log = Log::default();
    let call = Duration::from_micros(1);
    let free = Duration::ZERO;
    let costs = Costs { call, copy: free, switch: free, wake: free, ..Costs::default() };
    let mut server = host_with(2, costs);
    let (recorder, out) = (server.recorder(), log.clone());
    boots(&mut server, "server", move || {
        let begun = Instant::now();
        let tell = |what: &str| out.say(format!("{what}: {} µs", begun.elapsed().as_micros()));
        // socket, setsockopt, bind, listen
        let listener = TcpListener::bind("0.0.0.0:7").unwrap();
        tell("listens");
        listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        tell("is told");
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
        let clone = listener.try_clone().unwrap();
        drop((listener, clone));
        tell("is closed, twice");
        // socket, bind, setsockopt, getsockname; getpeername fails
        let socket = UdpSocket::bind("0.0.0.0:7").unwrap();
        socket.set_broadcast(true).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        assert_eq!(socket.peer_addr().unwrap_err().kind(), ErrorKind::NotConnected);
        socket.connect("127.0.0.1:8").unwrap();
        socket.take_error().unwrap();
        drop(socket);
        tell("is closed");
        // epoll_create, epoll_ctl, and both are closed
        let socket = UdpSocket::bind("0.0.0.0:7").unwrap();
        Poll::new().unwrap().add(&socket, 1, Interest::Read, Trigger::Level).unwrap();
        drop(socket);
        tell("has polled");
    });
    let (mut world, ..) = pair(host(1), server);
    let _ = world.run_until(At::from_secs(1));
    let said = ["listens: 4 µs", "is told: 6 µs", "is closed, twice: 10 µs", "is closed: 18 µs", "has polled: 24 µs"];
    assert_eq!(log.lines(), said);
    assert_eq!(recorder.series("io.calls").unwrap().count(), 24);
}

#[test]
fn outside_of_a_simulation_sockets_are_the_kernel_s() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut all = String::new();
        stream.read_to_string(&mut all).unwrap();
        all
    });
    let mut stream = TcpStream::connect(at).unwrap();
    stream.write_all(b"hello").unwrap();
    drop(stream);
    assert_eq!(server.join().unwrap(), "hello");
    let failed = thread::Builder::new().name("kernel's").spawn(|| panic!("there")).unwrap().join().unwrap_err();
    assert_eq!((&*failed.name, &*failed.message), ("kernel's", "there"));
}

#[test]
fn a_datagram_waits_for_room_in_the_send_buffer() {
    let log = Log::default();
    let out = log.clone();
    let client = move || {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        for _ in 0..50 {
            assert_eq!(socket.send_to(&[0; 60_000], "10.0.0.2:9").unwrap(), 60_000);
        }
        socket.set_nonblocking(true).unwrap();
        let mut sent = 0;
        let refused = loop {
            match socket.send_to(&[0; 60_000], "10.0.0.2:9") {
                Ok(_) => sent += 1,
                Err(error) => break error.kind(),
            }
        };
        assert!(sent < 10, "{sent}");
        out.say(format!("{refused:?}"));
    };
    play(client, || ());
    assert_eq!(log.lines(), ["WouldBlock"]);
}
