//! One rule: `tcp dport {22, 80} ct state new limit rate 5/second accept`.

use core::ops::RangeInclusive;
use core::time::Duration;
use std::net::{IpAddr, SocketAddr};

use septet_language::nearest::suggest;
use septet_language::words::{Word, Wrong};
use septet_network::filter::{End, Hook, Reject, Sense};
use septet_network::firewall::rule::{Action, Limit, Measure, Rule, Step};

use crate::firewall::context::Context;
use crate::firewall::field::{self, Field};
use crate::firewall::lex::{Token, Tokens};
use crate::firewall::listed;
use crate::firewall::values::{self, Family};

/// A rule as it was read.
pub(super) struct Read {
    pub(super) rule: Rule,
    /// The chains that it leads to.
    pub(super) leads: Vec<usize>,
}

/// Everything with which a statement begins.
fn statements() -> Vec<&'static str> {
    let verdicts = VERDICTS.iter().map(|(word, _)| *word);
    let fields = field::starts();
    verdicts.chain(fields).chain(["counter", "limit", "log", "comment"]).collect()
}

/// Verdicts that take nothing more.
const VERDICTS: &[(&str, Option<Action>)] = &[
    ("accept", Some(Action::Accept)),
    ("drop", Some(Action::Drop)),
    ("return", Some(Action::Return)),
    ("continue", Some(Action::Continue)),
    ("reject", None),
    ("jump", None),
    ("goto", None),
    ("masquerade", None),
    ("snat", None),
    ("dnat", None),
    ("redirect", None),
];

/// What other firewalls call nft's verdicts.
const FOREIGN: &[(&str, &str)] = &[
    ("allow", "accept"),
    ("pass", "accept"),
    ("permit", "accept"),
    ("ACCEPT", "accept"),
    ("deny", "drop"),
    ("block", "drop"),
    ("discard", "drop"),
    ("DROP", "drop"),
    ("REJECT", "reject"),
    ("MASQUERADE", "masquerade"),
];

/// Reads a rule. Named counters are numbered as they come, in `counters`.
pub(super) fn read(text: Word<'_>, context: &Context<'_>, counters: &mut Vec<String>) -> Result<Read, Wrong> {
    let mut tokens = Tokens::of(text)?;
    let mut reader = Reader { context, counters, steps: Vec::new(), leads: Vec::new() };
    let mut verdict: Option<Word<'_>> = None;
    if tokens.peek().is_none() {
        return Err(Wrong::new("incomplete", text.range(), "a rule without a word")
            .help("for example `tcp dport 22 accept`".to_owned()));
    }
    while let Some(token) = tokens.next() {
        let word = token.word();
        // nft ends a rule in a script with one.
        if word.text == ";" && tokens.peek().is_none() {
            break;
        }
        if let Token::Quoted(_) = token {
            return Err(Wrong::new("unknown-word", word.range(), "a string where a statement is expected"));
        }
        if let Some(before) = verdict
            && word.text != "comment"
        {
            return Err(Wrong::new(
                "firewall",
                word.range(),
                format!("`{}` ends the rule, and this stands behind it", before.text),
            )
            .label("never reached")
            .help("statements stand before the verdict; a second verdict is a rule of its own".to_owned()));
        }
        if reader.statement(word, &mut tokens)? == Ends::Rule {
            verdict = Some(word);
        }
    }
    let Reader { steps, leads, .. } = reader;
    let listed = listed::listed(text, context);
    Ok(Read { rule: Rule { text: text.text.trim().trim_end_matches(';').to_owned(), listed, steps }, leads })
}

/// What a statement ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ends {
    Itself,
    Rule,
}

struct Reader<'a, 'c> {
    context: &'a Context<'a>,
    counters: &'c mut Vec<String>,
    steps: Vec<Step>,
    leads: Vec<usize>,
}

