//! What links are made of: the words of `tc-netem`, in media, in link strings and in faults alike.

use core::ops::Range;
use core::time::Duration;
use std::sync::LazyLock;

use septet_core::Bytes;
use septet_datalink::hdlc::Fcs;
use septet_datalink::lapb::Arq;
use septet_datalink::ppp::Compression;
use septet_language::document::Text;
use septet_language::nearest::suggest;
use septet_language::schema::{AnyKey, Key, Phrase, Section};
use septet_language::units::{self, Refusal};
use septet_language::words::{Commas, Word, Words, Wrong};
use septet_physical::channel::{EFFECTS, EffectKind, EffectSpec};
use septet_physical::phy::{self, Length, Phy};
use septet_physical::queue::{DISCIPLINES, Discipline, Limit, QueueSpec};
use septet_physical::settings::{self, Parameter, Setting, Settings};
use septet_physical::{Framing, InvalidSetting, Ratio};

use crate::model::cable::{Change, LcpOptions, Reliable, Serial};
use crate::model::files::Files;

/// The changes, with the recordings that they name read from their files.
pub(crate) fn with_files(changes: Vec<Change>, files: &Files) -> Result<Vec<Change>, Wrong> {
    let open = |change| match change {
        Change::Recording { file, at } => files.trace(&file).map(Change::Trace).map_err(|reason| {
            Wrong::new("trace", at, reason)
                .label("this file")
                .help("a line of it is a millisecond at which 1504 bytes may pass; it lies beside the lab".to_owned())
        }),
        change => Ok(change),
    };
    changes.into_iter().map(open).collect()
}

