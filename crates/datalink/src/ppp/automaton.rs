//! The option negotiation automaton of RFC 1661 §4: the state transition table, and nothing else.

/// §4.2.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum State {
    /// The lower layer is down, and no Open has occurred.
    #[default]
    Initial,
    /// The lower layer is down, and an Open has occurred.
    Starting,
    /// The lower layer is up, and no Open has occurred.
    Closed,
    /// Finished, waiting for the other end to begin anew.
    Stopped,
    /// A Terminate-Request was sent after a Close.
    Closing,
    /// A Terminate-Request was sent, or one acknowledged, without a Close.
    Stopping,
    /// A Configure-Request was sent.
    ReqSent,
    /// … and acknowledged; the other end's is still to be.
    AckRcvd,
    /// The other end's request was acknowledged, ours not yet.
    AckSent,
    /// Both are.
    Opened,
}

/// §4.3.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Event {
    Up,
    Down,
    Open,
    Close,
    /// Timeout with counter above zero.
    ToPlus,
    /// Timeout with counter expired.
    ToMinus,
    /// Receive-Configure-Request, good.
    RcrPlus,
    /// Receive-Configure-Request, bad.
    RcrMinus,
    /// Receive-Configure-Ack.
    Rca,
    /// Receive-Configure-Nak or -Reject.
    Rcn,
    /// Receive-Terminate-Request.
    Rtr,
    /// Receive-Terminate-Ack.
    Rta,
    /// Receive-Unknown-Code.
    Ruc,
    /// Receive-Code-Reject or -Protocol-Reject, permitted.
    RxjPlus,
    /// … catastrophic.
    RxjMinus,
    /// Receive-Echo-Request, -Reply or -Discard-Request.
    Rxr,
}

/// §4.4.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Action {
    /// This-Layer-Up.
    Tlu,
    /// This-Layer-Down.
    Tld,
    /// This-Layer-Started.
    Tls,
    /// This-Layer-Finished.
    Tlf,
    /// Initialize-Restart-Count.
    Irc,
    /// Zero-Restart-Count.
    Zrc,
    /// Send-Configure-Request.
    Scr,
    /// Send-Configure-Ack.
    Sca,
    /// Send-Configure-Nak or -Reject.
    Scn,
    /// Send-Terminate-Request.
    Str,
    /// Send-Terminate-Ack.
    Sta,
    /// Send-Code-Reject.
    Scj,
    /// Send-Echo-Reply.
    Ser,
}

