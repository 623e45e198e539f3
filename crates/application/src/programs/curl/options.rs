//! The command line.

use core::time::Duration;
use std::net::IpAddr;

use septet_presentation::ca::{ServerIdentity, TrustStore};
use septet_presentation::tls::{Trust, Versions};

use super::error::{CurlError, RetryAfter};
use super::url::Url;
use crate::dial::ATTEMPT_DELAY;
use crate::dns::Family;
use crate::programs::Console;
use crate::programs::args::{self, Arg, ArgError, At, Spec, flag, value};

/// Everything the command line asks for.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) jobs: Vec<Job>,
    /// `-X`.
    pub(super) method: Option<String>,
    /// `-H`: lines to send, an empty value taking a line away.
    pub(super) headers: Vec<(String, String)>,
    /// `-b NAME=VALUE`.
    pub(super) cookies: Vec<String>,
    /// What becomes of cookies that servers set.
    pub(super) set_cookies: SetCookies,
    pub(super) data: Option<Vec<u8>>,
    pub(super) user_agent: String,
    /// `-u`: name and password.
    pub(super) user: Option<String>,
    pub(super) show: Show,
    pub(super) verbosity: Verbosity,
    pub(super) compressed: Compressed,
    pub(super) fail: Fail,
    pub(super) write_out: Option<String>,
    pub(super) trust: Trust,
    /// `--cert` and `--key`: the files with the certificate that is shown to who asks for one, and with its key.
    pub(super) certificate: Option<String>,
    pub(super) key: Option<String>,
    /// Both, once they were read.
    pub(super) identity: Option<ServerIdentity>,
    pub(super) versions: Versions,
    pub(super) sessions: TlsSessions,
    pub(super) http: Http,
    pub(super) resolve: Vec<(String, u16, Vec<IpAddr>)>,
    pub(super) family: Family,
    /// How long an address is waited for before one of the other version of IP is tried.
    pub(super) eyeballs: Duration,
    pub(super) connect_timeout: Duration,
    pub(super) max_time: Option<Duration>,
    pub(super) retry: Retry,
    /// How many redirects are followed: none without `-L`.
    pub(super) redirects: Option<u32>,
    pub(super) repeat: Option<Repeat>,
}

/// One URL and where its body goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Job {
    pub(super) url: Url,
    pub(super) output: Output,
}

/// Where a body goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Output {
    Standard,
    File(String),
}

/// What of a response is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Show {
    Body,
    /// `-i`
    HeadAndBody,
    /// `-I`
    HeadOnly,
}

/// How much is said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verbosity {
    /// `-s`
    Silent,
    Errors,
    /// `-v`
    Verbose,
}

/// Whether content codings are asked for, and undone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Compressed {
    No,
    /// `--compressed`
    Yes,
}

/// Whether an HTTP error is an error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fail {
    Never,
    /// `-f`
    OnStatus,
    /// `--fail-with-body`: when the body has come all the same.
    WithBody,
}

/// `--retry` and what belongs to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Retry {
    pub(super) times: u32,
    /// `--retry-delay`: the same pause before each, instead of one that doubles.
    pub(super) delay: Option<Duration>,
    /// `--retry-max-time`: none begins after this time.
    pub(super) max_time: Option<Duration>,
    pub(super) after: RetryAfter,
}

/// Which HTTP is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Http {
    /// HTTP/2 where TLS can agree on it.
    Best,
    /// `--http1.1`
    Only1,
}

/// `--repeat`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Repeat {
    pub(super) times: u64,
    pub(super) interval: Duration,
    /// How many at a time: one without `--parallel`.
    pub(super) at_once: usize,
    pub(super) connections: Connections,
}

/// What becomes of cookies that servers set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SetCookies {
    Ignored,
    /// `-b ""`: they are sent with the transfers that follow.
    Kept,
}

/// What becomes of TLS sessions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum TlsSessions {
    /// Each connection begins its own.
    New,
    /// Those with a server that was met before are resumed.
    Resumed,
}

/// What becomes of a connection after a transfer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Connections {
    /// Each transfer opens its own.
    Fresh,
    /// It is kept for the next transfer to the same server.
    Reused,
}

