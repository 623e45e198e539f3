//! `udp-sink`: counts what `udp-send` sends, and what is missing of it.

use core::time::Duration;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use septet_core::Metric;
use septet_socket::{BoxFuture, NetExt};

use super::args::{self, Arg, ArgError, At, Spec, value};
use super::udp_send::HEADER;
use super::{Context, Lasts, Misuse, Needs, Program, Transport, complain};

/// The program.
pub(super) struct UdpSink;

impl Program for UdpSink {
    fn name(&self) -> &'static str {
        "udp-sink"
    }

    fn summary(&self) -> &'static str {
        "counts datagrams, and those that are missing"
    }

    fn usage(&self) -> &'static str {
        "Usage: udp-sink [options] <port>
 --group <address>  Take part in a multicast group
 --time <t>         End after this time, and sum up
"
    }

    fn metrics(&self) -> &'static [Metric] {
        METRICS
    }

    fn check(&self, args: &[String]) -> Result<Needs, Misuse> {
        let options = Options::parse(args).map_err(|e| Misuse::by(&e, SPECS))?;
        Ok(Needs {
            listens: Some((Transport::Udp, options.port)),
            lasts: if options.time.is_some() { Lasts::Ends } else { Lasts::Forever },
            ..Needs::default()
        })
    }

    fn run(&self, context: Context, args: Vec<String>) -> BoxFuture<'static, u8> {
        Box::pin(async move {
            match Options::parse(&args) {
                Ok(options) => match serve(&context, &options).await {
                    Ok(()) => 0,
                    Err(e) => complain(&context, "udp-sink", &e, 1),
                },
                Err(e) => complain(&context, "udp-sink", &e, 2),
            }
        })
    }
}

struct Options {
    port: u16,
    group: Option<IpAddr>,
    time: Option<Duration>,
}

const SPECS: &[Spec] = &[value(' ', "group"), value(' ', "time")];
const GROUP: &str = "a multicast address, such as 239.1.1.1";

impl Options {
    fn parse(words: &[String]) -> Result<Self, At<ArgError>> {
        let (mut port, mut group, mut time) = (None, None, None);
        args::each(SPECS, words, |arg| {
            match arg {
                Arg::Free(word) if port.is_none() => port = Some(args::port("port", &word)?),
                Arg::Free(word) => return Err(ArgError::Extra(word)),
                Arg::Flag(_) => {}
                Arg::Value(name, text) if name == "group" => {
                    let address: IpAddr = text.parse().map_err(|_| args::bad("--group", &text, GROUP))?;
                    group = Some(Some(address).filter(IpAddr::is_multicast).ok_or(args::bad("--group", &text, GROUP))?);
                }
                Arg::Value(_, text) => time = Some(args::span("--time", &text)?),
            }
            Ok(())
        })?;
        Ok(Self { port: port.ok_or(ArgError::Missing("the port"))?, group, time })
    }
}

/// What has come.
#[derive(Default)]
struct Tally {
    datagrams: u64,
    bytes: u64,
    /// Missing numbers of runs that are no longer remembered.
    forgotten: u64,
    /// The number that should come next.
    next: u64,
    /// Numbers that were passed over and did not come later: where each run of them begins, and where it is over.
    gaps: BTreeMap<u64, u64>,
    late: u64,
    duplicates: u64,
}

/// How many runs of missing numbers are remembered; what belongs to an older one and comes at last counts as a duplicate.
const GAPS: usize = 1 << 16;

impl Tally {
    /// Takes a number in, and says what it is.
    fn take(&mut self, number: u64) -> Order {
        if number >= self.next {
            // A number out of thin air must not count as an endless loss.
            if number > self.next && number - self.next < 1 << 32 {
                self.gaps.insert(self.next, number);
                if self.gaps.len() > GAPS {
                    self.forgotten += self.gaps.pop_first().map_or(0, |(from, to)| to - from);
                }
            }
            self.next = number.saturating_add(1);
            return Order::Next;
        }
        let gap = self.gaps.range(..=number).next_back().map(|(from, to)| (*from, *to));
        let Some((from, to)) = gap.filter(|(_, to)| number < *to) else {
            self.duplicates += 1;
            return Order::Duplicate;
        };
        self.gaps.remove(&from);
        if from < number {
            self.gaps.insert(from, number);
        }
        if number + 1 < to {
            self.gaps.insert(number + 1, to);
        }
        self.late += 1;
        Order::Late
    }

