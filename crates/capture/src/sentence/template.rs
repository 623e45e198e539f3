//! The little language of the table: `{field}`, `{field:form}`, and `[parts that may be left out]`.

use septet_core::Fields;

use super::value;
use crate::Names;

/// Fills `template` from `fields`. A part in brackets is left out where one of its fields is missing or empty;
/// `None` where a field outside brackets is missing.
pub(super) fn render(template: &str, fields: &Fields, names: &Names) -> Option<String> {
    let mut out = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some(at) = rest.find(['{', '[']) {
        out.push_str(&rest[..at]);
        let inner = &rest[at + 1..];
        if rest.as_bytes()[at] == b'{' {
            let end = inner.find('}')?;
            fill(&inner[..end], fields, names, &mut out)?;
            rest = &inner[end + 1..];
        } else {
            let end = inner.find(']')?;
            if let Some(part) = render(&inner[..end], fields, names) {
                out.push_str(&part);
            }
            rest = &inner[end + 1..];
        }
    }
    out.push_str(rest);
    Some(out)
}

fn fill(slot: &str, fields: &Fields, names: &Names, out: &mut String) -> Option<()> {
    let (name, form) = slot.split_once(':').unwrap_or((slot, ""));
    let text = value::in_form(fields.get(name)?, form, names);
    if text.is_empty() {
        return None;
    }
    out.push_str(&text);
    Some(())
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
        let render = |t| render(t, &fields, &names);
        assert_eq!(render("seq {seq}").unwrap(), "seq 1449");
        assert_eq!(render("a[ {seq}][ {gone}][ {none}], {len:bytes} in {took}").unwrap(), "a 1449, 20 KiB in 104 ms");
        assert_eq!(render("{gone}"), None);
        assert_eq!(render("{seq"), None);
    }
}
