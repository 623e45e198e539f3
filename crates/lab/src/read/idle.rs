//! Keys that say nothing where they stand: a key without an effect is a mistake, for whoever wrote it wanted one.

use std::sync::Arc;

use septet_language::document::{Table, Text};
use septet_language::mistake::{Mistake, Mistakes, Span};
use septet_language::words::{Word, Words};

use crate::model::node::Declared;
use crate::read::links::Link;

/// What is looked at.
pub(crate) struct Idle<'a> {
    pub(crate) root: &'a Table,
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
        let mut last: Option<*const Table> = None;
        for node in self.declared {
            // The nodes of a range share one table.
            let first = last.replace(Arc::as_ptr(&node.table)) != Some(Arc::as_ptr(&node.table));
            if first && node.kind.has_addresses() {
                host(node, mistakes);
            }
        }
    }

    /// Media whose queue never holds anything, or whose length is overruled.
    fn media(&self, mistakes: &mut Mistakes) {
        let texts = self.root.table("topology").map(|t| t.texts("links")).unwrap_or_default();
        let faults = self.root.table("faults").map(|t| t.texts("script")).unwrap_or_default();
        // A fault may give a rate to a link that has none.
        if faults.iter().any(|fault| Words::of(fault).any(|word| word.text == "rate")) {
            return;
        }
        self.links(mistakes);
        for (name, item) in self.root.table("media").map(|t| t.entries.as_slice()).unwrap_or_default() {
            let septet_language::document::Value::Table(medium) = &item.value else { continue };
            let key = |key: &str| medium.entry(key).map(|(name, _)| name);
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
            if key("rate").is_some() || key("phy").is_some() || shapes(medium.text("queue")) {
                continue;
            }
            // What a link says behind the medium's name goes before it.
            let rated = texts.iter().filter_map(|text| behind(text)).any(|words| {
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
        let media = self.root.table("media");
        for text in self.root.table("topology").map(|t| t.texts("links")).unwrap_or_default() {
            // Two media, one a direction, are looked at by themselves.
            for words in behind(text).into_iter().flat_map(|words| words.split("/").collect::<Vec<_>>()) {
                let words: Vec<Word<'_>> = Words::new(words).collect();
                let Some(medium) = words.first().and_then(|first| media?.table(first.text)) else { continue };
                let has = |word: &str| medium.get(word).is_some() || words.iter().any(|w| w.text == word);
                if has("rate") || has("phy") || shapes(medium.text("queue")) {
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

/// Keys of a host or router that another one overrules.
fn host(node: &Declared, mistakes: &mut Mistakes) {
    let table = &node.table;
    let ports = || table.entries.iter().filter(|(name, _)| name.text.starts_with("eth"));
    if let Some((address, _)) = table.entry("address")
        && ports().any(|(name, _)| table.table(&name.text).is_some_and(|port| port.get("address").is_some()))
    {
        let reason = format!("the port of `{}` has an address of its own", node.name);
        mistakes.push(idle(address.span.clone(), reason, "keep one of the two"));
    }
}

fn no_rate(span: Span, word: &str, what: &str) -> Mistake {
    idle(
        span,
        format!("nothing ever waits before a link without a rate, so `{word}` of {what} does nothing"),
        "add a rate: `rate = \"10mbit\"`; or say `rate = \"unlimited\"` where that is what you mean",
    )
}

fn shapes(queue: Option<&Text>) -> bool {
    queue.and_then(|text| Words::of(text).next()).is_some_and(|word| SHAPERS.contains(&word.text))
}

/// What stands behind the colon of a link string.
fn behind(text: &Text) -> Option<Word<'_>> {
    Word { text: &text.text, at: 0 }.split_once(":").map(|(_, words)| words)
}
