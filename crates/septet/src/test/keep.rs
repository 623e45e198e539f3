//! What a failing run leaves behind: a lab file, the capture, the story, the events, the metrics and a summary.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use septet_capture::story::{Length, Paint, Style};
use septet_capture::{EventLog, Flows, LongFile, Pcapng, Shared, Story, metrics, pcapng};
use septet_lab::Run;

use super::came::Came;

/// Files that are written while a world runs.
pub(super) struct Keep {
    dir: PathBuf,
    capture: Shared<Pcapng<LongFile>>,
    events: Shared<EventLog<File>>,
    story: Shared<Story<BufWriter<File>>>,
    flows: Shared<Flows>,
}

/// The files, as a report names them.
pub(super) const FILES: &str = "lab.toml, trace.pcapng, story.txt, events, metrics.csv, summary.json";

impl Keep {
    /// Makes the directory, and begins to watch.
    pub(super) fn begin(dir: &Path, run: &mut Run) -> Result<Self, String> {
        fs::create_dir_all(dir).map_err(|e| told(dir, &e))?;
        let names = run.names();
        let lab = run.lab();
        let comment = Some(format!("lab {}, seed {}", lab.name, run.seed()));
        let options = pcapng::Options { epoch: lab.epoch, comment, ..pcapng::Options::default() };
        let about = [("lab".to_owned(), lab.name.clone().into()), ("seed".to_owned(), run.seed().into())];
        let capture = Shared::new(Pcapng::new(LongFile::new(create(dir, "trace.pcapng")?), names.clone(), options));
        let events = Shared::new(EventLog::new(create(dir, "events")?, names.clone(), about.into_iter().collect()));
        let style = Style { paint: Paint::Plain, ..Style::default() };
        let told = BufWriter::new(create(dir, "story.txt")?);
        let story = Shared::new(Story::new(told, names.clone(), Length::Short, style));
        let flows = Shared::new(Flows::new(names));
        run.world.add_monitor(capture.clone());
        run.world.add_monitor(events.clone());
        run.world.add_monitor(story.clone());
        run.world.add_monitor(flows.clone());
        Ok(Self { dir: dir.to_owned(), capture, events, story, flows })
    }

    /// Completes the files. The world that they watched is gone.
    pub(super) fn finish(self, came: &Came) -> Result<(), String> {
        let Self { dir, capture, events, story, flows } = self;
        let path = |name: &str| dir.join(name);
        if let Some(capture) = capture.into_inner() {
            capture.finish().map_err(|e| told(&path("trace.pcapng"), &e))?;
        }
        if let Some(events) = events.into_inner() {
            events.finish().map_err(|e| told(&path("events"), &e))?;
        }
        if let Some(story) = story.into_inner() {
            let mut out = story.finish().map_err(|e| told(&path("story.txt"), &e))?;
            let failed = came.failure.as_ref().map_or(Ok(()), |failure| writeln!(out, "\n{failure}"));
            failed.and_then(|()| out.flush()).map_err(|e| told(&path("story.txt"), &e))?;
        }
        let flows = flows.into_inner().unwrap_or_default();
        let recorders = came.outcome.recorders.iter().map(|(name, recorder)| (name.as_str(), recorder));
        metrics::write(create(&dir, "metrics.csv")?, recorders).map_err(|e| told(&path("metrics.csv"), &e))?;
        let summary = came.outcome.summary(flows.flows(), flows.uncounted());
        let mut file = BufWriter::new(create(&dir, "summary.json")?);
        serde_json::to_writer_pretty(&mut file, &summary)
            .map_err(io::Error::from)
            .and_then(|()| writeln!(file))
            .and_then(|()| file.flush())
            .map_err(|e| told(&path("summary.json"), &e))
    }
}

/// Writes a lab file, its head comment first.
pub(super) fn lab(dir: &Path, head: &str, text: &str) -> Result<(), String> {
    let head: String = head.lines().map(|line| format!("# {line}\n")).collect();
    fs::create_dir_all(dir)
        .and_then(|()| fs::write(dir.join("lab.toml"), format!("{head}{text}")))
        .map_err(|e| told(&dir.join("lab.toml"), &e))
}

fn create(dir: &Path, name: &str) -> Result<File, String> {
    let path = dir.join(name);
    File::create(&path).map_err(|e| told(&path, &e))
}

fn told(path: &Path, error: &io::Error) -> String {
    format!("cannot write {}: {error}", path.display())
}
