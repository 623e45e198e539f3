//! One frame of a run, chosen by its link and its number or time: `r1->r2#3`, `a--s1@1.5s`.

use septet_core::Instant;
use septet_language::units;
use septet_language::words::Word;

use crate::lab::Lab;
use crate::model::topology::LinkRef;

/// Which frame is meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameChoice {
    /// On which link, and which way.
    pub link: LinkRef,
    /// Which of its frames.
    pub which: Which,
}

/// Which of the frames of a link is meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Which {
    /// The one with this number, counted from 1 in the order in which they are sent.
    Number(u64),
    /// The first that is sent at this time or later.
    From(Instant),
}

impl Lab {
    /// Reads which frame is meant: a link as in a fault (`r1--r2` both ways, `r1->r2` one), and behind it nothing for its
    /// first frame, `#N` for its N-th, or `@TIME` for the first from then on.
    ///
    /// # Errors
    /// What is wrong with it, and how to mend it where that can be guessed.
    pub fn frame_choice(&self, text: &str) -> Result<FrameChoice, String> {
        let (link, which) = match text.split_once(['#', '@']) {
            None => (text, Which::Number(1)),
            Some((link, number)) if text[link.len()..].starts_with('#') => {
                let parsed = number.parse().ok().filter(|n| *n > 0);
                let parsed = parsed.ok_or_else(|| format!("`#{number}` is no number of a frame; they count from 1"))?;
                (link, Which::Number(parsed))
            }
            Some((link, time)) => {
                let time = units::time(time).map_err(|refusal| refusal.reason)?;
                (link, Which::From(Instant::ZERO + time))
            }
        };
        let found = self.topology.links(Word { text: link, at: 0 }).map_err(|wrong| {
            let help = wrong.refusal.help.map(|help| format!(" ({help})")).unwrap_or_default();
            format!("{}{help}", wrong.refusal.reason)
        })?;
        match found[..] {
            [link] => Ok(FrameChoice { link, which }),
            _ => Err(format!(
                "`{link}` stands for {} links; name one, if need be by its port: `r1.eth1--r2`",
                found.len()
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::topology::Ways;

    #[test]
    fn choices() {
        let lab = Lab::parse(
            "t",
            "[topology]\nlinks = [\"a -- s\", \"s -- b, c\"]\n[switch.s]\n[host.a]\n[host.b]\n[host.c]\n",
        )
        .unwrap();
        let choice = |text: &str| lab.frame_choice(text).map(|c| (c.link.link, c.link.ways, c.which));
        assert_eq!(choice("a--s"), Ok((0, Ways::Both, Which::Number(1))));
        assert_eq!(choice("s->b#7"), Ok((1, Ways::Forth, Which::Number(7))));
        assert_eq!(choice("c->s@1.5s"), Ok((2, Ways::Back, Which::From(Instant::from_millis(1500)))));
        for (text, reason) in [
            ("a--x", "no node is called `x`"),
            ("a--b", "no link joins a and b"),
            ("a", "`a` is not a link"),
            ("a--s#0", "`#0` is no number of a frame"),
            ("a--s#x", "`#x` is no number of a frame"),
            ("a--s@5", "a time needs a unit"),
            ("s--b,c", "`,` cannot be part of the name"),
            ("", "`` is not a link"),
        ] {
            let found = choice(text).unwrap_err();
            assert!(found.contains(reason), "{text}: {found}");
        }
    }
}
