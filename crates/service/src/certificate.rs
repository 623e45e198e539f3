//! `certificate`: what the certificate of a service is like, where it is not the usual one.

use core::time::Duration;
use std::io;
use std::net::{IpAddr, SocketAddr};

use septet_core::Storey;
use septet_language::mistake::Mistake;
use septet_language::schema::{Choice, Either, Entry, Key, Line, OneOf, Phrase, Section, Table, TableOf, Texts, Time};
use septet_language::units::Refusal;
use septet_language::words::{Word, Wrong};
use septet_presentation::ca::{self, Asking, CaError, FLAWS, Flaw, IssuedBy, Order, ServerIdentity};
use septet_presentation::tls::Versions;
use septet_socket::{Entropy, NetExt, NetRef, TcpOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::listen::Listen;
use crate::run::tell_beginning;
use crate::service::Reading;
use crate::site::{HostId, Site};

/// Asks the authority at `at` for a certificate for `names`, with a key that is made for it.
///
/// # Errors
/// Those of the network; `PermissionDenied` where the authority refuses.
pub(crate) async fn obtain(net: &NetRef, names: &[String], at: IpAddr) -> io::Result<ServerIdentity> {
    let secret = match net.entropy() {
        Entropy::Seeded => {
            let mut secret = [0; 32];
            net.fill_random(&mut secret);
            Some(secret)
        }
        Entropy::System => None,
    };
    let asking = Asking::new(names, secret.as_ref())?;
    let peer = SocketAddr::new(at, AT_PORT);
    tell_beginning(net);
    net.trace(Storey::Presentation, "ca.request", |f| {
        f.set("peer", peer).set("names", names.join(", ")).set("bytes", asking.request().len());
    });
    let mut stream = net.connect(peer, TcpOptions::default()).await?;
    stream.write_all(asking.request().as_bytes()).await?;
    stream.shutdown().await?;
    let mut chain = Vec::new();
    stream.take(LONGEST).read_to_end(&mut chain).await?;
    if let Some(why) = chain.strip_prefix(b"refused: ") {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, String::from_utf8_lossy(why).trim().to_owned()));
    }
    let identity = asking.answered(&chain)?;
    net.trace(Storey::Presentation, "ca.answer", |f| {
        f.set("peer", peer).set("certificates", identity.chain().len());
    });
    Ok(identity)
}

/// Where an authority is asked.
pub(crate) const AT_PORT: u16 = 7080;
/// No chain is longer.
const LONGEST: u64 = 64 * 1024;
/// The zone of a lab's own hosts.
const DOMAIN: &str = "lab";

/// What the usual authority is called.
pub const USUAL: &str = "lab";

/// The key of a service that may listen with TLS.
pub(crate) static KEY: Key<OneOf<Choice<Flaw>, TableOf>> = Key::new(
    "certificate",
    OneOf(FLAW, TableOf(&SECTION)),
    "what is wrong with its certificate, or a table; without it nothing is",
);

static SECTION: Section = Section::new(
    "What the certificate is like.",
    &[&[&OF_A_FLAW, &NAMES, &FROM, &UNTIL, &ISSUER, &AUTHORITY, &REQUEST, &CHAIN, &OF_THE_CHAIN]],
);

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

static AUTHORITY: Key<Line> = Key::new(
    "authority",
    Line,
    "the authority, where it is another than the lab's: any name, which only hosts whose `trust` names it believe",
);

static REQUEST: Key<Line> = Key::new(
    "request",
    Line,
    "the host whose `authority` is asked for it when the service starts, by a request (CSR) over the network",
);

static CHAIN: Key<Line> =
    Key::new("chain", Line, "the file with the chain of certificates, leaf first, as PEM (`septet serve` only)");
static OF_THE_CHAIN: Key<Line> =
    Key::new("key", Line, "the file with the private key of the first of `chain`, as PEM (`septet serve` only)");

/// The versions of TLS that a service speaks.
pub(crate) static VERSIONS: Key<Choice<Versions>> = Key::new(
    "tls",
    Choice(|| vec![("any", Versions::Any), ("1.2", Versions::Tls12), ("1.3", Versions::Tls13)]),
    "the versions of TLS that it speaks (any: 1.3, and 1.2 with who knows no better)",
);

pub(crate) const FLAW: Choice<Flaw> = Choice(|| FLAWS.iter().map(|known| (known.name, known.flaw)).collect());
pub(crate) const NAME: Phrase<String> = Phrase {
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
    /// The authority, where it is another than the usual one.
    pub authority: Option<String>,
    /// The host that is asked for it over the network.
    pub request: Option<HostId>,
    /// The certificates and the key that a file holds, instead of all else.
    pub given: Option<Given>,
}

/// An identity that was read from files.
#[derive(Clone, Debug)]
pub struct Given(ServerIdentity);

impl PartialEq for Given {
    fn eq(&self, other: &Self) -> bool {
        self.0.chain() == other.0.chain()
    }
}

impl Eq for Given {}

