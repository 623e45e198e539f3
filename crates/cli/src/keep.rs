//! The directory that keeps what comes out of a run.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use septet_capture::pcapng::Sights;
use septet_capture::summary::Summary;
use septet_capture::{EventLog, LongFile, Names, Pcapng, Shared, metrics, pcapng};
use septet_core::{Port, StationId};
use septet_lab::{Outcome, Output, Run};

use crate::exit::Failure;
use crate::lab_file::keep_files;

/// What can be kept of a run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, ValueEnum)]
pub(crate) enum Kind {
    /// summary.json
    Summary,
    /// trace.pcapng, every frame at every port
    Capture,
    /// events, each with its cause
    Events,
    /// metrics.csv, what was recorded
    Metrics,
    /// output/, what programs printed
    Output,
    /// ca.pem, the root certificate of the lab's own authority
    Ca,
    /// The lab file, as it was run
    Lab,
}

/// The files, by what is kept in them.
const FILES: &[(Kind, &str)] = &[
    (Kind::Summary, "summary.json"),
    (Kind::Capture, "trace.pcapng"),
    (Kind::Events, "events"),
    (Kind::Metrics, "metrics.csv"),
    (Kind::Output, "output"),
    (Kind::Ca, "ca.pem"),
];

/// Which of it is wanted; everything, unless said otherwise.
#[derive(Clone, Debug)]
pub(crate) struct Wish(BTreeSet<Kind>);

impl Wish {
    pub(crate) fn new(kinds: &[Kind]) -> Self {
        let all = Kind::value_variants();
        Self(if kinds.is_empty() { all } else { kinds }.iter().copied().collect())
    }

    fn has(&self, kind: Kind) -> bool {
        self.0.contains(&kind)
    }
}

/// What asks for a frame at each port that it passes.
const ALL: &str = "all";

/// Files that are written while the world runs.
pub(crate) struct Keep {
    dir: PathBuf,
    wish: Wish,
    capture: Option<Shared<Pcapng<LongFile>>>,
    events: Option<Shared<EventLog<File>>>,
}

/// Where a lab file is kept in `dir`: under its own name, unless one of `others` is called so. A lab that lies where a file
/// of the run would is not overwritten.
pub(crate) fn place_of_lab(
    dir: &Path,
    lab_file: &Path,
    others: impl Iterator<Item = &'static str>,
) -> Result<PathBuf, Failure> {
    let name = lab_file.file_name().unwrap_or("lab.toml".as_ref());
    let mut kept = dir.join(name);
    let own = fs::canonicalize(lab_file).ok();
    for other in others {
        let path = dir.join(other);
        if own.is_some() && fs::canonicalize(&path).ok() == own {
            let shown = path.display();
            return Err(Failure::usage(format!(
                "{shown} is the lab itself, which `{other}` would overwrite; name another directory"
            )));
        }
        if name == other {
            kept = dir.join(format!("{other}.toml"));
        }
    }
    Ok(kept)
}

impl Keep {
    /// Makes the directory, writes what is known before the run, and begins to watch.
    pub(crate) fn begin(
        dir: &Path,
        lab_file: &Path,
        wish: Wish,
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
        let kept_lab = place_of_lab(dir, lab_file, FILES.iter().map(|(_, name)| *name))?;
        // A lab may be run from its own output directory.
        let same = fs::canonicalize(&kept_lab).ok() == fs::canonicalize(lab_file).ok() && kept_lab.exists();
        if wish.has(Kind::Lab) && !same {
            write(&kept_lab, lab.text.as_bytes())?;
            keep_files(dir, lab)?;
        }
        if let Some(pem) = run.root_pem().filter(|_| wish.has(Kind::Ca)) {
            write(&dir.join("ca.pem"), pem.as_bytes())?;
        }
        let comment = Some(format!("lab {}, seed {}", lab.name, run.seed()));
        let options = pcapng::Options { epoch: lab.epoch, comment, only, sights, snap };
        let about = [("lab".to_owned(), lab.name.clone().into()), ("seed".to_owned(), run.seed().into())];
        let capture = match wish.has(Kind::Capture) {
            true => {
                let file = LongFile::new(create_private(&dir.join("trace.pcapng"))?);
                Some(Shared::new(Pcapng::new(file, names.clone(), options)))
            }
            false => None,
        };
        let events = match wish.has(Kind::Events) {
            true => {
                let events = create(&dir.join("events"))?;
                Some(Shared::new(EventLog::new(events, names, about.into_iter().collect())))
            }
            false => None,
        };
        if let Some(capture) = &capture {
            run.world.add_monitor(capture.clone());
        }
        if let Some(events) = &events {
            run.world.add_monitor(events.clone());
        }
        Ok(Self { dir: dir.to_owned(), wish, capture, events })
    }

    /// Whether a file can no longer be written, so that it is of no use to go on.
    pub(crate) fn broken(&self) -> bool {
        self.capture.as_ref().is_some_and(|capture| capture.with(|c| c.error().is_some()))
            || self.events.as_ref().is_some_and(|events| events.with(|e| e.error().is_some()))
    }

    /// Completes the files. The world that they watched is gone.
    pub(crate) fn finish(
        self,
        outcome: &Outcome,
        summary: &Summary,
        outputs: &[(String, Output)],
    ) -> Result<(), Failure> {
        let Self { dir, wish, capture, events } = self;
        let path = dir.join("trace.pcapng");
        if let Some(capture) = capture.and_then(Shared::into_inner) {
            capture.finish().map_err(|e| Failure::file("write", &path, &e))?;
        }
        let path = dir.join("events");
        if let Some(events) = events.and_then(Shared::into_inner) {
            events.finish().map_err(|e| Failure::file("write", &path, &e))?;
        }
        if wish.has(Kind::Metrics) {
            let path = dir.join("metrics.csv");
            metrics::write(create(&path)?, outcome.recorders.iter().map(|(name, r)| (name.as_str(), r)))
                .map_err(|e| Failure::file("write", &path, &e))?;
        }
        if wish.has(Kind::Output) {
            self::outputs(&dir.join("output"), outputs)?;
        }
        if !wish.has(Kind::Summary) {
            return Ok(());
        }
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
