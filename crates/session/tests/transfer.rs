//! A file over a transport that breaks: it arrives whole and once.

use core::time::Duration;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use septet_core::{Instant, Rng, Seed};
use septet_session::Transmit;
use septet_session::transfer::{
    Arrival, Directory, Failure, Files, Inbox, Memory, Offer, Overwrite, Receiver, Sender, Source, Stamp,
};

const PATIENCE: Duration = Duration::from_secs(30);

/// A file in memory, which can be changed.
#[derive(Clone)]
struct Content(Memory);

impl Content {
    fn new(bytes: &[u8]) -> Self {
        let memory = Memory::default();
        memory.put("file", bytes);
        Self(memory)
    }
}

impl Source for Content {
    fn stamp(&mut self) -> io::Result<Stamp> {
        Ok(Stamp { size: self.0.len("file")?.unwrap(), changed: u64::from(self.0.get("changed").is_some()) })
    }

    fn read_at(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read_at("file", offset, buf)
    }
}

fn bytes(n: usize) -> Vec<u8> {
    let mut rng = Seed::new(n as u64).stream("content");
    (0..n).map(|_| rng.next_u32() as u8).collect()
}

/// The two ends and the octets between them.
struct Line {
    now: Instant,
    sender: Sender<Content>,
    receiver: Option<Receiver>,
    there: Vec<u8>,
    back: Vec<u8>,
    arrivals: Vec<Arrival>,
    /// Octets that crossed in either direction, all connections together.
    carried: u64,
}

impl Line {
    fn new(sender: Sender<Content>) -> Self {
        Self {
            now: Instant::from_millis(1),
            sender,
            receiver: None,
            there: Vec::new(),
            back: Vec::new(),
            arrivals: Vec::new(),
            carried: 0,
        }
    }

    fn connect(&mut self, inbox: &Inbox) {
        (self.there, self.back) = (Vec::new(), Vec::new());
        self.receiver = Some(Receiver::new(self.now, inbox.clone(), PATIENCE));
        self.sender.connected(self.now);
    }

    /// Takes what each end writes, as long as it fits between them.
    fn fill(&mut self) {
        while self.there.len() < 200_000 {
            match self.sender.poll_transmit(self.now) {
                Some(Transmit::Bytes(bytes)) => self.there.extend_from_slice(&bytes),
                _ => break,
            }
        }
        if let Some(receiver) = &mut self.receiver {
            while let Some(Transmit::Bytes(bytes)) = receiver.poll_transmit() {
                self.back.extend_from_slice(&bytes);
            }
            while let Some(arrival) = receiver.poll_arrival() {
                self.arrivals.push(arrival);
            }
        }
    }

    /// Carries at most so many octets each way; whether any were there.
    fn carry(&mut self, most: usize) -> bool {
        self.fill();
        let there: Vec<u8> = self.there.drain(..self.there.len().min(most)).collect();
        let back: Vec<u8> = self.back.drain(..self.back.len().min(most)).collect();
        self.carried += (there.len() + back.len()) as u64;
        if let Some(receiver) = &mut self.receiver
            && !there.is_empty()
        {
            receiver.receive(self.now, &there);
        }
        if !back.is_empty() {
            self.sender.receive(self.now, &back);
        }
        self.fill();
        if !self.sender.is_connected()
            && let Some(receiver) = &mut self.receiver
        {
            receiver.closed(self.now, "closed");
            self.fill();
        }
        !there.is_empty() || !back.is_empty()
    }

    fn run(&mut self) {
        while self.carry(usize::MAX) {}
    }

    /// The connection breaks, and both ends hear of it.
    fn cut(&mut self) {
        self.sender.closed(self.now, "connection reset by peer");
        if let Some(mut receiver) = self.receiver.take() {
            receiver.closed(self.now, "connection reset by peer");
            while let Some(arrival) = receiver.poll_arrival() {
                self.arrivals.push(arrival);
            }
        }
    }

    fn whole(&self) -> usize {
        self.arrivals.iter().filter(|a| matches!(a, Arrival::Whole { .. })).count()
    }
}

fn sender(content: &[u8], checkpoint: u64) -> Sender<Content> {
    Sender::new(Content::new(content), "report.bin", checkpoint, PATIENCE).unwrap()
}

fn inbox(files: &Memory) -> Inbox {
    Inbox::new(Arc::new(files.clone()), Overwrite::No)
}

