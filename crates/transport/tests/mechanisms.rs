//! One test a mechanism, where a packet script cannot say it shorter.

mod common;

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use common::{Pair, Wire, transfer};
use septet_core::{DropReason, EventId, Frame, Instant, Trace};
use septet_transport::tcp::wire::{Flags, Header};
use septet_transport::tcp::{
    CaState, Config, Endpoint, Error, Gro, Keepalive, Meta, MtuProbing, Options, SocketId, SocketOption, State,
};
use septet_transport::{Ecn, IcmpError, Trouble};

const SEC: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

fn data(len: usize) -> Vec<u8> {
    let mut out = vec![0; len];
    septet_core::synthetic::fill(0, &mut out);
    out
}

fn drain(pair: &mut Pair, end: usize, id: SocketId) -> usize {
    let mut got = 0;
    while let Ok(n) = pair.ends[end].discard(pair.now, id, 1 << 20, &mut pair.trace) {
        if n == 0 {
            break;
        }
        got += n;
    }
    pair.flush();
    got
}

#[test]
fn an_idle_connection_is_small() {
    assert!(size_of::<septet_transport::tcp::Connection>() <= 728);
}

#[test]
fn icmp_too_big_shrinks_the_segments_in_flight() {
    // Routers on the way pass 1,200 bytes; the first one says so.
    let reports = Rc::new(RefCell::new(Vec::new()));
    let mut pair = Pair::linux(1, Wire::default());
    let said = reports.clone();
    pair.filter = Some(Box::new(move |from, bytes| {
        if bytes.len() + 20 <= 1200 {
            return true;
        }
        let (header, _) = Header::parse(bytes).unwrap();
        said.borrow_mut().push((from, header));
        false
    }));
    let (client, server) = pair.established(&Options::default());
    let payload = data(100_000);
    let (mut written, mut got) = (0, 0);
    while got < payload.len() {
        if let Ok(n) = pair.write(0, client, &payload[written..]) {
            written += n;
        }
        got += drain(&mut pair, 1, server);
        let told: Vec<_> = reports.borrow_mut().drain(..).collect();
        for (from, header) in told {
            let error = IcmpError {
                reporter: "10.0.0.9".parse().unwrap(),
                local: SocketAddr::new(pair.addr[from].ip(), header.src_port),
                remote: SocketAddr::new(pair.addr[1 - from].ip(), header.dst_port),
                seq: header.seq,
                trouble: Trouble::TooBig { mtu: 1200 },
                cause: EventId::NONE,
            };
            // A forger who does not see the flow cannot name a sequence number in it (RFC 5927).
            let blind =
                IcmpError { seq: header.seq.wrapping_sub(1 << 20), trouble: Trouble::TooBig { mtu: 600 }, ..error };
            pair.ends[from].icmp_error(pair.now, &blind, &mut pair.trace);
            pair.ends[from].icmp_error(pair.now, &error, &mut pair.trace);
        }
        assert!(pair.now < Instant::from_secs(20), "{got} bytes");
        pair.step();
    }
    let info = pair.ends[0].info(pair.now, client).unwrap();
    assert_eq!((info.tcpi_pmtu, info.tcpi_snd_mss), (1200, 1148));
    assert!(pair.ends[0].mib().out_of_window_icmps > 0);
    assert_eq!(pair.ends[0].mib().timeouts, 0, "no timeout was needed");
}

#[test]
fn a_black_hole_is_found_without_icmp() {
    let mut config = Config::linux();
    config.mtu_probing = MtuProbing::OnBlackHole;
    let mut pair = Pair::new(1, Wire::default(), [config.clone(), config]);
    pair.filter = Some(Box::new(|_, bytes| bytes.len() + 20 <= 1200));
    let payload = data(200_000);
    let (got, end) = transfer(&mut pair, &payload, 60 * SEC);
    assert!(end.is_ok() && got == payload);
}

