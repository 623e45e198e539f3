//! Which requests go to which backends, and what is changed in them on the way.

use http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderName, HeaderValue, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, Uri};

use super::{Target, policy};

/// A way for some requests, or for connections by the name that TLS asks for.
#[derive(Clone, Debug)]
pub struct Route {
    /// What it is called in traces.
    pub name: String,
    /// What it is for.
    pub when: When,
    /// Its backends, where they are others than the balancer's own.
    pub to: Option<Vec<Target>>,
    /// How one of them is chosen.
    pub policy: &'static policy::Entry,
    /// What is changed in requests and responses.
    pub edits: Edits,
}

/// What a request must be like; without any word all are.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct When {
    /// The host that is asked, in small letters.
    pub host: Option<HostPattern>,
    /// The path.
    pub path: Option<PathPattern>,
    /// A field of the request.
    pub field: Option<FieldPattern>,
}

/// A host, or all below a domain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HostPattern {
    /// `www.shop.test`
    Is(String),
    /// `*.shop.test`
    Below(String),
}

impl HostPattern {
    /// Whether it fits a host without a port, in whatever letters.
    pub fn fits(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host);
        match self {
            Self::Is(own) => own.eq_ignore_ascii_case(host),
            Self::Below(domain) => {
                let at = host.len().checked_sub(domain.len() + 1);
                at.and_then(|at| Some((host.get(..at)?, host.get(at..)?.strip_prefix('.')?)))
                    .is_some_and(|(label, rest)| !label.is_empty() && rest.eq_ignore_ascii_case(domain))
            }
        }
    }
}

/// A path, or all that begin like it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PathPattern {
    /// `/status`
    Is(String),
    /// `/api/*`: that path and all below.
    Below(String),
    /// `/img*`: all that begin so.
    Begins(String),
}

impl PathPattern {
    /// Reads it as it is written.
    pub fn parse(text: &str) -> Self {
        match text.strip_suffix('*') {
            None => Self::Is(text.to_owned()),
            Some(rest) => match rest.strip_suffix('/') {
                Some(path) => Self::Below(path.to_owned()),
                None => Self::Begins(rest.to_owned()),
            },
        }
    }

    fn fits(&self, path: &str) -> bool {
        match self {
            Self::Is(own) => path == own,
            Self::Begins(start) => path.starts_with(start.as_str()),
            Self::Below(own) => below(path, own).is_some(),
        }
    }
}

/// What is left of `path` behind `prefix`, which ends with one of its segments.
fn below<'p>(path: &'p str, prefix: &str) -> Option<&'p str> {
    path.strip_prefix(prefix).filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A field that must be there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FieldPattern {
    /// Its name.
    pub name: HeaderName,
    /// Its value, where that matters.
    pub value: Option<String>,
}

/// Why a field cannot be asked for, or changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BadField {
    /// It is not the name of one.
    Name,
    /// It cannot be its value.
    Value,
    /// It says where a message ends, or is of one connection.
    Framing,
}

fn name(text: &str) -> Result<HeaderName, BadField> {
    HeaderName::from_bytes(text.as_bytes()).map_err(|_| BadField::Name)
}

impl FieldPattern {
    /// A field of this name, and where it is said with this value.
    ///
    /// # Errors
    /// [`BadField::Name`].
    pub fn new(name: &str, value: Option<&str>) -> Result<Self, BadField> {
        Ok(Self { name: self::name(name)?, value: value.map(|value| value.trim().to_owned()) })
    }

    fn fits(&self, fields: &HeaderMap) -> bool {
        let mut values = fields.get_all(&self.name).iter();
        match &self.value {
            None => values.next().is_some(),
            Some(wanted) => values.any(|value| value.as_bytes().trim_ascii() == wanted.as_bytes()),
        }
    }
}

impl When {
    /// Whether `head` is a request like this.
    pub(super) fn fits(&self, head: &Parts) -> bool {
        self.host.as_ref().is_none_or(|pattern| asked_host(head).is_some_and(|host| pattern.fits(host)))
            && self.path.as_ref().is_none_or(|pattern| pattern.fits(head.uri.path()))
            && self.field.as_ref().is_none_or(|pattern| pattern.fits(&head.headers))
    }
}

/// The host that a request asks, without its port.
fn asked_host(head: &Parts) -> Option<&str> {
    // RFC 9112 §3.2.2: of a target in absolute form "the host information of the request-target" counts, whatever `Host` says.
    let authority = match head.uri.authority() {
        Some(authority) => authority.as_str(),
        None => head.headers.get(HOST)?.to_str().ok()?,
    };
    Some(match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => host,
        _ => authority,
    })
}

/// What is changed in a message.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Edits {
    /// The beginning that is taken off the path of a request.
    pub strip_prefix: Option<String>,
    /// What is done to the fields of a request, in this order.
    pub request: Vec<Edit>,
    /// And to those of a response.
    pub response: Vec<Edit>,
}

/// One change of a field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Edit {
    /// It has this value and no other.
    Set(HeaderName, HeaderValue),
    /// It has this value too.
    Add(HeaderName, HeaderValue),
    /// It is not there.
    Remove(HeaderName),
}

impl Edit {
    /// The field has this value and no other.
    ///
    /// # Errors
    /// [`BadField`].
    pub fn set(name: &str, value: &str) -> Result<Self, BadField> {
        Ok(Self::Set(changeable(name)?, self::value(value)?))
    }

