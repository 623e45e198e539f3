//! Rapid bridges, and old ones among them, joined by cables that carry BPDUs.

use super::super::SpanningTree;
use super::*;
use crate::ethernet::MacAddr;

struct Net {
    now: Instant,
    bridges: Vec<Box<dyn Protocol>>,
    /// Bridge and port at both ends; a bridge that is not there is an end station.
    cables: Vec<[(usize, u16); 2]>,
    up: Vec<bool>,
    flushed: Vec<(usize, u16)>,
}

fn parameters(bridge: usize) -> Parameters {
    Parameters::new(BridgeId { priority: 32_768, mac: MacAddr::local(bridge as u64 + 1) })
}

fn rapid(bridge: usize) -> RapidTree {
    RapidTree::new(parameters(bridge))
}

impl Net {
    fn new(bridges: Vec<Box<dyn Protocol>>, cables: &[[(usize, u16); 2]]) -> Self {
        let up = vec![false; cables.len()];
        let mut net = Self { now: Instant::from_millis(1), bridges, cables: cables.to_vec(), up, flushed: Vec::new() };
        for cable in 0..cables.len() {
            net.plug(cable, Carrier::Up);
        }
        net
    }

    fn rapids(bridges: usize, cables: &[[(usize, u16); 2]]) -> Self {
        Self::new((0..bridges).map(|n| Box::new(rapid(n)) as Box<dyn Protocol>).collect(), cables)
    }

    fn plug(&mut self, cable: usize, carrier: Carrier) {
        self.up[cable] = carrier == Carrier::Up;
        for (bridge, port) in self.cables[cable] {
            if let Some(bridge) = self.bridges.get_mut(bridge) {
                bridge.set_carrier(self.now, Port(port), carrier);
            }
        }
        self.settle();
    }

    fn settle(&mut self) {
        let mut left = 10_000;
        loop {
            let mut more = false;
            for from in 0..self.bridges.len() {
                while let Some(event) = self.bridges[from].poll_event() {
                    more = true;
                    left -= 1;
                    assert!(left > 0, "they talk for ever");
                    match event {
                        Event::Send(port, bpdu) => self.carry(from, port, &bpdu),
                        Event::Flush(port) => self.flushed.push((from, port.0)),
                        _ => {}
                    }
                }
            }
            self.no_loop();
            if !more {
                return;
            }
        }
    }

    fn carry(&mut self, from: usize, port: Port, bpdu: &Bpdu) {
        let bpdu = Bpdu::parse(&bpdu.build()).unwrap();
        for (cable, ends) in self.cables.iter().enumerate() {
            let Some(end) = ends.iter().position(|e| *e == (from, port.0)).filter(|_| self.up[cable]) else { continue };
            let (to, port) = ends[1 - end];
            if let Some(bridge) = self.bridges.get_mut(to) {
                bridge.receive(self.now, Port(port), &bpdu);
            }
        }
    }

    /// Cables that forward at both ends never close a loop, not even for a moment.
    fn no_loop(&self) {
        let mut parent: Vec<usize> = (0..self.bridges.len()).collect();
        fn root(parent: &[usize], of: usize) -> usize {
            if parent[of] == of { of } else { root(parent, parent[of]) }
        }
        for cable in self.tree() {
            let [a, b] = self.cables[cable].map(|(bridge, _)| bridge);
            if b < self.bridges.len() {
                let (a, b) = (root(&parent, a), root(&parent, b));
                assert_ne!(a, b, "cable {cable} closes a loop at {:?}", self.now);
                parent[a] = b;
            }
        }
    }

    fn run(&mut self, millis: u64) {
        let end = self.now + Duration::from_millis(millis);
        while let Some(next) = self.bridges.iter().filter_map(|b| b.poll_timeout()).min()
            && next <= end
        {
            self.now = self.now.max(next);
            for bridge in &mut self.bridges {
                if bridge.poll_timeout().is_some_and(|at| at <= self.now) {
                    bridge.on_timeout(self.now);
                    assert!(bridge.poll_timeout().is_none_or(|at| at > self.now), "a timer that does not end");
                }
            }
            self.settle();
        }
        self.now = end;
    }

