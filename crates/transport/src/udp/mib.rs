//! The counters of `/proc/net/snmp`, by the names that `nstat` prints.

septet_core::counters! {
    /// Counters of one endpoint since it was made.
    pub struct Mib {
        in_datagrams = "UdpInDatagrams", "datagrams delivered to a socket";
        no_ports = "UdpNoPorts", "datagrams for a port where nothing listens";
        in_errors = "UdpInErrors", "datagrams that could not be delivered for another reason";
        out_datagrams = "UdpOutDatagrams", "datagrams sent";
        rcvbuf_errors = "UdpRcvbufErrors", "of the errors: a socket's buffer was full";
        in_csum_errors = "UdpInCsumErrors", "of the errors: the checksum was wrong";
    }
}
