//! An adversarial wire: beside loss and disorder it rewrites headers with valid checksums, forges ICMP errors and lies
//! about windows. Whatever it does: invariants hold after every event, memory is bounded, and nothing hangs or panics.

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use common::{Pair, Wire};
use septet_core::{EventId, Frame, Instant, Rng, Seed};
use septet_transport::tcp::wire::{Flags, Header, Timestamps};
use septet_transport::tcp::{Config, Meta, Options, SocketId, controller_names};
use septet_transport::{Ecn, IcmpError, Trouble};

fn check(pair: &Pair, seed: u64, ids: [Option<SocketId>; 2]) {
    for (end, id) in ids.iter().enumerate() {
        if let Some(id) = id
            && let Ok(c) = pair.ends[end].connection(*id)
            && let Err(sentence) = c.check_invariants()
        {
            panic!("seed {seed}, end {end}: {sentence} does not hold\n{c:#?}");
        }
    }
}

/// A segment of random truthfulness: its numbers lie near those of the connection.
fn forge(rng: &mut Rng, src: SocketAddr, dst: SocketAddr, near: (u32, u32)) -> Frame {
    let wobble = |rng: &mut Rng, base: u32| match rng.below(4) {
        0 => base,
        1 => base.wrapping_add(rng.below(3000) as u32).wrapping_sub(1500),
        2 => base.wrapping_add(rng.next_u32() >> 12),
        _ => rng.next_u32(),
    };
    let mut header = Header {
        src_port: src.port(),
        dst_port: dst.port(),
        seq: wobble(rng, near.0),
        ack: wobble(rng, near.1),
        flags: Flags::from_bits(if rng.chance(0.7) {
            0x10 | (rng.next_u32() as u8 & 0xc8)
        } else {
            rng.next_u32() as u8
        }),
        window: rng.next_u32() as u16,
        urgent: rng.next_u32() as u16,
        ..Header::default()
    };
    if rng.chance(0.5) {
        let now = rng.next_u32();
        header.options.timestamps = Some(Timestamps { value: now, echo: rng.next_u32() });
    }
    for _ in 0..rng.below(4) {
        let start = wobble(rng, near.1);
        header.options.sack.push(start, start.wrapping_add(rng.below(4000) as u32));
    }
    if header.flags.has(Flags::SYN) {
        header.options.mss = rng.chance(0.5).then(|| rng.next_u32() as u16);
        header.options.wscale = rng.chance(0.5).then(|| rng.next_u32() as u8 & 15);
        header.options.sack = Default::default();
    }
    let payload = vec![0x55; if rng.chance(0.5) { 0 } else { rng.below(1400) as usize }];
    let mut frame = Frame::new(64, &payload);
    let len = header.wire_len();
    header.write(frame.push(len));
    let pseudo = [src.ip(), dst.ip()].map(|ip| match ip {
        std::net::IpAddr::V4(a) => u32::from(a),
        std::net::IpAddr::V6(_) => 0,
    });
    let sum = septet_core::checksum::Sum::new()
        .dword(pseudo[0])
        .dword(pseudo[1])
        .word(6)
        .dword(frame.len() as u32)
        .bytes(frame.bytes())
        .finish();
    frame.header_mut(20)[16..18].copy_from_slice(&sum.to_be_bytes());
    frame
}

#[test]
fn forged_segments_and_errors_break_nothing() {
    let seeds = std::env::var("SEPTET_SEEDS").ok().and_then(|s| s.parse().ok()).unwrap_or(150);
    for seed in 0..seeds {
        let mut rng = Seed::new(seed).stream("adversary");
        let wire = Wire {
            delay: Duration::from_micros(500 + rng.below(20_000)),
            jitter: Duration::from_micros(rng.below(10_000)),
            loss: rng.unit() * 0.1,
            duplicate: rng.unit() * 0.1,
            mark: rng.unit() * 0.1,
            gso: rng.chance(0.5),
            ..Wire::default()
        };
        let mut config = Config::linux();
        config.gso_max_size = if wire.gso { 65_536 } else { 0 };
        config.sack = rng.chance(0.8);
        config.timestamps = rng.chance(0.7);
        let names: Vec<_> = controller_names().collect();
        config.congestion_control = names[rng.below(names.len() as u64) as usize];
        let mut pair = Pair::new(seed, wire, [config.clone(), config]);
        let listener = pair.listen(4, &Options::default());
        let client = pair.connect(&Options::default());
        let mut server = None;
        let mut buf = vec![0; 20_000];
        let mut seen = [(0u32, 0u32); 2];
        let until = Instant::from_secs(120);
        for round in 0..1500 {
            server = server.or_else(|| pair.ends[1].accept(listener).ok().map(|(id, _)| id));
            if rng.chance(0.3) {
                let _ = pair.write(0, client, &buf[..rng.below(20_000) as usize]);
            }
            if let Some(id) = server {
                if rng.chance(0.2) {
                    let _ = pair.write(1, id, &vec![1; rng.below(5_000) as usize]);
                }
                if rng.chance(0.3) {
                    let _ = pair.read(1, id, &mut buf);
                }
            }
            if round == 1200 {
                pair.close(0, client);
            }
            if rng.chance(0.5)
                && let Ok(c) = pair.ends[0].connection(client)
            {
                seen = [c.sequence_numbers(), seen[1]];
            }
            if let Some(id) = server
                && let Ok(c) = pair.ends[1].connection(id)
            {
                seen[1] = c.sequence_numbers();
            }
            if rng.chance(0.2) {
                let to = rng.below(2) as usize;
                let from = [pair.ends[0].local_addr(client).unwrap_or(pair.addr[0]), pair.addr[1]];
                // What the victim sends is what the forger acknowledges, and the other way round.
                let (snd_nxt, rcv_nxt) = seen[to];
                let frame = forge(&mut rng, from[1 - to], from[to], (rcv_nxt, snd_nxt));
                let meta = Meta { src: from[1 - to].ip(), dst: from[to].ip(), ecn: Ecn::Ce, ttl: 64, mtu: 1500 };
                let _ = pair.ends[to].receive(pair.now, &meta, frame, &mut pair.trace);
                pair.flush();
                check(&pair, seed, [Some(client), server]);
            }
            if rng.chance(0.05) {
                let to = rng.below(2) as usize;
                let from = [pair.ends[0].local_addr(client).unwrap_or(pair.addr[0]), pair.addr[1]];
                let kinds = [
                    Trouble::HostUnreachable,
                    Trouble::PortUnreachable,
                    Trouble::TooBig { mtu: rng.below(2000) as u32 },
                    Trouble::HopLimit,
                ];
                let error = IcmpError {
                    reporter: "10.0.0.9".parse().unwrap(),
                    local: from[to],
                    remote: from[1 - to],
                    seq: seen[to].0.wrapping_sub(rng.below(3000) as u32),
                    trouble: kinds[rng.below(4) as usize],
                    cause: EventId::NONE,
                };
                pair.ends[to].icmp_error(pair.now, &error, &mut pair.trace);
                pair.flush();
                check(&pair, seed, [Some(client), server]);
            }
            if !pair.step() || pair.now > until {
                break;
            }
            check(&pair, seed, [Some(client), server]);
        }
        assert!(pair.sent < 200_000, "seed {seed}: a storm of {} segments", pair.sent);
    }
}
