//! What a test lets go wrong with its world.
//!
//! Each is a line of a lab file's `[faults]`, let happen now, so that a run can be told by such a file.

use core::time::Duration;
use std::collections::BTreeMap;

use septet_core::Instant;
use septet_lab::{FaultId, Standing};

use super::faults::{Happened, Hosts};
use super::trial;
use super::wish::Wish;
use super::world::{World, station};

impl World {
    /// Does what a program asked for.
    pub(super) fn grant(&mut self, wish: Wish) {
        match wish {
            Wish::Partition(a, b) => self.partition(a, b),
            Wish::PartitionOneway(from, to) => self.partition_oneway(from, to),
            Wish::Repair(a, b) => self.repair(a, b),
            Wish::Hold(a, b) => self.hold(a, b),
            Wish::Release(a, b) => self.release(a, b),
            Wish::Crash(hosts) => self.crash(hosts),
            Wish::Restart(hosts) => self.restart(hosts),
        }
    }

    /// Lets a fault happen, as a line of a lab file's `[faults]`. Its times are counted from now; without one it begins now.
    ///
    /// # Panics
    /// Where it has a mistake.
    #[track_caller]
    pub fn fault(&mut self, text: &str) {
        self.inject(text);
    }

    #[track_caller]
    fn inject(&mut self, text: &str) {
        let now = self.lab().world.now();
        if self.trial.as_ref().is_some_and(trial::Part::has_script) {
            // What goes wrong in this run is told by its lab alone.
            return;
        }
        let run = self.lab();
        let fault = match run.lab().fault(text) {
            Ok(fault) => fault,
            Err(mistakes) => panic!("{mistakes}"),
        };
        let id = run.inject(&fault);
        let at = |time: Instant| now + time.saturating_since(Instant::ZERO);
        let (from, until) = (at(fault.at), fault.until.map(at));
        self.happened.push(Happened { text: fault.text, from, until, id: Some(id) });
    }

    /// Ends all faults of such a text that are in effect, and calls those off that are to come; tells whether any was in
    /// effect.
    fn end(&mut self, is_meant: impl Fn(&str) -> bool) -> bool {
        let run = self.lab();
        let now = run.world.now();
        let standing: BTreeMap<FaultId, Standing> =
            run.faults().into_iter().map(|(id, _, standing)| (id, standing)).collect();
        let mut ended = false;
        for mut fault in core::mem::take(&mut self.happened) {
            let stands = fault.id.filter(|_| is_meant(&fault.text)).and_then(|id| Some((id, standing.get(&id)?)));
            if let Some((id, standing)) = stands {
                self.lab().cancel(id);
                match standing {
                    Standing::InForce { .. } => (fault.until, ended) = (Some(now), true),
                    // It never was.
                    Standing::Pending { .. } => continue,
                }
            }
            self.happened.push(fault);
        }
        ended
    }

    /// The names, each of a host that there is.
    #[track_caller]
    fn known(&mut self, hosts: impl Hosts) -> Vec<String> {
        let names = hosts.names();
        let run = self.lab();
        names.iter().for_each(|name| {
            station(run, name);
        });
        names
    }

    #[track_caller]
    fn between(&mut self, a: impl Hosts, b: impl Hosts) -> String {
        let (a, b) = (self.known(a).join(","), self.known(b).join(", "));
        format!("host {a} on {b}")
    }

    #[track_caller]
    fn towards(&mut self, from: impl Hosts, to: impl Hosts) -> String {
        let (from, to) = (self.known(from).join(","), self.known(to).join(", "));
        format!("in src {from} on {to}")
    }

    /// Nothing passes between `a` and `b` any more, either way.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # let mut world = septet::test::World::new();
    /// # world.host("db", || async {
    /// #     let listener = septet::net::TcpListener::bind("0.0.0.0:1").await?;
    /// #     loop {
    /// #         listener.accept().await?;
    /// #     }
    /// # });
    /// world.client("app", async {
    ///     let asked = septet::time::timeout(Duration::from_secs(5), septet::net::TcpStream::connect("db:1")).await;
    ///     assert!(!asked.is_ok_and(|asked| asked.is_ok()), "nothing comes back");
    ///     Ok(())
    /// });
    /// world.partition("app", "db");
    /// world.run()?;
    /// # Ok::<(), septet::test::Failure>(())
    /// ```
    #[track_caller]
    pub fn partition(&mut self, a: impl Hosts, b: impl Hosts) {
        let what = self.between(a, b);
        self.inject(&format!("drop {what}"));
    }

