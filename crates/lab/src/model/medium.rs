//! What links are made of: the words of `tc-netem`, in media, in link strings and in faults alike.

use core::ops::Range;
use core::time::Duration;
use std::sync::{Arc, LazyLock};

use septet_core::{Bytes, Rate};
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
use septet_physical::{DeliveryTrace, Framing, InvalidSetting, Medium, Order, Ratio};

use crate::model::files::Files;

/// One direction of a link: what it does to frames, and the largest packet that its ends send.
#[derive(Clone, PartialEq, Debug)]
pub struct Cable {
    /// What it does to frames.
    pub medium: Medium,
    /// The largest packet, where the medium says so.
    pub mtu: Option<u16>,
    /// The PHY at both ends, where one is named.
    pub phy: Option<&'static Phy>,
    /// Its length, where it is given.
    pub length: Option<Length>,
    /// How its ends speak, where it is a serial line.
    pub serial: Option<Serial>,
    /// The share of bits, or with a PHY of line symbols, that arrive wrong.
    ber: Ratio,
    discipline: &'static str,
    limit: Limit,
    settings: Settings,
}

impl Cable {
    /// No limit of rate, no delay, no loss.
    pub(crate) fn perfect() -> Self {
        let medium = Medium::default();
        let (discipline, limit) = (medium.queue.name(), medium.queue.limit());
        Self {
            medium,
            mtu: None,
            phy: None,
            length: None,
            serial: None,
            ber: Ratio::ZERO,
            discipline,
            limit,
            settings: Settings::new(),
        }
    }

    /// What a link is made of where nothing is said: gigabit Ethernet over a kilometre of fibre.
    pub(crate) fn lan() -> Self {
        let mut cable = Self::perfect();
        cable.medium.rate = Rate::from_bits_per_sec(1_000_000_000);
        cable.medium.delay = Duration::from_micros(5);
        cable
    }

    /// What a link to a hub is made of where nothing is said: a hundred metres of 10BASE-T, on which CSMA/CD works.
    pub(crate) fn hub() -> Self {
        let mut cable = Self::perfect();
        cable.medium.rate = Rate::from_bits_per_sec(10_000_000);
        cable.medium.delay = Duration::from_nanos(500);
        cable
    }

    /// Its rate, ten megabits where nothing is said: that of a line that stations share.
    pub(crate) fn shared_rate(&self) -> Rate {
        const TEN: Rate = match Rate::from_bits_per_sec(10_000_000) {
            Some(rate) => rate,
            None => unreachable!(),
        };
        self.medium.rate.unwrap_or(TEN)
    }

    /// Makes the changes, in order.
    pub(crate) fn apply(&mut self, changes: &[Change]) {
        for change in changes {
            match change {
                Change::Rate(rate) => {
                    // netem without a rate lets frames overtake; with one it is a FIFO.
                    let order = if rate.is_some() { Order::Kept } else { Order::Loose };
                    (self.medium.rate, self.medium.trace, self.medium.order) = (*rate, None, order);
                }
                Change::Trace(trace) => {
                    (self.medium.rate, self.medium.order) = (trace.mean_rate(), Order::Kept);
                    self.medium.trace = Some(trace.clone());
                }
                // What its file says is not known yet.
                Change::Recording { .. } => {}
                Change::Delay(delay) => self.medium.delay = *delay,
                Change::Jitter(jitter) => self.medium.jitter = *jitter,
                Change::Loss(ratio) => self.medium.loss = *ratio,
                Change::BitErrors(ratio) => self.ber = *ratio,
                Change::Framing(framing) => self.medium.framing = *framing,
                Change::Mtu(mtu) => self.mtu = Some(*mtu),
                Change::Serial(serial) => self.serial = *serial,
                Change::Reliable(reliable) => self.serial.get_or_insert_default().reliable = Some(*reliable),
                Change::Lcp(lcp) => self.serial.get_or_insert_default().lcp = *lcp,
                Change::Queue(discipline, settings) => {
                    (self.discipline, self.settings) = (discipline, settings.clone());
                    self.renew_queue();
                }
                Change::Limit(limit) => {
                    self.limit = *limit;
                    self.renew_queue();
                }
                Change::Effect(effect) => {
                    let effects = &mut self.medium.effects;
                    effects.retain(|e| e.name() != effect.name());
                    effects.push(effect.clone());
                    // Their order is that of the table, however the file orders them.
                    effects.sort_by_key(|e| EFFECTS.iter().position(|k| k.name == e.name()));
                }
                Change::NoEffect(name) => self.medium.effects.retain(|e| e.name() != *name),
                Change::Phy(phy) => {
                    self.phy = Some(phy);
                    // A line of its own: what goes in first comes out first.
                    (self.medium.rate, self.medium.trace, self.medium.order) = (Some(phy.rate), None, Order::Kept);
                    self.renew_length();
                }
                Change::Length(length) => {
                    self.length = Some(*length);
                    self.renew_length();
                }
            }
        }
        self.renew_errors();
    }

