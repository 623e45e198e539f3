//! `[host.NAME.listeners]`: how the programs and services of a host listen, by port.

use std::sync::Arc;

use septet_host::{Accept, Listening, ListeningRule};
use septet_language::document::Text;
use septet_language::mistake::{Mistake, Mistakes};
use septet_language::schema::{Count, Key, Named, Phrase, Section, Table, TableOf, Time};
use septet_language::units;
use septet_language::words::Wrong;

pub(crate) static LISTENERS: Key<Named<TableOf>> = Key::new(
    "listeners",
    Named("port", TableOf(&LISTENER)),
    "how its programs and services listen, by port or for `any`: `80 = { backlog = 8 }`",
);

/// What may be said of the listeners of one port.
static LISTENER: Section =
    Section::new("How a program or service listens on a port.", &[&[&BACKLOG, &ACCEPT_DELAY, &DEFER_ACCEPT]]);

static BACKLOG: Key<Count<usize>> = Key::new(
    "backlog",
    Count(0, 65_535),
    "how many connections may wait to be accepted; as in Linux the queue takes one more (4096)",
);
static ACCEPT_DELAY: Key<Phrase<Accept>> = Key::new(
    "accept_delay",
    DELAY,
    "how long the program takes to accept a connection, one after the other (0s); `never` to accept none",
);
static DEFER_ACCEPT: Key<Time> = Key::new(
    "defer_accept",
    Time,
    "connections are accepted when data has come, or after this time: `TCP_DEFER_ACCEPT`",
);

const DELAY: Phrase<Accept> = Phrase {
    what: "a time, or `never`",
    example: "5s",
    read: |_, text| {
        let refused = |refusal| Wrong::refused("unit", 0..text.text.len(), refusal).label("not understood");
        accept(text).map_err(refused)
    },
};

fn accept(text: &Text) -> Result<Accept, units::Refusal> {
    match text.text.as_str() {
        "never" => Ok(Accept::Never),
        other => units::time(other).map(Accept::After),
    }
}

/// The name of the rule for all ports.
const ANY: &str = "any";

/// What the table `listeners` of a host says.
pub(crate) fn read(host: &Table, mistakes: &mut Mistakes) -> Arc<Listening> {
    let mut listening = Listening::default();
    for (name, table) in host.get(&LISTENERS).unwrap_or_default() {
        let rule = ListeningRule {
            backlog: table.get(&BACKLOG),
            accept: table.get(&ACCEPT_DELAY),
            defer: table.get(&DEFER_ACCEPT),
        };
        match name.text.parse() {
            Ok(port) if port > 0 => {
                listening.ports.insert(port, rule);
            }
            _ if name.text == ANY => listening.any = rule,
            _ => {
                let reason = format!("`{}` is not a port", name.text);
                let mistake = Mistake::new("port", name.span.clone(), reason, "not understood");
                mistakes.push(mistake.help("a number from 1 to 65535, or `any`".to_owned()));
            }
        }
    }
    if listening == Listening::default() { Listening::none() } else { Arc::new(listening) }
}
