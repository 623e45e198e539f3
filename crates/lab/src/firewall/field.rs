//! What a rule may ask of a packet: nft's expressions, and the values that they are held against.

use septet_language::nearest::suggest;
use septet_language::words::{Word, Wrong};
use septet_network::conntrack::Direction;
use septet_network::filter::{Clause, Condition, End, Kind, Sense};
use septet_network::firewall::rule::Test;

use crate::firewall::context::Context;
use crate::firewall::lex::{Token, Tokens};
use crate::firewall::values::{self, Family, Names};

/// Something that can be asked of a packet.
#[derive(Clone, Debug)]
pub(super) enum Field {
    Address(Family, End),
    Port {
        protocol: Option<u8>,
        end: End,
    },
    /// The protocol over IP, of packets of one family or of both.
    Protocol(Option<Family>),
    Ttl(Family),
    Len(Option<Family>),
    Dscp(Family),
    Flags,
    IcmpType(Family),
    IcmpCode(Family),
    /// `meta nfproto`, `meta protocol`
    Family,
    Input,
    Output,
    State,
    Direction,
    Status,
    Own(End),
}

/// The words behind which a field is named, with those fields. A field that needs no such word stands behind an empty one.
type Group = (&'static str, &'static [(&'static str, Field)]);

const GROUPS: &[Group] = &[
    (
        "ip",
        &[
            ("saddr", Field::Address(Family::V4, End::Source)),
            ("daddr", Field::Address(Family::V4, End::Destination)),
            ("protocol", Field::Protocol(Some(Family::V4))),
            ("ttl", Field::Ttl(Family::V4)),
            ("length", Field::Len(Some(Family::V4))),
            ("dscp", Field::Dscp(Family::V4)),
        ],
    ),
    (
        "ip6",
        &[
            ("saddr", Field::Address(Family::V6, End::Source)),
            ("daddr", Field::Address(Family::V6, End::Destination)),
            ("nexthdr", Field::Protocol(Some(Family::V6))),
            ("hoplimit", Field::Ttl(Family::V6)),
            ("dscp", Field::Dscp(Family::V6)),
        ],
    ),
    (
        "tcp",
        &[
            ("sport", Field::Port { protocol: Some(6), end: End::Source }),
            ("dport", Field::Port { protocol: Some(6), end: End::Destination }),
            ("flags", Field::Flags),
        ],
    ),
    (
        "udp",
        &[
            ("sport", Field::Port { protocol: Some(17), end: End::Source }),
            ("dport", Field::Port { protocol: Some(17), end: End::Destination }),
        ],
    ),
    (
        "th",
        &[
            ("sport", Field::Port { protocol: None, end: End::Source }),
            ("dport", Field::Port { protocol: None, end: End::Destination }),
        ],
    ),
    ("icmp", &[("type", Field::IcmpType(Family::V4)), ("code", Field::IcmpCode(Family::V4))]),
    ("icmpv6", &[("type", Field::IcmpType(Family::V6)), ("code", Field::IcmpCode(Family::V6))]),
    (
        "meta",
        &[
            ("l4proto", Field::Protocol(None)),
            ("nfproto", Field::Family),
            ("protocol", Field::Family),
            ("length", Field::Len(None)),
            ("iifname", Field::Input),
            ("oifname", Field::Output),
            ("iif", Field::Input),
            ("oif", Field::Output),
        ],
    ),
    ("ct", &[("state", Field::State), ("direction", Field::Direction), ("status", Field::Status)]),
    ("fib", &[("saddr", Field::Own(End::Source)), ("daddr", Field::Own(End::Destination))]),
    ("", &[("iifname", Field::Input), ("oifname", Field::Output), ("iif", Field::Input), ("oif", Field::Output)]),
];

/// All words with which a field begins.
pub(super) fn starts() -> impl Iterator<Item = &'static str> {
    let groups = GROUPS.iter().map(|(name, _)| *name).filter(|name| !name.is_empty());
    let bare =
        GROUPS.iter().filter(|(name, _)| name.is_empty()).flat_map(|(_, fields)| fields.iter().map(|(name, _)| *name));
    groups.chain(bare)
}

/// The field that begins with `word`; `None` where none does.
pub(super) fn find(word: Word<'_>, tokens: &mut Tokens<'_>) -> Result<Option<Field>, Wrong> {
    let of = |group: &str| GROUPS.iter().find(|(name, _)| *name == group).map_or(&[][..], |(_, fields)| fields);
    if let Some((_, field)) = of("").iter().find(|(name, _)| *name == word.text) {
        return Ok(Some(field.clone()));
    }
    let Some((_, fields)) = GROUPS.iter().find(|(name, _)| *name == word.text && !name.is_empty()) else {
        return Ok(None);
    };
    let names = || fields.iter().map(|(name, _)| *name);
    let example = format!("`{} {}`", word.text, fields[0].0);
    let name = tokens.expect(&format!("what of {}", word.text), &example)?;
    let Some((_, field)) = fields.iter().find(|(known, _)| *known == name.text) else {
        return Err(Wrong::new("unknown-word", name.range(), format!("`{} {}` is not known", word.text, name.text))
            .label("not understood")
            .help(suggest(name.text, &format!("behind `{}`", word.text), names().collect::<Vec<_>>())));
    };
    if let Field::Own(_) = field {
        tokens.must("type", "`fib daddr type local`")?;
    }
    Ok(Some(field.clone()))
}

/// How a value is held against a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Operator {
    /// No word: for bits that one of them is set.
    Implied,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Operator {
    fn take(tokens: &mut Tokens<'_>) -> Self {
        let all: [(&[&str], Self); 6] = [
            (&["==", "eq"], Self::Equal),
            (&["!=", "ne"], Self::NotEqual),
            (&["<=", "le"], Self::LessOrEqual),
            (&["<", "lt"], Self::Less),
            (&[">=", "ge"], Self::GreaterOrEqual),
            (&[">", "gt"], Self::Greater),
        ];
        let found = all.iter().find(|(words, _)| words.iter().any(|word| tokens.take(word)));
        found.map_or(Self::Implied, |(_, operator)| *operator)
    }

    const fn sense(self) -> Sense {
        match self {
            Self::NotEqual => Sense::IsNot,
            _ => Sense::Is,
        }
    }
}

fn is(condition: Condition) -> Test {
    Test::is(condition)
}

impl Field {
    /// What a packet must be to have the field.
    pub(super) fn implied(&self) -> Vec<Test> {
        let family = |family: &Family| {
            is(Condition::Kind(vec![Kind::EtherType(if *family == Family::V4 { 0x0800 } else { 0x86dd })]))
        };
        let protocol = |number: u8| is(Condition::Kind(vec![Kind::Protocol(number)]));
        match self {
            Self::Address(of, _) | Self::Ttl(of) | Self::Dscp(of) => vec![family(of)],
            Self::Protocol(Some(of)) | Self::Len(Some(of)) => vec![family(of)],
            Self::Port { protocol: Some(number), .. } => vec![protocol(*number)],
            Self::Flags => vec![protocol(6)],
            Self::IcmpType(Family::V4) | Self::IcmpCode(Family::V4) => vec![protocol(1)],
            Self::IcmpType(Family::V6) | Self::IcmpCode(Family::V6) => vec![protocol(58)],
            _ => Vec::new(),
        }
    }

    /// What it is held against: an operator, then a value, a range, several in braces, or a named set.
    pub(super) fn tests(&self, tokens: &mut Tokens<'_>, context: &Context<'_>) -> Result<Vec<Test>, Wrong> {
        if matches!(self, Self::Flags)
            && let Some(test) = masked(tokens)?
        {
            return Ok(vec![test]);
        }
        let operator = Operator::take(tokens);
        let values = values(tokens, self.example())?;
        if let Values { set: Some(name), .. } = &values {
            return self.of_set(*name, operator, context).map(|test| vec![test]);
        }
        if matches!(operator, Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual) {
            return self.compared(&values, operator).map(|test| vec![test]);
        }
        // Several are a set, in braces, except where each is a bit of its own.
        if let ([_, second, ..], Braces::None) = (&values.words[..], values.braces)
            && !matches!(self, Self::State | Self::Status | Self::Flags)
        {
            let all: Vec<_> = values.words.iter().map(|word| word.text).collect();
            return Err(Wrong::new("firewall", second.range(), "several values stand in braces")
                .label("a second value")
                .help(format!("`{{ {} }}`", all.join(", "))));
        }
        self.against(&values.words, values.braces, operator, context).map(|test| vec![test])
    }

    /// A value of its own, for a map.
    pub(super) fn one(&self, word: Word<'_>, context: &Context<'_>) -> Result<Test, Wrong> {
        self.against(&[word], Braces::Some, Operator::Implied, context)
    }

    fn example(&self) -> &'static str {
        match self {
            Self::Address(Family::V4, _) => "`10.0.1.0/24`",
            Self::Address(Family::V6, _) => "`fd00::/8`",
            Self::Port { .. } => "`{ 22, 80 }`",
            Self::Protocol(_) => "`tcp`",
            Self::Ttl(_) | Self::Len(_) => "`64`",
            Self::Dscp(_) => "`ef`",
            Self::Flags => "`syn`",
            Self::IcmpType(_) => "`echo-request`",
            Self::IcmpCode(_) => "`port-unreachable`",
            Self::Family => "`ipv4`",
            Self::Input | Self::Output => "`eth0`",
            Self::State => "`established,related`",
            Self::Direction => "`original`",
            Self::Status => "`dnat`",
            Self::Own(_) => "`local`",
        }
    }

    fn of_set(&self, name: Word<'_>, operator: Operator, context: &Context<'_>) -> Result<Test, Wrong> {
        let Some(set) = context.sets.get(name.text) else {
            let known = context.sets.keys().map(String::as_str);
            return Err(Wrong::new("firewall", name.range(), format!("there is no set `{}`", name.text))
                .label("unknown set")
                .help(
                    suggest(name.text, "sets", known)
                        .unwrap_or_else(|| format!("sets stand in `sets = {{ {} = \"{{ … }}\" }}`", name.text)),
                ));
        };
        // What is wrong in the set is told where it is used: there it is known what it should be.
        let here = |wrong: Wrong| Wrong { at: name.range(), ..wrong };
        let mut tokens = Tokens::of(Word { text: &set.text, at: 0 }).map_err(here)?;
        let values = values(&mut tokens, self.example()).map_err(here)?;
        if let Some(token) = tokens.next() {
            return Err(here(Wrong::new("firewall", 0..0, format!("`{}` is left over in the set", token.word().text))));
        }
        self.against(&values.words, Braces::Some, operator, context).map_err(here)
    }

    /// `> 1023`
    fn compared(&self, values: &Values<'_>, operator: Operator) -> Result<Test, Wrong> {
        let [word] = values.words[..] else {
            let at = values.words.last().map_or(0..0, |word| word.range());
            return Err(Wrong::new("firewall", at, "greater and less are said of one number"));
        };
        let most = match self {
            Self::Port { .. } | Self::Len(_) => u16::MAX,
            Self::Ttl(_) => 255,
            Self::Dscp(_) => 63,
            _ => {
                return Err(Wrong::new("firewall", word.range(), "this is neither greater nor less than another")
                    .help(format!("for example {}", self.example())));
            }
        };
        let bound = values::bound(word, matches!(self, Self::Port { .. }), most)?;
        let none = || Wrong::new("firewall", word.range(), "no number is that").label("fits no packet");
        let range = match operator {
            Operator::Less => 0..=bound.checked_sub(1).ok_or_else(none)?,
            Operator::LessOrEqual => 0..=bound,
            Operator::Greater if bound >= most => return Err(none()),
            Operator::Greater => bound + 1..=most,
            _ => bound..=most,
        };
        let byte = |n: u16| n.min(255) as u8;
        Ok(is(match self {
            Self::Port { end, .. } => Condition::Port(*end, vec![range]),
            Self::Len(_) => Condition::Len(usize::from(*range.start())..=usize::from(*range.end())),
            Self::Dscp(_) => Condition::Dscp(vec![byte(*range.start())..=byte(*range.end())]),
            _ => Condition::Ttl(vec![byte(*range.start())..=byte(*range.end())]),
        }))
    }

    fn against(
        &self,
        words: &[Word<'_>],
        braces: Braces,
        operator: Operator,
        context: &Context<'_>,
    ) -> Result<Test, Wrong> {
        let sense = operator.sense();
        let clause = |condition| Test::Packet(Clause { condition, sense });
        let numbers = |what, names: Names, most: u16| -> Result<Vec<_>, Wrong> {
            words.iter().map(|word| values::range(*word, what, names, most)).collect()
        };
        let bytes = |what, names: Names, most: u16| -> Result<Vec<_>, Wrong> {
            let narrow = |n: u16| n.min(255) as u8;
            Ok(numbers(what, names, most)?
                .into_iter()
                .map(|range| narrow(*range.start())..=narrow(*range.end()))
                .collect())
        };
        Ok(match self {
            Self::Address(family, end) => {
                let mut all = Vec::new();
                for word in words {
                    all.extend(values::addresses(*word, *family, context.lab)?);
                }
                clause(Condition::Address(*end, all))
            }
            Self::Port { end, .. } => {
                let ports: Result<Vec<_>, Wrong> = words.iter().map(|word| values::ports(*word)).collect();
                clause(Condition::Port(*end, ports?))
            }
            Self::Protocol(_) => {
                let ranges = numbers("protocol", values::PROTOCOLS, 255)?;
                clause(Condition::Kind(ranges.into_iter().flatten().map(|n| Kind::Protocol(n as u8)).collect()))
            }
            Self::Ttl(_) => clause(Condition::Ttl(bytes("time to live", &[], 255)?)),
            Self::Dscp(_) => clause(Condition::Dscp(bytes("class of service", values::DSCP, 63)?)),
            Self::Len(_) => {
                let ranges = numbers("length", &[], u16::MAX)?;
                let [range] = &ranges[..] else {
                    let at = words.last().map_or(0..0, |word| word.range());
                    return Err(Wrong::new("firewall", at, "one length, or one range of them"));
                };
                clause(Condition::Len(usize::from(*range.start())..=usize::from(*range.end())))
            }
            Self::Flags => return flags(words, braces, operator),
            Self::IcmpType(family) => {
                let names = if *family == Family::V4 { values::ICMP } else { values::ICMPV6 };
                let types = numbers("type of ICMP", names, 255)?;
                clause(Condition::Icmp(types.into_iter().flatten().map(|kind| (kind as u8, None)).collect()))
            }
            Self::IcmpCode(family) => {
                let names = if *family == Family::V4 { values::ICMP_CODES } else { values::ICMPV6_CODES };
                let codes = numbers("code of ICMP", names, 255)?;
                clause(Condition::IcmpCode(codes.into_iter().flatten().map(|code| code as u8).collect()))
            }
            Self::Family => {
                let of = [("ipv4", 0x0800), ("ip", 0x0800), ("ipv6", 0x86dd), ("ip6", 0x86dd)];
                let kinds: Result<Vec<_>, Wrong> =
                    words.iter().map(|word| values::choice(*word, "family", &of).map(Kind::EtherType)).collect();
                clause(Condition::Kind(kinds?))
            }
            Self::Input | Self::Output => {
                let mut faces = Vec::new();
                for word in words {
                    faces.extend(values::faces(*word, context.lab, context.node)?);
                }
                if matches!(self, Self::Input) { Test::Input(faces, sense) } else { Test::Output(faces, sense) }
            }
            Self::State => {
                let states: Result<Vec<_>, Wrong> =
                    words.iter().map(|word| values::choice(*word, "state", values::STATES)).collect();
                Test::State(states?, sense)
            }
            Self::Direction => {
                let of = [("original", Direction::Original), ("reply", Direction::Reply)];
                Test::Direction(values::choice(one(words)?, "direction", &of)?, sense)
            }
            Self::Status => {
                let of = [("snat", End::Source), ("dnat", End::Destination)];
                let ends: Result<Vec<_>, Wrong> =
                    words.iter().map(|word| values::choice(*word, "status", &of)).collect();
                Test::Translated(ends?, sense)
            }
            Self::Own(end) => {
                values::choice(one(words)?, "type of address", &[("local", ())])?;
                Test::Own(*end, sense)
            }
        })
    }
}

fn one<'t>(words: &[Word<'t>]) -> Result<Word<'t>, Wrong> {
    match words {
        [word] => Ok(*word),
        [.., last] => Err(Wrong::new("firewall", last.range(), "one value is meant").label("one too many")),
        [] => Err(Wrong::new("firewall", 0..0, "a value is missing")),
    }
}