/// A word of the medium language.
struct MediumWord {
    name: &'static str,
    example: &'static str,
    doc: &'static str,
    /// Reads what stands behind it.
    read: fn(&mut Words<'_>) -> Result<Vec<Change>, Wrong>,
}

/// The words that are no effect; effects come from the table of storey 1. Applied in this order.
const WORDS: &[MediumWord] = &[
    MediumWord {
        name: "phy",
        example: "100base-tx",
        doc: "the physical layer, which fixes the rate; with `length` also the delay",
        read: |words| {
            let word = words.expect("the name of a PHY", "`100base-tx`")?;
            let phy = Phy::find(word.text).ok_or_else(|| {
                let names = phy::TABLE.iter().map(|p| p.name);
                Wrong::new("unknown-value", word.range(), format!("no PHY is called `{}`", word.text))
                    .label("unknown PHY")
                    .help(suggest(word.text, "PHYs", names))
            })?;
            Ok(vec![Change::Phy(phy)])
        },
    },
    MediumWord {
        name: "rate",
        example: "20mbit",
        doc: "the bit rate of the transmitter; `unlimited` for none, `trace FILE` for one that follows a recording",
        read: |words| {
            let word = words.expect("a rate", "`20mbit`")?;
            if word.text == "trace" {
                let name = words.expect("the name of a file", "`trace cellular.up`")?;
                return Ok(vec![Change::Recording { file: name.text.to_owned(), at: name.range() }]);
            }
            if word.text == "unlimited" {
                return Ok(vec![Change::Rate(None)]);
            }
            Ok(vec![Change::Rate(Some(understood(word, units::rate(word.text))?))])
        },
    },
    MediumWord {
        name: "length",
        example: "100m",
        doc: "the length of the cable, which gives its delay",
        read: |words| {
            let word = words.expect("a length", "`100m`")?;
            let metres = understood(word, units::length(word.text))?;
            Ok(vec![Change::Length(Length((metres * 1000.0).round() as u64))])
        },
    },
    MediumWord {
        name: "delay",
        example: "25ms",
        doc: "from the first bit out to the first bit in, as in netem: `TIME [JITTER [CORRELATION] [distribution NAME]]`",
        read: |words| {
            let word = words.expect("a time", "`25ms`")?;
            let delay = understood(word, units::time(word.text))?;
            let mut jitter = Duration::ZERO;
            let mut settings = Settings::new();
            if let Some(word) = words.quantity() {
                jitter = understood(word, units::time(word.text))?;
                if let Some(word) = words.quantity() {
                    settings.set("correlation", Setting::Ratio(to_ratio(word)?));
                }
                if words.take("distribution") {
                    let word = words.expect("a distribution", "`normal`")?;
                    settings.set("distribution", Setting::Word(word.text.to_owned()));
                }
            }
            if settings == Settings::new() {
                return Ok(vec![Change::Delay(delay), Change::Jitter(jitter), Change::NoEffect("delay")]);
            }
            let settings = settings.with("delay", Setting::Duration(delay)).with("jitter", Setting::Duration(jitter));
            let effect = built("delay", settings, word.at..words.rest().at)?;
            Ok(vec![Change::Delay(Duration::ZERO), Change::Jitter(Duration::ZERO), Change::Effect(effect)])
        },
    },
    MediumWord {
        name: "jitter",
        example: "5ms",
        doc: "each frame's delay is uniform in `delay ± jitter`; without a rate it may reorder",
        read: |words| {
            let word = words.expect("a time", "`5ms`")?;
            Ok(vec![Change::Jitter(understood(word, units::time(word.text))?)])
        },
    },
    MediumWord {
        name: "loss",
        example: "0.5%",
        doc: "the share of frames that the channel loses, as in netem: `RATIO [CORRELATION]`, `gemodel P R 1-H 1-K`, \
              `state P13 P31 P32 P23 P14`",
        read: |words| {
            for name in ["gemodel", "state"] {
                if words.take(name) {
                    let kind = EFFECTS.iter().find(|e| e.name == name);
                    return kind.map_or(Ok(vec![]), |kind| effect(kind, words.rest(), words));
                }
            }
            // netem's word for losses that do not depend on each other.
            words.take("random");
            let word = words.expect("a percentage", "`0.5%`")?;
            let ratio = to_ratio(word)?;
            let Some(correlation) = words.quantity() else {
                return Ok(vec![Change::Loss(ratio), Change::NoEffect("loss")]);
            };
            let settings = Settings::new()
                .with("ratio", Setting::Ratio(ratio))
                .with("correlation", Setting::Ratio(to_ratio(correlation)?));
            let effect = built("loss", settings, word.at..correlation.range().end)?;
            Ok(vec![Change::Loss(Ratio::ZERO), Change::Effect(effect)])
        },
    },
    MediumWord {
        name: "ber",
        example: "1e-6",
        doc: "the share of bits that arrive flipped",
        read: |words| Ok(vec![Change::BitErrors(to_ratio(words.expect("a ratio", "`1e-6`")?)?)]),
    },
    MediumWord {
        name: "limit",
        example: "64kb",
        doc: "how much may wait before the transmitter, in bytes (`64kb`) or packets (`100p`)",
        read: |words| {
            let word = words.expect("a limit", "`64kb` or `100p`")?;
            let limit = match understood(word, units::limit(word.text))? {
                units::Limit::Bytes(Bytes(n)) => Limit::Bytes(n),
                units::Limit::Packets(n) => Limit::Packets(n),
            };
            Ok(vec![Change::Limit(limit)])
        },
    },
    MediumWord {
        name: "queue",
        example: "fq_codel",
        doc: "the queue discipline before the transmitter, with its settings as in tc: `codel target 5ms`",
        read: |words| {
            let word = words.expect("a queue discipline", "`drop-tail`")?;
            let discipline = discipline(word)?;
            let (settings, range) = named_settings(words, discipline.parameters, &[], word)?;
            QueueSpec::new(discipline.name, Limit::default(), settings.clone())
                .map_err(|invalid| invalid_setting(invalid, range))?;
            Ok(vec![Change::Queue(discipline.name, settings)])
        },
    },
    MediumWord {
        name: "framing",
        example: "ethernet",
        doc: "how frames travel: `ethernet` (with preamble, FCS and gap), `bare` (nothing beside its bytes), or `ppp` \
              (a serial line, HDLC framing)",
        read: |words| {
            let word = words.expect("a framing", "`ethernet`")?;
            match word.text {
                "ethernet" => Ok(vec![Change::Framing(Framing::ETHERNET), Change::Serial(None)]),
                "bare" => Ok(vec![Change::Framing(Framing::BARE), Change::Serial(None)]),
                "ppp" => Ok(vec![Change::Framing(Framing::BARE), Change::Serial(Some(Serial::default()))]),
                other => Err(Wrong::new("unknown-value", word.range(), format!("there is no framing `{other}`"))
                    .help(suggest(other, "framings", ["ethernet", "bare", "ppp"]))),
            }
        },
    },
    MediumWord {
        name: "arq",
        example: "go-back-n",
        doc: "how a serial line repeats what was damaged: `SCHEME [window N] [t1 TIME]`",
        read: |words| {
            let word = words.expect("a scheme", "`go-back-n`")?;
            let arq =
                Arq::find(word.text).ok_or_else(|| {
                    Wrong::new("unknown-value", word.range(), format!("there is no scheme `{}`", word.text))
                        .help(suggest(word.text, "schemes", Arq::ALL.map(Arq::name)))
                })?;
            let mut reliable = Reliable { arq, window: None, t1: None };
            loop {
                if words.take("window") {
                    let word = words.expect("a number of frames", "`7`")?;
                    let window = word.text.parse::<u8>().ok().filter(|n| (1..=127).contains(n));
                    let wrong = || Wrong::new("out-of-range", word.range(), "a window is 1 to 127 frames".to_owned());
                    reliable.window = Some(window.ok_or_else(wrong)?);
                } else if words.take("t1") {
                    let word = words.expect("a time", "`100ms`")?;
                    reliable.t1 = Some(understood(word, units::time(word.text))?);
                } else {
                    break;
                }
            }
            Ok(vec![Change::Framing(Framing::BARE), Change::Reliable(reliable)])
        },
    },
    MediumWord {
        name: "lcp",
        example: "fcs 32",
        doc: "what the ends of a serial line ask each other for: `[fcs 16|32] [accm HEX] [compression] [echo TIME]`",
        read: |words| {
            let mut lcp = LcpOptions::default();
            let mut any = false;
            loop {
                if words.take("fcs") {
                    let word = words.expect("16 or 32", "`32`")?;
                    lcp.fcs = match word.text {
                        "16" => Fcs::Sixteen,
                        "32" => Fcs::ThirtyTwo,
                        other => {
                            let reason = format!("there is no FCS of `{other}` bits");
                            return Err(Wrong::new("unknown-value", word.range(), reason).help("16 or 32".to_owned()));
                        }
                    };
                } else if words.take("accm") {
                    let word = words.expect("a map in hexadecimal digits", "`000a0000`")?;
                    let digits = word.text.strip_prefix("0x").unwrap_or(word.text);
                    let wrong = || {
                        Wrong::new("unknown-value", word.range(), format!("`{}` is no map of 32 characters", word.text))
                            .help(
                                "eight hexadecimal digits, one bit a character: `000a0000` for XON and XOFF".to_owned(),
                            )
                    };
                    lcp.accm = u32::from_str_radix(digits, 16).map_err(|_| wrong())?;
                } else if words.take("compression") {
                    lcp.compression = Compression::On;
                } else if words.take("echo") {
                    let word = words.expect("a time", "`10s`")?;
                    lcp.echo = Some(understood(word, units::time(word.text))?);
                } else if any {
                    return Ok(vec![Change::Framing(Framing::BARE), Change::Lcp(lcp)]);
                } else {
                    // It cannot be one of those above: what stands there is not understood, or nothing stands there.
                    let word = words.expect("`fcs`, `accm`, `compression` or `echo`", "`fcs 32`")?;
                    let reason = format!("`{}` is nothing that LCP is asked for", word.text);
                    return Err(Wrong::new("unknown-word", word.range(), reason).help(suggest(
                        word.text,
                        "it may be",
                        ["fcs", "accm", "compression", "echo"],
                    )));
                }
                any = true;
            }
        },
    },
    MediumWord {
        name: "mtu",
        example: "1500",
        doc: "the largest packet that the ends of the link send, in bytes",
        read: |words| {
            let word = words.expect("a size", "`1500`")?;
            Ok(vec![Change::Mtu(mtu(word)?)])
        },
    },
];

/// An MTU: at least what IPv4 must carry whole (RFC 791 §3.2: 68), at most what its length field holds.
pub(crate) fn mtu(word: Word<'_>) -> Result<u16, Wrong> {
    let bytes = understood(word, units::size(word.text))?;
    u16::try_from(bytes.0).ok().filter(|n| *n >= 68).ok_or_else(|| {
        Wrong::new("out-of-range", word.range(), format!("an MTU of {} bytes", bytes.0))
            .help("from 68 to 65535; Ethernet's is 1500".to_owned())
    })
}

/// Whether `word` begins a medium phrase.
pub(crate) fn is_word(word: &str) -> bool {
    WORDS.iter().any(|w| w.name == word) || effects().any(|e| e.name == word)
}

/// The effects that have a word of their own; some are what a word above turns into.
fn effects() -> impl Iterator<Item = &'static EffectKind> + Clone {
    EFFECTS.iter().filter(|e| WORDS.iter().all(|w| w.name != e.name))
}

