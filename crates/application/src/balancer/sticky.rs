//! The cookie by which a client comes back to the backend that it had, whatever the policy would say.

use core::fmt::Write as _;
use core::time::Duration;

use http::HeaderMap;
use http::header::{COOKIE, HeaderValue, SET_COOKIE};
use sha2::{Digest as _, Sha256};

use super::Target;

/// A cookie that names the backend of a client.
///
/// Its value is a hash: it stays the same as long as a backend keeps its name and port, whatever its address, and tells
/// neither. A client whose backend is out is given another, and a new cookie.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sticky {
    /// What the cookie is called.
    pub name: String,
    /// How long clients keep it; without it, as long as they run.
    pub max_age: Option<Duration>,
    /// Below which path they send it.
    pub path: String,
    /// Whether it goes over TLS only; unless set, where the balancer ends TLS.
    pub secure: Option<bool>,
    /// Whether scripts of a page may not see it.
    pub http_only: bool,
    /// Whether it goes with requests that another site caused.
    pub same_site: SameSite,
    /// What is mixed into its value. Who does not know it cannot find a backend's name by trying names.
    pub key: String,
}

/// Whether a cookie goes with requests that another site caused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SameSite {
    /// With none.
    Strict,
    /// Where a link was followed.
    #[default]
    Lax,
    /// With all; browsers ask that it be `Secure`.
    None,
}

impl SameSite {
    /// Each with its name in a lab file.
    pub const ALL: [(&'static str, Self); 3] = [("lax", Self::Lax), ("strict", Self::Strict), ("none", Self::None)];
}

impl Sticky {
    /// A cookie of this name that clients keep as long as they run, hidden from scripts.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            max_age: None,
            path: "/".to_owned(),
            secure: None,
            http_only: true,
            same_site: SameSite::default(),
            key: String::new(),
        }
    }
}

/// It, with the value of each backend.
pub(super) struct Stickiness {
    sticky: Sticky,
    /// By the index of the backend.
    values: Vec<String>,
    /// What comes behind the value.
    attributes: String,
}

impl Stickiness {
    pub(super) fn new(sticky: Sticky, targets: &[Target], scheme: &str) -> Self {
        let values = targets.iter().map(|target| value(&sticky, target)).collect();
        let attributes = attributes(&sticky, scheme);
        Self { sticky, values, attributes }
    }

    /// Takes the cookie out of a request, for it is not the backend's: the index of the backend that it names.
    pub(super) fn take(&self, fields: &mut HeaderMap) -> Option<usize> {
        let lines: Vec<_> = fields.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok()).collect();
        let is_ours = |pair: &&str| pair.split_once('=').is_some_and(|(name, _)| name.trim() == self.sticky.name);
        let value = lines.iter().flat_map(|line| line.split(';')).find(is_ours)?.split_once('=')?.1.trim();
        let index = self.values.iter().position(|own| own == value);
        let others: Vec<_> = lines
            .iter()
            .map(|line| line.split(';').map(str::trim).filter(|pair| !is_ours(pair)).collect::<Vec<_>>().join("; "))
            .filter(|line| !line.is_empty())
            .filter_map(|line| HeaderValue::from_str(&line).ok())
            .collect();
        fields.remove(COOKIE);
        for line in others {
            fields.append(COOKIE, line);
        }
        index
    }

    /// Sets the cookie of the backend of this index with a response.
    pub(super) fn set(&self, fields: &mut HeaderMap, index: usize) {
        let cookie = format!("{}={}{}", self.sticky.name, self.values[index], self.attributes);
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            fields.append(SET_COOKIE, cookie);
        }
    }
}

/// 64 bits of a hash: enough to tell some hundred backends apart.
fn value(sticky: &Sticky, target: &Target) -> String {
    let text = format!("{}\0{}\0{}\0{}", sticky.key, sticky.name, target.name, target.at.port());
    let mut value = String::new();
    for byte in &Sha256::digest(text.as_bytes())[..8] {
        // Writing to a string cannot fail.
        let _ = write!(value, "{byte:02x}");
    }
    value
}

fn attributes(sticky: &Sticky, scheme: &str) -> String {
    let mut text = format!("; Path={}", sticky.path);
    if let Some(age) = sticky.max_age {
        let _ = write!(text, "; Max-Age={}", age.as_secs());
    }
    if sticky.secure.unwrap_or(scheme == "https") {
        text.push_str("; Secure");
    }
    if sticky.http_only {
        text.push_str("; HttpOnly");
    }
    text.push_str(match sticky.same_site {
        SameSite::Strict => "; SameSite=Strict",
        SameSite::Lax => "; SameSite=Lax",
        SameSite::None => "; SameSite=None",
    });
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stickiness(sticky: Sticky) -> Stickiness {
        let targets = [1, 2].map(|n| Target::new(format!("web{n}"), ([10, 0, 0, n], 80).into()));
        Stickiness::new(sticky, &targets, "https")
    }

    #[test]
    fn its_value_names_a_backend_and_tells_nothing() {
        let stickiness = stickiness(Sticky { max_age: Some(Duration::from_secs(60)), ..Sticky::new("lb") });
        let mut fields = HeaderMap::new();
        stickiness.set(&mut fields, 1);
        let set = fields[SET_COOKIE].to_str().unwrap().to_owned();
        let (pair, rest) = set.split_once(';').unwrap();
        assert_eq!(rest, " Path=/; Max-Age=60; Secure; HttpOnly; SameSite=Lax");
        assert!(!set.contains("10.0") && !set.contains("web"), "{set}");
        let mut request = HeaderMap::new();
        request.append(COOKIE, HeaderValue::from_str(&format!("a=1; {pair}; b=2")).unwrap());
        assert_eq!(stickiness.take(&mut request), Some(1));
        assert_eq!(request[COOKIE], "a=1; b=2");
    }

    #[test]
    fn an_address_may_change_and_a_key_makes_another_value() {
        let at = |n: u8| Target::new("web", ([10, 0, 0, n], 80).into());
        let plain = Sticky::new("lb");
        assert_eq!(value(&plain, &at(1)), value(&plain, &at(2)));
        assert_ne!(value(&plain, &at(1)), value(&Sticky { key: "k".to_owned(), ..plain.clone() }, &at(1)));
    }

    #[test]
    fn a_cookie_of_no_backend_is_taken_away_too() {
        let stickiness = stickiness(Sticky::new("lb"));
        let mut request = HeaderMap::new();
        request.append(COOKIE, HeaderValue::from_static("lb=0123456789abcdef"));
        request.append(COOKIE, HeaderValue::from_static("lbx=1"));
        assert_eq!(stickiness.take(&mut request), None);
        assert_eq!(request.get_all(COOKIE).iter().collect::<Vec<_>>(), ["lbx=1"]);
    }
}
