//! The little language of the table: `{field}`, `{field:form}`, and `[parts that may be left out]`.

use septet_core::Fields;

use super::value;
use crate::Names;

/// A template that was read.
#[derive(Debug)]
pub(super) struct Template(Box<[Piece]>);

#[derive(Debug)]
enum Piece {
    Text(&'static str),
    Field { name: &'static str, form: &'static str },
    Maybe(Template),
}

impl Template {
    /// Reads a template; `None` where a bracket is not closed.
    pub(super) fn read(template: &'static str) -> Option<Self> {
        let mut pieces = Vec::new();
        let mut rest = template;
        while let Some(at) = rest.bytes().position(|b| matches!(b, b'{' | b'[')) {
            let (text, inner) = (&rest[..at], &rest[at + 1..]);
            if !text.is_empty() {
                pieces.push(Piece::Text(text));
            }
            let (piece, end) = if rest.as_bytes()[at] == b'{' {
                let end = inner.find('}')?;
                let (name, form) = inner[..end].split_once(':').unwrap_or((&inner[..end], ""));
                (Piece::Field { name, form }, end)
            } else {
                let end = inner.find(']')?;
                (Piece::Maybe(Self::read(&inner[..end])?), end)
            };
            pieces.push(piece);
            rest = &inner[end + 1..];
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest));
        }
        Some(Self(pieces.into()))
    }

    /// Fills the template from `fields` and adds it to `out`. A part in brackets is left out where one of its fields is
    /// missing or empty; `None` where a field outside brackets is missing, and then `out` holds a part of it.
    pub(super) fn render(&self, fields: &Fields, names: &Names, out: &mut String) -> Option<()> {
        for piece in &self.0 {
            let before = out.len();
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Field { name, form } => {
                    value::in_form(fields.get(name)?, form, names, out);
                    if out.len() == before {
                        return None;
                    }
                }
                Piece::Maybe(part) => {
                    if part.render(fields, names, out).is_none() {
                        out.truncate(before);
                    }
                }
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    #[test]
    fn fills_leaves_out_and_refuses() {
        let mut fields = Fields::default();
        fields.set("seq", 1449u64).set("len", 20_480u64).set("took", Duration::from_millis(104)).set("none", "");
        let names = Names::new();
        let render = |t| {
            let mut out = String::new();
            Template::read(t)?.render(&fields, &names, &mut out).map(|()| out)
        };
        assert_eq!(render("seq {seq}").unwrap(), "seq 1449");
        assert_eq!(render("a[ {seq}][ {gone}][ {none}], {len:bytes} in {took}").unwrap(), "a 1449, 20 KiB in 104 ms");
        assert_eq!(render("{gone}"), None);
        assert_eq!(render("{seq"), None);
    }
}
