//! What can go wrong, by curl's exit codes.

use core::fmt;
use core::time::Duration;
use std::error::Error as _;
use std::io;

use septet_presentation::tls;

use crate::dns::LookupError;
use crate::programs::args::{ArgError, At};

/// Why a transfer, or the command as a whole, failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum CurlError {
    /// 1
    Protocol(String),
    /// 2
    Usage(ArgError),
    /// 3
    Url(String),
    /// 6
    Resolve { host: String, why: LookupError },
    /// 7
    Connect { host: String, port: u16, after: Duration, why: io::ErrorKind, text: String },
    /// 16
    Http2(String),
    /// 18
    Partial { missing: u64 },
    /// 22
    Status(u16),
    /// 23
    Write(String),
    /// 26
    Read(String),
    /// 28
    TimedOut { after: Duration, received: u64 },
    /// 28, before there was a connection
    ConnectTimedOut { after: Duration },
    /// 35
    Handshake(String),
    /// 47
    Redirects(u32),
    /// 52
    Empty,
    /// 56
    Receive(String),
    /// 56: the other end of TLS sent this alert
    Alert(String),
    /// 56: the body is not what the server's digest says
    Digest,
    /// 58
    Identity(String),
    /// 60
    Certificate(String),
    /// 61
    Coding(String),
    /// 77
    CaFile(String),
    /// 98
    NoIdentity,
}

impl CurlError {
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Protocol(_) => 1,
            Self::Usage(_) => 2,
            Self::Url(_) => 3,
            Self::Resolve { .. } => 6,
            Self::Connect { .. } => 7,
            Self::Http2(_) => 16,
            Self::Partial { .. } => 18,
            Self::Status(_) => 22,
            Self::Write(_) => 23,
            Self::Read(_) => 26,
            Self::TimedOut { .. } | Self::ConnectTimedOut { .. } => 28,
            Self::Handshake(_) => 35,
            Self::Redirects(_) => 47,
            Self::Empty => 52,
            Self::Receive(_) | Self::Alert(_) | Self::Digest => 56,
            Self::Identity(_) => 58,
            Self::Certificate(_) => 60,
            Self::Coding(_) => 61,
            Self::CaFile(_) => 77,
            Self::NoIdentity => 98,
        }
    }

    /// What went wrong in the TLS handshake.
    pub(super) fn from_handshake(e: &io::Error) -> Self {
        match tls::failure(e) {
            Some(tls::Failure::Certificate(why)) => Self::Certificate(why),
            Some(tls::Failure::Alert(alert)) if alert == "certificate_required" => Self::NoIdentity,
            Some(other) => Self::Handshake(other.to_string()),
            None => Self::Handshake(e.to_string()),
        }
    }

    /// What went wrong between the request and the end of the response. `received` says how much of the response,
    /// its head included, had come.
    pub(super) fn from_exchange(e: &hyper::Error, received: Progress) -> Self {
        let cause = cause(e);
        match received {
            Progress::Body { missing: Some(missing) } if ended_early(e) => Self::Partial { missing },
            Progress::Nothing if e.is_incomplete_message() || e.is_canceled() => Self::Empty,
            _ if cause.contains("http2") || cause.contains("stream error") => Self::Http2(cause),
            _ => Self::Receive(cause),
        }
    }

    /// Why `--retry` tries again after this failure, if it does.
    pub(super) fn retried(&self, after: RetryAfter) -> Option<&'static str> {
        match self {
            // curl(1): "Transient error means either: a timeout, an FTP 4xx response code or an HTTP 408, 429, 500, 502,
            // 503 or 504 response code"; and a name that cannot be resolved.
            Self::TimedOut { .. } | Self::ConnectTimedOut { .. } => Some("timeout"),
            Self::Resolve { .. } => Some("name lookup failed"),
            Self::Status(status) if is_passing(*status) => Some("HTTP error"),
            Self::Connect { why: io::ErrorKind::ConnectionRefused, .. } if after >= RetryAfter::Refused => {
                Some("connection refused")
            }
            _ if after == RetryAfter::Everything => Some("(retrying all errors)"),
            _ => None,
        }
    }
}

