//! Folding: of moments that repeat, the first are told and the rest counted, so that a story keeps to a page or two.

use core::time::Duration;
use std::collections::BTreeMap;

use septet_core::{Event, Instant, Storey, Value};

use super::Line;
use crate::sentence::{Facing, Sentence, Weight, duration};

/// Moments that repeat each other: same kind, same node, same peer, same reason but for its numbers.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Key {
    kind: &'static str,
    node: String,
    peer: Option<(Facing, String)>,
    why: String,
}

#[derive(Debug)]
struct Group {
    storey: Storey,
    weight: Weight,
    /// The first of them, each with its place in the run.
    first: Vec<(u64, Line)>,
    count: u64,
    last: Instant,
    times: Times,
}

/// All that a short story needs, in bounded memory.
#[derive(Debug, Default)]
pub(super) struct Folds {
    groups: BTreeMap<Key, Group>,
    place: u64,
}

/// How many moments are told before the rest is folded.
#[derive(Clone, Copy)]
struct Budget {
    per_group: usize,
    per_kind: usize,
    least: Weight,
}

impl Folds {
    /// A page or two.
    const LINES: usize = 100;
    /// Groups kept apart; beyond, moments of a kind fold into one group.
    const GROUPS: usize = 4096;
    /// Of each group so many are kept word for word; headlines more.
    const KEPT: usize = 2;
    const KEPT_HEADLINES: usize = 50;

    /// From generous to terse; the first that fits is taken.
    const BUDGETS: [Budget; 5] = [
        Budget { per_group: 2, per_kind: 6, least: Weight::Detail },
        Budget { per_group: 1, per_kind: 4, least: Weight::Detail },
        Budget { per_group: 2, per_kind: 4, least: Weight::Moment },
        Budget { per_group: 1, per_kind: 3, least: Weight::Moment },
        Budget { per_group: 1, per_kind: 2, least: Weight::Moment },
    ];

    pub(super) fn add(&mut self, event: &Event, line: Line) {
        self.place += 1;
        let Sentence { node, peer, weight, .. } = &line.sentence;
        let why =
            event.field("why").map(|w| w.to_string().replace(|c: char| c.is_ascii_digit(), "")).unwrap_or_default();
        let mut key = Key { kind: event.kind, node: node.clone(), peer: peer.clone(), why };
        if self.groups.len() >= Self::GROUPS && !self.groups.contains_key(&key) {
            key = Key { node: String::new(), peer: None, why: String::new(), ..key };
        }
        let kept = if *weight == Weight::Headline { Self::KEPT_HEADLINES } else { Self::KEPT };
        let group = self.groups.entry(key).or_insert_with(|| Group {
            storey: line.storey,
            weight: *weight,
            first: Vec::new(),
            count: 0,
            last: line.at,
            times: Times::default(),
        });
        group.count += 1;
        group.last = line.at;
        if let Some(Value::Duration(took)) = event.field("took").or_else(|| event.field("rtt")) {
            group.times.add(*took);
        }
        // One more than is told: if it is the last, it takes no more room than a line that says "1 more".
        if group.first.len() <= kept {
            group.first.push((self.place, line));
        }
    }

    /// The story in the order of the run.
    pub(super) fn lines(&mut self) -> Vec<Line> {
        let mut told = Vec::new();
        for budget in Self::BUDGETS {
            told = self.choose(budget);
            if told.len() <= Self::LINES {
                break;
            }
        }
        told.sort_by_key(|(place, _)| *place);
        let mut lines: Vec<Line> = told.into_iter().map(|(_, line)| line).collect();
        if lines.len() > Self::LINES * 2 {
            let more = lines.len() - Self::LINES * 2;
            let at = lines[Self::LINES].at;
            let note = note(at, Storey::Lab, format!("… {more} more lines here (--story all tells everything)"));
            lines.splice(Self::LINES..Self::LINES + more, [note]);
        }
        lines
    }

