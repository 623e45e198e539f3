//! Services and programs in virtual time: names over a lossy link, the way through routers, HTTPS with the same bytes
//! on every run.

use core::time::Duration;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use septet_application::balancer::{Balancer, Target};
use septet_application::dns::{Data, Server, Zone};
use septet_application::http::{self, Page, Site};
use septet_application::programs::{self, Captured, Context};
use septet_core::{Carrier, Event, EventId, Instant, Interest, Monitor, Port, Randomness, Seed, StationId};
use septet_datalink::ethernet::MacAddr;
use septet_engine::{Action, LinkId, World};
use septet_host::{Forwarding, Host, HostConfig, InterfaceConfig, StaticRoute};
use septet_network::Prefix;
use septet_physical::{Medium, Ratio};
use septet_presentation::ca::{Authority, KeySource};
use septet_socket::NetRef;

/// A line of routers: `hosts[0]` – r1 – r2 – … – `hosts[1]`, each link a network of its own, 10.0.N.0/24.
struct Line {
    world: World,
    links: Vec<LinkId>,
    client: StationId,
    console: Captured,
    code: Arc<Mutex<Option<u8>>>,
    heard: Heard,
}

/// What the monitor heard: the kinds of events with their reasons, and the secrets.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Monitor for Heard {
    fn interest(&self) -> Interest {
        Interest::Events
    }

    fn event(&mut self, event: &Event) {
        let fields: Vec<_> = event.fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        self.0.lock().unwrap().push(format!("{} {} {}", event.at, event.kind, fields.join(" ")));
    }

    fn secret(&mut self, _: Instant, line: &str) {
        self.0.lock().unwrap().push(format!("secret {line}"));
    }
}

impl Line {
    /// Runs until the program has ended, or `limit`.
    fn run(&mut self, limit: u64) -> (Option<u8>, String) {
        let limit = Instant::from_secs(limit);
        while self.code.lock().unwrap().is_none() && self.world.now() < limit {
            let next = (self.world.now() + Duration::from_millis(100)).min(limit);
            self.world.run_until(next).unwrap();
        }
        (*self.code.lock().unwrap(), self.console.output() + &self.console.errors())
    }

    fn count(&self, name: &str) -> usize {
        let host = self.world.station::<Host>(self.client).unwrap();
        host.recorder().series(name).map_or(0, |s| s.count())
    }

