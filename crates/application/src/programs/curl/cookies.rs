//! Cookies that servers set, kept from one transfer to the next (RFC 6265).

use core::time::Duration;
use std::sync::{Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use http::HeaderMap;
use http::header::SET_COOKIE;

use super::url::{Scheme, Url};

/// RFC 6265 §6.1: "At least 4096 bytes per cookie", "At least 50 cookies per domain", "At least 3000 cookies total".
const LONGEST: usize = 4096;
const MOST: usize = 3000;

/// The cookies that are kept.
#[derive(Default)]
pub(super) struct Jar(Mutex<Vec<Cookie>>);

#[derive(Clone, PartialEq, Eq, Debug)]
struct Cookie {
    name: String,
    value: String,
    domain: Domain,
    path: String,
    secure: bool,
    /// Since the epoch; without it, it is kept as long as the program runs.
    expires: Option<Duration>,
}

/// Whom a cookie is sent to.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Domain {
    /// The host that set it.
    Host(String),
    /// That and all below.
    Below(String),
}

impl Domain {
    fn matches(&self, host: &str) -> bool {
        match self {
            Self::Host(own) => own == host,
            Self::Below(domain) => is_below(host, domain),
        }
    }
}

impl Jar {
    /// Takes what the response of `url` sets; `now` is the time since the epoch.
    pub(super) fn take(&self, url: &Url, fields: &HeaderMap, now: Duration) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for line in fields.get_all(SET_COOKIE).iter().filter_map(|line| line.to_str().ok()) {
            let Some(cookie) = Cookie::read(line, url, now) else { continue };
            // §5.3: the new one takes the place of one with the same name, domain and path.
            kept.retain(|c| (&c.name, &c.domain, &c.path) != (&cookie.name, &cookie.domain, &cookie.path));
            if cookie.expires.is_none_or(|expires| expires > now) {
                if kept.len() == MOST {
                    kept.remove(0);
                }
                kept.push(cookie);
            }
        }
    }

    /// The value of the `Cookie` line for `url`; none where there is nothing to send.
    pub(super) fn line(&self, url: &Url, now: Duration) -> Option<String> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|cookie| cookie.expires.is_none_or(|expires| expires > now));
        let path = url.target.split('?').next().unwrap_or("/");
        let goes = |c: &&Cookie| {
            c.domain.matches(&url.host) && path_matches(path, &c.path) && (!c.secure || url.scheme == Scheme::Https)
        };
        let mut sent: Vec<_> = kept.iter().filter(goes).collect();
        // §5.4: "Cookies with longer paths are listed before cookies with shorter paths."
        sent.sort_by_key(|cookie| core::cmp::Reverse(cookie.path.len()));
        let pairs: Vec<_> = sent.iter().map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }
}

impl Cookie {
    /// §5.2 and §5.3. `None` where it is to be ignored.
    fn read(line: &str, url: &Url, now: Duration) -> Option<Self> {
        let mut parts = line.split(';');
        let (name, value) = parts.next()?.split_once('=')?;
        let (name, value) = (name.trim(), value.trim());
        if name.is_empty() || line.len() > LONGEST {
            return None;
        }
        let mut cookie = Self {
            name: name.to_owned(),
            value: value.to_owned(),
            domain: Domain::Host(url.host.clone()),
            path: default_path(&url.target),
            secure: false,
            expires: None,
        };
        let mut max_age = None;
        for attribute in parts {
            let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
            let value = value.trim();
            match name.trim().to_ascii_lowercase().as_str() {
                "secure" => cookie.secure = true,
                "path" if value.starts_with('/') => value.clone_into(&mut cookie.path),
                "domain" if !value.is_empty() => {
                    let domain = value.trim_start_matches('.').to_ascii_lowercase();
                    // A name without a dot is nobody's own.
                    if !is_below(&url.host, &domain) || !domain.contains('.') && domain != url.host {
                        return None;
                    }
                    cookie.domain = Domain::Below(domain);
                }
                "max-age" => max_age = value.parse::<i64>().ok().or(max_age),
                "expires" => {
                    let at = httpdate::parse_http_date(value).ok();
                    cookie.expires = at.map(|at| at.duration_since(UNIX_EPOCH).unwrap_or_default()).or(cookie.expires);
                }
                _ => {}
            }
        }
        // §5.3: Max-Age goes before Expires; §5.2.2: one "less than or equal to zero" is the earliest time there is.
        if let Some(seconds) = max_age {
            let seconds = u64::try_from(seconds).unwrap_or(0);
            cookie.expires =
                Some(if seconds == 0 { Duration::ZERO } else { now.saturating_add(Duration::from_secs(seconds)) });
        }
        Some(cookie)
    }
}

/// §5.1.3, for names: an address matches only itself.
fn is_below(host: &str, domain: &str) -> bool {
    let is_address = host.parse::<std::net::IpAddr>().is_ok();
    host == domain || !is_address && host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

/// §5.1.4.
fn default_path(target: &str) -> String {
    let path = target.split('?').next().unwrap_or("/");
    match path.rfind('/') {
        Some(at) if at > 0 && path.starts_with('/') => path[..at].to_owned(),
        _ => "/".to_owned(),
    }
}

fn path_matches(path: &str, of_cookie: &str) -> bool {
    path.strip_prefix(of_cookie)
        .is_some_and(|rest| rest.is_empty() || of_cookie.ends_with('/') || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1_700_000_000);

    fn jar(from: &str, lines: &[&str]) -> Jar {
        let jar = Jar::default();
        let mut fields = HeaderMap::new();
        for line in lines {
            fields.append(SET_COOKIE, line.parse().unwrap());
        }
        jar.take(&Url::parse(from).unwrap(), &fields, NOW);
        jar
    }

    fn sent(jar: &Jar, to: &str) -> Option<String> {
        jar.line(&Url::parse(to).unwrap(), NOW + Duration::from_secs(1))
    }

    #[test]
    fn a_cookie_goes_where_it_belongs() {
        let jar = jar(
            "https://www.shop.test/a/b",
            &[
                "a=1",
                "b=2; Path=/",
                "c=3; Path=/; Secure; HttpOnly",
                "d=4; Domain=shop.test; Path=/",
                "e=5; Domain=bank.test",
                "f=6; Domain=test",
            ],
        );
        assert_eq!(sent(&jar, "https://www.shop.test/a/c?x=/").as_deref(), Some("a=1; b=2; c=3; d=4"));
        assert_eq!(sent(&jar, "http://www.shop.test/ab").as_deref(), Some("b=2; d=4"));
        assert_eq!(sent(&jar, "http://api.shop.test/").as_deref(), Some("d=4"));
        assert_eq!(sent(&jar, "http://bank.test/"), None);
    }

    #[test]
    fn a_cookie_ends_when_it_is_to() {
        let jar = jar(
            "http://a.test/",
            &[
                "a=1; Max-Age=1",
                "b=1; Max-Age=2",
                "c=1",
                "c=2",
                "d=1",
                "d=1; Max-Age=0",
                "e=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
            ],
        );
        assert_eq!(sent(&jar, "http://a.test/").as_deref(), Some("b=1; c=2"));
    }
}
