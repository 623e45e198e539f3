//! `septet up`: a lab on the wall clock.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use septet_capture::story::Length;
use septet_capture::{Flows, Shared, Story, metrics};
use septet_core::Instant;
use septet_lab::{Lab, Outcome, Run, Segmentation};
use septet_live::control::{self, Status};
use septet_live::{Ended, Ending, LiveRun, Options, Up};
use tokio::sync::Notify;

use super::args::UpArgs;
use crate::exit::{Exit, Failure, environment};
use crate::keep::{Keep, Wish};
use crate::lab_file;
use crate::report::{self, StoryLength};
use crate::terminal::{self, Stdout, tell};

/// A live run has no bound on its length, so what is kept of each series has: the latest so many observations.
const SAMPLES: usize = 1 << 16;

pub(super) fn up(args: &UpArgs) -> Result<Exit, Failure> {
    let mut lab = lab_file::load(&args.lab)?;
    prepare(&mut lab, args)?;
    // A capture shows segments as they are on a wire.
    let segmentation = if args.capture.is_some() { Segmentation::Transport } else { Segmentation::Port };
    let built = LiveRun::build(&lab, args.seed, segmentation);
    let mut run = built.map_err(|e| Failure::environment(format!("{}: {e}", args.lab.display())))?;
    for (_, recorder) in run.recorders() {
        recorder.keep_latest(SAMPLES);
    }
    let kept = match &args.output {
        Some(dir) => Some(Kept::begin(dir, args, &mut run)?),
        None => None,
    };
    let story = story(args.story, &mut run);
    let name = args.name.clone().unwrap_or_else(|| lab.name.clone());
    remove_the_socket_on_panic(&name);

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(environment)?;
    let options =
        Options { name: Some(name), forwards: args.forward.clone(), taps: args.tap.clone(), max_lag: args.max_lag };
    let unknown_ca = kept.is_none() && run.root_pem().is_some();
    let ready = |status: &Status| {
        if !args.quiet {
            tell(status, kept.as_ref().map(|k| k.dir.as_path()), lab.stop);
            if unknown_ca {
                tell!("septet: -o DIR writes the certificate that clients of this lab's TLS services must trust");
            }
        }
    };
    let quit = quit().map_err(environment)?;
    let ended = runtime.block_on(Up::run(run, options, ready, quit)).map_err(environment)?;

    if let Some(story) = story.and_then(Shared::into_inner) {
        story.finish().map_err(Failure::stdout)?;
    }
    if !args.quiet {
        report::expectations(&mut Stdout::new(), &ended.outcome, terminal::style()).map_err(Failure::stdout)?;
        last_words(&ended);
    }
    if !ended.lost.is_zero() {
        tell_of_lost_time(&ended);
    }
    if let Some(kept) = kept {
        kept.finish(&ended.outcome)?;
    }
    match ended.ending {
        Ending::Quit => Ok(Exit::Interrupted),
        Ending::Told => Ok(Exit::Ok),
        Ending::Stop if ended.outcome.ok() => Ok(Exit::Ok),
        Ending::Stop => Ok(Exit::Expectation),
        Ending::Late { at, lag } => Err(Failure::environment(format!(
            "at {:.3} s an event was {:.1} ms late, and --max-lag allows {:.1} ms: this machine does not keep up; give it \
             less to do (lower rates, fewer programs, no --capture), a faster or idler machine, or a larger --max-lag",
            at.as_secs_f64(),
            ms(lag),
            ms(args.max_lag.unwrap_or_default()),
        ))),
    }
}

/// What differs from a run in virtual time: certificates are valid now, and nothing ends by itself unless it is said.
fn prepare(lab: &mut Lab, args: &UpArgs) -> Result<(), Failure> {
    lab.epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(lab.epoch);
    match args.stop.as_deref() {
        None if lab.says_when_to_stop() => {}
        None | Some("never") => lab.stop = Instant::FAR_FUTURE,
        Some(text) => lab.stop_after(text).map_err(|why| Failure::usage(format!("--stop {text}: {why}")))?,
    }
    Ok(())
}

fn story(length: StoryLength, run: &mut Run) -> Option<Shared<Story<Stdout>>> {
    let length = match length {
        StoryLength::All => Length::All,
        StoryLength::Short => Length::Short,
        StoryLength::None => return None,
    };
    let story = Shared::new(Story::new(Stdout::new(), run.names(), length, terminal::style()));
    run.world.add_monitor(story.clone());
    Some(story)
}