    fn heard(&self) -> Vec<String> {
        self.heard.0.lock().unwrap().clone()
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn node(
    name: &str,
    number: u64,
    addresses: &[String],
    routes: &[(String, String)],
    forwarding: Forwarding,
) -> HostConfig {
    let interface = |(i, address): (usize, &String)| InterfaceConfig {
        mac: MacAddr::local(number * 16 + i as u64),
        addresses: vec![address.parse().unwrap()],
        mtu: 1500,
    };
    HostConfig {
        interfaces: addresses.iter().enumerate().map(interface).collect(),
        routes: routes.iter().map(|(p, g)| StaticRoute::new(p.parse::<Prefix>().unwrap(), ip(g))).collect(),
        forwarding,
        name_servers: vec![SocketAddr::new(ip("10.0.9.53"), 53)],
        ..HostConfig::new(name)
    }
}

fn boot<F>(host: &mut Host, program: impl Fn(NetRef) -> F + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    host.on_boot(move |net| {
        let _ = net.spawn(Box::pin(program(net.clone())));
    });
}

/// A client that runs `line` at once, `routers` routers, and at the end 10.0.9.53, which serves names, and pages over
/// HTTPS through a balancer.
fn line(seed: u64, routers: u64, medium: &Medium, line: &'static str) -> Line {
    let mut world = World::new(Seed::new(seed));
    let heard = Heard::default();
    world.add_monitor(heard.clone());
    let epoch = HostConfig::new("").epoch;
    let authority = Authority::new(KeySource::Seeded(Seed::new(seed)), epoch).unwrap();
    let trust = authority.trust_store();
    let console = Captured::default();
    let code = Arc::new(Mutex::new(None));
    let last = routers + 1;
    let net_of = |link: u64| if link == last { "10.0.9".to_owned() } else { format!("10.0.{link}") };
    let all = "0.0.0.0/0".to_owned();

    let config =
        node("client", 1, &["10.0.1.10/24".into()], &[(all.clone(), format!("{}.1", net_of(1)))], Forwarding::Off);
    let mut client = Host::new(HostConfig { randomness: Randomness::Seeded(Seed::new(seed)), ..config }).unwrap();
    let (out, status) = (console.clone(), code.clone());
    boot(&mut client, move |net| {
        let context = Context { net, console: Arc::new(out.clone()), trust: trust.clone() };
        let status = status.clone();
        async move {
            let code = programs::launch(context, programs::split(line).unwrap()).await;
            *status.lock().unwrap() = Some(code);
        }
    });
    let client = world.add_station("client", Box::new(client));

    let mut before = (client, Port(0));
    let mut links = Vec::new();
    for r in 1..=routers {
        let here = [format!("{}.1/24", net_of(r)), format!("{}.2/24", net_of(r + 1))];
        let back = ("10.0.1.0/24".to_owned(), format!("{}.2", net_of(r)));
        let onwards = (all.clone(), format!("{}.1", net_of(r + 1)));
        let routes = match (r == 1, r == routers) {
            (true, true) => vec![],
            (true, false) => vec![onwards],
            (false, true) => vec![back],
            (false, false) => vec![back, onwards],
        };
        let router = Host::new(node(&format!("r{r}"), 10 + r, &here, &routes, Forwarding::On)).unwrap();
        let router = world.add_station(&format!("r{r}"), Box::new(router));
        links.push(world.connect(before, (router, Port(0)), medium.clone(), medium.clone(), &format!("l{r}")));
        before = (router, Port(1));
    }
    let home = node("home", 2, &["10.0.9.53/24".into()], &[(all, "10.0.9.2".into())], Forwarding::Off);
    let mut home = Host::new(HostConfig { randomness: Randomness::Seeded(Seed::new(seed)), ..home }).unwrap();
    let identity = authority.issue(&["www.shop.test"]).unwrap();
    boot(&mut home, move |net| {
        let identity = identity.clone();
        async move {
            let mut zone = Zone::new("shop.test").unwrap();
            zone.add("www", Data::A([10, 0, 9, 53].into())).unwrap();
            let zones = [zone].to_vec();
            let mut reverse = Zone::new("10.in-addr.arpa").unwrap();
            reverse.add("53.9.0", Data::Ptr("www.shop.test.".into())).unwrap();
            let at = |port| SocketAddr::new(ip("0.0.0.0"), port);
            let web = SocketAddr::new(ip("10.0.9.53"), 8080);
            let site = Site::new(Page::pattern(20_000)).think(Duration::from_millis(2));
            let dns = Server::new([zones, vec![reverse]].concat()).serve(net.clone());
            let pages = http::Server::new(site).listen(at(8080)).serve(net.clone());
            let balancer = Balancer::new(at(443), vec![Target::new("web", web)]).tls(identity).serve(net.clone());
            for service in [Box::pin(dns) as septet_socket::BoxFuture<'static, _>, Box::pin(pages), Box::pin(balancer)]
            {
                let _ = net.spawn(Box::pin(async move { panic!("a service ended: {:?}", service.await) }));
            }
        }
    });
    let home = world.add_station("home", Box::new(home));
    links.push(world.connect(before, (home, Port(0)), medium.clone(), medium.clone(), "last"));
    Line { world, links, client, console, code, heard }
}

fn cable() -> Medium {
    Medium { delay: Duration::from_millis(5), ..Medium::default() }
}

fn lossy(percent: u32) -> Medium {
    Medium { loss: Ratio::new(f64::from(percent) / 100.0).unwrap(), ..cable() }
}

fn carrier(link: LinkId, carrier: Carrier) -> Action {
    Action::Carrier { link, carrier, cause: EventId::NONE }
}

#[test]
fn ping_through_routers() {
    let mut line = line(1, 2, &cable(), "ping -c 3 -i 0.2 www.shop.test");
    let (code, out) = line.run(20);
    assert_eq!(code, Some(0), "{out}");
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(lines[0], "PING www.shop.test (10.0.9.53) 56(84) bytes of data.");
    assert_eq!(lines[1], "64 bytes from www.shop.test (10.0.9.53): icmp_seq=1 ttl=62 time=30.0 ms");
    assert_eq!(lines[3], "64 bytes from www.shop.test (10.0.9.53): icmp_seq=3 ttl=62 time=30.0 ms");
    assert_eq!(lines[6], "3 packets transmitted, 3 received, 0% packet loss, time 400ms");
    assert!(lines[7].starts_with("rtt min/avg/max/mdev = 30.0"), "{out}");
}

#[test]
fn ping_where_nobody_is() {
    let mut line = line(1, 2, &cable(), "ping -c 2 10.0.9.99");
    let (code, out) = line.run(60);
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("From 10.0.2.1 icmp_seq=1 Destination Host Unreachable\n"), "{out}");
    assert!(out.contains("2 packets transmitted, 0 received, +2 errors, 100% packet loss, time 1000ms\n"), "{out}");
}

#[test]
fn traceroute_names_each_router() {
    let mut line = line(1, 3, &cable(), "traceroute -n www.shop.test");
    let (code, out) = line.run(60);
    assert_eq!(code, Some(0), "{out}");
    let hops: Vec<_> =
        out.lines().skip(1).map(|l| l.split_whitespace().take(3).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(out.lines().next().unwrap(), "traceroute to www.shop.test (10.0.9.53), 30 hops max, 60 byte packets");
    let wanted = [("1", "10.0.1.1", 10), ("2", "10.0.2.1", 20), ("3", "10.0.3.1", 30), ("4", "10.0.9.53", 40)];
    assert_eq!(hops.len(), 4, "{out}");
    for (hop, (number, router, millis)) in hops.iter().zip(wanted) {
        assert!(hop.starts_with(&format!("{number} {router} {millis}.")), "{hop} for {number} {router}: {out}");
    }
}

#[test]
fn a_name_is_found_over_a_link_that_loses_a_third() {
    let mut answered = 0;
    for seed in 0..20 {
        let mut line = line(seed, 1, &lossy(20), "dig +short +tries=5 www.shop.test");
        let (code, out) = line.run(60);
        answered += usize::from(code == Some(0) && out == "10.0.9.53\n");
        assert!(matches!(code, Some(0 | 9)), "{code:?} {out}");
    }
    // Each try gets through with 0.8^4 = 41 %; five tries with 93 %.
    assert!(answered >= 15, "{answered} of 20");
}

#[test]
fn https_has_the_same_bytes_on_every_run() {
    let run = |seed| {
        let mut line = line(seed, 2, &cable(), "curl -v https://www.shop.test/ --repeat 3 --interval 50ms --fresh");
        let (code, out) = line.run(30);
        assert_eq!(code, Some(0), "{out}");
        assert!(out.contains("3 ok, 0 failed, 60000 bytes"), "{out}");
        assert_eq!((line.count("http.ok"), line.count("dns.ok")), (3, 1));
        (format!("{:?}", line.world.digest()), out, line.heard())
    };
    let (a, b, c) = (run(7), run(7), run(8));
    assert_eq!(a.0, b.0, "the bytes on the wires differ");
    assert!(a == b, "the output or the trace differs");
    assert_ne!(a.0, c.0, "another seed has other keys");
    let secrets = a.2.iter().filter(|l| l.starts_with("secret CLIENT_HANDSHAKE_TRAFFIC_SECRET ")).count();
    // Both ends tell theirs.
    assert_eq!(secrets, 6);
    for moment in [
        "tls.client-hello",
        "tls.server-hello",
        "tls.certificate",
        "tls.finished",
        "balancer.pick",
        "http.request",
        "dns.answer",
    ] {
        assert!(a.2.iter().any(|l| l.contains(moment)), "{moment}");
    }
}

#[test]
fn https_over_a_lossy_link_arrives_intact() {
    for seed in 0..4 {
        let mut line = line(seed, 1, &lossy(5), "curl https://www.shop.test/ --repeat 10 --retry 3 --fresh");
        let (code, out) = line.run(120);
        assert_eq!(code, Some(0), "seed {seed}: {out}");
        assert!(out.contains("10 ok, 0 failed, 200000 bytes"), "seed {seed}: {out}");
    }
}

#[test]
fn a_cut_cable_is_a_timeout_and_no_hang() {
    let mut line = line(
        1,
        1,
        &cable(),
        "curl -m 3 https://www.shop.test/ --repeat 100 --interval 10ms --fresh --connect-timeout 1",
    );
    let cut = line.links[1];
    line.world.at(Instant::from_millis(500), carrier(cut, Carrier::Down));
    let (code, out) = line.run(400);
    assert!(matches!(code, Some(7 | 28)), "{code:?}: {out}");
    assert!(line.count("http.exit.28") > 20, "{out}");
    assert_eq!((line.count("http.ok"), line.count("http.error")), (5, 95), "{out}");
}
