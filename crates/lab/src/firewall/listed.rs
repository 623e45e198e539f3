//! A rule as `nft list ruleset` shows it: what only a lab knows, names of nodes, links and sets, in nft's own words.

use std::net::IpAddr;

use septet_language::words::Word;
use septet_network::firewall::listing::COUNTED;
use septet_network::firewall::rule::Face;

use crate::firewall::context::Context;
use crate::firewall::lex::{Token, Tokens};
use crate::firewall::values::{self, Family};

/// What the values of the field in hand are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Values {
    /// As they stand there.
    Plain,
    /// Addresses of this version of IP.
    Addresses(Family),
    Interfaces,
    /// Where `dnat` and `snat` lead.
    Target,
}

/// The text of a rule that was understood.
pub(super) fn listed(text: Word<'_>, context: &Context<'_>) -> String {
    let mut written = Written { text: String::new(), depth: 0 };
    write(text, context, &mut written, Values::Plain);
    written.text
}

struct Written {
    text: String,
    /// How many braces are open.
    depth: usize,
}

impl Written {
    fn push(&mut self, word: &str) {
        // As nft: `a,b` and `{ a, b }`.
        let is_tight = self.text.is_empty()
            || word == ","
            || self.depth == 0 && self.text.ends_with(',')
            || self.text.ends_with(' ');
        if !is_tight {
            self.text.push(' ');
        }
        self.text.push_str(word);
    }

    /// One value, or several, which need braces where there are none.
    fn values(&mut self, all: &[String]) {
        match all {
            [one] => self.push(one),
            all if self.depth > 0 => self.push(&all.join(", ")),
            all => self.push(&format!("{{ {} }}", all.join(", "))),
        }
    }
}

fn write(text: Word<'_>, context: &Context<'_>, written: &mut Written, outer: Values) {
    let Ok(mut tokens) = Tokens::of(text) else { return };
    let (mut values, mut before) = (outer, "");
    while let Some(token) = tokens.next() {
        let word = token.word();
        match token {
            Token::Quoted(_) => written.push(&format!("\"{}\"", word.text)),
            Token::Sign(_) if word.text == ";" => {}
            Token::Sign(_) => {
                // What stands behind the colon of a map is a verdict.
                written.depth += usize::from(word.text == "{");
                written.push(word.text);
                if word.text == "}" {
                    written.depth = written.depth.saturating_sub(1);
                    values = if written.depth == 0 { Values::Plain } else { values };
                }
            }
            Token::Word(_) => {
                let is_verdict = before == ":";
                let next = match word.text {
                    "saddr" | "daddr" if before == "ip6" => Some(Values::Addresses(Family::V6)),
                    "saddr" | "daddr" if before == "ip" => Some(Values::Addresses(Family::V4)),
                    "iifname" | "oifname" | "iif" | "oif" => Some(Values::Interfaces),
                    "to" => Some(Values::Target),
                    _ => None,
                };
                match word.text {
                    // An index means nothing where there is no such interface.
                    "iif" => written.push("iifname"),
                    "oif" => written.push("oifname"),
                    "counter" => {
                        let names = tokens.peek().is_some_and(|next| ["name", "packets"].contains(&next.word().text));
                        written.push("counter");
                        if !names {
                            written.text.push(COUNTED);
                        }
                    }
                    _ if before == "name" => written.push(&format!("\"{}\"", word.text)),
                    "vmap" => written.push(word.text),
                    _ if next.is_some() || is_verdict => written.push(word.text),
                    set if set.starts_with('@') && context.sets.contains_key(&set[1..]) => {
                        let set = &context.sets[&set[1..]];
                        write(Word { text: &set.text, at: 0 }, context, written, values);
                    }
                    _ => written.values(&value(word, context, values)),
                }
                values = match next {
                    Some(next) => next,
                    // The values of a map come yet.
                    None if word.text == "vmap" => values,
                    // One value is all, but in braces.
                    None if written.depth == 0 => Values::Plain,
                    None => values,
                };
            }
        }
        before = word.text;
    }
}

/// A value in nft's words.
fn value(word: Word<'_>, context: &Context<'_>, values: Values) -> Vec<String> {
    let as_is = || vec![word.text.to_owned()];
    match values {
        Values::Plain => as_is(),
        Values::Addresses(family) => {
            let first = word.text.split(['/', '-']).next().unwrap_or_default();
            if first.parse::<IpAddr>().is_ok() {
                return as_is();
            }
            match values::addresses(word, family, context.lab) {
                Ok(all) if !all.is_empty() => all.iter().map(|prefix| prefix.addr().to_string()).collect(),
                _ => as_is(),
            }
        }
        Values::Interfaces => match values::faces(word, context.lab, context.node) {
            Ok(all) if !all.is_empty() && !word.text.ends_with('*') => {
                all.iter().map(|face| format!("\"{}\"", name(*face, context))).collect()
            }
            _ => vec![format!("\"{}\"", word.text)],
        },
        Values::Target => {
            let (host, port) = word.text.split_once(':').map_or((word.text, ""), |(host, port)| (host, port));
            let named = Word { text: host, at: word.at };
            let found = context.lab.topology.nodes(named).ok().filter(|_| host.parse::<IpAddr>().is_err());
            let address = found.into_iter().flatten().find_map(|node| {
                let all = |family| values::addresses_of(context.lab, node, family).next();
                all(Family::V4).or_else(|| all(Family::V6))
            });
            match address {
                Some(IpAddr::V6(v6)) if !port.is_empty() => vec![format!("[{v6}]:{port}")],
                Some(address) if !port.is_empty() => vec![format!("{address}:{port}")],
                Some(address) => vec![address.to_string()],
                None => as_is(),
            }
        }
    }
}

fn name(face: Face, context: &Context<'_>) -> String {
    let all = values::interfaces(context.lab, context.node);
    let named = all.into_iter().find(|(_, other)| *other == face).map(|(name, _)| name);
    named.unwrap_or_else(|| "lo".to_owned())
}
