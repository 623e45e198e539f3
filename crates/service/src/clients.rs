//! `client_certificate`: whether a service over TLS asks its clients who they are.

use septet_language::mistake::Mistake;
use septet_language::schema::{Choice, Either, Entry, Key, Line, OneOf, Section, Table, TableOf};
use septet_language::units::Refusal;
use septet_language::words::Wrong;
use septet_presentation::ca::{CaError, TrustStore};
use septet_presentation::tls::Clients;

use crate::certificate::USUAL;
use crate::listen::Listen;
use crate::service::Reading;
use crate::site::Site;

/// The key of a service that may listen with TLS.
pub(crate) static KEY: Key<OneOf<Choice<Need>, TableOf>> = Key::new(
    "client_certificate",
    OneOf(NEED, TableOf(&SECTION)),
    "whether clients show a certificate: of the lab's authority, or as a table has it; without it they are not asked",
);

static SECTION: Section = Section::new("What clients show.", &[&[&ASK, &AUTHORITY, &CA, &CRL]]);

const NEED: Choice<Need> = Choice(|| vec![("required", Need::Required), ("optional", Need::Optional)]);
static ASK: Key<Choice<Need>> =
    Key::new("ask", NEED, "whether who has none is refused (`required`), or taken as nobody known");
static AUTHORITY: Key<Line> =
    Key::new("authority", Line, "the authority that signs for clients, where it is another than the lab's");
static CA: Key<Line> =
    Key::new("ca", Line, "the file with the certificates of those who sign for clients, as PEM (`septet serve` only)");
static CRL: Key<Line> =
    Key::new("crl", Line, "the file with the lists of what these took back, as PEM (`septet serve` only)");

/// Whether a client must have a certificate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Need {
    /// Who has none is refused.
    #[default]
    Required,
    /// Who has none is taken all the same.
    Optional,
}

/// What a service wants of its clients.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ClientCertificates {
    /// Whether it asks, and how.
    pub need: Option<Need>,
    /// The authority, where it is another than the usual one.
    pub authority: Option<String>,
    /// The authorities that a file holds, instead.
    pub given: Option<TrustStore>,
}

impl ClientCertificates {
    /// Who is asked, and whom the host that is here believes.
    ///
    /// # Errors
    /// Where the list of what was taken back cannot be signed.
    pub(crate) fn at(&self, site: &dyn Site) -> Result<Clients, CaError> {
        let Some(need) = self.need else { return Ok(Clients::Unasked) };
        let store = match (&self.given, &self.authority) {
            (Some(store), _) => store.clone(),
            (None, name) => {
                let authority = match name {
                    Some(name) => site.other_authority(name),
                    None => site.authority(),
                };
                let Some(authority) = authority else { return Ok(Clients::Unasked) };
                authority.trust_store().with_revocations(authority.revocations()?)
            }
        };
        Ok(match need {
            Need::Required => Clients::Known(store),
            Need::Optional => Clients::Asked(store),
        })
    }
}

/// Reads it from the table of a service that listens at `listen`.
pub(crate) fn read(service: &Table, listen: &[Listen], reading: &mut Reading<'_>) -> ClientCertificates {
    let Some(Entry { name, value, .. }) = service.entry(&KEY) else { return ClientCertificates::default() };
    if !listen.iter().any(|l| l.scheme.is_secure()) {
        let reason = "nothing listens on `https`, so no client is asked for a certificate here";
        reading.mistakes.push(Mistake::new("no-effect", name.span.clone(), reason, "has no effect"));
    }
    let table = match value {
        Either::This(need) => return ClientCertificates { need: Some(*need), ..ClientCertificates::default() },
        Either::That(table) => table,
    };
    ClientCertificates {
        need: Some(table.get(&ASK).unwrap_or_default()),
        authority: table.get(&AUTHORITY).map(|text| text.text).filter(|name| name != USUAL),
        given: given(table, reading),
    }
}

/// The authorities in the files that the table names, or the mistakes.
fn given(table: &Table, reading: &mut Reading<'_>) -> Option<TrustStore> {
    let (ca, crl) = (table.get(&CA), table.get(&CRL));
    let first = ca.as_ref().or(crl.as_ref())?;
    if !reading.hosts.takes_keys() {
        let reason = "a lab's clients have certificates of its own authorities; files are for `septet serve`";
        reading.mistakes.push(Mistake::new("no-effect", first.span.clone(), reason, "not in a lab"));
        return None;
    }
    let Some(ca) = ca else {
        let reason = "`crl` says what the authorities of `ca` took back, and there is no `ca`";
        reading.mistakes.push(Mistake::new("missing-key", first.span.clone(), reason, "has no effect"));
        return None;
    };
    if let Some(key) = table.place("authority") {
        let reason = "`authority` has no effect beside `ca`";
        reading.mistakes.push(Mistake::new("no-effect", key.span.clone(), reason, "has no effect"));
    }
    let pem = reading.file(&ca)?;
    let store = TrustStore::from_pem(&pem).map_err(|e| wrong(&ca.text, &e));
    let store = reading.or_report(&ca, store)?;
    let Some(crl) = crl else { return Some(store) };
    let pem = reading.file(&crl)?;
    let store = store.with_revocations_of_pem(&pem).map_err(|e| wrong(&crl.text, &e));
    reading.or_report(&crl, store)
}

fn wrong(text: &str, e: &CaError) -> Wrong {
    Wrong::refused("certificate", 0..text.len(), Refusal::new(e.to_string()))
}
