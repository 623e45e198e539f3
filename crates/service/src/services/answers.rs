//! `answers = ["/flaky: 503 for 30%"]`: what a web server answers on purpose.

use core::str::FromStr;
use core::time::Duration;

use septet_application::http::{
    About, Answer, Content, Cut, HeaderName, HeaderValue, LOCATION, Method, Place, Rule, StatusCode, Which,
};
use septet_core::Instant;
use septet_language::document::Text;
use septet_language::schema::Phrase;
use septet_language::units::{self, Refusal};
use septet_language::words::{Word, Words, Wrong};

/// A rule in the lab file.
pub(crate) const ANSWER: Phrase<Rule> =
    Phrase { what: "an answer", example: "/flaky: 503 for 30%", read: |_, text| rule(text) };

/// Reads `ABOUT: ANSWER`, `/slow: after 2s`.
fn rule(text: &Text) -> Result<Rule, Wrong> {
    let whole = Word { text: &text.text, at: 0 };
    let Some((about, answer)) = split(whole) else {
        return Err(Wrong::new("answer", whole.range(), "it is not said which requests this is about")
            .label("no colon")
            .help("for example `/flaky: 503 for 30%`, or `*: 503` for every request".to_owned()));
    };
    let about = read_about(about)?;
    let (answer, share) = read_answer(answer)?;
    Ok(Rule { text: text.text.trim().to_owned(), about, share, answer })
}

/// The parts around the first colon that ends a word: paths may hold others.
fn split(whole: Word<'_>) -> Option<(Word<'_>, Word<'_>)> {
    let ends_a_word = |at: usize| whole.text[at + 1..].chars().next().is_none_or(char::is_whitespace);
    let (colon, _) = whole.text.match_indices(':').find(|(at, _)| ends_a_word(*at))?;
    let (before, after) = (&whole.text[..colon], &whole.text[colon + 1..]);
    Some((Word { text: before, at: whole.at }, Word { text: after, at: whole.at + colon + 1 }))
}

fn read_about(part: Word<'_>) -> Result<About, Wrong> {
    let mut words = Words::new(part);
    let mut about = About::default();
    let mut any = false;
    let twice = |word: Word<'_>, what: &str| Wrong::new("answer", word.range(), format!("a second {what}"));
    while let Some(word) = words.next() {
        any = true;
        if word.text == "*" {
            continue;
        } else if word.text.starts_with('/') {
            if let Some(at) = word.text.strip_suffix('*').unwrap_or(word.text).find('*') {
                let place = word.at + at..word.at + at + 1;
                return Err(Wrong::new("answer", place, "`*` stands at the end of a path only"));
            }
            if about.path.replace(word.text.to_owned()).is_some() {
                return Err(twice(word, "path"));
            }
        } else if let Some((from, to)) = word.split_once("..") {
            let (from, to) = (time(from)?, time(to)?);
            if to <= from {
                return Err(
                    Wrong::new("window", word.range(), "the time window ends before it begins").label("backwards")
                );
            }
            if about.window.replace((Instant::ZERO + from, Instant::ZERO + to)).is_some() {
                return Err(twice(word, "time window"));
            }
        } else if let Some(which) = read_which(word, &mut words)? {
            if about.which != Which::All {
                return Err(twice(word, "choice by number"));
            }
            about.which = which;
        } else if word.text.bytes().all(|b| b.is_ascii_uppercase()) {
            let method = Method::from_str(word.text).map_err(|_| Wrong::new("answer", word.range(), "no method"))?;
            if about.method.replace(method).is_some() {
                return Err(twice(word, "method"));
            }
        } else {
            return Err(Wrong::new("unknown-word", word.range(), format!("`{}` names no requests", word.text))
                .label("not understood")
                .help("a path, a method, `5s..8s`, `first 3`, `every 5`, `number 2`, or `*` for all".to_owned()));
        }
    }
    if any {
        Ok(about)
    } else {
        Err(Wrong::new("answer", part.range(), "it is not said which requests this is about")
            .help("`*` for every request".to_owned()))
    }
}

fn read_which(word: Word<'_>, words: &mut Words<'_>) -> Result<Option<Which>, Wrong> {
    let which = match word.text {
        "first" => Which::First,
        "every" => Which::Every,
        "number" => Which::Number,
        _ => return Ok(None),
    };
    let number = words.expect("a number", "`first 3`")?;
    match number.text.parse() {
        Ok(n) if n > 0 => Ok(Some(which(n))),
        _ => Err(Wrong::new("number", number.range(), format!("`{}` is not a number from 1 on", number.text))),
    }
}

