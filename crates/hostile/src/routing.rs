//! Routing protocols take any packets and any stream of a neighbour, while time passes and their link comes and goes.

use core::time::Duration;
use std::collections::VecDeque;
use std::net::Ipv4Addr;

use septet_core::{EventId, Instant, Seed, Trace, checksum};
use septet_network::routing::{
    Action, Arrival, Carriage, Context, Identity, Kind, Link, LinkState, PROTOCOLS, RoutingProtocol, SessionEvent,
    Value,
};

use crate::pieces::pieces;

/// Every protocol hears the same.
pub fn routing(bytes: &[u8]) {
    PROTOCOLS.iter().for_each(|kind| play(kind, bytes));
}

/// One router on a link where a neighbour says what it likes.
struct Router {
    protocol: Box<dyn RoutingProtocol>,
    now: Instant,
    trace: Trace,
    /// The connection that a neighbour has opened last.
    accepted: u32,
}

fn play(kind: &Kind, bytes: &[u8]) {
    let mut config = (kind.config)();
    for (key, value) in [("as", Value::Number(65_001)), ("neighbors", Value::Line("10.0.0.2 as 65002".to_owned()))] {
        config.set(None, key, value).expect("what is set here is right");
    }
    let router = Ipv4Addr::new(10, 0, 0, 1);
    let rng = Seed::new(1).stream(kind.name);
    let protocol = config.start(Identity { router, rng, by_hand: Vec::new() });
    let mut router = Router { protocol, now: Instant::from_millis(1), trace: Trace::on(), accepted: 1 << 31 };
    router.link(LinkState::Up);
    for piece in pieces(bytes) {
        router.wait(Duration::from_millis(u64::from(piece.wait).pow(2)));
        match piece.what % 8 {
            0 => router.link(LinkState::Down),
            1 => router.link(LinkState::Up),
            2 if matches!(kind.carriage, Carriage::Tcp(_)) => {
                router.accepted += 1;
                let from = Ipv4Addr::new(10, 0, 0, 2).into();
                let event = SessionEvent::Accepted(router.accepted, from);
                router.call(|p, cx| p.on_session(cx, event));
            }
            what => router.hear(kind, what, piece.content),
        }
    }
    // However it was left, it neither hangs nor falls.
    router.wait(Duration::from_secs(2 * 3600));
}

impl Router {
    fn call(&mut self, what: impl FnOnce(&mut dyn RoutingProtocol, &mut Context<'_>)) {
        let mut actions = VecDeque::new();
        what(&mut *self.protocol, &mut Context::new(self.now, EventId::NONE, &mut self.trace, &mut actions));
        let _ = self.trace.drain().count();
        assert!(actions.len() < 2000, "one call does {} things", actions.len());
        for action in actions {
            if let Action::Send(packet, _) = action {
                assert!(packet.bytes.len() <= 1480, "{} octets do not fit the link", packet.bytes.len());
            }
        }
    }

    fn link(&mut self, state: LinkState) {
        let addresses = vec!["10.0.0.1/24".parse().expect("an address")];
        let link = Link { iface: 0, state, addresses, mtu: 1500, rate: None };
        self.call(|p, cx| p.on_link(cx, &link));
    }

    fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        let mut steps = 0;
        while let Some(at) = self.protocol.deadline().filter(|at| *at <= until) {
            self.now = at.max(self.now);
            self.call(|p, cx| p.on_deadline(cx));
            steps += 1;
            assert!(steps < 100_000, "timers do not let time go on");
        }
        self.now = until;
    }

    /// What the neighbour says, as often as not with a header that is right.
    fn hear(&mut self, kind: &Kind, what: u8, content: &[u8]) {
        if let Carriage::Tcp(_) = kind.carriage {
            let mut bytes = content.to_vec();
            if what % 2 == 1 && bytes.len() >= 19 {
                bytes[..16].fill(0xff);
                let len = (bytes.len() as u16).to_be_bytes();
                bytes[16..18].copy_from_slice(&len);
            }
            let event = SessionEvent::Data(self.accepted, bytes);
            return self.call(|p, cx| p.on_session(cx, event));
        }
        let mut bytes = content.to_vec();
        let src_port = if let Carriage::Udp(port) = kind.carriage { port } else { 0 };
        if src_port == 0 && what % 2 == 1 && bytes.len() >= 24 {
            let len = (bytes.len() as u16).to_be_bytes();
            bytes[0] = 2;
            bytes[2..4].copy_from_slice(&len);
            bytes[8..16].fill(0);
            let sum = checksum::Sum::new().bytes(&bytes[..16]).bytes(&bytes[24..]).finish();
            bytes[12..14].copy_from_slice(&sum.to_be_bytes());
        }
        let (src, dst) = (Ipv4Addr::new(10, 0, 0, 2).into(), Ipv4Addr::new(224, 0, 0, 5).into());
        let arrival = Arrival { iface: 0, src, dst, ttl: 1, src_port };
        self.call(|p, cx| p.receive(cx, &arrival, &bytes));
    }
}