    fn choose(&self, budget: Budget) -> Vec<(u64, Line)> {
        let mut told = Vec::new();
        let mut by_kind: BTreeMap<&'static str, Vec<(&Key, &Group)>> = BTreeMap::new();
        for (key, group) in &self.groups {
            if group.weight <= budget.least {
                by_kind.entry(key.kind).or_default().push((key, group));
            }
        }
        for groups in by_kind.values_mut() {
            groups.sort_by_key(|(_, group)| group.first.first().map_or(0, |(place, _)| *place));
            let headline = groups.iter().any(|(_, g)| g.weight == Weight::Headline);
            let mut left = if headline { Self::KEPT_HEADLINES } else { budget.per_kind };
            let per_group = if headline { Self::KEPT_HEADLINES } else { budget.per_group };
            let mut folded: Vec<Folded<'_>> = Vec::new();
            let mut shown_last = 0;
            for (key, group) in groups.iter() {
                let take = if group.count <= per_group as u64 + 1 { per_group + 1 } else { per_group }.min(left);
                let take = take.min(group.first.len());
                left -= take;
                told.extend(group.first[..take].iter().cloned());
                shown_last = group.first[..take].last().map_or(shown_last, |(place, _)| shown_last.max(*place));
                let rest = group.count - take as u64;
                if rest > 0 {
                    folded.push(Folded { key, group, rest });
                }
            }
            if let Some(line) = fold_line(&folded) {
                told.push((shown_last, line));
            }
        }
        told
    }
}

struct Folded<'a> {
    key: &'a Key,
    group: &'a Group,
    rest: u64,
}

/// `… 198 more like this until 20.9 s, p50 104 ms`.
fn fold_line(folded: &[Folded<'_>]) -> Option<Line> {
    let first = folded.first()?;
    let rest: u64 = folded.iter().map(|f| f.rest).sum();
    let last = folded.iter().map(|f| f.group.last).max()?;
    let at = folded.iter().filter_map(|f| f.group.first.last()).map(|(_, line)| line.at).min()?;
    let mut text = format!("… {rest} more like this until {:.3} s", last.as_secs_f64());
    let mut times = Times::default();
    folded.iter().for_each(|f| f.group.times.kept.iter().for_each(|t| times.add(*t)));
    if let Some(median) = times.median() {
        text.push_str(&format!(", p50 {}", duration(median)));
    }
    let mut line = note(at, first.group.storey, text);
    if folded.iter().all(|f| (&f.key.node, &f.key.peer) == (&first.key.node, &first.key.peer)) {
        line.sentence.node.clone_from(&first.key.node);
        line.sentence.peer.clone_from(&first.key.peer);
    } else {
        let mut nodes: Vec<&str> = folded.iter().map(|f| f.key.node.as_str()).filter(|n| !n.is_empty()).collect();
        nodes.sort_unstable();
        nodes.dedup();
        line.sentence.node = match nodes[..] {
            [one] => one.to_owned(),
            _ => format!("{} nodes", nodes.len()),
        };
    }
    Some(line)
}

fn note(at: Instant, storey: Storey, text: String) -> Line {
    Line { at, storey, sentence: Sentence { node: String::new(), peer: None, text, weight: Weight::Moment } }
}

/// Times to take the median of: all while they are few, then evenly thinned out.
#[derive(Debug, Default)]
struct Times {
    kept: Vec<Duration>,
    every: u32,
    skipped: u32,
}

impl Times {
    const KEPT: usize = 4096;

    fn add(&mut self, time: Duration) {
        if self.skipped < self.every {
            self.skipped += 1;
            return;
        }
        self.skipped = 0;
        self.kept.push(time);
        if self.kept.len() == Self::KEPT {
            let mut odd = false;
            self.kept.retain(|_| {
                odd = !odd;
                odd
            });
            self.every = self.every * 2 + 1;
        }
    }

    fn median(&self) -> Option<Duration> {
        let mut sorted = self.kept.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len().checked_sub(1)? / 2).copied()
    }
}
