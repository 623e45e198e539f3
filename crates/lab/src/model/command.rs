//! The command lines of a host: `at 1s: curl https://www.shop.test/ --repeat 200`.

use core::ops::Range;
use core::time::Duration;

use septet_application::programs::{self, Misuse, Needs, PROGRAMS, Program};
use septet_core::Instant;
use septet_language::document::Text;
use septet_language::nearest::suggest;
use septet_language::units;
use septet_language::words::{Word, Words, Wrong};

/// A program that a host runs, and when.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Command {
    /// When it starts.
    pub schedule: Schedule,
    /// The program's name.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// The command line as written, without the schedule.
    pub line: String,
    /// As it stands in the file.
    pub(crate) text: Text,
    /// What it asks of its host.
    pub(crate) needs: Needs,
    /// Where the program is named, in bytes of the string.
    pub(crate) at: Range<usize>,
    /// Where its arguments stand.
    pub(crate) words: Vec<Range<usize>>,
}

/// When a program starts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Schedule {
    /// Whenever the host boots: at the beginning, and after a crash.
    Boot,
    /// Once, at this time; not at all where the host is down then.
    At(Instant),
    /// When the command before it in the list has ended, and this long after it.
    Then(Duration),
    /// Again and again, whether or not the run before has ended.
    Every {
        /// From one start to the next.
        period: Duration,
        /// The first start.
        from: Instant,
        /// No start at or after this.
        until: Instant,
    },
}

/// The shortest period of a repeated command.
const SHORTEST_PERIOD: Duration = Duration::from_micros(1);

/// Reads a command line with its schedule.
pub(crate) fn parse(text: &Text) -> Result<Command, Wrong> {
    let whole = Word { text: &text.text, at: 0 };
    let (schedule, line) = match timed(whole) {
        Timed::Before(time, line) => (self::schedule(time)?, line),
        Timed::Open => {
            return Err(Wrong::new("schedule", whole.range(), "no command behind the time")
                .help("write \"at 1s: ping web1\"".to_owned()));
        }
        Timed::Never => (Schedule::Boot, whole.trim()),
    };
    let mut words = split(line)?.into_iter();
    let Some((program, at)) = words.next() else {
        return Err(Wrong::new("schedule", line.range(), "no command").label("expected here"));
    };
    let Some(known) = PROGRAMS.iter().find(|p| p.name() == program) else {
        let known: Vec<_> = PROGRAMS.iter().map(|p| p.name()).collect();
        return Err(Wrong::new("unknown-program", at, format!("no program is called `{program}`"))
            .label("unknown program")
            .help(suggest(&program, "programs", known)));
    };
    let (arguments, words): (Vec<_>, Vec<_>) = words.unzip();
    // Asked for its flags, a program does nothing else.
    let needs = if arguments.iter().any(|a| a == "--help") {
        Needs::default()
    } else {
        let mut bare = arguments.clone();
        let checked = programs::take_input(*known, &mut bare).and_then(|_| known.check(&bare));
        checked.map_err(|misuse| misused(*known, misuse, &arguments, &words, line))?
    };
    Ok(Command { schedule, program, arguments, line: line.text.to_owned(), text: text.clone(), needs, at, words })
}

/// What a command line has before its command.
enum Timed<'t> {
    /// A time, and the command behind the colon.
    Before(Word<'t>, Word<'t>),
    /// A time, and nothing that ends it.
    Open,
    /// Nothing.
    Never,
}