    fn states(&self, cable: usize) -> [State; 2] {
        let state = |(bridge, port): (usize, u16)| {
            self.bridges.get(bridge).map_or(State::Forwarding, |bridge| bridge.state(Port(port)))
        };
        self.cables[cable].map(state)
    }

    /// Cables that forward at both ends.
    fn tree(&self) -> Vec<usize> {
        let all = (0..self.cables.len()).filter(|&c| self.up[c]);
        all.filter(|&c| self.states(c) == [State::Forwarding; 2]).collect()
    }
}

const TRIANGLE: [[(usize, u16); 2]; 3] = [[(0, 0), (1, 0)], [(1, 1), (2, 0)], [(2, 1), (0, 1)]];
/// Not a bridge.
const STATION: (usize, u16) = (99, 0);

#[test]
fn a_triangle_agrees_at_once() {
    let mut net = Net::rapids(3, &TRIANGLE);
    net.run(10);
    assert!(net.bridges.iter().all(|b| b.root().mac == MacAddr::local(1)));
    assert_eq!(net.tree(), [0, 2]);
    assert_eq!(net.states(1), [State::Forwarding, State::Discarding], "the alternate port of the farthest bridge");
    net.run(100_000);
    assert_eq!(net.tree(), [0, 2]);
}

#[test]
fn a_cut_is_healed_at_once_and_addresses_are_forgotten() {
    let mut net = Net::rapids(3, &TRIANGLE);
    net.run(60_000);
    net.flushed.clear();
    net.plug(2, Carrier::Down);
    assert_eq!(net.tree(), [0, 1]);
    net.run(10);
    // Where the change is heard of, what others are behind: not where the news comes from.
    assert!(net.flushed.contains(&(1, 0)) && net.flushed.contains(&(0, 1)), "{:?}", net.flushed);
    // And where the cable comes back, the first tree does too.
    net.plug(2, Carrier::Up);
    net.run(10);
    assert_eq!(net.tree(), [0, 2]);
}

#[test]
fn a_root_that_falls_silent_is_replaced_after_three_hellos() {
    let mut net = Net::rapids(3, &TRIANGLE);
    net.run(60_000);
    // The cables stay up, but nothing comes through: what is known is too old after 6 s.
    net.up[0] = false;
    net.up[2] = false;
    net.run(7_000);
    assert!(net.bridges[1].root().mac == MacAddr::local(2) && net.bridges[2].root().mac == MacAddr::local(2));
    assert_eq!(net.tree(), [1]);
}

#[test]
fn rings_of_any_size_settle_in_a_few_exchanges_wherever_they_are_cut() {
    for size in [4, 5, 8] {
        let ring: Vec<_> = (0..size).map(|n| [(n, 1), ((n + 1) % size, 0)]).collect();
        for cut in 0..size {
            let mut net = Net::rapids(size, &ring);
            net.run(30_000);
            assert_eq!(net.tree().len(), size - 1, "{size}");
            net.plug(cut, Carrier::Down);
            net.run(10);
            assert_eq!(net.tree().len(), size - 1, "{size} cut at {cut}: {:?}", net.tree());
            net.plug(cut, Carrier::Up);
            net.run(3_000);
            assert_eq!(net.tree().len(), size - 1, "{size} mended at {cut}: {:?}", net.tree());
        }
    }
}

#[test]
fn an_edge_port_forwards_at_once_and_others_when_nobody_answers() {
    let mut edged = rapid(0);
    edged.set_edge(Port(0));
    let mut net = Net::new(vec![Box::new(edged)], &[[(0, 0), STATION], [(0, 1), STATION]]);
    assert_eq!(net.tree(), [0]);
    net.run(2_900);
    assert_eq!(net.tree(), [0]);
    net.run(200);
    assert_eq!(net.tree(), [0, 1]);
    // What happens there changes the tree for nobody.
    net.flushed.clear();
    net.plug(0, Carrier::Down);
    net.plug(0, Carrier::Up);
    assert_eq!((net.tree(), &net.flushed[..]), (vec![0, 1], &[(0, 0)][..]));
}

