//! What a server has to show, as plain data.

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::StatusCode;

use super::answers::{Rule, Rules};
use super::body::{Body, Pattern};
use super::digest::Digester;

/// Larger content gets no digest: computing it would take longer than sending it.
const DIGESTED: u64 = 64 * 1024 * 1024;

/// What a page consists of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Content {
    /// This many bytes of [`Pattern`].
    Pattern(u64),
    /// These bytes.
    Bytes(Bytes),
}

impl Content {
    /// Its length in bytes.
    pub fn len(&self) -> u64 {
        match self {
            Self::Pattern(len) => *len,
            Self::Bytes(bytes) => bytes.len() as u64,
        }
    }

    /// Whether there is nothing of it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes from `from` up to `to`.
    pub(super) fn slice(&self, from: u64, to: u64) -> Body {
        match self {
            Self::Pattern(_) => Body::pattern(from..to),
            // Both ends were checked against the length, which fits a usize here.
            Self::Bytes(bytes) => bytes.slice(from as usize..to as usize).into(),
        }
    }
}

/// One page.
#[derive(Clone, Debug)]
pub struct Page {
    /// What it consists of.
    pub content: Content,
    /// Its media type.
    pub content_type: String,
    /// The status with which it is served: 200, or for a page that stands for an error, that.
    pub status: StatusCode,
    digest: Arc<OnceLock<Option<String>>>,
}

impl Page {
    /// A page that is served with status 200.
    pub fn new(content: Content, content_type: impl Into<String>) -> Self {
        Self { content, content_type: content_type.into(), status: StatusCode::OK, digest: Arc::default() }
    }

    /// A page of `len` bytes of text.
    pub fn pattern(len: u64) -> Self {
        Self::new(Content::Pattern(len), TEXT)
    }

    /// Serves it with another status.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// The value of its `Repr-Digest`; computed once.
    pub(super) fn digest(&self) -> Option<&str> {
        let compute = || {
            (self.content.len() <= DIGESTED).then(|| {
                let mut digester = Digester::default();
                match &self.content {
                    Content::Pattern(len) => {
                        let mut pattern = Pattern::new(0..*len);
                        while let Some(piece) = pattern.next(usize::MAX) {
                            digester.update(&piece);
                        }
                    }
                    Content::Bytes(bytes) => digester.update(bytes),
                }
                digester.finish()
            })
        };
        self.digest.get_or_init(compute).as_deref()
    }

    /// A strong validator (RFC 9110 §8.8.3), which changes with the content.
    pub(super) fn etag(&self) -> String {
        let mark: String = self.digest().unwrap_or("large").chars().skip(9).take(11).collect();
        format!("\"{:x}-{mark}\"", self.content.len())
    }
}

/// The pages of a server.
///
/// ```
/// use core::time::Duration;
/// use septet_application::http::{Content, Page, Site};
/// let site = Site::new(Page::pattern(20_000))
///     .think(Duration::from_millis(2))
///     .page("/hello", Page::new(Content::Bytes("hello\n".into()), "text/plain"));
/// ```
#[derive(Clone, Debug)]
pub struct Site {
    default: Option<Page>,
    pages: BTreeMap<String, Page>,
    think: Duration,
    max_body: u64,
    answers: Vec<Rule>,
}

/// Plain text.
pub(super) const TEXT: &str = "text/plain; charset=utf-8";

/// nginx's `client_max_body_size`.
const MAX_BODY: u64 = 1024 * 1024;

impl Site {
    /// A site that shows `page` at every path.
    pub fn new(page: Page) -> Self {
        Self {
            default: Some(page),
            pages: BTreeMap::new(),
            think: Duration::ZERO,
            max_body: MAX_BODY,
            answers: Vec::new(),
        }
    }

    /// A site with no page at all: each path that is not added answers 404.
    pub fn empty() -> Self {
        Self { default: None, pages: BTreeMap::new(), think: Duration::ZERO, max_body: MAX_BODY, answers: Vec::new() }
    }

    /// Shows `page` at `path`.
    #[must_use]
    pub fn page(mut self, path: impl Into<String>, page: Page) -> Self {
        self.pages.insert(path.into(), page);
        self
    }

    /// Takes this long over each request before the response begins.
    #[must_use]
    pub fn think(mut self, think: Duration) -> Self {
        self.think = think;
        self
    }

    /// Takes bodies of requests up to this many bytes (1 MiB); a larger one is answered 413.
    #[must_use]
    pub fn max_body(mut self, bytes: u64) -> Self {
        self.max_body = bytes;
        self
    }

    /// Answers by these rules: the first one that applies to a request goes before the pages.
    #[must_use]
    pub fn answers(mut self, rules: Vec<Rule>) -> Self {
        self.answers = rules;
        self
    }

    pub(super) fn rules(&self) -> Rules {
        Rules::new(&self.answers)
    }

    pub(super) fn largest_body(&self) -> u64 {
        self.max_body
    }

    pub(super) fn find(&self, path: &str) -> Option<&Page> {
        self.pages.get(path).or(self.default.as_ref())
    }

    pub(super) fn think_time(&self) -> Duration {
        self.think
    }
}
