//! What is wrong with a lab file: every mistake with its place, its reason and the mend.

use core::fmt;
use core::ops::Range;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use septet_core::printable;

use miette::{Diagnostic, LabeledSpan, NamedSource, Severity, SourceCode};

use crate::units::Refusal;

/// A range of bytes of the lab file.
pub type Span = Range<usize>;

/// One mistake. A program finds its kind in [`code`](Self::code), a person the rest when it is rendered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mistake {
    code: &'static str,
    gravity: Gravity,
    reason: String,
    labels: Vec<(Span, String)>,
    help: Option<String>,
}

/// Whether a lab can run in spite of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gravity {
    /// The lab runs, but perhaps not as it was meant.
    Warning,
    /// The lab cannot run.
    Error,
}

impl Mistake {
    /// An error of the kind `code` at `span`: why, and what stands beside the place.
    pub fn new(code: &'static str, span: Span, reason: impl Into<String>, label: impl Into<String>) -> Self {
        let reason = short(reason.into());
        Self { code, gravity: Gravity::Error, reason, labels: vec![(span, label.into())], help: None }
    }

    /// An error because a quantity was refused.
    pub fn refused(code: &'static str, span: Span, label: &str, refusal: Refusal) -> Self {
        Self::new(code, span, refusal.reason, label).help(refusal.help)
    }

    /// Says how to mend it.
    pub fn help(mut self, help: impl Into<Option<String>>) -> Self {
        self.help = help.into().map(short);
        self
    }

    /// Points at a second place.
    pub fn also(mut self, span: Span, label: impl Into<String>) -> Self {
        self.labels.push((span, label.into()));
        self
    }

    /// The lab can run in spite of it.
    pub fn warning(self) -> Self {
        self.of(Gravity::Warning)
    }

    /// The same, as grave as that.
    pub fn of(mut self, gravity: Gravity) -> Self {
        self.gravity = gravity;
        self
    }

    /// The kind of mistake, in words joined by hyphens: `unknown-key`.
    pub fn kind(&self) -> &'static str {
        self.code
    }

    /// Whether the lab can run in spite of it.
    pub fn gravity(&self) -> Gravity {
        self.gravity
    }

    /// What is wrong, in one sentence.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Where, in bytes of the lab file.
    pub fn span(&self) -> Span {
        self.labels[0].0.clone()
    }

    /// How to mend it, where that can be guessed.
    pub fn mend(&self) -> Option<&str> {
        self.help.as_deref()
    }
}

/// The most bytes of a reason: what a file says may be as long as the file.
const LONGEST: usize = 400;

/// `text` fit to be shown: without control characters, and cut in its middle where it is too long to be read.
fn short(text: String) -> String {
    let text = match printable(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(escaped) => escaped,
    };
    if text.len() <= LONGEST {
        return text;
    }
    let head = text.floor_char_boundary(LONGEST / 2);
    let tail = text.ceil_char_boundary(text.len() - LONGEST / 2);
    format!("{} … {}", &text[..head], &text[tail..])
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Mistake {}

impl Diagnostic for Mistake {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.code))
    }

    fn severity(&self) -> Option<Severity> {
        Some(match self.gravity {
            Gravity::Warning => Severity::Warning,
            Gravity::Error => Severity::Error,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|h| Box::new(h) as Box<dyn fmt::Display>)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().enumerate().map(|(i, (span, label))| {
            if i == 0 {
                LabeledSpan::new_primary_with_span(Some(label.clone()), span.clone())
            } else {
                LabeledSpan::new_with_span(Some(label.clone()), span.clone())
            }
        })))
    }
}

/// All mistakes of one lab file, with its text, so that they can be shown in place.
///
/// As a [`Diagnostic`] each mistake is a related diagnostic of the whole.
#[derive(Clone)]
pub struct Mistakes {
    source: Arc<NamedSource<String>>,
    list: Vec<Mistake>,
    /// What was pushed already.
    known: BTreeSet<(usize, usize, String)>,
    /// How many more there are than the list has.
    left: usize,
    /// Parts of the text that were not written by hand, and what told them.
    told: Arc<[(Span, String)]>,
}

