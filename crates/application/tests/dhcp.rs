//! DHCP's state machines against each other, by explicit times and with messages as they are on the wire.

use core::time::Duration;
use std::net::Ipv4Addr;

use septet_application::dhcp::lease::{Dest, Found, Naming, Output, Pool, Reserved, Server, Told, Via};
use septet_application::dhcp::machine::{Identity, Lease, Machine, Output as Wish, State, To};
use septet_application::dhcp::relaying;
use septet_core::Instant;
use septet_wire::dhcp::{Kind, Message, Options, Reach};
use septet_wire::ethernet::MacAddr;

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const VIA: Via = Via { iface: 0, address: SERVER };
const LEASE: Duration = Duration::from_secs(3600);

fn ip(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, last)
}

fn pool(subnet: &str, from: Ipv4Addr, to: Ipv4Addr) -> Pool {
    Pool {
        subnet: subnet.parse().unwrap(),
        ranges: vec![(from, to)],
        reserved: vec![(Reserved::Name("printer".into()), ip(50)), (Reserved::Mac(MacAddr::local(77)), ip(51))],
        routers: vec![SERVER],
        name_servers: vec![ip(2)],
        domain: Some("lab".into()),
        lease: LEASE,
        renew: None,
        rebind: None,
    }
}

fn server() -> Server {
    Server::new(vec![
        pool("10.0.0.0/24", ip(100), ip(101)),
        pool("10.0.9.0/24", [10, 0, 9, 100].into(), [10, 0, 9, 100].into()),
    ])
}

fn client(number: u64, old: Option<Ipv4Addr>, now: Instant) -> Machine {
    let identity = Identity { mac: MacAddr::local(number), host_name: format!("h{number}") };
    Machine::new(identity, old, now, number)
}

/// What the server answers at once: messages after their way over the wire, and what it tells.
fn ask(server: &mut Server, now: Instant, message: &Message) -> (Vec<(Dest, Message)>, Vec<Told>) {
    let message = Message::parse(&message.to_bytes()).unwrap();
    server.receive(now, VIA, &message);
    let (mut sent, mut told) = (Vec::new(), Vec::new());
    while let Some(output) = server.poll() {
        match output {
            Output::Send(dest, message) => sent.push((dest, Message::parse(&message.to_bytes()).unwrap())),
            Output::Check(address, question) => server.checked(now, VIA, address, &question, Found::Nobody),
            Output::Told(news) => told.push(news),
            Output::Name(..) => {}
        }
    }
    (sent, told)
}

/// Lets a client do what is due at `now`, and the server answer it.
fn turn(client: &mut Machine, server: &mut Server, now: Instant) -> Vec<Wish> {
    client.on_deadline(now);
    let mut wishes = Vec::new();
    while let Some(wish) = client.poll() {
        if let Wish::Send(_, message) = &wish {
            for (_, answer) in ask(server, now, message).0 {
                client.receive(now, &answer);
            }
        }
        wishes.push(wish);
    }
    wishes
}

/// A client with a lease that it has found free.
fn bound(number: u64, server: &mut Server, now: Instant) -> (Machine, Lease) {
    let mut client = client(number, None, now);
    let wishes = turn(&mut client, server, now);
    let Some(Wish::Use(lease)) = wishes.last().cloned() else { panic!("{wishes:?}") };
    client.used(now);
    assert_eq!(client.state(), &State::Bound(lease.clone()));
    (client, lease)
}

fn sent(wishes: &[Wish]) -> Vec<(To, Kind)> {
    let kind = |wish: &Wish| if let Wish::Send(to, message) = wish { Some((*to, message.options.kind)) } else { None };
    wishes.iter().filter_map(kind).collect()
}

#[test]
fn four_messages_give_an_address_with_all_that_goes_with_it() {
    let (mut server, now) = (server(), Instant::from_secs(5));
    let (_, lease) = bound(7, &mut server, now);
    assert_eq!((lease.address, lease.prefix_len, lease.server), (ip(100), 24, SERVER));
    assert_eq!((&lease.routers[..], &lease.name_servers[..]), (&[SERVER][..], &[ip(2)][..]));
    let after = |part: f64| now + LEASE.mul_f64(part);
    assert_eq!((lease.renew_at, lease.rebind_at, lease.ends_at), (after(0.5), after(0.875), after(1.0)));
    let known = server.known();
    assert_eq!((&*known[0].name, &*known[0].domain, known[0].address), ("h7", "lab", ip(100)));
    assert_eq!(server.known_until(ip(100)), Some(after(1.0)));
}

