//! `septet run --bits`: chosen frames of a run as bits and waveform.

use std::io::{self, Write};
use std::path::Path;

use septet_capture::Shared;
use septet_core::{Instant, Interest, Monitor, Observation, Port, StationId, Way};
use septet_lab::{FrameChoice, PortRef, Run, Which};
use septet_physical::phy::{self, Phy};
use septet_study::bits::{Carried, Shown};

use crate::exit::Failure;

/// Octets that are printed; the drawing has all.
const PRINTED: usize = 16;
/// The width of what is printed.
const COLUMNS: usize = 96;

/// The frames that were asked for.
pub(crate) struct Wanted {
    frames: Vec<(String, Shared<Watch>)>,
}

/// Waits for one frame.
struct Watch {
    which: Which,
    /// Ports that send it.
    ports: Vec<(StationId, Port)>,
    /// Whose ports they are.
    names: Vec<String>,
    passed: u64,
    link: String,
    carried: Carried,
    note: String,
    found: Option<Shown>,
}

impl Wanted {
    /// Begins to watch for the frames called `choices`.
    pub(crate) fn begin(choices: &[String], run: &mut Run) -> Result<Self, Failure> {
        let mut frames = Vec::new();
        for text in choices {
            let wrong = |reason: String| Failure::usage(format!("--bits {text}: {reason}"));
            let choice = run.lab().frame_choice(text).map_err(wrong)?;
            let watch = Shared::new(Watch::new(&choice, run).map_err(wrong)?);
            run.world.add_monitor(watch.clone());
            frames.push((text.clone(), watch));
        }
        Ok(Self { frames })
    }

    /// Prints what was found.
    pub(crate) fn tell(&self, out: &mut impl Write) -> io::Result<()> {
        for (text, watch) in &self.frames {
            writeln!(out)?;
            watch.with(|watch| match &watch.found {
                Some(shown) => write!(out, "{}", shown.text(PRINTED, COLUMNS)),
                None => writeln!(
                    out,
                    "--bits {text}: there was no such frame; {} were sent on {}",
                    watch.passed, watch.link
                ),
            })?;
        }
        Ok(())
    }

    /// Draws what was found into files of `dir`.
    pub(crate) fn keep(&self, dir: &Path) -> Result<(), Failure> {
        for (number, (_, watch)) in self.frames.iter().enumerate() {
            let Some(svg) = watch.with(|watch| watch.found.as_ref().map(Shown::svg)) else { continue };
            let path = dir.join(format!("frame-{}.svg", number + 1));
            std::fs::write(&path, svg).map_err(|e| Failure::file("write", &path, &e))?;
        }
        Ok(())
    }
}

impl Watch {
    fn new(choice: &FrameChoice, run: &Run) -> Result<Self, String> {
        let link = &run.lab().links[choice.link.link];
        let ways = choice.link.ways.directions();
        let cable = &link.cables[ways[0]];
        let rate = cable.medium.rate;
        let (carried, note) = match (cable.serial, cable.phy) {
            (Some(_), _) => (Carried::Serial, String::new()),
            (None, Some(phy)) => (Carried::Phy(phy), String::new()),
            (None, None) => {
                let phy = phy::TABLE.iter().find(|phy| Some(phy.rate) == rate).ok_or_else(|| no_phy(&link.name))?;
                (Carried::Phy(phy), format!(" (the lab names no PHY; as {} sends it)", phy.name))
            }
        };
        let station = |place: PortRef| run.station(place.node).map(|station| (station, Port(place.port)));
        Ok(Self {
            which: choice.which,
            ports: ways.iter().filter_map(|&way| station(link.ends[way])).collect(),
            names: ways.iter().map(|&way| run.lab().nodes[link.ends[way].node].name.clone()).collect(),
            passed: 0,
            link: link.name.clone(),
            carried,
            note,
            found: None,
        })
    }

    fn is_it(&self, at: Instant) -> bool {
        match self.which {
            Which::Number(number) => self.passed == number,
            Which::From(time) => at >= time,
        }
    }
}

/// Why there is nothing to show.
fn no_phy(link: &str) -> String {
    let names = phy::TABLE.iter().map(|phy: &Phy| phy.name);
    format!(
        "{link} has no PHY, and none has its rate; name one in its medium, for example `phy = \"10base-t\"` (there are {})",
        names.collect::<Vec<_>>().join(", ")
    )
}

impl Monitor for Watch {
    fn interest(&self) -> Interest {
        Interest::Frames
    }

    fn ports(&self) -> Option<Vec<(StationId, Port)>> {
        Some(self.ports.clone())
    }

    fn frame(&mut self, seen: &Observation<'_>) {
        if self.found.is_some() || seen.way != Way::Sent || !self.ports.contains(&(seen.station, seen.port)) {
            return;
        }
        self.passed += 1;
        if !self.is_it(seen.at) {
            return;
        }
        let Self { link, passed, note, names, .. } = &*self;
        let sender = self.ports.iter().position(|port| *port == (seen.station, seen.port)).unwrap_or(0);
        let title = format!(
            "frame {passed} of {link}: {} octets, sent at {} s by {} {}{note}",
            seen.frame.len(),
            seen.at,
            names[sender],
            seen.port
        );
        self.found = Some(Shown::of(title, self.carried, seen.frame.bytes()));
    }
}