/// Whether a later request may get another answer.
pub(super) fn is_passing(status: u16) -> bool {
    matches!(status, 408 | 429 | 500 | 502 | 503 | 504)
}

/// How far a response had come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Progress {
    Nothing,
    Body { missing: Option<u64> },
}

/// Whether the stream ended in order, but before the message did.
fn ended_early(e: &hyper::Error) -> bool {
    let eof = |e: &io::Error| e.kind() == io::ErrorKind::UnexpectedEof;
    e.is_incomplete_message() || e.source().and_then(|s| s.downcast_ref()).is_some_and(eof)
}

fn cause(e: &hyper::Error) -> String {
    let mut error: &dyn std::error::Error = e;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

impl From<ArgError> for At<CurlError> {
    fn from(e: ArgError) -> Self {
        CurlError::Usage(e).into()
    }
}

impl From<ArgError> for CurlError {
    fn from(e: ArgError) -> Self {
        Self::Usage(e)
    }
}

impl fmt::Display for CurlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Protocol(scheme) => write!(f, "Protocol \"{scheme}\" not supported"),
            Self::Usage(e) => e.fmt(f),
            Self::Url(why) => write!(f, "URL using bad/illegal format: {why}"),
            Self::Resolve { host, why } => write!(f, "Could not resolve host: {host} ({why})"),
            Self::Connect { host, port, after, text, .. } => {
                write!(f, "Failed to connect to {host} port {port} after {} ms: {text}", after.as_millis())
            }
            Self::Http2(why) => write!(f, "HTTP/2 error: {why}"),
            Self::Partial { missing } => write!(f, "transfer closed with {missing} bytes remaining to read"),
            Self::Status(status) => write!(f, "The requested URL returned error: {status}"),
            Self::Write(why) => write!(f, "Failure writing output to destination: {why}"),
            Self::Read(why) => write!(f, "Failed to read: {why}"),
            Self::TimedOut { after, received } => {
                write!(f, "Operation timed out after {} milliseconds with {received} bytes received", after.as_millis())
            }
            Self::ConnectTimedOut { after } => {
                write!(f, "Connection timed out after {} milliseconds", after.as_millis())
            }
            Self::Handshake(why) => write!(f, "TLS connect error: {why}"),
            Self::Redirects(n) => write!(f, "Maximum ({n}) redirects followed"),
            Self::Empty => f.write_str("Empty reply from server"),
            Self::Receive(why) => write!(f, "Recv failure: {why}"),
            Self::Alert(alert) => write!(f, "TLS receive error: the server sent the alert {alert}"),
            Self::Digest => f.write_str("the body differs from the server's Repr-Digest"),
            Self::Identity(why) => write!(f, "could not load PEM client certificate from {why}"),
            Self::Coding(why) => f.write_str(why),
            Self::Certificate(why) if why.starts_with("no alternative certificate subject name") => {
                write!(f, "SSL: {why}")
            }
            Self::Certificate(why) => write!(f, "SSL certificate problem: {why}"),
            Self::NoIdentity => f.write_str("TLS connect error: the server sent the alert certificate_required"),
            Self::CaFile(why) => write!(f, "error setting certificate file: {why}"),
        }
    }
}

/// After which failures a transfer is tried again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum RetryAfter {
    /// After those that pass by themselves.
    Passing,
    /// `--retry-connrefused`: after a refused connection too.
    Refused,
    /// `--retry-all-errors`
    Everything,
}

impl From<septet_presentation::compression::Fault> for CurlError {
    fn from(fault: septet_presentation::compression::Fault) -> Self {
        Self::Coding(format!("Error while processing content unencoding: {fault}"))
    }
}
