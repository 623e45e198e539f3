//! Folding: of moments that repeat, the first are told and the rest counted, so that a story keeps to a page or two.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use septet_core::{Event, Instant, Storey, Value};

use super::Line;
use crate::Names;
use crate::sentence::{Facing, Sentence, Weight, duration, printable};

/// Moments that repeat each other: same sort, same parties, same reason but for its numbers.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Key {
    many: &'static str,
    node: String,
    peer: Option<(Facing, String)>,
    /// A third party that the moment names: whose connection is passed on, whom an error is about.
    third: Option<String>,
    /// What a program was asked to do.
    command: Option<String>,
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
    /// The nodes that run programs: whom the story is about.
    cast: BTreeSet<String>,
    place: u64,
}

/// How many moments are told before the rest is folded.
#[derive(Clone, Copy)]
struct Budget {
    per_group: usize,
    per_sort: usize,
    /// Of what is always told, so many of each sort.
    headlines: usize,
    least: Weight,
}

impl Folds {
    /// A page or two.
    const LINES: usize = 100;
    /// Groups kept apart; beyond, moments of a sort fold into one group.
    const GROUPS: usize = 4096;
    /// Of each group so many are kept word for word; headlines more.
    const KEPT: usize = 3;
    const KEPT_HEADLINES: usize = 50;

    /// From generous to terse; the first that fits is taken.
    const BUDGETS: [Budget; 8] = [
        Budget { per_group: 3, per_sort: 12, headlines: 50, least: Weight::Detail },
        Budget { per_group: 2, per_sort: 9, headlines: 50, least: Weight::Detail },
        Budget { per_group: 1, per_sort: 4, headlines: 50, least: Weight::Detail },
        Budget { per_group: 2, per_sort: 4, headlines: 50, least: Weight::Moment },
        Budget { per_group: 1, per_sort: 3, headlines: 50, least: Weight::Moment },
        Budget { per_group: 1, per_sort: 2, headlines: 50, least: Weight::Moment },
        Budget { per_group: 1, per_sort: 2, headlines: 12, least: Weight::Moment },
        Budget { per_group: 1, per_sort: 1, headlines: 4, least: Weight::Moment },
    ];