#[test]
fn a_file_of_any_length_arrives() {
    for n in [0, 1, 99, 100, 101, 400, 1000, 300_000] {
        let content = bytes(n);
        let files = Memory::default();
        let mut line = Line::new(sender(&content, 400));
        line.connect(&inbox(&files));
        line.run();
        assert_eq!(line.sender.outcome(), Some(&Ok(())), "{n} octets: {}", line.sender.last());
        assert_eq!(files.get("report.bin").as_ref(), Some(&content));
        assert_eq!(line.sender.progress().sent, n as u64);
        // Nothing but the file and what is remembered of it.
        assert_eq!(files.list().unwrap().len(), 2);
        assert!(matches!(&line.arrivals[..], [Arrival::Begun { from: 0, .. }, .., Arrival::Whole { .. }]));
    }
}

#[test]
fn a_break_costs_no_more_than_what_was_not_confirmed() {
    let content = bytes(100_000);
    let files = Memory::default();
    let mut line = Line::new(sender(&content, 8000));
    for cut in [20_000, 30_000, 50_000] {
        line.connect(&inbox(&files));
        while line.carried < cut {
            line.carry(999);
        }
        let before = line.sender.progress().again;
        line.cut();
        line.connect(&inbox(&files));
        while line.carried < cut + 5000 {
            line.carry(999);
        }
        let again = line.sender.progress().again - before;
        assert!(again <= 8000, "{again} octets again");
        line.cut();
    }
    line.connect(&inbox(&files));
    line.run();
    assert_eq!(files.get("report.bin"), Some(content));
    assert_eq!((line.sender.progress().resumed, line.sender.progress().restarted), (6, 0));
    assert_eq!(line.whole(), 1);
}

/// Any cut, at any octet, any number of times, restarts of either end among them; `SEPTET_SEEDS=N` plays more.
#[test]
fn whatever_breaks_the_file_arrives_whole_and_once() {
    let seeds = std::env::var("SEPTET_SEEDS").ok().and_then(|s| s.parse().ok()).unwrap_or(1000);
    let mut resumed = 0;
    for seed in 0..seeds {
        let mut rng = Seed::new(seed).stream("cuts");
        resumed += play(seed, &mut rng);
    }
    assert!(resumed > seeds, "hardly anything was ever resumed: {resumed} in {seeds}");
}

fn play(seed: u64, rng: &mut Rng) -> u64 {
    let content = bytes(rng.below(40_000) as usize);
    let checkpoint = 400 + rng.below(8000);
    let files = Memory::default();
    let mut inbox_now = inbox(&files);
    let source = Content::new(&content);
    let fresh = || Sender::new(source.clone(), "report.bin", checkpoint, PATIENCE).unwrap();
    let mut line = Line::new(fresh());
    // A connection whose other end went silently, which the receiver still holds.
    let mut stale: Option<Receiver> = None;
    let mut wholes = 0;
    let mut resumed = 0;
    for _ in 0..rng.below(30) {
        line.connect(&inbox_now);
        let most = 1 + rng.below(3000) as usize;
        let until = line.carried + rng.below(content.len() as u64 / 2 + 1000);
        while line.carried < until && line.carry(most) {}
        if line.sender.outcome().is_some() {
            break;
        }
        match rng.below(5) {
            0 => {
                // The receiver's process ends: nothing of it is left but its files.
                line.sender.closed(line.now, "reset");
                line.receiver = None;
                stale = None;
                inbox_now = inbox(&files);
            }
            1 => {
                resumed += u64::from(line.sender.progress().resumed);
                line.cut();
                line.sender = fresh();
            }
            2 => {
                line.sender.closed(line.now, "timed out");
                stale = line.receiver.take();
            }
            3 => {
                // What is still on its way to one that was given up changes nothing.
                let late = line.there.clone();
                line.sender.closed(line.now, "timed out");
                if let Some(mut receiver) = line.receiver.take() {
                    line.connect(&inbox_now);
                    line.run();
                    receiver.receive(line.now, &late);
                    while let Some(arrival) = receiver.poll_arrival() {
                        wholes += usize::from(matches!(arrival, Arrival::Whole { .. }));
                    }
                }
            }
            _ => line.cut(),
        }
        assert!(
            files.get("report.bin").is_none_or(|file| file == content),
            "seed {seed}: a part was taken for a whole"
        );
    }
    drop(stale);
    if line.sender.outcome().is_none() {
        line.connect(&inbox_now);
        line.run();
    }
    wholes += line.whole();
    assert_eq!(line.sender.outcome(), Some(&Ok(())), "seed {seed}: {}", line.sender.last());
    assert_eq!(files.get("report.bin").as_ref(), Some(&content), "seed {seed}");
    assert!(wholes <= 1, "seed {seed}: it arrived {wholes} times");
    assert!(!files.list().unwrap().iter().any(|name| name.ends_with(".part")), "seed {seed}: a part is left");
    resumed + u64::from(line.sender.progress().resumed)
}