impl Reader<'_, '_> {
    fn statement(&mut self, word: Word<'_>, tokens: &mut Tokens<'_>) -> Result<Ends, Wrong> {
        match word.text {
            "counter" => self.counter(tokens)?,
            "limit" => self.limit(word, tokens)?,
            "log" => self.log(tokens)?,
            "comment" => {
                tokens.expect("a comment", "`comment \"why\"`")?;
            }
            verdict if VERDICTS.iter().any(|(known, _)| *known == verdict) => {
                let action = self.action(word, tokens)?;
                self.steps.push(Step::Do(action));
                return Ok(Ends::Rule);
            }
            _ => match field::find(word, tokens)? {
                Some(field) => return self.test(field, word, tokens),
                None => return Err(unknown(word)),
            },
        }
        Ok(Ends::Itself)
    }

    /// A field and what it must be.
    fn test(&mut self, field: Field, word: Word<'_>, tokens: &mut Tokens<'_>) -> Result<Ends, Wrong> {
        self.must_be_known(&field, word)?;
        self.steps.extend(field.implied().into_iter().map(Step::Match));
        if tokens.take("vmap") {
            let map = self.map(&field, tokens)?;
            self.steps.push(Step::Map(map));
            return Ok(Ends::Itself);
        }
        for test in field.tests(tokens, self.context)? {
            self.steps.push(Step::Match(test));
        }
        Ok(Ends::Itself)
    }

    /// What a hook does not know fits nothing there.
    fn must_be_known(&self, field: &Field, word: Word<'_>) -> Result<(), Wrong> {
        let (what, missing) = match field {
            Field::Input => ("where a packet came in", self.context.hook == Some(Hook::Output)),
            Field::Output => {
                ("where a packet leaves", matches!(self.context.hook, Some(Hook::Prerouting | Hook::Input)))
            }
            _ => return Ok(()),
        };
        match self.context.hook {
            Some(hook) if missing => {
                Err(Wrong::new("firewall", word.range(), format!("{what} is not known in the chain `{hook}`"))
                    .label("fits no packet here"))
            }
            _ => Ok(()),
        }
    }

    /// `{ 22 : accept, 80-90 : drop }`
    fn map(
        &mut self,
        field: &Field,
        tokens: &mut Tokens<'_>,
    ) -> Result<Vec<(septet_network::firewall::rule::Test, Action)>, Wrong> {
        let example = "`ct state vmap { established : accept, invalid : drop }`";
        tokens.must("{", example)?;
        let mut map = Vec::new();
        loop {
            if tokens.take("}") {
                return Ok(map);
            }
            let key = tokens.expect("a value", example)?;
            // `22:accept` is one word here; an address of IPv6 has colons of its own, and a space before the one of the map.
            let (key, verdict) = match key.text.split_once(':').filter(|_| !tokens.take(":")) {
                Some((before, "")) => (Word { text: before, at: key.at }, None),
                Some((before, after)) if !after.contains(':') => {
                    let at = key.at + before.len() + 1;
                    (Word { text: before, at: key.at }, Some(Word { text: after, at }))
                }
                _ => {
                    tokens.take(":");
                    (key, None)
                }
            };
            let verdict = match verdict {
                Some(verdict) => verdict,
                None => tokens.expect("a verdict", example)?,
            };
            let action = self.action(verdict, tokens)?;
            map.push((field.one(key, self.context)?, action));
            if !tokens.take(",") {
                tokens.must("}", example)?;
                return Ok(map);
            }
        }
    }

    fn action(&mut self, word: Word<'_>, tokens: &mut Tokens<'_>) -> Result<Action, Wrong> {
        let Some((_, plain)) = VERDICTS.iter().find(|(known, _)| *known == word.text) else {
            return Err(unknown(word));
        };
        if let Some(action) = plain {
            return Ok(action.clone());
        }
        match word.text {
            "jump" | "goto" => self.jump(word, tokens),
            "reject" => self.reject(word, tokens),
            _ => self.nat(word, tokens),
        }
    }