#[test]
fn probing_finds_the_largest_segment() {
    let mut config = Config::linux();
    config.mtu_probing = MtuProbing::Always;
    let mut pair = Pair::new(1, Wire::default(), [config.clone(), config]);
    let (client, server) = pair.established(&Options::default());
    pair.ends[0].write_synthetic(pair.now, client, 0, 3_000_000, &mut pair.trace).unwrap();
    let small = pair.ends[0].info(pair.now, client).unwrap().tcpi_snd_mss;
    assert!(small <= 1024, "begins at tcp_base_mss: {small}");
    let mut got = 0;
    while got < 3_000_000 {
        got += drain(&mut pair, 1, server);
        assert!(pair.step() && pair.now < Instant::from_secs(60), "{got}");
    }
    let info = pair.ends[0].info(pair.now, client).unwrap();
    assert!(info.tcpi_snd_mss >= 1440, "{}", info.tcpi_snd_mss);
    assert!(pair.ends[0].mib().mtup_success >= 3);
}

fn flood(config: Config) -> (Pair, SocketId) {
    let mut pair = Pair::new(1, Wire::default(), [Config::linux(), config]);
    let listener = pair.listen(4, &Options::default());
    for i in 0..50u16 {
        let src: SocketAddr = format!("10.9.0.{i}:1000").parse().unwrap();
        let header =
            Header { src_port: 1000, dst_port: 80, seq: 7, flags: Flags::SYN, window: 1000, ..Header::default() };
        let mut frame = Frame::empty(64);
        header.write(frame.push(header.wire_len()));
        frame.checksums = septet_core::Checksums::Good;
        let meta = Meta { src: src.ip(), dst: pair.addr[1].ip(), ecn: Ecn::NotEct, ttl: 64, mtu: 1500 };
        let _ = pair.ends[1].receive(pair.now, &meta, frame, &mut pair.trace);
        while pair.ends[1].poll_transmit(pair.now, &mut pair.trace).is_some() {}
    }
    (pair, listener)
}

#[test]
fn cookies_let_the_honest_in_under_flood() {
    let (mut pair, listener) = flood(Config::linux());
    assert!(pair.ends[1].mib().syncookies_sent >= 40);
    assert!(pair.ends[1].flow_count() <= 5, "memory is bounded by the backlog");
    let client = pair.connect(&Options::default());
    pair.run_for(SEC);
    let (server, _) = pair.ends[1].accept(listener).expect("a connection by cookie");
    pair.write(0, client, b"hello").unwrap();
    pair.run_for(SEC);
    let mut buf = [0; 16];
    assert_eq!(pair.read(1, server, &mut buf), Ok(5));
    let info = pair.ends[1].info(pair.now, server).unwrap();
    assert_eq!((info.tcpi_snd_wscale, info.tcpi_options & 7), (10, 7), "options came back in the timestamp");
    assert_eq!(pair.ends[1].mib().syncookies_recv, 1);
}

#[test]
fn without_cookies_a_flood_shuts_the_door() {
    let (mut pair, listener) = flood(Config { syncookies: false, ..Config::linux() });
    pair.connect(&Options::default());
    pair.run_for(500 * MS);
    assert_eq!(pair.ends[1].accept(listener), Err(Error::WouldBlock));
    assert!(pair.ends[1].mib().listen_drops > 40);
}

#[test]
fn merged_and_split_segments_carry_the_same_stream() {
    let payload = data(500_000);
    let mut outcomes = Vec::new();
    for (gso, whole) in [(0, false), (65_536, false), (65_536, true)] {
        let wire = Wire { gso: whole, loss: 0.01, ..Wire::default() };
        let config = Config { gso_max_size: gso, ..Config::linux() };
        let mut pair = Pair::new(7, wire, [config.clone(), config]);
        let (got, end) = transfer(&mut pair, &payload, 120 * SEC);
        assert!(end.is_ok() && got == payload, "gso {gso}, whole {whole}");
        outcomes.push(pair.sent);
    }
    assert!(outcomes[2] * 3 < outcomes[0] * 2, "super-segments are fewer: {outcomes:?}");
}

