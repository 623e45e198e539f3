//! The event log: one JSON object a line, in the order in which things happened.
//!
//! The first line says what the file is: `{"septet":"events","version":1,…}` with what the caller adds. Every other
//! line is an event:
//!
//! | key | value |
//! |---|---|
//! | `id` | its name, a number: `(station + 1) << 40 \| n` for the `n`th event of a station, where the lab itself is 0 |
//! | `t` | virtual time in seconds, as text with nine decimals, so that no reader rounds it |
//! | `node` | where it happened; `""` for the lab itself |
//! | `storey` | `lab`, `physical`, `data link`, `network`, `transport`, `session`, `presentation`, `application` |
//! | `kind` | what happened, as `protocol.moment` |
//! | `cause` | the `id` of the event that led to it; absent where nothing in the world did |
//! | `why` | the reason in words, where there is one |
//! | `fields` | the particulars: numbers, text; durations in seconds as text with nine decimals, addresses as text, frames as their number |

use core::fmt;
use std::io;

use septet_core::{Event, EventId, Instant, Interest, Monitor, StationId, Storey, Value};
use serde_json::{Map, Value as Json, json};

use crate::Names;

/// The version of the format.
pub const VERSION: u32 = 1;

/// Writes every event as a line of JSON. After a write error nothing more is written.
pub struct EventLog<W: io::Write> {
    out: io::BufWriter<W>,
    names: Names,
    line: Vec<u8>,
    error: Option<io::Error>,
}

impl<W: io::Write> EventLog<W> {
    /// Begins a log; `about` is added to the first line: the lab's name, the seed.
    pub fn new(out: W, names: Names, about: Map<String, Json>) -> Self {
        let mut log = Self { out: io::BufWriter::with_capacity(256 * 1024, out), names, line: Vec::new(), error: None };
        let mut head = json!({"septet": "events", "version": VERSION});
        if let Json::Object(map) = &mut head {
            map.extend(about);
        }
        log.line.extend(head.to_string().as_bytes());
        log.write_line();
        log
    }

    /// The error that ended the log early.
    pub fn error(&self) -> Option<&io::Error> {
        self.error.as_ref()
    }

    /// Ends the log.
    ///
    /// # Errors
    /// The first error that a write met, now or during the run.
    pub fn finish(mut self) -> io::Result<W> {
        match self.error.take() {
            Some(error) => Err(error),
            None => self.out.into_inner().map_err(io::IntoInnerError::into_error),
        }
    }

    fn write_line(&mut self) {
        use io::Write as _;
        self.line.push(b'\n');
        if self.error.is_none() {
            self.error = self.out.write_all(&self.line).err();
        }
        self.line.clear();
    }
}

impl<W: io::Write> Monitor for EventLog<W> {
    fn interest(&self) -> Interest {
        Interest::Events
    }

    fn event(&mut self, event: &Event) {
        if self.error.is_none() {
            write_event(&mut self.line, event, &self.names);
            self.write_line();
        }
    }
}

impl<W: io::Write> fmt::Debug for EventLog<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventLog").field("error", &self.error).finish_non_exhaustive()
    }
}

/// Appends `event` as one JSON object to `out`, without a line end.
pub fn write_event(out: &mut Vec<u8>, event: &Event, names: &Names) {
    use io::Write as _;
    let Event { id, at, station, storey, kind, cause, fields } = event;
    // Writing to a vector cannot fail.
    let _ = write!(out, "{{\"id\":{},\"t\":\"{at}\",\"node\":", id.0);
    text(out, node(*station, *storey, names));
    let _ = write!(out, ",\"storey\":\"{storey}\",\"kind\":\"{kind}\"");
    if *cause != EventId::NONE {
        let _ = write!(out, ",\"cause\":{}", cause.0);
    }
    if let Some(why) = fields.get("why") {
        out.extend(b",\"why\":");
        text(out, &why.to_string());
    }
    out.extend(b",\"fields\":{");
    let mut separator = "";
    for (name, value) in fields.iter().filter(|(n, _)| *n != "why") {
        let _ = write!(out, "{separator}\"{name}\":");
        separator = ",";
        match value {
            Value::U64(v) => drop(write!(out, "{v}")),
            Value::I64(v) => drop(write!(out, "{v}")),
            Value::F64(v) if v.is_finite() => drop(write!(out, "{v}")),
            Value::Frame(v) => drop(write!(out, "{}", v.0)),
            Value::Duration(d) => {
                let nanos = Instant::ZERO + *d;
                let _ = write!(out, "\"{nanos}\"");
            }
            Value::Text(v) => text(out, v),
            Value::F64(_) | Value::Ip(_) | Value::Socket(_) | Value::Mac(_) => drop(write!(out, "\"{value}\"")),
        }
    }
    out.extend(b"}}");
}

/// Where an event happened. The lab's own events happen nowhere unless they name a station that exists.
fn node(station: StationId, storey: Storey, names: &Names) -> &str {
    if storey == Storey::Lab { "" } else { names.of_station(station) }
}

fn text(out: &mut Vec<u8>, text: &str) {
    // Text serialises without error, and a vector takes every byte.
    let _ = serde_json::to_writer(out, text);
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use septet_core::{Fields, FrameId};

    use super::*;

    fn log(events: &[Event]) -> String {
        let mut names = Names::new();
        names.station(StationId(1), "client \"x\"");
        let mut log = EventLog::new(Vec::new(), names, Map::from_iter([("seed".to_owned(), json!(7))]));
        events.iter().for_each(|e| log.event(e));
        String::from_utf8(log.finish().unwrap()).unwrap()
    }

    fn event() -> Event {
        let mut fields = Fields::default();
        fields.set("seq", 1449u64).set("rto", Duration::from_millis(200)).set("why", "3 \"dup\" ACKs");
        fields.set("frame", FrameId(9)).set("ratio", f64::NAN).set("to", [1u8, 2, 3, 4, 5, 6]);
        Event {
            id: EventId(12),
            at: Instant::from_nanos(1_234_567),
            station: StationId(1),
            storey: Storey::Transport,
            kind: "tcp.retransmit",
            cause: EventId(9),
            fields,
        }
    }

    #[test]
    fn one_object_a_line() {
        let text = log(&[event(), Event { cause: EventId::NONE, fields: Fields::default(), ..event() }]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], r#"{"seed":7,"septet":"events","version":1}"#);
        assert_eq!(
            lines[1],
            r#"{"id":12,"t":"0.001234567","node":"client \"x\"","storey":"transport","kind":"tcp.retransmit","cause":9,"why":"3 \"dup\" ACKs","fields":{"seq":1449,"rto":"0.200000000","frame":9,"ratio":"NaN","to":"01:02:03:04:05:06"}}"#
        );
        for line in lines {
            serde_json::from_str::<Json>(line).unwrap();
        }
        assert!(!text.lines().nth(2).unwrap().contains("cause"));
    }

    #[test]
    fn the_first_error_is_kept_and_ends_the_log() {
        #[derive(Debug)]
        struct Full;
        impl io::Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::Error::from(io::ErrorKind::StorageFull))
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut log = EventLog::new(Full, Names::new(), Map::new());
        for _ in 0..10_000 {
            log.event(&event());
        }
        assert_eq!(log.error().unwrap().kind(), io::ErrorKind::StorageFull);
        assert_eq!(log.finish().unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
