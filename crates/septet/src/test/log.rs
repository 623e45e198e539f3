//! Everything that happens in a world, in words, so that two runs can be compared.

use core::fmt::Write as _;

use septet_capture::{Names, Shared};
use septet_core::{Event, Interest, Monitor, Observation, Way};
use septet_lab::Run;

/// Everything that happens in a world, a line each, to be compared.
pub(super) struct Log(Shared<Lines>);

struct Lines {
    names: Names,
    lines: Vec<String>,
}

/// Lines that are kept. Runs that part later part all the same; which event it is can no longer be told.
const MOST: usize = 200_000;

impl Log {
    pub(super) fn begin(run: &mut Run) -> Self {
        let lines = Shared::new(Lines { names: run.names(), lines: Vec::new() });
        run.world.add_monitor(lines.clone());
        Self(lines)
    }

    /// What was written. The world that it watched is gone.
    pub(super) fn end(self) -> Vec<String> {
        self.0.into_inner().map(|lines| lines.lines).unwrap_or_default()
    }
}

impl Lines {
    fn add(&mut self, line: impl FnOnce(&Names) -> String) {
        if self.lines.len() < MOST {
            self.lines.push(line(&self.names));
        }
    }
}

impl Monitor for Lines {
    fn interest(&self) -> Interest {
        Interest::All
    }

    fn event(&mut self, event: &Event) {
        self.add(|names| {
            let mut line = format!("{} s, `{}`: {}", event.at, names.of_station(event.station), event.kind);
            for (name, value) in event.fields.iter() {
                let _ = write!(line, " {name}={}", value);
            }
            line
        });
    }

    fn frame(&mut self, seen: &Observation<'_>) {
        if seen.way != Way::Sent {
            return;
        }
        self.add(|names| {
            let bytes = seen.frame.bytes();
            let sum = bytes
                .iter()
                .fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
            let name = names.of_station(seen.station);
            format!("{} s, `{name}` {}: sends {} bytes that sum up to {sum:016x}", seen.at, seen.port, bytes.len())
        });
    }
}
