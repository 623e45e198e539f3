//! ICMP errors, believed only where they quote something in flight (RFC 5927 §4).

use septet_core::{Instant, Storey, Trace};

use super::{Endpoint, Entry, cx};
use crate::tcp::connection::{Cx, widen};
use crate::tcp::{Error, State};
use crate::{Belief, IcmpError, Trouble};

impl Endpoint {
    /// Takes in an ICMP error about a segment that we sent, and says whether it quotes one that is in flight.
    pub fn icmp_error(&mut self, now: Instant, error: &IcmpError, trace: &mut Trace) -> Belief {
        let Some(index) = self.slots.find(error.local, error.remote) else { return Belief::No };
        let cause = trace.emit(Storey::Transport, "tcp.icmp", error.cause, |f| {
            f.set("local", error.local).set("remote", error.remote).set("reporter", error.reporter);
            f.set("why", error.trouble.why());
        });
        match self.slots.entry_mut(index) {
            Entry::Request(r) => {
                if r.opening.iss != error.seq {
                    self.mib.out_of_window_icmps += 1;
                    return Belief::No;
                }
                if !matches!(error.trouble, Trouble::TooBig { .. }) {
                    self.drop_request(index, trace, "ICMP: unreachable");
                }
                return Belief::Yes;
            }
            Entry::Connection(c) => {
                // "the TCP sequence number contained in the payload of the ICMP error message … must be within the range
                // SND.UNA =< SEG.SEQ < SND.NXT".
                let seq = widen(c.snd_una, error.seq);
                if c.state == State::Closed || seq < c.snd_una || seq > c.snd_nxt {
                    self.mib.out_of_window_icmps += 1;
                    return Belief::No;
                }
                c.because(cause);
                let cx: &mut Cx<'_> = cx!(self, now, trace);
                match error.trouble {
                    Trouble::TooBig { mtu } => {
                        if c.state.is_synchronized() && cx.config.pmtu_discovery {
                            c.on_too_big(cx, mtu);
                        }
                    }
                    trouble => {
                        let error = translate(trouble);
                        // RFC 5461: while connecting the error is final; later it is only remembered.
                        if matches!(c.state, State::SynSent | State::SynReceived) {
                            c.fail(cx, error, "ICMP error while connecting");
                        } else {
                            c.soft_error = Some(error);
                        }
                    }
                }
            }
            Entry::TimeWait(_) | Entry::Listener(_) | Entry::Free { .. } => return Belief::No,
        }
        self.after(index);
        Belief::Yes
    }
}

fn translate(trouble: Trouble) -> Error {
    match trouble {
        Trouble::NoRoute | Trouble::NetworkUnknown | Trouble::NetworkService => Error::NetworkUnreachable,
        Trouble::ProtocolUnreachable | Trouble::Header { .. } => Error::ProtocolUnreachable,
        Trouble::PortUnreachable => Error::ConnectionRefused,
        _ => Error::HostUnreachable,
    }
}