pub(super) const SPECS: &[Spec] = &[
    flag('4', "ipv4"),
    flag('6', "ipv6"),
    value('A', "user-agent"),
    value('u', "user"),
    value('b', "cookie"),
    value(' ', "cacert"),
    value('E', "cert"),
    flag(' ', "compressed"),
    value(' ', "connect-timeout"),
    value('d', "data"),
    value(' ', "data-raw"),
    value(' ', "data-binary"),
    flag('f', "fail"),
    flag(' ', "fail-with-body"),
    flag(' ', "fresh"),
    flag(' ', "tls-resume"),
    value(' ', "happy-eyeballs-timeout-ms"),
    value('H', "header"),
    flag('I', "head"),
    flag(' ', "http1.1"),
    flag(' ', "http2"),
    flag('i', "include"),
    flag('k', "insecure"),
    value(' ', "interval"),
    value(' ', "key"),
    flag('L', "location"),
    value(' ', "max-redirs"),
    value('m', "max-time"),
    value('o', "output"),
    flag('O', "remote-name"),
    flag(' ', "parallel"),
    value(' ', "parallel-max"),
    value(' ', "repeat"),
    value(' ', "resolve"),
    value(' ', "retry"),
    flag(' ', "retry-all-errors"),
    flag(' ', "retry-connrefused"),
    value(' ', "retry-delay"),
    value(' ', "retry-max-time"),
    flag('S', "show-error"),
    flag('s', "silent"),
    value(' ', "tls-max"),
    flag(' ', "tlsv1.2"),
    flag(' ', "tlsv1.3"),
    value(' ', "url"),
    flag('v', "verbose"),
    value('w', "write-out"),
    value('X', "request"),
];

/// curl's own default, in src/tool_main's documentation of `--connect-timeout`.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(300);

