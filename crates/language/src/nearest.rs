//! The name that a misspelt one was most likely meant to be.

/// The candidate nearest to `word`, where one is near enough to be worth suggesting.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = word.to_lowercase();
    // A third of the letters may differ; a short word allows one slip.
    let allowed = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .filter(|c| *c != word && c.len().abs_diff(word.len()) <= 4 * allowed)
        .map(|c| (distance(&folded, &c.to_lowercase()), c))
        .filter(|(d, c)| *d <= allowed && *d < c.chars().count())
        .min_by_key(|(d, _)| *d)
        .map(|(_, c)| c)
}

/// Help that suggests the nearest candidate, or lists the candidates where they are few.
pub fn suggest<'a>(word: &str, what: &str, candidates: impl IntoIterator<Item = &'a str> + Clone) -> Option<String> {
    if let Some(near) = nearest(word, candidates.clone()) {
        return Some(format!("did you mean `{near}`?"));
    }
    let all: Vec<_> = candidates.into_iter().collect();
    match all.len() {
        0 => None,
        1..=16 => Some(format!("{what}: {}", all.join(", "))),
        n => Some(format!("{what}: {}, … ({n} in all)", all[..8].join(", "))),
    }
}

/// Edits (insert, delete, replace, swap neighbours) that turn `a` into `b`: optimal string alignment.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before = vec![0; b.len() + 1];
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replace = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replace.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = core::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, d) in [("", "abc", 3), ("kitten", "sitting", 3), ("clinet", "client", 1), ("same", "same", 0)] {
            assert_eq!(distance(a, b), d, "{a} {b}");
            assert_eq!(distance(b, a), d, "{b} {a}");
        }
    }

    #[test]
    fn suggests_only_what_is_near() {
        let names = ["client", "s1", "dns", "web1"];
        assert_eq!(nearest("clinet", names), Some("client"));
        assert_eq!(nearest("S1", names), Some("s1"));
        assert_eq!(nearest("web9", names), Some("web1"));
        assert_eq!(nearest("printer", names), None);
        assert_eq!(nearest("x", ["y"]), None, "one letter replaced by another is no likeness");
    }
}
