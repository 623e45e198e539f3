//! `certificates`: certificates that the programs of a host show, as files of that host.

use core::time::Duration;

use septet_language::document::Name;
use septet_language::mistake::{Mistake, Mistakes};
use septet_language::schema::{Choice, Either, Key, Line, Named, OneOf, Section, Table, TableOf, Texts, Time};
use septet_presentation::ca::{Authority, CaError, Flaw, IssuedBy, Order, Usage};

use crate::certificate::{FLAW, NAME, USUAL};

/// The key of a host.
pub static OWN: Key<Named<OneOf<Choice<Flaw>, TableOf>>> = Key::new(
    "certificates",
    Named("file", OneOf(FLAW, TableOf(&SECTION))),
    "certificates that its programs show, each with its key in a file of this name: `{ \"anna.pem\" = {} }`",
);

static SECTION: Section =
    Section::new("A certificate that a client shows.", &[&[&OF_A_FLAW, &NAMES, &FROM, &UNTIL, &AUTHORITY]]);

static OF_A_FLAW: Key<Choice<Flaw>> = Key::new("flaw", FLAW, "what is wrong with it (nothing)");
static NAMES: Key<Texts<String>> = Key::new("names", Texts(NAME), "whom it is for (the host)");
static FROM: Key<Time> = Key::new("from", Time, "when in the run it begins to hold (a day before)");
static UNTIL: Key<Time> = Key::new("until", Time, "when in the run it expires (397 days in)");
static AUTHORITY: Key<Line> =
    Key::new("authority", Line, "the authority that signs it, where it is another than the lab's");

/// A certificate of a host's own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OwnCertificate {
    /// The file that has it.
    pub file: String,
    /// What is wrong with it.
    pub flaw: Option<Flaw>,
    /// Whom it is for, where it is not the host.
    pub names: Vec<String>,
    /// When in the run it begins to hold.
    pub from: Option<Duration>,
    /// When in the run it expires.
    pub until: Option<Duration>,
    /// The authority, where it is another than the usual one.
    pub authority: Option<String>,
}

impl OwnCertificate {
    /// What the file holds where it is the host `name` that has it: the chain and the key.
    ///
    /// # Errors
    /// As [`Authority::fill_pem`].
    pub fn pem(&self, name: &str, authority: &Authority) -> Result<String, CaError> {
        let Self { flaw, names, from, until, .. } = self.clone();
        let names = if names.is_empty() { vec![name.to_owned()] } else { names };
        let (issued_by, usage) = (IssuedBy::Intermediate, Usage::Client);
        authority.fill_pem(&Order { flaw, from, until, issued_by, usage, names })
    }
}

/// Reads them from the table of a host.
pub fn own_certificates(host: &Table, mistakes: &mut Mistakes) -> Vec<OwnCertificate> {
    let mut read = |(file, value): (Name, Either<Flaw, Table>)| {
        if file.text.is_empty() || file.text.contains('/') {
            let reason = "the name of a file is meant, such as `anna.pem`";
            mistakes.push(Mistake::new("name", file.span.clone(), reason, "no name of a file"));
        }
        let nothing =
            OwnCertificate { file: file.text, flaw: None, names: Vec::new(), from: None, until: None, authority: None };
        let table = match value {
            Either::This(flaw) => return OwnCertificate { flaw: Some(flaw), ..nothing },
            Either::That(table) => table,
        };
        let certificate = OwnCertificate {
            flaw: table.get(&OF_A_FLAW),
            names: table.get(&NAMES).unwrap_or_default(),
            from: table.get(&FROM),
            until: table.get(&UNTIL),
            authority: table.get(&AUTHORITY).map(|text| text.text).filter(|name| name != USUAL),
            ..nothing
        };
        let settled: &[&str] = match certificate.flaw {
            Some(Flaw::Expired | Flaw::NotYetValid) => &["from", "until"],
            Some(Flaw::WrongName) => &["names"],
            Some(Flaw::SelfSigned | Flaw::UntrustedRoot) => &["authority"],
            Some(Flaw::MissingIntermediate | Flaw::Revoked) | None => &[],
        };
        for key in settled.iter().filter_map(|key| table.place(key)) {
            let reason = format!("`{}` has no effect beside this `flaw`", key.text);
            mistakes.push(Mistake::new("no-effect", key.span.clone(), reason, "has no effect"));
        }
        certificate
    };
    host.get(&OWN).unwrap_or_default().into_iter().map(&mut read).collect()
}
