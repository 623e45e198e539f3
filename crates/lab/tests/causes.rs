//! Law 5 from the programs' side: each event of a program names what really led to it, and no stranger.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use septet_capture::Story;
use septet_capture::story::{Length, Style};
use septet_core::{Event, EventId, Interest, Monitor, Storey};
use septet_lab::{BuildOptions, Lab};

/// The lines that a short story may have: two pages.
const PAGES: usize = 100;

/// Keeps every event.
#[derive(Clone, Default)]
struct Kept(Rc<RefCell<Vec<Event>>>);

impl Monitor for Kept {
    fn interest(&self) -> Interest {
        Interest::Events
    }

    fn event(&mut self, event: &Event) {
        self.0.borrow_mut().push(event.clone());
    }
}

/// What happened in a run.
struct Past {
    lab: String,
    /// In the order of their telling.
    events: Vec<Event>,
    /// Where each of them stands.
    places: BTreeMap<EventId, usize>,
}

/// Plays a lab; gives its events and its short story.
fn play(name: &str, text: &str) -> (Past, String) {
    let lab = Lab::parse(name, text).unwrap_or_else(|e| panic!("{name}: {e:?}"));
    let mut run = lab.build(&BuildOptions::default()).unwrap();
    let kept = Kept::default();
    run.world.add_monitor(kept.clone());
    let story = septet_capture::Shared::new(Story::new(Vec::new(), run.names(), Length::Short, Style::default()));
    run.world.add_monitor(story.clone());
    run.play().unwrap();
    run.outcome();
    drop(run);
    let story = story.into_inner().unwrap().finish().unwrap();
    let events = kept.0.take();
    let places: BTreeMap<_, _> = events.iter().enumerate().map(|(place, event)| (event.id, place)).collect();
    assert_eq!(places.len(), events.len(), "{name}: every name is given once");
    (Past { lab: name.to_owned(), events, places }, String::from_utf8(story).unwrap())
}

fn text<'a>(event: &'a Event, field: &str) -> std::borrow::Cow<'a, str> {
    event.field(field).map_or("".into(), |v| v.to_string().into())
}

impl Past {
    fn of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Event> {
        self.events.iter().filter(move |e| e.kind == kind)
    }

    /// What led to `event`, the nearest first.
    fn causes<'a>(&'a self, event: &'a Event) -> impl Iterator<Item = &'a Event> {
        let named = |id| self.places.get(&id).map(|place| &self.events[*place]);
        core::iter::successors(named(event.cause), move |e| named(e.cause))
    }

    /// The nearest cause at the same place that `is`.
    fn nearest<'a>(&'a self, event: &'a Event, is: impl Fn(&Event) -> bool) -> Option<&'a Event> {
        self.causes(event).find(|c| c.station == event.station && is(c))
    }

    fn blame(&self, event: &Event, what: &str) -> ! {
        let chain: Vec<String> = core::iter::once(event)
            .chain(self.causes(event))
            .take(12)
            .map(|e| format!("  {:?} {} s at {:?}: {} {:?}", e.id, e.at, e.station, e.kind, e.fields))
            .collect();
        panic!("{}: {what}\n{}", self.lab, chain.join("\n"));
    }

    /// What holds of every event of every program.
    fn check(&self) {
        for event in &self.events {
            if event.kind == "tcp.retransmit" && self.causes(event).next().is_none() {
                self.blame(event, "sent again for no reason");
            }
            if matches!(event.storey, Storey::Application | Storey::Presentation) {
                self.check_program(event);
            }
        }
    }

