//! What an event says in words: the sentences of the story and of the capture's comments.

mod table;
mod template;
mod value;

use core::fmt::Write as _;

use septet_core::{Event, EventId, Port};

use crate::Names;
use crate::memory::Memory;

pub use table::{TELLINGS, Telling};
pub use value::{duration, printable};

/// How much an event matters to a reader who has little time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Weight {
    /// Always told, each time: faults, what programs were asked to do and how they ended.
    Headline,
    /// What the run is about: lookups, handshakes, requests, retransmissions, losses.
    Moment,
    /// How it came about: address resolution, learning, timers.
    Detail,
    /// Every acknowledgement, every delivery: for the event log, and for the story only when all is wanted.
    Tick,
}

/// Which way an event faces its peer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Facing {
    /// From the node to the peer.
    To,
    /// From the peer to the node.
    From,
    /// To whoever can hear it.
    Everyone,
}

/// An event in words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sentence {
    /// Where it happened.
    pub node: String,
    /// Whom it concerns, and which way.
    pub peer: Option<(Facing, String)>,
    /// What happened, without its subject: `asks for www.shop.test A`.
    pub text: String,
    /// What many of these are called: `requests`.
    pub many: &'static str,
    /// How much it matters.
    pub weight: Weight,
}

/// Tells `event`; a kind that is not in [`TELLINGS`] is told by its name and fields.
pub fn tell(event: &Event, names: &Names) -> Sentence {
    let node = names.of_station(event.station).to_owned();
    let mut text = String::new();
    write_text(event, names, &mut text);
    let first = table::find(event).next().map(|line| line.telling);
    let peer = match first.map_or(Facing::To, |t| t.facing) {
        Facing::Everyone => Some((Facing::Everyone, "everyone".to_owned())),
        facing => peer(event, names).filter(|name| *name != node).map(|name| (facing, name)),
    };
    Sentence { node, peer, text, many: first.map_or(event.kind, |t| t.many), weight: weight(event) }
}

/// Adds what happened, without its subject, to `out`.
fn write_text(event: &Event, names: &Names, out: &mut String) {
    let before = out.len();
    for text in table::find(event).flat_map(|line| &line.texts) {
        if text.render(&event.fields, names, out).is_some() {
            return;
        }
        out.truncate(before);
    }
    out.push_str(&generic(event, names));
}

/// How much `event` matters.
pub fn weight(event: &Event) -> Weight {
    table::find(event).next().map_or(Weight::Detail, |line| line.telling.weight)
}

/// The peer of an event: what a field says, or who is at the other end of the cable.
fn peer(event: &Event, names: &Names) -> Option<String> {
    const FIELDS: &[&str] = &["peer", "remote", "backend", "server", "to", "from", "src", "ip"];
    if let Some(value) = FIELDS.iter().find_map(|name| event.field(name)) {
        return Some(value::station(value, names));
    }
    let port = event.field("port")?.to_string();
    let port = port.strip_prefix("eth")?.parse().ok()?;
    names.peer(event.station, Port(port)).map(str::to_owned)
}

/// `tcp zero window probe: seq=1 len=0, timer`.
fn generic(event: &Event, names: &Names) -> String {
    let mut text = event.kind.replace(['.', '-'], " ");
    let mut separator = ": ";
    for (name, value) in event.fields.iter().filter(|(n, _)| *n != "why") {
        let _ = write!(text, "{separator}{name} {}", value::human(value, names));
        separator = ", ";
    }
    if let Some(why) = event.field("why") {
        let _ = write!(text, " — {why}");
    }
    text
}

/// Adds why a frame was made to `text`: the reason that its cause gives, and what led to that where it is remembered.
pub(crate) fn reason(memory: &Memory, event: &Event, names: &Names, text: &mut String) {
    match event.field("why") {
        Some(why) => value::write_human(why, names, text),
        None => write_text(event, names, text),
    }
    identify(event, text);
    if event.cause != EventId::NONE
        && let Some(cause) = memory.get(event.cause)
    {
        text.push_str("; because ");
        text.push_str(names.of_station(cause.station));
        text.push(' ');
        write_text(cause, names, text);
        identify(cause, text);
    }
}

/// ` (tcp.send #17)`
fn identify(event: &Event, out: &mut String) {
    out.push_str(" (");
    out.push_str(event.kind);
    out.push_str(" #");
    value::number(event.id.0, out);
    out.push(')');
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use septet_core::{Fields, Instant, StationId, Storey};

    use super::*;

    fn event(kind: &'static str, build: impl FnOnce(&mut Fields)) -> Event {
        let mut fields = Fields::default();
        build(&mut fields);
        Event {
            id: EventId(7),
            at: Instant::ZERO,
            station: StationId(0),
            storey: Storey::Transport,
            kind,
            cause: EventId::NONE,
            fields,
        }
    }

    #[test]
    fn unknown_kinds_are_told_by_their_fields() {
        let mut names = Names::new();
        names.station(StationId(0), "client").station(StationId(1), "lb");
        names.address(StationId(1), septet_core::Port(0), "10.0.2.2".parse().unwrap());
        let told = tell(
            &event("sctp.new-path", |f| {
                f.set("to", std::net::SocketAddr::from(([10, 0, 2, 2], 443)));
                f.set("after", Duration::from_micros(1_234)).set("why", "heartbeat lost");
            }),
            &names,
        );
        assert_eq!(told.text, "sctp new path: to lb:443, after 1.23 ms — heartbeat lost");
        assert_eq!((told.node.as_str(), told.peer), ("client", Some((Facing::To, "lb".to_owned()))));
    }

    #[test]
    fn a_reason_names_what_led_to_it() {
        let mut names = Names::new();
        names.station(StationId(0), "client");
        let mut memory = Memory::default();
        let first = Event { id: EventId(6), ..event("x.first", |_| {}) };
        let second = Event { cause: EventId(6), ..event("x.second", |_| {}) };
        memory.add(Box::new(first));
        memory.add(Box::new(second.clone()));
        let mut text = String::new();
        reason(&memory, &second, &names, &mut text);
        assert_eq!(text, "x second (x.second #7); because client x first (x.first #6)");
    }
}
