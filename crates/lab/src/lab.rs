//! The lab: everything that a file or a program says of a network, checked and resolved.

use core::time::Duration;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use septet_core::Instant;
use septet_language::mistake::Mistakes;
use septet_language::units;
use septet_network::Cidr;

use crate::expect::expr::Expectation;
use crate::fault::kind::Fault;
use crate::model::cable::Cable;
use crate::model::layout::Layout;
use crate::model::link::Link;
use crate::model::node::{Node, Routing};
use crate::model::topology::Topology;

/// A lab: everything that a file says, checked and resolved.
#[derive(Clone, Debug)]
pub struct Lab {
    /// Its name; that of the file where it has none of its own.
    pub name: String,
    /// What it shows.
    pub description: Option<String>,
    /// Where all randomness comes from.
    pub seed: u64,
    /// When a run ends.
    pub stop: Instant,
    /// The civil time at which virtual time begins, as the time since 1970.
    pub epoch: Duration,
    /// Where the routes of nodes come from that do not say it themselves.
    pub routing: Routing,
    /// How often connections and queues of all nodes are looked at, where the file says so.
    pub sample: Option<Duration>,
    /// The nodes, in the order of the file.
    pub nodes: Vec<Node>,
    /// The links, in the order of the file.
    pub links: Vec<Link>,
    /// What goes wrong.
    pub faults: Vec<Fault>,
    /// What a run must show.
    pub expectations: Vec<Expectation>,
    /// Keys of the file, by path, and the values to try for them.
    pub sweep: Vec<(String, Vec<String>)>,
    /// What may not be as it was meant.
    pub warnings: Mistakes,
    /// The text of the file.
    pub text: String,
    /// The text of each file that it names, by the name that it uses.
    pub files: BTreeMap<String, Arc<str>>,
    /// What the file is called, with its path.
    pub(crate) source: String,
    pub(crate) says_when_to_stop: bool,
    /// What links may be made of, by name.
    pub(crate) media: BTreeMap<String, Arc<Cable>>,
    pub(crate) topology: Topology,
}

/// The least time from one look at connections and queues to the next.
pub(crate) const SHORTEST_SAMPLE: Duration = Duration::from_micros(100);

impl Lab {
    /// The node called `name`, as an index into [`nodes`](Self::nodes).
    pub fn node(&self, name: &str) -> Option<usize> {
        self.topology.find(name)
    }

    /// The first address of a node.
    pub fn address(&self, node: usize) -> Option<IpAddr> {
        self.nodes.get(node)?.known_addresses().next().map(Cidr::addr)
    }

    /// Whether the file itself says when a run ends; where it does not, 60 s are taken.
    pub fn says_when_to_stop(&self) -> bool {
        self.says_when_to_stop
    }

    /// Ends runs after `time`, as `90s`, instead of when the file says.
    ///
    /// # Errors
    /// Why it is no time.
    pub fn stop_after(&mut self, time: &str) -> Result<(), String> {
        self.stop = Instant::ZERO + units::time(time).map_err(|refusal| refusal.reason)?;
        Ok(())
    }

    /// Who there is, and how they are joined.
    pub(crate) fn layout(&self) -> Layout<'_> {
        Layout { nodes: &self.nodes, links: &self.links, topology: &self.topology }
    }
}