impl Certificate {
    /// The certificate for `host`, or for the names of the host that is here where that is empty; none where nobody signs.
    pub(crate) fn identity(&self, host: &str, site: &dyn Site) -> Result<Option<ServerIdentity>, CaError> {
        if let Some(Given(identity)) = &self.given {
            return Ok(Some(identity.clone()));
        }
        let authority = match &self.authority {
            Some(name) => site.other_authority(name),
            None => site.authority(),
        };
        let Some(authority) = authority else { return Ok(None) };
        let name = site.name(site.here());
        let in_domain = site.domain().map(|(domain, _)| format!("{name}.{domain}"));
        let mut names: Vec<String> = [host.to_owned()].into_iter().chain(in_domain).chain([name]).collect();
        names.retain(|n| !n.is_empty());
        names.extend(site.addresses(site.here()).first().map(ToString::to_string));
        names.dedup();
        authority.fill(&self.order(names)).map(Some)
    }

    /// Where and for what names to ask, where somebody is asked over the network.
    pub(crate) fn asks(&self, host: &str, site: &dyn Site) -> Option<(Vec<String>, IpAddr)> {
        let at = *site.addresses(self.request?).first()?;
        let usual = || if host.is_empty() { format!("{}.{DOMAIN}", site.name(site.here())) } else { host.to_owned() };
        Some((if self.names.is_empty() { vec![usual()] } else { self.names.clone() }, at))
    }

    /// The order for one whose usual names are these.
    fn order(&self, usual: Vec<String>) -> Order {
        let Self { flaw, names, from, until, issued_by, authority: _, request: _, given: _ } = self.clone();
        Order { flaw, from, until, issued_by, ..Order::new(if names.is_empty() { usual } else { names }) }
    }
}

/// Reads the versions of TLS that a service speaks.
pub(crate) fn versions(service: &Table, listen: &[Listen], reading: &mut Reading<'_>) -> Versions {
    let Some(Entry { name, value, .. }) = service.entry(&VERSIONS) else { return Versions::Any };
    if !listen.iter().any(|l| l.scheme.is_secure()) {
        let reason = "nothing listens on `https`, so no TLS is spoken here";
        reading.mistakes.push(Mistake::new("no-effect", name.span.clone(), reason, "has no effect"));
    }
    *value
}

/// The identity in the files that the table names, or nothing and its mistakes; `None` where it names none.
#[allow(clippy::option_option)]
fn given(table: &Table, reading: &mut Reading<'_>) -> Option<Option<Given>> {
    let (chain, key) = match (table.get(&CHAIN), table.get(&OF_THE_CHAIN)) {
        (None, None) => return None,
        (Some(chain), Some(key)) => (chain, key),
        (Some(text), None) | (None, Some(text)) => {
            let reason = "`chain` and `key` stand together: a certificate is worth nothing without its key";
            reading.mistakes.push(Mistake::new("missing-key", text.span, reason, "the other is missing"));
            return Some(None);
        }
    };
    if !reading.hosts.takes_keys() {
        let reason = "a lab's certificates are signed by its own authority; files are for `septet serve`";
        reading.mistakes.push(Mistake::new("no-effect", chain.span, reason, "not in a lab"));
        return Some(None);
    }
    let (Some(chain_pem), Some(key_pem)) = (reading.file(&chain), reading.file(&key)) else { return Some(None) };
    let identity = ServerIdentity::from_pem(&chain_pem, &key_pem).map_err(|e| {
        let at = if matches!(e, CaError::Key(_)) { &key } else { &chain };
        let refusal = Refusal::new(e.to_string());
        reading.mistakes.push(Wrong::refused("certificate", 0..at.text.len(), refusal).mistake(at));
    });
    Some(identity.ok().map(Given))
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
    let request = table.get(&REQUEST);
    let asked = request.as_ref().and_then(|text| {
        let host = reading.hosts.host(Word { text: &text.text, at: 0 });
        reading.or_report(text, host)
    });
    if let Some(given) = given(table, reading) {
        for key in ["flaw", "names", "from", "until", "issuer", "authority", "request"] {
            let Some(key) = table.place(key) else { continue };
            let reason = format!("`{}` has no effect on a certificate that a file holds", key.text);
            reading.mistakes.push(Mistake::new("no-effect", key.span.clone(), reason, "has no effect"));
        }
        return Certificate { given, ..Certificate::default() };
    }
    let certificate = Certificate {
        given: None,
        request: asked,
        flaw: table.get(&OF_A_FLAW),
        names: table.get(&NAMES).unwrap_or_default(),
        from: table.get(&FROM),
        until: table.get(&UNTIL),
        issued_by: table.get(&ISSUER).unwrap_or_default(),
        authority: table.get(&AUTHORITY).map(|text| text.text).filter(|name| name != USUAL),
    };
    if let Some(text) = &request {
        for key in ["flaw", "from", "until", "issuer", "authority"].iter().filter_map(|key| table.place(key)) {
            let reason = format!("`{}` has no effect where `{}` is asked for the certificate", key.text, text.text);
            reading.mistakes.push(Mistake::new("no-effect", key.span.clone(), reason, "has no effect"));
        }
    }
    // What a flaw settles cannot be said once more.
    let settled: &[&str] = match certificate.flaw {
        Some(Flaw::Expired | Flaw::NotYetValid) => &["from", "until"],
        Some(Flaw::WrongName) => &["names"],
        Some(Flaw::SelfSigned) => &["issuer", "authority"],
        Some(Flaw::MissingIntermediate) => &["issuer"],
        Some(Flaw::UntrustedRoot) => &["authority"],
        Some(Flaw::Revoked) | None => &[],
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
