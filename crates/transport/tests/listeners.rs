//! Ports that run out, listeners that are full or gone: what a host refuses, and when it takes it again.

mod common;

use core::time::Duration;

use common::{Pair, Wire};
use septet_transport::tcp::{Config, Error, Options, SocketId, State, TwReuse};

const SEC: Duration = Duration::from_secs(1);

/// A client with a hundred ports.
fn few_ports(tw_reuse: TwReuse) -> Pair {
    let client = Config { port_range: (40_000, 40_099), tw_reuse, ..Config::linux() };
    let mut pair = Pair::new(1, Wire::default(), [client, Config::linux()]);
    pair.listen(4096, &Options::default());
    pair
}

fn try_connect(pair: &mut Pair) -> Result<SocketId, Error> {
    let (now, mtu) = (pair.now, pair.wire.mtu);
    pair.ends[0].connect(now, pair.addr[0], pair.addr[1], mtu, &Options::default(), &mut pair.trace)
}

/// Opens a connection, and closes it from the client's side first. Its local port.
fn visit(pair: &mut Pair, listener: SocketId) -> Result<u16, Error> {
    let client = try_connect(pair)?;
    let port = pair.ends[0].local_addr(client).unwrap().port();
    pair.run_for(SEC / 20);
    let (server, _) = pair.ends[1].accept(listener).unwrap();
    pair.ends[0].close(pair.now, client, &mut pair.trace).unwrap();
    pair.run_for(SEC / 20);
    pair.ends[1].close(pair.now, server, &mut pair.trace).unwrap();
    pair.run_for(SEC / 20);
    Ok(port)
}

#[test]
fn a_peer_can_be_visited_as_often_as_there_are_ports_until_time_wait_is_over() {
    let client = Config { port_range: (40_000, 40_099), ..Config::linux() };
    let mut pair = Pair::new(1, Wire::default(), [client, Config::linux()]);
    let listener = pair.listen(4096, &Options::default());
    let mut ports: Vec<u16> = (0..100).map(|_| visit(&mut pair, listener).unwrap()).collect();
    assert!(ports[..50].iter().all(|port| port % 2 == 0), "those of the first one's parity go first: {ports:?}");
    ports.sort_unstable();
    assert!(ports.iter().copied().eq(40_000..40_100), "each once: {ports:?}");
    for _ in 0..3 {
        assert_eq!(visit(&mut pair, listener), Err(Error::AddrNotAvailable));
        pair.run_for(SEC);
    }
    // Towards another port of the peer all are free.
    pair.addr[1].set_port(81);
    let other = pair.listen(4096, &Options::default());
    assert!(visit(&mut pair, other).is_ok());
    pair.addr[1].set_port(80);
    pair.run_for(60 * SEC);
    assert!(visit(&mut pair, listener).is_ok(), "TIME-WAIT has passed");
}

#[test]
fn a_pair_in_time_wait_is_taken_over_where_that_is_asked_for() {
    for (tw_reuse, again) in [(TwReuse::On, true), (TwReuse::Loopback, false), (TwReuse::Off, false)] {
        let client = Config { port_range: (40_000, 40_003), tw_reuse, ..Config::linux() };
        let mut pair = Pair::new(1, Wire::default(), [client, Config::linux()]);
        let listener = pair.listen(4096, &Options::default());
        for _ in 0..4 {
            visit(&mut pair, listener).unwrap();
        }
        pair.run_for(2 * SEC);
        assert_eq!(visit(&mut pair, listener).is_ok(), again, "{tw_reuse:?}");
    }
}

#[test]
fn on_a_loopback_address_pairs_are_taken_over_by_default() {
    let client = Config { port_range: (40_000, 40_003), ..Config::linux() };
    let mut pair = Pair::new(1, Wire::default(), [client, Config::linux()]);
    (pair.addr[0], pair.addr[1]) = ("127.0.0.1:0".parse().unwrap(), "127.0.0.1:80".parse().unwrap());
    let listener = pair.listen(4096, &Options::default());
    for _ in 0..4 {
        visit(&mut pair, listener).unwrap();
    }
    pair.run_for(2 * SEC);
    assert!(visit(&mut pair, listener).is_ok());
}

#[test]
fn ports_that_open_connections_hold_come_back_when_these_fail() {
    let mut pair = few_ports(TwReuse::Loopback);
    // Nobody answers.
    pair.filter = Some(Box::new(|_, _| false));
    let all: Vec<_> = (0..100).map(|_| try_connect(&mut pair).unwrap()).collect();
    assert_eq!(try_connect(&mut pair), Err(Error::AddrNotAvailable));
    pair.ends[0].abort(pair.now, all[17], &mut pair.trace).unwrap();
    pair.run_for(SEC / 10);
    assert!(try_connect(&mut pair).is_ok());
    assert_eq!(try_connect(&mut pair), Err(Error::AddrNotAvailable));
}

#[test]
fn a_syn_again_to_a_closed_listener_is_refused() {
    let mut pair = Pair::linux(1, Wire::default());
    let listener = pair.listen(8, &Options::default());
    // The SYN-ACK is lost.
    pair.filter = Some(Box::new(|from, _| from == 0));
    let client = pair.connect(&Options::default());
    pair.run_for(SEC / 10);
    pair.ends[1].close(pair.now, listener, &mut pair.trace).unwrap();
    pair.filter = None;
    pair.run_for(2 * SEC);
    assert_eq!(pair.ends[0].take_error(client), Ok(Some(Error::ConnectionRefused)));
    assert_eq!(pair.ends[1].mib().out_rsts, 1);
    assert_eq!(pair.ends[1].mib().listen_overflows, 0);
}

/// Linux counts what a full accept queue turns away twice over: as an overflow and as a drop.
#[test]
fn a_full_accept_queue_is_counted_as_nstat_does() {
    let mut pair = Pair::linux(1, Wire::default());
    let listener = pair.listen(1, &Options::default());
    let connect = |pair: &mut Pair| try_connect(pair).unwrap();
    // The queue has room for two: of two handshakes beside one that is complete, one does not find room.
    let first = connect(&mut pair);
    pair.run_for(SEC / 10);
    let clients = [first, connect(&mut pair), connect(&mut pair)];
    pair.run_for(SEC / 10);
    assert!(clients.iter().all(|c| pair.ends[0].state(*c) == Ok(State::Established)), "the clients cannot know");
    let mib = pair.ends[1].mib();
    assert_eq!((mib.listen_overflows, mib.listen_drops, mib.out_rsts), (1, 1, 0), "the ACK of the third is ignored");
    // The SYN of a fourth is dropped.
    let fourth = connect(&mut pair);
    pair.run_for(SEC / 10);
    assert_eq!(pair.ends[0].state(fourth), Ok(State::SynSent));
    let mib = pair.ends[1].mib();
    assert_eq!((mib.listen_overflows, mib.listen_drops, mib.out_rsts), (2, 2, 0));
    // As soon as the queue is emptied, both get in: by the SYN-ACK that is sent again, and by the SYN.
    for _ in 0..2 {
        pair.ends[1].accept(listener).unwrap();
    }
    pair.run_for(3 * SEC);
    assert_eq!(pair.ends[0].state(fourth), Ok(State::Established));
    assert!(pair.ends[1].accept(listener).is_ok() && pair.ends[1].accept(listener).is_ok());
}
