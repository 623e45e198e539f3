//! Connecting by name: happy eyeballs, version 2 (RFC 8305).
//!
//! Both kinds of addresses are asked for at once. Where a name has addresses of both versions of IP they are tried in turns,
//! each a moment after the one before it, and whichever answers first is taken: a way that is broken in one version costs
//! that moment, and not the time after which TCP gives up. Addresses of one version alone are tried one after the other.

use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::task::Poll;
use core::time::Duration;
use std::io;
use std::net::{IpAddr, SocketAddr};

use septet_core::{Instant, Metric, Storey};
use septet_socket::{BoxFuture, NetExt, NetRef, TcpOptions, TcpStream};

use crate::dns::{Family, Found, LookupError, Resolver, in_order};

/// RFC 8305 §5: "The Connection Attempt Delay … A recommended value for a default delay is 250 milliseconds."
pub(crate) const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// §3: "a positive A response is received first … the client SHOULD wait a short time for the AAAA response … (referred to
/// as the "Resolution Delay"). The recommended value for the Resolution Delay is 50 milliseconds."
const RESOLUTION_DELAY: Duration = Duration::from_millis(50);

/// How to connect.
pub(crate) struct Dial<'a> {
    pub(crate) net: &'a NetRef,
    pub(crate) options: &'a TcpOptions,
    /// Which addresses will do.
    pub(crate) family: Family,
    /// How long an address is waited for before the next is tried beside it.
    pub(crate) delay: Duration,
    /// When the caller gives up; as in curl, each address of one version but the last gets half of the time that is left.
    pub(crate) until: Option<Instant>,
    /// Hears how it goes.
    pub(crate) tell: &'a (dyn Fn(Step<'_>) + Send + Sync),
}

/// How it goes.
#[derive(Debug)]
pub(crate) enum Step<'a> {
    /// An address is known.
    Known,
    /// It is tried.
    Trying(SocketAddr),
    /// It cannot be reached.
    Failed(SocketAddr, &'a io::Error),
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum DialError {
    /// The name has no address that will do.
    Lookup(LookupError),
    /// None of the addresses can be reached; what the last one said.
    Connect(io::Error),
}

/// Nobody listens to how it goes.
pub(crate) fn quietly(_: Step<'_>) {}

type Dialled = Result<(TcpStream, SocketAddr), DialError>;

impl Dial<'_> {
    /// Connects to a port of `host`, a name or an address.
    pub(crate) async fn by_name(&self, resolver: &Resolver, host: &str, port: u16) -> Dialled {
        match resolver.find(host, self.family) {
            Found::Known(addresses) => self.to(&addresses, port).await,
            Found::One(asked) => self.to(&asked.await.map_err(DialError::Lookup)?, port).await,
            Found::Both { v6, v4 } => self.race(Race::new(self, port), v6, v4).await,
        }
    }

    /// Connects to a port of one of `addresses`, the first that will do to be tried first.
    pub(crate) async fn to(&self, addresses: &[IpAddr], port: u16) -> Dialled {
        (self.tell)(Step::Known);
        let is_one_version = addresses.windows(2).all(|pair| pair[0].is_ipv4() == pair[1].is_ipv4());
        if is_one_version {
            return self.in_turn(addresses, port).await;
        }
        let mut race = Race::new(self, port);
        race.untried = interleaved(addresses.to_vec(), None);
        race.begun = true;
        race.next();
        self.race(race, Box::pin(core::future::ready(Ok(Vec::new()))), Box::pin(core::future::ready(Ok(Vec::new()))))
            .await
    }

    /// Tries addresses one after the other.
    async fn in_turn(&self, addresses: &[IpAddr], port: u16) -> Dialled {
        let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for (i, ip) in addresses.iter().enumerate() {
            let remote = SocketAddr::new(*ip, port);
            (self.tell)(Step::Trying(remote));
            let connecting = self.net.connect(remote, self.options.clone());
            let connected = match self.until {
                Some(until) if i + 1 < addresses.len() => {
                    let left = until.saturating_since(self.net.now());
                    self.net.timeout(left / 2, connecting).await.unwrap_or_else(|late| Err(late.into()))
                }
                _ => connecting.await,
            };
            match connected {
                Ok(stream) => return Ok((stream, remote)),
                Err(e) => {
                    (self.tell)(Step::Failed(remote, &e));
                    failure = e;
                }
            }
        }
        Err(DialError::Connect(failure))
    }

    async fn race(&self, mut race: Race<'_>, v6: Answer<'_>, v4: Answer<'_>) -> Dialled {
        let (mut v6, mut v4) = (Some(v6), Some(v4));
        let mut lookup_failure = None;
        let mut failure = None;
        loop {
            let woken = poll_fn(|cx| {
                for (answer, version) in [(&mut v6, Version::V6), (&mut v4, Version::V4)] {
                    if let Some(Poll::Ready(found)) = answer.as_mut().map(|answer| answer.as_mut().poll(cx)) {
                        *answer = None;
                        return Poll::Ready(Woken::Answer(version, found));
                    }
                }
                for (at, (_, connecting)) in race.attempts.iter_mut().enumerate() {
                    if let Poll::Ready(result) = connecting.as_mut().poll(cx) {
                        return Poll::Ready(Woken::Attempt(at, result));
                    }
                }
                let over = race.timer.as_mut().is_some_and(|timer| Pin::new(timer).poll(cx).is_ready());
                if over { Poll::Ready(Woken::Time) } else { Poll::Pending }
            });
            match woken.await {
                Woken::Answer(version, found) => {
                    match found {
                        Ok(addresses) => race.add(addresses),
                        Err(e) => {
                            lookup_failure.get_or_insert(e);
                        }
                    }
                    // §3: "If a positive AAAA response … is received first, the first IPv6 connection attempt is immediately
                    // started", and "if a negative AAAA response", IPv4's. What comes alone before it waits for a moment.
                    let decided = version == Version::V6 || v6.is_none();
                    if !race.begun && !race.untried.is_empty() {
                        race.begun = decided;
                        race.timer = (!decided).then(|| self.net.sleep(RESOLUTION_DELAY));
                        if decided {
                            (self.tell)(Step::Known);
                        }
                    }
                }
                Woken::Attempt(at, Ok(stream)) => return Ok((stream, race.attempts.swap_remove(at).0)),
                Woken::Attempt(at, Err(e)) => {
                    let (remote, _) = race.attempts.remove(at);
                    (self.tell)(Step::Failed(remote, &e));
                    failure = Some(e);
                    race.timer = None;
                }
                Woken::Time => {
                    race.timer = None;
                    if !race.begun {
                        race.begun = true;
                        (self.tell)(Step::Known);
                    }
                }
            }
            if race.begun && race.timer.is_none() {
                race.next();
            }
            if race.attempts.is_empty() && race.untried.is_empty() && v6.is_none() && v4.is_none() {
                return Err(match (failure, lookup_failure) {
                    (Some(e), _) => DialError::Connect(e),
                    (None, Some(e)) => DialError::Lookup(e),
                    (None, None) => DialError::Connect(io::ErrorKind::AddrNotAvailable.into()),
                });
            }
        }
    }
}

/// The addresses of one version, when they are known.
type Answer<'a> = BoxFuture<'a, Result<Vec<IpAddr>, LookupError>>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    V4,
    V6,
}