    pub(super) fn add(&mut self, event: &Event, line: Line, names: &Names) {
        self.place += 1;
        if event.kind == "program.start" {
            self.cast.insert(line.sentence.node.clone());
        }
        let Sentence { node, peer, weight, .. } = &line.sentence;
        let why =
            event.field("why").map(|w| w.to_string().replace(|c: char| c.is_ascii_digit(), "")).unwrap_or_default();
        let third = third(event, &line.sentence, names);
        // The same command again and again is one matter; how it ends is another.
        let command = event.field("command").map(|c| match event.field("status") {
            Some(status) => format!("{c}, status {status}"),
            None => c.to_string(),
        });
        let mut key = Key { many: line.sentence.many, node: node.clone(), peer: peer.clone(), third, command, why };
        if self.groups.len() >= Self::GROUPS && !self.groups.contains_key(&key) {
            key = Key { node: String::new(), peer: None, third: None, command: None, why: String::new(), ..key };
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
        if lines.len() > Self::LINES {
            let (half, more) = (Self::LINES / 2, lines.len() - Self::LINES + 1);
            let at = lines[half].at;
            let note = note(at, Storey::Lab, format!("… {more} more lines here (--story all tells everything)"));
            lines.splice(half..half + more, [note]);
        }
        lines
    }

    fn choose(&self, budget: Budget) -> Vec<(u64, Line)> {
        // Whom the story is about is told apart from what goes on beside it.
        let mut sorts: BTreeMap<(&'static str, Cast), Vec<(&Key, &Group)>> = BTreeMap::new();
        for (key, group) in self.groups.iter().filter(|(_, group)| group.weight <= budget.least) {
            sorts.entry((key.many, self.cast_of(key, group))).or_default().push((key, group));
        }
        let mut told = Vec::new();
        for ((_, cast), mut groups) in sorts {
            groups.sort_by_key(|(_, group)| group.first.first().map_or(0, |(place, _)| *place));
            let headline = groups.iter().any(|(_, g)| g.weight == Weight::Headline);
            let (per_group, per_sort) = match cast {
                _ if headline => (budget.headlines, budget.headlines),
                Cast::Lead => (budget.per_group, budget.per_sort),
                Cast::Extra => (1, 1),
            };
            let of_group = |key: &Key| match key.command {
                Some(_) => budget.per_group.min(per_group),
                None => per_group,
            };
            let takes = deal(&groups, of_group, per_sort);
            let rest: u64 = groups.iter().zip(&takes).map(|((_, group), take)| group.count - *take as u64).sum();
            let mut folded: Vec<Folded<'_>> = Vec::new();
            for ((key, group), take) in groups.into_iter().zip(takes) {
                told.extend(group.first[..take].iter().cloned());
                // To say that one more is left out would take as much room as to tell it.
                if rest == 1
                    && let Some(last) = group.first.get(take)
                {
                    told.push(last.clone());
                    continue;
                }
                let rest = group.count - take as u64;
                if rest > 0 {
                    // Where the kept ones are all told, the fold follows the last of them.
                    let next = group.first.get(take).or(group.first.last());
                    let (place, at) = next.map_or((0, group.last), |(place, line)| (*place, line.at));
                    folded.push(Folded { key, group, rest, place, at });
                }
            }
            told.extend(fold_line(&folded));
        }
        told
    }

    fn cast_of(&self, key: &Key, group: &Group) -> Cast {
        // What happens on a cable may have happened to anybody's frames.
        if group.storey == Storey::Physical {
            return Cast::Lead;
        }
        let parties = [Some(&key.node), key.peer.as_ref().map(|(_, name)| name), key.third.as_ref()];
        let leads = self.cast.is_empty() || parties.into_iter().flatten().any(|name| self.cast.contains(name));
        if leads { Cast::Lead } else { Cast::Extra }
    }
}

/// Whom an event names besides its node and its peer.
fn third(event: &Event, sentence: &Sentence, names: &Names) -> Option<String> {
    let of = |value: &Value| match value {
        Value::Ip(ip) => names.of_address(*ip),
        Value::Socket(socket) => names.of_address(socket.ip()),
        _ => None,
    };
    let peer = sentence.peer.as_ref().map(|(_, name)| name.as_str());
    let mut named = event.fields.iter().filter_map(|(_, value)| of(value));
    named.find(|name| *name != sentence.node && Some(*name) != peer).map(str::to_owned)
}

/// Whether a moment concerns a node that runs a program.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cast {
    Lead,
    Extra,
}

/// How many of each group are told: one of each in turn, until `per_group` of each or `per_sort` in all. A group that
/// has but one more than `per_group` is told whole, as saying so would take as much room.
fn deal(groups: &[(&Key, &Group)], per_group: impl Fn(&Key) -> usize, per_sort: usize) -> Vec<usize> {
    let mut takes = vec![0; groups.len()];
    let mut left = per_sort;
    let rounds = groups.iter().map(|(key, _)| per_group(key)).max().unwrap_or(0);
    for round in 0..=rounds {
        for ((key, group), take) in groups.iter().zip(&mut takes) {
            let per_group = per_group(key);
            if round > per_group {
                continue;
            }
            let last = round == per_group;
            let wanted = if last { group.count == round as u64 + 1 } else { round < group.first.len() };
            if wanted && *take == round && (left > 0 || last && *take > 0) {
                *take += 1;
                left = left.saturating_sub(1);
            }
        }
    }
    takes
}

struct Folded<'a> {
    key: &'a Key,
    group: &'a Group,
    rest: u64,
    /// Where and when the first that is not told happened.
    place: u64,
    at: Instant,
}

/// `… 198 more requests until 20.9 s, p50 104 ms`.
fn fold_line(folded: &[Folded<'_>]) -> Option<(u64, Line)> {
    let first = folded.iter().min_by_key(|f| f.place)?;
    let rest: u64 = folded.iter().map(|f| f.rest).sum();
    let last = folded.iter().map(|f| f.group.last).max()?;
    let what = match (folded, &first.key.command) {
        ([_], Some(command)) => format!(" ({})", printable(command)),
        _ => String::new(),
    };
    let mut text = format!("… {rest} more {}{what} until {:.3} s", first.key.many, last.as_secs_f64());
    let mut times = Times::default();
    folded.iter().for_each(|f| f.group.times.kept.iter().for_each(|t| times.add(*t)));
    if let Some(median) = times.median() {
        text.push_str(&format!(", p50 {}", duration(median)));
    }
    let mut line = note(first.at, first.group.storey, text);
    if folded.iter().all(|f| (&f.key.node, &f.key.peer) == (&first.key.node, &first.key.peer)) {
        line.sentence.node.clone_from(&first.key.node);
        line.sentence.peer.clone_from(&first.key.peer);
    } else {
        let mut nodes: Vec<&str> = folded.iter().map(|f| f.key.node.as_str()).filter(|n| !n.is_empty()).collect();
        nodes.sort_unstable();
        nodes.dedup();
        line.sentence.node = match nodes[..] {
            [] | [_] | [_, _] | [_, _, _] => nodes.join(", "),
            _ => format!("{} nodes", nodes.len()),
        };
    }
    Some((first.place, line))
}

fn note(at: Instant, storey: Storey, text: String) -> Line {
    Line { at, storey, sentence: Sentence { node: String::new(), peer: None, text, many: "", weight: Weight::Moment } }
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
