//! `mtr --report`: the routers on the way to a host, how many packets each loses, and how long it takes.

use core::time::Duration;
use std::net::{IpAddr, SocketAddr};

use septet_core::Metric;
use septet_socket::{BoxFuture, NetExt, NetRef};

use super::args::{self, Arg, ArgError, At, Spec, flag, value};
use super::hop::{Hop, probe, probe_tcp, probe_udp};
use super::names::Names;
use super::syn;
use super::{Context, Misuse, Needs, Program, complain};
use crate::dns::Family;

/// The program.
pub(super) struct Mtr;

impl Program for Mtr {
    fn name(&self) -> &'static str {
        "mtr"
    }

    fn summary(&self) -> &'static str {
        "reports loss and times of every router on the way to a host"
    }

    fn usage(&self) -> &'static str {
        "Usage: mtr --report [options] <hostname>
 -4, -6             Only an address of this version of IP
 -c, --report-cycles <n>  So many rounds (10)
 -i, --interval <s>       Seconds from one round to the next (1)
 -m, --max-ttl <hops>     Go no further than so many hops (30)
 -n, --no-dns             Do not look names up
 -P, --port <port>        To this port, with -T (80) or -u (another for each packet)
 -r, --report             Print a report at the end, as it does without it
 -s, --psize <bytes>      Length of the packets (64)
 -T, --tcp                Send TCP SYNs instead of ICMP echo requests
 -u, --udp                Send UDP instead of ICMP echo requests
"
    }

    fn metrics(&self) -> &'static [Metric] {
        METRICS
    }

    fn check(&self, args: &[String]) -> Result<Needs, Misuse> {
        let options = Options::parse(args).map_err(|e| Misuse::by(&e, SPECS))?;
        Ok(Needs { hosts: vec![options.host], ..Needs::default() })
    }

    fn run(&self, context: Context, args: Vec<String>) -> BoxFuture<'static, u8> {
        Box::pin(async move {
            match Options::parse(&args) {
                Ok(options) => match report(&context, &options).await {
                    Ok(()) => 0,
                    Err(why) => complain(&context, "mtr", &why, 1),
                },
                Err(e) => complain(&context, "mtr", &e, 1),
            }
        })
    }
}

struct Options {
    host: String,
    family: Family,
    cycles: u32,
    interval: Duration,
    hops: u8,
    numeric: bool,
    length: usize,
    method: Method,
    port: Option<u16>,
}

/// What is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    Icmp,
    Tcp,
    Udp,
}

const SPECS: &[Spec] = &[
    flag('4', ""),
    flag('6', ""),
    value('c', "report-cycles"),
    value('i', "interval"),
    value('m', "max-ttl"),
    flag('n', "no-dns"),
    value('P', "port"),
    flag('r', "report"),
    value('s', "psize"),
    flag('T', "tcp"),
    flag('u', "udp"),
];

impl Options {
    fn parse(words: &[String]) -> Result<Self, At<ArgError>> {
        let interval = Duration::from_secs(1);
        let mut options = Self {
            host: String::new(),
            family: Family::Any,
            cycles: 10,
            interval,
            hops: 30,
            numeric: false,
            length: 64,
            method: Method::Icmp,
            port: None,
        };
        args::each(SPECS, words, |arg| {
            match arg {
                Arg::Free(word) if options.host.is_empty() => options.host = word,
                Arg::Free(word) => return Err(ArgError::Extra(word)),
                Arg::Flag(name) if name == "tcp" => options.method(Method::Tcp)?,
                Arg::Flag(name) if name == "udp" => options.method(Method::Udp)?,
                Arg::Flag(name) => {
                    options.numeric |= name == "no-dns";
                    options.family = args::family(&name).unwrap_or(options.family);
                }
                Arg::Value(name, text) => {
                    let option = format!("--{name}");
                    match name.as_str() {
                        "report-cycles" => {
                            options.cycles = args::within(&option, &text, 1, 100_000, "a number from 1 to 100000")?;
                        }
                        "port" => options.port = Some(args::port(&option, &text)?),
                        "interval" => options.interval = args::span(&option, &text)?,
                        "max-ttl" => {
                            options.hops = args::within(&option, &text, 1, 255, "a number of hops from 1 to 255")?;
                        }
                        _ => options.length = args::within(&option, &text, 28, 65_535, "a length from 28 to 65535")?,
                    }
                }
            }
            Ok(())
        })?;
        if options.host.is_empty() {
            return Err(ArgError::Missing("the hostname").into());
        }
        Ok(options)
    }