fn read_answer(part: Word<'_>) -> Result<(Answer, f64), Wrong> {
    let words = &mut Words::new(part);
    let (mut answer, mut share) = (Answer::default(), 1.0);
    if words.peek().is_none() {
        return Err(Wrong::new("incomplete", part.range(), "an answer is missing").help("for example `503`".to_owned()));
    }
    while let Some(word) = words.next() {
        match word.text {
            "after" => {
                answer.after = time(words.expect("a time", "`after 2s`")?)?;
            }
            "jitter" => {
                answer.jitter = time(words.expect("a time", "`after 2s jitter 500ms`")?)?;
            }
            "for" => {
                let word = words.expect("a share", "`for 30%`")?;
                share = units::ratio(word.text).map_err(|r| Wrong::refused("unit", word.range(), r))?;
                if !(share > 0.0 && share <= 1.0) {
                    return Err(Wrong::new("number", word.range(), "the share is not above 0 % and up to 100 %"));
                }
            }
            "to" => {
                let word = words.expect("where to", "`302 to /y`")?;
                if !answer.status.is_some_and(|s| s.is_redirection() || s == StatusCode::CREATED) {
                    return Err(Wrong::new("answer", word.range(), "only a redirect leads elsewhere")
                        .help("for example `302 to /y`".to_owned()));
                }
                answer.headers.push((LOCATION, value(word)?));
            }
            "with" => {
                let name = words.expect("a field", "`with retry-after 2`")?;
                let known = HeaderName::from_str(&name.text.to_ascii_lowercase());
                let known = known.map_err(|_| Wrong::new("answer", name.range(), "this is not the name of a field"))?;
                if ["content-length", "transfer-encoding", "connection", "date"].contains(&known.as_str()) {
                    return Err(Wrong::new("answer", name.range(), format!("the server sets `{known}` itself")));
                }
                answer.headers.push((known, value(words.expect("its value", "`with retry-after 2`")?)?));
            }
            "body" => {
                let word = words.expect("a size", "`body 20kb`")?;
                let size = units::size(word.text).map_err(|r| Wrong::refused("unit", word.range(), r))?;
                answer.body = Some(Content::Pattern(size.0));
            }
            "text" => {
                let word = words.expect("a text", "`text \"sorry\"`")?;
                let text = quoted(word, words)?;
                answer.body = Some(Content::Bytes(text.into()));
            }
            "close" | "reset" | "stall" => {
                let cut = match word.text {
                    "close" => Cut::Close,
                    "reset" => Cut::Reset,
                    _ => Cut::Stall,
                };
                let place = if words.take("at") {
                    let word = words.expect("a size", "`reset at 10kb`")?;
                    Place::Body(units::size(word.text).map_err(|r| Wrong::refused("unit", word.range(), r))?.0)
                } else {
                    Place::Start
                };
                if answer.cut.replace((place, cut)).is_some() {
                    return Err(Wrong::new("answer", word.range(), "the answer breaks off already"));
                }
            }
            _ => {
                let status = word.text.parse().ok().filter(|n: &u16| (200..600).contains(n));
                let Some(status) = status.and_then(|n| StatusCode::from_u16(n).ok()) else {
                    return Err(unknown(word));
                };
                if answer.status.replace(status).is_some() {
                    return Err(Wrong::new("answer", word.range(), "a second status"));
                }
            }
        }
    }
    if answer.cut.is_some_and(|(place, _)| place == Place::Start) && (answer.status.is_some() || answer.body.is_some())
    {
        return Err(Wrong::new("answer", part.range(), "what breaks off at once has neither status nor body")
            .help("`at 0b` breaks off after the head".to_owned()));
    }
    if answer.jitter > answer.after {
        return Err(Wrong::new("answer", part.range(), "the jitter is larger than the time that it varies"));
    }
    Ok((answer, share))
}

