//! The grammar of packets.

use super::Parser;
use crate::error::Error;
use crate::lex::Kind;
use crate::syntax::{Body, Direction, Echoed, IcmpSpec, IpSpec, Packet, TcpOption, TcpSpec, Tos};
use crate::wire::flags;

/// The most octets that options may take: the header is at most 60, 20 of them fixed.
const OPTION_SPACE: usize = 40;

impl Parser {
    pub(super) fn packet(&mut self) -> Result<Packet, Error> {
        let direction = if self.accept('<') { Direction::Inbound } else { Direction::Outbound };
        self.expect_direction(direction)?;
        let ip = self.ip(direction)?;
        if self.accept_word("icmp") {
            let body = Body::Icmp(self.icmp()?);
            return Ok(Packet { direction, ip, ports: None, body });
        }
        if self.accept_word("udp") {
            let ports = self.ports()?;
            self.expect('(')?;
            let len = self.number("the payload's size")?;
            self.expect(')')?;
            return Ok(Packet { direction, ip, ports, body: Body::Udp { len } });
        }
        let ports = self.ports()?;
        let body = Body::Tcp(self.tcp(direction)?);
        Ok(Packet { direction, ip, ports, body })
    }

    fn expect_direction(&mut self, direction: Direction) -> Result<(), Error> {
        if direction == Direction::Outbound { self.expect('>') } else { Ok(()) }
    }

    fn ports(&mut self) -> Result<Option<(u16, u16)>, Error> {
        if !matches!(self.peek().kind, Kind::Int { .. }) {
            return Ok(None);
        }
        let source = self.number("a port")?;
        self.expect('>')?;
        Ok(Some((source, self.number("a port")?)))
    }

    fn ip(&mut self, direction: Direction) -> Result<IpSpec, Error> {
        let close = match self.peek().kind {
            Kind::Sign('[') => ']',
            Kind::Sign('(') => ')',
            _ => return Ok(IpSpec::default()),
        };
        self.take();
        let mut ip = IpSpec::default();
        loop {
            let at = self.at();
            match self.word("a code point, `tos` or `ttl`")?.as_str() {
                "noecn" => ip.tos = Tos::Ecn(0),
                "ect1" => ip.tos = Tos::Ecn(1),
                "ect0" => ip.tos = Tos::Ecn(2),
                "ce" => ip.tos = Tos::Ecn(3),
                "ect01" if direction == Direction::Outbound => ip.tos = Tos::Ect01,
                "tos" => ip.tos = Tos::Whole(self.number("the traffic class")?),
                "ttl" => ip.ttl = Some(self.number("the time to live")?),
                other => return Err(Error::syntax(at, format!("`{other}` says nothing about an IP header"))),
            }
            if self.accept(close) {
                return Ok(ip);
            }
            self.expect(',')?;
        }
    }

    fn tcp(&mut self, direction: Direction) -> Result<TcpSpec, Error> {
        let flags = self.flags()?;
        let (seq, len) = self.seq()?;
        let mut spec = TcpSpec { flags, seq, len, ack: 0, window: None, urgent: 0, options: Some(Vec::new()) };
        let at = self.at();
        if self.accept_word("ack") {
            spec.ack = self.number("the acknowledgement number")?;
        }
        if spec.ack != 0 && flags & flags::ACK == 0 {
            return Err(Error::syntax(at, "`ack` without the flag `.`"));
        }
        if self.accept_word("win") {
            spec.window = Some(self.number("the window")?);
        }
        if self.accept_word("urg") {
            spec.urgent = self.number("the urgent pointer")?;
        }
        let at = self.at();
        if self.accept('<') {
            if self.accept_kind(&Kind::Ellipsis) {
                if direction == Direction::Inbound {
                    return Err(Error::syntax(at, "`<...>` is for what the stack sends"));
                }
                self.expect('>')?;
                spec.options = None;
            } else {
                let mut options = vec![self.tcp_option()?];
                while self.accept(',') {
                    options.push(self.tcp_option()?);
                }
                self.expect('>')?;
                if crate::wire::encode_options(&options).len() > OPTION_SPACE {
                    return Err(Error::syntax(at, "the options take more than 40 octets"));
                }
                spec.options = Some(options);
            }
        }
        Ok(spec)
    }