    fn method(&mut self, method: Method) -> Result<(), ArgError> {
        if self.method != Method::Icmp && self.method != method {
            return Err(ArgError::Both("--tcp", "--udp"));
        }
        self.method = method;
        Ok(())
    }
}

/// Sends packets to a host, one after the other.
struct Prober<'a> {
    net: &'a NetRef,
    options: &'a Options,
    host: IpAddr,
    /// What sends SYNs.
    syn: Option<syn::Prober>,
    /// How many were sent.
    sent: u16,
}

/// mtr's MinPort: where the first datagram goes, where nobody says.
const FIRST_PORT: u16 = 33_000;

impl<'a> Prober<'a> {
    fn open(net: &'a NetRef, options: &'a Options, host: IpAddr) -> Result<Self, String> {
        let syn = match options.method {
            Method::Tcp => {
                let prober = syn::Prober::open(net, host, options.port.unwrap_or(80), &syn::Origin::default());
                Some(prober.map_err(|e| format!("Failure to open sockets: {e}"))?)
            }
            Method::Icmp | Method::Udp => None,
        };
        Ok(Self { net, options, host, syn, sent: 0 })
    }

    /// What becomes of one packet with this time to live.
    async fn probe(&mut self, ttl: u8, wait: Duration) -> Result<(Hop, Duration), String> {
        let headers = if self.host.is_ipv4() { 28 } else { 48 };
        let payload = self.options.length.saturating_sub(headers);
        self.sent = self.sent.wrapping_add(1);
        let asked = match (&self.syn, self.options.method) {
            (Some(syn), _) => probe_tcp(self.net, syn, (self.sent.into(), ttl), wait).await,
            (None, Method::Udp) => {
                let port = self.options.port.unwrap_or(FIRST_PORT + self.sent % (u16::MAX - FIRST_PORT));
                probe_udp(self.net, (SocketAddr::new(self.host, port), ttl), payload, wait).await
            }
            (None, _) => {
                let socket = self.net.open_icmp(self.host).map_err(|e| format!("Failure to open sockets: {e}"))?;
                probe(self.net, &socket, (self.host, ttl, self.sent), payload, wait).await
            }
        };
        asked.map_err(|e| format!("send: {e}"))
    }
}

/// mtr's `--timeout`.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is known of one hop.
#[derive(Default)]
struct Line {
    /// Who answered first.
    from: Option<IpAddr>,
    sent: u32,
    times: Vec<f64>,
}

