//! Bridges joined by cables that carry BPDUs.

use super::*;
use crate::ethernet::MacAddr;

struct Net {
    now: Instant,
    bridges: Vec<SpanningTree>,
    /// Bridge and port at both ends.
    cables: Vec<[(usize, u16); 2]>,
    up: Vec<bool>,
    sent: u32,
}

impl Net {
    fn new(priorities: &[u16], cables: &[[(usize, u16); 2]]) -> Self {
        let bridge = |(i, priority): (usize, &u16)| {
            SpanningTree::new(Parameters::new(BridgeId { priority: *priority, mac: MacAddr::local(i as u64 + 1) }))
        };
        let mut net = Self {
            now: Instant::from_millis(1),
            bridges: priorities.iter().enumerate().map(bridge).collect(),
            cables: cables.to_vec(),
            up: vec![false; cables.len()],
            sent: 0,
        };
        for cable in 0..cables.len() {
            net.plug(cable, Carrier::Up);
        }
        net
    }

    fn plug(&mut self, cable: usize, carrier: Carrier) {
        self.up[cable] = carrier == Carrier::Up;
        for (bridge, port) in self.cables[cable] {
            self.bridges[bridge].set_carrier(self.now, Port(port), carrier);
        }
        self.settle();
    }

    fn settle(&mut self) {
        let mut more = true;
        while more {
            more = false;
            for from in 0..self.bridges.len() {
                while let Some(event) = self.bridges[from].poll_event() {
                    more = true;
                    let Event::Send(port, bpdu) = event else { continue };
                    self.sent += 1;
                    let bpdu = Bpdu::parse(&bpdu.build()).unwrap();
                    for (cable, ends) in self.cables.iter().enumerate() {
                        let Some(end) = ends.iter().position(|e| *e == (from, port.0)) else { continue };
                        if self.up[cable] {
                            let (to, port) = ends[1 - end];
                            self.bridges[to].receive(self.now, Port(port), &bpdu);
                        }
                    }
                }
            }
        }
    }

    fn run(&mut self, secs: u64) {
        let end = self.now + Duration::from_secs(secs);
        while let Some(next) = self.bridges.iter().filter_map(SpanningTree::poll_timeout).min()
            && next <= end
        {
            self.now = self.now.max(next);
            for bridge in &mut self.bridges {
                if bridge.poll_timeout().is_some_and(|at| at <= self.now) {
                    bridge.on_timeout(self.now);
                }
            }
            self.settle();
        }
        self.now = end;
    }

    fn states(&self, cable: usize) -> [State; 2] {
        self.cables[cable].map(|(bridge, port)| self.bridges[bridge].state(Port(port)))
    }

    /// Cables that forward at both ends.
    fn tree(&self) -> Vec<usize> {
        (0..self.cables.len()).filter(|&c| self.states(c) == [State::Forwarding; 2]).collect()
    }
}

const TRIANGLE: [[(usize, u16); 2]; 3] = [[(0, 0), (1, 0)], [(1, 1), (2, 0)], [(2, 1), (0, 1)]];

#[test]
fn a_triangle_blocks_the_port_farthest_from_the_root() {
    let mut net = Net::new(&[32768; 3], &TRIANGLE);
    net.run(14);
    assert_eq!(net.tree(), []);
    net.run(20);
    assert!(net.bridges.iter().all(|b| b.root().mac == MacAddr::local(1)));
    // Cable 1 joins the two that are no root; the lower of them keeps its port.
    assert_eq!(net.tree(), [0, 2]);
    assert_eq!(net.states(1), [State::Forwarding, State::Blocking]);
}

#[test]
fn priority_makes_the_root() {
    let mut net = Net::new(&[32768, 32768, 4096], &TRIANGLE);
    net.run(40);
    assert!(net.bridges[2].is_root());
    assert_eq!(net.tree(), [1, 2]);
}

#[test]
fn a_cut_is_healed_after_twice_the_forward_delay() {
    let mut net = Net::new(&[32768; 3], &TRIANGLE);
    net.run(60);
    net.plug(2, Carrier::Down);
    net.run(29);
    assert_eq!(net.tree(), [0]);
    net.run(2);
    assert_eq!(net.tree(), [0, 1]);
}

#[test]
fn a_root_that_falls_silent_is_replaced() {
    let mut net = Net::new(&[32768; 3], &TRIANGLE);
    net.run(60);
    net.plug(0, Carrier::Down);
    net.plug(2, Carrier::Down);
    net.run(60);
    assert!(net.bridges[1].is_root() && net.bridges[2].root() == net.bridges[1].root());
    assert_eq!(net.tree(), [1]);
}

#[test]
fn a_change_of_the_tree_reaches_the_root_and_comes_back() {
    // A chain of four, with a ring at its end.
    let mut net = Net::new(&[1, 2, 3, 4], &[[(0, 0), (1, 0)], [(1, 1), (2, 0)], [(2, 1), (3, 0)], [(3, 1), (1, 2)]]);
    net.run(100);
    for bridge in &mut net.bridges {
        while bridge.poll_event().is_some() {}
        assert_eq!(bridge.topology_change, Flag::Clear);
    }
    net.plug(1, Carrier::Down);
    net.run(3);
    assert!(net.bridges.iter().all(|b| b.topology_change == Flag::Set));
    net.run(100);
    assert!(net.bridges.iter().all(|b| b.topology_change == Flag::Clear));
    assert_eq!(net.tree(), [0, 2, 3]);
}

#[test]
fn only_the_root_speaks_and_others_pass_it_on() {
    let mut net = Net::new(&[32768; 3], &TRIANGLE);
    net.run(100);
    let before = net.sent;
    net.run(20);
    // Ten hellos: two of the root, one of the bridge between.
    assert_eq!(net.sent - before, 30);
}

#[test]
fn parallel_cables_leave_one() {
    let mut net = Net::new(&[1, 2], &[[(0, 0), (1, 0)], [(0, 1), (1, 1)]]);
    net.bridges[1].set_path_cost(Port(0), 100);
    net.run(60);
    assert_eq!(net.tree().len(), 1);
}
