//! `sticky` of a balancer: the cookie by which clients come back to their backend.

use septet_application::balancer::{SameSite, Sticky};
use septet_language::document::Text;
use septet_language::mistake::Mistake;
use septet_language::schema::{Choice, Either, Key, Line, OneOf, Phrase, Section, Switch, Table, TableOf, Time};
use septet_language::words::Wrong;

use crate::listen::{Listen, Scheme};
use crate::service::Reading;

pub(super) static KEY: Key<OneOf<Phrase<String>, TableOf>> = Key::new(
    "sticky",
    OneOf(COOKIE_NAME, TableOf(&SECTION)),
    "the name of a cookie that brings a client back to the backend that it had, or a table; without it there is none",
);

static SECTION: Section = Section::new(
    "The cookie that brings a client back to the backend that it had.",
    &[&[&COOKIE, &HASH_KEY, &HTTP_ONLY, &MAX_AGE, &PATH, &SAME_SITE, &SECURE]],
)
.required(&["cookie"]);

static COOKIE: Key<Phrase<String>> = Key::new("cookie", COOKIE_NAME, "what it is called");
static HASH_KEY: Key<Line> = Key::new(
    "key",
    Line,
    "a secret that is mixed into its value, so that nobody finds a backend's name by trying names; all balancers of one site have the same",
);
static HTTP_ONLY: Key<Switch> = Key::new("http_only", Switch, "whether it is hidden from scripts of a page (true)");
static MAX_AGE: Key<Time> = Key::new("max_age", Time, "how long clients keep it (as long as they run)");
static PATH: Key<Phrase<String>> = Key::new("path", COOKIE_PATH, "below which path clients send it (`/`)");
static SAME_SITE: Key<Choice<SameSite>> = Key::new(
    "same_site",
    Choice(|| SameSite::ALL.to_vec()),
    "whether it goes with requests that another site caused (lax: where a link was followed)",
);
static SECURE: Key<Switch> = Key::new("secure", Switch, "whether it goes over TLS only (true at `https`)");

const COOKIE_NAME: Phrase<String> = Phrase { what: "the name of a cookie", example: "SERVER", read: cookie_name };
const COOKIE_PATH: Phrase<String> = Phrase { what: "a path", example: "/shop", read: cookie_path };

/// Reads it from the table of a balancer that listens there.
pub(super) fn read(service: &Table, listen: &Listen, reading: &mut Reading<'_>) -> Option<Sticky> {
    let entry = service.entry(&KEY)?;
    let table = match entry.value {
        Either::This(name) => return Some(Sticky::new(name)),
        Either::That(table) => table,
    };
    let mut sticky = Sticky::new(table.get(&COOKIE)?);
    sticky.key = table.get(&HASH_KEY).map(|key| key.text).unwrap_or_default();
    sticky.http_only = table.get(&HTTP_ONLY).unwrap_or(true);
    sticky.max_age = table.get(&MAX_AGE);
    if let Some(path) = table.get(&PATH) {
        sticky.path = path;
    }
    sticky.same_site = table.get(&SAME_SITE).unwrap_or_default();
    sticky.secure = table.get(&SECURE);
    let is_secure = sticky.secure.unwrap_or(listen.scheme == Scheme::Https);
    if sticky.same_site == SameSite::None
        && !is_secure
        && let Some(name) = table.name(&SAME_SITE)
    {
        let reason = "browsers take no cookie with `SameSite=None` that is not `Secure`";
        let mistake = Mistake::new("cookie", name.span.clone(), reason, "never sent back");
        reading.mistakes.push(mistake.help("`secure = true`, or `same_site = \"lax\"`".to_owned()));
    }
    Some(sticky)
}

/// RFC 6265 §4.1.1: a token of RFC 9110.
fn cookie_name(_: &str, text: &Text) -> Result<String, Wrong> {
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    match text.text.bytes().position(|b| !is_token(b)) {
        None if !text.text.is_empty() => Ok(text.text.clone()),
        _ => Err(Wrong::new("cookie", 0..text.text.len(), format!("`{}` is not the name of a cookie", text.text))
            .help("letters, digits, and of other signs `_`, `-` and `.`: `SERVER`".to_owned())),
    }
}

fn cookie_path(_: &str, text: &Text) -> Result<String, Wrong> {
    let is_plain = |b: u8| (0x21..0x7f).contains(&b) && b != b';';
    match text.text.starts_with('/') && text.text.bytes().all(is_plain) {
        true => Ok(text.text.clone()),
        false => Err(Wrong::new("url", 0..text.text.len(), format!("`{}` is not a path", text.text))
            .help("a path begins with a slash and has neither blanks nor semicolons: `/shop`".to_owned())),
    }
}
