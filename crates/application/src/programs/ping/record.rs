//! What `-R` and `-T` let routers leave in the header, and how iputils' `pr_options` shows it.

use std::net::Ipv4Addr;

use septet_socket::IpOptions;

/// What requests ask those for who pass them on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Record {
    /// Nothing.
    Nothing,
    /// `-R`: their addresses.
    Route,
    /// `-T`: what time it is.
    Times(Times),
}

/// RFC 791's flags of a timestamp option.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Times {
    /// `tsonly`: the times alone.
    Only = 0,
    /// `tsandaddr`: with the addresses of those who say them.
    WithAddresses = 1,
    /// `tsprespec`: those of the nodes that are named.
    Of = 3,
}

/// As many nodes as fit behind `-T tsprespec`.
pub(super) const MOST_NODES: usize = 4;

impl Record {
    /// The options of a request.
    pub(super) fn options(self, nodes: &[Ipv4Addr]) -> IpOptions {
        // All the room that a header has: nine addresses, nine times, or four of both.
        let mut octets = match self {
            Self::Nothing => return IpOptions::NONE,
            Self::Route => vec![1, 7, 39, 4],
            Self::Times(times @ Times::Only) => vec![68, 40, 5, times as u8],
            Self::Times(times @ Times::WithAddresses) => vec![68, 36, 5, times as u8],
            Self::Times(times @ Times::Of) => vec![68, 4 + 8 * nodes.len() as u8, 5, times as u8],
        };
        octets.extend(nodes.iter().flat_map(|node| node.octets().into_iter().chain([0; 4])));
        let len = if octets[0] == 1 { IpOptions::MOST } else { octets[1].into() };
        octets.resize(len, 0);
        IpOptions::new(&octets).unwrap_or(IpOptions::NONE)
    }
}

/// A piece of what is shown of the options of a reply.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Shown {
    Text(String),
    /// An address, which may have a name.
    Address(Ipv4Addr),
}

/// Shows the options of replies, one after the other.
#[derive(Default)]
pub(super) struct Recorded {
    /// The route of the reply before.
    route: Vec<u8>,
}

impl Recorded {
    /// What is to be shown of `options`.
    pub(super) fn show(&mut self, options: &IpOptions) -> Vec<Shown> {
        let mut shown = Vec::new();
        let mut rest = options.octets();
        while let Some((&kind, tail)) = rest.split_first() {
            let len = match (kind, tail.first()) {
                (0, _) => break,
                (1, _) => {
                    shown.push(Shown::Text("\nNOP".to_owned()));
                    1
                }
                (_, Some(&len)) if (2..=rest.len()).contains(&len.into()) => {
                    self.show_one(&rest[..len.into()], &mut shown);
                    len.into()
                }
                _ => break,
            };
            rest = &rest[len..];
        }
        shown
    }

    fn show_one(&mut self, option: &[u8], shown: &mut Vec<Shown>) {
        let text = |text: String| Shown::Text(text);
        // Where the next would be written is where what is written ends.
        let written = |from: usize| {
            let end = option.get(2).map_or(0, |&pointer| usize::from(pointer).saturating_sub(1).min(option.len()));
            option.get(from..end).filter(|written| !written.is_empty())
        };
        match option[0] {
            7 => {
                let Some(route) = written(3) else { return };
                if route == self.route {
                    return shown.push(text("\t(same route)".to_owned()));
                }
                self.route = route.to_vec();
                shown.push(text("\nRR: ".to_owned()));
                for address in route.as_chunks().0 {
                    shown.extend([text("\t".to_owned()), address_of(*address), text("\n".to_owned())]);
                }
            }
            68 => {
                let (Some(entries), Some(&flags)) = (written(4), option.get(3)) else { return };
                shown.push(text("\nTS: ".to_owned()));
                let mut clocks = Clocks::default();
                if flags & 0xf == Times::Only as u8 {
                    for time in entries.as_chunks().0 {
                        shown.push(text(clocks.said(u32::from_be_bytes(*time))));
                    }
                } else {
                    for [a, b, c, d, time @ ..] in entries.as_chunks::<8>().0 {
                        shown.extend([text("\t".to_owned()), address_of([*a, *b, *c, *d])]);
                        shown.push(text(clocks.said(u32::from_be_bytes(*time))));
                    }
                }
                if flags >> 4 != 0 {
                    shown.push(text(format!("Unrecorded hops: {}\n", flags >> 4)));
                }
            }
            other => shown.push(text(format!("\nunknown option {other:x}"))),
        }
    }
}

