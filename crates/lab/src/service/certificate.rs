//! `certificate`: what the certificate of a service is like, where it is not the usual one.

use core::time::Duration;
use std::sync::LazyLock;

use septet_language::document::{Item, Table, Text, Value};
use septet_language::mistake::Mistake;
use septet_language::schema::{Key, Kind, Phrase, Section, none};
use septet_language::units::Refusal;
use septet_language::words::Wrong;
use septet_presentation::ca::{self, FLAWS, Flaw, IssuedBy, Order};

use crate::service::{Listen, Reading};

/// The key of a service that may listen with TLS.
pub(super) const KEY: Key =
    Key::new("certificate", FLAW_OR_TABLE, "what is wrong with its certificate, or a table; without it nothing is");

const FLAW_OR_TABLE: Kind = Kind::Either(&Kind::Choice(flaws), &Kind::Table(&SECTION));

static SECTION: Section = Section {
    doc: "What the certificate is like.",
    groups: &[&[
        Key::new("flaw", Kind::Choice(flaws), "what is wrong with it (nothing)"),
        Key::new("names", Kind::Texts(&NAME), "whom it is for (the host of `listen`, the node's names and address)"),
        Key::new("from", Kind::Time, "when in the run it begins to hold (a day before)"),
        Key::new("until", Kind::Time, "when in the run it expires (397 days in)"),
        Key::new(
            "issuer",
            Kind::Choice(issuers),
            "who signs it; the intermediate's certificate is sent along (intermediate)",
        ),
    ]],
    more: none,
    required: &[],
    numbered: None,
};

static NAME: Phrase = Phrase {
    what: "a name",
    example: "www.shop.test",
    check: |_, text| {
        ca::check_name(&text.text).map_err(|e| Wrong::refused("name", 0..text.text.len(), Refusal::new(e.to_string())))
    },
};

fn flaws() -> &'static [&'static str] {
    static NAMES: LazyLock<Vec<&str>> = LazyLock::new(|| FLAWS.iter().map(|f| f.name).collect());
    &NAMES
}

fn issuers() -> &'static [&'static str] {
    &["intermediate", "root"]
}

/// What the certificate of a service is like.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Certificate {
    /// What is wrong with it.
    pub flaw: Option<Flaw>,
    /// Whom it is for; where there are none, the names of the service and of its node.
    pub names: Vec<String>,
    /// When in the run it begins to hold.
    pub from: Option<Duration>,
    /// When in the run it expires.
    pub until: Option<Duration>,
    /// Who signs it.
    pub issued_by: IssuedBy,
}

impl Certificate {
    /// The order for one whose usual names are these.
    pub(crate) fn order(&self, usual: Vec<String>) -> Order {
        let Self { flaw, names, from, until, issued_by } = self.clone();
        Order { flaw, from, until, issued_by, ..Order::new(if names.is_empty() { usual } else { names }) }
    }
}

/// Reads it from the table of a service that listens at `listen`.
pub(super) fn read(service: &Table, listen: &[Listen], reading: &mut Reading<'_>) -> Certificate {
    let Some((key, item)) = service.entry(KEY.name) else { return Certificate::default() };
    if !listen.iter().any(|l| l.scheme.is_secure()) {
        let reason = "no certificate is shown here, for nothing listens on `https`";
        reading.mistakes.push(Mistake::new("no-effect", key.span.clone(), reason, "has no effect"));
    }
    let flaw_of = |text: &Text| FLAWS.iter().find(|f| f.name == text.text).map(|f| f.flaw);
    let table = match &item.value {
        Value::Text(text) => return Certificate { flaw: flaw_of(text), ..Certificate::default() },
        Value::Table(table) => table,
        _ => return Certificate::default(),
    };
    let certificate = Certificate {
        flaw: table.text("flaw").and_then(flaw_of),
        names: table.texts("names").into_iter().map(|t| t.text.clone()).collect(),
        from: table.time("from"),
        until: table.time("until"),
        issued_by: match table.text("issuer").map(|t| t.text.as_str()) {
            Some("root") => IssuedBy::Root,
            _ => IssuedBy::Intermediate,
        },
    };
    // What a flaw settles cannot be said once more.
    let settled: &[&str] = match certificate.flaw {
        Some(Flaw::Expired | Flaw::NotYetValid) => &["from", "until"],
        Some(Flaw::WrongName) => &["names"],
        Some(Flaw::SelfSigned | Flaw::MissingIntermediate) => &["issuer"],
        Some(Flaw::UntrustedRoot) | None => &[],
    };
    for (key, _) in settled.iter().filter_map(|key| table.entry(key)) {
        let reason = format!("`{}` has no effect beside this `flaw`", key.text);
        reading.mistakes.push(Mistake::new("no-effect", key.span.clone(), reason, "has no effect"));
    }
    if let (Some(from), Some(until), Some(Item { span, .. })) =
        (certificate.from, certificate.until, table.get("until"))
        && from >= until
    {
        let reason = "the certificate expires before it begins to hold";
        reading.mistakes.push(Mistake::new("window", span.clone(), reason, "backwards"));
    }
    certificate
}