/// All words.
pub(crate) fn names() -> impl Iterator<Item = &'static str> + Clone {
    WORDS.iter().map(|w| w.name).chain(effects().map(|e| e.name))
}

/// Reads phrases such as `loss 20% delay 50ms` up to the end, or to a word that `ends` them.
pub(crate) fn phrases(words: &mut Words<'_>, end: Option<&str>) -> Result<Vec<Change>, Wrong> {
    let mut changes = Vec::new();
    words.take_commas(Commas::Part);
    while let Some(word) = words.peek() {
        if Some(word.text) == end {
            break;
        }
        words.next();
        changes.extend(phrase(word, words)?);
    }
    words.take_commas(Commas::Belong);
    Ok(changes)
}

/// Reads what stands behind the medium word `word`.
fn phrase(word: Word<'_>, words: &mut Words<'_>) -> Result<Vec<Change>, Wrong> {
    if let Some(known) = WORDS.iter().find(|w| w.name == word.text) {
        return (known.read)(words);
    }
    if let Some(kind) = effects().find(|e| e.name == word.text) {
        return effect(kind, word, words);
    }
    Err(Wrong::new("unknown-word", word.range(), format!("`{}` is not a word of netem", word.text))
        .label("unknown word")
        .help(suggest(word.text, "words", names())))
}

