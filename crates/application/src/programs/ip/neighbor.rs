//! `ip neighbour`: the neighbours of a host, with the states of their entries.

use std::net::IpAddr;

use septet_network::neighbor::State;
use septet_socket::Admin;
use septet_socket::admin::Neighbor;
use septet_wire::ethernet::MacAddr;

use super::words::{Words, device, is_of, links, name_of};
use super::{Command, Object, Refusal};

/// The object.
pub(super) struct Neighbors;

/// The states, by their names.
const STATES: [(&str, State); 7] = [
    ("incomplete", State::Incomplete),
    ("reachable", State::Reachable),
    ("stale", State::Stale),
    ("delay", State::Delay),
    ("probe", State::Probe),
    ("failed", State::Failed),
    ("permanent", State::Permanent),
];

/// What is to be done.
enum Action {
    Show(Filter),
    /// Forget all that fit but those set by hand.
    Flush(Filter),
    Set(Written, How),
    Remove(Written),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    /// Where there is none yet.
    Add,
    /// Whatever there is.
    Replace,
}

/// Which neighbours are meant.
#[derive(Default)]
struct Filter {
    device: Option<String>,
    address: Option<IpAddr>,
    state: Option<State>,
}

/// A neighbour as the command line says it.
struct Written {
    address: IpAddr,
    device: String,
    mac: Option<MacAddr>,
    state: State,
}

impl Object for Neighbors {
    fn names(&self) -> &'static [&'static str] {
        &["neighbor", "neighbour"]
    }

    fn check(&self, command: &Command) -> Result<(), Refusal> {
        parse(command).map(|_| ())
    }

    fn run(&self, admin: &Admin, command: &Command) -> Result<String, Refusal> {
        let refused = |why: std::io::Error| match why.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::AddrNotAvailable => answer("No such file or directory"),
            _ => Refusal::answer(&why),
        };
        let links = links(admin)?;
        let known = admin.neighbors().map_err(refused)?;
        match parse(command)? {
            Action::Show(filter) => {
                let device = filter.device.as_deref().map(|name| device(&links, name)).transpose()?;
                let mut text = String::new();
                for neighbor in known.iter().filter(|n| filter.takes(n) && is_of(command.family, n.address)) {
                    if device.as_ref().is_some_and(|device| device.iface != neighbor.iface) {
                        continue;
                    }
                    // As iproute2, which leaves out the interface that was asked for.
                    let on = if device.is_some() {
                        String::new()
                    } else {
                        format!("dev {} ", name_of(&links, neighbor.iface))
                    };
                    let mac = neighbor.mac.map(|mac| format!("lladdr {mac} ")).unwrap_or_default();
                    text += &format!("{} {on}{mac}{} \n", neighbor.address, word(neighbor.state).to_uppercase());
                }
                Ok(text)
            }
            Action::Flush(filter) => {
                let device = filter.device.as_deref().map(|name| device(&links, name)).transpose()?;
                for neighbor in known.iter().filter(|n| filter.takes(n) && is_of(command.family, n.address)) {
                    let here = device.as_ref().is_none_or(|device| device.iface == neighbor.iface);
                    if here && neighbor.state != State::Permanent {
                        admin.remove_neighbor(neighbor.iface, neighbor.address).map_err(refused)?;
                    }
                }
                Ok(String::new())
            }
            Action::Set(Written { address, device: name, mac, state }, how) => {
                let iface = device(&links, &name)?.iface;
                let before = known.iter().find(|n| (n.iface, n.address) == (iface, address));
                if how == How::Add && before.is_some_and(|n| n.state != State::Failed) {
                    return Err(answer("File exists"));
                }
                let mac = mac.or(before.and_then(|n| n.mac)).ok_or_else(|| answer("Invalid argument"))?;
                admin.set_neighbor(iface, address, mac, state).map_err(refused)?;
                Ok(String::new())
            }
            Action::Remove(Written { address, device: name, .. }) => {
                let iface = device(&links, &name)?.iface;
                admin.remove_neighbor(iface, address).map_err(refused)?;
                Ok(String::new())
            }
        }
    }
}

fn answer(text: &str) -> Refusal {
    Refusal { text: format!("RTNETLINK answers: {text}"), status: 2, word: None }
}

fn word(state: State) -> &'static str {
    STATES.iter().find(|(_, known)| *known == state).map_or("none", |(word, _)| word)
}

impl Filter {
    fn takes(&self, neighbor: &Neighbor) -> bool {
        self.address.is_none_or(|address| address == neighbor.address)
            && self.state.is_none_or(|state| state == neighbor.state)
    }
}

fn parse(command: &Command) -> Result<Action, Refusal> {
    let verb = command.words.first().map_or("show", String::as_str);
    let is = |full: &str| full.starts_with(verb) && !verb.is_empty();
    let mut words = Words::behind(command, 1);
    let is_show = is("show") || is("list") || is("lst");
    let is_set = is("add") || is("replace") || is("change");
    if !is_show && !is_set && !is("flush") && !is("delete") {
        return Err(Refusal::wrong(format!("Command \"{verb}\" is unknown, try \"ip neigh help\"."), 0));
    }
    let (mut address, mut name, mut mac, mut state) = (None, None, None, None);
    while let Some(word) = words.next() {
        match word {
            "dev" => name = Some(words.expect()?.to_owned()),
            "lladdr" => mac = Some(words.parse::<MacAddr>("link address")?),
            "nud" => {
                let word = words.expect()?;
                let known = STATES.iter().find(|(known, _)| *known == word).map(|(_, state)| *state);
                state =
                    Some(known.ok_or_else(|| {
                        words.wrong(format!("Error: argument \"{word}\" is wrong: nud state is bad"))
                    })?);
            }
            "to" => {}
            other => {
                let to = other.parse::<IpAddr>();
                address = Some(to.map_err(|_| {
                    words.wrong(format!("Error: any valid address is expected rather than \"{other}\"."))
                })?);
            }
        }
    }
    if is_show {
        return Ok(Action::Show(Filter { device: name, address, state }));
    }
    if is("flush") {
        return Ok(Action::Flush(Filter { device: name, address, state }));
    }
    let required = |what: &str| Refusal::wrong(format!("Device and destination are required arguments: {what}."), 1);
    let device = name.ok_or_else(|| required("dev"))?;
    let address = address.ok_or_else(|| required("an address"))?;
    let written = Written { address, device, mac, state: state.unwrap_or(State::Permanent) };
    Ok(match verb {
        _ if is("delete") => Action::Remove(written),
        _ if is("add") => Action::Set(written, How::Add),
        _ => Action::Set(written, How::Replace),
    })
}
