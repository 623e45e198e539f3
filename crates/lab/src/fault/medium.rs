//! `loss 20% delay 50ms on r1--r2`: the words of netem, on links, for a time.

use crate::fault::{Context, Effect, Plan, links};
use crate::medium;
use crate::words::{Words, Wrong};

/// Reads netem words up to `on`, and the links behind it.
pub(super) fn read(words: &mut Words<'_>, context: &Context<'_>) -> Result<Plan, Wrong> {
    let changes = medium::phrases(words, Some("on"))?;
    if !words.take("on") {
        let end = words.rest().at;
        return Err(Wrong::new("incomplete", end..end, "which link?")
            .label("`on …` is missing")
            .help("for example `loss 20% on r1--r2`".to_owned()));
    }
    let links = links(words, context.topology)?;
    if let Some(word) = words.next() {
        return Err(Wrong::new("unknown-word", word.range(), format!("`{}` is left over", word.text))
            .label("not understood here"));
    }
    Ok(context.throughout(Effect::Change(links, changes)))
}
