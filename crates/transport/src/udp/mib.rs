//! The counters of `/proc/net/snmp`, by the names that `nstat` prints.

/// Counters of one endpoint since it was made.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Mib {
    /// Datagrams delivered to a socket.
    pub in_datagrams: u64,
    /// Datagrams for a port where nothing listens.
    pub no_ports: u64,
    /// Datagrams that could not be delivered for another reason.
    pub in_errors: u64,
    /// Datagrams sent.
    pub out_datagrams: u64,
    /// Of the errors: a socket's buffer was full.
    pub rcvbuf_errors: u64,
    /// Of the errors: the checksum was wrong.
    pub in_csum_errors: u64,
}

impl Mib {
    /// All counters with their names.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let Self { in_datagrams, no_ports, in_errors, out_datagrams, rcvbuf_errors, in_csum_errors } = *self;
        [
            ("UdpInDatagrams", in_datagrams),
            ("UdpNoPorts", no_ports),
            ("UdpInErrors", in_errors),
            ("UdpOutDatagrams", out_datagrams),
            ("UdpRcvbufErrors", rcvbuf_errors),
            ("UdpInCsumErrors", in_csum_errors),
        ]
        .into_iter()
    }

    /// The counter that `nstat` calls `name`.
    pub fn get(&self, name: &str) -> Option<u64> {
        self.iter().find(|(n, _)| *n == name).map(|(_, v)| v)
    }
}
