//! `routes` of a balancer: which requests go to which backends, and what is changed in them.

use septet_application::balancer::policy::{self, POLICIES};
use septet_application::balancer::{BadField, Edit, Edits, FieldPattern, HostPattern, PathPattern, Route, When};
use septet_application::proxy_protocol::Version;
use septet_language::document::Text;
use septet_language::mistake::Mistake;
use septet_language::schema::{Choice, Key, Named, Phrase, Section, Table, TableOf, Texts};
use septet_language::words::{Word, Words, Wrong};

use super::backends::{self, BackendSpec};
use crate::listen::Scheme;
use crate::service::Reading;
use crate::site::Site;

pub(super) static KEY: Key<Named<TableOf>> = Key::new(
    "routes",
    Named("route", TableOf(&SECTION)),
    "which requests go to other backends, by name: the first route that fits; `to` gets the rest, and without it they are answered 404",
);

static SECTION: Section = Section::new(
    "A route of a balancer. A request fits that has all that `host`, `path` and `header` say.",
    &[&[&HEADER, &HOST, &PATH, &POLICY, &REQUEST_HEADERS, &RESPONSE_HEADERS, &STRIP_PREFIX, &backends::KEY]],
);

static HEADER: Key<Phrase<FieldPattern>> =
    Key::new("header", FIELD, "a field that the request must have: `X-Beta`, or with this value `X-Beta: yes`");
static HOST: Key<Phrase<HostPattern>> =
    Key::new("host", NAME, "the host that is asked: `api.shop.test`, or all below a domain: `*.shop.test`");
static PATH: Key<Phrase<PathPattern>> =
    Key::new("path", RESOURCE, "the path: `/status`, or that and all below: `/api/*`, or all that begin so: `/img*`");
static POLICY: Key<Choice<&'static str>> = Key::new(
    "policy",
    Choice(|| POLICIES.iter().map(|policy| (policy.name, policy.name)).collect()),
    "which of its backends gets the next request (that of the balancer)",
);
static REQUEST_HEADERS: Key<Texts<Edit>> = Key::new(
    "request_headers",
    Texts(EDIT),
    "what is changed in the fields of requests, in this order: `set X-Tier: gold`, `add Via: 1.1 edge`, `remove Cookie`",
);
static RESPONSE_HEADERS: Key<Texts<Edit>> =
    Key::new("response_headers", Texts(EDIT), "what is changed in the fields of responses: `remove Server`");
static STRIP_PREFIX: Key<Phrase<String>> = Key::new(
    "strip_prefix",
    Phrase { what: "the beginning of a path", example: "/api", read: prefix },
    "what is taken off the path before the backend gets it: with `/api` it gets `/v1` of `/api/v1`",
);

const FIELD: Phrase<FieldPattern> = Phrase { what: "a field", example: "X-Beta: yes", read: field };
const NAME: Phrase<HostPattern> = Phrase { what: "a host name", example: "api.shop.test", read: host };
const RESOURCE: Phrase<PathPattern> = Phrase {
    what: "a path",
    example: "/api/*",
    read: |_, text| is_path(&text.text).map(|()| PathPattern::parse(&text.text)),
};
const EDIT: Phrase<Edit> = Phrase { what: "a change of a field", example: "set X-Tier: gold", read: edit };

/// A route of a load balancer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RouteSpec {
    /// What it is called.
    pub name: String,
    /// What it is for.
    pub when: When,
    /// Its backends, where they are others than the balancer's own.
    pub to: Option<Vec<BackendSpec>>,
    /// The name of its policy.
    pub policy: String,
    /// What it changes.
    pub edits: Edits,
}

impl RouteSpec {
    pub(super) fn route(&self, told: Option<Version>, site: &dyn Site) -> Route {
        Route {
            name: self.name.clone(),
            when: self.when.clone(),
            to: self.to.as_ref().map(|to| backends::targets(to, told, site)),
            policy: policy::find(&self.policy).unwrap_or(&POLICIES[0]),
            edits: self.edits.clone(),
        }
    }
}

