//! Stations on a hub, in a world: fairness and efficiency of CSMA/CD, collisions late and excessive, duplex mismatch.

use core::time::Duration;

use septet_core::{Carrier, DropReason, Frame, Instant, Out, Port, Power, Rate, Seed, Station, StationId};
use septet_datalink::card::Fitted;
use septet_datalink::card::half_duplex::{Duplex, HalfDuplexCard};
use septet_datalink::ethernet::{EtherType, Header, MacAddr};
use septet_datalink::hub::Hub;
use septet_datalink::stats::LinkStats;
use septet_engine::World;
use septet_physical::{Framing, Medium};

const RATE: u64 = 10_000_000;

/// Always has a frame of this many octets (FCS not counted) to send; counts what it receives.
struct Talker {
    len: usize,
    /// How many frames it still has.
    left: u64,
    source: u64,
    received: u64,
    /// One frame each time, where it is not saturated.
    every: Option<Duration>,
    next: Option<Instant>,
}

impl Talker {
    fn feed(&mut self, out: &mut Out<'_>) {
        while self.left > 0 && out.backlog(Port(0)) == 0 {
            self.left -= 1;
            let mut frame = Frame::new(Frame::HEADROOM, &vec![0; self.len - 14]);
            let (destination, source) = (MacAddr::BROADCAST, MacAddr::local(self.source));
            Header { destination, source, ether_type: EtherType(0x88b5) }.push(&mut frame);
            out.send(Port(0), frame);
        }
        if self.left > 0 {
            out.wake_below(Port(0), 0);
        }
    }
}