impl Options {
    /// Reads the arguments; files that they name are read through `console`.
    pub(super) fn parse(console: &dyn Console, trust: &TrustStore, words: &[String]) -> Result<Self, At<CurlError>> {
        let mut options = Self {
            jobs: Vec::new(),
            method: None,
            headers: Vec::new(),
            cookies: Vec::new(),
            set_cookies: SetCookies::Ignored,
            data: None,
            user: None,
            user_agent: concat!("septet-curl/", env!("CARGO_PKG_VERSION")).to_owned(),
            show: Show::Body,
            verbosity: Verbosity::Errors,
            compressed: Compressed::No,
            fail: Fail::Never,
            write_out: None,
            trust: Trust::Roots(trust.clone()),
            certificate: None,
            key: None,
            identity: None,
            versions: Versions::Any,
            sessions: TlsSessions::New,
            http: Http::Best,
            resolve: Vec::new(),
            family: Family::Any,
            eyeballs: ATTEMPT_DELAY,
            connect_timeout: CONNECT_TIMEOUT,
            max_time: None,
            retry: Retry { times: 0, delay: None, max_time: None, after: RetryAfter::Passing },
            redirects: None,
            repeat: None,
        };
        let mut urls = Vec::new();
        let mut outputs = Vec::new();
        let (mut follow, mut max_redirects) = (false, 50);
        let (mut show_errors, mut tls_floor, mut tls_ceiling) = (false, 12, 13);
        let mut repeat = Repeat { times: 1, interval: Duration::ZERO, at_once: 1, connections: Connections::Reused };
        let (mut repeated, mut at_once) = (false, 50);
        // An option that says how to repeat.
        let mut of_repeat = None;
        args::each(SPECS, words, |arg| {
            match arg {
                Arg::Free(url) => urls.push(Url::parse(&url)?),
                Arg::Flag(name) => match name.as_str() {
                    "ipv4" => options.family = Family::V4,
                    "ipv6" => options.family = Family::V6,
                    "compressed" => options.compressed = Compressed::Yes,
                    "fail" => options.fail = Fail::OnStatus,
                    "fail-with-body" => options.fail = Fail::WithBody,
                    "head" => options.show = Show::HeadOnly,
                    "http1.1" => options.http = Http::Only1,
                    "http2" => options.http = Http::Best,
                    "include" if options.show == Show::Body => options.show = Show::HeadAndBody,
                    "insecure" => options.trust = Trust::Anyone,
                    "location" => follow = true,
                    "remote-name" => outputs.push(None),
                    "parallel" => {
                        repeat.at_once = 0;
                        of_repeat.get_or_insert("--parallel");
                    }
                    "retry-all-errors" => options.retry.after = RetryAfter::Everything,
                    "retry-connrefused" => options.retry.after = options.retry.after.max(RetryAfter::Refused),
                    "fresh" => {
                        repeat.connections = Connections::Fresh;
                        of_repeat.get_or_insert("--fresh");
                    }
                    "tls-resume" => {
                        options.sessions = TlsSessions::Resumed;
                        of_repeat.get_or_insert("--tls-resume");
                    }
                    "show-error" => show_errors = true,
                    "silent" => options.verbosity = Verbosity::Silent,
                    "tlsv1.3" => tls_floor = 13,
                    "verbose" => options.verbosity = Verbosity::Verbose,
                    _ => {}
                },
                Arg::Value(name, text) => {
                    let option = format!("--{name}");
                    match name.as_str() {
                        "url" => urls.push(Url::parse(&text)?),
                        "user-agent" => options.user_agent = text,
                        // Without a password curl asks for one; here it is empty.
                        "user" if text.contains(':') => options.user = Some(text),
                        "user" => options.user = Some(text + ":"),
                        "cert" => options.certificate = Some(text),
                        "key" => options.key = Some(text),
                        "cacert" => options.trust = Trust::Roots(read_roots(console, &text)?),
                        // curl(1): "If no "=" symbol is used in the argument, it is instead treated as a filename", and an
                        // empty one only has cookies kept.
                        "cookie" if text.is_empty() => options.set_cookies = SetCookies::Kept,
                        "cookie" if !text.contains('=') => {
                            return Err(
                                args::bad(&option, &text, "NAME=VALUE, or nothing to keep what servers set").into()
                            );
                        }
                        "cookie" => options.cookies.push(text),
                        "connect-timeout" => {
                            options.connect_timeout = limit(&option, &text)?.unwrap_or(CONNECT_TIMEOUT)
                        }
                        "data" | "data-raw" | "data-binary" => options.add_data(console, &name, &text)?,
                        "header" => options.headers.push(header_line(&option, &text)?),
                        "interval" => {
                            repeat.interval = args::span(&option, &text)?;
                            of_repeat.get_or_insert("--interval");
                        }
                        "happy-eyeballs-timeout-ms" => {
                            options.eyeballs = Duration::from_millis(args::number::<u32>(&option, &text)?.into());
                        }
                        "max-redirs" => max_redirects = args::number(&option, &text)?,
                        "max-time" => options.max_time = limit(&option, &text)?,
                        "output" => outputs.push(Some(text)),
                        "parallel-max" => {
                            at_once = args::within(&option, &text, 1, 300, "a number from 1 to 300")?;
                            of_repeat.get_or_insert("--parallel-max");
                        }
                        "repeat" => {
                            repeat.times = args::within(&option, &text, 1, u64::MAX, "a number from 1 on")?;
                            repeated = true;
                        }
                        "resolve" => options.resolve.push(resolve_entry(&option, &text)?),
                        "retry" => options.retry.times = args::number(&option, &text)?,
                        // curl(1): "Setting this option to zero makes curl use the default backoff time."
                        "retry-delay" => {
                            options.retry.delay = Some(args::duration(&option, &text)?).filter(|d| !d.is_zero());
                        }
                        "retry-max-time" => {
                            options.retry.max_time = Some(args::duration(&option, &text)?).filter(|d| !d.is_zero());
                        }
                        "tls-max" => tls_ceiling = tls_version(&option, &text)?,
                        "write-out" => options.write_out = Some(text),
                        "request" => options.method = Some(method(&option, text)?),
                        _ => {}
                    }
                }
            }
            Ok(())
        })?;
        if urls.is_empty() {
            return Err(ArgError::Missing("the URL").into());
        }
        if let Some(option) = of_repeat.filter(|_| !repeated) {
            return Err(ArgError::Without(option, "--repeat").into());
        }
        if options.key.is_some() && options.certificate.is_none() {
            return Err(ArgError::Without("--key", "--cert").into());
        }
        if show_errors && options.verbosity == Verbosity::Silent {
            options.verbosity = Verbosity::Errors;
        }
        options.versions = match (tls_floor, tls_ceiling) {
            (12, 13) => Versions::Any,
            (12, _) => Versions::Tls12,
            (_, 13) => Versions::Tls13,
            _ => return Err(CurlError::Handshake("no version of TLS is left to speak".to_owned()).into()),
        };
        options.redirects = follow.then_some(max_redirects);
        if repeat.at_once == 0 {
            repeat.at_once = at_once;
        }
        options.repeat = repeated.then_some(repeat);
        let mut outputs = outputs.into_iter();
        for url in urls {
            // As in curl, each -o or -O belongs to the URL in the same place.
            let output = match outputs.next() {
                None => Output::Standard,
                Some(Some(path)) if path == "-" => Output::Standard,
                Some(Some(path)) => Output::File(path),
                Some(None) if url.file_name().is_empty() => {
                    return Err(CurlError::Write("the URL has no file name for -O".to_owned()).into());
                }
                Some(None) => Output::File(url.file_name().to_owned()),
            };
            options.jobs.push(Job { url, output });
        }
        Ok(options)
    }

