//! What a server tells on stderr: an event a line, for people or for programs.

use core::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use septet_core::{Value, printable};
use septet_socket::Note;
use serde_json::{Map, Value as Json};
use time::OffsetDateTime;

use crate::live::args::LogForm;
use crate::terminal::tell;

/// How grave an event is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Level {
    Info,
    Error,
}

impl Level {
    const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Error => "error",
        }
    }
}

/// Where events are told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Log(pub(super) LogForm);

impl Log {
    /// Tells of an event and its particulars.
    pub(super) fn event(self, level: Level, event: &str, fields: &[(&str, Json)]) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        tell!("{}", printable(&line(self.0, &timestamp(now.as_millis()), level, event, fields)));
    }

    /// Tells what a service noted.
    pub(super) fn note(self, note: &Note) {
        // A line of an access log has a form that others read.
        if note.kind == "http.access"
            && let Some(line) = note.fields.get("line").map(ToString::to_string)
            && (self.0 == LogForm::Text || line.starts_with('{'))
        {
            tell!("{}", printable(&line));
            return;
        }
        let level = if note.kind == "service.failed" { Level::Error } else { Level::Info };
        let fields: Vec<(&str, Json)> = note.fields.iter().map(|(name, value)| (name, json(value))).collect();
        self.event(level, note.kind, &fields);
    }
}

fn json(value: &Value) -> Json {
    match value {
        Value::U64(number) => (*number).into(),
        Value::I64(number) => (*number).into(),
        Value::F64(number) => (*number).into(),
        other => other.to_string().into(),
    }
}

/// One line.
fn line(form: LogForm, time: &str, level: Level, event: &str, fields: &[(&str, Json)]) -> String {
    match form {
        LogForm::Json => {
            let head = [("time", time), ("level", level.name()), ("event", event)];
            let head = head.map(|(name, value)| (name.to_owned(), Json::from(value)));
            let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
            Json::Object(Map::from_iter(head.into_iter().chain(fields))).to_string()
        }
        LogForm::Text => {
            let mut line = format!("{time} {} {event}", level.name());
            for (name, value) in fields {
                // Whatever could be taken for another field, or another line, is quoted.
                let bare =
                    |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && !b"\"=".contains(&b));
                let _ = match value {
                    Json::String(text) if bare(text) => write!(line, " {name}={text}"),
                    other => write!(line, " {name}={other}"),
                };
            }
            line
        }
    }
}

/// RFC 3339, in UTC and with milliseconds.
fn timestamp(unix_millis: u128) -> String {
    let seconds = i64::try_from(unix_millis / 1000).unwrap_or_default();
    let at = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (month, day) = (u8::from(at.month()), at.day());
    let (hour, minute, second) = at.to_hms();
    format!("{:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", at.year(), unix_millis % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line_and_reads_back() {
        let fields = [("service", Json::from("http")), ("why", Json::from("no\nway=\"x\"")), ("port", Json::from(80))];
        let text = line(LogForm::Text, "T", Level::Error, "service.failed", &fields);
        assert_eq!(text, r#"T error service.failed service=http why="no\nway=\"x\"" port=80"#);
        let json = line(LogForm::Json, "T", Level::Error, "service.failed", &fields);
        let back: Json = serde_json::from_str(&json).unwrap();
        assert_eq!((back["event"].as_str(), back["port"].as_i64()), (Some("service.failed"), Some(80)));
        assert_eq!(back["why"], "no\nway=\"x\"");
    }

    #[test]
    fn times() {
        assert_eq!(timestamp(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(timestamp(1_709_210_096_007), "2024-02-29T12:34:56.007Z");
    }
}
