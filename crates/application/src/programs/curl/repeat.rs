//! The whole command: each URL once, or `--repeat` times, with retries, counters and the summary.

use core::fmt;
use core::time::Duration;
use septet_core::{Metric, Star};
use std::sync::Arc;

use futures_util::stream::{FuturesUnordered, StreamExt};
use septet_core::{Fields, Storey};
use septet_socket::NetExt;

use super::error::{CurlError, is_passing};
use super::options::{Job, Options, Output, Repeat};
use super::output::{Sink, Teller};
use super::transfer::{Report, Session};
use super::write_out;
use crate::programs::Context;

/// Runs the command and gives its exit status.
pub(super) async fn run(context: Context, options: Options) -> u8 {
    let teller = Teller::new(context.clone(), &options);
    let session = Arc::new(Session::new(context.net.clone(), options, teller));
    match session.options.repeat.clone() {
        None => {
            let mut status = 0;
            // As in curl the last transfer counts.
            for job in &session.options.jobs {
                status = one(&context, &session, job).await.1.map_or_else(|e| e.exit_code(), |()| 0);
            }
            status
        }
        Some(repeat) => many(&context, &session, &repeat).await,
    }
}

/// One transfer with its retries.
async fn one(context: &Context, session: &Session, job: &Job) -> (Report, Result<(), CurlError>) {
    let retry = session.options.retry;
    let begun = session.net.now();
    let mut pause = Duration::from_secs(1);
    let mut left = retry.times;
    loop {
        let (report, result) = match sink(context, session, job) {
            Ok(mut sink) => session.transfer(&job.url, &mut sink).await,
            Err(e) => (Report::default(), Err(e)),
        };
        let passing = match &result {
            Err(e) => e.retried(retry.after),
            Ok(()) => is_passing(report.status).then_some("HTTP error"),
        };
        let fails = |f: &mut Fields, why: &dyn fmt::Display| {
            if let Some(peer) = report.remote {
                f.set("peer", peer);
            }
            f.set("target", job.url.to_string()).set("why", why.to_string());
            if let Some(took) = report.times.total {
                f.set("took", took);
            }
        };
        // A server may say when it is worth the trouble (RFC 9110 §10.2.3).
        let wait = report.retry_after.unwrap_or(retry.delay.unwrap_or(pause));
        let in_time = retry.max_time.is_none_or(|most| session.net.now() - begun + wait < most);
        if let Some(why) = passing
            && left > 0
            && in_time
        {
            left -= 1;
            session.net.trace(Storey::Application, "http.retry", |f| match &result {
                Err(e) => fails(f, e),
                Ok(()) => fails(f, &format_args!("the server answered {}", report.status)),
            });
            session.teller.warn(&format!(
                "Problem: {why}. Will retry in {} second{}. {left} retr{} left.",
                wait.as_secs_f64(),
                if wait == Duration::from_secs(1) { "" } else { "s" },
                if left == 1 { "y" } else { "ies" }
            ));
            session.net.count("http.retries");
            session.net.sleep(wait).await;
            // curl(1): "it will first wait one second and then for all forthcoming retries it will double the waiting
            // time until it reaches 10 minutes".
            pause = (pause * 2).min(Duration::from_secs(600));
            continue;
        }
        record(session, &report, &result);
        if let Err(e) = &result {
            session.net.trace(Storey::Application, "http.failed", |f| fails(f, e));
            session.teller.error(e);
        }
        if let Some(format) = &session.options.write_out {
            context.console.out(write_out::render(format, &report, result.as_ref().copied()).as_bytes());
        }
        return (report, result);
    }
}

/// The body goes where the command says; repeated bodies are checked instead of shown.
fn sink(context: &Context, session: &Session, job: &Job) -> Result<Sink, CurlError> {
    match (&session.options.repeat, &job.output) {
        (Some(_), Output::Standard) => Ok(Sink::Nowhere),
        (_, output) => Sink::open(context, output),
    }
}

fn record(session: &Session, report: &Report, result: &Result<(), CurlError>) {
    let net = &session.net;
    if report.status > 0 {
        net.count(&format!("http.status.{:03}", report.status));
    }
    if report.downloaded > 0 {
        net.observe("http.bytes", report.downloaded as f64);
    }
    match result {
        Ok(()) if report.status < 400 => {
            net.count("http.ok");
            for (name, time) in [
                ("http.time", report.times.total),
                ("http.time.lookup", report.times.lookup),
                ("http.time.connect", report.times.connect),
                ("http.time.handshake", report.times.handshake),
                ("http.time.first_byte", report.times.first_byte),
            ] {
                if let Some(time) = time {
                    net.observe(name, time.as_secs_f64());
                }
            }
        }
        Ok(()) => net.count("http.error"),
        Err(e) => {
            net.count("http.error");
            net.count(&format!("http.exit.{}", e.exit_code()));
            if *e == CurlError::Digest {
                net.count("http.corrupt");
            }
        }
    }
}