    /// Reads the certificate and the key that are shown to who asks for them. Where no file is named for the key it stands
    /// with the certificate, as in curl.
    pub(super) fn read_identity(&mut self, console: &dyn Console) -> Result<(), CurlError> {
        let Some(certificate) = &self.certificate else { return Ok(()) };
        let wrong = |e: &dyn core::fmt::Display| CurlError::Identity(format!("{certificate}: {e}"));
        let chain = console.read(certificate).map_err(|e| wrong(&e))?;
        let key = match &self.key {
            Some(file) => console.read(file).map_err(|e| CurlError::Identity(format!("{file}: {e}")))?,
            None => chain.clone(),
        };
        self.identity = Some(ServerIdentity::from_pem(&chain, &key).map_err(|e| wrong(&e))?);
        Ok(())
    }

    /// The method of the first request.
    pub(super) fn first_method(&self) -> &str {
        match (&self.method, self.show, &self.data) {
            (Some(method), _, _) => method,
            (None, Show::HeadOnly, _) => "HEAD",
            (None, _, Some(_)) => "POST",
            _ => "GET",
        }
    }

    fn add_data(&mut self, console: &dyn Console, option: &str, text: &str) -> Result<(), CurlError> {
        let more = match text.strip_prefix('@').filter(|_| option != "data-raw") {
            Some(path) => {
                let mut bytes = console.read(path).map_err(|e| CurlError::Read(e.to_string()))?;
                if option == "data" {
                    bytes.retain(|b| !matches!(b, b'\r' | b'\n' | 0));
                }
                bytes
            }
            None => text.as_bytes().to_vec(),
        };
        match &mut self.data {
            None => self.data = Some(more),
            // curl(1): "If any of these options is used more than once on the same command line, the data pieces
            // specified are merged with a separating &-symbol."
            Some(data) => {
                data.push(b'&');
                data.extend(more);
            }
        }
        Ok(())
    }
}

fn read_roots(console: &dyn Console, path: &str) -> Result<TrustStore, CurlError> {
    let file = |e: &dyn core::fmt::Display| CurlError::CaFile(format!("{path}: {e}"));
    let pem = console.read(path).map_err(|e| file(&e))?;
    TrustStore::from_pem(&pem).map_err(|e| file(&e))
}

fn header_line(option: &str, text: &str) -> Result<(String, String), ArgError> {
    let bad = || ArgError::Bad { option: option.to_owned(), value: text.to_owned(), wanted: "a header line" };
    // `Name;` sends the line with an empty value, `Name:` takes it away.
    if let Some(name) = text.strip_suffix(';').filter(|n| !n.contains(':')) {
        return Ok((name.trim().to_owned(), " ".to_owned()));
    }
    let (name, value) = text.split_once(':').ok_or_else(bad)?;
    http::HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| bad())?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

fn resolve_entry(option: &str, text: &str) -> Result<(String, u16, Vec<IpAddr>), ArgError> {
    let bad = || ArgError::Bad { option: option.to_owned(), value: text.to_owned(), wanted: "HOST:PORT:ADDRESS" };
    let mut parts = text.trim_start_matches('+').splitn(3, ':');
    let (Some(host), Some(port), Some(addresses)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(bad());
    };
    let addresses = addresses
        .split(',')
        .map(|a| a.trim_start_matches('[').trim_end_matches(']').parse().map_err(|_| bad()))
        .collect::<Result<_, _>>()?;
    Ok((host.to_ascii_lowercase(), port.parse().map_err(|_| bad())?, addresses))
}

/// curl(1): "Setting the limit to 0 (zero) means it times out in infinity time", or after its own default.
fn limit(option: &str, text: &str) -> Result<Option<Duration>, ArgError> {
    Ok(Some(args::duration(option, text)?).filter(|limit| !limit.is_zero()))
}

fn method(option: &str, text: String) -> Result<String, ArgError> {
    match http::Method::from_bytes(text.as_bytes()) {
        Ok(_) => Ok(text),
        Err(_) => Err(args::bad(option, &text, "a method")),
    }
}

fn tls_version(option: &str, text: &str) -> Result<u8, ArgError> {
    match text {
        "1.2" => Ok(12),
        "1.3" | "default" => Ok(13),
        _ => Err(ArgError::Bad { option: option.to_owned(), value: text.to_owned(), wanted: "1.2 or 1.3" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programs::Program;

    #[test]
    fn the_help_names_every_option() {
        let help = super::super::Curl.usage();
        for spec in SPECS {
            let (name, letter) = (format!("--{} ", spec.long), format!(" -{}, --{} ", spec.short, spec.long));
            assert!(help.contains(if spec.short == ' ' { &name } else { &letter }), "{}", spec.long);
        }
    }
}