    fn jump(&mut self, word: Word<'_>, tokens: &mut Tokens<'_>) -> Result<Action, Wrong> {
        let name = tokens.expect("the name of a chain", &format!("`{} web`", word.text))?;
        let Some(&chain) = self.context.chains.get(name.text) else {
            let known = self.context.chains.keys().map(String::as_str);
            let help = suggest(name.text, "chains", known)
                .unwrap_or_else(|| format!("chains of your own stand in `chains = {{ {} = [\"…\"] }}`", name.text));
            return Err(Wrong::new("firewall", name.range(), format!("there is no chain `{}`", name.text))
                .label("unknown chain")
                .help(help));
        };
        self.leads.push(chain);
        Ok(if word.text == "jump" { Action::Jump(chain) } else { Action::Goto(chain) })
    }

    fn reject(&mut self, word: Word<'_>, tokens: &mut Tokens<'_>) -> Result<Action, Wrong> {
        if self.context.hook == Some(Hook::Postrouting) {
            return Err(Wrong::new("firewall", word.range(), "nothing is rejected in the chain `postrouting`")
                .label("too late")
                .help("reject it in `forward` or `output`".to_owned()));
        }
        if !tokens.take("with") {
            return Ok(Action::Reject(Reject::PortUnreachable));
        }
        let example = "`reject with tcp reset` or `reject with icmp type host-unreachable`";
        let how = tokens.expect("how", example)?;
        let words: &[(&str, Reject)] = match how.text {
            "tcp" => {
                tokens.must("reset", example)?;
                self.tcp_only();
                return Ok(Action::Reject(Reject::TcpReset));
            }
            "icmp" => &[
                ("net-unreachable", Reject::NoRoute),
                ("host-unreachable", Reject::HostUnreachable),
                ("prot-unreachable", Reject::ProtocolUnreachable),
                ("port-unreachable", Reject::PortUnreachable),
                ("net-prohibited", Reject::NetProhibited),
                ("host-prohibited", Reject::HostProhibited),
                ("admin-prohibited", Reject::AdminProhibited),
            ],
            "icmpv6" => &[
                ("no-route", Reject::NoRoute),
                ("addr-unreachable", Reject::HostUnreachable),
                ("port-unreachable", Reject::PortUnreachable),
                ("admin-prohibited", Reject::AdminProhibited),
            ],
            "icmpx" => &[
                ("no-route", Reject::NoRoute),
                ("host-unreachable", Reject::HostUnreachable),
                ("port-unreachable", Reject::PortUnreachable),
                ("admin-prohibited", Reject::AdminProhibited),
            ],
            other => {
                return Err(Wrong::new("firewall", how.range(), format!("nothing is rejected with `{other}`"))
                    .label("not understood")
                    .help(example.to_owned()));
            }
        };
        tokens.take("type");
        let what = tokens.expect("what the message says", example)?;
        Ok(Action::Reject(values::choice(what, "ICMP code", words)?))
    }

    /// As nft: `reject with tcp reset` asks for TCP by itself.
    fn tcp_only(&mut self) {
        self.steps
            .extend(Field::Port { protocol: Some(6), end: End::Destination }.implied().into_iter().map(Step::Match));
    }

