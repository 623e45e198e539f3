//! What curl says while it works, and where the body goes.

use std::io::Write;

use http::HeaderMap;

use super::error::CurlError;
use super::options::{Options, Output, Verbosity};
use crate::http::Version;
use crate::programs::Context;

/// Where the body of one transfer goes.
pub(super) enum Sink {
    Standard(Context),
    File(Box<dyn Write + Send>),
    Nowhere,
}

impl Sink {
    pub(super) fn open(context: &Context, output: &Output) -> Result<Self, CurlError> {
        Ok(match output {
            Output::Standard => Self::Standard(context.clone()),
            Output::File(path) if path == "/dev/null" => Self::Nowhere,
            Output::File(path) => {
                Self::File(context.console.create(path).map_err(|e| CurlError::Write(e.to_string()))?)
            }
        })
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), CurlError> {
        match self {
            Self::Standard(context) => context.console.out(bytes),
            Self::File(file) => file.write_all(bytes).map_err(|e| CurlError::Write(e.to_string()))?,
            Self::Nowhere => {}
        }
        Ok(())
    }
}

/// Tells on standard error what happens.
#[derive(Clone)]
pub(super) struct Teller {
    context: Context,
    verbosity: Verbosity,
}

impl Teller {
    pub(super) fn new(context: Context, options: &Options) -> Self {
        Self { context, verbosity: options.verbosity }
    }

    /// A line of `-v` that begins with a star.
    pub(super) fn info(&self, line: impl FnOnce() -> String) {
        if self.verbosity == Verbosity::Verbose {
            self.say(&format!("* {}\n", line()));
        }
    }

    /// The head of a request or a response, as `-v` shows it.
    pub(super) fn head(&self, mark: char, head: &str) {
        if self.verbosity == Verbosity::Verbose {
            let lines: String = head.split("\r\n").map(|l| format!("{mark} {l}\n")).collect();
            // The text ends with an empty line, and splitting gives one more.
            self.say(lines.strip_suffix(&format!("{mark} \n")).unwrap_or(&lines));
        }
    }

    /// An error, unless `-s`.
    pub(super) fn error(&self, e: &CurlError) {
        if self.verbosity != Verbosity::Silent {
            self.say(&format!("curl: ({}) {e}\n", e.exit_code()));
        }
    }

    /// A warning, unless `-s`.
    pub(super) fn warn(&self, text: &str) {
        if self.verbosity != Verbosity::Silent {
            self.say(&format!("Warning: {text}\n"));
        }
    }

    fn say(&self, text: &str) {
        self.context.console.err(text.as_bytes());
    }
}

/// A head as text: its first line, the fields, an empty line.
pub(super) fn head_text(first: &str, headers: &HeaderMap, version: Version) -> String {
    let mut text = format!("{first}\r\n");
    for (name, value) in headers {
        let name = match version {
            Version::Http2 => name.as_str().to_owned(),
            // HTTP/1.1 sends them so; the names that we get are folded to lower case.
            Version::Http1 => title_case(name.as_str()),
        };
        text.push_str(&format!("{name}: {}\r\n", String::from_utf8_lossy(value.as_bytes())));
    }
    text.push_str("\r\n");
    text
}

fn title_case(name: &str) -> String {
    name.split('-')
        .map(|word| {
            let mut chars = word.chars();
            chars.next().map_or_else(String::new, |c| c.to_ascii_uppercase().to_string() + chars.as_str())
        })
        .collect::<Vec<_>>()
        .join("-")
}

/// A status line: HTTP/2 has no reason phrase, and curl prints the blank before it all the same.
pub(super) fn status_line(status: http::StatusCode, version: Version) -> String {
    match version {
        Version::Http1 => format!("HTTP/1.1 {} {}", status.as_u16(), status.canonical_reason().unwrap_or("")),
        Version::Http2 => format!("HTTP/2 {} ", status.as_u16()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads() {
        let headers = HeaderMap::from_iter([(http::header::CONTENT_TYPE, http::HeaderValue::from_static("a/b"))]);
        assert_eq!(head_text("HTTP/2 200 ", &headers, Version::Http2), "HTTP/2 200 \r\ncontent-type: a/b\r\n\r\n");
        assert_eq!(
            head_text("HTTP/1.1 200 OK", &headers, Version::Http1),
            "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\n\r\n"
        );
    }
}
