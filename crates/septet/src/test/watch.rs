//! What a test sees of a world: the packets that crossed its wires, and what programs recorded.

use core::cell::RefCell;
use std::rc::Rc;

use septet_core::{Event, Fate, Frame, Instant, Interest, Monitor, Observation, Port, StationId, Way};
use septet_host::Here;
use septet_socket::NetExt as _;

/// Records a number under a name at the host whose program calls, for [`World::metrics`](super::World::metrics) and expectations to ask for:
/// `app.reads`. Outside of a simulation it does nothing.
///
/// ```
/// let mut world = septet::test::World::new();
/// world.client("client", async {
///     septet::test::record("app.wait", 0.25);
///     Ok(())
/// });
/// world.run()?;
/// assert!(world.judge("max(client.app.wait) <= 0.25").held);
/// assert_eq!(world.metrics("client").series("app.wait").map(|series| series.count()), Some(1));
/// # Ok::<(), septet::test::Failure>(())
/// ```
pub fn record(name: &str, value: f64) {
    if let Some(here) = Here::current() {
        here.net().observe(name, value);
    }
}

/// A packet that a port sent.
#[derive(Clone, Debug)]
pub struct Packet {
    /// When: its first bit.
    pub at: Instant,
    /// The node that sent it.
    pub node: String,
    /// The port of the node.
    pub port: u16,
    /// Whether the wire lost or damaged it.
    pub fate: Fate,
    frame: Frame,
}

impl Packet {
    /// The frame, from its Ethernet header on.
    pub fn bytes(&self) -> &[u8] {
        self.frame.bytes()
    }
}

/// Packets as they are seen.
#[derive(Clone, Default)]
pub(super) struct Seen(pub(super) Rc<RefCell<Vec<Packet>>>);

/// The monitor's end of it.
pub(super) struct Eye {
    pub(super) seen: Seen,
    /// Whose frames are kept.
    pub(super) names: Vec<(StationId, String)>,
}

impl Monitor for Eye {
    fn interest(&self) -> Interest {
        Interest::Frames
    }

    fn event(&mut self, _: &Event) {}

    fn frame(&mut self, observation: &Observation<'_>) {
        let &Observation { at, station, port: Port(port), way, frame, fate } = observation;
        let name = self.names.iter().find(|(id, _)| *id == station);
        if way == Way::Sent
            && let Some((_, node)) = name
        {
            let packet = Packet { at, node: node.clone(), port, fate, frame: frame.clone() };
            self.seen.0.borrow_mut().push(packet);
        }
    }
}
