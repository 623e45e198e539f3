//! The directory that keeps what comes out of a run.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use septet_capture::pcapng::Sights;
use septet_capture::summary::Summary;
use septet_capture::{EventLog, LongFile, Names, Pcapng, Shared, metrics, pcapng};
use septet_core::{Port, StationId};
use septet_lab::{Outcome, Output, Run};

use crate::exit::Failure;
use crate::lab_file;

/// What asks for a frame at each port that it passes.
const ALL: &str = "all";

/// Files that are written while the world runs.
pub(crate) struct Keep {
    dir: PathBuf,
    capture: Shared<Pcapng<LongFile>>,
    events: Shared<EventLog<File>>,
}

impl Keep {
    /// Makes the directory, writes what is known before the run, and begins to watch.
    pub(crate) fn begin(
        dir: &Path,
        path: &Path,
        ports: &[String],
        snap: Option<u32>,
        run: &mut Run,
    ) -> Result<Self, Failure> {
        fs::create_dir_all(dir).map_err(|e| Failure::file("make", dir, &e))?;
        let names = run.names();
        let (all, ports): (Vec<_>, Vec<_>) = ports.iter().partition(|port| *port == ALL);
        let sights = if all.is_empty() { Sights::First } else { Sights::All };
        let only = chosen(&ports, &names)?;
        let lab = run.lab();
        lab_file::keep(dir, path, lab)?;
        if let Some(pem) = run.root_pem() {
            write(&dir.join("ca.pem"), pem.as_bytes())?;
        }
        let comment = Some(format!("lab {}, seed {}", lab.name, run.seed()));
        let options = pcapng::Options { epoch: lab.epoch, comment, only, sights, snap };
        let file = LongFile::new(create_private(&dir.join("trace.pcapng"))?);
        let capture = Shared::new(Pcapng::new(file, names.clone(), options));
        let about = [("lab".to_owned(), lab.name.clone().into()), ("seed".to_owned(), run.seed().into())];
        let events = create(&dir.join("events"))?;
        let events = Shared::new(EventLog::new(events, names, about.into_iter().collect()));
        run.world.add_monitor(capture.clone());
        run.world.add_monitor(events.clone());
        Ok(Self { dir: dir.to_owned(), capture, events })
    }

    /// Whether a file can no longer be written, so that it is of no use to go on.
    pub(crate) fn broken(&self) -> bool {
        self.capture.with(|c| c.error().is_some()) || self.events.with(|e| e.error().is_some())
    }

    /// Completes the files. The world that they watched is gone.
    pub(crate) fn finish(
        self,
        outcome: &Outcome,
        summary: &Summary,
        outputs: &[(String, Output)],
    ) -> Result<(), Failure> {
        let Self { dir, capture, events } = self;
        let path = dir.join("trace.pcapng");
        if let Some(capture) = capture.into_inner() {
            capture.finish().map_err(|e| Failure::file("write", &path, &e))?;
        }
        let path = dir.join("events");
        if let Some(events) = events.into_inner() {
            events.finish().map_err(|e| Failure::file("write", &path, &e))?;
        }
        let path = dir.join("metrics.csv");
        metrics::write(create(&path)?, outcome.recorders.iter().map(|(name, r)| (name.as_str(), r)))
            .map_err(|e| Failure::file("write", &path, &e))?;
        self::outputs(&dir.join("output"), outputs)?;
        let path = dir.join("summary.json");
        let mut file = io::BufWriter::new(create(&path)?);
        serde_json::to_writer_pretty(&mut file, summary)
            .map_err(io::Error::from)
            .and_then(|()| writeln!(file))
            .and_then(|()| file.flush())
            .map_err(|e| Failure::file("write", &path, &e))
    }
}

/// What each program printed, a file a program: `client-1-curl.txt`.
fn outputs(dir: &Path, outputs: &[(String, Output)]) -> Result<(), Failure> {
    for (name, output) in outputs {
        let texts = [("txt", output.console.output()), ("err.txt", output.console.errors())];
        for (extension, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
            fs::create_dir_all(dir).map_err(|e| Failure::file("make", dir, &e))?;
            write(&dir.join(format!("{name}.{extension}")), text.as_bytes())?;
        }
    }
    Ok(())
}

/// A file for its owner alone: a capture holds the secrets of TLS, and whatever was said in the clear.
fn create_private(path: &Path) -> Result<File, Failure> {
    // One that is there already keeps its mode unless it goes first.
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(Failure::file("replace", path, &e)),
        _ => {}
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|e| Failure::file("write", path, &e))
}

fn create(path: &Path) -> Result<File, Failure> {
    File::create(path).map_err(|e| Failure::file("write", path, &e))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    fs::write(path, bytes).map_err(|e| Failure::file("write", path, &e))
}

/// The ports that `--capture` names, each as `node` or `node:port`.
fn chosen(ports: &[&String], names: &Names) -> Result<BTreeSet<(StationId, Port)>, Failure> {
    let mut chosen = BTreeSet::new();
    for text in ports {
        let (node, port) = text.split_once(':').map_or((text.as_str(), None), |(node, port)| (node, Some(port)));
        let station =
            names.find(node).ok_or_else(|| Failure::usage(format!("--capture {text}: no node is called `{node}`")))?;
        let all: Vec<Port> = names.ports().filter(|(s, _, _)| *s == station).map(|(_, p, _)| p).collect();
        let matching: Vec<Port> =
            all.iter().copied().filter(|p| port.is_none_or(|name| p.to_string() == name)).collect();
        if matching.is_empty() {
            let known: Vec<String> = all.iter().map(Port::to_string).collect();
            return Err(Failure::usage(format!("--capture {text}: the ports of `{node}` are {}", known.join(", "))));
        }
        chosen.extend(matching.into_iter().map(|p| (station, p)));
    }
    Ok(chosen)
}
