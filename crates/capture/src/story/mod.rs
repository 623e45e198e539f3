//! The story: what a person wants to read on the terminal after, or during, a run.

mod fold;
mod page;

use core::fmt;
use std::io;

use septet_core::{Event, Instant, Interest, Monitor, Storey};

use crate::Names;
use crate::sentence::{self, Sentence, Weight};

use fold::Folds;
use page::Page;
pub use page::{Paint, Style};

/// How much is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Length {
    /// Every event, at once.
    All,
    /// The moments that matter, repetition folded, at the end of the run.
    #[default]
    Short,
}

/// One line of the story.
#[derive(Clone, Debug)]
struct Line {
    at: Instant,
    storey: Storey,
    sentence: Sentence,
}

/// Tells a run, one line a moment: time, node and peer, storey, sentence.
///
/// Told [`Short`](Length::Short), repetition is folded ("… 198 more like this") and the whole keeps to a page or two
/// whatever the run; told in [`All`](Length::All), each event is a line as it happens.
pub struct Story<W: io::Write> {
    out: W,
    names: Names,
    length: Length,
    page: Page,
    folds: Folds,
    error: Option<io::Error>,
}

impl<W: io::Write> Story<W> {
    /// Begins a story.
    pub fn new(out: W, names: Names, length: Length, style: Style) -> Self {
        let page = Page::new(style, &names);
        Self { out, names, length, page, folds: Folds::default(), error: None }
    }

    /// Ends the story: what was folded is told now.
    ///
    /// # Errors
    /// The first error that a write met, now or during the run.
    pub fn finish(mut self) -> io::Result<W> {
        for line in self.folds.lines() {
            self.tell(&line);
        }
        if self.error.is_none() {
            self.error = self.out.flush().err();
        }
        self.error.map_or(Ok(self.out), Err)
    }

    fn tell(&mut self, line: &Line) {
        if self.error.is_none() {
            let text = self.page.line(line);
            self.error = self.out.write_all(text.as_bytes()).err();
        }
    }
}

impl<W: io::Write> Monitor for Story<W> {
    fn interest(&self) -> Interest {
        Interest::Events
    }

    fn event(&mut self, event: &Event) {
        if self.length == Length::Short && sentence::weight(event) == Weight::Tick {
            return;
        }
        let mut sentence = sentence::tell(event, &self.names);
        if event.storey == Storey::Lab {
            sentence.node = String::new();
        }
        let line = Line { at: event.at, storey: event.storey, sentence };
        match self.length {
            Length::All => self.tell(&line),
            Length::Short => self.folds.add(event, line, &self.names),
        }
    }
}

impl<W: io::Write> fmt::Debug for Story<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Story").field("length", &self.length).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
