//! The variables of synchronization and what changes them (X.225 §5.8.4 and table A.4).

use super::table::Input;
use crate::spdu::{Resync, Serial};

/// V(A), V(M), V(R) and Vsc.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Variables {
    /// V(A): the lowest serial number to which a confirmation is expected; none is where it is V(M).
    pub v_a: Serial,
    /// V(M): the next serial number.
    pub v_m: Serial,
    /// V(R): the lowest serial number to which a restart may go back.
    pub v_r: Serial,
    /// Vsc: whether this user has the right to confirm minor synchronization points.
    pub v_sc: Confirms,
}

/// Who confirms minor synchronization points.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Confirms {
    /// This end: Vsc is true.
    Here,
    /// The other one: Vsc is false.
    There,
}

impl Variables {
    /// Those of a new connection that begins at `serial`.
    pub fn new(serial: Serial) -> Self {
        Self { v_a: serial, v_m: serial, v_r: Serial::default(), v_sc: Confirms::There }
    }

    /// The condition for a valid `sn` in table A.4; that of the last column but one of an SPDU or primitive.
    ///
    /// `pending` tells that the last synchronization point is a major one, which no minor confirmation covers.
    pub fn allows(&self, input: Input, sn: Serial, resync: Option<Resync>, pending: Pending) -> bool {
        let Self { v_a, v_m, v_r, v_sc } = *self;
        // Of minor points only: a major one is confirmed by its own.
        let minor = match pending {
            Pending::None => v_m,
            Pending::Major => Serial::new(v_m.get().saturating_sub(1)).unwrap_or(v_m),
        };
        match input {
            // "V(M)" is what is sent, as long as it is a number.
            Input::SsynMinorReq | Input::SsynMajorReq | Input::SacteReq => sn == v_m && v_m <= Serial::MAX,
            Input::Mip | Input::Map | Input::Ae => sn == v_m,
            Input::Maa => sn.next() == v_m,
            Input::SsynMinorRsp => v_sc == Confirms::Here && minor > sn && sn >= v_a,
            Input::Mia => v_sc == Confirms::There && minor > sn && sn >= v_a,
            Input::SrsynReq => match resync {
                // "r: V(M) >= sn >= V(R)"
                Some(Resync::Restart) => v_m >= sn && sn >= v_r,
                _ => sn <= Serial::MAX,
            },
            Input::Rs => match resync {
                // "r: sn >= V(R)"
                Some(Resync::Restart) => sn >= v_r,
                _ => sn <= Serial::MAX,
            },
            // "a: sn = V(M)"; "r: sn as in RS SPDU", which whoever builds the response sees to.
            Input::SrsynRsp => resync != Some(Resync::Abandon) || sn == v_m,
            Input::Ra => resync != Some(Resync::Abandon) || sn >= v_m,
            _ => true,
        }
    }

    /// The operations of table A.4 for an SPDU or primitive that is valid.
    pub fn count(&mut self, input: Input, sn: Serial, resync: Option<Resync>) {
        match input {
            // "if Vsc true: set to V(M)", V(M) + 1, false.
            Input::SsynMinorReq | Input::SsynMajorReq | Input::SacteReq => {
                if self.v_sc == Confirms::Here {
                    self.v_a = self.v_m;
                }
                self.v_sc = Confirms::There;
                self.v_m = self.v_m.next();
            }
            // "if Vsc false: set to V(M)", V(M) + 1, Vsc as it was for MAP and AE, true for MIP.
            Input::Mip | Input::Map | Input::Ae => {
                if self.v_sc == Confirms::There {
                    self.v_a = self.v_m;
                }
                if input == Input::Mip {
                    self.v_sc = Confirms::Here;
                }
                self.v_m = self.v_m.next();
            }
            // V(A) and V(R) set to V(M).
            Input::SsynMajorRsp | Input::SacteRsp | Input::Maa => {
                self.v_a = self.v_m;
                self.v_r = self.v_m;
            }
            Input::SsynMinorRsp | Input::Mia => self.v_a = sn.next(),
            // "a: max (sn, V(M))"
            Input::Rs if resync == Some(Resync::Abandon) => self.v_m = self.v_m.max(sn),
            // V(A) and V(M) set to sn; V(R) to 0 but for restart.
            Input::SrsynRsp | Input::Ra => {
                self.v_a = sn;
                self.v_m = sn;
                if resync != Some(Resync::Restart) {
                    self.v_r = Serial::default();
                }
            }
            // Set to sn + 1, set to sn + 1, set to 1.
            Input::SactrReq | Input::Ar => {
                self.v_a = sn.next();
                self.v_m = sn.next();
                self.v_r = Serial::default().next();
            }
            // "set to 1" all three.
            Input::SactsReq | Input::As => {
                let one = Serial::default().next();
                (self.v_a, self.v_m, self.v_r) = (one, one, one);
            }
            Input::SconRspAccept | Input::Ac => *self = Self::new(sn),
            _ => {}
        }
    }
}