/// Reads the settings of an effect, by position or by name: `reorder 25% 50% gap 5`.
fn effect(kind: &'static EffectKind, word: Word<'_>, words: &mut Words<'_>) -> Result<Vec<Change>, Wrong> {
    let positions: Vec<_> = kind.parameters.iter().collect();
    let (settings, range) = named_settings(words, kind.parameters, &positions, word)?;
    if settings == Settings::new() && !kind.parameters.is_empty() {
        let names: Vec<_> = kind.parameters.iter().map(|p| p.name).collect();
        return Err(Wrong::new("incomplete", word.range(), format!("`{}` says nothing", kind.name))
            .label("settings are missing")
            .help(format!("it takes: {}", names.join(", "))));
    }
    Ok(vec![Change::Effect(built(kind.name, settings, range)?)])
}

fn built(name: &str, settings: Settings, range: Range<usize>) -> Result<EffectSpec, Wrong> {
    EffectSpec::new(name, settings).map_err(|invalid| invalid_setting(invalid, range))
}

/// Reads settings up to a word that is none. Quantities without a name take the `positions` in order.
fn named_settings(
    words: &mut Words<'_>,
    parameters: &'static [Parameter],
    positions: &[&Parameter],
    head: Word<'_>,
) -> Result<(Settings, Range<usize>), Wrong> {
    let mut settings = Settings::new();
    let mut positions = positions.iter();
    let mut range = head.range();
    while let Some(word) = words.peek() {
        let parameter = match parameters.iter().find(|p| p.name == word.text) {
            Some(parameter) => {
                words.next();
                parameter
            }
            None if word.text.starts_with(|c: char| c.is_ascii_digit()) => match positions.next() {
                Some(parameter) => parameter,
                None => break,
            },
            None => break,
        };
        let value = words.expect(&format!("the value of `{}`", parameter.name), &format!("{}", parameter.kind))?;
        range.end = value.range().end;
        settings.set(parameter.name, setting(parameter, value)?);
    }
    Ok((settings, range))
}

