//! The routing protocols of a host, and the connections that they keep.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};

use septet_core::{EventId, Instant};
use septet_network::routing::{Action, Conversation, Identity, Kind, RoutingProtocol};

use septet_socket::TcpSocketId as Socket;

use super::config::HostConfig;
use super::speaker::Speaker;

/// Connections that peers have opened are numbered from here; those that a protocol opens it numbers itself, below.
pub(super) const ACCEPTED: Conversation = 1 << 31;
/// The routing protocols of one host.
#[derive(Debug)]
pub(crate) struct Routing {
    pub(super) running: Vec<Running>,
    pub(super) actions: VecDeque<Action>,
    /// When one of them next has something to do.
    pub(super) next: Option<Instant>,
}

#[derive(Debug)]
pub(super) struct Running {
    pub(super) kind: &'static Kind,
    pub(super) protocol: Box<dyn RoutingProtocol>,
    /// Where one that TCP carries waits for its peers.
    pub(super) listener: Option<Socket>,
    pub(super) dialogs: BTreeMap<Conversation, Dialog>,
    pub(super) accepted: Conversation,
}

/// A connection of a protocol.
#[derive(Debug)]
pub(super) struct Dialog {
    pub(super) socket: Socket,
    pub(super) stage: Stage,
    /// What was said and TCP has not yet taken, with why.
    pub(super) unsaid: VecDeque<(Vec<u8>, EventId)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    Opening,
    Open,
    /// It ends once everything is said.
    Closing,
}

impl Routing {
    /// The protocols of `config`, begun anew; `None` where there are none.
    pub(super) fn new(config: &HostConfig) -> Option<Box<Self>> {
        let addresses = config.interfaces.iter().flat_map(|i| &i.addresses);
        let addresses = addresses.chain(config.vlans.iter().flat_map(|v| &v.addresses));
        let v4 = addresses.filter_map(|cidr| match cidr.addr() {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        });
        let router = v4.max().unwrap_or(Ipv4Addr::UNSPECIFIED);
        let by_hand = config.by_hand.iter().flat_map(|by_hand| &by_hand.routes);
        let by_hand: Vec<_> = by_hand.map(|route| route.prefix).collect();
        let start = |speaker: &Speaker| {
            let rng = config.randomness.stream(&format!("{} {}", speaker.kind.name, config.name));
            let protocol = speaker.config.start(Identity { router, rng, by_hand: by_hand.clone() });
            let (listener, dialogs) = (None, BTreeMap::new());
            Running { kind: speaker.kind, protocol, listener, dialogs, accepted: ACCEPTED }
        };
        let running: Vec<Running> = config.routing.iter().map(start).collect();
        (!running.is_empty()).then(|| Box::new(Self { running, actions: VecDeque::new(), next: None }))
    }

    #[inline]
    pub(super) const fn deadline(&self) -> Option<Instant> {
        self.next
    }

    /// Shows `see` the counters of all.
    pub(super) fn show(&self, see: &mut dyn FnMut(&'static str, u64)) {
        self.running.iter().for_each(|running| running.protocol.show(see));
    }
}
