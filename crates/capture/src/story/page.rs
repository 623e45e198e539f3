//! The columns of the story: time, node and peer, storey, sentence; cut to the width of the terminal.

use septet_core::Storey;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::Line;
use crate::Names;
use crate::sentence::{Facing, Weight};

/// Whether the story is painted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Paint {
    /// Bare text.
    #[default]
    Plain,
    /// With the colours that every terminal has (ANSI escape sequences).
    Ansi,
}

/// How the page looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Style {
    /// The columns of the terminal; lines are cut to them. `None` cuts nothing.
    pub width: Option<usize>,
    /// Colours.
    pub paint: Paint,
}

/// Lays lines out. The label of a storey is printed where the storey changes, so that the eye sees groups.
#[derive(Debug)]
pub(super) struct Page {
    style: Style,
    who_width: usize,
    last: Option<Storey>,
}

impl Page {
    const STOREY_WIDTH: usize = 12;
    /// Names longer than this push the columns aside in their own line only.
    const NAME_WIDTH_MAX: usize = 12;

    pub(super) fn new(style: Style, names: &Names) -> Self {
        let longest = names.stations().map(|(_, name)| name.width()).max().unwrap_or(4).min(Self::NAME_WIDTH_MAX);
        Self { style, who_width: longest + " → ".width() + longest.max("everyone".width()), last: None }
    }

    /// `line` with its line end.
    pub(super) fn line(&mut self, line: &Line) -> String {
        let Line { at, storey, sentence } = line;
        let who = match &sentence.peer {
            Some((Facing::To | Facing::Everyone, peer)) if sentence.node.is_empty() => format!("→ {peer}"),
            Some((Facing::To | Facing::Everyone, peer)) => format!("{} → {peer}", sentence.node),
            Some((Facing::From, peer)) => format!("{} ← {peer}", sentence.node),
            None => sentence.node.clone(),
        };
        let label = if self.last == Some(*storey) { "" } else { storey.as_str() };
        self.last = Some(*storey);
        let nanos = at.as_nanos();
        let time = format!("{:>5}.{:06}", nanos / 1_000_000_000, nanos % 1_000_000_000 / 1_000);
        let (who, label) = (pad(&who, self.who_width), pad(label, Self::STOREY_WIDTH));
        let taken = time.width() + who.width() + label.width() + 6;
        let text = match self.style.width {
            Some(width) if width > taken + 8 => cut(&sentence.text, width - taken),
            _ => sentence.text.replace(['\n', '\r'], " "),
        };
        match self.style.paint {
            Paint::Plain => format!("{time}  {who}  {label}  {text}\n"),
            Paint::Ansi => {
                let colour = colour(*storey);
                let (bold, end) = if sentence.weight == Weight::Headline { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
                format!("\x1b[2m{time}\x1b[0m  {who}  \x1b[{colour}m{label}\x1b[0m  {bold}{text}{end}\n")
            }
        }
    }
}

const fn colour(storey: Storey) -> &'static str {
    match storey {
        Storey::Lab => "1;31",
        Storey::Physical => "31",
        Storey::DataLink => "33",
        Storey::Network => "32",
        Storey::Transport => "36",
        Storey::Session => "34",
        Storey::Presentation => "35",
        Storey::Application => "1;34",
    }
}

fn pad(text: &str, width: usize) -> String {
    let missing = width.saturating_sub(text.width());
    format!("{text}{:missing$}", "")
}

/// `text` in at most `width` columns, with an ellipsis where something is missing.
fn cut(text: &str, width: usize) -> String {
    let text = text.replace(['\n', '\r'], " ");
    if text.width() <= width {
        return text;
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let w = c.width().unwrap_or(0);
        if used + w + 1 > width {
            break;
        }
        used += w;
        out.push(c);
    }
    out.push('…');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_by_columns_not_bytes() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdef", 5), "abcd…");
        assert_eq!(cut("한국어 가게", 7), "한국어…");
        assert_eq!(cut("a\nb", 7), "a b");
    }
}
