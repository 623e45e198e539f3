//! TCP as a lab file sets it: a controller's name, or a table of what TCP itself says can be set.

use core::time::Duration;
use std::sync::{Arc, LazyLock};

use septet_language::document::{Item, Text};
use septet_language::mistake::{Mistake, Mistakes};
use septet_language::schema::{
    AnyKey, AtLeast, Choice, Count, Either, Key, KeyType, Kind, OneOf, Phrase, Position, Section, Size, Switch, Table,
    TableOf, Time,
};
use septet_language::units;
use septet_language::words::{Word, Wrong};
use septet_transport::tcp::{Config, Form, Keepalive, OPTIONS, SETTINGS, Value, controller, controller_names};

/// The key `tcp`: a congestion controller, or a table of options.
pub(crate) static TCP: Key<OneOf<Choice<&'static str>, TableOf>> =
    Key::new("tcp", CONTROLLER_OR_TABLE, "the congestion controller, or a table of TCP options");

/// The same for every host of the lab.
pub(crate) static TCP_OF_ALL: Key<OneOf<Choice<&'static str>, TableOf>> =
    Key::new("tcp", CONTROLLER_OR_TABLE, "TCP of every host that says nothing else");

const CONTROLLER_OR_TABLE: OneOf<Choice<&'static str>, TableOf> = OneOf(CONTROLLER, TableOf(&TABLE));

const CONTROLLER: Choice<&'static str> = Choice(|| controller_names().map(|name| (name, name)).collect());

static TABLE: Section = Section::new("Options of TCP.", &[&[&KEEPALIVE]]).more(|| {
    let keys = OPTION_KEYS.iter().chain(SETTING_KEYS.iter()).flatten();
    keys.map(|key| key as &dyn AnyKey).collect()
});

/// `SO_KEEPALIVE` and `TCP_KEEPIDLE` in one.
static KEEPALIVE: Key<Time> = Key::new("keepalive", Time, "probe a peer that has been silent for so long (never)");

/// The keys of [`OPTIONS`], line by line.
static OPTION_KEYS: LazyLock<Vec<Option<Key<Written>>>> =
    LazyLock::new(|| OPTIONS.iter().map(|row| row.key.map(|key| written(key, row.form))).collect());

/// The keys of [`SETTINGS`], line by line.
static SETTING_KEYS: LazyLock<Vec<Option<Key<Written>>>> =
    LazyLock::new(|| SETTINGS.iter().map(|setting| setting.key.map(|key| written(key, setting.form))).collect());

fn written((name, doc): (&'static str, &'static str), form: Form) -> Key<Written> {
    Key::new(name, Written(form), doc)
}

/// A value as TCP's tables have it, in the way in which a lab file writes one of its form.
struct Written(Form);

impl KeyType for Written {
    type Value = Value;

    fn kind(&self) -> Kind {
        match self.0 {
            Form::Switch => Switch.kind(),
            Form::Number(least, most) => Count(least, most).kind(),
            Form::Buffer { .. } => Size.kind(),
            Form::Span { .. } | Form::Limit(_) => Time.kind(),
            Form::Controller => CONTROLLER.kind(),
            Form::Words(words) => Choice(words).kind(),
            Form::Ports => PORT_RANGE.kind(),
            Form::Linger | Form::Sizes => Kind::Text,
        }
    }

    fn read(&self, item: &Item, at: Position<'_>, mistakes: &mut Mistakes) -> Option<Value> {
        let value = match self.0 {
            Form::Switch => Switch.read(item, at, mistakes).map(Value::Switch),
            Form::Number(least, most) => Count(least, most).read(item, at, mistakes).map(Value::Number),
            Form::Buffer { .. } => Size.read(item, at, mistakes).map(|bytes| Value::Number(bytes.0)),
            Form::Span { least, .. } => AtLeast(least).read(item, at, mistakes).map(Value::Span),
            Form::Limit(unit) => AtLeast(unit.span(1)).read(item, at, mistakes).map(Value::Span),
            Form::Controller => CONTROLLER.read(item, at, mistakes).map(|name| Value::Controller(name.into())),
            Form::Words(words) => Choice(words).read(item, at, mistakes),
            Form::Ports => PORT_RANGE.read(item, at, mistakes).map(|(first, last)| Value::Ports(first, last)),
            // No line of this form has a key.
            Form::Linger | Form::Sizes => None,
        }?;
        if self.0.takes(value) {
            return Some(value);
        }
        let reason = format!("`{}` is more than TCP takes", at.path);
        mistakes.push(Mistake::new("out-of-range", item.span.clone(), reason, "out of range"));
        None
    }
}

const PORT_RANGE: Phrase<(u16, u16)> =
    Phrase { what: "a range of ports", example: "32768..60999", read: |_, text| ports(text) };

/// `32768..60999`
fn ports(text: &Text) -> Result<(u16, u16), Wrong> {
    let whole = Word { text: &text.text, at: 0 };
    let parsed =
        whole.split_once("..").and_then(|(first, last)| Some((first.text.parse().ok()?, last.text.parse().ok()?)));
    match parsed {
        Some((first, last)) if first > 0 && first <= last => Ok((first, last)),
        _ => Err(Wrong::new("port", whole.range(), format!("`{}` is no range of ports", text.text))
            .help("the first and the last: `32768..60999`".to_owned())),
    }
}

