//! What stands behind `#[septet::test]`: a test is played with many seeds, and a failing one is told of.

use core::fmt::Write as _;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::env;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};

use septet_lab::Lab;

use super::keep;
use super::parting;
use super::seeds::Seeds;
use super::shrink::{Shrunk, shrink};
use super::trial::{Body, Script, Terms, Trial, play};

/// A test, as the attribute hands it over.
#[derive(Clone, Debug)]
pub struct Test {
    /// Its name, with its modules.
    pub name: &'static str,
    /// The seeds that it is played with, where nobody says otherwise.
    pub seeds: Seeds,
    /// Where files of tests go: `CARGO_TARGET_TMPDIR`, where the test has it.
    pub directory: Option<&'static str>,
}

/// A seed, or several, in the place of a test's own.
const SEED: &str = "SEPTET_SEED";
/// The lab file of a failing run, whose faults and end it is to be played with again.
const LAB: &str = "SEPTET_LAB";

/// Plays a test with its seeds, on all cores, and fails where one of them does.
///
/// # Panics
/// Where a seed fails, with the report: what went wrong, which faults were enough, where it is kept and how to play it again;
/// where a run is not repeatable; where an environment variable cannot be understood.
pub fn run<B>(test: &Test, body: B)
where
    B: Fn() -> Result<(), String> + Send + Sync + 'static,
{
    if let Err(report) = judge(test, Body::from(Box::new(body) as Box<_>)) {
        // The report is all there is to say; where it was found in this file is of no use.
        std::panic::resume_unwind(Box::new(tell(report)));
    }
}

/// Prints a report, where whoever runs the tests will show it.
fn tell(report: String) -> String {
    eprintln!("\n{report}\n");
    report
}

fn judge(test: &Test, body: Body) -> Result<(), String> {
    let seeds = match env::var(SEED) {
        Ok(text) => text.parse::<Seeds>().map_err(|e| format!("{SEED}: {e}"))?,
        Err(_) => test.seeds.clone(),
    };
    let script = env::var_os(LAB).map(|path| script(Path::new(&path))).transpose()?;
    let terms = |seed| Terms { seed, script: script.clone(), ..Terms::default() };
    let all: Vec<u64> = seeds.iter().collect();
    // The first is played once more, to see whether it comes to the same.
    let plays: Vec<u64> = all.first().copied().into_iter().chain(all.iter().copied()).collect();
    let found = play_all(&plays, &terms, &body);

    if let [(_, once), (_, again), ..] = &found[..]
        && (once.digests() != again.digests() || once.failed != again.failed)
    {
        return Err(unrepeatable(test, &terms(plays[0]), &*body));
    }
    let Some((at, failed)) = found.iter().find(|(_, trial)| trial.failed.is_some()) else { return Ok(()) };
    let seed = plays[*at];
    Err(report(test, &seeds, &terms(seed), failed, &*body))
}

/// The lines of `[faults]` and the end of a lab file.
fn script(path: &Path) -> Result<Script, String> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|e| format!("{LAB}: cannot read {shown}: {e}"))?;
    let lab = Lab::parse(&shown.to_string(), &text).map_err(|mistakes| format!("{LAB}: {shown}: {mistakes}"))?;
    Ok(Script { faults: lab.faults.iter().map(septet_lab::Fault::line).collect(), stop: Some(lab.stop) })
}

/// Plays one after the other on as many threads as there are cores, and gives those that were played in their order. Behind
/// the first that fails none is begun, so that it is the first of all that do.
fn play_all(plays: &[u64], terms: &(dyn Fn(u64) -> Terms + Sync), body: &Body) -> Vec<(usize, Trial)> {
    let next = AtomicUsize::new(0);
    let first_failed = AtomicU64::new(u64::MAX);
    let found = Mutex::new(Vec::new());
    let threads = cores().min(plays.len());
    let play_some = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= plays.len() || at as u64 > first_failed.load(Ordering::Relaxed) {
                return;
            }
            let turn = Turn::take();
            let trial = play(terms(plays[at]), &**body);
            drop(turn);
            if trial.failed.is_some() {
                first_failed.fetch_min(at as u64, Ordering::Relaxed);
            }
            // Those that went well are compared or not looked at again.
            if at < 2 || trial.failed.is_some() {
                found.lock().unwrap_or_else(PoisonError::into_inner).push((at, trial));
            }
        }
    };
    if threads < 2 {
        play_some();
    } else {
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(play_some);
            }
        });
    }
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.sort_by_key(|(at, _)| *at);
    found
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The leave to play: of all tests of a process no more are played at a time than there are cores.
struct Turn;

static TAKEN: Mutex<usize> = Mutex::new(0);
static FREE: Condvar = Condvar::new();

impl Turn {
    fn take() -> Self {
        let taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = FREE.wait_while(taken, |taken| *taken >= cores()).unwrap_or_else(PoisonError::into_inner);
        *taken += 1;
        Self
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        FREE.notify_one();
    }
}