    fn nat(&mut self, word: Word<'_>, tokens: &mut Tokens<'_>) -> Result<Action, Wrong> {
        let hooks: &[Hook] = match word.text {
            "masquerade" | "snat" => &[Hook::Postrouting],
            _ => &[Hook::Prerouting, Hook::Output],
        };
        if !self.context.hook.is_some_and(|hook| hooks.contains(&hook)) {
            let names: Vec<_> = hooks.iter().map(|hook| format!("`{hook}`")).collect();
            return Err(Wrong::new(
                "firewall",
                word.range(),
                format!("`{}` stands in the chain {}", word.text, names.join(" or ")),
            )
            .label("not here"));
        }
        let action = match word.text {
            "masquerade" | "redirect" => {
                let ports = if tokens.take("to") {
                    let to = tokens.expect("ports", &format!("`{} to :8080`", word.text))?;
                    let ports = Word {
                        text: to.text.trim_start_matches(':'),
                        at: to.at + usize::from(to.text.starts_with(':')),
                    };
                    // `to : 8080`
                    let ports = if ports.text.is_empty() { tokens.expect("ports", "`to :8080`")? } else { ports };
                    Some(values::ports(ports)?)
                } else {
                    None
                };
                match word.text {
                    "masquerade" => Action::Masquerade(ports),
                    _ => Action::Redirect(ports.map(|ports| *ports.start())),
                }
            }
            _ => {
                let family = ["ip", "ip6"].into_iter().find(|family| tokens.take(family));
                tokens.must("to", &format!("`{} to 10.0.1.5:80`", word.text))?;
                let to = tokens.expect("an address", &format!("`{} to 10.0.1.5:80`", word.text))?;
                let (address, ports) = self.endpoint(to, family)?;
                match word.text {
                    "snat" => Action::Snat(address, ports),
                    _ => Action::Dnat(address, ports.map(|ports| *ports.start())),
                }
            }
        };
        // How Linux chooses ports is its own; what is said of that is understood and changes nothing.
        while tokens.take("random") || tokens.take("fully-random") || tokens.take("persistent") || tokens.take(",") {}
        Ok(action)
    }

    /// `10.0.1.5`, `10.0.1.5:80`, `web:80`, `[fd00::5]:80`
    fn endpoint(&self, word: Word<'_>, family: Option<&str>) -> Result<(IpAddr, Option<RangeInclusive<u16>>), Wrong> {
        if let Ok(address) = word.text.parse::<IpAddr>() {
            return Ok((address, None));
        }
        if let Ok(address) = word.text.parse::<SocketAddr>() {
            return Ok((address.ip(), Some(address.port()..=address.port())));
        }
        let (host, ports) = match word.text.rsplit_once(':') {
            Some((host, ports)) => {
                let at = word.at + host.len() + 1;
                (Word { text: host, at: word.at }, Some(values::ports(Word { text: ports, at })?))
            }
            None => (word, None),
        };
        if let Ok(address) = host.text.trim_start_matches('[').trim_end_matches(']').parse() {
            return Ok((address, ports));
        }
        let family = if family == Some("ip6") { Family::V6 } else { Family::V4 };
        let found = values::addresses(host, family, self.context.lab)?;
        Ok((found[0].addr(), ports))
    }

