//! `[host.NAME.listeners]`: how the programs and services of a host listen, by port.

use std::sync::Arc;

use septet_host::{Accept, Listening, ListeningRule};
use septet_language::document::{Table, Text, Value};
use septet_language::mistake::{Mistake, Mistakes};
use septet_language::schema::{Key, Kind, Phrase, Section, none};
use septet_language::units;
use septet_language::words::Wrong;

/// What may be said of the listeners of one port.
pub(crate) static LISTENER: Section = Section {
    doc: "How a program or service listens on a port.",
    groups: &[&[
        Key::new(
            "backlog",
            Kind::Count(0, 65_535),
            "how many connections may wait to be accepted; as in Linux the queue takes one more (4096)",
        ),
        Key::new(
            "accept_delay",
            Kind::Phrase(&DELAY),
            "how long the program takes to accept a connection, one after the other (0s); `never` to accept none",
        ),
        Key::new(
            "defer_accept",
            Kind::Time,
            "connections are accepted when data has come, or after this time: `TCP_DEFER_ACCEPT`",
        ),
    ]],
    more: none,
    required: &[],
    numbered: None,
};

static DELAY: Phrase = Phrase {
    what: "a time, or `never`",
    example: "5s",
    check: |_, text| {
        let refused = |refusal| Wrong::refused("unit", 0..text.text.len(), refusal).label("not understood");
        accept(text).map(|_| ()).map_err(refused)
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

/// Reads the table `listeners` of a host, which has been checked for keys and types.
pub(crate) fn read(host: &Table, mistakes: &mut Mistakes) -> Arc<Listening> {
    let mut listening = Listening::default();
    for (name, item) in host.table("listeners").map(|t| t.entries.as_slice()).unwrap_or_default() {
        let Value::Table(table) = &item.value else { continue };
        let rule = ListeningRule {
            backlog: table.count("backlog").and_then(|n| usize::try_from(n).ok()),
            accept: table.text("accept_delay").and_then(|text| accept(text).ok()),
            defer: table.time("defer_accept"),
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
    Arc::new(listening)
}
