//! `septet run`: plays a lab in virtual time and tells what happened.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant as WallClock};

use septet_capture::story::Length;
use septet_capture::summary::End;
use septet_capture::{Flows, Shared, Story};
use septet_lab::{BuildOptions, Output, Run};

use crate::args::RunArgs;
use crate::bits::Wanted;
use crate::check::shape;
use crate::exit::{Exit, Failure};
use crate::keep::{Keep, Wish};
use crate::report::{self, StoryLength};
use crate::terminal::{self, Stdout, tell, tell_part};
use crate::{interrupt, lab_file, limits, live, sweep};

pub(crate) fn run(args: &RunArgs) -> Result<Exit, Failure> {
    let plan = sweep::plan(&args.lab, &args.set, args.seeds.clone())?;
    if plan.runs() > 1 || args.seeds.is_some() {
        return sweep::run(args, &plan);
    }
    let lab = sweep::only(plan);
    lab_file::warn(&lab);
    live::warn_of_what_is_real(&lab);
    let options = BuildOptions { seed: args.seed, ..BuildOptions::default() };
    let mut run = lab.build(&options).map_err(|e| Failure::environment(format!("{}: {e}", args.lab.display())))?;
    interrupt::listen();
    limits::watch(args.memory);
    let wanted = Wanted::begin(&args.bits, &mut run)?;
    let words = if args.json || args.quiet { StoryLength::None } else { args.story };
    let tells = !args.json && !args.quiet;
    let names = run.names();

    let keep = match &args.output {
        Some(dir) => Some(Keep::begin(dir, &args.lab, Wish::new(&args.keep), &args.capture, args.snaplen, &mut run)?),
        None => None,
    };
    let flows = Shared::new(Flows::new(names.clone()));
    if keep.is_some() || args.json {
        run.world.add_monitor(flows.clone());
    }
    let style = terminal::style();
    if tells {
        report::head(&mut Stdout::new(), run.lab(), run.seed(), &shape(&lab), style).map_err(Failure::stdout)?;
    }
    let length = match words {
        StoryLength::All => Some(Length::All),
        StoryLength::Short => Some(Length::Short),
        StoryLength::None => None,
    };
    let story = length.map(|length| Shared::new(Story::new(Stdout::new(), names, length, style)));
    if let Some(story) = &story {
        run.world.add_monitor(story.clone());
    }

    let begun = WallClock::now();
    let played = play(&mut run, keep.as_ref(), &mut Progress::new(args.quiet || words == StoryLength::All));
    let took = begun.elapsed();
    let outcome = run.outcome();
    let outputs = named(&run);
    // The world lets go of what watched it.
    drop(run);

    let flows = flows.into_inner().unwrap_or_default();
    let summary = outcome.summary(flows.flows(), flows.uncounted());
    if let Some(story) = story.and_then(Shared::into_inner) {
        story.finish().map_err(Failure::stdout)?;
    }
    let mut out = Stdout::new();
    let printed = match (args.json, args.quiet) {
        (true, _) => report::object(&mut out, &summary),
        (_, true) => report::failures(&mut out, &outcome, style),
        _ => report::programs(&mut out, &lab, (&outputs, &outcome), words, style)
            .and_then(|()| report::expectations(&mut out, &outcome, style)),
    };
    printed.and_then(|()| wanted.tell(&mut out)).and_then(|()| out.flush()).map_err(Failure::stdout)?;
    if let Some(dir) = &args.output {
        wanted.keep(dir)?;
    }
    if let Some(keep) = keep {
        keep.finish(&outcome, &summary, &outputs)?;
    }
    if let Err(why) = played {
        return Err(Failure::run(format!("{}: {why}", args.lab.display())));
    }
    if tells {
        report::foot(&outcome, took, args.output.as_deref());
    }
    Ok(match (outcome.end, outcome.ok()) {
        (End::Interrupted, _) => {
            tell!("septet: interrupted at {} s of {} s; nothing after that was judged", outcome.at, lab.stop);
            Exit::Interrupted
        }
        (_, true) => Exit::Ok,
        (_, false) => Exit::Expectation,
    })
}

/// Plays until the lab's `stop`, or until somebody interrupts, or nothing more can be kept. What keeps it from its end is
/// told in words.
fn play(run: &mut Run, keep: Option<&Keep>, progress: &mut Progress) -> Result<(), String> {
    /// Between two looks around: a millisecond or so.
    const EVENTS: usize = 4096;
    let stop = run.lab().stop;
    loop {
        for _ in 0..EVENTS {
            if limits::passed() {
                limits::heed();
                progress.clear();
                let at = run.world.now();
                return Err(format!("{} at {at} s; most of it is where {}", limits::exceeded(), run.heaviest()));
            }
            if interrupt::asked() {
                interrupt::heed();
                progress.clear();
                return Ok(());
            }
            match run.world.step_until(stop) {
                Ok(true) => {}
                Ok(false) => {
                    progress.clear();
                    return run.world.run_until(stop).map_err(|storm| run.blame(&storm));
                }
                Err(storm) => {
                    progress.clear();
                    return Err(run.blame(&storm));
                }
            }
        }
        if keep.is_some_and(Keep::broken) {
            progress.clear();
            return Ok(());
        }
        progress.show(run);
    }
}

/// The outputs, each called by its node, its number and its program: `client-1-curl`.
pub(crate) fn named(run: &Run) -> Vec<(String, Output)> {
    let name = |output: &Output| {
        let node = run.lab().nodes.get(output.node)?;
        let command = node.commands().get(output.command)?;
        Some(format!("{}-{}-{}", node.name, output.command + 1, command.program))
    };
    let outputs = run.outputs();
    outputs.into_iter().filter_map(|output| Some((name(&output)?, output))).collect()
}

/// How far the run is, on a terminal, where it takes long.
struct Progress {
    wanted: bool,
    last: WallClock,
    shown: bool,
}

impl Progress {
    const PAUSE: Duration = Duration::from_millis(500);

    fn new(unwanted: bool) -> Self {
        Self { wanted: !unwanted && io::stderr().is_terminal(), last: WallClock::now(), shown: false }
    }

    fn show(&mut self, run: &Run) {
        if self.wanted && self.last.elapsed() >= Self::PAUSE {
            tell_part!("\r\x1b[K{:.1} s of {:.1} s", run.world.now().as_secs_f64(), run.lab().stop.as_secs_f64());
            (self.last, self.shown) = (WallClock::now(), true);
        }
    }

    fn clear(&mut self) {
        if core::mem::take(&mut self.shown) {
            tell_part!("\r\x1b[K");
        }
    }
}