    fn counter(&mut self, tokens: &mut Tokens<'_>) -> Result<(), Wrong> {
        if tokens.take("name") {
            let name = tokens.expect("a name", "`counter name web`")?;
            if !name.text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
                return Err(Wrong::new("name", name.range(), format!("a counter cannot be called `{}`", name.text))
                    .help("letters, digits, `_` and `-`: it is asked for as `r1.firewall.web.packets`".to_owned()));
            }
            let at = self.counters.iter().position(|known| known == name.text).unwrap_or_else(|| {
                self.counters.push(name.text.to_owned());
                self.counters.len() - 1
            });
            self.steps.push(Step::CountAs(at));
            return Ok(());
        }
        // `nft list ruleset` prints what was counted; who copies it from there begins anew.
        while tokens.take("packets") || tokens.take("bytes") {
            tokens.expect("a number", "`counter packets 0 bytes 0`")?;
        }
        self.steps.push(Step::Count);
        Ok(())
    }

    fn log(&mut self, tokens: &mut Tokens<'_>) -> Result<(), Wrong> {
        let mut prefix = String::new();
        loop {
            if tokens.take("prefix") {
                prefix = tokens.expect("a prefix", "`log prefix \"refused: \"`")?.text.to_owned();
            } else if tokens.take("level") || tokens.take("group") || tokens.take("flags") {
                tokens.expect("a value", "`log level info`")?;
            } else {
                self.steps.push(Step::Log(prefix));
                return Ok(());
            }
        }
    }

    /// `limit rate [over] 5/second [burst 10 packets]`
    fn limit(&mut self, word: Word<'_>, tokens: &mut Tokens<'_>) -> Result<(), Wrong> {
        let example = "`limit rate 5/second burst 10 packets`";
        tokens.must("rate", example)?;
        let sense = if tokens.take("over") { Sense::IsNot } else { Sense::Is };
        let rate = tokens.expect("a rate", example)?;
        let (number, unit) = match rate.split_once("/") {
            Some((number, unit)) => (number, Some(unit)),
            None => (rate, None),
        };
        let amount = positive(number, example)?;
        let (scale, of, unit) = match unit {
            Some(unit) if !unit.text.is_empty() => (1, Measure::Packets, unit),
            // `10 / second`, `10/ second`
            Some(_) => (1, Measure::Packets, tokens.expect("a span", example)?),
            None if tokens.take("/") => (1, Measure::Packets, tokens.expect("a span", example)?),
            None => {
                let per = tokens.expect("a unit", "`limit rate 1 mbytes/second`")?;
                let Some((bytes, unit)) = per.split_once("/") else {
                    return Err(Wrong::new("firewall", per.range(), format!("`{}` is no rate", per.text))
                        .label("not understood")
                        .help(example.to_owned()));
                };
                (values::choice(bytes, "unit of size", BYTES)?, Measure::Bytes, unit)
            }
        };
        let per = values::choice(unit, "unit of time", SPANS)?;
        let mut burst = if of == Measure::Packets { 5 } else { 0 };
        if tokens.take("burst") {
            let number = tokens.expect("a number", example)?;
            let unit = tokens.expect("what the burst is of", "`burst 10 packets`")?;
            let scale = match (of, unit.text) {
                (Measure::Packets, "packets") => 1,
                (Measure::Bytes, _) => values::choice(unit, "unit of size", BYTES)?,
                (Measure::Packets, _) => {
                    return Err(Wrong::new("firewall", unit.range(), "the rate counts packets, the burst does not")
                        .help("`burst 10 packets`".to_owned()));
                }
            };
            burst = positive(number, example)?.saturating_mul(scale);
        }
        if self.steps.iter().any(|step| matches!(step, Step::Limit(_))) {
            return Err(Wrong::new("firewall", word.range(), "the rate is limited twice").label("again"));
        }
        let amount = amount.saturating_mul(scale);
        self.steps.push(Step::Limit(Limit { sense, amount, per, burst, of }));
        Ok(())
    }
}

/// nft's units, which count in 1024s.
const BYTES: &[(&str, u64)] = &[("bytes", 1), ("kbytes", 1 << 10), ("mbytes", 1 << 20), ("gbytes", 1 << 30)];
const SPANS: &[(&str, Duration)] = &[
    ("second", Duration::from_secs(1)),
    ("minute", Duration::from_secs(60)),
    ("hour", Duration::from_secs(3600)),
    ("day", Duration::from_secs(86_400)),
    ("week", Duration::from_secs(604_800)),
];

fn positive(word: Word<'_>, example: &str) -> Result<u64, Wrong> {
    word.text.parse().ok().filter(|n| (1..=1 << 40).contains(n)).ok_or_else(|| {
        Wrong::new("firewall", word.range(), format!("`{}` is no number of this kind", word.text))
            .label("not understood")
            .help(format!("for example {example}"))
    })
}

fn unknown(word: Word<'_>) -> Wrong {
    let wrong = Wrong::new("unknown-word", word.range(), format!("no statement begins with `{}`", word.text))
        .label("not understood here");
    if let Some((_, meant)) = FOREIGN.iter().find(|(foreign, _)| *foreign == word.text) {
        return wrong.help(format!("nft's word is `{meant}`"));
    }
    if word.text.starts_with('-') {
        return wrong
            .help("rules are written in nft's words, not in those of iptables: `tcp dport 22 accept`".to_owned());
    }
    wrong.help(suggest(word.text, "statements", statements()))
}