fn setting(parameter: &Parameter, word: Word<'_>) -> Result<Setting, Wrong> {
    Ok(match parameter.kind {
        settings::Kind::Duration => Setting::Duration(understood(word, units::time(word.text))?),
        settings::Kind::Bytes => Setting::Bytes(understood(word, units::size(word.text))?.0),
        settings::Kind::Rate => Setting::Rate(understood(word, units::rate(word.text))?),
        settings::Kind::Ratio => Setting::Ratio(to_ratio(word)?),
        settings::Kind::Count => Setting::Count(understood(
            word,
            word.text.parse().map_err(|_| Refusal::new(format!("`{}` is not a whole number", word.text))),
        )?),
        settings::Kind::Word(choices) => {
            if !choices.contains(&word.text) {
                let reason = format!("`{}` cannot be `{}`", parameter.name, word.text);
                return Err(Wrong::new("unknown-value", word.range(), reason).label("unknown value").help(suggest(
                    word.text,
                    "it may be",
                    choices.iter().copied(),
                )));
            }
            Setting::Word(word.text.to_owned())
        }
    })
}

fn invalid_setting(invalid: InvalidSetting, range: Range<usize>) -> Wrong {
    Wrong::new("unknown-value", range, format!("`{}` {}", invalid.name, invalid.reason))
}

/// The discipline that `word` names; hyphens and underscores are the same, and tc's names for drop-tail are known.
fn discipline(word: Word<'_>) -> Result<&'static Discipline, Wrong> {
    let plain = |name: &str| name.replace('_', "-");
    let name = match word.text {
        "pfifo" | "bfifo" | "fifo" | "droptail" => "drop-tail",
        other => other,
    };
    DISCIPLINES.iter().find(|d| plain(d.name) == plain(name)).ok_or_else(|| {
        Wrong::new("unknown-value", word.range(), format!("no queue discipline is called `{}`", word.text))
            .label("unknown queue")
            .help(suggest(word.text, "queues", DISCIPLINES.iter().map(|d| d.name)))
    })
}

fn to_ratio(word: Word<'_>) -> Result<Ratio, Wrong> {
    let value = understood(word, units::ratio(word.text))?;
    understood(word, Ratio::new(value).ok_or_else(|| Refusal::new("not between 0% and 100%")))
}

fn understood<T>(word: Word<'_>, result: Result<T, Refusal>) -> Result<T, Wrong> {
    result.map_err(|refusal| Wrong::refused("unit", word.range(), refusal).label("not understood"))
}

/// What the key `name` of a medium says.
fn value(name: &str, text: &Text) -> Result<Vec<Change>, Wrong> {
    let mut words = Words::of(text);
    let head = Word { text: name, at: 0 };
    words.take_commas(Commas::Part);
    let changes = match phrase(head, &mut words) {
        Ok(changes) => changes,
        // The head is no part of the text: what is wrong with it as a whole is wrong with all of the text.
        Err(wrong) if wrong.at == head.range() => return Err(Wrong { at: 0..text.text.len(), ..wrong }),
        Err(wrong) => return Err(wrong),
    };
    match words.next() {
        None => Ok(changes),
        Some(word) => Err(Wrong::new("unknown-word", word.range(), format!("`{}` is left over", word.text))
            .label("not understood here")),
    }
}

/// A key of a medium: what it says of the cable, and its text.
pub(crate) type MediumKey = Key<Phrase<(Text, Vec<Change>)>>;

const NETEM: Phrase<(Text, Vec<Change>)> = Phrase {
    what: "netem words",
    example: "25ms",
    read: |name, text| value(name, text).map(|changes| (text.clone(), changes)),
};

/// The keys of a medium, in the order in which they are applied, so that the order in the file does not matter.
pub(crate) fn keys() -> &'static [MediumKey] {
    static KEYS: LazyLock<Vec<MediumKey>> = LazyLock::new(|| {
        let words = WORDS.iter().map(|w| Key::new(w.name, NETEM, w.doc).example(w.example));
        words.chain(effects().map(|e| Key::new(e.name, NETEM, e.help))).collect()
    });
    &KEYS
}

