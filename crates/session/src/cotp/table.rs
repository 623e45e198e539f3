//! The state table of class 0 (X.224 annex A), for the end that has a network connection of its own.

/// The states of X.224 table A.1 that class 0 knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// CLOSED: there is no transport connection.
    Closed,
    /// WFCC: waits for the CC TPDU.
    Wfcc,
    /// WFTRESP: waits for the T-CONNECT response.
    Wftresp,
    /// OPEN: the connection stands.
    Open,
}

/// The events of table A.2.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// T-CONNECT request.
    TconReq,
    /// T-CONNECT response.
    TconResp,
    /// T-DISCONNECT request.
    TdisReq,
    /// T-DATA request.
    TdtReq,
    /// N-DISCONNECT indication: TCP is gone.
    NdisInd,
    /// A CR TPDU that can be taken.
    Cr,
    /// One that cannot.
    CrUnacceptable,
    /// A CC TPDU that can be taken.
    Cc,
    /// One that cannot.
    CcUnacceptable,
    /// A DR TPDU.
    Dr,
    /// A DT TPDU.
    Dt,
    /// An ER TPDU.
    Er,
    /// Octets that are no TPDU.
    Invalid,
}

/// What is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Action {
    /// Sends CR.
    SendCr,
    /// Sends CC.
    SendCc,
    /// Sends DR.
    SendDr,
    /// Sends DT.
    SendDt,
    /// Sends ER.
    SendEr,
    /// T-CONNECT indication.
    TconInd,
    /// T-CONNECT confirm.
    TconConf,
    /// T-DATA indication.
    TdtInd,
    /// T-DISCONNECT indication.
    TdisInd,
    /// N-DISCONNECT request: closes TCP.
    NdisReq,
}

/// What an event does in a state, and the state after; none where the event cannot come there from the user.
pub(super) const fn step(state: State, event: Event) -> Option<(&'static [Action], State)> {
    use Action::*;
    use State::*;
    Some(match (event, state) {
        (Event::TconReq, Closed) => (&[SendCr], Wfcc),
        (Event::TconResp, Wftresp) => (&[SendCc], Open),
        (Event::TdtReq, Open) => (&[SendDt], Open),
        (Event::TconReq | Event::TconResp | Event::TdtReq, _) => return None,
        // "In class 0 the network connection is disconnected": the release is implicit (§6.7.1).
        (Event::TdisReq, Wfcc | Open) => (&[NdisReq], Closed),
        (Event::TdisReq, Wftresp) => (&[SendDr, NdisReq], Closed),
        (Event::TdisReq, Closed) => (&[NdisReq], Closed),
        (Event::NdisInd, Closed) => (&[], Closed),
        (Event::NdisInd, _) => (&[TdisInd], Closed),
        (Event::Cr, Closed) => (&[TconInd], Wftresp),
        (Event::CrUnacceptable, Closed) => (&[SendDr, NdisReq], Closed),
        (Event::Cc, Wfcc) => (&[TconConf], Open),
        (Event::CcUnacceptable, Wfcc) => (&[TdisInd, NdisReq], Closed),
        (Event::Dr, Wfcc) => (&[TdisInd, NdisReq], Closed),
        (Event::Dt, Open) => (&[TdtInd], Open),
        (Event::Er, Wfcc | Open | Wftresp) => (&[TdisInd, NdisReq], Closed),
        (Event::Er, Closed) => (&[NdisReq], Closed),
        // §6.22.2: an ER TPDU, and as class 0 cannot go on, the network connection is closed.
        (_, Wfcc | Wftresp | Open) => (&[SendEr, TdisInd, NdisReq], Closed),
        (_, Closed) => (&[SendEr, NdisReq], Closed),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [State; 4] = [State::Closed, State::Wfcc, State::Wftresp, State::Open];

    /// Each event by state: what is done, and the number of the state after. A dash: the user may not ask for it there.
    const TABLE: &[(Event, [&str; 4])] = &[
        (Event::TconReq, ["SendCr/1", "-", "-", "-"]),
        (Event::TconResp, ["-", "-", "SendCc/3", "-"]),
        (Event::TdisReq, ["NdisReq/0", "NdisReq/0", "SendDr,NdisReq/0", "NdisReq/0"]),
        (Event::TdtReq, ["-", "-", "-", "SendDt/3"]),
        (Event::NdisInd, ["/0", "TdisInd/0", "TdisInd/0", "TdisInd/0"]),
        (Event::Cr, ["TconInd/2", E, E, E]),
        (Event::CrUnacceptable, ["SendDr,NdisReq/0", E, E, E]),
        (Event::Cc, [C, "TconConf/3", E, E]),
        (Event::CcUnacceptable, [C, "TdisInd,NdisReq/0", E, E]),
        (Event::Dr, [C, "TdisInd,NdisReq/0", E, E]),
        (Event::Dt, [C, E, E, "TdtInd/3"]),
        (Event::Er, ["NdisReq/0", "TdisInd,NdisReq/0", "TdisInd,NdisReq/0", "TdisInd,NdisReq/0"]),
        (Event::Invalid, [C, E, E, E]),
    ];
    const E: &str = "SendEr,TdisInd,NdisReq/0";
    const C: &str = "SendEr,NdisReq/0";

    #[test]
    fn every_event_in_every_state() {
        for (event, row) in TABLE {
            for (state, expected) in STATES.into_iter().zip(row) {
                let ours = step(state, *event).map_or("-".to_owned(), |(actions, next)| {
                    let actions: Vec<_> = actions.iter().map(|a| format!("{a:?}")).collect();
                    format!("{}/{}", actions.join(","), STATES.iter().position(|s| *s == next).unwrap())
                });
                assert_eq!(ours, *expected, "{event:?} in {state:?}");
            }
        }
    }
}