fn unknown(word: Word<'_>) -> Wrong {
    if word.text.starts_with(|c: char| c.is_ascii_digit()) {
        return Wrong::new("answer", word.range(), format!("`{}` is not a status", word.text))
            .help("a number from 200 to 599; a delay is written `after 2s`, a share `for 30%`".to_owned());
    }
    let known = ["after", "jitter", "for", "to", "with", "body", "text", "close", "reset", "stall"];
    Wrong::new("unknown-word", word.range(), format!("`{}` is no part of an answer", word.text))
        .label("not understood")
        .help(septet_language::nearest::suggest(word.text, "parts", known))
}

/// The text between quotation marks, or one word.
fn quoted(first: Word<'_>, words: &mut Words<'_>) -> Result<String, Wrong> {
    let Some(begun) = first.text.strip_prefix('"') else { return Ok(first.text.to_owned()) };
    let rest = words.rest();
    let end = first.range().end;
    // Between the first word and the rest stands what parted them.
    let whole = format!("{begun}{}{}", " ".repeat(rest.at.saturating_sub(end)), rest.text);
    let Some(close) = whole.find('"') else {
        return Err(Wrong::new("answer", first.range(), "the \" is never closed"));
    };
    while words.peek().is_some_and(|w| w.at < first.at + 1 + close) {
        words.next();
    }
    Ok(whole[..close].to_owned())
}

fn value(word: Word<'_>) -> Result<HeaderValue, Wrong> {
    HeaderValue::from_str(word.text).map_err(|_| Wrong::new("answer", word.range(), "a field cannot hold this"))
}

fn time(word: Word<'_>) -> Result<Duration, Wrong> {
    units::time(word.text)
        .map_err(|refusal: Refusal| Wrong::refused("unit", word.range(), refusal).label("not understood"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Rule, Wrong> {
        rule(&Text::bare(line.to_owned(), 0..line.len()))
    }

    #[test]
    fn characters_of_several_octets_are_no_stumbling_block() {
        assert_eq!(read("/é: 500").unwrap().about.path.as_deref(), Some("/é"));
        for wrong in ["first 0\u{ce9f9}1: 500", "/*é: 500", "é", "é:é", "/x: 5\u{301}03"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn rules() {
        let rule = read("GET /api/* first 3 5s..8s: 503 after 2s jitter 500ms with retry-after 2 for 30%").unwrap();
        let second = Instant::from_secs;
        let about = About {
            path: Some("/api/*".into()),
            method: Some(Method::GET),
            window: Some((second(5), second(8))),
            which: Which::First(3),
        };
        assert_eq!((rule.about, rule.share), (about, 0.3));
        assert_eq!(rule.answer.status, Some(StatusCode::SERVICE_UNAVAILABLE));
        assert_eq!((rule.answer.after.as_millis(), rule.answer.jitter.as_millis()), (2_000, 500));
        assert_eq!(rule.answer.headers, [(HeaderName::from_static("retry-after"), HeaderValue::from_static("2"))]);

        assert_eq!(read("/r: 302 to /y").unwrap().answer.headers[0].0, LOCATION);
        assert_eq!(read("/x: reset at 10kb").unwrap().answer.cut, Some((Place::Body(10_240), Cut::Reset)));
        assert_eq!(read("every 5: stall").unwrap().answer.cut, Some((Place::Start, Cut::Stall)));
        let text = read("*: 500 text \"so sorry\" for 5%").unwrap();
        assert_eq!((text.answer.body, text.share), (Some(Content::Bytes("so sorry".into())), 0.05));
        assert_eq!(read("/a:b/c: 404").unwrap().about.path.as_deref(), Some("/a:b/c"));
    }

    #[test]
    fn mistakes_stand_in_their_places() {
        for (line, part) in [
            ("503", "503"),
            (": 503", ""),
            ("/x:", ""),
            ("/x: 99", "99"),
            ("/x: 503 502", "502"),
            ("/x: 503 after soon", "soon"),
            ("/x: 503 fro 30%", "fro"),
            ("/x: 503 for 130%", "130%"),
            ("/x /y: 503", "/y"),
            ("/*/y: 503", "*"),
            ("8s..5s: 503", "8s..5s"),
            ("first 0: 503", "0"),
            ("frist 3: 503", "frist"),
            ("/x: 503 to /y", "/y"),
            ("/x: 200 with content-length 5", "content-length"),
            ("/x: close reset", "reset"),
            ("/x: 500 text \"so", "\"so"),
        ] {
            let wrong = read(line).unwrap_err();
            assert_eq!(&line[wrong.at.clone()].trim(), &part, "{line}: {wrong:?}");
        }
    }
}
