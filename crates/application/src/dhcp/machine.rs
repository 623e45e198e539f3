//! The client's state machine (RFC 2131 §4.4): from INIT to BOUND, and what keeps a lease alive. No sockets, no clock.

use core::time::Duration;
use std::net::Ipv4Addr;

use septet_core::Instant;
use septet_wire::dhcp::{Kind, Message, Op, Options, Reach};
use septet_wire::ethernet::MacAddr;

/// §4.1: "the delay before the first retransmission SHOULD be 4 seconds", doubled "up to a maximum of 64 seconds", each
/// "randomized by the value of a uniform random number chosen from the range -1 to +1".
const FIRST_DELAY: Duration = Duration::from_secs(4);
const LONGEST_DELAY: Duration = Duration::from_secs(64);
/// §3.1.5: "e.g., a client retransmitting … might retransmit the DHCPREQUEST message four times, for a total delay of 60
/// seconds, before restarting the initialization procedure".
const REQUESTS: u32 = 4;
/// How often an address of old is asked for before the client looks for another.
const REBOOT_REQUESTS: u32 = 2;
/// §3.1.5: "The client SHOULD wait a minimum of ten seconds before restarting the configuration process".
const AFTER_DECLINE: Duration = Duration::from_secs(10);
/// §4.4.5: a renewal is asked for again after half of what is left, "down to a minimum of 60 seconds".
const SHORTEST_WAIT: Duration = Duration::from_secs(60);
/// What a client wants to know: mask, router, name servers, domain, lease, T1, T2.
const WANTED: [u8; 7] = [1, 3, 6, 15, 51, 58, 59];

/// Who a client is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// Its link address, which is also the client identifier.
    pub mac: MacAddr,
    /// Its name.
    pub host_name: String,
}

/// What a client was given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lease {
    /// The address.
    pub address: Ipv4Addr,
    /// How many leading bits are the link's.
    pub prefix_len: u8,
    /// Who gave it.
    pub server: Ipv4Addr,
    /// Routers on the link, the preferred one first.
    pub routers: Vec<Ipv4Addr>,
    /// Whom to ask for names.
    pub name_servers: Vec<Ipv4Addr>,
    /// The domain of names without a dot.
    pub domain: Option<String>,
    /// When the server is asked to prolong it: T1.
    pub renew_at: Instant,
    /// When any server is asked: T2.
    pub rebind_at: Instant,
    /// When it ends.
    pub ends_at: Instant,
}

/// Whom a message is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum To {
    /// All on the link.
    All,
    /// One server.
    Server(Ipv4Addr),
}

/// What the client wants done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// Send this.
    Send(To, Message),
    /// Make sure that nobody has the address, and use it; then call [`Machine::used`] or [`Machine::declined`].
    Use(Lease),
    /// The lease in use goes on with these terms.
    Prolong(Lease),
    /// Use the address no longer.
    Drop(Ipv4Addr, &'static str),
}

/// Where the client is: the states of RFC 2131's figure 5.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum State {
    /// It begins, or begins anew.
    Init,
    /// It looks for servers.
    Selecting,
    /// It has chosen an offer.
    Requesting(Box<Message>),
    /// It remembers an address of old, and asks whether that is still good.
    Rebooting(Ipv4Addr),
    /// It makes sure that nobody has the address.
    Checking(Lease),
    /// It has an address.
    Bound(Lease),
    /// It asks its server to prolong the lease.
    Renewing(Lease),
    /// It asks any server.
    Rebinding(Lease),
    /// It was told to let go of its address.
    Released,
}

impl State {
    /// Its name in the RFC.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Init => "INIT",
            Self::Selecting => "SELECTING",
            Self::Requesting(_) => "REQUESTING",
            Self::Rebooting(_) => "REBOOTING",
            Self::Checking(_) => "CHECKING",
            Self::Bound(_) => "BOUND",
            Self::Renewing(_) => "RENEWING",
            Self::Rebinding(_) => "REBINDING",
            Self::Released => "RELEASED",
        }
    }
}

