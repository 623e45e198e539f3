//! What a server says on a connection, whatever brings the bytes.

/// What is spoken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protocol {
    /// What comes goes back.
    Echo,
    /// HTTP/1.1: each request is answered with a page, and the connection stays open.
    Http,
}

/// Octets of a request that is to be echoed.
const ECHO: usize = 64;
/// Octets of a page.
const PAGE: usize = 1024;
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
/// What ends the head of a request.
const END: &[u8] = b"\r\n\r\n";

impl Protocol {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Echo, Self::Http];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Http => "http",
        }
    }

    /// The protocol of this name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|protocol| protocol.name() == name)
    }

    /// What a client asks.
    pub(crate) fn request(self) -> Vec<u8> {
        match self {
            Self::Echo => (0..ECHO as u8).collect(),
            Self::Http => REQUEST.to_vec(),
        }
    }

    /// What it must hear then.
    pub(crate) fn response(self) -> Vec<u8> {
        match self {
            Self::Echo => self.request(),
            Self::Http => {
                let mut response =
                    format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {PAGE}\r\n\r\n");
                response.extend((0..PAGE).map(|at| char::from(b'a' + (at % 26) as u8)));
                response.into_bytes()
            }
        }
    }
}

/// A connection as its server sees it.
#[derive(Debug)]
pub(crate) struct Session {
    protocol: Protocol,
    response: Vec<u8>,
    /// How many octets of [`END`] have come last.
    seen: usize,
}

impl Session {
    pub(crate) fn new(protocol: Protocol) -> Self {
        let response = if protocol == Protocol::Echo { Vec::new() } else { protocol.response() };
        Self { protocol, response, seen: 0 }
    }

    /// Takes what has come, and puts what is to be said behind `out`.
    pub(crate) fn hear(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if self.protocol == Protocol::Echo {
            return out.extend(bytes);
        }
        for byte in bytes {
            self.seen = match *byte {
                octet if octet == END[self.seen] => self.seen + 1,
                b'\r' => 1,
                _ => 0,
            };
            if self.seen == END.len() {
                self.seen = 0;
                out.extend(&self.response);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_answered_however_they_are_cut() {
        for protocol in Protocol::ALL {
            let twice = protocol.request().repeat(2);
            for cut in 0..=twice.len() {
                let (mut session, mut out) = (Session::new(protocol), Vec::new());
                session.hear(&twice[..cut], &mut out);
                session.hear(&twice[cut..], &mut out);
                assert_eq!(out, protocol.response().repeat(2), "{protocol:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn a_stray_return_begins_the_end_anew() {
        let (mut session, mut out) = (Session::new(Protocol::Http), Vec::new());
        session.hear(b"GET / HTTP/1.1\r\n\r\r\n", &mut out);
        assert!(out.is_empty());
        session.hear(b"\r\n", &mut out);
        assert_eq!(out.len(), Protocol::Http.response().len());
    }
}