/// Completes at the first signal that asks for an end; a second one ends the process at once.
pub(super) fn quit() -> io::Result<impl Future<Output = ()>> {
    let asked = Arc::new(Notify::new());
    let teller = asked.clone();
    let again = AtomicBool::new(false);
    ctrlc::set_handler(move || {
        if again.swap(true, Ordering::Relaxed) {
            std::process::exit(Exit::Interrupted.code().into());
        }
        teller.notify_one();
    })
    .map_err(io::Error::other)?;
    Ok(async move { asked.notified().await })
}

/// A panic ends the process without unwinding; interfaces, sockets and namespaces go with it, but a Unix socket's name
/// would stay.
fn remove_the_socket_on_panic(name: &str) {
    let Ok(path) = control::path::socket(name) else { return };
    let owner = std::process::id();
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if owner == std::process::id() {
            let _ = fs::remove_file(&path);
        }
        before(panic);
    }));
}

/// Where everything is, once it is there.
fn tell(status: &Status, kept: Option<&Path>, stop: Instant) {
    let mut out = Stdout::new();
    let end = if stop == Instant::FAR_FUTURE {
        "until Ctrl-C".to_owned()
    } else {
        format!("for {} s or until Ctrl-C", stop.as_secs_f64())
    };
    let mut text = format!("{} is up, {end}\n", status.lab);
    for forward in &status.forwards {
        text += &format!("  {} -> {}\n", forward.from, forward.to);
    }
    if let Some(ca) = kept.map(|dir| dir.join("ca.pem")).filter(|ca| ca.exists()) {
        text += &format!("  certificates: curl --cacert {}\n", ca.display());
    }
    // A reader that has gone does not end the lab.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn last_words(ended: &Ended) {
    for (spec, c) in &ended.forwards {
        tell!(
            "septet: {spec}: {} taken, {} failed, {} bytes in, {} bytes out",
            c.accepted,
            c.failed,
            c.bytes_in,
            c.bytes_out
        );
    }
    let lag = &ended.lag;
    tell!(
        "septet: up for {:.1} s; of {} timed events the latest was {:.3} ms late, 99 % within {:.3} ms",
        ended.outcome.at.as_secs_f64(),
        lag.count(),
        ms(lag.max()),
        ms(lag.quantile(0.99)),
    );
}

/// Also where nothing else is to be told: what was measured is not what the file says.
fn tell_of_lost_time(ended: &Ended) {
    let (up, lost) = (ended.outcome.at.as_secs_f64(), ended.lost.as_secs_f64());
    tell!(
        "septet: this machine did not keep up: the lab's clock lost {lost:.2} s of {:.2} s; by the wall's clock its rates \
         were lower and its delays longer than the file says",
        up + lost,
    );
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The directory that keeps what comes out.
struct Kept {
    dir: PathBuf,
    flows: Shared<Flows>,
    /// Where packets are wanted.
    trace: Option<Keep>,
}

impl Kept {
    fn begin(dir: &Path, args: &UpArgs, run: &mut Run) -> Result<Self, Failure> {
        let trace = match &args.capture {
            Some(ports) => Some(Keep::begin(dir, &args.lab, Wish::new(&[]), ports, None, run)?),
            None => {
                fs::create_dir_all(dir).map_err(|e| Failure::file("make", dir, &e))?;
                lab_file::keep(dir, &args.lab, run.lab())?;
                if let Some(pem) = run.root_pem() {
                    write(&dir.join("ca.pem"), pem.as_bytes())?;
                }
                None
            }
        };
        let flows = Shared::new(Flows::new(run.names()));
        if trace.is_some() {
            run.world.add_monitor(flows.clone());
        }
        Ok(Self { dir: dir.to_owned(), flows, trace })
    }

    fn finish(self, outcome: &Outcome) -> Result<(), Failure> {
        let Self { dir, flows, trace } = self;
        let flows = flows.into_inner().unwrap_or_default();
        let summary = outcome.summary(flows.flows(), flows.uncounted());
        if let Some(trace) = trace {
            return trace.finish(outcome, &summary, &[]);
        }
        let path = dir.join("metrics.csv");
        let file = fs::File::create(&path).map_err(|e| Failure::file("write", &path, &e))?;
        metrics::write(file, outcome.recorders.iter().map(|(name, r)| (name.as_str(), r)))
            .map_err(|e| Failure::file("write", &path, &e))?;
        write(&dir.join("summary.json"), format!("{:#}\n", serde_json::json!(summary)).as_bytes())
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    fs::write(path, bytes).map_err(|e| Failure::file("write", path, &e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_removes_the_control_socket() {
        let name = format!("panic-test-{}", std::process::id());
        let path = control::path::socket(&name).unwrap();
        fs::write(&path, "").unwrap();
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| ()));
        remove_the_socket_on_panic(&name);
        let panicked = std::panic::catch_unwind(|| panic!("on purpose"));
        std::panic::set_hook(before);
        assert!(panicked.is_err() && !path.exists());
    }
}