/// A client.
#[derive(Debug)]
pub struct Machine {
    identity: Identity,
    state: State,
    xid: u32,
    began: Instant,
    /// How often the message of this state was sent.
    tries: u32,
    /// When something is due.
    due: Option<Instant>,
    outputs: Vec<Output>,
    random: u64,
}

impl Machine {
    /// A client that begins at `now`; where it had an `old` address it asks for that again (INIT-REBOOT). What it draws at
    /// random comes from `random`.
    pub fn new(identity: Identity, old: Option<Ipv4Addr>, now: Instant, random: u64) -> Self {
        let state = old.map_or(State::Init, State::Rebooting);
        let (xid, tries, outputs) = (0, 0, Vec::new());
        Self { identity, state, xid, began: now, tries, due: Some(now), outputs, random }
    }

    /// Where the client is.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The lease that is in use.
    pub fn lease(&self) -> Option<&Lease> {
        match &self.state {
            State::Bound(lease) | State::Renewing(lease) | State::Rebinding(lease) => Some(lease),
            _ => None,
        }
    }

    /// When [`on_deadline`](Self::on_deadline) has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// What is to be done next.
    pub fn poll(&mut self) -> Option<Output> {
        if self.outputs.is_empty() { None } else { Some(self.outputs.remove(0)) }
    }