/// What `event` leads to in `state`: what to do, in order, and the next state. Where the table has "-" the event cannot
/// happen, and nothing does.
pub(super) fn step(state: State, event: Event) -> (&'static [Action], State) {
    use Action::*;
    use State::*;
    let stays: (&'static [Action], State) = (&[], state);
    match event {
        Event::Up => match state {
            Initial => (&[], Closed),
            Starting => (&[Irc, Scr], ReqSent),
            _ => stays,
        },
        Event::Down => match state {
            Closed | Closing => (&[], Initial),
            Stopped => (&[Tls], Starting),
            Stopping | ReqSent | AckRcvd | AckSent => (&[], Starting),
            Opened => (&[Tld], Starting),
            Initial | Starting => stays,
        },
        Event::Open => match state {
            Initial => (&[Tls], Starting),
            Closed => (&[Irc, Scr], ReqSent),
            Closing => (&[], Stopping),
            _ => stays,
        },
        Event::Close => match state {
            Starting => (&[Tlf], Initial),
            Stopped => (&[], Closed),
            Stopping => (&[], Closing),
            ReqSent | AckRcvd | AckSent => (&[Irc, Str], Closing),
            Opened => (&[Tld, Irc, Str], Closing),
            Initial | Closed | Closing => stays,
        },
        Event::ToPlus => match state {
            Closing | Stopping => (&[Str], state),
            ReqSent | AckRcvd => (&[Scr], ReqSent),
            AckSent => (&[Scr], AckSent),
            _ => stays,
        },
        Event::ToMinus => match state {
            Closing => (&[Tlf], Closed),
            Stopping | ReqSent | AckRcvd | AckSent => (&[Tlf], Stopped),
            _ => stays,
        },
        Event::RcrPlus => match state {
            Closed => (&[Sta], Closed),
            Stopped => (&[Irc, Scr, Sca], AckSent),
            ReqSent | AckSent => (&[Sca], AckSent),
            AckRcvd => (&[Sca, Tlu], Opened),
            Opened => (&[Tld, Scr, Sca], AckSent),
            _ => stays,
        },
        Event::RcrMinus => match state {
            Closed => (&[Sta], Closed),
            Stopped => (&[Irc, Scr, Scn], ReqSent),
            ReqSent | AckSent => (&[Scn], ReqSent),
            AckRcvd => (&[Scn], AckRcvd),
            Opened => (&[Tld, Scr, Scn], ReqSent),
            _ => stays,
        },
        Event::Rca => match state {
            Closed | Stopped => (&[Sta], state),
            ReqSent => (&[Irc], AckRcvd),
            // "[x] Crossed connection".
            AckRcvd => (&[Scr], ReqSent),
            AckSent => (&[Irc, Tlu], Opened),
            Opened => (&[Tld, Scr], ReqSent),
            _ => stays,
        },
        Event::Rcn => match state {
            Closed | Stopped => (&[Sta], state),
            ReqSent => (&[Irc, Scr], ReqSent),
            AckRcvd => (&[Scr], ReqSent),
            AckSent => (&[Irc, Scr], AckSent),
            Opened => (&[Tld, Scr], ReqSent),
            _ => stays,
        },
        Event::Rtr => match state {
            Closed | Stopped | Closing | Stopping => (&[Sta], state),
            ReqSent | AckRcvd | AckSent => (&[Sta], ReqSent),
            Opened => (&[Tld, Zrc, Sta], Stopping),
            Initial | Starting => stays,
        },
        Event::Rta => match state {
            Closing => (&[Tlf], Closed),
            Stopping => (&[Tlf], Stopped),
            ReqSent | AckRcvd => (&[], ReqSent),
            Opened => (&[Tld, Scr], ReqSent),
            _ => stays,
        },
        Event::Ruc => match state {
            Initial | Starting => stays,
            _ => (&[Scj], state),
        },
        Event::RxjPlus => match state {
            AckRcvd => (&[], ReqSent),
            _ => stays,
        },
        Event::RxjMinus => match state {
            Closed | Closing => (&[Tlf], Closed),
            Stopped | Stopping | ReqSent | AckRcvd | AckSent => (&[Tlf], Stopped),
            Opened => (&[Tld, Irc, Str], Stopping),
            Initial | Starting => stays,
        },
        Event::Rxr => match state {
            Opened => (&[Ser], Opened),
            _ => stays,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [State; 10] = [
        State::Initial,
        State::Starting,
        State::Closed,
        State::Stopped,
        State::Closing,
        State::Stopping,
        State::ReqSent,
        State::AckRcvd,
        State::AckSent,
        State::Opened,
    ];

    /// The table of RFC 1661 §4.1, as printed there, both halves beside each other.
    const TABLE: &[(Event, &str)] = &[
        (Event::Up, "2|irc,scr/6|-|-|-|-|-|-|-|-"),
        (Event::Down, "-|-|0|tls/1|0|1|1|1|1|tld/1"),
        (Event::Open, "tls/1|1|irc,scr/6|3|5|5|6|7|8|9"),
        (Event::Close, "0|tlf/0|2|2|4|4|irc,str/4|irc,str/4|irc,str/4|tld,irc,str/4"),
        (Event::ToPlus, "-|-|-|-|str/4|str/5|scr/6|scr/6|scr/8|-"),
        (Event::ToMinus, "-|-|-|-|tlf/2|tlf/3|tlf/3|tlf/3|tlf/3|-"),
        (Event::RcrPlus, "-|-|sta/2|irc,scr,sca/8|4|5|sca/8|sca,tlu/9|sca/8|tld,scr,sca/8"),
        (Event::RcrMinus, "-|-|sta/2|irc,scr,scn/6|4|5|scn/6|scn/7|scn/6|tld,scr,scn/6"),
        (Event::Rca, "-|-|sta/2|sta/3|4|5|irc/7|scr/6|irc,tlu/9|tld,scr/6"),
        (Event::Rcn, "-|-|sta/2|sta/3|4|5|irc,scr/6|scr/6|irc,scr/8|tld,scr/6"),
        (Event::Rtr, "-|-|sta/2|sta/3|sta/4|sta/5|sta/6|sta/6|sta/6|tld,zrc,sta/5"),
        (Event::Rta, "-|-|2|3|tlf/2|tlf/3|6|6|8|tld,scr/6"),
        (Event::Ruc, "-|-|scj/2|scj/3|scj/4|scj/5|scj/6|scj/7|scj/8|scj/9"),
        (Event::RxjPlus, "-|-|2|3|4|5|6|6|8|9"),
        (Event::RxjMinus, "-|-|tlf/2|tlf/3|tlf/2|tlf/3|tlf/3|tlf/3|tlf/3|tld,irc,str/5"),
        (Event::Rxr, "-|-|2|3|4|5|6|7|8|ser/9"),
    ];

    #[test]
    fn the_table_is_the_one_of_the_rfc() {
        for (event, row) in TABLE {
            let cells: Vec<_> = row.split('|').collect();
            assert_eq!(cells.len(), 10);
            for (state, cell) in STATES.into_iter().zip(cells) {
                let (actions, next) = step(state, *event);
                let actions: Vec<_> = actions.iter().map(|a| format!("{a:?}").to_lowercase()).collect();
                let number = STATES.iter().position(|s| *s == next).unwrap();
                let ours =
                    if actions.is_empty() { number.to_string() } else { format!("{}/{number}", actions.join(",")) };
                let expected = if cell == "-" {
                    STATES.iter().position(|s| *s == state).unwrap().to_string()
                } else {
                    cell.to_owned()
                };
                assert_eq!(ours, expected, "{event:?} in {state:?}");
            }
        }
    }
}