    /// Nothing passes from `from` to `to` any more; what goes the other way does.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # let mut world = septet::test::World::new();
    /// # world.host("db", || async {
    /// #     let listener = septet::net::TcpListener::bind("0.0.0.0:1").await?;
    /// #     loop {
    /// #         listener.accept().await?;
    /// #     }
    /// # });
    /// world.client("app", async {
    ///     let asked = septet::time::timeout(Duration::from_secs(5), septet::net::TcpStream::connect("db:1")).await;
    ///     assert!(!asked.is_ok_and(|asked| asked.is_ok()), "nothing comes back");
    ///     Ok(())
    /// });
    /// world.partition_oneway("db", "app");
    /// world.run()?;
    /// # Ok::<(), septet::test::Failure>(())
    /// ```
    #[track_caller]
    pub fn partition_oneway(&mut self, from: impl Hosts, to: impl Hosts) {
        let what = self.towards(from, to);
        self.inject(&format!("drop {what}"));
    }

    /// Ends every partition, delay and loss that was made with these names, whichever of them came first.
    #[track_caller]
    pub fn repair(&mut self, a: impl Hosts, b: impl Hosts) {
        let (a, b) = (a.names(), b.names());
        let ends = [self.between(&a, &b), self.between(&b, &a), self.towards(&a, &b), self.towards(&b, &a)];
        self.end(|text| !text.starts_with("hold ") && ends.iter().any(|end| text.ends_with(end.as_str())));
    }

    /// What passes between `a` and `b`, either way, waits for [`release`](Self::release).
    ///
    /// ```
    /// # use core::time::Duration;
    /// # let mut world = septet::test::World::new();
    /// # world.host("db", || async {
    /// #     let listener = septet::net::TcpListener::bind("0.0.0.0:1").await?;
    /// #     loop {
    /// #         listener.accept().await?;
    /// #     }
    /// # });
    /// world.client("app", async {
    ///     let asked = septet::time::timeout(Duration::from_secs(5), septet::net::TcpStream::connect("db:1")).await;
    ///     assert!(!asked.is_ok_and(|asked| asked.is_ok()), "nothing comes back");
    ///     Ok(())
    /// });
    /// world.hold("app", "db");
    /// world.run()?;
    /// # Ok::<(), septet::test::Failure>(())
    /// ```
    #[track_caller]
    pub fn hold(&mut self, a: impl Hosts, b: impl Hosts) {
        let what = self.between(a, b);
        self.inject(&format!("hold {what}"));
    }

    /// What waited goes on, in its order.
    #[track_caller]
    pub fn release(&mut self, a: impl Hosts, b: impl Hosts) {
        let (a, b) = (a.names(), b.names());
        let held = [self.between(&a, &b), self.between(&b, &a)].map(|what| format!("hold {what}"));
        self.end(|text| held.iter().any(|hold| hold == text));
    }

    /// What passes between `a` and `b`, either way, comes later by `by`, until it is [repaired](Self::repair).
    ///
    /// ```
    /// # use core::time::Duration;
    /// # let mut world = septet::test::World::new();
    /// # world.host("db", || async {
    /// #     let listener = septet::net::TcpListener::bind("0.0.0.0:1").await?;
    /// #     loop {
    /// #         listener.accept().await?;
    /// #     }
    /// # });
    /// world.client("app", async {
    ///     let asked = septet::time::timeout(Duration::from_secs(5), septet::net::TcpStream::connect("db:1")).await;
    ///     assert!(asked.is_ok_and(|asked| asked.is_ok()));
    ///     Ok(())
    /// });
    /// world.delay("app", "db", Duration::from_secs(1));
    /// world.run()?;
    /// # Ok::<(), septet::test::Failure>(())
    /// ```
    #[track_caller]
    pub fn delay(&mut self, a: impl Hosts, b: impl Hosts, by: Duration) {
        let what = self.between(a, b);
        self.inject(&format!("delay {} {what}", format_args!("{}ns", by.as_nanos())));
    }