/// TCP's control bits without a mask: `syn`, `syn,ack`, `== syn`, `{ syn, ack }`.
fn flags(words: &[Word<'_>], braces: Braces, operator: Operator) -> Result<Test, Wrong> {
    let bit = |word: &Word<'_>| values::number(*word, "control bit", values::FLAGS, 255).map(|bits| bits as u8);
    let bits = words.iter().map(bit).collect::<Result<Vec<_>, _>>()?;
    let all = bits.iter().fold(0, |all, bit| all | bit);
    let clause = |condition, sense| Test::Packet(Clause { condition, sense });
    Ok(match (operator, braces) {
        (Operator::Implied, Braces::None) => clause(Condition::FlagsAmong(all, 0), Sense::IsNot),
        (Operator::Implied | Operator::Equal, Braces::Some) if bits.len() > 1 => {
            let at = words[1].range();
            return Err(Wrong::new("firewall", at, "several whole sets of control bits are not understood in braces")
                .help("with a mask: `tcp flags & (syn|ack) == syn`".to_owned()));
        }
        (operator, _) => clause(Condition::FlagsAmong(0xff, all), operator.sense()),
    })
}

/// `& (fin|syn|rst|ack) == syn`, `syn / fin,syn,rst,ack`; `None` where it is neither.
fn masked(tokens: &mut Tokens<'_>) -> Result<Option<Test>, Wrong> {
    let example = "`tcp flags & (fin|syn|rst|ack) == syn`";
    let ahead = tokens.clone();
    if tokens.take("&") {
        let mask = bits(tokens, example)?;
        let sense = match Operator::take(tokens) {
            Operator::Equal | Operator::Implied => Sense::Is,
            Operator::NotEqual => Sense::IsNot,
            _ => {
                let at = tokens.peek().map_or(tokens.end()..tokens.end(), |token| token.word().range());
                return Err(Wrong::new("firewall", at, "bits are equal or not").help(example.to_owned()));
            }
        };
        let value = bits(tokens, example)?;
        return Ok(Some(Test::Packet(Clause { condition: Condition::FlagsAmong(mask, value), sense })));
    }
    let sense = Operator::take(tokens).sense();
    if matches!(tokens.peek(), Some(Token::Word(_)))
        && let Ok(value) = bits(tokens, example)
        && tokens.take("/")
    {
        let mask = bits(tokens, example)?;
        return Ok(Some(Test::Packet(Clause { condition: Condition::FlagsAmong(mask, value), sense })));
    }
    *tokens = ahead;
    Ok(None)
}

/// `(fin|syn)`, `fin|syn`, `fin,syn`, `0`
fn bits(tokens: &mut Tokens<'_>, example: &str) -> Result<u8, Wrong> {
    let grouped = tokens.take("(");
    let mut all = 0;
    loop {
        let word = tokens.expect("control bits", example)?;
        all |= values::number(word, "control bit", values::FLAGS, 255)? as u8;
        if !tokens.take("|") && !tokens.take(",") {
            break;
        }
    }
    if grouped {
        tokens.must(")", example)?;
    }
    Ok(all)
}

/// Whether values stood in braces.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Braces {
    Some,
    None,
}