    fn check_program(&self, event: &Event) {
        let root = matches!(event.kind, "program.start" | "program.unfinished" | "service.failed");
        if !root && self.causes(event).next().is_none() {
            self.blame(event, "an event of a program without a cause");
        }
        if self.places.get(&event.cause) >= self.places.get(&event.id) {
            self.blame(event, "caused by what comes later");
        }
        // What a fault does to a packet is because of the fault, and so is what follows.
        if self.causes(event).any(|c| c.storey == Storey::Lab) {
            return;
        }
        // So is what an order to a balancer breaks off, at whomever it is, and what one of its checks moves to another server.
        let moved = ["balancer.drain", "balancer.drained", "balancer.retry"];
        if self.causes(event).any(|c| moved.contains(&c.kind)) {
            return;
        }
        if let Some(own) = program(event) {
            let start = self.nearest(event, |c| c.kind == "program.start");
            let Some(start) = start else { self.blame(event, "not from the start of its program") };
            if !text(start, "command").starts_with(own) {
                self.blame(event, "from the start of another program");
            }
            let between = self.causes(event).take_while(|c| c.id != start.id);
            for cause in between.filter(|c| c.station == event.station) {
                if program(cause).is_some_and(|other| other != own) {
                    self.blame(event, "through an event of another program of its host");
                }
            }
        }
        match (event.kind, &*text(event, "way")) {
            // Who thinks before he answers still answers this request.
            ("http.response", _) => {
                let same = ["peer", "target"];
                let request = self.nearest(event, |c| c.kind == "http.request");
                // The segment that ends it may have been sent because of an acknowledgement: who receives it can be sure of
                // the connection only.
                let sent = text(event, "way") == "sent";
                if sent && !request.is_some_and(|r| same.iter().all(|f| text(r, f) == text(event, f))) {
                    self.blame(event, "the response is not because of its request");
                }
                let on_connection = |c: &Event| c.kind == "tcp.receive" && text(c, "remote") == text(event, "peer");
                if self.nearest(event, on_connection).is_none() {
                    self.blame(event, "nothing came over the connection of this response");
                }
            }
            ("http.request", "received") => {
                let arrival = self.causes(event).find(|c| c.kind == "tcp.receive");
                let own = |a: &Event| a.station == event.station && text(a, "remote") == text(event, "peer");
                if !arrival.is_some_and(own) {
                    self.blame(event, "the request is not because of its arrival");
                }
            }
            ("dns.reply" | "dns.timeout" | "dns.refused", _) => {
                let query = self.nearest(event, |c| c.kind == "dns.query");
                if !query.is_some_and(|q| ["name", "server"].iter().all(|f| text(q, f) == text(event, f))) {
                    self.blame(event, "the end of another query");
                }
            }
            ("dns.answer", _) if !self.causes(event).any(|c| c.kind == "dns.query") => {
                self.blame(event, "an answer that nobody asked for");
            }
            ("program.exit", _) => {
                let start = self.nearest(event, |c| c.kind == "program.start");
                if start.is_none_or(|s| text(s, "command") != text(event, "command")) {
                    self.blame(event, "the end of another program");
                }
            }
            _ => {}
        }
    }
}

/// The program that tells of such moments; none where several do, or a server does.
fn program(event: &Event) -> Option<&'static str> {
    match (event.kind.split('.').next().unwrap_or_default(), &*text(event, "way")) {
        ("ping", _) => Some("ping"),
        ("traceroute", _) => Some("traceroute"),
        // `udp-send` tells of that too.
        ("send", _) if event.kind != "send.failed" => Some("tcp-send"),
        ("http", "sent") if event.kind == "http.request" => Some("curl"),
        ("http", "received") if event.kind == "http.response" => Some("curl"),
        _ => None,
    }
}

/// Plays labs of this text in which something happens so often, and checks all.
fn holds(lab: &str, expected: &[(&str, usize)]) -> Past {
    let (past, _) = play("lab", lab);
    past.check();
    for (kind, count) in expected {
        assert_eq!(past.of(kind).count(), *count, "{kind}");
    }
    past
}

#[test]
fn in_every_lab_and_each_story_fits_two_pages() {
    let labs = format!("{}/../../labs", env!("CARGO_MANIFEST_DIR"));
    let mut seen = 0;
    let mut files: Vec<_> = std::fs::read_dir(labs).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    for path in files.iter().filter(|p| p.extension().is_some_and(|e| e == "toml")) {
        let (past, story) = play(&path.to_string_lossy(), &std::fs::read_to_string(path).unwrap());
        past.check();
        let lines = story.lines().count();
        assert!(lines <= PAGES, "the story of {} has {lines} lines:\n{story}", past.lab);
        seen += 1;
    }
    assert!(seen > 30);
}

#[test]
fn a_server_that_thinks_answers_because_of_the_request() {
    let past = holds(
        "[lab]\nstop = '3s'\n[topology]\nlinks = ['client -- web']\n\
         [host.client]\nrun = ['at 1s: curl http://web/']\n[host.web.http]\nthink = '7ms'\n",
        &[("http.response", 2)],
    );
    let sent = past.of("http.response").find(|e| text(e, "way") == "sent").unwrap();
    assert_eq!(past.causes(sent).next().unwrap().kind, "http.request");
}

#[test]
fn programs_that_start_at_once_cause_nothing_of_each_other() {
    let past = holds(
        "[lab]\nstop = '4s'\n[topology]\nlinks = ['busy -- s', 's -- web, other']\n[switch.s]\n\
         [host.busy]\nrun = ['at 1s: curl http://web/', 'at 1s: ping -c 2 other', 'at 1s: curl http://other/ --repeat 3']\n\
         [host.web.http]\nthink = '1ms'\n[host.other.http]\n",
        &[("ping.reply", 2), ("http.response", 8)],
    );
    let ping = past.of("ping.request").next().unwrap();
    assert_eq!(past.causes(ping).map(|c| c.kind).collect::<Vec<_>>(), ["program.start"]);
}

