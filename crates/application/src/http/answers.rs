//! Answers on purpose: which requests get a status, a delay, or a broken answer instead of a page.

use core::time::Duration;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderName, HeaderValue, Method, StatusCode};
use septet_core::Instant;
use septet_socket::{NetExt, NetRef};

use super::cut::Cut;
use super::page::{Content, Page, TEXT};

/// Requests, and what they are answered with.
#[derive(Clone, PartialEq, Debug)]
pub struct Rule {
    /// Its words, for whoever asks why.
    pub text: String,
    /// The requests that it is about.
    pub about: About,
    /// The share of these, from 0 to 1, that it applies to; the others go on to the next rule.
    pub share: f64,
    /// What they get.
    pub answer: Answer,
}

/// Requests: those to which all of this applies.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct About {
    /// The path; one that ends with `*` stands for all that begin so.
    pub path: Option<String>,
    /// The method.
    pub method: Option<Method>,
    /// From when until when.
    pub window: Option<(Instant, Instant)>,
    /// Which of the requests that fit the rest, by their number from 1 on.
    pub which: Which,
}

/// Which requests, by their number.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Which {
    /// All of them.
    #[default]
    All,
    /// The first so many.
    First(u64),
    /// One in so many: with 3 the third, the sixth, …
    Every(u64),
    /// The one with this number.
    Number(u64),
}

/// What a request gets. What is not said is as it would be without the rule.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Answer {
    /// The status.
    pub status: Option<StatusCode>,
    /// How long it takes to begin the answer, beside the site's time to think.
    pub after: Duration,
    /// How much more or less that may be: uniform.
    pub jitter: Duration,
    /// Fields of the head.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body.
    pub body: Option<Content>,
    /// Where the answer breaks off.
    pub cut: Option<(Place, Cut)>,
}

/// Where an answer breaks off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// Before its first byte.
    Start,
    /// After so many bytes of the body.
    Body(u64),
}

/// The rules of a server that runs, with how many requests each has met.
#[derive(Debug, Default)]
pub(super) struct Rules(Vec<(Rule, AtomicU64)>);

impl Rules {
    pub(super) fn new(rules: &[Rule]) -> Self {
        Self(rules.iter().map(|rule| (rule.clone(), AtomicU64::new(0))).collect())
    }

    /// The first rule that applies to a request.
    pub(super) fn find(&self, net: &NetRef, method: &Method, path: &str) -> Option<&Rule> {
        self.0.iter().find_map(|(rule, met)| {
            if !rule.about.fits(net.now(), method, path) {
                return None;
            }
            let number = met.fetch_add(1, Ordering::Relaxed) + 1;
            (rule.about.which.has(number) && (rule.share >= 1.0 || unit(net) < rule.share)).then_some(rule)
        })
    }
}

impl About {
    fn fits(&self, now: Instant, method: &Method, path: &str) -> bool {
        let on_path = self.path.as_deref().is_none_or(|p| match p.strip_suffix('*') {
            Some(start) => path.starts_with(start),
            None => path == p,
        });
        let in_time = self.window.is_none_or(|(from, until)| from <= now && now < until);
        on_path && in_time && self.method.as_ref().is_none_or(|m| m == method)
    }
}

impl Which {
    fn has(self, number: u64) -> bool {
        match self {
            Self::All => true,
            Self::First(n) => number <= n,
            Self::Every(n) => number.is_multiple_of(n.max(1)),
            Self::Number(n) => number == n,
        }
    }
}

impl Answer {
    /// What is shown instead of `page`, the one that the site has at the path.
    pub(super) fn page(&self, page: Option<&Page>) -> Option<Page> {
        let page = match (self.status, &self.body) {
            (_, Some(body)) => Page::new(body.clone(), TEXT),
            (Some(StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED), None) => Page::new(Content::Pattern(0), TEXT),
            (Some(status), None) if !status.is_success() => {
                Page::new(Content::Bytes(format!("{status}\n").into()), TEXT)
            }
            _ => page?.clone(),
        };
        Some(match self.status {
            Some(status) => page.with_status(status),
            None => page,
        })
    }

    /// How long it takes to begin this time.
    pub(super) fn delay(&self, net: &NetRef) -> Duration {
        if self.jitter.is_zero() {
            return self.after;
        }
        let least = self.after.saturating_sub(self.jitter);
        least + (self.after + self.jitter - least).mul_f64(unit(net))
    }
}

/// A random number from 0 on, below 1.
fn unit(net: &NetRef) -> f64 {
    (net.random_u64() >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_requests() {
        let which = |w: Which| (1..=7).filter(|n| w.has(*n)).collect::<Vec<_>>();
        assert_eq!(which(Which::First(2)), [1, 2]);
        assert_eq!(which(Which::Every(3)), [3, 6]);
        assert_eq!(which(Which::Number(4)), [4]);
        assert_eq!(which(Which::All).len(), 7);
    }

    #[test]
    fn what_a_rule_is_about() {
        let at = Instant::from_secs;
        let about = |path: &str| About { path: Some(path.to_owned()), ..About::default() };
        assert!(about("/x").fits(at(0), &Method::GET, "/x") && !about("/x").fits(at(0), &Method::GET, "/x/y"));
        assert!(about("/x/*").fits(at(0), &Method::GET, "/x/y") && !about("/x/*").fits(at(0), &Method::GET, "/y"));
        let timed = About { window: Some((at(5), at(8))), method: Some(Method::POST), ..About::default() };
        assert!(timed.fits(at(5), &Method::POST, "/") && !timed.fits(at(8), &Method::POST, "/"));
        assert!(!timed.fits(at(6), &Method::GET, "/"));
    }
}