    /// On the line of a PHY errors hit symbols of its code, and too long a cable makes more of them.
    fn renew_errors(&mut self) {
        let Some(phy) = self.phy else {
            self.medium.bit_errors = self.ber;
            return;
        };
        let of_length = self.length.map_or(Ratio::ZERO, |length| phy.error_ratio(length));
        let ratio = if of_length > self.ber { of_length } else { self.ber };
        self.medium.bit_errors = Ratio::ZERO;
        self.medium.effects.retain(|e| e.name() != "symbols");
        if !ratio.is_zero() {
            let settings =
                Settings::new().with("phy", Setting::Word(phy.name.to_owned())).with("ratio", Setting::Ratio(ratio));
            // Last, as in the table: what the line does comes after what netem's words do.
            self.medium.effects.extend(EffectSpec::new("symbols", settings));
        }
    }

    fn renew_queue(&mut self) {
        // Name and settings were checked when the change was read.
        if let Ok(queue) = QueueSpec::new(self.discipline, self.limit, self.settings.clone()) {
            self.medium.queue = queue;
        }
    }

    fn renew_length(&mut self) {
        if let Some(length) = self.length {
            // Without a PHY, light in glass: two thirds of its speed in the void.
            self.medium.delay = match self.phy {
                Some(phy) => phy.delay(length),
                None => Duration::from_nanos(length.0.saturating_mul(5) / 1000),
            };
        }
    }
}

/// How the ends of a serial line speak.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Serial {
    /// PPP's numbered mode, where it is wanted.
    pub reliable: Option<Reliable>,
    /// What both ends ask for.
    pub lcp: LcpOptions,
}

/// What the ends of a serial line ask for in LCP, beside what they always do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LcpOptions {
    /// The frame check sequence (RFC 1570 §2.1).
    pub fcs: Fcs,
    /// Control characters that must be escaped (RFC 1662 §7.1); none where nothing is said.
    pub accm: u32,
    /// Whether the protocol field, and the address and control fields, are to be shortened (RFC 1661 §6.5 and §6.6).
    pub compression: Compression,
    /// How often an echo is asked for (RFC 1661 §5.8); 30 s where nothing is said.
    pub echo: Option<Duration>,
}

/// How what a serial line damages is repeated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reliable {
    /// The scheme.
    pub arq: Arq,
    /// How many frames may be in flight; enough for the line where nothing is said.
    pub window: Option<u8>,
    /// How long a frame may stay without an answer; a little more than a round trip where nothing is said.
    pub t1: Option<Duration>,
}

/// One change of a cable.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Change {
    Rate(Option<Rate>),
    Trace(Arc<DeliveryTrace>),
    /// A rate that follows a recording, which is still to be read from its file.
    Recording {
        file: String,
        /// Where the file is named, in bytes of the string.
        at: Range<usize>,
    },
    Delay(Duration),
    Jitter(Duration),
    Loss(Ratio),
    BitErrors(Ratio),
    Framing(Framing),
    Queue(&'static str, Settings),
    Limit(Limit),
    Effect(EffectSpec),
    NoEffect(&'static str),
    Mtu(u16),
    Phy(&'static Phy),
    Length(Length),
    Serial(Option<Serial>),
    Reliable(Reliable),
    Lcp(LcpOptions),
}

impl Change {
    /// What is changed: of two changes of the same the second leaves nothing of the first.
    pub(crate) fn what(&self) -> &'static str {
        match self {
            Self::Rate(_) | Self::Trace(_) | Self::Recording { .. } => "rate",
            Self::Delay(_) => "delay",
            Self::Jitter(_) => "jitter",
            Self::Loss(_) => "loss",
            Self::BitErrors(_) => "ber",
            Self::Framing(_) => "framing",
            Self::Queue(..) => "queue",
            Self::Limit(_) => "limit",
            Self::Effect(effect) => effect_slot(effect.name()),
            Self::NoEffect(name) => effect_slot(name),
            Self::Mtu(_) => "mtu",
            Self::Phy(_) => "phy",
            Self::Length(_) => "length",
            Self::Serial(_) => "serial",
            Self::Reliable(_) => "reliable",
            Self::Lcp(_) => "lcp",
        }
    }
}

/// Effects go by their names; those that share one with a word of a medium are told apart from it.
fn effect_slot(name: &'static str) -> &'static str {
    match name {
        "delay" => "effect delay",
        "loss" => "effect loss",
        "rate" => "effect rate",
        name => name,
    }
}

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
    use super::*;

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
