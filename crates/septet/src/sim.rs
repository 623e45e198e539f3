//! A lab whose hosts run your code.

use core::cell::RefCell;
use core::fmt;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use septet_core::StationId;
use septet_host::Host;
use septet_lab::{BuildOptions, Lab, Outcome, Run};
use septet_socket::NetRef;

use crate::Error;

/// What a program may end with.
pub type ProgramError = Box<dyn std::error::Error + Send + Sync>;

/// A lab whose hosts run your code beside the lab's own services.
pub struct Sim {
    run: Run,
    programs: Rc<RefCell<Vec<Program>>>,
}

/// One program: where it runs, and how it ended.
struct Program {
    host: String,
    /// `None` while it runs.
    ended: Arc<Mutex<Option<Result<(), ProgramError>>>>,
}

impl Sim {
    /// A simulation of the lab that `text` describes, with the lab's own seed.
    ///
    /// # Errors
    /// [`Error::Lab`] with every mistake in the text; [`Error::Build`].
    pub fn new(text: &str) -> Result<Self, Error> {
        Self::build(text, None)
    }

    /// The same with another seed.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_seed(text: &str, seed: u64) -> Result<Self, Error> {
        Self::build(text, Some(seed))
    }

    fn build(text: &str, seed: Option<u64>) -> Result<Self, Error> {
        Self::of(&Lab::parse("lab", text)?, seed)
    }

    /// A simulation of a lab, as [`Lab::builder`] makes one, with the lab's own seed or another.
    ///
    /// # Errors
    /// [`Error::Build`].
    pub fn of(lab: &Lab, seed: Option<u64>) -> Result<Self, Error> {
        let run = lab.build(&BuildOptions { seed, ..BuildOptions::default() })?;
        Ok(Self { run, programs: Rc::default() })
    }

    /// The address of a host.
    ///
    /// # Errors
    /// [`Error::NoHost`].
    pub fn address(&self, host: &str) -> Result<IpAddr, Error> {
        let lab = self.run.lab();
        lab.node(host).and_then(|node| lab.address(node)).ok_or_else(|| self.no_host(host))
    }

    /// Runs `program` on a host from the beginning; again whenever a fault of the lab has restarted the host. It must
    /// have ended, and well, when the lab stops.
    ///
    /// # Errors
    /// [`Error::NoHost`].
    pub fn host<F>(&mut self, host: &str, program: impl Fn(NetRef) -> F + 'static) -> Result<(), Error>
    where
        F: Future<Output = Result<(), ProgramError>> + Send + 'static,
    {
        let station = self.station(host)?;
        let Some(station) = self.run.world.station_mut::<Host>(station) else { return Err(self.no_host(host)) };
        let (programs, name) = (self.programs.clone(), host.to_owned());
        station.on_boot(move |net| {
            let ended = Arc::default();
            programs.borrow_mut().push(Program { host: name.clone(), ended: Arc::clone(&ended) });
            let future = program(net.clone());
            let _ = net.spawn(Box::pin(async move {
                let result = future.await;
                *ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
            }));
        });
        Ok(())
    }

    /// The lab as it runs: its world, for monitors, faults and time.
    pub fn lab(&mut self) -> &mut Run {
        &mut self.run
    }

    /// Plays to the lab's `stop` and tells what the run came to.
    ///
    /// # Errors
    /// [`Error::Program`] where one failed, [`Error::Unfinished`] where one had not ended (a program that died with
    /// its host counts as ended), [`Error::Storm`]. Whether the lab's expectations held is for [`Outcome::ok`] to say.
    pub fn run(mut self) -> Result<Outcome, Error> {
        self.run.play()?;
        let mut unfinished = Vec::new();
        for Program { host, ended } in self.programs.borrow_mut().drain(..) {
            // With its host a program dies, and with it its end of `ended`.
            let alive = Arc::strong_count(&ended) > 1;
            match ended.lock().unwrap_or_else(PoisonError::into_inner).take() {
                Some(Ok(())) => {}
                Some(Err(error)) => return Err(Error::Program { host, error }),
                None if alive => unfinished.push(host),
                None => {}
            }
        }
        if unfinished.is_empty() { Ok(self.run.outcome()) } else { Err(Error::Unfinished { hosts: unfinished }) }
    }

    fn station(&self, host: &str) -> Result<StationId, Error> {
        let node = self.run.lab().node(host);
        node.and_then(|node| self.run.station(node)).ok_or_else(|| self.no_host(host))
    }

    fn no_host(&self, name: &str) -> Error {
        let nodes = self.run.lab().nodes.iter();
        let hosts = nodes.filter(|n| n.kind().has_addresses()).map(|n| n.name.clone()).collect();
        Error::NoHost { name: name.to_owned(), hosts }
    }
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sim").field("run", &self.run).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use septet_socket::NetExt;

    use super::*;

    const TWO: &str = r#"
        [lab]
        name = "two"
        stop = "10s"
        [topology]
        links = ["a -- b"]
        [host.a]
        [host.b]
        [faults]
        script = ["3s: crash b", "5s: restart b"]
    "#;

    #[test]
    fn names_the_hosts_there_are() {
        let mut sim = Sim::new(TWO).unwrap();
        let error = sim.host("c", |_| async { Ok(()) }).unwrap_err().to_string();
        assert_eq!(error, "no host `c` in this lab; it has a, b");
    }

    #[test]
    fn an_error_of_a_program_is_told() {
        let mut sim = Sim::new(TWO).unwrap();
        sim.host("a", |_| async { Err("no luck".into()) }).unwrap();
        assert_eq!(sim.run().unwrap_err().to_string(), "the program on `a` failed: no luck");
    }

    #[test]
    fn a_program_without_end_is_told_and_one_that_died_is_not() {
        let mut sim = Sim::new(TWO).unwrap();
        sim.host("a", |net| async move {
            net.sleep(Duration::from_secs(60)).await;
            Ok(())
        })
        .unwrap();
        // Dies at 3 s, runs again from 5 s to 9 s.
        sim.host("b", |net| async move {
            net.sleep(Duration::from_secs(4)).await;
            Ok(())
        })
        .unwrap();
        let error = sim.run().unwrap_err();
        assert!(matches!(&error, Error::Unfinished { hosts } if hosts == &["a"]), "{error}");
    }

    #[test]
    fn the_seed_decides() {
        let lossy = TWO.replace("a -- b", "a -- b : loss 30%");
        let digest = |seed| {
            let mut sim = Sim::with_seed(&lossy, seed).unwrap();
            let b = sim.address("b").unwrap();
            sim.host("a", move |net| async move {
                let socket = net.bind_udp("0.0.0.0:0".parse()?)?;
                for _ in 0..50 {
                    socket.send_to(b"x", (b, 9).into()).await?;
                    net.sleep(Duration::from_millis(10)).await;
                }
                Ok(())
            })
            .unwrap();
            sim.run().unwrap().digest.to_string()
        };
        assert_eq!(digest(1), digest(1));
        assert_ne!(digest(1), digest(2));
    }
}