#[test]
fn gro_joins_what_continues_and_nothing_else() {
    let mut pair = Pair::linux(1, Wire::default());
    let (client, server) = pair.established(&Options::default());
    let seen = Rc::new(RefCell::new(Vec::new()));
    let copies = seen.clone();
    pair.filter = Some(Box::new(move |from, bytes| {
        if from == 0 {
            copies.borrow_mut().push(bytes.to_vec());
        }
        from != 0
    }));
    let payload = data(10_000);
    pair.write(0, client, &payload).unwrap();
    let mut gro = Gro::new();
    let mut merged = Vec::new();
    let meta = Meta { src: pair.addr[0].ip(), dst: pair.addr[1].ip(), ecn: Ecn::NotEct, ttl: 64, mtu: 1500 };
    for bytes in seen.borrow().iter() {
        gro.push(meta, Frame::new(64, bytes), |m, f| merged.push((m, f))).unwrap();
    }
    let mut bad = seen.borrow()[0].clone();
    *bad.last_mut().unwrap() ^= 1;
    assert_eq!(gro.push(meta, Frame::new(64, &bad), |_, _| ()), Err(DropReason::L4Checksum));
    gro.flush(|m, f| merged.push((m, f)));
    assert_eq!(merged.len(), 1, "seven segments in a row are one");
    assert_eq!(merged[0].1.segment_size, 1448);
    for (meta, frame) in merged {
        pair.ends[1].receive(pair.now, &meta, frame, &mut pair.trace).unwrap();
    }
    let mut buf = vec![0; 20_000];
    assert_eq!(pair.read(1, server, &mut buf), Ok(10_000));
    assert!(buf[..10_000] == payload);
    assert_eq!(pair.ends[1].info(pair.now, server).unwrap().tcpi_data_segs_in, 7);
}

#[test]
fn the_receive_buffer_grows_with_the_path_and_never_beyond_its_bound() {
    // 400 Mbit/s times 100 ms is 5 MB; the window starts at 64 KiB, and the bound is 6 MiB, of which half is window.
    let wire = Wire { rate: 400_000_000, delay: 50 * MS, queue: 5000, ..Wire::default() };
    let config = Config { gso_max_size: 65_536, rmem: [4096, 131_072, 6 << 20], ..Config::linux() };
    let mut pair = Pair::new(1, wire, [config.clone(), config]);
    let (client, server) = pair.established(&Options::default());
    pair.ends[0].write_synthetic(pair.now, client, 0, 1 << 34, &mut pair.trace).unwrap();
    let mut most = 0;
    while pair.now < Instant::from_secs(3) {
        drain(&mut pair, 1, server);
        most = most.max(pair.ends[1].info(pair.now, server).unwrap().tcpi_rcv_wnd);
        pair.step();
    }
    assert!((2 << 20..=(3 << 20) + 128).contains(&most), "{most}");
}

#[test]
fn a_shut_window_opens_again_even_if_the_update_is_lost() {
    let mut pair = Pair::linux(1, Wire::default());
    let options = Options { receive_buffer: Some(10_000), ..Options::default() };
    let listener = pair.listen(4, &options);
    let client = pair.connect(&Options::default());
    pair.run_for(100 * MS);
    let (server, _) = pair.ends[1].accept(listener).unwrap();
    pair.write(0, client, &data(50_000)).unwrap();
    pair.run_for(SEC);
    assert_eq!(pair.ends[0].info(pair.now, client).unwrap().tcpi_snd_wnd, 0);
    pair.filter = Some(Box::new(|from, _| from == 0));
    let first = drain(&mut pair, 1, server);
    pair.filter = None;
    assert!(first <= 10_000 + 127, "memory is bounded by the window: {first}");
    let mut got = first;
    while got < 50_000 && pair.now < Instant::from_secs(60) && pair.step() {
        got += drain(&mut pair, 1, server);
    }
    assert_eq!(got, 50_000);
    assert!(pair.ends[0].mib().win_probe > 0);
}

#[test]
fn a_dead_peer_is_noticed() {
    let mut pair = Pair::linux(1, Wire::default());
    let options = Options {
        keepalive: Keepalive::On,
        keep_idle: Some(10 * SEC),
        keep_interval: Some(SEC),
        keep_count: Some(3),
        ..Options::default()
    };
    let (client, _server) = pair.established(&options);
    pair.run_for(60 * SEC);
    assert_eq!(pair.ends[0].state(client), Ok(State::Established), "a live peer answers");
    let before = pair.ends[0].mib().keepalive;
    pair.filter = Some(Box::new(|_, _| false));
    pair.run_for(15 * SEC);
    assert_eq!(pair.ends[0].take_error(client), Ok(Some(Error::TimedOut)));
    assert_eq!(pair.ends[0].mib().keepalive - before, 3, "TCP_KEEPCNT probes");
}