#[test]
fn what_was_confirmed_outlives_both_processes() {
    let directory = std::env::temp_dir().join(format!("septet-transfer-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let content = bytes(50_000);
    let on_disk = || Inbox::new(Arc::new(Directory::open(&directory).unwrap()), Overwrite::No);
    let mut line = Line::new(sender(&content, 4000));
    line.connect(&on_disk());
    while line.carried < 20_000 {
        line.carry(1000);
    }
    line.cut();
    assert!(!directory.join("report.bin").exists(), "a part is not taken for a whole");
    let mut line = Line::new(sender(&content, 4000));
    line.connect(&on_disk());
    line.run();
    assert_eq!(line.sender.outcome(), Some(&Ok(())), "{}", line.sender.last());
    assert!(line.sender.progress().sent < 35_000, "{:?}", line.sender.progress());
    assert_eq!(std::fs::read(directory.join("report.bin")).unwrap(), content);
    // Again: it is there already, and nothing is sent.
    let mut line = Line::new(sender(&content, 4000));
    line.connect(&on_disk());
    line.run();
    assert_eq!((line.sender.outcome(), line.sender.progress().sent), (Some(&Ok(())), 0));
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn nothing_is_overwritten_unasked() {
    let content = bytes(1000);
    for (overwrite, expected) in [(Overwrite::No, b"older".to_vec()), (Overwrite::Yes, content.clone())] {
        let files = Memory::default();
        files.put("report.bin", "older");
        let mut line = Line::new(sender(&content, 400));
        line.connect(&Inbox::new(Arc::new(files.clone()), overwrite));
        line.run();
        assert_eq!(files.get("report.bin"), Some(expected));
        if overwrite == Overwrite::No {
            let why = "there is a report.bin already, and nothing is overwritten unasked".to_owned();
            assert_eq!(line.sender.outcome(), Some(&Err(Failure::Refused(why))));
        }
    }
}

#[test]
fn a_name_that_was_given_meanwhile_is_not_taken() {
    let content = bytes(10_000);
    let files = Memory::default();
    let mut line = Line::new(sender(&content, 400));
    line.connect(&inbox(&files));
    while line.carried < 5000 {
        line.carry(500);
    }
    files.put("report.bin", "someone else's");
    line.run();
    assert_eq!(files.get("report.bin").unwrap(), b"someone else's");
    assert!(matches!(line.sender.outcome(), Some(Err(Failure::Refused(_)))), "{:?}", line.sender.outcome());
}

#[test]
fn names_stay_in_their_directory() {
    for name in ["../x", "/etc/passwd", "..", "a\\b", ".bashrc", "a\u{202e}b", ""] {
        let files = Memory::default();
        let source = Content::new(b"x");
        let mut line = Line::new(Sender::new(source, name, 400, PATIENCE).unwrap());
        line.connect(&inbox(&files));
        line.run();
        assert!(
            matches!(line.sender.outcome(), Some(Err(Failure::Refused(why))) if why.contains("is not taken")),
            "{name:?}"
        );
        assert_eq!(files.list().unwrap(), Vec::<String>::new());
    }
}

#[test]
fn a_file_that_changes_is_not_sent() {
    let content = bytes(50_000);
    let files = Memory::default();
    let source = Content::new(&content);
    let mut line = Line::new(Sender::new(source.clone(), "report.bin", 4000, PATIENCE).unwrap());
    line.connect(&inbox(&files));
    while line.carried < 20_000 {
        line.carry(1000);
    }
    source.0.put("changed", "");
    line.run();
    assert_eq!(line.sender.outcome(), Some(&Err(Failure::Changed)));
    assert_eq!(files.list().unwrap(), Vec::<String>::new(), "what had arrived is thrown away");
}

/// The content changes, and nothing else tells: the digests differ, and the next try begins at the beginning.
#[test]
fn a_change_that_nothing_tells_of_is_found_by_the_digest() {
    let content = bytes(50_000);
    let files = Memory::default();
    let source = Content::new(&content);
    let mut line = Line::new(Sender::new(source.clone(), "report.bin", 4000, PATIENCE).unwrap());
    line.connect(&inbox(&files));
    while line.carried < 20_000 {
        line.carry(1000);
    }
    line.cut();
    let other = bytes(50_001)[..50_000].to_vec();
    source.0.put("file", other.clone());
    // A sender that remembers nothing reads the file anew, and has another digest than what is there.
    line.sender = Sender::new(source, "report.bin", 4000, PATIENCE).unwrap();
    line.connect(&inbox(&files));
    line.run();
    assert_eq!((line.sender.outcome(), files.get("report.bin")), (None, None));
    let last = line.arrivals.last();
    assert!(matches!(last, Some(Arrival::Broken { kept: 0, .. })), "nothing of it is kept: {last:?}");
    assert!(line.sender.last().contains("their digests differ"), "{}", line.sender.last());
    line.connect(&inbox(&files));
    line.run();
    assert_eq!(line.sender.outcome(), Some(&Ok(())));
    assert_eq!(files.get("report.bin"), Some(other));
}

#[test]
fn a_full_disk_is_said() {
    let content = bytes(50_000);
    let files = Memory::with_room(20_000);
    let mut line = Line::new(sender(&content, 4000));
    line.connect(&inbox(&files));
    line.run();
    let Some(Err(Failure::Refused(why))) = line.sender.outcome() else { panic!("{:?}", line.sender.outcome()) };
    assert!(why.starts_with("the file cannot be kept: "), "{why}");
    assert!(files.get("report.bin").is_none());
    // With more room it goes on where it was.
    let roomy = Memory::default();
    for name in files.list().unwrap() {
        roomy.put(name.clone(), files.get(&name).unwrap());
    }
    let mut line = Line::new(sender(&content, 4000));
    line.connect(&inbox(&roomy));
    line.run();
    assert_eq!(roomy.get("report.bin"), Some(content));
    assert!(line.sender.progress().sent < 35_000);
}

#[test]
fn who_never_confirms_is_given_up() {
    let content = bytes(100_000);
    let files = Memory::default();
    let mut line = Line::new(sender(&content, 4000));
    let mut connections = 0;
    while line.sender.outcome().is_none() {
        line.connect(&inbox(&files));
        connections += 1;
        // The answer to the offer arrives, and nothing after it.
        let before = line.sender.progress().sent;
        for _ in 0..4 {
            line.carry(usize::MAX);
            if line.sender.progress().sent > before {
                break;
            }
        }
        let at = line.sender.poll_timeout().unwrap();
        line.now = at;
        line.sender.on_timeout(at);
        assert!(connections < 20);
    }
    assert_eq!(line.sender.outcome(), Some(&Err(Failure::Unconfirmed)));
}

/// A line on which the way from one point to the next takes longer than the patience.
#[test]
fn a_slow_line_is_no_broken_one() {
    let content = bytes(100_000);
    let files = Memory::default();
    let mut line = Line::new(sender(&content, 400_000));
    line.connect(&inbox(&files));
    // 200 octets each 100 ms: 100,000 octets, the first point, in 50 s.
    while line.sender.outcome().is_none() {
        line.carry(200);
        line.now += Duration::from_millis(100);
        if line.sender.poll_timeout().is_some_and(|at| at <= line.now) {
            line.sender.on_timeout(line.now);
        }
        assert!(line.sender.is_connected() || line.sender.outcome().is_some(), "{}", line.sender.last());
    }
    assert_eq!(files.get("report.bin"), Some(content));
}

#[test]
fn who_sends_nothing_any_more_is_let_go() {
    let files = Memory::default();
    let mut line = Line::new(sender(&bytes(100_000), 4000));
    line.connect(&inbox(&files));
    while line.carried < 20_000 {
        line.carry(1000);
    }
    let receiver = line.receiver.as_mut().unwrap();
    let at = receiver.poll_timeout().unwrap();
    assert_eq!(at, line.now + PATIENCE);
    receiver.on_timeout(at);
    let last = std::iter::from_fn(|| receiver.poll_arrival()).last();
    assert!(
        matches!(&last, Some(Arrival::Broken { kept, why }) if *kept > 0 && why == "nothing came any more"),
        "{last:?}"
    );
}

#[test]
fn what_is_no_session_is_told() {
    let files = Memory::default();
    let mut receiver = Receiver::new(Instant::ZERO, inbox(&files), PATIENCE);
    receiver.receive(Instant::ZERO, b"GET / HTTP/1.1\r\n\r\n");
    receiver.closed(Instant::ZERO, "closed");
    let arrivals: Vec<Arrival> = std::iter::from_fn(|| receiver.poll_arrival()).collect();
    assert_eq!(arrivals, [Arrival::Failed("octet 0 of a TPKT: the version is 71, not 3".to_owned())]);
}

#[test]
fn so_many_are_begun_and_no_more() {
    let files = Memory::default();
    for n in 0..64 {
        let offer = Offer { name: format!("f{n}"), ..sender(b"x", 400).offer().clone() };
        files.put(format!(".septet-{n:012x}.part"), offer.name);
    }
    let mut line = Line::new(sender(&bytes(1000), 400));
    line.connect(&inbox(&files));
    line.run();
    assert!(line.sender.outcome().is_none());
    assert!(line.sender.last().starts_with("64 files are begun here"), "{}", line.sender.last());
    // Files of others that are called parts are none.
    let files = Memory::default();
    for n in 0..64 {
        files.put(format!("{n}.part"), "");
    }
    let mut line = Line::new(sender(&bytes(1000), 400));
    line.connect(&inbox(&files));
    line.run();
    assert_eq!(line.sender.outcome(), Some(&Ok(())), "{}", line.sender.last());
}

#[test]
fn whoever_did_not_hear_that_his_file_is_whole_is_told_again() {
    let content = bytes(1000);
    let files = Memory::default();
    for n in 0..200 {
        let name = format!("f{n}");
        // The second one has heard nothing of the first.
        for sent in [1000, 0] {
            let mut line = Line::new(Sender::new(Content::new(&content), &name, 400, PATIENCE).unwrap());
            line.connect(&inbox(&files));
            line.run();
            let told = (line.sender.outcome(), line.sender.progress().sent);
            assert_eq!(told, (Some(&Ok(())), sent), "{name}: {}", line.sender.last());
        }
    }
    assert_eq!(files.list().unwrap().iter().filter(|name| name.ends_with(".journal")).count(), 64);
}

/// Files whose machine loses its power at one operation, before it or right after it.
struct Mortal {
    memory: Memory,
    left: AtomicU64,
    after: bool,
}

impl Mortal {
    fn alive<T>(&self, operation: impl FnOnce(&Memory) -> io::Result<T>) -> io::Result<T> {
        let dead = || Err(io::Error::other("no power"));
        match self.left.load(Ordering::Relaxed) {
            0 => dead(),
            1 if !self.after => {
                self.left.store(0, Ordering::Relaxed);
                dead()
            }
            left => {
                self.left.store(left - 1, Ordering::Relaxed);
                let result = operation(&self.memory);
                if left == 1 { dead() } else { result }
            }
        }
    }
}

impl Files for Mortal {
    fn list(&self) -> io::Result<Vec<String>> {
        self.alive(Files::list)
    }
    fn len(&self, name: &str) -> io::Result<Option<u64>> {
        self.alive(|m| m.len(name))
    }
    fn read_at(&self, name: &str, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.alive(|m| m.read_at(name, offset, buf))
    }
    fn write_at(&self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.alive(|m| m.write_at(name, offset, bytes))
    }
    fn truncate(&self, name: &str, len: u64) -> io::Result<()> {
        self.alive(|m| m.truncate(name, len))
    }
    fn sync(&self, name: &str) -> io::Result<()> {
        self.alive(|m| m.sync(name))
    }
    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.alive(|m| m.replace(name, bytes))
    }
    /// As a directory does it: another name first, and then the old one goes.
    fn publish(&self, from: &str, to: &str) -> io::Result<()> {
        self.alive(|m| {
            if m.len(to)?.is_some() {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            m.put(to, m.get(from).unwrap_or_default());
            Ok(())
        })?;
        self.alive(|m| m.remove(from))
    }
    fn publish_over(&self, from: &str, to: &str) -> io::Result<()> {
        self.alive(|m| m.publish_over(from, to))
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.alive(|m| m.remove(name))
    }
}

#[test]
fn wherever_the_receiver_loses_its_power_the_file_arrives_whole() {
    let content = bytes(2000);
    let mut operations = 0;
    for overwrite in [Overwrite::No, Overwrite::Yes] {
        for (after, n) in (0..200).flat_map(|n| [(false, n), (true, n)]) {
            let memory = Memory::default();
            let mortal = Mortal { memory: memory.clone(), left: AtomicU64::new(n), after };
            let mut line = Line::new(sender(&content, 1600));
            line.connect(&Inbox::new(Arc::new(mortal), overwrite));
            line.run();
            if line.sender.outcome() == Some(&Ok(())) {
                operations = operations.max(n);
            }
            assert!(memory.get("report.bin").is_none_or(|file| file == content), "power lost at {n}");
            // Power is back, and the sender begins a new process too.
            let mut line = Line::new(sender(&content, 1600));
            line.connect(&Inbox::new(Arc::new(memory.clone()), overwrite));
            line.run();
            assert_eq!(line.sender.outcome(), Some(&Ok(())), "power lost at {n}: {}", line.sender.last());
            assert_eq!(memory.get("report.bin").as_ref(), Some(&content), "power lost at {n}");
            assert!(!memory.list().unwrap().iter().any(|name| name.ends_with(".part")), "power lost at {n}");
        }
    }
    assert!(operations > 20, "the power was lost at {operations} operations");
}

/// A disk that has only what was written to it for good when the power comes back.
#[derive(Clone, Default)]
struct Lazy {
    now: Memory,
    safe: Memory,
}

impl Lazy {
    fn saved<T>(&self, name: &str, result: io::Result<T>) -> io::Result<T> {
        match self.now.get(name) {
            Some(content) => self.safe.put(name, content),
            None => self.safe.remove(name)?,
        }
        result
    }
}

impl Files for Lazy {
    fn list(&self) -> io::Result<Vec<String>> {
        self.now.list()
    }
    fn len(&self, name: &str) -> io::Result<Option<u64>> {
        self.now.len(name)
    }
    fn read_at(&self, name: &str, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.now.read_at(name, offset, buf)
    }
    fn write_at(&self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.now.write_at(name, offset, bytes)
    }
    fn truncate(&self, name: &str, len: u64) -> io::Result<()> {
        self.now.truncate(name, len)
    }
    fn sync(&self, name: &str) -> io::Result<()> {
        self.saved(name, self.now.sync(name))
    }
    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.saved(name, self.now.replace(name, bytes))
    }
    /// The worst that may be: the journal is on the disk, and what it speaks of is not.
    fn note(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.replace(name, bytes)
    }
    fn publish(&self, from: &str, to: &str) -> io::Result<()> {
        self.now.publish(from, to)?;
        self.safe.publish(from, to)
    }
    fn publish_over(&self, from: &str, to: &str) -> io::Result<()> {
        self.now.publish_over(from, to)?;
        self.safe.publish_over(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.now.remove(name)?;
        self.safe.remove(name)
    }
}

/// What was confirmed and not yet written for good is lost with the power, and found to be: it goes on where all is sound.
#[test]
fn what_was_lost_with_the_power_is_sent_again() {
    let content = bytes(100_000);
    // How much of the part came to the disk by chance: nothing more, all as long as it was and empty, all of it but one octet.
    for lost in 0..3 {
        let disk = Lazy::default();
        let mut line = Line::new(sender(&content, 8000));
        line.connect(&Inbox::new(Arc::new(disk.clone()), Overwrite::No));
        while line.carried < 55_000 {
            line.carry(999);
            // Points are written for good each second: at about every tenth octet of this file.
            line.now += Duration::from_millis(90);
        }
        let before = line.sender.progress().confirmed;
        line.sender.closed(line.now, "reset");
        let part = disk.safe.list().unwrap().into_iter().find(|name| name.ends_with(".part")).unwrap();
        let (mut safe, now) = (disk.safe.get(&part).unwrap(), disk.now.get(&part).unwrap());
        let written = safe.len() as u64;
        assert!(written > 0 && written < before, "{written} of {before}");
        match lost {
            0 => {}
            1 => safe.resize(now.len(), 0),
            _ => {
                safe = now;
                safe[written as usize + 1] ^= 1;
            }
        }
        disk.safe.put(part, safe);
        let mut line = Line::new(sender(&content, 8000));
        line.connect(&inbox(&disk.safe));
        line.run();
        assert_eq!(line.sender.outcome(), Some(&Ok(())), "{}", line.sender.last());
        assert_eq!(disk.safe.get("report.bin").as_ref(), Some(&content), "{lost}");
        let progress = line.sender.progress();
        assert_eq!((progress.resumed, progress.sent), (1, 100_000 - written / 2000 * 2000), "{lost}");
    }
}