    fn missing(&self) -> u64 {
        self.forgotten + self.gaps.iter().map(|(from, to)| to - from).sum::<u64>()
    }
}

/// Where a datagram's number stands among those that came before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Order {
    /// Behind all of them.
    Next,
    /// Before one of them, and new.
    Late,
    /// It was there already.
    Duplicate,
}

async fn serve(context: &Context, options: &Options) -> io::Result<()> {
    let net = &context.net;
    let at = match options.group {
        None => net.everywhere(options.port),
        Some(IpAddr::V4(_)) => (Ipv4Addr::UNSPECIFIED, options.port).into(),
        Some(IpAddr::V6(_)) => (Ipv6Addr::UNSPECIFIED, options.port).into(),
    };
    let socket = net.bind_udp(at)?;
    if let Some(group) = options.group {
        socket.join_multicast(group)?;
    }
    let mut tally = Tally::default();
    let work = async {
        let mut buf = vec![0; 65_536];
        loop {
            let Ok(datagram) = socket.receive(&mut buf).await else { continue };
            take(context, &mut tally, &buf[..datagram.len.min(buf.len())]);
        }
    };
    match options.time {
        Some(time) => drop(net.timeout(time, work).await),
        None => work.await,
    }
    let missing = tally.missing();
    net.observe("sink.lost", missing as f64);
    let Tally { datagrams, bytes, late, duplicates, .. } = tally;
    let line = format!("{datagrams} datagrams, {bytes} bytes, {missing} missing, {late} late, {duplicates} twice\n");
    context.console.out(line.as_bytes());
    Ok(())
}

fn take(context: &Context, tally: &mut Tally, datagram: &[u8]) {
    let net = &context.net;
    tally.datagrams += 1;
    tally.bytes += datagram.len() as u64;
    net.count("sink.datagrams");
    net.observe("sink.bytes", datagram.len() as f64);
    let Some(header) = datagram.first_chunk::<HEADER>() else { return };
    let word = |at: usize| header[at..].first_chunk().map_or(0, |b| u64::from_be_bytes(*b));
    let (number, sent) = (word(0), Duration::from_nanos(word(8)));
    // Sensible where both ends have one clock, as all hosts of a lab have.
    net.observe("sink.delay", net.unix_time().saturating_sub(sent).as_secs_f64());
    match tally.take(number) {
        Order::Next => {}
        Order::Late => net.count("sink.late"),
        Order::Duplicate => net.count("sink.duplicates"),
    }
}

/// What it records.
const METRICS: &[Metric] = &[
    Metric::bytes("sink.bytes", "bytes read; for TCP in samples at least 10 ms apart"),
    Metric::counter("sink.datagrams", "datagrams that `udp-sink` got"),
    Metric::counter("sink.late", "datagrams that came after a later one"),
    Metric::counter("sink.duplicates", "datagrams that had come before"),
    Metric::counter("sink.lost", "once at the end, with `--time`: datagrams missing"),
    Metric::times("sink.delay", "from the sender's clock to the receiver's"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_next_late_or_a_duplicate() {
        let mut tally = Tally::default();
        let orders: Vec<Order> = [0, 1, 5, 3, 3, 2, 5, 4, 0, 6, 9].map(|n| tally.take(n)).into();
        use Order::{Duplicate, Late, Next};
        assert_eq!(orders, [Next, Next, Next, Late, Duplicate, Late, Duplicate, Late, Duplicate, Next, Next]);
        assert_eq!((tally.late, tally.duplicates, tally.missing()), (3, 3, 2));
    }

    #[test]
    fn gaps_without_end_take_no_memory() {
        let mut tally = Tally::default();
        for n in 0..200_000 {
            tally.take(n * 2 + 1);
        }
        assert_eq!((tally.gaps.len(), tally.missing()), (GAPS, 200_000));
        tally.take(u64::MAX);
        assert_eq!(tally.missing(), 200_000);
    }
}