/// What name servers are to be told.
fn names(server: &mut Server, now: Instant, message: &Message) -> Vec<(Naming, String, Ipv4Addr)> {
    server.receive(now, VIA, &Message::parse(&message.to_bytes()).unwrap());
    taken(server, now)
}

fn taken(server: &mut Server, now: Instant) -> Vec<(Naming, String, Ipv4Addr)> {
    let mut names = Vec::new();
    while let Some(output) = server.poll() {
        match output {
            Output::Check(address, question) => server.checked(now, VIA, address, &question, Found::Nobody),
            Output::Name(naming, named) => names.push((naming, named.name, named.address)),
            Output::Send(..) | Output::Told(_) => {}
        }
    }
    names
}

#[test]
fn a_client_is_known_by_its_name_as_long_as_it_has_its_address() {
    let (mut server, now) = (server(), Instant::ZERO);
    let ask = |kind, name: &str| {
        let mut message = Message::request(kind, 1, MacAddr::local(5));
        message.options.host_name = Some(name.into());
        message
    };
    let request = |name: &str| {
        let mut message = ask(Kind::Request, name);
        (message.options.requested, message.options.server) = (Some(ip(100)), Some(SERVER));
        message
    };
    assert_eq!(names(&mut server, now, &ask(Kind::Discover, "Alice")), []);
    let (known, gone) = (Naming::Known, Naming::Gone);
    let own = |naming, name: &str| (naming, name.to_owned(), ip(100));
    assert_eq!(names(&mut server, now, &request("Alice")), [own(known, "alice")]);
    // It is told once, and what its lease is prolonged to counts.
    let later = now + LEASE / 2;
    let renewal = Message { ciaddr: ip(100), ..ask(Kind::Request, "alice") };
    assert_eq!(names(&mut server, later, &renewal), []);
    server.expire(now + LEASE);
    assert_eq!(taken(&mut server, now), []);
    let renamed = Message { ciaddr: ip(100), ..ask(Kind::Request, "bob") };
    assert_eq!(names(&mut server, later, &renamed), [own(gone, "alice"), own(known, "bob")]);
    let nameless = Message { ciaddr: ip(100), ..ask(Kind::Request, "no name.") };
    assert_eq!(names(&mut server, later, &nameless), [own(gone, "bob")]);
    assert_eq!(names(&mut server, later, &renewal), [own(known, "alice")]);
    server.expire(later + LEASE);
    assert_eq!(taken(&mut server, later), [own(gone, "alice")]);
    assert_eq!(names(&mut server, later, &renewal), [own(known, "alice")]);
    let release = Message { ciaddr: ip(100), ..ask(Kind::Release, "alice") };
    assert_eq!(names(&mut server, later, &release), [own(gone, "alice")]);
}

#[test]
fn nobody_answers_and_the_client_asks_at_doubled_intervals() {
    let mut client = client(1, None, Instant::ZERO);
    let mut gaps = Vec::new();
    let mut last = Instant::ZERO;
    for _ in 0..8 {
        let now = client.deadline().unwrap();
        gaps.push((now - last).as_secs_f64());
        last = now;
        client.on_deadline(now);
        let Some(Wish::Send(To::All, message)) = client.poll() else { panic!() };
        assert_eq!((message.options.kind, message.reach), (Kind::Discover, Reach::Broadcast));
        assert_eq!(u64::from(message.secs), now.as_millis() / 1000);
    }
    for (gap, middle) in gaps[1..].iter().zip([4.0, 8.0, 16.0, 32.0, 64.0, 64.0, 64.0]) {
        assert!((middle - 1.0..=middle + 1.0).contains(gap), "{gaps:?}");
    }
}

