//! `ip`: shows and changes what a host knows of the network, as iproute2's program does. Each object is a file of its own and
//! a line of the table.

mod address;
mod link;
mod neighbor;
mod route;
mod statistics;
mod words;

use std::io;

use septet_core::{LinkCounters, Metric};
use septet_network::Iface;
use septet_socket::{Admin, BoxFuture};

use super::{Context, Misuse, Needs, Program};

/// What can be looked at.
static OBJECTS: &[&dyn Object] = &[&route::Routes, &address::Addresses, &link::Links, &neighbor::Neighbors];

/// The program.
pub(super) struct Ip;

impl Program for Ip {
    fn name(&self) -> &'static str {
        "ip"
    }

    fn summary(&self) -> &'static str {
        "shows and changes addresses, interfaces, neighbours and routes"
    }

    fn usage(&self) -> &'static str {
        "Usage: ip [-4|-6] [-o] [-s [-s]] OBJECT [COMMAND]
Objects, which may be cut short:
 address [show] [DEVICE]
 address add|del ADDRESS/LENGTH dev DEVICE [valid_lft SECONDS] [preferred_lft SECONDS]
 link [show] [DEVICE]
 link set DEVICE up|down
 neighbor [show] [ADDRESS] [dev DEVICE] [nud STATE]
 neighbor add|replace|del ADDRESS dev DEVICE [lladdr LINK-ADDRESS] [nud STATE]
 neighbor flush [dev DEVICE] [nud STATE]
 route [show] [PREFIX | root PREFIX | exact PREFIX | via GATEWAY | dev NAME | proto NAME | table main|local|all]
 route get ADDRESS
 route add|append|replace|del [TYPE] PREFIX [via GATEWAY] [dev NAME] [metric N] [mtu [lock] N] [nexthop via GATEWAY]...
   with TYPE unicast, unreachable, blackhole or prohibit
"
    }

    fn metrics(&self) -> &'static [Metric] {
        &[]
    }

    fn check(&self, args: &[String]) -> Result<Needs, Misuse> {
        let command = Command::parse(args)?;
        command.object.check(&command).map_err(|why| command.misuse(&why))?;
        Ok(Needs::default())
    }

    fn run(&self, context: Context, args: Vec<String>) -> BoxFuture<'static, u8> {
        Box::pin(async move {
            let done = match Command::parse(&args) {
                Ok(mut command) => match context.net.admin() {
                    Ok(admin) => match command.count(&admin).await {
                        Ok(()) => command.object.run(&admin, &command),
                        Err(why) => Err(Refusal::answer(&why)),
                    },
                    Err(why) => Err(Refusal::answer(&why)),
                },
                Err(misuse) => Err(Refusal { text: misuse.reason, status: 255, word: None }),
            };
            match done {
                Ok(text) => {
                    context.console.out(text.as_bytes());
                    0
                }
                Err(refusal) => {
                    context.console.err(format!("{}\n", refusal.text).as_bytes());
                    refusal.status
                }
            }
        })
    }
}

/// What `ip` is asked about.
trait Object: Sync {
    /// What it is called; it may be cut short.
    fn names(&self) -> &'static [&'static str];

    /// Reads the command without doing anything.
    fn check(&self, command: &Command) -> Result<(), Refusal>;

    /// Does what the command says, and gives what it prints.
    fn run(&self, admin: &Admin, command: &Command) -> Result<String, Refusal>;
}

/// A command line.
struct Command {
    object: &'static dyn Object,
    family: Option<Family>,
    /// `-o`: one line for each.
    one_line: bool,
    /// How often `-s` stands there.
    statistics: u8,
    /// What interfaces counted, where that is asked for.
    counted: Vec<(Option<Iface>, LinkCounters)>,
    /// What follows the object.
    words: Vec<String>,
    /// How many words come before those.
    before: usize,
}

/// A version of IP.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Family {
    V4,
    V6,
}

/// Why a command was not done.
#[derive(Debug)]
struct Refusal {
    text: String,
    status: u8,
    /// The word that is wrong, counted behind the object.
    word: Option<usize>,
}

impl Refusal {
    /// The command line is wrong: iproute2's `invarg` and `duparg`.
    fn wrong(text: impl Into<String>, word: usize) -> Self {
        Self { text: text.into(), status: 255, word: Some(word) }
    }

    /// The host says no.
    fn answer(why: &io::Error) -> Self {
        let text = match why.kind() {
            io::ErrorKind::NetworkUnreachable => "Network is unreachable",
            io::ErrorKind::HostUnreachable => "No route to host",
            io::ErrorKind::PermissionDenied => "Permission denied",
            io::ErrorKind::InvalidInput => "Invalid argument",
            io::ErrorKind::AlreadyExists => "File exists",
            io::ErrorKind::NotFound => "No such process",
            io::ErrorKind::Unsupported => "Operation not supported",
            _ => return Self { text: format!("RTNETLINK answers: {why}"), status: 2, word: None },
        };
        Self { text: format!("RTNETLINK answers: {text}"), status: 2, word: None }
    }
}

impl Command {
    fn parse(args: &[String]) -> Result<Self, Misuse> {
        let misuse = |place, reason: String| Misuse { place, reason, options: Vec::new() };
        let (mut family, mut one_line, mut statistics, mut at) = (None, false, 0, 0);
        while let Some(option) = args.get(at).filter(|word| word.starts_with('-')) {
            match option.trim_start_matches('-') {
                "4" => family = Some(Family::V4),
                "6" => family = Some(Family::V6),
                "o" | "oneline" => one_line = true,
                "s" | "stats" | "statistics" => statistics = 2.min(statistics + 1),
                "ss" => statistics = 2,
                // What else there is of iproute2's would change what is printed.
                _ => {
                    let options = ["-4", "-6", "-o", "-s"].map(str::to_owned).to_vec();
                    return Err(Misuse {
                        place: Some(at),
                        reason: format!("Option \"{option}\" is unknown, try \"ip -help\"."),
                        options,
                    });
                }
            }
            at += 1;
        }
        let Some(name) = args.get(at) else {
            return Err(misuse(None, "an object is missing, such as `route`".to_owned()));
        };
        let named = |object: &&&dyn Object| object.names().iter().any(|full| full.starts_with(name.as_str()));
        let Some(object) = OBJECTS.iter().find(named).filter(|_| !name.is_empty()) else {
            return Err(misuse(Some(at), format!("Object \"{name}\" is unknown, try \"ip help\".")));
        };
        let (words, counted) = (args[at + 1..].to_vec(), Vec::new());
        Ok(Self { object: *object, family, one_line, statistics, counted, words, before: at + 1 })
    }

    /// Asks what interfaces counted, where `-s` does.
    async fn count(&mut self, admin: &Admin) -> io::Result<()> {
        if self.statistics > 0 {
            self.counted = admin.counters().await?;
        }
        Ok(())
    }

    /// What an interface counted, as it is shown behind all else; `None` is the loopback.
    fn statistics_of(&self, iface: Option<Iface>, newline: &str) -> String {
        let counted = self.counted.iter().find(|(of, _)| *of == iface).map(|(_, counted)| counted);
        counted.map_or_else(String::new, |counted| statistics::lines(counted, self.statistics, newline))
    }

    fn misuse(&self, refusal: &Refusal) -> Misuse {
        let place = refusal.word.map(|word| self.before + word).filter(|at| *at < self.before + self.words.len());
        Misuse { place, reason: refusal.text.clone(), options: Vec::new() }
    }
}
