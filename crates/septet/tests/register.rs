//! A replicated register under partitions and crashes, with many seeds: three replicas, of which any two decide (Attiya,
//! Bar-Noy and Dolev, "Sharing Memory Robustly in Message-Passing Systems", 1995).
//!
//! Once it is right. Once it holds a mistake on purpose: a read believes the first replica that answers. A hundred seeds find
//! it, and of all that went wrong one partition is left.

use core::time::Duration;
use std::io;
use std::panic;

use septet::net::UdpSocket;
use septet::test::{Test, World};
use septet::{fs, time};

const REPLICAS: [&str; 3] = ["a", "b", "c"];
const PORT: u16 = 5000;

/// What a replica keeps: a value, and the number of the write that brought it.
#[derive(Clone, Copy, Default)]
struct Versioned {
    number: u64,
    value: u64,
}

impl Versioned {
    fn bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.number.to_be_bytes());
        bytes[8..].copy_from_slice(&self.value.to_be_bytes());
        bytes
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (number, value) = bytes.split_at_checked(8)?;
        Some(Self {
            number: u64::from_be_bytes(number.try_into().ok()?),
            value: u64::from_be_bytes(value.try_into().ok()?),
        })
    }
}

/// A replica: it takes a write that is newer, and answers with what it has. What it has said it knows outlives its crash.
async fn replica() -> io::Result<()> {
    let mut known = fs::read("register").await.ok().and_then(|bytes| Versioned::read(&bytes)).unwrap_or_default();
    let socket = UdpSocket::bind(("0.0.0.0", PORT)).await?;
    let mut buf = [0; 64];
    loop {
        let (len, from) = socket.recv_from(&mut buf).await?;
        // A request has a number, and behind it what is to be written, where anything is.
        let Some((request, rest)) = buf[..len].split_at_checked(8) else { continue };
        if let Some(write) = Versioned::read(rest).filter(|write| write.number > known.number) {
            known = write;
            fs::write("register.new", known.bytes()).await?;
            fs::rename("register.new", "register").await?;
            fs::sync("register").await?;
        }
        let answer = [request, &known.bytes()].concat();
        socket.send_to(&answer, from).await?;
    }
}

/// How many answers a read waits for.
#[derive(Clone, Copy, PartialEq)]
enum Reads {
    /// More than half of the replicas, as a write does: one of them has seen the last write.
    Majority,
    /// The first.
    First,
}

struct Client {
    socket: UdpSocket,
    requests: u64,
    writes: u64,
}

impl Client {
    async fn new() -> io::Result<Self> {
        Ok(Self { socket: UdpSocket::bind("0.0.0.0:0").await?, requests: 0, writes: 0 })
    }

    /// Asks all replicas until so many have answered.
    async fn ask(&mut self, what: &[u8], enough: usize) -> io::Result<Vec<Versioned>> {
        self.requests += 1;
        let number = self.requests.to_be_bytes();
        let mut answers: Vec<(std::net::SocketAddr, Versioned)> = Vec::new();
        let mut buf = [0; 64];
        while answers.len() < enough {
            for replica in REPLICAS {
                self.socket.send_to(&[&number, what].concat(), (replica, PORT)).await?;
            }
            let patience = time::Instant::now() + Duration::from_millis(40);
            while answers.len() < enough
                && let Ok(received) = time::timeout_at(patience, self.socket.recv_from(&mut buf)).await
            {
                let (len, from) = received?;
                let Some((asked, rest)) = buf[..len].split_at_checked(8) else { continue };
                let is_new = asked == number && answers.iter().all(|(known, _)| *known != from);
                if let Some(answer) = Versioned::read(rest).filter(|_| is_new) {
                    answers.push((from, answer));
                }
            }
        }
        Ok(answers.into_iter().map(|(_, answer)| answer).collect())
    }

    async fn write(&mut self, value: u64) -> io::Result<()> {
        self.writes += 1;
        let write = Versioned { number: self.writes, value };
        self.ask(&write.bytes(), 2).await.map(drop)
    }

    async fn read(&mut self, reads: Reads) -> io::Result<u64> {
        let answers = self.ask(&[], if reads == Reads::Majority { 2 } else { 1 }).await?;
        Ok(answers.into_iter().max_by_key(|answer| answer.number).map_or(0, |answer| answer.value))
    }
}

/// Writes and reads, while what the seed says goes wrong.
fn play(reads: Reads) -> septet::test::Result {
    let mut world = World::builder().jitter(Duration::from_micros(800)).stop(Duration::from_secs(30)).build();
    for name in REPLICAS {
        world.host(name, || async { Ok(replica().await?) });
    }
    world.client("client", async move {
        let mut client = Client::new().await?;
        for value in 1..=20 {
            client.write(value).await?;
            for _ in 0..3 {
                time::sleep(Duration::from_millis(15)).await;
                assert_eq!(client.read(reads).await?, value, "a read gives what was written last");
            }
        }
        Ok(())
    });
    let mut rng = world.rng();
    for _ in 0..6 {
        let from = rng.below(1000);
        let until = from + 20 + rng.below(300);
        let replica = REPLICAS[rng.below(3) as usize];
        let what = match rng.below(4) {
            0 => format!("crash {replica}"),
            1 => format!("loss 30% host client on {replica}"),
            2 => format!("delay 5ms 2ms host client on {replica}"),
            _ => format!("drop host client on {replica}"),
        };
        world.fault(&format!("{from}ms..{until}ms: {what}"));
    }
    world.run()?;
    Ok(())
}

#[septet::test(seeds = 100)]
fn the_register_is_right() -> septet::test::Result {
    play(Reads::Majority)
}

#[test]
fn the_mistake_is_found_and_brought_down_to_one_fault() {
    let directory = concat!(env!("CARGO_TARGET_TMPDIR"), "/mistake");
    let test = Test { name: "register::mistaken", seeds: 100.into(), directory: Some(directory) };
    let played = panic::catch_unwind(|| {
        septet::test::run(&test, || play(Reads::First).map_err(|e| e.to_string()));
    });
    let report = *played.expect_err("a hundred seeds find it").downcast::<String>().unwrap();
    assert!(report.contains("of 6 faults 1 is enough:"), "{report}");
    assert!(report.contains("a read gives what was written last"), "{report}");
    assert!(report.contains("SEPTET_SEED="), "{report}");

    // The lab that is left says the one fault, and ends right behind the mistake.
    let kept = std::path::Path::new(directory).join("septet/register-mistaken");
    let lab = std::fs::read_to_string(kept.join("lab.toml")).unwrap();
    let lab = septet::Lab::parse("lab.toml", &lab).unwrap();
    assert_eq!(lab.faults.len(), 1, "{:?}", lab.faults);
    assert!(lab.stop.as_millis() < 10_000, "{}", lab.stop);
    let story = std::fs::read_to_string(kept.join("story.txt")).unwrap();
    assert!(story.contains(&lab.faults[0].text) && story.contains("panicked"), "{story}");
    for file in ["trace.pcapng", "events", "metrics.csv", "summary.json"] {
        assert!(std::fs::metadata(kept.join(file)).unwrap().len() > 0, "{file}");
    }
}
