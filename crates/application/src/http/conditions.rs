//! Preconditions: whether a request is to be carried out at all, and whether its ranges hold (RFC 9110 §13).

use http::header::{HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE};
use http::{HeaderMap, Method, StatusCode};

/// What a representation is told apart by: its entity tag, quotes included, and when it was last modified in seconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(super) struct Validators<'a> {
    pub(super) etag: &'a str,
    pub(super) modified: Option<u64>,
}

/// The status with which the preconditions end the request, where one of them is false: §13.2.2, in its order.
pub(super) fn judge(of: Validators<'_>, method: &Method, asked: &HeaderMap) -> Option<StatusCode> {
    let reads = *method == Method::GET || *method == Method::HEAD;
    if asked.contains_key(IF_MATCH) {
        // §13.1.1: "An origin server MUST use the strong comparison function when comparing entity tags for If-Match".
        if !lists(asked, &IF_MATCH, |tag| tag == of.etag) {
            return Some(StatusCode::PRECONDITION_FAILED);
        }
    } else if let (Some(modified), Some(since)) = (of.modified, date(asked, &IF_UNMODIFIED_SINCE))
        && modified > since
    {
        return Some(StatusCode::PRECONDITION_FAILED);
    }
    if asked.contains_key(IF_NONE_MATCH) {
        // §13.1.2: "A recipient MUST use the weak comparison function when comparing entity tags for If-None-Match".
        if lists(asked, &IF_NONE_MATCH, |tag| opaque(tag) == opaque(of.etag)) {
            return Some(if reads { StatusCode::NOT_MODIFIED } else { StatusCode::PRECONDITION_FAILED });
        }
    } else if let (true, Some(modified), Some(since)) = (reads, of.modified, date(asked, &IF_MODIFIED_SINCE))
        && modified <= since
    {
        return Some(StatusCode::NOT_MODIFIED);
    }
    None
}

/// Whether `Range` is to be heeded as far as `If-Range` goes: §13.1.5.
pub(super) fn range_holds(of: Validators<'_>, asked: &HeaderMap) -> bool {
    let Some(field) = asked.get(IF_RANGE) else { return true };
    let Ok(field) = field.to_str().map(str::trim) else { return false };
    if field.starts_with('"') || field.starts_with("W/") {
        // "A recipient … MUST use the strong comparison function when comparing entity tags".
        return field == of.etag && !field.starts_with("W/");
    }
    // "If the HTTP-date validator provided exactly matches the Last-Modified field value for the selected representation".
    of.modified.is_some_and(|modified| seconds(field) == Some(modified))
}

/// Whether the field has `*` or a tag that fits.
fn lists(asked: &HeaderMap, name: &HeaderName, fits: impl Fn(&str) -> bool) -> bool {
    asked
        .get_all(name)
        .iter()
        .filter_map(|field| field.to_str().ok())
        .any(|field| field.trim() == "*" || tags(field).any(&fits))
}

/// The tags of a list. A comma may stand inside of one.
fn tags(mut rest: &str) -> impl Iterator<Item = &str> {
    core::iter::from_fn(move || {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let opens = rest.find('"').filter(|at| matches!(&rest[..*at], "" | "W/"))?;
        let ends = opens + 1 + rest[opens + 1..].find('"')? + 1;
        let tag = &rest[..ends];
        rest = &rest[ends..];
        Some(tag)
    })
}

fn opaque(tag: &str) -> &str {
    tag.trim_start_matches("W/")
}

fn date(asked: &HeaderMap, name: &HeaderName) -> Option<u64> {
    // §13.1.3: "A recipient MUST ignore the If-Modified-Since header field if the received field value is not a valid HTTP-date,
    // the field value has more than one member".
    let mut fields = asked.get_all(name).iter();
    let field = fields.next()?;
    fields.next().is_none().then(|| seconds(field.to_str().ok()?.trim())).flatten()
}

fn seconds(date: &str) -> Option<u64> {
    let at = httpdate::parse_http_date(date).ok()?;
    at.duration_since(std::time::UNIX_EPOCH).ok().map(|since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn in_the_order_of_the_standard() {
        let of = Validators { etag: "\"a,b\"", modified: Some(784_111_777) };
        let with = |fields: &[(HeaderName, &str)]| {
            HeaderMap::from_iter(fields.iter().map(|(n, v)| (n.clone(), HeaderValue::from_str(v).unwrap())))
        };
        let judged =
            |method: &Method, fields: &[(HeaderName, &str)]| judge(of, method, &with(fields)).map(|s| s.as_u16());
        let (then, before) = ("Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:36 GMT");
        for (method, fields, status) in [
            (Method::GET, &[(IF_NONE_MATCH, "\"x\", W/\"a,b\"")][..], Some(304)),
            (Method::GET, &[(IF_NONE_MATCH, "\"a\", \"b\"")], None),
            (Method::GET, &[(IF_NONE_MATCH, "*")], Some(304)),
            (Method::PUT, &[(IF_NONE_MATCH, "*")], Some(412)),
            (Method::GET, &[(IF_MODIFIED_SINCE, then)], Some(304)),
            (Method::GET, &[(IF_MODIFIED_SINCE, before)], None),
            (Method::GET, &[(IF_MODIFIED_SINCE, "yesterday")], None),
            (Method::POST, &[(IF_MODIFIED_SINCE, then)], None),
            // "A recipient MUST ignore If-Modified-Since if the request contains an If-None-Match header field".
            (Method::GET, &[(IF_NONE_MATCH, "\"x\""), (IF_MODIFIED_SINCE, then)], None),
            (Method::GET, &[(IF_MATCH, "\"a,b\"")], None),
            (Method::GET, &[(IF_MATCH, "W/\"a,b\"")], Some(412)),
            (Method::GET, &[(IF_MATCH, "\"x\"")], Some(412)),
            (Method::GET, &[(IF_UNMODIFIED_SINCE, before)], Some(412)),
            (Method::GET, &[(IF_UNMODIFIED_SINCE, then)], None),
            (Method::GET, &[(IF_MATCH, "*"), (IF_UNMODIFIED_SINCE, before)], None),
            (Method::GET, &[(IF_MATCH, "\"a,b\""), (IF_NONE_MATCH, "\"a,b\"")], Some(304)),
        ] {
            assert_eq!(judged(&method, fields), status, "{method} {fields:?}");
        }
        for (field, holds) in [(then, true), (before, false), ("\"a,b\"", true), ("W/\"a,b\"", false), ("\"x\"", false)]
        {
            assert_eq!(range_holds(of, &with(&[(IF_RANGE, field)])), holds, "{field}");
        }
    }
}
