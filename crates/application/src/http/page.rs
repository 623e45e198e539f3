//! One page: what it consists of, and what is said of it.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::StatusCode;
use septet_presentation::compression::{self, Coding};

use super::body::{Body, Pattern};
use super::digest::Digester;

/// Plain text.
pub(super) const TEXT: &str = "text/plain; charset=utf-8";

/// Larger content gets no digest: computing it would take longer than sending it.
const DIGESTED: u64 = 64 * 1024 * 1024;

/// How many codings there are.
const CODINGS: usize = Coding::ALL.len();

/// Larger content is not compressed: it would be held in memory.
const COMPRESSED: u64 = 8 * 1024 * 1024;

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
    /// The coding that the content is in.
    pub(super) coding: Option<Coding>,
    digest: Arc<OnceLock<Option<String>>>,
    coded: Arc<[OnceLock<Option<Box<Page>>>; CODINGS]>,
}

impl Page {
    /// A page that is served with status 200.
    pub fn new(content: Content, content_type: impl Into<String>) -> Self {
        Self {
            content,
            content_type: content_type.into(),
            status: StatusCode::OK,
            coding: None,
            digest: Arc::default(),
            coded: Arc::default(),
        }
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

    /// The same in a coding, where that makes it smaller; computed once.
    pub(super) fn coded(&self, coding: Coding) -> Option<Self> {
        let compress = || {
            if self.content.len() > COMPRESSED {
                return None;
            }
            let mut encoder = compression::Encoder::new(coding);
            let mut out = Vec::new();
            match &self.content {
                Content::Pattern(len) => {
                    let mut pattern = Pattern::new(0..*len);
                    while let Some(piece) = pattern.next(usize::MAX) {
                        encoder.push(&piece, &mut out);
                    }
                }
                Content::Bytes(bytes) => encoder.push(bytes, &mut out),
            }
            encoder.finish(&mut out);
            let smaller = (out.len() as u64) < self.content.len();
            let mut page = Self::new(Content::Bytes(out.into()), self.content_type.clone());
            page.coding = Some(coding);
            smaller.then(|| Box::new(page))
        };
        let at = Coding::ALL.iter().position(|one| *one == coding)?;
        let page = self.coded[at].get_or_init(compress).as_deref()?;
        Some(page.clone().with_status(self.status))
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