    /// This share of what passes between `a` and `b`, either way, is lost, until it is [repaired](Self::repair).
    ///
    /// ```
    /// # use core::time::Duration;
    /// # let mut world = septet::test::World::new();
    /// # world.host("db", || async {
    /// #     let listener = septet::net::TcpListener::bind("0.0.0.0:1").await?;
    /// #     loop {
    /// #         listener.accept().await?;
    /// #     }
    /// # });
    /// world.client("app", async {
    ///     let asked = septet::time::timeout(Duration::from_secs(5), septet::net::TcpStream::connect("db:1")).await;
    ///     assert!(!asked.is_ok_and(|asked| asked.is_ok()), "nothing comes back");
    ///     Ok(())
    /// });
    /// world.loss("app", "db", 1.0);
    /// world.run()?;
    /// # Ok::<(), septet::test::Failure>(())
    /// ```
    ///
    /// # Panics
    /// Where it is not between zero and one.
    #[track_caller]
    pub fn loss(&mut self, a: impl Hosts, b: impl Hosts, share: f64) {
        assert!((0.0..=1.0).contains(&share), "a share of {share} is not between 0 and 1");
        let what = self.between(a, b);
        self.inject(&format!("loss {}% {what}", share * 100.0));
    }

    /// Hosts lose their power: their programs and sockets are gone, their peers hear nothing. Of their disk is left what was
    /// synced, and some of what was not.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # let mut world = septet::test::World::new();
    /// # world.host("db", || async {
    /// #     let listener = septet::net::TcpListener::bind("0.0.0.0:1").await?;
    /// #     loop {
    /// #         listener.accept().await?;
    /// #     }
    /// # });
    /// world.client("app", async {
    ///     let asked = septet::time::timeout(Duration::from_secs(5), septet::net::TcpStream::connect("db:1")).await;
    ///     assert!(!asked.is_ok_and(|asked| asked.is_ok()), "nothing comes back");
    ///     Ok(())
    /// });
    /// world.crash("db");
    /// world.run()?;
    /// # Ok::<(), septet::test::Failure>(())
    /// ```
    #[track_caller]
    pub fn crash(&mut self, hosts: impl Hosts) {
        let hosts = self.known(hosts).join(", ");
        self.inject(&format!("crash {hosts}"));
    }

    /// Hosts begin anew, those that are switched off and those that are not: the programs of [`host`](Self::host) from the
    /// beginning, with the disk that there is.
    #[track_caller]
    pub fn restart(&mut self, hosts: impl Hosts) {
        let hosts = self.known(hosts).join(", ");
        let crash = format!("crash {hosts}");
        if !self.end(|text| text == crash) {
            self.inject(&format!("restart {hosts}"));
        }
    }

    /// Hosts lose all that is on their disks, as those do that get new ones.
    #[track_caller]
    pub fn wipe(&mut self, hosts: impl Hosts) {
        let hosts = self.known(hosts).join(", ");
        self.inject(&format!("wipe {hosts}"));
    }

    /// Sets the clocks of hosts wrong by so many milliseconds, ahead or, where they are negative, behind: that of the civil
    /// time, [`unix_time`](crate::time::unix_time). It takes the place of what was said of the same hosts before; zero sets
    /// them right.
    #[track_caller]
    pub fn skew(&mut self, hosts: impl Hosts, millis: i64) {
        let sign = if millis < 0 { '-' } else { '+' };
        self.set_clocks("skew ", (millis != 0).then(|| format!("{sign}{}ms", millis.unsigned_abs())), hosts);
    }

    /// Lets the clocks of hosts go too fast by so many parts in a million, or too slow where they are negative: what they take
    /// for a second is none, for [`Instant`](crate::time::Instant), [`sleep`](crate::time::sleep) and all timers too. It takes
    /// the place of what was said of the same hosts before; at zero they go right, and keep what they have gained.
    #[track_caller]
    pub fn drift(&mut self, hosts: impl Hosts, ppm: i32) {
        self.set_clocks("drift ", (ppm != 0).then(|| format!("{ppm}ppm")), hosts);
    }

    #[track_caller]
    fn set_clocks(&mut self, verb: &str, by: Option<String>, hosts: impl Hosts) {
        let on = format!(" on {}", self.known(hosts).join(", "));
        self.end(|text| text.starts_with(verb) && text.ends_with(&on));
        if let Some(by) = by {
            self.inject(&format!("{verb}{by}{on}"));
        }
    }
}