#[test]
fn a_bridge_behind_an_edge_port_makes_it_one_like_others() {
    let mut edged = rapid(0);
    edged.set_edge(Port(0));
    edged.set_edge(Port(1));
    let bridges: Vec<Box<dyn Protocol>> = vec![Box::new(edged), Box::new(rapid(1))];
    let mut net = Net { up: vec![false; 2], ..Net::new(bridges, &[]) };
    net.cables = vec![[(0, 0), (1, 0)], [(0, 1), (1, 1)]];
    net.up = vec![true; 2];
    for cable in 0..2 {
        for (bridge, port) in net.cables[cable] {
            net.bridges[bridge].set_carrier(net.now, Port(port), Carrier::Up);
        }
    }
    net.settle();
    net.run(5_000);
    assert_eq!(net.tree(), [0]);
}

#[test]
fn two_ports_on_one_segment_are_designated_and_backup() {
    // Two ports of one bridge on one cable: what it hears is its own.
    let mut net = Net::rapids(1, &[]);
    net.cables = vec![[(0, 0), (0, 1)]];
    net.up = vec![true];
    for port in 0..2 {
        net.bridges[0].set_carrier(net.now, Port(port), Carrier::Up);
    }
    let mut left = 100;
    while let Some(event) = net.bridges[0].poll_event() {
        left -= 1;
        assert!(left > 0);
        if let Event::Send(port, bpdu) = event {
            net.carry(0, port, &bpdu);
        }
    }
    assert_eq!(net.bridges[0].state(Port(1)), State::Discarding);
    net.bridges[0].on_timeout(net.now);
    assert_eq!(net.bridges[0].state(Port(1)), State::Discarding);
}

#[test]
fn a_shared_line_waits_for_the_forward_delay() {
    let shared = |n| {
        let mut tree = rapid(n);
        tree.set_shared(Port(0));
        Box::new(tree) as Box<dyn Protocol>
    };
    let mut net = Net::new(vec![shared(0), shared(1)], &[[(0, 0), (1, 0)]]);
    net.run(5_000);
    assert_eq!(net.tree(), [], "nobody may agree for others");
    net.run(40_000);
    assert_eq!(net.tree(), [0]);
}

#[test]
fn an_older_bridge_is_spoken_to_in_its_own_protocol() {
    let bridges: Vec<Box<dyn Protocol>> =
        vec![Box::new(SpanningTree::new(parameters(0))), Box::new(rapid(1)), Box::new(rapid(2))];
    let mut net = Net::new(bridges, &TRIANGLE);
    net.run(60_000);
    assert!(net.bridges.iter().all(|b| b.root().mac == MacAddr::local(1)));
    assert_eq!(net.tree(), [0, 2]);
    net.plug(2, Carrier::Down);
    net.run(50_000);
    assert_eq!(net.tree(), [0, 1]);
}

#[test]
fn any_order_of_cuts_and_repairs_leaves_a_tree() {
    // A mesh of five with more ways than it needs.
    let mesh = [
        [(0, 0), (1, 0)],
        [(1, 1), (2, 0)],
        [(2, 1), (3, 0)],
        [(3, 1), (0, 1)],
        [(0, 2), (2, 2)],
        [(1, 2), (3, 2)],
        [(4, 0), (1, 3)],
        [(4, 1), (3, 3)],
    ];
    let mut net = Net::rapids(5, &mesh);
    let mut dice = 12_345_u64;
    for _ in 0..300 {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let cable = (dice >> 33) as usize % mesh.len();
        net.plug(cable, if net.up[cable] { Carrier::Down } else { Carrier::Up });
        net.run(dice >> 40 & 0x7ff);
    }
    for cable in 0..mesh.len() {
        if !net.up[cable] {
            net.plug(cable, Carrier::Up);
        }
    }
    net.run(60_000);
    assert_eq!(net.tree().len(), 4, "{:?}", net.tree());
    assert!(net.bridges.iter().all(|b| b.root().mac == MacAddr::local(1)));
}

#[test]
fn costs_follow_the_table() {
    let table = [(10_000_000, 2_000_000), (100_000_000, 200_000), (1_000_000_000, 20_000), (10_000_000_000, 2_000)];
    for (rate, cost) in table {
        assert_eq!(path_cost(rate), cost, "{rate}");
    }
    assert_eq!((path_cost(1), path_cost(u64::MAX)), (200_000_000, 1));
}
