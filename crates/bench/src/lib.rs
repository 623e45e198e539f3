//! Workloads that measure Septet: packets per CPU second, memory, and what they cost.
//!
//! Each workload builds a world, plays it, checks that what should happen did, and reports what it cost in CPU time
//! of this process. A new workload is one file and one line in [`WORKLOADS`].

mod build;
mod bulk;
mod chain;
mod cost;
mod dumbbell;
mod exchange;
mod fabric;
mod filtered;
mod flow;
mod idle;
mod ospf;
mod plan;
mod queues;
mod raw;
mod report;
mod routes;
mod seeds;
mod short_flows;
mod tokio_shape;

pub use report::{Failure, Report, table};

/// What a workload is run with.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Options {
    /// The seed of its worlds.
    pub seed: u64,
    /// How much of the whole workload is done, above 0 and at most 1; for quick looks and for instruction counts.
    pub scale: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self { seed: 1, scale: 1.0 }
    }
}

impl Options {
    /// `whole` scaled, at least one.
    fn scaled(&self, whole: u64) -> u64 {
        ((whole as f64 * self.scale.clamp(0.0, 1.0)) as u64).max(1)
    }
}

/// A workload by name.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it does, in one line.
    pub help: &'static str,
    run: fn(&Options) -> Result<Report, Failure>,
}

