//! The keys of a lab file: the top of the one tree of tables from which checks, readers and the JSON Schema come.

use core::time::Duration;

use septet_language::document::{Item, Name, Text};
use septet_language::mistake::Span;
use septet_language::schema::{
    AtLeast, Choice, Count, Date, Key, Line, Named, Phrase, Section, TableOf, Texts, Time, Values,
};

use crate::model::medium::MEDIUM;
use crate::model::versions::Versions;
use crate::read::node::{HOSTS, HUBS, L3_SWITCHES, ROUTERS, ROUTING_OF_ALL, SWITCHES};
use crate::read::tcp::TCP_OF_ALL;

/// The whole file.
pub(crate) static ROOT: Section = Section::new(
    "A network: its nodes, the links between them, what goes wrong, and what is expected.",
    &[&[&LAB, &MEDIA, &TOPOLOGY, &HUBS, &SWITCHES, &L3_SWITCHES, &ROUTERS, &HOSTS, &FAULTS, &EXPECT, &SWEEP]],
)
.required(&["topology"]);

pub(crate) static LAB: Key<TableOf> = Key::new("lab", TableOf(&RUN), "name, seed and length of the run");
pub(crate) static MEDIA: Key<Named<TableOf>> =
    Key::new("media", Named("medium", TableOf(&MEDIUM)), "what links are made of, by name");
pub(crate) static TOPOLOGY: Key<TableOf> = Key::new("topology", TableOf(&JOINED), "who is joined to whom");
pub(crate) static FAULTS: Key<TableOf> = Key::new("faults", TableOf(&TROUBLE), "what goes wrong, and when");
pub(crate) static EXPECT: Key<Named<Phrase<Text>>> = Key::new(
    "expect",
    Named("expectation", Phrase::later("an expectation", "client.http.ok >= 195")),
    "what the run must show, by name",
);
pub(crate) static SWEEP: Key<Named<Values>> = Key::new(
    "sweep",
    Named("parameter", Values),
    "values to try for keys of this file, by path: `\"media.wan.loss\" = [\"0%\", \"1%\"]`",
);

/// What `[sweep]` says: each path, and the values to try there.
pub(crate) type Sweep = Vec<(Name, (Span, Vec<Item>))>;

static RUN: Section = Section::new(
    "The run as a whole.",
    &[&[&NAME, &DESCRIPTION, &SEED, &STOP, &EPOCH, &SAMPLE, &IP, &ROUTING_OF_ALL, &TCP_OF_ALL]],
);
pub(crate) static NAME: Key<Line> = Key::new("name", Line, "the lab's name");
pub(crate) static DESCRIPTION: Key<Line> = Key::new("description", Line, "what it shows");
pub(crate) static SEED: Key<Count<u64>> =
    Key::new("seed", Count(0, i64::MAX as u64), "where all randomness comes from (1)");
pub(crate) static STOP: Key<AtLeast> = Key::new("stop", AtLeast(Duration::from_nanos(1)), "when the run ends (60s)");
pub(crate) static EPOCH: Key<Date> =
    Key::new("epoch", Date, "the civil time at which virtual time begins (2026-01-01T00:00:00Z)");
pub(crate) static SAMPLE: Key<Time> = Key::new(
    "sample",
    Time,
    "how often connections and queues are looked at (10ms for what an expectation asks for, else never)",
);

pub(crate) static IP: Key<Choice<Versions>> = Key::new(
    "ip",
    Choice(Versions::words),
    "the versions of IP that hosts and routers speak: `4`, `6` or `dual`, which is both (4)",
);

static JOINED: Section = Section::new("Who is joined to whom.", &[&[&LINKS]]).required(&["links"]);
pub(crate) static LINKS: Key<Texts<Text>> = Key::new(
    "links",
    Texts(Phrase::later("a link", "client -- s1 : wan")),
    "one string a link, chain or star: `s2 -- lb, web[1..3] : wan`; `a -> b : …` says something of one direction",
);

static TROUBLE: Section = Section::new("What goes wrong, and when.", &[&[&SCRIPT]]);
pub(crate) static SCRIPT: Key<Texts<Text>> = Key::new(
    "script",
    Texts(Phrase::later("a fault", "5s..7s: loss 20% on r1--r2")),
    "one string a fault: `5s..7s: loss 20% on r1--r2`",
);
