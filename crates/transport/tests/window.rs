//! The advertised window: its right edge never moves left, and what lies in it is never thrown away.

mod common;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use common::{Pair, Wire};
use proptest::prelude::*;
use septet_core::Instant;
use septet_transport::tcp::wire::{Flags, Header};
use septet_transport::tcp::{Config, Error, Nodelay, Options, SocketId, SocketOption};

/// What is seen on the wire of one transfer from the client to the server.
#[derive(Default)]
struct Seen {
    irs: Option<u32>,
    iss: u32,
    scale: u8,
    /// The right edge of the window as the server last had it, in bytes of the stream.
    edge: u64,
    /// Where segments of the client end.
    ends: BTreeSet<u64>,
    /// What did not hold: the first is told.
    faults: Vec<String>,
}

impl Seen {
    fn segment(&mut self, from: usize, bytes: &[u8]) {
        let (header, header_len) = Header::parse(bytes).expect("a segment");
        let is_syn = header.flags.has(Flags::SYN);
        if from == 0 {
            if is_syn {
                self.iss = header.seq;
                self.ends.insert(1);
            }
            // No transfer here is as long as sequence numbers are.
            let end = u64::from(header.seq.wrapping_sub(self.iss)) + (bytes.len() - header_len) as u64;
            self.ends.insert(end);
            if header.flags.has(Flags::FIN) {
                self.ends.insert(end + 1);
            }
            return;
        }
        if !header.flags.has(Flags::ACK) || header.flags.has(Flags::RST) {
            return;
        }
        if is_syn {
            self.irs = Some(header.seq);
            self.scale = header.options.wscale.unwrap_or(0);
        }
        let ack = u64::from(header.ack.wrapping_sub(self.iss));
        let edge = ack + (u64::from(header.window) << if is_syn { 0 } else { self.scale });
        if edge < self.edge {
            self.faults.push(format!("the right edge moves from {} to {edge}, ack {ack}", self.edge));
        }
        self.edge = self.edge.max(edge);
        if !self.ends.contains(&ack) {
            self.faults.push(format!("{ack} is acknowledged, inside a segment: its tail was thrown away"));
        }
    }
}

/// One transfer: who writes how much at a time, who reads how much when, and what happens to the buffer.
#[derive(Clone, Debug)]
struct Pattern {
    total: usize,
    write: usize,
    no_delay: bool,
    read: usize,
    every: Duration,
    first_buffer: Option<usize>,
    /// `SO_RCVBUF`, set after so many bytes were read.
    later_buffer: Option<(usize, usize)>,
    rmem: [usize; 3],
    scaling: bool,
    mtu: u32,
    rate: u64,
    delay: Duration,
    loss: f64,
    jitter: Duration,
    seed: u64,
}

fn pattern() -> impl Strategy<Value = Pattern> {
    let sizes = (20_000usize..400_000, 1usize..6000, any::<bool>(), 1usize..100_000, 1u64..200_000);
    let buffer = prop_oneof![Just(None), (1usize..300_000).prop_map(Some)];
    let later = prop_oneof![Just(None), (0usize..100_000, 1usize..100_000).prop_map(Some)];
    let memory = (2304usize..200_000, prop_oneof![Just(6usize << 20), Just(32 << 20), Just(1 << 30), Just(600_000)]);
    let wire = (300u32..9000, prop_oneof![Just(0u64), 100_000u64..100_000_000], 10u64..50_000);
    let trouble = prop_oneof![Just((0.0, 0u64)), (0.0..0.05, 0u64..3000)];
    (sizes, buffer, later, memory, any::<bool>(), wire, trouble, any::<u64>()).prop_map(
        |(sizes, first_buffer, later_buffer, memory, scaling, wire, trouble, seed)| Pattern {
            total: sizes.0,
            write: sizes.1,
            no_delay: sizes.2,
            read: sizes.3,
            every: Duration::from_micros(sizes.4),
            first_buffer,
            later_buffer,
            rmem: [4096, memory.0, memory.1],
            scaling,
            mtu: wire.0,
            rate: wire.1,
            delay: Duration::from_micros(wire.2),
            loss: trouble.0,
            jitter: Duration::from_micros(trouble.1),
            seed,
        },
    )
}

