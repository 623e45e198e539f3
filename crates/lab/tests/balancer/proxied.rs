//! The PROXY protocol between balancers and servers: everybody behind them knows the client.

use std::cell::RefCell;
use std::rc::Rc;

use septet_core::{Event, Interest, Monitor};
use septet_lab::{BuildOptions, Outcome};

use super::{lab, sum};

#[derive(Clone, Default)]
struct Events(Rc<RefCell<Vec<Event>>>);

impl Monitor for Events {
    fn interest(&self) -> Interest {
        Interest::Events
    }

    fn event(&mut self, event: &Event) {
        self.0.borrow_mut().push(event.clone());
    }
}

fn play(text: &str) -> (Outcome, Vec<Event>) {
    let mut run = lab(text).build(&BuildOptions::default()).unwrap();
    let events = Events::default();
    run.world.add_monitor(events.clone());
    run.play().unwrap();
    (run.outcome(), events.0.take())
}

/// A client, an edge that balances connections, a balancer of requests and a server.
fn chain(edge: &str, inner: &str, web: &str) -> (Outcome, Vec<Event>) {
    play(&format!(
        r#"
[lab]
stop = "6s"
[topology]
links = ["c[1..2], edge, lb, web -- s"]
[switch.s]
[host.edge.balancer]
listen = "tcp://:80"
to = "lb:80"
{edge}
[host.lb.balancer]
listen = "http://:80"
to = "web:80"
health = {{ every = "500ms" }}
{inner}
[host.web.http]
{web}
[host."c[1..2]"]
run = ["at 1s: curl http://edge/ --repeat 5 --interval 100ms"]
"#
    ))
}

/// Whom the server believes its requests to be of, but for health checks.
fn peers(events: &[Event]) -> Vec<String> {
    let mut peers: Vec<_> = events
        .iter()
        .filter(|event| event.kind == "proxy.header")
        .filter_map(|event| event.field("source"))
        .map(|source| source.to_string().rsplit_once(':').unwrap().0.to_owned())
        .collect();
    peers.sort();
    peers.dedup();
    peers
}

#[test]
fn everybody_on_the_way_knows_the_client() {
    for version in ["v1", "v2"] {
        let (outcome, events) = chain(
            &format!("proxy_protocol = '{version}'"),
            &format!("proxy_protocol = '{version}'\nproxy_protocol_from = 'edge'"),
            "proxy_protocol_from = '10.0.1.0/24'",
        );
        assert_eq!(sum(&outcome, "c1", "http.ok") + sum(&outcome, "c2", "http.ok"), 10.0, "{version}");
        // Health checks say that they are nobody's, and go well.
        assert_eq!(sum(&outcome, "lb", "balancer.checks.failed"), 0.0);
        // A kept connection serves no other client.
        assert_eq!(sum(&outcome, "lb", "backend.web.connections"), 2.0);
        assert_eq!(peers(&events), ["10.0.1.4", "10.0.1.5"], "{version}");
    }
}

#[test]
fn a_header_is_demanded_where_it_is_expected_and_believed_nowhere_else() {
    let (outcome, _) = chain("", "proxy_protocol_from = 'edge'", "");
    assert_eq!((sum(&outcome, "c1", "http.ok"), sum(&outcome, "lb", "balancer.unproxied")), (0.0, 10.0));
    // The balancer is not among those whose header is believed: to the server it is no request.
    let (outcome, events) = chain("", "proxy_protocol = 'v2'", "proxy_protocol_from = 'c1'");
    assert_eq!((sum(&outcome, "c1", "http.ok"), peers(&events).len()), (0.0, 0));
    assert!(sum(&outcome, "web", "http.refused") > 0.0);
}