enum Woken {
    Answer(Version, Result<Vec<IpAddr>, LookupError>),
    Attempt(usize, io::Result<TcpStream>),
    Time,
}

/// Addresses that are tried beside each other.
struct Race<'a> {
    dial: &'a Dial<'a>,
    port: u16,
    /// In the order in which to try them.
    untried: Vec<IpAddr>,
    last: Option<IpAddr>,
    attempts: Vec<(SocketAddr, BoxFuture<'static, io::Result<TcpStream>>)>,
    /// Whether the first has been tried, or is to be.
    begun: bool,
    /// Until when no further address is tried.
    timer: Option<septet_socket::Sleep>,
}

impl<'a> Race<'a> {
    fn new(dial: &'a Dial<'a>, port: u16) -> Self {
        Self { dial, port, untried: Vec::new(), last: None, attempts: Vec::new(), begun: false, timer: None }
    }

    /// §3: addresses that come later "SHOULD be incorporated into the list".
    fn add(&mut self, addresses: Vec<IpAddr>) {
        let mut all = core::mem::take(&mut self.untried);
        all.extend(addresses);
        self.untried = interleaved(in_order(self.dial.net, all), self.last);
    }

    /// Tries the next address, beside those that have not answered yet.
    fn next(&mut self) {
        if self.untried.is_empty() {
            return;
        }
        let remote = SocketAddr::new(self.untried.remove(0), self.port);
        let Dial { net, options, delay, tell, .. } = self.dial;
        if let Some((before, _)) = self.attempts.last() {
            net.count("connect.raced");
            net.trace(Storey::Application, "connect.next", |f| {
                f.set("to", remote).set("over", if remote.is_ipv4() { "IPv4" } else { "IPv6" });
                f.set("why", format!("{} has not answered within {} ms", before.ip(), delay.as_millis()));
            });
        }
        tell(Step::Trying(remote));
        self.attempts.push((remote, net.connect(remote, (*options).clone())));
        self.last = Some(remote.ip());
        self.timer = Some(net.sleep(*delay));
    }
}

/// §4: "the client SHOULD interleave address families", beginning with the one that `last` is not of; where there was none,
/// with that of the first.
fn interleaved(addresses: Vec<IpAddr>, last: Option<IpAddr>) -> Vec<IpAddr> {
    let begins_with_v6 = match last {
        Some(last) => last.is_ipv4(),
        None => addresses.first().is_some_and(IpAddr::is_ipv6),
    };
    let (v6, v4): (Vec<IpAddr>, Vec<IpAddr>) = addresses.into_iter().partition(IpAddr::is_ipv6);
    let (first, second) = if begins_with_v6 { (v6, v4) } else { (v4, v6) };
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut mixed = Vec::new();
    loop {
        let before = mixed.len();
        mixed.extend(first.next());
        mixed.extend(second.next());
        if mixed.len() == before {
            return mixed;
        }
    }
}

/// What whoever connects by name records.
pub(crate) const METRICS: &[Metric] = &[Metric::counter(
    "connect.raced",
    "addresses that were tried because the one before had not answered in time (happy eyeballs)",
)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_take_turns() {
        let list = |texts: &[&str]| -> Vec<IpAddr> { texts.iter().map(|text| text.parse().unwrap()).collect() };
        let all = list(&["2001:db8::1", "2001:db8::2", "2001:db8::3", "10.0.0.1"]);
        let turns = ["2001:db8::1", "10.0.0.1", "2001:db8::2", "2001:db8::3"];
        assert_eq!(interleaved(all.clone(), None), list(&turns));
        let turns = ["10.0.0.1", "2001:db8::1", "2001:db8::2", "2001:db8::3"];
        assert_eq!(interleaved(all, Some("2001:db8::9".parse().unwrap())), list(&turns));
        assert_eq!(interleaved(list(&["10.0.0.1", "10.0.0.2"]), None), list(&["10.0.0.1", "10.0.0.2"]));
    }
}