#[test]
fn a_lease_is_renewed_rebound_and_ends() {
    let (mut server, now) = (server(), Instant::ZERO);
    let (mut client, lease) = bound(7, &mut server, now);
    let wishes = turn(&mut client, &mut server, lease.renew_at);
    assert_eq!(sent(&wishes), [(To::Server(SERVER), Kind::Request)]);
    let Some(Wish::Prolong(second)) = wishes.last().cloned() else { panic!("{wishes:?}") };
    assert_eq!(second.ends_at, lease.renew_at + LEASE);
    // From now on the server is gone.
    let mut silent = Server::default();
    let (mut unicasts, mut broadcasts) = (0, 0);
    loop {
        let at = client.deadline().unwrap();
        let wishes = turn(&mut client, &mut silent, at);
        for (to, kind) in sent(&wishes) {
            match (to, kind) {
                (To::Server(_), Kind::Request) => {
                    assert!(at < second.rebind_at);
                    unicasts += 1;
                }
                (To::All, Kind::Request) => {
                    assert!((second.rebind_at..second.ends_at).contains(&at));
                    broadcasts += 1;
                }
                (To::All, Kind::Discover) => {
                    assert_eq!(at, second.ends_at);
                    assert!(matches!(wishes[0], Wish::Drop(address, _) if address == second.address));
                    // Half of what is left each time, and no less than a minute.
                    assert!((4..=6).contains(&unicasts) && (3..=5).contains(&broadcasts), "{unicasts} {broadcasts}");
                    return;
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn a_host_that_was_off_asks_for_its_old_address_and_is_told_where_it_is_wrong() {
    let (mut server, now) = (server(), Instant::ZERO);
    let (_, lease) = bound(7, &mut server, now);
    let later = Instant::from_secs(100);
    let mut again = client(7, Some(lease.address), later);
    let wishes = turn(&mut again, &mut server, later);
    assert_eq!(sent(&wishes), [(To::All, Kind::Request)]);
    assert!(matches!(wishes.last(), Some(Wish::Use(l)) if l.address == lease.address));
    // Of another network: NAK, and from the beginning.
    let mut moved = client(7, Some([192, 0, 2, 9].into()), later);
    let wishes = turn(&mut moved, &mut server, later);
    let kinds: Vec<Kind> = sent(&wishes).into_iter().map(|(_, kind)| kind).collect();
    assert_eq!(kinds, [Kind::Request, Kind::Discover, Kind::Request]);
    // A server that does not know the client says nothing (RFC 2131 §4.3.2).
    let mut stranger = client(8, Some(ip(101)), later);
    stranger.on_deadline(later);
    let Some(Wish::Send(_, request)) = stranger.poll() else { panic!() };
    assert!(ask(&mut server, later, &request).0.is_empty());
}

#[test]
fn an_address_that_somebody_has_is_declined_and_left_alone() {
    let (mut server, now) = (server(), Instant::ZERO);
    let mut first = client(7, None, now);
    turn(&mut first, &mut server, now);
    first.declined(now);
    let wishes = turn(&mut first, &mut server, now);
    assert_eq!(sent(&wishes), [(To::All, Kind::Decline)]);
    assert_eq!(first.deadline(), Some(now + Duration::from_secs(10)));
    let wishes = turn(&mut first, &mut server, now + Duration::from_secs(10));
    assert!(matches!(wishes.last(), Some(Wish::Use(lease)) if lease.address == ip(101)), "{wishes:?}");
    // What answers the server's own question is left alone too.
    let mut careful = Server::new(vec![pool("10.0.0.0/24", ip(100), ip(101))]);
    let discover = Message::request(Kind::Discover, 1, MacAddr::local(3));
    careful.receive(now, VIA, &discover);
    let Some(Output::Check(address, question)) = careful.poll() else { panic!() };
    careful.checked(now, VIA, address, &question, Found::Somebody);
    assert!(matches!(careful.poll(), Some(Output::Told(Told::Abandoned(a, _))) if a == address));
    assert!(matches!(careful.poll(), Some(Output::Check(other, _)) if other != address));
}

#[test]
fn a_pool_runs_out_and_what_is_released_is_given_again() {
    let (mut server, now) = (server(), Instant::ZERO);
    let (mut first, lease) = bound(1, &mut server, now);
    bound(2, &mut server, now);
    let discover = Message::request(Kind::Discover, 9, MacAddr::local(3));
    assert_eq!(ask(&mut server, now, &discover), (vec![], vec![Told::Exhausted(MacAddr::local(3))]));
    first.release(now);
    let wishes = turn(&mut first, &mut server, now);
    assert_eq!(sent(&wishes), [(To::Server(SERVER), Kind::Release)]);
    assert_eq!((first.deadline(), server.leased(now)), (None, 1));
    let (answers, _) = ask(&mut server, now, &discover);
    assert_eq!(answers[0].1.yiaddr, lease.address);
    // Nobody can release what is another's.
    let mut forged = Message::request(Kind::Release, 9, MacAddr::local(66));
    forged.ciaddr = ip(101);
    ask(&mut server, now, &forged);
    assert_eq!(server.leased(now), 1);
}

#[test]
fn answers_go_where_the_rfc_says() {
    let (mut server, now) = (server(), Instant::ZERO);
    let mut discover = Message::request(Kind::Discover, 1, MacAddr::local(1));
    let dest = |server: &mut Server, message: &Message| ask(server, now, message).0[0].0;
    assert_eq!(dest(&mut server, &discover), Dest::Future(ip(100), MacAddr::local(1)));
    discover.reach = Reach::Broadcast;
    assert_eq!(dest(&mut server, &discover), Dest::All);
    let inform = Message { ciaddr: ip(9), ..Message::request(Kind::Inform, 1, MacAddr::local(5)) };
    let (answers, _) = ask(&mut server, now, &inform);
    assert_eq!(answers[0].0, Dest::Client(ip(9)));
    let Options { kind, lease, routers, .. } = &answers[0].1.options;
    assert_eq!(
        (*kind, *lease, &routers[..], answers[0].1.yiaddr),
        (Kind::Ack, None, &[SERVER][..], Ipv4Addr::UNSPECIFIED)
    );
    // By way of a relay the other pool is meant, and the relay gets the answer.
    let own = Ipv4Addr::new(10, 0, 9, 1);
    let mut far = Message::request(Kind::Discover, 2, MacAddr::local(6));
    far.options.relay = Some(vec![1, 1, 9]);
    let relayed = relaying::to_server(&far, own).unwrap();
    assert_eq!((relayed.giaddr, relayed.hops), (own, 1));
    let (answers, _) = ask(&mut server, now, &relayed);
    assert_eq!((answers[0].0, answers[0].1.yiaddr), (Dest::Relay(own), Ipv4Addr::new(10, 0, 9, 100)));
    assert_eq!(answers[0].1.options.relay, Some(vec![1, 1, 9]), "RFC 3046: it is given back as it was");
    let (dest, _) = relaying::to_client(&answers[0].1).unwrap();
    assert_eq!(dest, Dest::Future(answers[0].1.yiaddr, MacAddr::local(6)));
    let tired = Message { hops: 16, ..far };
    assert_eq!(relaying::to_server(&tired, own), None);
}

#[test]
fn reserved_addresses_are_for_their_owners_alone() {
    let (mut server, now) = (server(), Instant::ZERO);
    let mut named = Message::request(Kind::Discover, 1, MacAddr::local(9));
    named.options.host_name = Some("Printer".into());
    assert_eq!(ask(&mut server, now, &named).0[0].1.yiaddr, ip(50));
    let by_mac = Message::request(Kind::Discover, 1, MacAddr::local(77));
    assert_eq!(ask(&mut server, now, &by_mac).0[0].1.yiaddr, ip(51));
    let mut thief = Message::request(Kind::Discover, 1, MacAddr::local(5));
    thief.options.requested = Some(ip(50));
    assert_eq!(ask(&mut server, now, &thief).0[0].1.yiaddr, ip(100));
}

/// Whatever comes: no panic, and no more bindings than there are addresses.
#[test]
fn strangers_do_not_fill_its_memory() {
    let (mut server, now) = (server(), Instant::ZERO);
    for number in 0..5000u64 {
        for kind in [Kind::Discover, Kind::Request, Kind::Decline, Kind::Release, Kind::Inform, Kind::Ack] {
            let mut message = Message::request(kind, number as u32, MacAddr::local(number));
            message.ciaddr = Ipv4Addr::from_bits(0x0a00_0000 + (number as u32 % 300));
            message.options.requested = Some(ip((number % 256) as u8));
            message.options.server = (number % 2 == 0).then_some(SERVER);
            ask(&mut server, now, &message);
        }
    }
    assert!(server.leased(now) <= 2 + 1 + 2);
}