/// Every URL `times` times, one begun each `interval`.
async fn many(context: &Context, session: &Arc<Session>, repeat: &Repeat) -> u8 {
    let net = &session.net;
    let begun = net.now();
    let mut tally = Tally::default();
    let mut running = FuturesUnordered::new();
    for turn in 0..repeat.times {
        let due = begun + repeat.interval.saturating_mul(u32::try_from(turn).unwrap_or(u32::MAX));
        // Transfers under way are driven on while the next one waits for its time and its place.
        let mut pause = net.sleep_until(due);
        loop {
            if running.len() >= repeat.at_once {
                if let Some(done) = running.next().await {
                    tally.add(done);
                }
            } else if running.is_empty() {
                pause.await;
                break;
            } else {
                match futures_util::future::select(&mut pause, running.next()).await {
                    futures_util::future::Either::Left(_) => break,
                    futures_util::future::Either::Right((done, _)) => done.into_iter().for_each(|d| tally.add(d)),
                }
            }
        }
        running.push(async move {
            let mut results = Vec::new();
            for job in &session.options.jobs {
                results.push(one(context, session, job).await);
            }
            results
        });
    }
    while let Some(done) = running.next().await {
        tally.add(done);
    }
    if session.options.write_out.is_none() && session.options.verbosity != super::options::Verbosity::Silent {
        context.console.out(tally.text(net.now() - begun).as_bytes());
    }
    tally.exit
}

#[derive(Default)]
struct Tally {
    ok: u64,
    failed: u64,
    bytes: u64,
    times: Vec<f64>,
    exit: u8,
}

impl Tally {
    fn add(&mut self, results: Vec<(Report, Result<(), CurlError>)>) {
        for (report, result) in results {
            self.bytes += report.downloaded;
            match result {
                Ok(()) if report.status < 400 => {
                    self.ok += 1;
                    self.times.push(report.times.total.unwrap_or_default().as_secs_f64());
                }
                Ok(()) => self.failed += 1,
                Err(e) => {
                    self.failed += 1;
                    self.exit = e.exit_code();
                }
            }
        }
    }

    fn text(&mut self, took: Duration) -> String {
        let mut text = format!(
            "{} transfers in {:.3} s: {} ok, {} failed, {} bytes\n",
            self.ok + self.failed,
            took.as_secs_f64(),
            self.ok,
            self.failed,
            self.bytes
        );
        self.times.sort_by(f64::total_cmp);
        if let (Some(min), Some(max)) = (self.times.first(), self.times.last()) {
            let at = |p: f64| self.times[((self.times.len() - 1) as f64 * p).round() as usize];
            text.push_str(&format!(
                "time min/median/p95/max = {:.3}/{:.3}/{:.3}/{:.3} s\n",
                min,
                at(0.5),
                at(0.95),
                max
            ));
        }
        text
    }
}

/// What a transfer records.
pub(super) const METRICS: &[Metric] = &[
    Metric::counter("http.ok", "transfers that ended well: with a status below 400 and, under `--repeat`, a body that is what the server's `Repr-Digest` says"),
    Metric::counter("http.error", "transfers that did not end well"),
    Metric::counter("http.retries", "transfers that `--retry` tried again"),
    Metric::counter("http.corrupt", "bodies that differ from the server's digest"),
    Metric::counter("http.status.*", "responses with this status: `http.status.404`").of(Star::Number),
    Metric::counter("http.exit.*", "transfers that failed with this exit status of curl: 6 no such name, 7 no connection, 18 short body, 28 timeout, 35, 60 and 98 TLS, 52 no answer, 56 broken off").of(Star::Number),
    Metric::bytes("http.bytes", "bytes of the body of each transfer"),
    Metric::times("http.time", "from the beginning of a transfer that ends well to its end"),
    Metric::times("http.time.lookup", "from the beginning of such a transfer to the name found"),
    Metric::times("http.time.connect", "from the beginning of such a transfer to the connection open"),
    Metric::times("http.time.handshake", "from the beginning of such a transfer to TLS agreed"),
    Metric::times("http.time.first_byte", "from the beginning of such a transfer to the first byte of the response"),
];
