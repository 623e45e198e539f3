//! What a sender gets out of a path with everything as it is by default: buffers, Nagle's algorithm, delayed ACKs.

mod common;

use core::time::Duration;

use common::{Pair, Wire};
use septet_transport::tcp::{Config, Error, Nodelay, Options, SocketId};

/// Reads all that is there; how much it was.
fn drain(pair: &mut Pair, end: usize, id: SocketId) -> usize {
    let mut out = vec![0; 1 << 16];
    let mut all = 0;
    while let Ok(n) = pair.read(end, id, &mut out) {
        all += n;
        if n == 0 {
            break;
        }
    }
    all
}

/// Linux 6.18 at both ends sends 199 to 210 Mbit/s over such a path; charged for each segment instead of each buffer, the
/// send buffer's 4 MiB hold but half as much.
#[test]
fn a_fat_pipe_is_filled_by_the_buffers_that_grow_by_themselves() {
    let wire = Wire { rate: 300_000_000, delay: Duration::from_millis(50), ..Wire::default() };
    let mut pair = Pair::linux(1, wire);
    let (client, server) = pair.established(&Options::default());
    let data = vec![7; 1 << 16];
    let begun = pair.now;
    let mut got = 0;
    while pair.now - begun < Duration::from_secs(9) {
        match pair.write(0, client, &data) {
            Ok(_) | Err(Error::WouldBlock) => {}
            Err(error) => panic!("{error}"),
        }
        assert!(pair.step());
        let n = drain(&mut pair, 1, server);
        if pair.now - begun > Duration::from_secs(5) {
            got += n;
        }
    }
    let rate = got as f64 * 8.0 / 4.0;
    assert!(rate > 190e6, "{:.1} Mbit/s", rate / 1e6);
}

/// The most that a writer who never rests has in the send buffer, over a path without a limit but its delay.
fn most_held(gso_max_size: u32, send_buffer: Option<usize>) -> u64 {
    let wire = Wire { delay: Duration::from_millis(5), gso: gso_max_size > 0, ..Wire::default() };
    let config = Config { gso_max_size, ..Config::linux() };
    let mut pair = Pair::new(1, wire, [config.clone(), config]);
    let (client, server) = pair.established(&Options { send_buffer, ..Options::default() });
    let data = vec![7; 1 << 16];
    let (begun, mut held, mut got) = (pair.now, 0, 0);
    while pair.now - begun < Duration::from_millis(150) {
        while pair.write(0, client, &data).is_ok() {}
        held = held.max(pair.ends[0].info(pair.now, client).unwrap().send_queue);
        assert!(pair.step());
        got += drain(&mut pair, 1, server);
    }
    assert!(got as u64 > held, "{got} bytes passed through a buffer of {held}");
    held
}

/// socket(7): "SO_SNDBUF Sets or gets the maximum socket send buffer in bytes. The kernel doubles this value". As with Linux a
/// buffer of 64 KiB that was begun may be filled, and filled again where a part of it has left.
#[test]
fn the_send_buffer_holds_no_more_than_it_may_whatever_leaves_at_once() {
    for gso in [0, 65_536] {
        for (set, bound) in [(None, 4 << 20), (Some(100_000), 200_000), (Some(500_000), 1_000_000)] {
            let held = most_held(gso, set);
            let range = bound * 7 / 10..bound + 2 * 65_536;
            assert!(range.contains(&held), "{held} bytes where {bound} were allowed, super-segments of {gso}");
        }
    }
}

/// Requests of two writes, answered by one: how long the last of them took.
fn request(nodelay: Nodelay) -> Duration {
    let wire = Wire { delay: Duration::from_micros(500), ..Wire::default() };
    let mut pair = Pair::linux(1, wire);
    let (client, server) = pair.established(&Options { nodelay, ..Options::default() });
    let mut took = Duration::ZERO;
    for _ in 0..20 {
        let begun = pair.now;
        for part in [100, 50] {
            pair.write(0, client, &vec![1; part]).unwrap();
        }
        let (mut asked, mut answered) = (0, 0);
        while answered == 0 {
            assert!(pair.step());
            let n = drain(&mut pair, 1, server);
            if n > 0 {
                asked += n;
                if asked == 150 {
                    pair.write(1, server, b"!").unwrap();
                }
            }
            answered += drain(&mut pair, 0, client);
        }
        took = pair.now - begun;
    }
    took
}

/// RFC 1122 §4.2.3.4: Nagle's algorithm holds the second write back until the first is acknowledged, when the other end may
/// not even be asked to hurry.
#[test]
fn write_write_read_waits_for_an_ack_unless_nodelay_is_set() {
    let (slow, quick) = (request(Nodelay::Off), request(Nodelay::On));
    assert!(slow.as_millis() >= 2, "{slow:?}");
    assert!(quick.as_millis() <= 1, "{quick:?}");
}