#[test]
fn the_user_timeout_is_kept_to_the_millisecond() {
    let mut pair = Pair::linux(1, Wire::default());
    let (client, _server) = pair.established(&Options::default());
    let (now, trace) = (pair.now, &mut pair.trace);
    pair.ends[0].set_option(now, client, SocketOption::UserTimeout(3 * SEC), trace).unwrap();
    pair.filter = Some(Box::new(|_, _| false));
    pair.write(0, client, b"into the void").unwrap();
    // As in Linux the time counts from the first retransmission, which here is the second RTO of 220 ms.
    pair.run_until(now + Duration::from_millis(3439));
    assert_eq!(pair.ends[0].take_error(client), Ok(None));
    pair.run_until(now + Duration::from_millis(3442));
    assert_eq!(pair.ends[0].take_error(client), Ok(Some(Error::TimedOut)));
}

#[test]
fn reordering_is_learnt_and_no_longer_taken_for_loss() {
    let wire = Wire { rate: 20_000_000, delay: 20 * MS, jitter: 4 * MS, queue: 400, ..Wire::default() };
    let mut pair = Pair::linux(3, wire);
    let (client, server) = pair.established(&Options::default());
    pair.ends[0].write_synthetic(pair.now, client, 0, 20_000_000, &mut pair.trace).unwrap();
    let mut early = 0;
    while pair.now < Instant::from_secs(8) && pair.step() {
        drain(&mut pair, 1, server);
        if pair.now < Instant::from_secs(1) {
            early = pair.ends[0].mib().retrans_segs;
        }
    }
    let info = pair.ends[0].info(pair.now, client).unwrap();
    let mib = pair.ends[0].mib();
    assert!(info.tcpi_reord_seen > 0 && info.tcpi_reordering > 3);
    let late = mib.retrans_segs - early;
    assert!(late * 50 < u64::from(info.tcpi_data_segs_out), "{late} of {} sent again", info.tcpi_data_segs_out);
    assert_eq!(mib.timeouts, 0);
}

#[test]
fn a_spurious_timeout_is_undone() {
    let mut pair = Pair::linux(1, Wire { delay: 20 * MS, ..Wire::default() });
    let (client, server) = pair.established(&Options::default());
    pair.write(0, client, &data(10_000)).unwrap();
    pair.run_for(SEC);
    drain(&mut pair, 1, server);
    let before = pair.ends[0].info(pair.now, client).unwrap().tcpi_snd_cwnd;
    // A delay spike: everything on the wire comes half a second late, nothing is lost.
    pair.wire.delay = 600 * MS;
    pair.write(0, client, &data(14_480)).unwrap();
    pair.run_for(500 * MS);
    assert_eq!(pair.ends[0].info(pair.now, client).unwrap().tcpi_ca_state, CaState::Loss);
    pair.wire.delay = 20 * MS;
    pair.run_for(3 * SEC);
    let info = pair.ends[0].info(pair.now, client).unwrap();
    assert_eq!(info.tcpi_ca_state, CaState::Open);
    assert!(info.tcpi_snd_cwnd >= before, "{} of {before}", info.tcpi_snd_cwnd);
    let mib = pair.ends[0].mib();
    assert!(mib.loss_undo + mib.dsack_undo + mib.full_undo > 0);
}

#[test]
fn ecn_halves_without_a_loss() {
    let wire = Wire { rate: 20_000_000, queue: 200, mark_above: 30, ..Wire::default() };
    let config = Config { ecn: septet_transport::tcp::EcnMode::Active, ..Config::linux() };
    let mut pair = Pair::new(1, wire, [config.clone(), config]);
    let (client, server) = pair.established(&Options::default());
    pair.ends[0].write_synthetic(pair.now, client, 0, 10_000_000, &mut pair.trace).unwrap();
    while pair.now < Instant::from_secs(3) && pair.step() {
        drain(&mut pair, 1, server);
    }
    let info = pair.ends[0].info(pair.now, client).unwrap();
    assert_eq!((pair.dropped, info.tcpi_total_retrans), (0, 0));
    assert!(info.tcpi_delivered_ce > 0 && info.tcpi_snd_ssthresh < 100);
}