/// The defaults of a host's TCP: `base`, and what the key `tcp` of `table` says otherwise.
pub(crate) fn read(table: &Table, base: &Arc<Config>, mistakes: &mut Mistakes) -> Arc<Config> {
    table.get(&TCP).map_or_else(|| base.clone(), |said| with(base, said, mistakes))
}

/// The defaults of all hosts: Linux's, and what the table `lab` says otherwise.
pub(crate) fn of_all(lab: &Table, mistakes: &mut Mistakes) -> Arc<Config> {
    let linux = Arc::new(Config::linux());
    lab.get(&TCP_OF_ALL).map_or_else(|| linux.clone(), |said| with(&linux, said, mistakes))
}

fn with(base: &Config, said: Either<&'static str, Table>, mistakes: &mut Mistakes) -> Arc<Config> {
    let mut config = base.clone();
    match said {
        Either::This(name) => set_congestion(&mut config, name),
        Either::That(table) => {
            set_all(&mut config, &table);
            bounds_of_the_timeout(&config, &table, mistakes);
        }
    }
    Arc::new(config)
}

/// A timeout cannot be at least as long as one time and at most as long as a shorter one.
fn bounds_of_the_timeout(config: &Config, table: &Table, mistakes: &mut Mistakes) {
    // Where this table has neither of the two, the lab's has them, and was told.
    let Some(name) = table.place("rto_max").or(table.place("rto_min")) else { return };
    if config.rto_min > config.rto_max {
        let time = |time: Duration| units::render(time.as_secs_f64(), units::Dimension::Time);
        let (least, most) = (time(config.rto_min), time(config.rto_max));
        let reason = format!("no timeout is at least {least} (`rto_min`) and at most {most} (`rto_max`)");
        let mistake = Mistake::new("out-of-range", name.span.clone(), reason, "cannot be");
        mistakes.push(mistake.help("make `rto_max` the longer of the two".to_owned()));
    }
}

fn set_all(config: &mut Config, table: &Table) {
    let said = |key: &Option<Key<Written>>| key.as_ref().and_then(|key| table.get(key));
    for (row, key) in OPTIONS.iter().zip(OPTION_KEYS.iter()) {
        if let Some(value) = said(key) {
            row.set(&mut config.options, value).expect("what a key takes its option takes");
        }
    }
    for (setting, key) in SETTINGS.iter().zip(SETTING_KEYS.iter()) {
        if let Some(value) = said(key) {
            setting.set(config, value).expect("what a key takes its setting takes");
        }
    }
    if let Some(idle) = table.get(&KEEPALIVE) {
        let keepalive = if idle.is_zero() { Keepalive::Off } else { Keepalive::On };
        (config.options.keepalive, config.options.keep_idle) = (keepalive, Some(idle).filter(|idle| !idle.is_zero()));
    }
}

fn set_congestion(config: &mut Config, name: &'static str) {
    if let Some(controller) = controller(name) {
        config.congestion_control = controller.name();
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use crate::Lab;

    #[test]
    fn the_host_goes_before_the_lab() {
        let lab = Lab::parse(
            "lab.toml",
            r#"
            [lab]
            tcp = { sack = false, rto_min = "1s" }
            [topology]
            links = ["a -- b"]
            [host.a]
            tcp = { congestion = "reno", ecn = "active", sack = true, send_buffer = "64kb", initial_window = 4 }
            [host.b]
            "#,
        )
        .unwrap();
        let (a, b) = (&lab.nodes[0].spec.stack().unwrap().tcp, &lab.nodes[1].spec.stack().unwrap().tcp);
        assert_eq!((a.sack, a.rto_min, a.congestion_control), (true, Duration::from_secs(1), "reno"));
        assert_eq!((a.options.send_buffer, a.initial_window), (Some(65_536), 4));
        assert_eq!((b.sack, b.rto_min, b.initial_window), (false, Duration::from_secs(1), 10));
    }

    #[test]
    fn what_a_connection_would_refuse_is_refused_in_the_file() {
        let lab = |option: &str| {
            Lab::parse(
                "lab.toml",
                &format!("[topology]\nlinks = [\"a -- b\"]\n[host.a]\ntcp = {{ {option} }}\n[host.b]\n"),
            )
        };
        for good in ["max_segment = 88", "user_timeout = \"1ms\"", "keepalive = \"10s\"", "tw_reuse = \"on\""] {
            assert!(lab(good).is_ok(), "{good}");
        }
        for bad in [
            "max_segment = 87",
            "max_segment = 40000",
            "user_timeout = \"0s\"",
            "user_timeout = \"10000h\"",
            "keepalive_probes = 128",
            "tw_reuse = \"yes\"",
            "port_range = \"2..1\"",
            "rto_min = \"2s\", rto_max = \"1s\"",
            "rto_max = \"199ms\"",
        ] {
            assert!(lab(bad).is_err(), "{bad}");
        }
    }
}
