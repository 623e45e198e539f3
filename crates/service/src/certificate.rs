//! `certificate`: what the certificate of a service is like, where it is not the usual one.

use core::time::Duration;

use septet_language::mistake::Mistake;
use septet_language::schema::{Choice, Either, Entry, Key, OneOf, Phrase, Section, Table, TableOf, Texts, Time};
use septet_language::units::Refusal;
use septet_language::words::Wrong;
use septet_presentation::ca::{self, CaError, FLAWS, Flaw, IssuedBy, Order, ServerIdentity};

use crate::listen::Listen;
use crate::service::Reading;
use crate::site::Site;

/// The key of a service that may listen with TLS.
pub(crate) static KEY: Key<OneOf<Choice<Flaw>, TableOf>> = Key::new(
    "certificate",
    OneOf(FLAW, TableOf(&SECTION)),
    "what is wrong with its certificate, or a table; without it nothing is",
);

static SECTION: Section =
    Section::new("What the certificate is like.", &[&[&OF_A_FLAW, &NAMES, &FROM, &UNTIL, &ISSUER]]);

static OF_A_FLAW: Key<Choice<Flaw>> = Key::new("flaw", FLAW, "what is wrong with it (nothing)");
static NAMES: Key<Texts<String>> =
    Key::new("names", Texts(NAME), "whom it is for (the host of `listen`, the node's names and address)");
static FROM: Key<Time> = Key::new("from", Time, "when in the run it begins to hold (a day before)");
static UNTIL: Key<Time> = Key::new("until", Time, "when in the run it expires (397 days in)");
static ISSUER: Key<Choice<IssuedBy>> = Key::new(
    "issuer",
    Choice(|| vec![("intermediate", IssuedBy::Intermediate), ("root", IssuedBy::Root)]),
    "who signs it; the intermediate's certificate is sent along (intermediate)",
);

const FLAW: Choice<Flaw> = Choice(|| FLAWS.iter().map(|known| (known.name, known.flaw)).collect());
const NAME: Phrase<String> = Phrase {
    what: "a name",
    example: "www.shop.test",
    read: |_, text| match ca::check_name(&text.text) {
        Ok(_) => Ok(text.text.clone()),
        Err(e) => Err(Wrong::refused("name", 0..text.text.len(), Refusal::new(e.to_string()))),
    },
};

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
    /// The certificate for `host`, or for the names of the host that is here where that is empty; none where nobody signs.
    pub(crate) fn identity(&self, host: &str, site: &dyn Site) -> Result<Option<ServerIdentity>, CaError> {
        let Some(authority) = site.authority() else { return Ok(None) };
        let name = site.name(site.here());
        let in_domain = site.domain().map(|(domain, _)| format!("{name}.{domain}"));
        let mut names: Vec<String> = [host.to_owned()].into_iter().chain(in_domain).chain([name]).collect();
        names.retain(|n| !n.is_empty());
        names.extend(site.addresses(site.here()).first().map(ToString::to_string));
        names.dedup();
        authority.fill(&self.order(names)).map(Some)
    }

    /// The order for one whose usual names are these.
    fn order(&self, usual: Vec<String>) -> Order {
        let Self { flaw, names, from, until, issued_by } = self.clone();
        Order { flaw, from, until, issued_by, ..Order::new(if names.is_empty() { usual } else { names }) }
    }
}

/// Reads it from the table of a service that listens at `listen`.
pub(crate) fn read(service: &Table, listen: &[Listen], reading: &mut Reading<'_>) -> Certificate {
    let Some(Entry { name, value, .. }) = service.entry(&KEY) else { return Certificate::default() };
    if !listen.iter().any(|l| l.scheme.is_secure()) {
        let reason = "no certificate is shown here, for nothing listens on `https`";
        reading.mistakes.push(Mistake::new("no-effect", name.span.clone(), reason, "has no effect"));
    }
    let table = match value {
        Either::This(flaw) => return Certificate { flaw: Some(*flaw), ..Certificate::default() },
        Either::That(table) => table,
    };
    let certificate = Certificate {
        flaw: table.get(&OF_A_FLAW),
        names: table.get(&NAMES).unwrap_or_default(),
        from: table.get(&FROM),
        until: table.get(&UNTIL),
        issued_by: table.get(&ISSUER).unwrap_or_default(),
    };
    // What a flaw settles cannot be said once more.
    let settled: &[&str] = match certificate.flaw {
        Some(Flaw::Expired | Flaw::NotYetValid) => &["from", "until"],
        Some(Flaw::WrongName) => &["names"],
        Some(Flaw::SelfSigned | Flaw::MissingIntermediate) => &["issuer"],
        Some(Flaw::UntrustedRoot) | None => &[],
    };
    for key in settled.iter().filter_map(|key| table.place(key)) {
        let reason = format!("`{}` has no effect beside this `flaw`", key.text);
        reading.mistakes.push(Mistake::new("no-effect", key.span.clone(), reason, "has no effect"));
    }
    if let (Some(from), Some(Entry { span, value: until, .. })) = (certificate.from, table.entry(&UNTIL))
        && from >= *until
    {
        let reason = "the certificate expires before it begins to hold";
        reading.mistakes.push(Mistake::new("window", span.clone(), reason, "backwards"));
    }
    certificate
}