    /// The field has this value too.
    ///
    /// # Errors
    /// [`BadField`].
    pub fn add(name: &str, value: &str) -> Result<Self, BadField> {
        Ok(Self::Add(changeable(name)?, self::value(value)?))
    }

    /// The field is not there.
    ///
    /// # Errors
    /// [`BadField`].
    pub fn remove(name: &str) -> Result<Self, BadField> {
        changeable(name).map(Self::Remove)
    }

    fn apply(&self, fields: &mut HeaderMap) {
        match self {
            Self::Set(name, value) => drop(fields.insert(name, value.clone())),
            Self::Add(name, value) => drop(fields.append(name, value.clone())),
            Self::Remove(name) => drop(fields.remove(name)),
        }
    }
}

fn changeable(text: &str) -> Result<HeaderName, BadField> {
    let is_framing =
        |name: &HeaderName| [CONNECTION, CONTENT_LENGTH, TE, TRAILER, TRANSFER_ENCODING, UPGRADE].contains(name);
    name(text).and_then(|name| if is_framing(&name) { Err(BadField::Framing) } else { Ok(name) })
}

fn value(text: &str) -> Result<HeaderValue, BadField> {
    HeaderValue::from_str(text.trim()).map_err(|_| BadField::Value)
}

impl Edits {
    pub(super) fn of_request(&self, head: &mut Parts) {
        if let Some(prefix) = &self.strip_prefix
            && let Some(rest) = below(head.uri.path(), prefix.trim_end_matches('/'))
        {
            let path = if rest.is_empty() { "/" } else { rest };
            let target = match head.uri.query() {
                Some(query) => format!("{path}?{query}"),
                None => path.to_owned(),
            };
            if let Ok(target) = PathAndQuery::try_from(target) {
                head.uri = Uri::from(target);
            }
        }
        self.request.iter().for_each(|edit| edit.apply(&mut head.headers));
    }

    pub(super) fn of_response(&self, fields: &mut HeaderMap) {
        self.response.iter().for_each(|edit| edit.apply(fields));
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn head(target: &str, fields: &[(&str, &str)]) -> Parts {
        let mut request = Request::get(target);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn hosts() {
        let below = HostPattern::Below("shop.test".to_owned());
        for (host, fits) in [
            ("a.shop.test", true),
            ("a.b.Shop.Test.", true),
            ("shop.test", false),
            (".shop.test", false),
            ("ashop.test", false),
            ("ä.shop.test", true),
            ("äshop.test", false),
        ] {
            assert_eq!(below.fits(host), fits, "{host}");
        }
        let when = When { host: Some(HostPattern::Is("www.shop.test".to_owned())), ..When::default() };
        assert!(when.fits(&head("/", &[("host", "WWW.shop.test:8080")])));
        assert!(when.fits(&head("http://www.shop.test/", &[("host", "other")])));
        assert!(!when.fits(&head("http://other/", &[("host", "www.shop.test")])));
        assert!(!when.fits(&head("/", &[])));
        let six = When { host: Some(HostPattern::Is("[2001:db8::1]".to_owned())), ..When::default() };
        assert!(
            six.fits(&head("/", &[("host", "[2001:db8::1]")])) && six.fits(&head("/", &[("host", "[2001:db8::1]:80")]))
        );
    }

    #[test]
    fn paths_and_fields() {
        let fits = |pattern: &str, path: &str| PathPattern::parse(pattern).fits(path);
        assert!(
            fits("/api/*", "/api") && fits("/api/*", "/api/") && fits("/api/*", "/api/x") && !fits("/api/*", "/apix")
        );
        assert!(
            fits("/api*", "/apix") && fits("/*", "/") && fits("/*", "/x") && fits("/x", "/x") && !fits("/x", "/x/")
        );
        let when = |value: Option<&str>| When {
            field: Some(FieldPattern { name: HeaderName::from_static("x-beta"), value: value.map(str::to_owned) }),
            ..When::default()
        };
        let request = head("/", &[("x-beta", "no"), ("x-beta", "yes")]);
        assert!(when(None).fits(&request) && when(Some("yes")).fits(&request) && !when(Some("y")).fits(&request));
    }

    #[test]
    fn what_is_changed() {
        let name = HeaderName::from_static;
        let value = HeaderValue::from_static;
        let edits = Edits {
            strip_prefix: Some("/api/".to_owned()),
            request: vec![
                Edit::Set(name("x-a"), value("1")),
                Edit::Add(name("x-b"), value("2")),
                Edit::Remove(name("x-c")),
            ],
            response: Vec::new(),
        };
        let mut request = head("/api/v1?q=/api", &[("x-a", "0"), ("x-b", "0"), ("x-c", "0")]);
        edits.of_request(&mut request);
        assert_eq!(request.uri, "/v1?q=/api");
        assert_eq!((&request.headers["x-a"], request.headers.get_all("x-b").iter().count()), (&value("1"), 2));
        assert!(!request.headers.contains_key("x-c"));
        for (from, to) in [("/api", "/"), ("/api?x", "/?x"), ("/apis", "/apis"), ("/api//x", "//x")] {
            let mut request = head(from, &[]);
            edits.of_request(&mut request);
            assert_eq!(request.uri.path_and_query().unwrap().as_str(), to, "{from}");
        }
    }
}
