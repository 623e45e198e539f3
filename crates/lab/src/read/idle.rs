//! Keys that say nothing where they stand: a key without an effect is a mistake, for whoever wrote it wanted one.

use septet_language::document::{Name, Text};
use septet_language::mistake::{Mistake, Mistakes, Span};
use septet_language::schema::Table;
use septet_language::words::{Word, Words};

use crate::model::cable::Change;
use crate::model::link::Link;
use crate::model::medium;
use crate::read::node::{Declared, addresses_twice, firsts};

/// What is looked at.
pub(crate) struct Idle<'a> {
    /// What the file says of each medium.
    pub(crate) media: &'a [(Name, Table)],
    /// The link strings.
    pub(crate) texts: &'a [Text],
    /// The faults.
    pub(crate) faults: &'a [Text],
    pub(crate) declared: &'a [Declared],
    pub(crate) links: &'a [Link],
    /// Where each link stands.
    pub(crate) spans: &'a [Span],
}

/// The queue disciplines that shape by a rate of their own.
const SHAPERS: &[&str] = &["tbf"];

fn idle(span: Span, reason: impl Into<String>, help: impl Into<String>) -> Mistake {
    Mistake::new("no-effect", span, reason, "without effect").help(help.into())
}

impl Idle<'_> {
    /// Reports them.
    pub(crate) fn check(&self, mistakes: &mut Mistakes) {
        self.media(mistakes);
        self.serial(mistakes);
        for node in firsts(self.declared).filter(|node| node.kind.has_addresses()) {
            if let Some(address) = addresses_twice(&node.table) {
                let reason = format!("the port of `{}` has an address of its own", node.name);
                mistakes.push(idle(address, reason, "keep one of the two"));
            }
        }
    }

    /// Media whose queue never holds anything, or whose length is overruled.
    fn media(&self, mistakes: &mut Mistakes) {
        // A fault may give a rate to a link that has none.
        if self.faults.iter().any(|fault| Words::of(fault).any(|word| word.text == "rate")) {
            return;
        }
        self.links(mistakes);
        for (name, medium) in self.media {
            let key = |key: &str| medium.place(key);
            if let (Some(length), Some(_), None) = (key("length"), key("delay"), key("phy")) {
                mistakes.push(idle(
                    length.span.clone(),
                    format!(
                        "`delay` says how long the way over `{}` takes, and nothing else hangs on its length",
                        name.text
                    ),
                    "keep one of `length` and `delay`",
                ));
            }
            if key("rate").is_some() || key("phy").is_some() || shapes(medium) {
                continue;
            }
            // What a link says behind the medium's name goes before it.
            let rated = self.texts.iter().filter_map(behind).any(|words| {
                let words: Vec<_> = Words::new(words).map(|word| word.text).collect();
                words.contains(&name.text.as_str()) && words.iter().any(|w| ["rate", "phy"].contains(w))
            });
            for queue in ["queue", "limit"].into_iter().filter_map(key).filter(|_| !rated) {
                mistakes.push(no_rate(queue.span.clone(), &queue.text, &format!("`{}`", name.text)));
            }
        }
    }

    /// Words of a link string about a queue before a medium without a rate.
    fn links(&self, mistakes: &mut Mistakes) {
        for text in self.texts {
            // Two media, one a direction, are looked at by themselves.
            for words in behind(text).into_iter().flat_map(|words| words.split("/").collect::<Vec<_>>()) {
                let words: Vec<Word<'_>> = Words::new(words).collect();
                let named = |first: &Word<'_>| self.media.iter().find(|(name, _)| name.text == first.text);
                let Some((_, medium)) = words.first().and_then(named) else { continue };
                let has = |word: &str| medium.place(word).is_some() || words.iter().any(|w| w.text == word);
                if has("rate") || has("phy") || shapes(medium) {
                    continue;
                }
                if words.windows(2).any(|pair| pair[0].text == "queue" && SHAPERS.contains(&pair[1].text)) {
                    continue;
                }
                for word in words.iter().filter(|word| ["queue", "limit"].contains(&word.text)) {
                    mistakes.push(no_rate(text.place(word.range()), word.text, &format!("`{}`", text.text)));
                }
            }
        }
    }

    /// Serial lines to what does not speak PPP.
    fn serial(&self, mistakes: &mut Mistakes) {
        for (link, span) in self.links.iter().zip(self.spans) {
            let serial = link.cables.iter().any(|cable| cable.serial.is_some());
            let ends = link.ends.iter().map(|end| &self.declared[end.node]);
            if let Some(deaf) = ends.filter(|_| serial).find(|node| !node.kind.has_addresses()) {
                let kind = deaf.kind.as_str();
                let reason = format!("`{}` is a {kind}, and a serial line joins hosts and routers only", deaf.name);
                mistakes.push(
                    Mistake::new("no-effect", span.clone(), reason, "a serial line").help(
                        "leave `framing = \"ppp\"`, `arq` and `lcp` to links between routers and hosts".to_owned(),
                    ),
                );
            }
        }
    }
}

fn no_rate(span: Span, word: &str, what: &str) -> Mistake {
    idle(
        span,
        format!("nothing ever waits before a link without a rate, so `{word}` of {what} does nothing"),
        "add a rate: `rate = \"10mbit\"`; or say `rate = \"unlimited\"` where that is what you mean",
    )
}

fn shapes(medium: &Table) -> bool {
    let changes = medium::keys().iter().filter_map(|key| medium.get(key)).flat_map(|(_, changes)| changes);
    changes.into_iter().any(|change| matches!(change, Change::Queue(discipline, _) if SHAPERS.contains(&discipline)))
}

/// What stands behind the colon of a link string.
fn behind(text: &Text) -> Option<Word<'_>> {
    Word { text: &text.text, at: 0 }.split_once(":").map(|(_, words)| words)
}
