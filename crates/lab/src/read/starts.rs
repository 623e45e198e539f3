//! Whether what a host is told to run can run: at a time that comes, on a port that is free, towards hosts that there are.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use septet_application::programs::{Lasts, Transport};
use septet_core::Instant;
use septet_language::mistake::{Gravity, Mistake, Mistakes, Span};
use septet_language::nearest::suggest;
use septet_language::schema::Table;
use septet_language::units;
use septet_transport::tcp::controller_names;

use crate::model::command::{Command, Schedule};
use crate::model::node::Node;
use crate::model::topology::Topology;
use crate::read::node::Declared;

/// When a lab stops, and how grave it is to begin later.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stop {
    pub(crate) at: Instant,
    /// A mistake where the file says when it stops; where it does not, a lab may be live and go on.
    pub(crate) gravity: Gravity,
}

impl Stop {
    /// That `what`, at `span`, begins when the lab has stopped.
    pub(crate) fn too_late(self, span: Span, what: &str) -> Mistake {
        let end = units::render(self.at.as_secs_f64(), units::Dimension::Time);
        let reason = format!("the lab stops at {end}, before {what}");
        let late = Mistake::new("too-late", span, reason, "too late");
        late.help("let the lab run longer: `stop` in `[lab]`".to_owned()).of(self.gravity)
    }
}

/// Reports what cannot run.
pub(crate) fn check(declared: &[Declared], nodes: &[Node], topology: &Topology, stop: Stop, mistakes: &mut Mistakes) {
    let names = Names::new(nodes, topology);
    let mut last: Option<*const Table> = None;
    for (declared, node) in declared.iter().zip(nodes) {
        // The nodes of a range share one table, and so what is wrong with it.
        if last.replace(Arc::as_ptr(&declared.table)) == Some(Arc::as_ptr(&declared.table)) {
            continue;
        }
        let commands = node.commands();
        times(commands, stop, mistakes);
        ports(commands, node, &declared.table, mistakes);
        for command in commands {
            names.check(command, mistakes);
            controller(command, mistakes);
            certificates(command, node, mistakes);
        }
    }
}

/// Commands that never start.
fn times(commands: &[Command], stop: Stop, mistakes: &mut Mistakes) {
    let mut before: Option<&Command> = None;
    for command in commands {
        let text = &command.text;
        match command.schedule {
            Schedule::At(from) | Schedule::Every { from, .. } if from >= stop.at => {
                mistakes.push(stop.too_late(text.inner(), "this starts"));
            }
            Schedule::Then(_) => match before {
                None => mistakes.push(
                    Mistake::new("schedule", text.inner(), "no command stands before this one", "`then` what?")
                        .help("leave `then` out, or write `at 1s:`".to_owned()),
                ),
                Some(endless) if endless.needs.lasts == Lasts::Forever => mistakes.push(
                    Mistake::new(
                        "schedule",
                        text.inner(),
                        format!("this never starts: `{}` does not end", endless.line),
                        "waits for ever",
                    )
                    .also(endless.text.inner(), "this one does not end")
                    .help("give it a time of its own, `at 1s:`".to_owned()),
                ),
                Some(_) => {}
            },
            _ => {}
        }
        before = Some(command);
    }
}

/// Ports that two want on one host.
fn ports(commands: &[Command], node: &Node, table: &Table, mistakes: &mut Mistakes) {
    let mut taken: BTreeMap<(Transport, u16), (String, Span)> = BTreeMap::new();
    for service in node.services() {
        let span = table.place(service.name()).map(|name| name.span.clone()).unwrap_or_default();
        for port in service.ports() {
            for &transport in service.transports() {
                taken.insert((transport, port), (format!("the service `{}`", service.name()), span.clone()));
            }
        }
    }
    let mut listeners: Vec<_> = commands.iter().filter(|command| command.needs.listens.is_some()).collect();
    // Who comes first has the port; what begins with the host is there before all else.
    listeners.sort_by_key(|command| start(command));
    for command in listeners {
        let Some(listens @ (transport, port)) = command.needs.listens else { continue };
        let place = command.text.place(command.at.clone());
        if let Some((who, first)) = taken.get(&listens) {
            let whose = match transport {
                Transport::Tcp => "TCP",
                Transport::Udp => "UDP",
            };
            mistakes.push(
                Mistake::new(
                    "listen-in-use",
                    place,
                    format!("{who} listens on {whose} port {port} already"),
                    "this one",
                )
                .also(first.clone(), "this one has it")
                .help("give one of them another port".to_owned()),
            );
        } else if command.needs.lasts == Lasts::Forever {
            if matches!(command.schedule, Schedule::Every { .. }) {
                let reason = format!("`{}` does not end, and the next one finds its port taken", command.line);
                let again = Mistake::new("listen-in-use", place, reason, "again and again");
                mistakes.push(again.help("start it once: `at 1s:`".to_owned()));
            } else {
                taken.insert(listens, (format!("`{}`", command.line), place));
            }
        }
    }
}