/// Parts a time from its command. The first word tells: one that speaks of time, a quantity, or one that is no program and
/// has a colon with a blank behind it.
fn timed(whole: Word<'_>) -> Timed<'_> {
    let Some(first) = Words::new(whole).next() else { return Timed::Never };
    let name = first.text.trim_end_matches(':');
    let keyword = ["at", "every", "then", "from", "until"].contains(&name);
    let number = name.starts_with(|c: char| c.is_ascii_digit());
    let stray = !PROGRAMS.iter().any(|p| p.name() == name) && whole.text.contains(": ");
    match whole.split_once(":") {
        Some((time, line)) if keyword || number || stray => Timed::Before(time, line),
        None if keyword => Timed::Open,
        _ => Timed::Never,
    }
}

/// A program does not understand its arguments.
fn misused(
    program: &dyn Program,
    misuse: Misuse,
    arguments: &[String],
    words: &[Range<usize>],
    line: Word<'_>,
) -> Wrong {
    let Misuse { place, reason, options } = misuse;
    let place = place.filter(|place| *place < words.len());
    let at = place.map_or(line.range().end..line.range().end, |place| words[place].clone());
    let word = place.map_or("", |place| arguments[place].as_str());
    let label = if place.is_some() { "not understood" } else { "expected here" };
    let help = match word {
        "|" | ">" | ">>" | "<" | "&&" | "||" | "&" | ";" => {
            Some(format!("there is no shell: `{word}` means nothing here"))
        }
        "at" | "every" | "then" => Some(format!("a time stands in front: `at 5s: {}`", program.name())),
        _ if !options.is_empty() => option(word, &options),
        _ => None,
    };
    let help = help.or_else(|| program.usage().lines().next().map(str::to_owned));
    Wrong::new("arguments", at, format!("{}: {reason}", program.name())).label(label).help(help)
}

/// The option that a misspelt one was meant to be. Of letters alone none is nearer than another.
fn option(word: &str, options: &[String]) -> Option<String> {
    let word = word.split('=').next().unwrap_or(word);
    let options = options.iter().map(String::as_str);
    if word.starts_with("--") || word.starts_with('+') {
        suggest(word, "options", options)
    } else {
        let letters: Vec<_> = options.filter(|o| !o.starts_with("--") && !o.starts_with('+')).collect();
        (!letters.is_empty()).then(|| format!("options: {}", letters.join(" ")))
    }
}

/// `at 1s`, `every 2s from 1s until 10s`, `then 500ms`
fn schedule(part: Word<'_>) -> Result<Schedule, Wrong> {
    let mut words = Words::new(part);
    let (mut at, mut period, mut until, mut then) = (None, None, None, None);
    while let Some(word) = words.next() {
        let slot = match word.text {
            "at" | "from" => &mut at,
            "every" => &mut period,
            "until" => &mut until,
            "then" => {
                let pause = match words.quantity() {
                    Some(word) => time(word)?,
                    None => Duration::ZERO,
                };
                then = Some(pause);
                continue;
            }
            "after" => {
                return Err(Wrong::new("schedule", word.range(), "`after` says no time")
                    .label("not understood")
                    .help("`at 5s:` is a time of the lab, `then 5s:` follows the command before it".to_owned()));
            }
            other if other.starts_with(|c: char| c.is_ascii_digit()) => {
                if at.replace((time(word)?, word)).is_some() {
                    return Err(Wrong::new("schedule", word.range(), "a second time"));
                }
                continue;
            }
            other => {
                return Err(Wrong::new("schedule", word.range(), format!("`{other}` says no time"))
                    .label("not understood")
                    .help(suggest(other, "words", ["at", "every", "from", "until", "then"])));
            }
        };
        let value = words.expect("a time", "`at 1s`")?;
        let value = (time(value)?, value);
        if slot.replace(value).is_some() {
            return Err(Wrong::new("schedule", word.range(), format!("`{}` twice", word.text)));
        }
    }
    let instant = |d: Option<(Duration, Word<'_>)>| d.map(|(d, _)| Instant::ZERO + d);
    match (then, period, until) {
        (Some(pause), None, None) if at.is_none() => Ok(Schedule::Then(pause)),
        (Some(_), ..) => {
            Err(Wrong::new("schedule", part.range(), "`then` follows the command before, at no time of its own"))
        }
        (None, Some((period, word)), until) => {
            if period < SHORTEST_PERIOD {
                return Err(Wrong::new("schedule", word.range(), "a period below a microsecond"));
            }
            let from = instant(at).unwrap_or(Instant::ZERO);
            if let Some((end, word)) = until
                && Instant::ZERO + end <= from
            {
                return Err(Wrong::new("window", word.range(), "it ends before it begins").label("too early"));
            }
            Ok(Schedule::Every { period, from, until: instant(until).unwrap_or(Instant::FAR_FUTURE) })
        }
        (None, None, Some((_, word))) => {
            Err(Wrong::new("schedule", word.range(), "`until` ends what is repeated").help("add `every 1s`".to_owned()))
        }
        (None, None, None) => Ok(instant(at).map_or(Schedule::Boot, Schedule::At)),
    }
}

fn time(word: Word<'_>) -> Result<Duration, Wrong> {
    units::time(word.text).map_err(|refusal| Wrong::refused("unit", word.range(), refusal).label("not understood"))
}

/// Splits a command line as a shell does: spaces part words, quotes keep them together, a backslash takes the next
/// character as it is. Nothing is expanded.
fn split(line: Word<'_>) -> Result<Vec<(String, Range<usize>)>, Wrong> {
    let mut words: Vec<(String, Range<usize>)> = Vec::new();
    let mut word: Option<(String, usize)> = None;
    let mut quote: Option<(char, usize)> = None;
    let mut chars = line.text.char_indices();
    while let Some((at, c)) = chars.next() {
        let place = line.at + at;
        match quote {
            Some((q, _)) if c == q => quote = None,
            Some(('"', _)) | None if c == '\\' => {
                let Some((_, next)) = chars.next() else {
                    return Err(Wrong::new("quote", place..place + 1, "nothing behind the backslash"));
                };
                word.get_or_insert((String::new(), place)).0.push(next);
            }
            Some(_) => word.get_or_insert((String::new(), place)).0.push(c),
            None if c == '"' || c == '\'' => {
                quote = Some((c, place));
                word.get_or_insert((String::new(), place));
            }
            None if c.is_whitespace() => words.extend(word.take().map(|(word, from)| (word, from..place))),
            None => word.get_or_insert((String::new(), place)).0.push(c),
        }
    }
    if let Some((_, at)) = quote {
        return Err(Wrong::new("quote", at..at + 1, "the quote is not closed").label("opened here"));
    }
    let end = line.range().end;
    words.extend(word.map(|(word, from)| (word, from..end)));
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(Schedule, Vec<String>), String> {
        parse(&Text::bare(text.to_owned(), 0..text.len()))
            .map(|c| (c.schedule, core::iter::once(c.program).chain(c.arguments).collect()))
            .map_err(|w| w.refusal.reason)
    }

    #[test]
    fn schedules() {
        let secs = Instant::from_secs;
        for (text, schedule) in [
            ("ping b", Schedule::Boot),
            ("at 1s: ping b", Schedule::At(secs(1))),
            ("1s: ping b", Schedule::At(secs(1))),
            ("1.5s : ping b", Schedule::At(Instant::from_millis(1500))),
            ("then: ping b", Schedule::Then(Duration::ZERO)),
            ("then 2s: ping b", Schedule::Then(Duration::from_secs(2))),
            (
                "every 2s: ping b",
                Schedule::Every { period: Duration::from_secs(2), from: Instant::ZERO, until: Instant::FAR_FUTURE },
            ),
            (
                "at 1s every 500ms until 3s: ping b",
                Schedule::Every { period: Duration::from_millis(500), from: secs(1), until: secs(3) },
            ),
        ] {
            assert_eq!(read(text).unwrap(), (schedule, vec!["ping".into(), "b".into()]), "{text}");
        }
        for text in [
            "",
            "at 1s",
            "at 1: x",
            "1: ping x",
            "5s",
            "1s 2s: ping x",
            "1s..2s: ping x",
            "at 1s:",
            "until 5s: ping x",
            "every 0s: x",
            "every 1s from 5s until 4s: ping x",
            "at 1s at 2s: ping x",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn words_are_split_as_a_shell_does() {
        let words =
            |text| split(Word { text, at: 0 }).map(|words| words.into_iter().map(|(word, _)| word).collect::<Vec<_>>());
        assert_eq!(words("curl http://a:80/").unwrap(), ["curl", "http://a:80/"]);
        assert_eq!(words(r#"curl -d 'a b' "c \"d" e\ f ''"#).unwrap(), ["curl", "-d", "a b", "c \"d", "e f", ""]);
        let places =
            |text| split(Word { text, at: 2 }).map(|words| words.into_iter().map(|(_, at)| at).collect::<Vec<_>>());
        assert_eq!(places("a 'b c' d").unwrap(), [2..3, 4..9, 10..11]);
        assert!(words("curl 'open").is_err() && words("curl \\").is_err());
    }
}