async fn report(context: &Context, options: &Options) -> Result<(), String> {
    let net = &context.net;
    let mut names = Names::new(net.clone());
    let host = names
        .address(&options.host, options.family)
        .await
        .map_err(|e| format!("Failed to resolve host: {}: {e}", options.host))?;
    let mut prober = Prober::open(net, options, host)?;
    let started = date(net.unix_time());
    let mut lines: Vec<Line> = Vec::new();
    let mut end = usize::from(options.hops);
    for cycle in 0..options.cycles {
        let begun = net.now();
        let mut at = 0;
        while at < end {
            if lines.len() <= at {
                lines.push(Line::default());
            }
            lines[at].sent += 1;
            net.count("mtr.sent");
            // Of a hop that has been silent so far nobody waits long for, once there is one behind it.
            let is_silent = lines[at].from.is_none() && cycle > 0;
            let wait = if is_silent { options.interval.min(PATIENCE) } else { PATIENCE };
            let (hop, took) = prober.probe(at as u8 + 1, wait).await?;
            let from = match hop {
                Hop::Host(from, _) => {
                    end = at + 1;
                    Some(from)
                }
                Hop::Unreachable(from, _) => {
                    end = at + 1;
                    Some(from)
                }
                Hop::Router(from) | Hop::TooBig(from, _) => Some(from),
                Hop::Silence => None,
            };
            if let Some(from) = from {
                let line = &mut lines[at];
                line.from.get_or_insert(from);
                line.times.push(took.as_secs_f64() * 1e3);
                net.observe("mtr.time", took.as_secs_f64());
            } else {
                net.count("mtr.lost");
                // As mtr, which gives up a way after five hops in a row that say nothing.
                if lines[..=at].iter().rev().take_while(|line| line.from.is_none()).count() >= 5 {
                    end = at + 1;
                }
            }
            at += 1;
        }
        if cycle + 1 < options.cycles {
            net.sleep_until(begun + options.interval).await;
        }
    }
    let mut text = format!("Start: {started}\n");
    let head = format!("HOST: {}", net.hostname());
    text += &format!(
        "{head:<33}{:>6}{:>6}{:>7}{:>6}{:>6}{:>6}{:>6}\n",
        "Loss%", "Snt", "Last", "Avg", "Best", "Wrst", "StDev"
    );
    for (number, line) in lines.iter().enumerate().take(end) {
        let name = match line.from {
            None => "???".to_owned(),
            Some(ip) if options.numeric => ip.to_string(),
            Some(ip) => names.name(ip).await.unwrap_or_else(|| ip.to_string()),
        };
        text += &row(number + 1, &name, line);
    }
    context.console.out(text.as_bytes());
    Ok(())
}

fn row(number: usize, name: &str, line: &Line) -> String {
    let Line { sent, times, .. } = line;
    let n = times.len() as f64;
    let lost = (f64::from(*sent) - n) * 100.0 / f64::from((*sent).max(1));
    let mean = if times.is_empty() { 0.0 } else { times.iter().sum::<f64>() / n };
    let deviation = if times.len() < 2 {
        0.0
    } else {
        (times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt()
    };
    let best = times.iter().copied().fold(f64::INFINITY, f64::min);
    let best = if best.is_finite() { best } else { 0.0 };
    let worst = times.iter().copied().fold(0.0, f64::max);
    let last = times.last().copied().unwrap_or(0.0);
    let head = format!("{number:3}.|-- {name}");
    format!(
        "{head:<33}{:>6}{sent:>6}{last:>7.1}{mean:>6.1}{best:>6.1}{worst:>6.1}{deviation:>6.1}\n",
        format!("{lost:.1}%")
    )
}

/// A civil time as ISO 8601 has it: `2026-01-01T00:00:01+0000`.
fn date(since_1970: Duration) -> String {
    let seconds = since_1970.as_secs();
    let (days, day) = ((seconds / 86_400) as i64, seconds % 86_400);
    // Days to a date, by the shifted year that begins in March.
    let z = days + 719_468;
    let (era, doe) = (z / 146_097, z % 146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (d, m) = (doy - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
    let y = yoe + era * 400 + i64::from(m <= 2);
    format!("{y:04}-{m:02}-{d:02}T{:02}:{:02}:{:02}+0000", day / 3600, day / 60 % 60, day % 60)
}

/// What it records.
const METRICS: &[Metric] = &[
    Metric::counter("mtr.sent", "packets sent"),
    Metric::counter("mtr.lost", "packets that nobody answered"),
    Metric::times("mtr.time", "round-trip times to every router on the way, and to the host"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(Duration::ZERO), "1970-01-01T00:00:00+0000");
        assert_eq!(date(Duration::from_secs(1_767_225_600)), "2026-01-01T00:00:00+0000");
        assert_eq!(date(Duration::from_secs(951_826_154)), "2000-02-29T12:09:14+0000");
    }

    #[test]
    fn a_row_is_as_wide_as_its_head() {
        let line = Line { from: None, sent: 10, times: vec![0.5, 0.7, 0.6] };
        assert_eq!(
            row(1, "r1", &line),
            "  1.|-- r1                        70.0%    10    0.6   0.6   0.5   0.7   0.1\n"
        );
    }
}
