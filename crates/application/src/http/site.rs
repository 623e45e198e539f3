//! What a server has to show, as plain data.

use core::time::Duration;
use std::collections::BTreeMap;

use septet_presentation::compression::Coding;

use super::answers::{Rule, Rules};
use super::page::Page;

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
    codings: Vec<Coding>,
}

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
            codings: Vec::new(),
        }
    }

    /// A site with no page at all: each path that is not added answers 404.
    pub fn empty() -> Self {
        Self {
            default: None,
            pages: BTreeMap::new(),
            think: Duration::ZERO,
            max_body: MAX_BODY,
            answers: Vec::new(),
            codings: Vec::new(),
        }
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

    /// Compresses what is shown, by the first of these that a client likes most (RFC 9110 §12.5.3).
    #[must_use]
    pub fn compress(mut self, codings: Vec<Coding>) -> Self {
        self.codings = codings;
        self
    }

    pub(super) fn codings(&self) -> &[Coding] {
        &self.codings
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
