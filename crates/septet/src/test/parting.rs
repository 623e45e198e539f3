//! Where two runs with one seed part: a run that is not repeatable is found out.

use super::trial::{Terms, Trial, play};

/// Plays a test twice on the same terms until the two runs part, and tells where; `None` where they never do.
pub(super) fn find(terms: &Terms, body: &dyn Fn() -> Result<(), String>) -> Option<String> {
    let logged = || play(Terms { log: true, ..terms.clone() }, body);
    let first = logged();
    (0..ATTEMPTS).map(|_| logged()).find_map(|second| between(&first, &second))
}

/// A difference may show itself only now and then.
const ATTEMPTS: u32 = 8;

/// The first line in which two logs differ.
fn between(first: &Trial, second: &Trial) -> Option<String> {
    let at = first.log.iter().zip(&second.log).position(|(a, b)| a != b);
    let (a, b) = match at {
        Some(at) => (first.log[at].as_str(), second.log[at].as_str()),
        None if first.log.len() != second.log.len() => {
            let end = first.log.len().min(second.log.len());
            let line = |log: &'_ [String]| log.get(end).cloned().unwrap_or_else(|| "nothing more".to_owned());
            return Some(told(&line(&first.log), &line(&second.log)));
        }
        None if first.digests() != second.digests() || first.failed != second.failed => {
            return Some("they part after the events that were written down".to_owned());
        }
        None => return None,
    };
    Some(told(a, b))
}

fn told(a: &str, b: &str) -> String {
    format!("the first event at which they part is\n    once:  {a}\n    again: {b}")
}
