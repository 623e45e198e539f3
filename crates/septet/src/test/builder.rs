//! A world in which every host reaches every other: what most tests of a program want of a network.

use core::time::Duration;

use septet_lab::LabBuilder;

/// What the network between the hosts of a [`World`](super::World) is to be; see
/// [`World::builder`](super::World::builder).
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder {
    lab: LabBuilder,
    medium: Vec<(&'static str, String)>,
    latency: Duration,
    jitter: Duration,
}

/// The node that all hosts are plugged into. No host of a test is likely to be called so.
const SWITCH: &str = "the-switch";

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            lab: septet_lab::Lab::builder("test"),
            medium: vec![("rate", "1gbit".to_owned())],
            latency: Duration::from_millis(1),
            jitter: Duration::ZERO,
        }
    }

    /// What the world is called, in captures and stories.
    pub fn name(self, name: &str) -> Self {
        self.lab(|lab| lab.set("name", name))
    }

    /// The seed that everything random is drawn from (1). Under [`septet::test`](macro@crate::test) the test's seed goes before.
    pub fn seed(self, seed: u64) -> Self {
        self.lab(|lab| lab.seed(seed))
    }

    /// When [`World::run`](super::World::run) gives up (60 s).
    pub fn stop(self, after: Duration) -> Self {
        self.lab(|lab| lab.stop(after))
    }

    /// How long a packet is on its way from one host to another (1 ms).
    pub fn latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// By how much that varies, either way.
    pub fn jitter(mut self, jitter: Duration) -> Self {
        self.jitter = jitter;
        self
    }

    /// How many bits a second each host sends and receives (`1gbit`).
    pub fn rate(self, rate: &str) -> Self {
        self.medium("rate", rate)
    }

    /// The share of packets lost on the way into the network: `"1%"`.
    pub fn loss(self, share: &str) -> Self {
        self.medium("loss", share)
    }

    /// A key of the medium of every host's cable, as a lab file has it: `corrupt`, `duplicate`, `queue`.
    pub fn medium(mut self, key: &'static str, value: &str) -> Self {
        self.medium.retain(|(known, _)| *known != key);
        self.medium.push((key, value.to_owned()));
        self
    }

    /// The versions of IP that hosts speak: `4`, `6` or `dual` (`4`).
    pub fn ip(self, versions: &str) -> Self {
        self.lab(|lab| lab.ip(versions))
    }

    /// Whatever else the lab is to be told: faults at their times, expectations, more nodes.
    pub fn lab(self, of: impl FnOnce(LabBuilder) -> LabBuilder) -> Self {
        Self { lab: of(self.lab), ..self }
    }

    /// The lab with these hosts.
    pub(super) fn with_hosts(&self, hosts: &[&str]) -> LabBuilder {
        let mut lab = self.lab.clone();
        if hosts.is_empty() {
            return lab;
        }
        // A packet crosses two cables.
        let (delay, jitter) = (self.latency / 2, self.jitter / 2);
        let medium = self.medium.clone();
        lab = lab.switch(SWITCH, |s| s).medium("cable", |m| {
            let mut m = m.set("delay", delay);
            if !jitter.is_zero() {
                m = m.set("jitter", jitter);
            }
            medium.iter().fold(m, |m, (key, value)| m.set(key, value.as_str()))
        });
        for host in hosts {
            lab = lab.link(format!("{SWITCH} -- {host} : cable")).host(*host, |h| h);
        }
        lab
    }
}