    /// xorshift64*: enough for the spreading of retransmissions and for transaction numbers.
    fn draw(&mut self) -> u64 {
        let mut x = self.random | 1;
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        self.random = x;
        x.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn message(&self, now: Instant, kind: Kind) -> Message {
        let Identity { mac, host_name } = &self.identity;
        let secs = now.saturating_since(self.began).as_secs().min(u64::from(u16::MAX)) as u16;
        let client_id = Some([&[1], &mac.0[..]].concat());
        let host_name = (!host_name.is_empty()).then(|| host_name.clone());
        let options = match kind {
            // RFC 2131's table 5: no requested parameters and no lease in DHCPDECLINE and DHCPRELEASE.
            Kind::Decline | Kind::Release => Options { client_id, ..Options::new(kind) },
            _ => {
                let (wanted, max_size) = (WANTED.to_vec(), Some(1472));
                Options { host_name, wanted, max_size, client_id, ..Options::new(kind) }
            }
        };
        Message { secs, options, ..Message::request(kind, self.xid, *mac) }
    }

    /// How long until the next try, after `tries` of them.
    fn backoff(&mut self) -> Duration {
        let doubled = FIRST_DELAY.saturating_mul(1 << self.tries.min(5)).min(LONGEST_DELAY);
        let spread = Duration::from_nanos(self.draw() % 2_000_000_001);
        doubled + spread - Duration::from_secs(1)
    }

    fn enter(&mut self, state: State, due: Option<Instant>) {
        (self.state, self.tries, self.due) = (state, 0, due);
    }

    fn restart(&mut self, at: Instant) {
        self.began = at;
        self.enter(State::Init, Some(at));
    }

    /// Does what is due.
    pub fn on_deadline(&mut self, now: Instant) {
        if self.due.is_none_or(|due| due > now) {
            return;
        }
        match self.state.clone() {
            State::Init | State::Selecting => self.discover(now),
            State::Requesting(_) if self.tries >= REQUESTS => self.restart(now),
            State::Rebooting(_) if self.tries >= REBOOT_REQUESTS => self.restart(now),
            State::Requesting(offer) => {
                let mut request = self.message(now, Kind::Request);
                // §4.4.1: "The DHCPREQUEST message contains the same 'xid' as the DHCPOFFER message", its 'secs' are those
                // of the DHCPDISCOVER.
                (request.reach, request.secs) = (Reach::Broadcast, offer.secs);
                (request.options.requested, request.options.server) = (Some(offer.yiaddr), offer.options.server);
                self.again(now, To::All, request);
            }
            State::Rebooting(old) => {
                if self.tries == 0 {
                    self.xid = self.draw() as u32;
                }
                // §4.3.2: in INIT-REBOOT "'server identifier' MUST NOT be filled in, 'requested IP address' option MUST be
                // filled in with client's notion of its previously assigned address. 'ciaddr' MUST be zero."
                let mut request = self.message(now, Kind::Request);
                (request.reach, request.options.requested) = (Reach::Broadcast, Some(old));
                self.again(now, To::All, request);
            }
            State::Checking(_) | State::Released => self.due = None,
            State::Bound(lease) => {
                self.xid = self.draw() as u32;
                self.began = now;
                self.enter(State::Renewing(lease), Some(now));
                self.on_deadline(now);
            }
            State::Renewing(lease) if now >= lease.rebind_at => {
                self.enter(State::Rebinding(lease), Some(now));
                self.on_deadline(now);
            }
            State::Renewing(lease) => self.prolong(now, To::Server(lease.server), lease.address, lease.rebind_at),
            State::Rebinding(lease) if now >= lease.ends_at => {
                self.outputs.push(Output::Drop(lease.address, "the lease is over"));
                self.restart(now);
                self.on_deadline(now);
            }
            State::Rebinding(lease) => self.prolong(now, To::All, lease.address, lease.ends_at),
        }
    }

    fn discover(&mut self, now: Instant) {
        if self.state == State::Init {
            self.xid = self.draw() as u32;
            self.enter(State::Selecting, None);
        }
        let mut discover = self.message(now, Kind::Discover);
        // §4.1: "A client that cannot receive unicast IP datagrams until its protocol software has been configured with an
        // IP address SHOULD set the BROADCAST bit".
        discover.reach = Reach::Broadcast;
        self.again(now, To::All, discover);
    }

    fn again(&mut self, now: Instant, to: To, message: Message) {
        self.outputs.push(Output::Send(to, message));
        self.due = Some(now + self.backoff());
        self.tries += 1;
    }

    /// §4.4.5: in RENEWING "one-half of the remaining time until T2", in REBINDING "one-half of the remaining lease time".
    fn prolong(&mut self, now: Instant, to: To, address: Ipv4Addr, until: Instant) {
        let mut request = self.message(now, Kind::Request);
        request.ciaddr = address;
        self.outputs.push(Output::Send(to, request));
        let left = until.saturating_since(now);
        self.due = Some(now + (left / 2).max(SHORTEST_WAIT).min(left));
        self.tries += 1;
    }

    /// A message came.
    pub fn receive(&mut self, now: Instant, message: &Message) {
        // §4.4.1: messages whose 'xid' does not match "the most recent DHCPDISCOVER message … must be silently discarded".
        if message.op != Op::Reply || message.xid != self.xid || message.chaddr != self.identity.mac {
            return;
        }
        match (self.state.clone(), message.options.kind) {
            (State::Selecting, Kind::Offer) if message.options.server.is_some() && !message.yiaddr.is_unspecified() => {
                let secs = now.saturating_since(self.began).as_secs().min(u64::from(u16::MAX)) as u16;
                let offer = Message { secs, ..message.clone() };
                self.enter(State::Requesting(Box::new(offer)), Some(now));
                self.on_deadline(now);
            }
            (State::Requesting(_) | State::Rebooting(_), Kind::Ack) => {
                if let Some(lease) = self.lease_in(now, message) {
                    self.outputs.push(Output::Use(lease.clone()));
                    self.enter(State::Checking(lease), None);
                }
            }
            (State::Requesting(_) | State::Rebooting(_), Kind::Nak) => {
                self.restart(now);
                self.on_deadline(now);
            }
            (State::Renewing(old) | State::Rebinding(old), Kind::Ack) => {
                if let Some(lease) = self.lease_in(now, message).filter(|lease| lease.address == old.address) {
                    self.outputs.push(Output::Prolong(lease.clone()));
                    let due = lease.renew_at;
                    self.enter(State::Bound(lease), Some(due));
                }
            }
            (State::Renewing(old) | State::Rebinding(old), Kind::Nak) => {
                self.outputs.push(Output::Drop(old.address, "the server says that it is not this host's"));
                self.restart(now);
                self.on_deadline(now);
            }
            _ => {}
        }
    }

    /// The terms of an acknowledgement; `None` where it has no lease or server.
    fn lease_in(&mut self, now: Instant, message: &Message) -> Option<Lease> {
        let Options { subnet_mask, routers, name_servers, domain, lease, renewal, rebinding, server, .. } =
            &message.options;
        let lease = u64::from((*lease)?);
        let address = Some(message.yiaddr).filter(|address| !address.is_unspecified())?;
        let prefix_len = subnet_mask.map_or(classful(address), |mask| mask.to_bits().leading_ones() as u8);
        // §3.3: "The time value of 0xffffffff is reserved to represent 'infinity'".
        let after = |seconds: u64| {
            if seconds == u64::from(u32::MAX) { Instant::FAR_FUTURE } else { now + Duration::from_secs(seconds) }
        };
        // §4.4.5: "T1 defaults to (0.5 * duration_of_lease). T2 defaults to (0.875 * duration_of_lease). Times T1 and T2
        // SHOULD be chosen with some random 'fuzz' around a fixed value".
        let fuzz = self.draw() % (lease / 64 + 1);
        let (t1, t2) = if lease == u64::from(u32::MAX) {
            (lease, lease)
        } else {
            let t1 = renewal.map_or(lease / 2 - fuzz.min(lease / 2), u64::from).min(lease);
            (t1, rebinding.map_or(lease * 7 / 8, u64::from).clamp(t1, lease))
        };
        Some(Lease {
            address,
            prefix_len,
            server: (*server)?,
            routers: routers.clone(),
            name_servers: name_servers.clone(),
            domain: domain.clone(),
            renew_at: after(t1),
            rebind_at: after(t2),
            ends_at: after(lease),
        })
    }

    /// The address is in use.
    pub fn used(&mut self, now: Instant) {
        if let State::Checking(lease) = self.state.clone() {
            let due = lease.renew_at.max(now);
            self.enter(State::Bound(lease), Some(due));
        }
    }

    /// Somebody else has the address. §3.1.5: "the client MUST send a DHCPDECLINE message to the server and restarts the
    /// configuration process".
    pub fn declined(&mut self, now: Instant) {
        let (State::Checking(lease) | State::Bound(lease) | State::Renewing(lease) | State::Rebinding(lease)) =
            self.state.clone()
        else {
            return;
        };
        let mut decline = self.message(now, Kind::Decline);
        (decline.options.requested, decline.options.server) = (Some(lease.address), Some(lease.server));
        decline.options.message = Some("another station answers for it".to_owned());
        self.outputs.push(Output::Send(To::All, decline));
        self.restart(now + AFTER_DECLINE);
    }

    /// Lets go of the address (§4.4.6).
    pub fn release(&mut self, now: Instant) {
        if let Some(lease) = self.lease().cloned() {
            self.xid = self.draw() as u32;
            let mut release = self.message(now, Kind::Release);
            (release.ciaddr, release.options.server) = (lease.address, Some(lease.server));
            self.outputs.push(Output::Send(To::Server(lease.server), release));
            self.outputs.push(Output::Drop(lease.address, "it is released"));
        }
        self.enter(State::Released, None);
    }

    /// Asks anew, with what it has first.
    pub fn renew(&mut self, now: Instant) {
        match self.state.clone() {
            State::Bound(lease) => {
                self.enter(State::Bound(lease), Some(now));
                self.on_deadline(now);
            }
            State::Released => {
                self.restart(now);
                self.on_deadline(now);
            }
            _ => {}
        }
    }

    /// The link is back after it was gone. §3.7: "A client SHOULD use DHCP to reacquire or verify its IP address and network
    /// parameters whenever the local network parameters may have changed"; whoever is the server here is asked.
    pub fn link_is_back(&mut self, now: Instant) {
        if let Some(lease) = self.lease().cloned() {
            self.xid = self.draw() as u32;
            self.began = now;
            self.enter(State::Rebinding(lease), Some(now));
        } else if !matches!(self.state, State::Released | State::Checking(_)) {
            self.restart(now);
        }
        self.on_deadline(now);
    }
}

/// The prefix of an address of which no mask is told.
fn classful(address: Ipv4Addr) -> u8 {
    match address.octets()[0] {
        0..128 => 8,
        128..192 => 16,
        _ => 24,
    }
}