#[test]
fn time_wait_is_left_by_time_or_taken_over_by_a_newer_syn() {
    let mut pair = Pair::linux(1, Wire::default());
    pair.addr[0].set_port(4000);
    let (client, server) = pair.established(&Options::default());
    pair.close(0, client);
    pair.run_for(100 * MS);
    pair.close(1, server);
    pair.run_for(100 * MS);
    assert_eq!((pair.ends[0].mib().tw, pair.ends[0].flow_count(), pair.ends[1].flow_count()), (1, 1, 0));
    // RFC 6191: whoever asks for the very port takes it over, where timestamps keep old segments apart.
    let again = |pair: &mut Pair| {
        let (now, addr) = (pair.now, pair.addr);
        pair.ends[0].connect(now, addr[0], addr[1], 1500, &Options::default(), &mut pair.trace)
    };
    pair.ends[0].config_mut().timestamps = false;
    assert_eq!(again(&mut pair), Err(Error::AddrInUse));
    pair.ends[0].config_mut().timestamps = true;
    let id = again(&mut pair).expect("taken over");
    pair.run_for(SEC);
    assert_eq!(pair.ends[0].state(id), Ok(State::Established));
    pair.close(0, id);
    pair.run_for(90 * SEC);
    assert!(pair.ends[0].flow_count() <= 1);
}

#[test]
fn a_full_accept_queue_holds_the_peer_off() {
    let mut pair = Pair::linux(1, Wire::default());
    let listener = pair.listen(1, &Options::default());
    for _ in 0..4 {
        pair.connect(&Options::default());
        pair.run_for(100 * MS);
    }
    let accepted = std::iter::from_fn(|| pair.ends[1].accept(listener).ok()).count();
    assert_eq!(accepted, 2, "the queue takes one more than the backlog");
    assert!(pair.ends[1].mib().listen_overflows > 0);
    pair.run_for(10 * SEC);
    assert!(pair.ends[1].accept(listener).is_ok(), "the others get in by retransmission");
}

#[test]
fn a_go_back_n_receiver_keeps_nothing_early() {
    let config = Config { congestion_control: "fixed-window", sack: false, reassembly: false, ..Config::linux() };
    let mut pair = Pair::new(5, Wire { loss: 0.02, ..Wire::default() }, [config.clone(), config]);
    let payload = data(300_000);
    let (got, end) = transfer(&mut pair, &payload, 300 * SEC);
    assert!(end.is_ok() && got == payload);
    assert!(pair.ends[1].mib().ofo_drop > 0 && pair.ends[1].mib().ofo_queue == 0);
}

#[test]
fn the_same_seed_gives_the_same_segments() {
    let run = || {
        let mut pair = Pair::linux(9, Wire { loss: 0.05, jitter: 5 * MS, ..Wire::default() });
        let hash = Rc::new(RefCell::new(0u64));
        let into = hash.clone();
        pair.filter = Some(Box::new(move |from, bytes| {
            let mut h = *into.borrow();
            for b in bytes {
                h = (h ^ u64::from(*b)).wrapping_mul(0x100_0000_01b3);
            }
            *into.borrow_mut() = h.wrapping_add(from as u64);
            true
        }));
        transfer(&mut pair, &data(100_000), 60 * SEC).1.unwrap();
        *hash.borrow()
    };
    assert_eq!(run(), run());
}

#[test]
fn a_wrong_checksum_is_counted_and_dropped() {
    let mut trace = Trace::off();
    let mut end = Endpoint::new(Config::linux(), &mut septet_core::Seed::new(1).stream("t"));
    let meta = Meta {
        src: "10.0.0.1".parse().unwrap(),
        dst: "10.0.0.2".parse().unwrap(),
        ecn: Ecn::NotEct,
        ttl: 64,
        mtu: 1500,
    };
    let frame = Frame::new(64, &[0; 20]);
    assert_eq!(end.receive(Instant::ZERO, &meta, frame, &mut trace), Err(DropReason::Malformed));
    let mut bytes = [0; 20];
    bytes[12] = 0x50;
    let frame = Frame::new(64, &bytes);
    assert_eq!(end.receive(Instant::ZERO, &meta, frame, &mut trace), Err(DropReason::L4Checksum));
    assert_eq!((end.mib().in_errs, end.mib().in_csum_errors), (2, 1));
}
