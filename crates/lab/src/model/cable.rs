//! One direction of a link, and how it is changed.

use core::ops::Range;
use core::time::Duration;
use std::sync::Arc;

use septet_core::Rate;
use septet_datalink::hdlc::Fcs;
use septet_datalink::lapb::Arq;
use septet_datalink::ppp::Compression;
use septet_physical::channel::{EFFECTS, EffectSpec};
use septet_physical::phy::{Length, Phy};
use septet_physical::queue::{Limit, QueueSpec};
use septet_physical::settings::{Setting, Settings};
use septet_physical::{DeliveryTrace, Framing, Medium, Order, Ratio};

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