fn address_of(octets: [u8; 4]) -> Shown {
    match Ipv4Addr::from(octets) {
        none if none.is_unspecified() => Shown::Text("0.0.0.0".to_owned()),
        address => Shown::Address(address),
    }
}

/// What clocks showed before, to which the next is compared.
#[derive(Default)]
struct Clocks {
    standard: Option<u32>,
    other: Option<u32>,
}

impl Clocks {
    /// RFC 791: "any time may be inserted as a timestamp provided the high order bit of the timestamp field is set to one".
    fn said(&mut self, time: u32) -> String {
        const OTHER: u32 = 1 << 31;
        let (last, word) =
            if time & OTHER == 0 { (&mut self.standard, "") } else { (&mut self.other, " not-standard") };
        let time = time & !OTHER;
        let text = match *last {
            // As iputils, for which a clock at midnight has said nothing yet.
            None | Some(0) => format!("\t{time} absolute{word}\n"),
            Some(last) => format!("\t{}{word}\n", i64::from(time) - i64::from(last)),
        };
        *last = Some(time);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(recorded: &mut Recorded, octets: &[u8]) -> String {
        let shown = recorded.show(&IpOptions::new(octets).unwrap());
        let word = |shown| match shown {
            Shown::Text(text) => text,
            Shown::Address(address) => address.to_string(),
        };
        shown.into_iter().map(word).collect()
    }

    #[test]
    fn a_route_is_shown_once() {
        let mut recorded = Recorded::default();
        let route = [7, 15, 12, 10, 0, 1, 10, 10, 0, 2, 1, 0, 0, 0, 0];
        assert_eq!(line(&mut recorded, &route), "\nRR: \t10.0.1.10\n\t10.0.2.1\n");
        assert_eq!(line(&mut recorded, &route), "\t(same route)");
        assert_eq!(line(&mut recorded, &[7, 7, 8, 10, 0, 1, 10]), "\nRR: \t10.0.1.10\n");
        assert_eq!(line(&mut recorded, &[7, 7, 4, 0, 0, 0, 0]), "");
    }

    #[test]
    fn times_are_shown_by_how_much_later_they_are() {
        let mut recorded = Recorded::default();
        let times = [68, 16, 17, 0x20, 0, 0, 0, 200, 0, 0, 0, 201, 0x80, 0, 0, 7];
        let shown = "\nTS: \t200 absolute\n\t1\n\t7 absolute not-standard\nUnrecorded hops: 2\n";
        assert_eq!(line(&mut recorded, &times), shown);
        let with = [68, 20, 13, 1, 10, 0, 1, 1, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(line(&mut recorded, &with), "\nTS: \t10.0.1.1\t9 absolute\n");
    }

    #[test]
    fn what_is_broken_or_unknown_ends_nothing() {
        let mut recorded = Recorded::default();
        assert_eq!(line(&mut recorded, &[1, 148, 4, 0, 0]), "\nNOP\nunknown option 94");
        for broken in [&[7][..], &[7, 1], &[7, 40, 4], &[68, 2], &[68, 3, 200], &[7, 3, 255], &[68, 4, 9, 0x30]] {
            assert_eq!(line(&mut recorded, broken), "", "{broken:?}");
        }
    }
}