/// A medium: what one kind of link is made of.
pub(crate) static MEDIUM: Section = Section::new("What one kind of link is made of, in the words of tc-netem.", &[])
    .more(|| keys().iter().map(|key| key as &dyn AnyKey).collect());

#[cfg(test)]
mod tests {
    use septet_core::Rate;

    use super::*;
    use crate::model::cable::Cable;

    fn read(phrase: &str) -> Result<Cable, String> {
        let text = Text::bare(phrase.to_owned(), 0..phrase.len());
        let mut cable = Cable::perfect();
        cable.apply(&phrases(&mut Words::of(&text), None).map_err(|w| w.refusal.reason)?);
        Ok(cable)
    }

    #[test]
    fn netem_phrases() {
        let cable = read("rate 20mbit delay 25ms 5ms loss 0.5% limit 64kb mtu 1400").unwrap();
        assert_eq!(cable.medium.rate, Rate::from_bits_per_sec(20_000_000));
        assert_eq!(cable.medium.delay, Duration::from_millis(25));
        assert_eq!(cable.medium.jitter, Duration::from_millis(5));
        assert_eq!(cable.medium.loss.get(), 0.005);
        assert_eq!(cable.medium.queue.limit(), Limit::Bytes(65_536));
        assert_eq!(cable.mtu, Some(1400));
        assert_eq!(read("rate unlimited").unwrap(), Cable::perfect());
    }

    #[test]
    fn a_phy_and_a_length_give_rate_and_delay() {
        let cable = read("length 100m phy 100base-tx").unwrap();
        assert_eq!(cable.medium.rate, Rate::from_bits_per_sec(100_000_000));
        assert_eq!(cable.medium.delay, Duration::from_nanos(521));
        assert_eq!(read("length 200m").unwrap().medium.delay, Duration::from_micros(1));
    }

    #[test]
    fn netem_s_correlations_distributions_and_effects() {
        let effects = |phrase| read(phrase).unwrap().medium.effects.iter().map(EffectSpec::name).collect::<Vec<_>>();
        assert_eq!(effects("delay 10ms 2ms 25% distribution normal"), ["delay"]);
        assert_eq!(effects("loss 1% 25%"), ["loss"]);
        assert_eq!(effects("loss gemodel 1% 10%"), ["gemodel"]);
        assert_eq!(effects("loss state 1% 90% 5% 50% 0.1%"), ["state"]);
        assert_eq!(effects("loss 1% 25% loss 2%"), [""; 0], "the plain loss takes its place");
        assert_eq!(effects("reorder 25% 50% gap 5 duplicate 1%"), ["duplicate", "reorder"], "in the table's order");
        assert_eq!(read("queue fq_codel target 3ms limit 64kb delay 1ms").unwrap().medium.queue.name(), "fq_codel");
        assert_eq!(read("queue fq-codel").unwrap().medium.queue.name(), "fq_codel");
    }

    #[test]
    fn a_serial_line_says_what_lcp_asks_for() {
        let cable = read("rate 64kbit framing ppp lcp fcs 32 accm 000a0000 compression echo 5s arq go-back-n window 7")
            .unwrap();
        let Some(Serial { reliable: Some(reliable), lcp }) = cable.serial else { panic!("{:?}", cable.serial) };
        assert_eq!((reliable.window, lcp.fcs, lcp.accm), (Some(7), Fcs::ThirtyTwo, 0x000a_0000));
        assert_eq!((lcp.compression, lcp.echo), (Compression::On, Some(Duration::from_secs(5))));
        for wrong in ["lcp", "lcp fcs 8", "lcp accm xyz", "lcp mru 5", "framing ppp lcp fcs"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_no_medium() {
        for phrase in [
            "delay 5ms 1ms distribution nosuch",
            "gemodel",
            "reorder x",
            "rate",
            "rate 20mbps",
            "delai 5ms",
            "loss 120%",
            "queue nosuch",
            "mtu 5",
            "delay 5ms 5kb",
            "limit 0",
        ] {
            assert!(read(phrase).is_err(), "{phrase}");
        }
    }
}