/// Reads them from the table of a balancer whose policy is `usual`.
pub(super) fn read(
    service: &Table,
    usual: &'static str,
    scheme: Option<Scheme>,
    reading: &mut Reading<'_>,
) -> Vec<RouteSpec> {
    let mut routes: Vec<RouteSpec> = Vec::new();
    let mut understood: Vec<RouteSpec> = Vec::new();
    let has_own = service.name(&backends::KEY).is_some();
    for (name, table) in service.get(&KEY).unwrap_or_default() {
        let texts = table.get(&backends::KEY);
        let policy = table.get(&POLICY).unwrap_or(usual);
        let to = texts.map(|texts| backends::read(&texts, reading));
        match &to {
            Some(to) => backends::check_weights(to, policy, table.name(&backends::KEY), reading),
            None if !has_own => {
                let reason = format!("neither the route `{}` nor the balancer has `to`", name.text);
                reading.mistakes.push(Mistake::new("missing-key", name.span.clone(), reason, "missing here"));
            }
            None => {
                if let Some(key) = table.name(&POLICY) {
                    let reason = "the policy of the balancer's own backends is that of the balancer";
                    reading.mistakes.push(Mistake::new("no-effect", key.span.clone(), reason, "has no effect"));
                }
            }
        }
        let of_requests = ["header", "path", "request_headers", "response_headers", "strip_prefix"];
        for key in of_requests.iter().filter(|_| scheme == Some(Scheme::Sni)).filter_map(|key| table.place(key)) {
            let reason = format!("`{}` is of requests, and what TLS carries is not opened here", key.text);
            reading.mistakes.push(Mistake::new("no-effect", key.span.clone(), reason, "has no effect"));
        }
        let when = When { host: table.get(&HOST), path: table.get(&PATH), field: table.get(&HEADER) };
        let is_understood = table.place("host").is_none_or(|_| when.host.is_some())
            && table.place("path").is_none_or(|_| when.path.is_some())
            && table.place("header").is_none_or(|_| when.field.is_some());
        let covers = |before: &&RouteSpec| before.when == When::default() || before.when == when;
        if let Some(before) = understood.iter().find(covers).filter(|_| is_understood) {
            let reason = format!("all that it is for goes by the route `{}`, which stands before it", before.name);
            reading.mistakes.push(Mistake::new("no-effect", name.span.clone(), reason, "is never taken"));
        }
        let edits = Edits {
            strip_prefix: table.get(&STRIP_PREFIX),
            request: table.get(&REQUEST_HEADERS).unwrap_or_default(),
            response: table.get(&RESPONSE_HEADERS).unwrap_or_default(),
        };
        let route = RouteSpec { name: name.text, when, to, policy: policy.to_owned(), edits };
        if is_understood {
            understood.push(route.clone());
        }
        routes.push(route);
    }
    routes
}

fn host(_: &str, text: &Text) -> Result<HostPattern, Wrong> {
    let small = text.text.to_ascii_lowercase();
    let (name, pattern): (&str, fn(String) -> HostPattern) = match small.strip_prefix("*.") {
        Some(domain) => (domain, HostPattern::Below),
        None => (&small, HostPattern::Is),
    };
    // An address of IPv6 stands in brackets.
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-._[:]".contains(&b);
    let is_name = !name.is_empty() && name.bytes().all(is_plain) && (name.starts_with('[') || !name.contains(':'));
    if is_name {
        return Ok(pattern(name.to_owned()));
    }
    Err(Wrong::new("host", 0..text.text.len(), format!("`{}` is not a host name", text.text))
        .help("a name without a port, or a domain: `api.shop.test`, `*.shop.test`".to_owned()))
}

fn is_path(text: &str) -> Result<(), Wrong> {
    match text.starts_with('/') && text.bytes().all(|b| (0x21..0x7f).contains(&b) && b != b'?' && b != b'#') {
        true => Ok(()),
        false => Err(Wrong::new("url", 0..text.len(), format!("`{text}` is not a path"))
            .help("a path begins with a slash, and has neither blanks nor a query: `/api/*`".to_owned())),
    }
}

fn prefix(_: &str, text: &Text) -> Result<String, Wrong> {
    is_path(&text.text).map(|()| text.text.clone())
}

fn field(_: &str, text: &Text) -> Result<FieldPattern, Wrong> {
    let word = Word { text: &text.text, at: 0 };
    let (name, value) = match word.split_once(":") {
        Some((name, value)) => (name, Some(value.text)),
        None => (word, None),
    };
    FieldPattern::new(name.text, value).map_err(|bad| refused(bad, name))
}

/// `set X-Tier: gold`
fn edit(_: &str, text: &Text) -> Result<Edit, Wrong> {
    let mut words = Words::of(text);
    let how = words.expect("`set`, `add` or `remove`", "set X-Tier: gold")?;
    let rest = words.rest();
    let with_value = |make: fn(&str, &str) -> Result<Edit, BadField>| {
        let Some((name, value)) = rest.split_once(":") else {
            return Err(Wrong::new("header", rest.range(), format!("`{}` has no value", rest.text))
                .help(format!("for example `{} X-Tier: gold`", how.text)));
        };
        make(name.text, value.text).map_err(|bad| refused(bad, if bad == BadField::Value { value } else { name }))
    };
    match how.text {
        "set" => with_value(Edit::set),
        "add" => with_value(Edit::add),
        "remove" => Edit::remove(rest.text).map_err(|bad| refused(bad, rest)),
        _ => Err(Wrong::new("header", how.range(), format!("`{}` is nothing to do with a field", how.text))
            .help("`set X-Tier: gold`, `add Via: 1.1 edge` or `remove Cookie`".to_owned())),
    }
}

fn refused(bad: BadField, word: Word<'_>) -> Wrong {
    let reason = match bad {
        BadField::Name => format!("`{}` is not the name of a field", word.text),
        BadField::Value => format!("`{}` cannot be the value of a field", word.text),
        BadField::Framing => format!("`{}` is the balancer's own: it frames messages and holds connections", word.text),
    };
    Wrong::new("header", word.range(), reason)
}
