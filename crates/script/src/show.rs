//! Packets printed in the language, so that what came can be compared with what the script says.

use core::fmt;

use crate::syntax::{Body, Direction, Echoed, IpSpec, Packet, TcpOption, TcpSpec, Tos};
use crate::wire::flags;

impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.direction {
            Direction::Inbound => "<",
            Direction::Outbound => ">",
        })?;
        write!(f, "{}", self.ip)?;
        let ports = |f: &mut fmt::Formatter<'_>| match self.ports {
            Some((src, dst)) => write!(f, " {src} > {dst}"),
            None => Ok(()),
        };
        match &self.body {
            Body::Tcp(tcp) => {
                ports(f)?;
                write!(f, " {tcp}")
            }
            Body::Udp { len } => {
                f.write_str(" udp")?;
                ports(f)?;
                write!(f, " ({len})")
            }
            Body::Icmp(icmp) => {
                write!(f, " icmp {}", icmp.kind)?;
                if let Some(code) = &icmp.code {
                    write!(f, " {code}")?;
                }
                if let Some(mtu) = icmp.mtu {
                    write!(f, " mtu {mtu}")?;
                }
                if let Some(id) = icmp.id {
                    write!(f, " id {id}")?;
                }
                match icmp.echoed {
                    Echoed::Unsaid => Ok(()),
                    Echoed::Tcp { seq, len } => write!(f, " [{seq}:{}({len})]", seq.wrapping_add(len.into())),
                    Echoed::Udp { len } => write!(f, " [udp ({len})]"),
                }
            }
        }
    }
}

impl fmt::Display for IpSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tos = match self.tos {
            Tos::Unsaid => None,
            Tos::Ecn(bits) => Some(["noecn", "ect1", "ect0", "ce"][usize::from(bits & 3)].to_owned()),
            Tos::Ect01 => Some("ect01".to_owned()),
            Tos::Whole(tos) => Some(format!("tos {tos:#x}")),
        };
        match (tos, self.ttl) {
            (None, None) => Ok(()),
            (Some(tos), None) => write!(f, " [{tos}]"),
            (None, Some(ttl)) => write!(f, " [ttl {ttl}]"),
            (Some(tos), Some(ttl)) => write!(f, " [{tos},ttl {ttl}]"),
        }
    }
}

impl fmt::Display for TcpSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { flags, seq, len, ack, window, urgent, options } = self;
        f.write_str(&show_flags(*flags))?;
        write!(f, " {seq}:{}({len})", seq.wrapping_add((*len).into()))?;
        if flags & flags::ACK != 0 {
            write!(f, " ack {ack}")?;
        }
        if let Some(window) = window {
            write!(f, " win {window}")?;
        }
        if *urgent != 0 {
            write!(f, " urg {urgent}")?;
        }
        match options.as_deref() {
            None => f.write_str(" <...>"),
            Some([]) => Ok(()),
            Some(options) => write!(f, " <{}>", show_options(options)),
        }
    }
}

/// Flags as the language writes them: letters, then the point of ACK.
fn show_flags(set: u16) -> String {
    const LETTERS: [(u16, char); 9] = [
        (flags::FIN, 'F'),
        (flags::SYN, 'S'),
        (flags::RST, 'R'),
        (flags::PSH, 'P'),
        (flags::URG, 'U'),
        (flags::ECE, 'E'),
        (flags::CWR, 'W'),
        (flags::AE, 'A'),
        (flags::ACK, '.'),
    ];
    let shown: String = LETTERS.iter().filter(|(bit, _)| set & bit != 0).map(|(_, letter)| letter).collect();
    if shown.is_empty() { "-".into() } else { shown }
}

/// Options as the language writes them.
pub(crate) fn show_options(options: &[TcpOption]) -> String {
    let hex = |octets: &[u8]| octets.iter().map(|o| format!("{o:02x}")).collect::<String>();
    let one = |option: &TcpOption| match option {
        TcpOption::Nop => "nop".to_owned(),
        TcpOption::End => "eol".to_owned(),
        TcpOption::Mss(mss) => format!("mss {mss}"),
        TcpOption::WindowScale(shift) => format!("wscale {shift}"),
        TcpOption::SackPermitted => "sackOK".to_owned(),
        TcpOption::Sack(blocks) => {
            blocks.iter().fold("sack".to_owned(), |text, (left, right)| format!("{text} {left}:{right}"))
        }
        TcpOption::Timestamps { val, ecr } => format!("TS val {val} ecr {ecr}"),
        TcpOption::FastOpen(cookie) => format!("FO {}", hex(cookie)).trim_end().to_owned(),
        TcpOption::Other(octets) => format!("option {}", hex(octets)),
    };
    options.iter().map(one).collect::<Vec<_>>().join(",")
}
