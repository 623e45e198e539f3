//! Draws levels as a line of text art, for a person to read.

use core::fmt::Write as _;

use super::Level;

/// The waveform of `levels`, `width` columns a symbol, in rows of at most `columns` columns.
///
/// Each row is the caption of each symbol (from `caption`, empty for none) over two lines of box drawing; three where
/// the middle level is used.
///
/// ```
/// use septet_physical::line_code::{manchester, waveform};
/// let art = waveform::draw(&manchester::encode(&[true, false, false]), 2, 80, |i| if i % 2 == 0 { "100"[i / 2..=i / 2].to_owned() } else { String::new() });
/// assert_eq!(art, "1   0   0\n  ┌───┐ ┌─┐\n──┘   └─┘ └─\n");
/// ```
pub fn draw(levels: &[Level], width: usize, columns: usize, caption: impl Fn(usize) -> String) -> String {
    let width = width.clamp(2, 64);
    let per_row = (columns / width).max(1);
    let mut art = String::new();
    let mut before = None;
    for (row, symbols) in levels.chunks(per_row).enumerate() {
        let mut captions = String::new();
        for i in 0..symbols.len() {
            let text = caption(row * per_row + i);
            if !text.is_empty() {
                // A long caption reaches over the symbols that follow it.
                let _ =
                    write!(captions, "{:gap$}{text}", "", gap = (i * width).saturating_sub(captions.chars().count()));
            }
        }
        if !captions.trim_end().is_empty() {
            art.push_str(captions.trim_end());
            art.push('\n');
        }
        let lines: &[Level] = if levels.contains(&Level::Zero) {
            &[Level::High, Level::Zero, Level::Low]
        } else {
            &[Level::High, Level::Low]
        };
        for &line in lines {
            let mut last = before;
            let mut text = String::new();
            for &level in symbols {
                let from = last.unwrap_or(level);
                text.push(joint(line, from, level));
                let fill = if level == line { '─' } else { ' ' };
                text.extend(core::iter::repeat_n(fill, width - 1));
                last = Some(level);
            }
            art.push_str(text.trim_end());
            art.push('\n');
        }
        before = symbols.last().copied().or(before);
    }
    art
}

/// The character on `line` where the level goes from `from` to `to`.
fn joint(line: Level, from: Level, to: Level) -> char {
    let up = to > from;
    match (from == line, to == line) {
        (true, true) => '─',
        (true, false) => {
            if up {
                '┘'
            } else {
                '┐'
            }
        }
        (false, true) => {
            if up {
                '┌'
            } else {
                '└'
            }
        }
        (false, false) if from.min(to) < line && line < from.max(to) => '│',
        _ => ' ',
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line_code::mlt3;

    #[test]
    fn three_levels_take_three_lines() {
        let levels = mlt3::encode(&[true, true, true, true, false], mlt3::Phase::default());
        let art = draw(&levels, 2, 80, |_| String::new());
        assert_eq!(art, "──┐\n  └─┐ ┌───\n    └─┘\n");
    }

    #[test]
    fn rows_continue_where_the_last_one_ended() {
        let levels = [Level::High, Level::Low, Level::Low];
        assert_eq!(draw(&levels, 2, 2, |_| String::new()), "──\n\n┐\n└─\n\n──\n");
    }
}
