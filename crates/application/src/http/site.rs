//! What a server has to show, as plain data.

use core::time::Duration;
use std::collections::BTreeMap;

use septet_presentation::compression::Coding;

use super::access::AccessLog;
use super::answers::{Rule, Rules};
use super::files::Files;
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
    root: Option<Root>,
    hosts: BTreeMap<String, Site>,
    endpoints: Endpoints,
    access_log: Option<AccessLog>,
}

/// Files, and how they are shown.
#[derive(Clone, PartialEq, Debug)]
pub struct Root {
    /// Where they come from.
    pub files: Files,
    /// What stands for a directory, the first that is there.
    pub index: Vec<String>,
    /// What is shown of a directory without one of these.
    pub listing: Listing,
    /// What becomes of files whose names, or those of whose directories, begin with a dot.
    pub dots: Dots,
}

/// What is shown of a directory.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Listing {
    /// Nothing: 403.
    #[default]
    Hidden,
    /// What is in it.
    Shown,
}

/// What becomes of names that begin with a dot.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Dots {
    /// They are not there, but for `.well-known` (RFC 8615).
    #[default]
    Hidden,
    /// They are names like others.
    Shown,
}

/// Whether a site answers for who tests clients: `/bytes/N`, `/delay/MS`, `/status/N`, `/echo`.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Endpoints {
    /// It does not.
    #[default]
    Off,
    /// Before its pages.
    On,
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
            root: None,
            hosts: BTreeMap::new(),
            endpoints: Endpoints::Off,
            access_log: None,
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
            root: None,
            hosts: BTreeMap::new(),
            endpoints: Endpoints::Off,
            access_log: None,
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

    /// Shows files, where no page is at a path, instead of the default page.
    #[must_use]
    pub fn root(mut self, root: Root) -> Self {
        self.root = Some(root);
        self
    }

    /// Shows another site to who asks for this host.
    #[must_use]
    pub fn host(mut self, name: &str, site: Site) -> Self {
        self.hosts.insert(name.to_ascii_lowercase(), site);
        self
    }

    /// Answers for who tests clients.
    #[must_use]
    pub fn endpoints(mut self, endpoints: Endpoints) -> Self {
        self.endpoints = endpoints;
        self
    }

    /// Writes a line of each request, as a note `http.access`.
    #[must_use]
    pub fn access_log(mut self, form: Option<AccessLog>) -> Self {
        self.access_log = form;
        self
    }

    pub(super) fn page_at(&self, path: &str) -> Option<&Page> {
        self.pages.get(path)
    }

    pub(super) fn files(&self) -> Option<&Root> {
        self.root.as_ref()
    }

    pub(super) fn other_hosts(&self) -> &BTreeMap<String, Site> {
        &self.hosts
    }

    pub(super) fn has_endpoints(&self) -> bool {
        self.endpoints == Endpoints::On
    }

    pub(super) fn log(&self) -> Option<AccessLog> {
        self.access_log
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