/// Whether a major synchronization point, or the end of an activity, waits for its confirmation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pending {
    /// None does.
    None,
    /// One does.
    Major,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(text: &str) -> Variables {
        let numbers: Vec<u32> = text.split(' ').map(|n| n.parse().unwrap()).collect();
        let serial = |n: usize| Serial::new(numbers[n]).unwrap();
        let v_sc = if numbers[3] == 1 { Confirms::Here } else { Confirms::There };
        Variables { v_a: serial(0), v_m: serial(1), v_r: serial(2), v_sc }
    }

    /// Table A.4, row by row: input, sn, resync type; V(A) V(M) V(R) Vsc before and after.
    #[rustfmt::skip]
    const OPERATIONS: &[(Input, u32, Option<Resync>, &str, &str)] = &[
        (Input::SsynMinorReq, 7, None, "3 7 2 1", "7 8 2 0"),
        (Input::SsynMinorReq, 7, None, "3 7 2 0", "3 8 2 0"),
        (Input::SsynMajorReq, 7, None, "3 7 2 1", "7 8 2 0"),
        (Input::SacteReq, 7, None, "3 7 2 0", "3 8 2 0"),
        (Input::Mip, 7, None, "3 7 2 0", "7 8 2 1"),
        (Input::Mip, 7, None, "3 7 2 1", "3 8 2 1"),
        (Input::Map, 7, None, "3 7 2 0", "7 8 2 0"),
        (Input::Map, 7, None, "3 7 2 1", "3 8 2 1"),
        (Input::Ae, 7, None, "3 7 2 1", "3 8 2 1"),
        (Input::SsynMajorRsp, 7, None, "3 8 2 1", "8 8 8 1"),
        (Input::SacteRsp, 7, None, "3 8 2 1", "8 8 8 1"),
        (Input::Maa, 7, None, "3 8 2 0", "8 8 8 0"),
        (Input::SsynMinorRsp, 5, None, "3 8 2 1", "6 8 2 1"),
        (Input::Mia, 5, None, "3 8 2 0", "6 8 2 0"),
        (Input::SrsynReq, 5, Some(Resync::Restart), "3 8 2 0", "3 8 2 0"),
        (Input::Rs, 5, Some(Resync::Restart), "3 8 2 0", "3 8 2 0"),
        (Input::Rs, 9, Some(Resync::Abandon), "3 8 2 0", "3 9 2 0"),
        (Input::Rs, 5, Some(Resync::Abandon), "3 8 2 0", "3 8 2 0"),
        (Input::SrsynRsp, 5, Some(Resync::Restart), "3 8 2 0", "5 5 2 0"),
        (Input::SrsynRsp, 9, Some(Resync::Abandon), "3 9 2 0", "9 9 0 0"),
        (Input::SrsynRsp, 4, Some(Resync::Set), "3 9 2 0", "4 4 0 0"),
        (Input::Ra, 5, Some(Resync::Restart), "3 8 2 1", "5 5 2 1"),
        (Input::Ra, 9, Some(Resync::Abandon), "3 8 2 1", "9 9 0 1"),
        (Input::SactsReq, 0, None, "3 8 2 1", "1 1 1 1"),
        (Input::As, 0, None, "3 8 2 0", "1 1 1 0"),
        (Input::SactrReq, 5, None, "3 8 2 1", "6 6 1 1"),
        (Input::Ar, 5, None, "3 8 2 0", "6 6 1 0"),
        (Input::SconRspAccept, 4, None, "3 8 2 1", "4 4 0 0"),
        (Input::Ac, 4, None, "3 8 2 1", "4 4 0 0"),
    ];

    #[test]
    fn operations_are_those_of_table_a_4() {
        for (input, sn, resync, before, after) in OPERATIONS {
            let mut v = variables(before);
            v.count(*input, Serial::new(*sn).unwrap(), *resync);
            assert_eq!(v, variables(after), "{input:?} {sn} {resync:?} after {before}");
        }
    }

    /// Conditions: which of the serial numbers 0 to 9 are valid with V(A) 3, V(M) 8, V(R) 2.
    #[rustfmt::skip]
    const CONDITIONS: &[(Input, Option<Resync>, u8, Pending, &str)] = &[
        (Input::SsynMinorReq, None, 0, Pending::None, "8"),
        (Input::SsynMajorReq, None, 1, Pending::None, "8"),
        (Input::SacteReq, None, 1, Pending::None, "8"),
        (Input::Mip, None, 0, Pending::None, "8"),
        (Input::Map, None, 0, Pending::None, "8"),
        (Input::Ae, None, 0, Pending::None, "8"),
        (Input::Maa, None, 0, Pending::Major, "7"),
        (Input::SsynMinorRsp, None, 1, Pending::None, "34567"),
        (Input::SsynMinorRsp, None, 1, Pending::Major, "3456"),
        (Input::SsynMinorRsp, None, 0, Pending::None, ""),
        (Input::Mia, None, 0, Pending::None, "34567"),
        (Input::Mia, None, 0, Pending::Major, "3456"),
        (Input::Mia, None, 1, Pending::None, ""),
        (Input::SrsynReq, Some(Resync::Restart), 0, Pending::None, "2345678"),
        (Input::SrsynReq, Some(Resync::Abandon), 0, Pending::None, "0123456789"),
        (Input::Rs, Some(Resync::Restart), 0, Pending::None, "23456789"),
        (Input::Rs, Some(Resync::Set), 0, Pending::None, "0123456789"),
        (Input::SrsynRsp, Some(Resync::Abandon), 0, Pending::None, "8"),
        (Input::Ra, Some(Resync::Abandon), 0, Pending::None, "89"),
    ];

    #[test]
    fn conditions_are_those_of_table_a_4() {
        for (input, resync, sc, pending, expected) in CONDITIONS {
            let v = variables(&format!("3 8 2 {sc}"));
            let valid = (0..10).filter(|n| v.allows(*input, Serial::new(*n).unwrap(), *resync, *pending));
            let valid: String = valid.map(|n| n.to_string()).collect();
            assert_eq!(valid, *expected, "{input:?} {resync:?} Vsc {sc} {pending:?}");
        }
    }
}