/// Values as they are written.
struct Values<'t> {
    words: Vec<Word<'t>>,
    braces: Braces,
    /// The name of the set, where one is named instead.
    set: Option<Word<'t>>,
}

/// `22`, `{ 22, 80 }`, `established,related`, `@admins`
fn values<'t>(tokens: &mut Tokens<'t>, example: &str) -> Result<Values<'t>, Wrong> {
    if tokens.take("{") {
        let mut words = Vec::new();
        loop {
            // As nft a last comma is taken.
            if !words.is_empty() && tokens.take("}") {
                return Ok(Values { words, braces: Braces::Some, set: None });
            }
            words.push(tokens.expect("a value", example)?);
            if !tokens.take(",") {
                tokens.must("}", "`{ 22, 80 }`")?;
                return Ok(Values { words, braces: Braces::Some, set: None });
            }
        }
    }
    let first = tokens.expect("a value", example)?;
    if let Some(name) = first.text.strip_prefix('@') {
        let set = Some(Word { text: name, at: first.at + 1 });
        return Ok(Values { words: Vec::new(), braces: Braces::None, set });
    }
    let mut words = vec![first];
    while tokens.take(",") {
        words.push(tokens.expect("a value", example)?);
    }
    Ok(Values { words, braces: Braces::None, set: None })
}