/// Whether the sender sits before a window that is open for what it has, with nothing in flight that could wake it.
fn sleeps(pair: &Pair, client: SocketId) -> Option<String> {
    let (flight, info) = (pair.ends[0].connection(client).ok()?.flight(), pair.ends[0].info(pair.now, client).ok()?);
    let next = u64::from(info.tcpi_notsent_bytes).min(flight.segment);
    let is_open = flight.wnd_end >= flight.snd_nxt + next;
    let waits = next > 0 && is_open && flight.snd_una == flight.snd_nxt && flight.snd_una > 1 + (1 << 32);
    (waits && pair.ends[0].state(client).is_ok_and(|s| s.is_synchronized()))
        .then(|| format!("{next} bytes wait before an open window: {flight:?}"))
}

/// Plays a pattern and returns what was seen, and how many segments were sent again, but for tail loss probes.
fn play(p: &Pattern) -> (Seen, u64) {
    let wire = Wire { rate: p.rate, delay: p.delay, jitter: p.jitter, loss: p.loss, mtu: p.mtu, ..Wire::default() };
    let config = Config { rmem: p.rmem, window_scaling: p.scaling, ..Config::linux() };
    let mut pair = Pair::new(p.seed, wire, [Config::linux(), config]);
    let seen = Rc::new(RefCell::new(Seen::default()));
    let eye = seen.clone();
    pair.filter = Some(Box::new(move |from, bytes| {
        eye.borrow_mut().segment(from, bytes);
        true
    }));
    let listener = pair.listen(4, &Options { receive_buffer: p.first_buffer, ..Options::default() });
    let nodelay = if p.no_delay { Nodelay::On } else { Nodelay::Off };
    let client = pair.connect(&Options { nodelay, ..Options::default() });
    let (mut server, mut written, mut read) = (None, 0, 0);
    let mut later = p.later_buffer;
    let mut next_read = pair.now;
    let mut buffer = vec![0; p.read];
    let bytes = vec![7; p.write];
    while read < p.total {
        if server.is_none() {
            server = pair.ends[1].accept(listener).ok().map(|(id, _)| id);
        }
        while written < p.total {
            match pair.write(0, client, &bytes[..p.write.min(p.total - written)]) {
                Ok(n) => written += n,
                Err(Error::WouldBlock) => break,
                Err(e) => panic!("{e}"),
            }
        }
        if let Some(id) = server
            && pair.now >= next_read
        {
            if let Ok(n) = pair.read(1, id, &mut buffer) {
                read += n;
            }
            if later.is_some_and(|(after, _)| read >= after)
                && let Some((_, bytes)) = later.take()
            {
                let (now, end) = (pair.now, &mut pair.ends[1]);
                end.set_option(now, id, SocketOption::ReceiveBuffer(bytes), &mut pair.trace).unwrap();
            }
            next_read = pair.now + p.every;
        }
        assert!(pair.now < Instant::from_secs(100_000), "hang: {read} of {} bytes", p.total);
        pair.flush();
        if p.no_delay
            && let Some(fault) = sleeps(&pair, client)
        {
            seen.borrow_mut().faults.push(fault);
        }
        match pair.next() {
            Some(at) if at <= next_read || server.is_none() => {
                pair.step();
            }
            _ => pair.run_until(next_read),
        }
    }
    pair.filter = None;
    // An ACK that waits for the reader may be probed for.
    let probes = pair.ends[0].mib().loss_probes;
    let again = u64::from(pair.ends[0].info(pair.now, client).unwrap().tcpi_total_retrans).saturating_sub(probes);
    (Rc::try_unwrap(seen).ok().expect("the filter is gone").into_inner(), again)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn its_right_edge_never_moves_left(p in pattern()) {
        let (seen, again) = play(&p);
        prop_assert!(seen.irs.is_some());
        prop_assert!(seen.faults.is_empty(), "{} faults, the first: {}", seen.faults.len(), seen.faults[0]);
        // Without a queue that could delay an ACK beyond the timeout nothing is lost, and nothing is sent again.
        prop_assert!(p.loss > 0.0 || p.rate > 0 || !p.jitter.is_zero() || again == 0, "{} segments sent again", again);
    }
}