impl Station for Talker {
    fn receive(&mut self, _: Instant, _: Port, _: Frame, _: &mut Out<'_>) {
        self.received += 1;
    }
    fn on_deadline(&mut self, now: Instant, out: &mut Out<'_>) {
        self.next = self.every.map(|every| now + every);
        self.left = 1;
        self.feed(out);
    }
    fn deadline(&self) -> Option<Instant> {
        self.next
    }
    fn on_room(&mut self, _: Instant, _: Port, out: &mut Out<'_>) {
        self.feed(out);
    }
    fn on_carrier(&mut self, _: Instant, _: Port, _: Carrier, _: &mut Out<'_>) {}
    fn on_power(&mut self, _: Instant, power: Power, out: &mut Out<'_>) {
        if power == Power::On {
            self.next = self.every.map(|every| Instant::ZERO + every);
            self.feed(out);
        }
    }
}

fn cable(nanos: u64) -> Medium {
    Medium { delay: Duration::from_nanos(nanos), framing: Framing::BARE, ..Medium::default() }
}

fn rate() -> Rate {
    Rate::from_bits_per_sec(RATE).unwrap()
}

fn talker(world: &mut World, n: u64, len: usize, left: u64, duplex: Duplex) -> StationId {
    paced(world, n, len, left, duplex, None)
}

fn paced(world: &mut World, n: u64, len: usize, left: u64, duplex: Duplex, every: Option<Duration>) -> StationId {
    let talker = Talker { len, left, source: n, received: 0, every, next: None };
    let mut fitted = Fitted::new(Box::new(talker));
    let rng = Seed::new(17).stream(&format!("csma {n}"));
    fitted.fit(Port(0), Box::new(HalfDuplexCard::new(duplex, rate(), 100, rng)));
    world.add_station(&format!("t{n}"), Box::new(fitted))
}

fn stats(world: &World, id: StationId) -> LinkStats {
    world.station::<Fitted>(id).unwrap().card(Port(0)).unwrap().link_stats()
}

fn sent(world: &World, id: StationId) -> u64 {
    world.port_counters(id, Port(0)).unwrap().tx_packets
}

/// Stations that always have something to send, each on a cable of `nanos` to one hub.
fn saturated(n: u64, len: usize, nanos: u64, seconds: u64) -> (World, Vec<StationId>) {
    let mut world = World::new(Seed::new(1));
    let hub = world.add_station("hub", Box::new(Hub::new()));
    let ids: Vec<_> = (0..n)
        .map(|i| {
            let id = talker(&mut world, i, len, u64::MAX, Duplex::Half);
            world.connect((id, Port(0)), (hub, Port(i as u16)), cable(nanos), cable(nanos), &format!("{i}--hub"));
            id
        })
        .collect();
    world.run_until(Instant::from_secs(seconds)).unwrap();
    (world, ids)
}

/// Metcalfe and Boggs, "Ethernet: Distributed Packet Switching for Local Computer Networks", CACM 19(7), 1976, §6: with
/// Q stations that each try with the best probability 1/Q in a slot of T seconds, the channel is used for packets for
/// E = (P/C) / (P/C + W·T) of the time, where A = (1 − 1/Q)^(Q−1) and W = (1 − A)/A.
///
/// The truncated binary exponential backoff is not that best probability: with short frames it lets few stations
/// capture the channel and does better than the formula. So the comparison is made with long frames.
fn metcalfe_boggs(q: u64, packet_seconds: f64, slot_seconds: f64) -> f64 {
    let q = q as f64;
    let a = (1.0 - 1.0 / q).powf(q - 1.0);
    let w = (1.0 - a) / a;
    packet_seconds / (packet_seconds + w * slot_seconds)
}

#[test]
fn efficiency_is_that_of_metcalfe_and_boggs() {
    // The slot that the analysis means is the time in which a collision is found out; 512 bit times is the standard's.
    let slot = 512.0 / RATE as f64;
    for (n, len) in [(2, 1514), (5, 1514), (10, 1514), (32, 1514), (5, 4092)] {
        let seconds = 6;
        // Cables as long as the slot allows: 11 µs to the hub, so that a collision is found out after up to 44 µs.
        let (world, ids) = saturated(n, len, 11_000, seconds);
        let frames: u64 = ids.iter().map(|id| sent(&world, *id)).sum();
        // Packet: preamble, frame, FCS; the gap is the price of the standard, and counted as used.
        let packet = (64.0 + (len as f64 + 4.0) * 8.0 + 96.0) / RATE as f64;
        let efficiency = frames as f64 * packet / seconds as f64;
        let expected = metcalfe_boggs(n, packet, slot);
        assert!((efficiency / expected - 1.0).abs() < 0.05, "{n} × {len}: {efficiency:.3}, not {expected:.3}");
    }
}

/// The efficiency of `n` saturated stations by a simulation of another construction: no events, no signals, but rounds of
/// contention, each computed from when the stations may begin and when they hear each other, `apart` bit times later
/// (IEEE 802.3 §4.2.3.2, §4.2.8 and §4.4.2).
fn by_rounds(n: usize, len: usize, apart: f64, rounds: u32) -> f64 {
    let (gap, slot, jam, preamble) = (96.0, 512.0, 32.0, 64.0);
    let frame = preamble + (len as f64 + 4.0) * 8.0;
    let mut rng = Seed::new(99).stream("rounds");
    let mut attempts = vec![0u32; n];
    // Until when each backs off, and when each last ceased to send or to hear.
    let (mut backoff, mut silent) = (vec![0.0f64; n], vec![-gap; n]);
    let (mut sent, mut end) = (0.0, 0.0f64);
    for _ in 0..rounds {
        let begins: Vec<f64> = (0..n).map(|i| backoff[i].max(silent[i] + gap)).collect();
        let first = begins.iter().copied().fold(f64::INFINITY, f64::min);
        let heard = first + apart;
        // Who hears the first in the last third of the gap begins all the same.
        let begun: Vec<usize> = (0..n)
            .filter(|&i| begins[i] < heard || (begins[i] == silent[i] + gap && heard >= silent[i] + gap * 2.0 / 3.0))
            .collect();
        let mut ends = vec![None; n];
        if let [one] = begun[..] {
            (attempts[one], sent) = (0, sent + frame + gap);
            ends[one] = Some(begins[one] + frame);
            backoff[one] = begins[one] + frame;
        } else {
            for &i in &begun {
                let others = begun.iter().filter(|&&j| j != i).map(|&j| begins[j]).fold(f64::INFINITY, f64::min);
                let until = (others + apart).max(begins[i] + preamble) + jam;
                ends[i] = Some(until);
                attempts[i] = if attempts[i] == 15 { 0 } else { attempts[i] + 1 };
                let slots = if attempts[i] == 0 { 0 } else { rng.below(1 << attempts[i].min(10)) };
                backoff[i] = until + slot * slots as f64;
            }
        }
        for i in 0..n {
            let others = (0..n).filter(|&j| j != i).filter_map(|j| ends[j]).map(|e| e + apart);
            silent[i] = others.chain(ends[i]).fold(silent[i], f64::max);
        }
        end = ends.iter().flatten().copied().fold(end, f64::max);
    }
    sent / end
}

#[test]
fn efficiency_is_that_of_a_simulation_by_rounds_for_short_frames_too() {
    for (n, len) in [(2, 60), (5, 60), (10, 60), (24, 60), (5, 252), (10, 508), (5, 1514)] {
        let seconds = 1;
        let (world, ids) = saturated(n, len, 11_000, seconds);
        let frames: u64 = ids.iter().map(|id| sent(&world, *id)).sum();
        let packet = (64.0 + (len as f64 + 4.0) * 8.0 + 96.0) / RATE as f64;
        let efficiency = frames as f64 * packet / seconds as f64;
        // Two cables of 11 µs: 220 bit times.
        let expected = by_rounds(n as usize, len, 220.0, 40_000);
        assert!((efficiency / expected - 1.0).abs() < 0.02, "{n} × {len}: {efficiency:.4}, not {expected:.4}");
    }
}

#[test]
fn one_talker_has_the_line_to_itself() {
    let (world, ids) = saturated(1, 1514, 500, 1);
    // 64 + 1518·8 + 96 bits: 12,304 a frame.
    assert_eq!(sent(&world, ids[0]), 10_000_000 / 12_304);
    assert_eq!(stats(&world, ids[0]).collisions, 0);
}

#[test]
fn a_station_behind_a_card_can_be_called_and_speaks_through_it() {
    let mut world = World::new(Seed::new(1));
    let ids: Vec<_> = (0..2).map(|i| talker(&mut world, i, 60, 0, Duplex::Half)).collect();
    world.connect((ids[0], Port(0)), (ids[1], Port(0)), cable(300), cable(300), "0--1");
    world.run_until(Instant::from_millis(1)).unwrap();
    let fed = world.with::<Talker, _>(ids[0], |talker, _, out| {
        talker.left = 1;
        talker.feed(out);
        talker.left
    });
    world.run_until(Instant::from_millis(2)).unwrap();
    assert_eq!((fed, world.station::<Talker>(ids[1]).unwrap().received), (Some(0), 1));
    // 64 bits of preamble and 64 octets at ten megabits: it went through the card.
    assert_eq!(world.port_counters(ids[0], Port(0)).unwrap().tx_packets, 1);
    assert!(world.with::<Hub, _>(ids[0], |_, _, _| ()).is_none());
}

#[test]
fn everyone_hears_every_frame_once() {
    let mut world = World::new(Seed::new(1));
    let hub = world.add_station("hub", Box::new(Hub::new()));
    let ids: Vec<_> = (0..4)
        .map(|i| {
            let id = talker(&mut world, i, 60, 50, Duplex::Half);
            world.connect((id, Port(0)), (hub, Port(i as u16)), cable(300), cable(300), &format!("{i}--hub"));
            id
        })
        .collect();
    world.run_until(Instant::from_secs(2)).unwrap();
    let given_up: u64 = ids.iter().map(|id| stats(&world, *id).tx_aborted_errors).sum();
    assert_eq!(given_up, 0);
    for &id in &ids {
        assert_eq!(sent(&world, id), 50);
        assert_eq!(world.station::<Talker>(id).unwrap().received, 150);
        assert_eq!(stats(&world, id).tx_window_errors, 0);
    }
    assert!(world.station::<Hub>(hub).unwrap().counters().collisions > 0);
}

#[test]
fn a_cable_that_is_too_long_makes_late_collisions() {
    // A slot is 51.2 µs; the signal takes 40 µs to the hub and as long on.
    let (world, ids) = saturated(3, 1514, 40_000, 2);
    let late: u64 = ids.iter().map(|id| stats(&world, *id).tx_window_errors).sum();
    assert!(late > 10, "{late}");
}

/// One end half duplex and always sending, the other full duplex and sending each `every`; what both count in a second.
fn mismatch(every: Duration) -> (LinkStats, LinkStats) {
    let mut world = World::new(Seed::new(1));
    let half = talker(&mut world, 1, 1514, u64::MAX, Duplex::Half);
    let full = paced(&mut world, 2, 400, 0, Duplex::Full, Some(every));
    world.connect((half, Port(0)), (full, Port(0)), cable(500), cable(500), "half--full");
    world.run_until(Instant::from_secs(1)).unwrap();
    (stats(&world, half), stats(&world, full))
}

#[test]
fn a_duplex_mismatch_is_late_collisions_here_and_broken_frames_there() {
    let (half, full) = mismatch(Duration::from_micros(1700));
    assert!(half.collisions > 100 && half.tx_window_errors > 10, "{half:?}");
    assert_eq!(half.tx_window_errors, half.drops.get(DropReason::LateCollision));
    assert!(full.rx_crc_errors > 100 && full.rx_frame_errors < 2, "{full:?}");
    assert_eq!(full.collisions, 0);
    // Three bit times later the pieces are no whole number of octets.
    let (_, full) = mismatch(Duration::from_nanos(1_700_300));
    assert!(full.rx_frame_errors > 100 && full.rx_crc_errors < 2, "{full:?}");
    // So short a silence between two frames that a collision comes before 64 octets are out.
    let (half, full) = mismatch(Duration::from_micros(380));
    assert!(full.rx_length_errors > 50 && full.rx_crc_errors + full.rx_frame_errors < 2, "{full:?}");
    assert!(half.tx_window_errors < 2 && half.collisions > 50, "{half:?}");
}

#[test]
fn a_third_station_counts_what_a_collision_leaves() {
    let (world, ids) = saturated(3, 1514, 500, 2);
    for id in ids {
        let stats = stats(&world, id);
        // On short cables a collision is over before 64 octets, and one who talked does not count the pieces.
        assert!(stats.rx_length_errors > 10 && stats.collisions > 10, "{stats:?}");
        assert_eq!((stats.rx_crc_errors, stats.rx_frame_errors), (0, 0));
    }
}
