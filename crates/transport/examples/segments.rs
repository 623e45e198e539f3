//! CPU time per segment sent, received and acknowledged: two endpoints joined in memory.
//!
//! `cargo run --release -p septet-transport --example segments`

use std::time::Duration;

use septet_core::{Instant, Seed, Trace};
use septet_transport::tcp::{Config, Endpoint, Meta, Options, SocketId};

/// CPU time of this process so far, in nanoseconds; the wall clock where the system does not tell.
fn cpu() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    stat.split_whitespace()
        .next()
        .and_then(|n| n.parse().ok())
        .unwrap_or_else(|| std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |d| d.as_nanos() as u64))
}

struct Pair {
    ends: [Endpoint; 2],
    now: Instant,
    trace: Trace,
    segments: u64,
}

impl Pair {
    fn pump(&mut self) {
        loop {
            let mut moved = false;
            for from in 0..2 {
                while let Some(t) = self.ends[from].poll_transmit(self.now, &mut self.trace) {
                    moved = true;
                    self.segments += 1;
                    let meta = Meta { src: t.src, dst: t.dst, ecn: t.ecn, ttl: 64, mtu: 1500 };
                    let _ = self.ends[1 - from].receive(self.now, &meta, t.frame, &mut self.trace);
                }
            }
            if !moved {
                return;
            }
        }
    }

    fn open(gso: u32) -> (Self, SocketId, SocketId) {
        let mut config = Config::linux();
        config.gso_max_size = gso;
        let seed = Seed::new(1);
        let ends = [Endpoint::new(config.clone(), &mut seed.stream("a")), Endpoint::new(config, &mut seed.stream("b"))];
        let mut pair = Self { ends, now: Instant::from_millis(1), trace: Trace::off(), segments: 0 };
        let server = "10.0.0.2:80".parse().expect("an address");
        let client = "10.0.0.1:0".parse().expect("an address");
        let options = Options::default();
        let listener = pair.ends[1].listen(server, 8, &options).expect("free");
        let client = pair.ends[0].connect(pair.now, client, server, 1500, &options, &mut pair.trace).expect("free");
        pair.pump();
        let (server, _) = pair.ends[1].accept(listener).expect("established");
        (pair, client, server)
    }
}

fn bulk(synthetic: bool, gso: u32) {
    let (mut pair, client, server) = Pair::open(gso);
    let total: u64 = 1_000_000_000;
    let data = vec![7u8; 65_536];
    let (mut got, mut sent) = (0u64, 0u64);
    let begin = cpu();
    if synthetic {
        pair.ends[0].write_synthetic(pair.now, client, 0, total, &mut pair.trace).expect("open");
    }
    while got < total {
        if !synthetic {
            while sent < total
                && let Ok(n) = pair.ends[0].write(pair.now, client, &data, &mut pair.trace)
            {
                sent += n as u64;
            }
        }
        pair.pump();
        while let Ok(n) = pair.ends[1].discard(pair.now, server, 1 << 20, &mut pair.trace) {
            got += n as u64;
        }
        pair.now += Duration::from_micros(100);
        for end in &mut pair.ends {
            end.on_timeout(pair.now, &mut pair.trace);
        }
    }
    let spent = (cpu() - begin) as f64;
    println!(
        "bulk, {}, super-segments {gso}: {:.0} ns a data segment, {:.1} Gbit/s, {} units on the wire",
        if synthetic { "synthetic" } else { "copied" },
        spent / (got as f64 / 1448.0),
        got as f64 * 8.0 / spent,
        pair.segments
    );
}

fn exchanges() {
    let (mut pair, client, server) = Pair::open(0);
    let n = 500_000u32;
    let mut buf = [0u8; 256];
    let begin = cpu();
    for _ in 0..n {
        pair.ends[0].write(pair.now, client, &[1; 100], &mut pair.trace).expect("room");
        pair.pump();
        pair.ends[1].read(pair.now, server, &mut buf, &mut pair.trace).expect("data");
        pair.ends[1].write(pair.now, server, &[2; 200], &mut pair.trace).expect("room");
        pair.pump();
        pair.ends[0].read(pair.now, client, &mut buf, &mut pair.trace).expect("data");
        pair.pump();
        pair.now += Duration::from_micros(50);
    }
    let spent = (cpu() - begin) as f64;
    println!("exchanges of 100 and 200 bytes: {:.0} ns each, {} segments", spent / f64::from(n), pair.segments);
}

fn main() {
    println!("a connection takes {} bytes", size_of::<septet_transport::tcp::Connection>());
    bulk(true, 0);
    bulk(false, 0);
    bulk(false, 65_536);
    exchanges();
}
