//! A lab and a seed are one run, to the last byte.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use septet_capture::{Pcapng, Shared, pcapng};
use septet_core::{Interest, Monitor, Observation, Way};
use septet_lab::{BuildOptions, Lab, Outcome, Run};

const SHOP: &str = include_str!("../../../labs/shop.toml");

fn build(text: &str, seed: Option<u64>) -> Run {
    let lab = Lab::parse("lab.toml", text).unwrap();
    lab.build(&BuildOptions { seed, ..BuildOptions::default() }).unwrap()
}

/// The shop, for a shorter time.
fn short() -> String {
    let text = septet_lab::with_setting(SHOP, "lab.stop", "12s").unwrap();
    text.replace("\"18s..19s: cut r1--r2\"", "\"11s..12s: cut r1--r2\"").replace(", \"15s: restart web2\"", "")
}

#[derive(Clone, Default)]
struct Memory(Rc<RefCell<Vec<u8>>>);

impl io::Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The outcome of a run and its capture.
fn captured(text: &str, seed: Option<u64>) -> (Outcome, Vec<u8>) {
    let mut run = build(text, seed);
    let memory = Memory::default();
    run.world.add_monitor(Pcapng::new(memory.clone(), run.names(), pcapng::Options::default()));
    run.play().unwrap();
    let outcome = run.outcome();
    drop(run);
    (outcome, memory.0.take())
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let text = short();
    let ((a, a_bytes), (b, b_bytes)) = (captured(&text, None), captured(&text, None));
    assert_eq!(a.digest, b.digest);
    assert_eq!(a.counters, b.counters);
    assert!(a_bytes.len() > 1_000_000, "{} bytes", a_bytes.len());
    assert!(a_bytes == b_bytes, "two captures of one run differ");
}

#[test]
fn watching_changes_nothing() {
    let text = short();
    let (watched, _) = captured(&text, None);
    let unwatched = build(&text, None).finish().unwrap();
    assert_eq!((watched.digest, watched.stats), (unwatched.digest, unwatched.stats));
}

#[test]
fn another_seed_gives_another_run() {
    let text = short();
    let (a, b) = (build(&text, None).finish().unwrap(), build(&text, Some(8)).finish().unwrap());
    assert_ne!(a.digest, b.digest);
    assert_eq!((a.seed, b.seed), (7, 8));
}

/// Every frame as one port saw it.
#[derive(Default)]
struct Port {
    station: u32,
    seen: Vec<(u64, Way, Vec<u8>)>,
}

impl Monitor for Port {
    fn interest(&self) -> Interest {
        Interest::Frames
    }

    fn frame(&mut self, o: &Observation<'_>) {
        if o.station.0 == self.station {
            self.seen.push((o.at.as_nanos(), o.way, o.frame.bytes().to_vec()));
        }
    }
}

#[test]
fn an_idle_host_changes_no_other_flow() {
    let text = short();
    let more = text.replace("web[1..3]\"]", "web[1..3]\", \"s2 -- idle\"]") + "[host.idle]\n";
    let frames = |text: &str| {
        let mut run = build(text, None);
        let client = run.station(run.lab().node("client").unwrap()).unwrap();
        let port = Shared::new(Port { station: client.0, ..Port::default() });
        run.world.add_monitor(port.clone());
        run.play().unwrap();
        port.with(|p| std::mem::take(&mut p.seen))
    };
    let (without, with) = (frames(&text), frames(&more));
    assert!(without.len() > 1000, "{} frames", without.len());
    assert!(without == with, "the client saw other frames");
}
