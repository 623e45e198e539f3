//! The exchanges, told message by message.

use std::fmt::Write as _;

use septet_presentation::keys::{Eavesdropper, LongTerm, METHODS, Message, Receiver, Sender};

use super::random::random;
use crate::exit::Failure;

/// How much of a message is shown.
const SHOWN: usize = 24;

pub(super) fn demo(text: &[u8]) -> Result<String, Failure> {
    let mut random = random()?;
    let broken = |e: septet_presentation::keys::Broken| Failure::run(e.to_string());
    let mut out = String::new();
    let keys = LongTerm::generate(&mut random);
    for known in METHODS {
        let _ = writeln!(out, "{}: {}", known.name, known.summary);
        let (mut sender, mut receiver) = (Sender::new(known.method, text), Receiver::new(&keys));
        let mut eve = Eavesdropper::default();
        let mut said = sender.begin(&mut random);
        while !said.is_empty() {
            let mut answers = Vec::new();
            for message in said {
                tell(&mut out, "alice > bob", &message);
                eve.hear(0, &message.to_octets()).map_err(broken)?;
                answers.extend(receiver.hear(&message, &mut random).map_err(broken)?);
            }
            said = Vec::new();
            for answer in answers {
                tell(&mut out, "bob > alice", &answer);
                eve.hear(1, &answer.to_octets()).map_err(broken)?;
                said.extend(sender.hear(&answer, &mut random).map_err(broken)?);
            }
        }
        let shown = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
        let _ = writeln!(out, "  bob reads                   {}", receiver.text().map_or("nothing".to_owned(), shown));
        let at_once = eve.read();
        let _ =
            writeln!(out, "  eve, who heard it all, reads {}", at_once.as_deref().map_or("nothing".to_owned(), shown));
        let later = eve.read_with(&keys);
        let _ = writeln!(
            out,
            "  eve, with bob's private key, {}\n",
            later.as_deref().map_or(
                "still nothing: it signed, and the key was made of what both have forgotten".to_owned(),
                |text| { format!("later reads {}", shown(text)) }
            )
        );
    }
    Ok(out)
}

fn tell(out: &mut String, who: &str, message: &Message) {
    let octets = message.to_octets();
    let content = &octets[5..];
    let shown = match message {
        Message::Hello(_) => String::from_utf8_lossy(content).into_owned(),
        _ => content.iter().take(SHOWN).map(|b| format!("{b:02x}")).collect(),
    };
    let more = if content.len() > SHOWN { "…" } else { "" };
    let _ = writeln!(out, "  {who}  {:<38} {:>4} bytes  {shown}{more}", message.what(), octets.len());
}