    fn flags(&mut self) -> Result<u16, Error> {
        if self.accept('-') {
            return Ok(0);
        }
        let at = self.at();
        let mut set = 0;
        if let Kind::Word(word) = self.peek().kind.clone() {
            self.take();
            for letter in word.chars() {
                set |= match letter {
                    'F' => flags::FIN,
                    'S' => flags::SYN,
                    'R' => flags::RST,
                    'P' => flags::PSH,
                    'U' => flags::URG,
                    'E' => flags::ECE,
                    'W' => flags::CWR,
                    'A' => flags::AE,
                    other => return Err(Error::syntax(at, format!("`{other}` is no TCP flag"))),
                };
            }
            if self.accept('.') {
                set |= flags::ACK;
            }
            return Ok(set);
        }
        if self.accept('.') {
            return Ok(flags::ACK);
        }
        let kind = self.peek().kind.clone();
        Err(self.unexpected("TCP flags", &kind))
    }

    /// `1:1001(1000)`
    fn seq(&mut self) -> Result<(u32, u16), Error> {
        let at = self.at();
        let start: u32 = self.number("the sequence number")?;
        self.expect(':')?;
        let end: u32 = self.number("the sequence number")?;
        self.expect('(')?;
        let len: u16 = self.number("the payload's size")?;
        self.expect(')')?;
        if start.wrapping_add(u32::from(len)) != end {
            return Err(Error::syntax(at, "the sequence numbers do not fit the payload's size"));
        }
        Ok((start, len))
    }

    fn tcp_option(&mut self) -> Result<TcpOption, Error> {
        let at = self.at();
        Ok(match self.word("a TCP option")?.as_str() {
            "nop" => TcpOption::Nop,
            "eol" => TcpOption::End,
            "mss" => TcpOption::Mss(self.number("the segment size")?),
            "wscale" => TcpOption::WindowScale(self.number("the shift count")?),
            "sackOK" => TcpOption::SackPermitted,
            "sack" => {
                let mut blocks = Vec::new();
                while matches!(self.peek().kind, Kind::Int { .. }) {
                    let left = self.number("a sequence number")?;
                    self.expect(':')?;
                    blocks.push((left, self.number("a sequence number")?));
                }
                TcpOption::Sack(blocks)
            }
            "TS" => {
                self.expect_word("val")?;
                let val = self.number("the timestamp")?;
                self.expect_word("ecr")?;
                TcpOption::Timestamps { val, ecr: self.number("the echoed timestamp")? }
            }
            "FO" => TcpOption::FastOpen(self.hex()?),
            other => return Err(Error::syntax(at, format!("`{other}` is no TCP option"))),
        })
    }

    /// Hexadecimal digits, which may look like a number or a word; none at all is a request.
    fn hex(&mut self) -> Result<Vec<u8>, Error> {
        let at = self.at();
        let text = match self.peek().kind.clone() {
            Kind::Word(text) | Kind::Int { text, .. } => text,
            _ => return Ok(Vec::new()),
        };
        self.take();
        let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).map(|d| d as u8)).collect();
        match digits {
            Some(digits) if digits.len().is_multiple_of(2) => {
                Ok(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
            }
            _ => Err(Error::syntax(at, format!("`{text}` is not a row of hexadecimal octets"))),
        }
    }

    fn icmp(&mut self) -> Result<IcmpSpec, Error> {
        let kind = self.word("the type of an ICMP message")?;
        let mut spec = IcmpSpec { kind, code: None, mtu: None, id: None, echoed: Echoed::Unsaid };
        if let Kind::Word(word) = self.peek().kind.clone()
            && !matches!(word.as_str(), "mtu" | "id")
        {
            self.take();
            spec.code = Some(word);
        }
        if self.accept_word("mtu") {
            spec.mtu = Some(self.number("the MTU")?);
        }
        if self.accept_word("id") {
            spec.id = Some(self.number("the identifier")?);
        }
        if self.accept('[') {
            if self.accept_word("udp") {
                self.expect('(')?;
                spec.echoed = Echoed::Udp { len: self.number("the payload's size")? };
                self.expect(')')?;
            } else {
                let (seq, len) = self.seq()?;
                spec.echoed = Echoed::Tcp { seq, len };
            }
            self.expect(']')?;
        }
        Ok(spec)
    }

    fn expect_word(&mut self, word: &str) -> Result<(), Error> {
        if self.accept_word(word) {
            return Ok(());
        }
        let kind = self.peek().kind.clone();
        Err(self.unexpected(&format!("`{word}`"), &kind))
    }
}