/// The short name by which `cargo test` finds it.
fn filter(test: &Test) -> &str {
    test.name.split_once("::").map_or(test.name, |(_, name)| name)
}

fn unrepeatable(test: &Test, terms: &Terms, body: &dyn Fn() -> Result<(), String>) -> String {
    let place = parting::find(terms, body)
        .unwrap_or_else(|| "they came to the same when they were played again and written down".to_owned());
    format!(
        "septet: `{}` is not repeatable: two runs with seed {} came to different ends; {place}\n\n\
         Whatever a program takes from outside of its world is another each time: the order of a `HashMap` of the standard \
         library, `rand::rng()`, `std::time`, the `Date` that hyper's server writes (`auto_date_header(false)` leaves it \
         out), an unbiased `tokio::select!`. `septet::collections`, `septet::rand` and `septet::time` are drawn from the seed.",
        test.name, terms.seed
    )
}

/// Plays the failing seed once more and keeps it, brings it down, and tells of it.
fn report(test: &Test, seeds: &Seeds, terms: &Terms, failed: &Trial, body: &dyn Fn() -> Result<(), String>) -> String {
    let words = failed.failed.as_deref().unwrap_or_default();
    let mut report = format!("septet: `{}` failed with seed {} of {seeds}: {words}\n", test.name, terms.seed);
    let shrunk = if terms.script.is_none() { shrink(terms, failed, body) } else { None };
    let script = shrunk.as_ref().map(|shrunk| shrunk.script.clone()).or_else(|| terms.script.clone());
    let dir = directory(test);
    let again = play(Terms { keep: Some(dir.clone()), script, ..terms.clone() }, body);
    if !again.failed_like(failed) {
        let other = again.failed.as_deref().unwrap_or("it went well");
        let _ = writeln!(report, "  not repeatable: played again it came to something else: {other}");
    }
    match &shrunk {
        Some(shrunk) => told(&mut report, shrunk, &again),
        None => {
            let faults = failed.worlds.iter().flat_map(|came| &came.happened);
            faults.for_each(|fault| {
                let _ = writeln!(report, "  fault: {fault}");
            });
        }
    }
    let name = filter(test);
    let seed = terms.seed;
    let head = format!(
        "{}, seed {seed}: {}\nIts programs are the test's. Played again by\n{SEED}={seed} {LAB}={} cargo test {name}",
        test.name,
        again.failed.as_deref().unwrap_or(words).lines().next().unwrap_or_default(),
        dir.join("lab.toml").display(),
    );
    let kept = match (&again.trouble, again.worlds.first()) {
        (Some(trouble), _) => Err(trouble.clone()),
        (None, None) => Err("no world was played".to_owned()),
        (None, Some(came)) => {
            let text = septet_lab::with_setting(&came.lab.text, "lab.seed", &seed.to_string());
            let text = text.unwrap_or_else(|_| came.lab.text.clone());
            keep::lab(&dir, &head, &text)
        }
    };
    match kept {
        Ok(()) => {
            let _ = writeln!(report, "  kept in {}: {}", dir.display(), keep::FILES);
        }
        Err(e) => {
            let _ = writeln!(report, "  not kept: {e}");
        }
    }
    let _ = writeln!(report, "  again: {SEED}={seed} cargo test {name}");
    if shrunk.is_some() {
        let lab = dir.join("lab.toml");
        let _ = write!(report, "  with these faults alone: {SEED}={seed} {LAB}={} cargo test {name}", lab.display());
    }
    report
}

fn told(report: &mut String, shrunk: &Shrunk, again: &Trial) {
    let Shrunk { lab, faults_before, stop_before, script } = shrunk;
    let count = |n: usize| if n == 1 { "1 is enough".to_owned() } else { format!("{n} are enough") };
    let _ = match (faults_before, script.faults.len()) {
        (0, _) => Ok(()),
        (_, 0) => writeln!(report, "  none of {faults_before} faults is needed"),
        (_, left) => writeln!(report, "  of {faults_before} faults {}:", count(left)),
    };
    for fault in &script.faults {
        let _ = writeln!(report, "    {fault}");
    }
    if let Some(words) = &again.failed {
        let _ = writeln!(report, "  with these: {words}");
    }
    if script.stop.is_some() {
        let _ = writeln!(report, "  a run of {} s does, instead of {stop_before} s", lab.stop);
    }
}

/// Where a failing run is kept.
fn directory(test: &Test) -> PathBuf {
    let name = test.name.replace("::", "-");
    let base = match test.directory {
        Some(directory) => PathBuf::from(directory),
        // `target/debug/deps/name-hash` lies beside `target/tmp`.
        None => env::current_exe()
            .ok()
            .and_then(|path| Some(path.parent()?.parent()?.parent()?.join("tmp")))
            .unwrap_or_else(env::temp_dir),
    };
    base.join("septet").join(name)
}
