//! The little language of the table: `{field}`, `{field:form}`, and `[parts that may be left out]`.

use septet_core::Fields;

use super::value;
use crate::Names;

/// Fills `template` from `fields` and adds it to `out`. A part in brackets is left out where one of its fields is
/// missing or empty; `None` where a field outside brackets is missing, and then `out` holds a part of it.
pub(super) fn render(template: &str, fields: &Fields, names: &Names, out: &mut String) -> Option<()> {
    let mut rest = template;
    while let Some(at) = rest.bytes().position(|b| matches!(b, b'{' | b'[')) {
        out.push_str(&rest[..at]);
        let inner = &rest[at + 1..];
        if rest.as_bytes()[at] == b'{' {
            let end = inner.find('}')?;
            fill(&inner[..end], fields, names, out)?;
            rest = &inner[end + 1..];
        } else {
            let end = inner.find(']')?;
            let before = out.len();
            if render(&inner[..end], fields, names, out).is_none() {
                out.truncate(before);
            }
            rest = &inner[end + 1..];
        }
    }
    out.push_str(rest);
    Some(())
}

fn fill(slot: &str, fields: &Fields, names: &Names, out: &mut String) -> Option<()> {
    let (name, form) = slot.split_once(':').unwrap_or((slot, ""));
    let before = out.len();
    value::in_form(fields.get(name)?, form, names, out);
    (out.len() > before).then_some(())
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
            render(t, &fields, &names, &mut out).map(|()| out)
        };
        assert_eq!(render("seq {seq}").unwrap(), "seq 1449");
        assert_eq!(render("a[ {seq}][ {gone}][ {none}], {len:bytes} in {took}").unwrap(), "a 1449, 20 KiB in 104 ms");
        assert_eq!(render("{gone}"), None);
        assert_eq!(render("{seq"), None);
    }
}