fn start(command: &Command) -> Instant {
    match command.schedule {
        Schedule::Boot => Instant::ZERO,
        Schedule::At(at) | Schedule::Every { from: at, .. } => at,
        // Some time later; behind everything whose time is known.
        Schedule::Then(_) => Instant::FAR_FUTURE,
    }
}

/// A controller that a program asks for must be one.
fn controller(command: &Command, mistakes: &mut Mistakes) {
    let Some(name) = &command.needs.congestion else { return };
    if septet_transport::tcp::controller(name).is_none() {
        let reason = format!("no congestion controller is called `{name}`");
        let help = suggest(name, "controllers", controller_names().collect::<Vec<_>>());
        mistakes.push(Mistake::new("arguments", place(command, name), reason, "unknown controller").help(help));
    }
}

/// The file of a certificate must be one that the host has.
fn certificates(command: &Command, node: &Node, mistakes: &mut Mistakes) {
    let own = node.spec.host().map(|host| &host.certificates[..]).unwrap_or_default();
    for file in &command.needs.certificates {
        if own.iter().any(|certificate| certificate.file == *file) {
            continue;
        }
        let reason = format!("`{}` has no certificate in a file `{file}`", node.name);
        let help = match own.is_empty() {
            true => Some(format!("give it one: `certificates = {{ \"{file}\" = {{}} }}`")),
            false => suggest(file, "certificates", own.iter().map(|certificate| certificate.file.as_str())),
        };
        mistakes.push(Mistake::new("arguments", place(command, file), reason, "no such certificate").help(help));
    }
}

/// Where an argument stands that is `what`, or holds it.
fn place(command: &Command, what: &str) -> Span {
    let Command { text, at, arguments, words, .. } = command;
    let find = |fits: &dyn Fn(&str) -> bool| arguments.iter().position(|a| fits(&a.to_ascii_lowercase()));
    let what = what.to_ascii_lowercase();
    let found = find(&|word| word == what).or_else(|| find(&|word| word.contains(&what)));
    text.place(found.map_or(at.clone(), |at| words[at].clone()))
}

/// The names that programs of the lab can find.
struct Names<'a> {
    topology: &'a Topology,
    /// The zones, and what they know.
    zones: Vec<String>,
    full: Vec<String>,
}

impl<'a> Names<'a> {
    fn new(nodes: &[Node], topology: &'a Topology) -> Self {
        let services = || nodes.iter().flat_map(Node::services);
        let known = services().flat_map(|service| service.names());
        let zones = services().flat_map(|service| service.zones()).collect();
        Self { topology, zones, full: known.map(|(name, _)| name.to_ascii_lowercase()).collect() }
    }

    /// Reports hosts that no name server of the lab knows. That a name is not found may be what a lab is about, so that a
    /// name with dots is only warned of; a bare one stands for a node.
    fn check(&self, command: &Command, mistakes: &mut Mistakes) {
        for host in &command.needs.hosts {
            let name = host.trim_end_matches('.').to_ascii_lowercase();
            if self.knows(&name) {
                continue;
            }
            let bare = name.strip_suffix(".lab").unwrap_or(&name);
            let known = self.topology.names().chain(self.full.iter().map(String::as_str));
            let mistake = if bare.contains('.') {
                let reason = format!("no name server of the lab knows `{host}`");
                Mistake::new("unknown-host", place(command, host), reason, "unknown host").warning()
            } else {
                Mistake::new(
                    "unknown-node",
                    place(command, host),
                    format!("no node is called `{host}`"),
                    "unknown node",
                )
            };
            let help = match host.contains(['$', '*', '{']) {
                true => Some("nothing is expanded in a command: write the name out".to_owned()),
                false => suggest(bare, "hosts", known),
            };
            mistakes.push(mistake.help(help));
        }
    }

    fn knows(&self, name: &str) -> bool {
        let node = |name: &str| self.topology.find(name).is_some();
        let in_zone = |zone: &String| name == zone || name.ends_with(&format!(".{zone}"));
        let wildcard = || self.full.iter().any(|known| known.starts_with('*')) && self.zones.iter().any(in_zone);
        name.parse::<IpAddr>().is_ok()
            || node(name.strip_suffix(".lab").unwrap_or(name))
            // RFC 6761 §6.3: these mean the host itself.
            || name == "localhost"
            || name.ends_with(".localhost")
            || name == "ns.lab"
            || self.full.iter().any(|known| known == name)
            || self.zones.iter().any(|zone| name == format!("ns.{zone}"))
            || wildcard()
    }
}