/// The text of a file with nothing in it that acts on a terminal, and every byte in its place.
fn calm(text: &str) -> String {
    let acts = |c: char| c.is_control() && c != '\n' && c != '\t' && c != '\r';
    if !text.contains(acts) {
        return text.to_owned();
    }
    text.chars().fold(String::with_capacity(text.len()), |mut calm, c| {
        match c.len_utf8() {
            len if acts(c) => calm.extend(core::iter::repeat_n('?', len)),
            _ => calm.push(c),
        }
        calm
    })
}

/// The most mistakes that are shown: whoever mends a hundred finds the rest when he looks again.
const MOST: usize = 100;

impl Mistakes {
    /// None yet, in the file `name` that says `text`.
    pub fn new(name: &str, text: &str) -> Self {
        let source = Arc::new(NamedSource::new(printable(name), calm(text)));
        Self { source, list: Vec::new(), known: BTreeSet::new(), left: 0, told: Arc::default() }
    }

    /// One more, unless it is known already.
    pub fn push(&mut self, mistake: Mistake) {
        // One place may be looked at twice; a person need read of it once.
        let Span { start, end } = mistake.span();
        if self.known.insert((start, end, mistake.reason.clone())) {
            self.list.push(mistake);
        }
    }

    /// Whether the lab cannot run.
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|m| m.gravity == Gravity::Error)
    }

    /// The same where the text was written by a program: parts of it, and what told them.
    pub fn told_by(mut self, parts: Vec<(Span, String)>) -> Self {
        self.told = parts.into();
        let told = self.told.clone();
        for mistake in &mut self.list {
            let (span, label) = &mut mistake.labels[0];
            if let Some(teller) = teller(&told, span) {
                *label = format!("{teller}: {label}");
            }
        }
        self
    }

    /// Where a mistake is, for a person: file, line and column, or what told that part of the text.
    pub fn place(&self, mistake: &Mistake) -> String {
        match teller(&self.told, &mistake.span()) {
            Some(teller) => teller.to_owned(),
            None => {
                let (line, column) = self.line_column(mistake);
                format!("{}:{line}:{column}", self.source.name())
            }
        }
    }

    /// In the order of the file, the first hundred; warnings go where there are errors, as they may be no more than their
    /// echo.
    pub fn sorted(mut self) -> Self {
        if self.has_errors() {
            self.list.retain(|m| m.gravity == Gravity::Error);
        }
        self.list.sort_by_key(|m| m.span().start);
        self.left = self.list.len().saturating_sub(MOST);
        self.list.truncate(MOST);
        self.known.clear();
        self
    }

    /// How many more there are than are listed: the first hundred are.
    pub fn left(&self) -> usize {
        self.left
    }

    /// The mistakes in the order of the file.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Mistake> {
        self.list.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The name of the file.
    pub fn source_name(&self) -> &str {
        self.source.name()
    }

    /// The line and the column of a mistake's place, both counted from one; the column in characters.
    pub fn line_column(&self, mistake: &Mistake) -> (usize, usize) {
        let text = self.source.inner();
        let before = text.get(..mistake.span().start).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }
}

/// What told the smallest part that has all of `span`.
fn teller<'a>(parts: &'a [(Span, String)], span: &Span) -> Option<&'a str> {
    let holding = parts.iter().filter(|(part, _)| part.start <= span.start && span.end <= part.end);
    holding.min_by_key(|(part, _)| part.len()).map(|(_, teller)| teller.as_str())
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errors = self.list.iter().filter(|m| m.gravity == Gravity::Error).count();
        let (n, what) = if errors > 0 { (errors, "mistake") } else { (self.list.len(), "warning") };
        let all = n + self.left;
        write!(f, "{all} {what}{} in {}", if all == 1 { "" } else { "s" }, self.source.name())?;
        if self.left > 0 { write!(f, ", of which the first {n} are shown") } else { Ok(()) }
    }
}

impl fmt::Debug for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_list();
        for mistake in &self.list {
            list.entry(&format_args!("{}: {}: {}", self.place(mistake), mistake.code, mistake.reason));
        }
        list.finish()
    }
}

impl std::error::Error for Mistakes {}

impl Diagnostic for Mistakes {
    fn severity(&self) -> Option<Severity> {
        Some(if self.has_errors() { Severity::Error } else { Severity::Warning })
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&*self.source)
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.list.iter().map(|m| m as &dyn Diagnostic)))
    }
}