#[test]
fn a_server_that_pings_on_its_own_answers_each_client_for_its_own_sake() {
    // Whoever learns an address from a stranger's ARP request sends no packet because of the stranger.
    holds(
        "[lab]\nstop = '4s'\n[media]\nslow = { rate = '10mbit', delay = '3ms' }\n\
         [topology]\nlinks = ['s -- srv', 's -- a, b : slow']\n[switch.s]\n\
         [host.srv]\nrun = ['at 1s: ping -c 20 -i 0.01 a']\n[host.srv.http]\nbody = '40kb'\nthink = '4ms'\n\
         [host.a]\nrun = ['at 1s: curl http://srv/ --repeat 20']\n[host.b]\nrun = ['at 1s: curl http://srv/ --repeat 5 --fresh']\n",
        &[("http.response", 50), ("ping.reply", 20)],
    );
}

#[test]
fn over_tls_http2_and_many_requests_at_once() {
    let past = holds(
        "[lab]\nstop = '9s'\n[media]\nfar = { rate = '10mbit', delay = '9ms', loss = '1%' }\n\
         [topology]\nlinks = ['client -- web : far']\n\
         [host.web.http]\nlisten = 'https://web'\nbody = '30kb'\nthink = '5ms'\n\
         [host.client]\nrun = ['at 1s: curl https://web/ --repeat 30 --parallel --interval 1ms', 'at 2s: curl --http1.1 https://web/ --repeat 9']\n",
        &[("http.response", 78)],
    );
    assert!(past.of("http.request").any(|e| text(e, "version") == "HTTP/2"));
}

#[test]
fn a_second_try_is_because_the_first_had_no_answer() {
    let past = holds(
        "[lab]\nstop = '30s'\n[topology]\nlinks = ['client -- s', 's -- ns']\n[switch.s]\n\
         [host.ns.dns]\n[host.client]\nrun = ['at 1s: dig +time=2 ns.lab']\n[faults]\nscript = ['0.5s..4s: cut s--ns']\n",
        &[],
    );
    let again = past.of("dns.query").nth(1).expect("no second try");
    assert_eq!(past.causes(again).next().unwrap().kind, "dns.timeout");
}

#[test]
fn every_second_a_start_of_its_own() {
    let past = holds(
        "[lab]\nstop = '20s'\n[topology]\nlinks = ['a -- b']\n[host.a]\nrun = ['every 1s: ping -c 1 b', 'then: ping -c 1 a']\n[host.b]\n",
        &[],
    );
    let starts: Vec<_> = past.of("program.start").filter(|e| text(e, "command") == "ping -c 1 b").collect();
    assert!(starts.len() >= 20);
    assert!(starts.iter().all(|s| s.cause == EventId::NONE), "one start is no cause of the next");
    let then = past.of("program.start").find(|e| text(e, "command") == "ping -c 1 a").unwrap();
    assert_eq!(past.causes(then).next().unwrap().kind, "program.exit");
}

#[test]
fn after_a_crash_programs_start_because_of_the_power() {
    let past = holds(
        "[lab]\nstop = '9s'\n[topology]\nlinks = ['a -- b']\n[host.a]\nrun = ['ping -i 1 b']\n[host.b]\n\
         [faults]\nscript = ['3s: crash a', '5s: restart a']\n",
        &[("program.start", 2)],
    );
    let second = past.of("program.start").nth(1).unwrap();
    let kinds: Vec<_> = past.causes(second).map(|c| c.kind).collect();
    assert!(kinds.starts_with(&["power.on"]), "{kinds:?}");
}

#[test]
fn a_host_asks_for_its_address_because_it_was_switched_on() {
    let past = holds(
        "[lab]\nstop = '30s'\n[topology]\nlinks = ['s -- server, a']\n[switch.s]\n[host.server.dhcp]\n\
         [host.a]\naddress = 'dhcp'\n[faults]\nscript = ['10s: crash a', '12s: restart a']\n",
        &[("dhcp.bound", 2)],
    );
    let asked = |e: &&Event| {
        matches!(&*text(e, "type"), "DHCPDISCOVER" | "DHCPREQUEST") && e.at.as_nanos().is_multiple_of(2_000_000_000)
    };
    let asked: Vec<_> = past.of("dhcp.sent").filter(asked).collect();
    let kinds = |e| past.causes(e).map(|c| c.kind).collect::<Vec<_>>();
    assert_eq!(kinds(asked[0]), ["power.on"], "the first of all");
    assert_eq!(kinds(asked.last().unwrap())[0], "power.on", "after the crash");
    // Both are told, and the second has a reason of its own.
    let switched: Vec<_> = past.of("power.on").map(|e| (e.station, past.causes(e).count())).collect();
    assert_eq!(switched.len(), 2);
    assert!(switched[0].0 == switched[1].0 && switched[0].1 == 0);
}
