//! `ip link`: interfaces, and whether they are used.

use septet_network::ip::AdminState;
use septet_socket::Admin;

use super::words::{Words, device, head, links, loopback};
use super::{Command, Object, Refusal};

/// The object.
pub(super) struct Links;

/// What is to be done.
enum Action {
    /// Show all, or the one of this name.
    Show(Option<String>),
    Set(String, AdminState),
}

impl Object for Links {
    fn names(&self) -> &'static [&'static str] {
        &["link"]
    }

    fn check(&self, command: &Command) -> Result<(), Refusal> {
        parse(command).map(|_| ())
    }

    fn run(&self, admin: &Admin, command: &Command) -> Result<String, Refusal> {
        let links = links(admin)?;
        let newline = if command.one_line { "\\" } else { "\n" };
        match parse(command)? {
            Action::Set(name, state) => {
                let link = device(&links, &name)?;
                admin.set_link(link.iface, state).map_err(|why| Refusal::answer(&why))?;
                Ok(String::new())
            }
            Action::Show(Some(name)) if name != "lo" => {
                let link = device(&links, &name)?;
                let counted = command.statistics_of(Some(link.iface), newline);
                Ok(format!("{}{counted}\n", head(&link, "mode DEFAULT ", newline)))
            }
            Action::Show(name) => {
                let counted = command.statistics_of(None, newline);
                let mut text = format!("{}{counted}\n", loopback("mode DEFAULT ", newline));
                for link in links.iter().filter(|_| name.is_none()) {
                    let counted = command.statistics_of(Some(link.iface), newline);
                    text += &format!("{}{counted}\n", head(link, "mode DEFAULT ", newline));
                }
                Ok(text)
            }
        }
    }
}

fn parse(command: &Command) -> Result<Action, Refusal> {
    let verb = command.words.first().map_or("show", String::as_str);
    let is = |full: &str| full.starts_with(verb) && !verb.is_empty();
    let mut words = Words::behind(command, 1);
    if is("show") || is("list") || is("lst") {
        let mut name = None;
        while let Some(word) = words.next() {
            name = Some(if word == "dev" { words.expect()? } else { word }.to_owned());
        }
        return Ok(Action::Show(name));
    }
    if !is("set") {
        return Err(Refusal::wrong(format!("Command \"{verb}\" is unknown, try \"ip link help\"."), 0));
    }
    let (mut name, mut state) = (None, None);
    while let Some(word) = words.next() {
        match word {
            "up" => state = Some(AdminState::Up),
            "down" => state = Some(AdminState::Down),
            "dev" => name = Some(words.expect()?.to_owned()),
            other if name.is_none() => name = Some(other.to_owned()),
            other => {
                return Err(words.wrong(format!("Error: either \"dev\" is duplicate, or \"{other}\" is a garbage.")));
            }
        }
    }
    let missing = || Refusal::wrong("Not enough of information: \"dev\" argument is required.", 1);
    let state = state.ok_or_else(|| Refusal::wrong("Command line is not complete. Try option \"help\"", 1))?;
    Ok(Action::Set(name.ok_or_else(missing)?, state))
}