/// Every workload there is, in the order in which all are run.
pub static WORKLOADS: &[Workload] = &[
    Workload {
        name: "chain",
        help: "1 M UDP packets of 1,000 bytes through 8 routers: 9 links of 1 Gbit/s, 100 µs",
        run: |options| chain::udp(options, plan::Version::Four),
    },
    Workload { name: "chain-ipv6", help: "chain over IPv6", run: |options| chain::udp(options, plan::Version::Six) },
    Workload {
        name: "filtered-chain-1",
        help: "chain through routers whose packet filters ask one rule",
        run: |options| filtered::run(options, 1, filtered::Tracks::Nothing),
    },
    Workload {
        name: "filtered-chain-10",
        help: "the same with ten rules, of which the last fits",
        run: |options| filtered::run(options, 10, filtered::Tracks::Nothing),
    },
    Workload {
        name: "filtered-chain-100",
        help: "the same with a hundred rules",
        run: |options| filtered::run(options, 100, filtered::Tracks::Nothing),
    },
    Workload {
        name: "tracked-chain",
        help: "the same with one rule that asks for the state of connections",
        run: |options| filtered::run(options, 1, filtered::Tracks::Connections),
    },
    Workload {
        name: "captured-chain",
        help: "chain, with the headers of what crosses the server's port captured, and the reasons",
        run: |options| chain::captured(options, Some(chain::SNAP)),
    },
    Workload {
        name: "captured-chain-whole",
        help: "the same with whole frames of 1,042 bytes",
        run: |options| chain::captured(options, None),
    },
    Workload {
        name: "raw-chain",
        help: "1 M frames over 9 links through stations that only rewrite headers: the engine alone",
        run: chain::raw,
    },
    Workload {
        name: "dumbbell-1-newreno",
        help: "1 flow under NewReno through 100 Mbit/s, 10 ms, 100 packets, for 60 s",
        run: |options| dumbbell::run(options, 1, "newreno"),
    },
    Workload {
        name: "dumbbell-2-newreno",
        help: "2 flows under NewReno through 100 Mbit/s, 10 ms, 100 packets, for 60 s",
        run: |options| dumbbell::run(options, 2, "newreno"),
    },
    Workload {
        name: "dumbbell-10-newreno",
        help: "10 flows under NewReno through 100 Mbit/s, 10 ms, 100 packets, for 60 s",
        run: |options| dumbbell::run(options, 10, "newreno"),
    },
    Workload {
        name: "dumbbell-100-newreno",
        help: "100 flows under NewReno through 100 Mbit/s, 10 ms, 100 packets, for 60 s",
        run: |options| dumbbell::run(options, 100, "newreno"),
    },
    Workload {
        name: "dumbbell-1-cubic",
        help: "1 flow under CUBIC through 100 Mbit/s, 10 ms, 100 packets, for 60 s",
        run: |options| dumbbell::run(options, 1, "cubic"),
    },
    Workload {
        name: "dumbbell-2-cubic",
        help: "2 flows under CUBIC through 100 Mbit/s, 10 ms, 100 packets, for 60 s",
        run: |options| dumbbell::run(options, 2, "cubic"),
    },
    Workload {
        name: "dumbbell-10-cubic",
        help: "10 flows under CUBIC through 100 Mbit/s, 10 ms, 100 packets, for 60 s",
        run: |options| dumbbell::run(options, 10, "cubic"),
    },
    Workload {
        name: "dumbbell-100-cubic",
        help: "100 flows under CUBIC through 100 Mbit/s, 10 ms, 100 packets, for 60 s",
        run: |options| dumbbell::run(options, 100, "cubic"),
    },
    Workload {
        name: "star",
        help: "1,000 flows of 100 kB between 1,000 hosts around one router",
        run: short_flows::star,
    },
    Workload {
        name: "fat-tree",
        help: "1,000 flows of 100 kB across a fat-tree of 1,024 hosts",
        run: short_flows::fat_tree,
    },
    Workload {
        name: "request-response",
        help: "100 clients ask one server 100 times each: 1 KiB there, 1 KiB back",
        run: |options| exchange::run(options, 100),
    },
    Workload {
        name: "request-response-one",
        help: "1 client asks one server 10,000 times: 1 KiB there, 1 KiB back",
        run: |options| exchange::run(options, 1),
    },
    Workload {
        name: "request-response-tokio",
        help: "the same of 100 clients, by programs in tokio's shape",
        run: |options| tokio_shape::exchange(options, 100),
    },
    Workload {
        name: "request-response-one-tokio",
        help: "the same of 1 client, by programs in tokio's shape",
        run: |options| tokio_shape::exchange(options, 1),
    },
    Workload {
        name: "bulk-tokio",
        help: "100 MB between two hosts, written and read by programs in tokio's shape",
        run: tokio_shape::bulk,
    },
    Workload { name: "bulk", help: "100 MB between two hosts over a cable without limits", run: bulk::run },
    Workload {
        name: "idle",
        help: "100,000 connections are opened, rest, prove that they live, and are closed",
        run: idle::run,
    },
    Workload {
        name: "build-tree",
        help: "a world of 10,000 hosts behind 100 switches and routers is built and switched on",
        run: build::tree,
    },
    Workload {
        name: "build-fat-tree",
        help: "a fat-tree of 1,024 hosts and 320 routers is built, routed and switched on",
        run: |options| build::fat_tree(options, 16),
    },
    Workload {
        name: "build-large-fat-tree",
        help: "a fat-tree of 9,826 hosts and 1,445 routers is built, routed and switched on",
        run: |options| build::fat_tree(options, 34),
    },
    Workload {
        name: "seeds",
        help: "200 seeds of one lab, on one thread and on as many as there are processors",
        run: seeds::run,
    },
    Workload {
        name: "routes",
        help: "a table of 1 M IPv4 routes: octets a route, random look-ups and changes a CPU second",
        run: routes::v4,
    },
    Workload { name: "routes-v6", help: "the same of IPv6", run: routes::v6 },
    Workload {
        name: "ospf",
        help: "a grid of 200 routers learns all its ways by OSPF, and anew after a cut: 90 s",
        run: ospf::run,
    },
    Workload {
        name: "queues",
        help: "event queues compared: nanoseconds to take the first event and put one back",
        run: queues::compare,
    },
];

/// Runs the workload called `name`.
///
/// # Errors
/// [`Failure`] where there is none of that name, or what should have happened did not.
pub fn run(name: &str, options: &Options) -> Result<Report, Failure> {
    let Some(workload) = WORKLOADS.iter().find(|w| w.name == name) else {
        let names: Vec<_> = WORKLOADS.iter().map(|w| w.name).collect();
        return Err(Failure::new(format!("no workload `{name}`; there are {}", names.join(", "))));
    };
    let mut report = (workload.run)(options)?;
    report.name = workload.name.to_owned();
    Ok(report)
}
