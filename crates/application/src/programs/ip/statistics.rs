//! What `-s` adds to an interface: iproute2's `print_stats64`, whose columns are as wide as their longest number.

use septet_core::LinkCounters;

/// The columns at first: as wide as the longest of their heads.
const COLUMNS: [usize; 6] = [10, 7, 6, 7, 7, 7];
/// What stands behind the last head: the column of compressed frames, which have gone out of use.
const COMPRESSED: &str = "           ";

/// The lines of one interface; with the errors one by one where `-s` stands twice.
pub(super) fn lines(counted: &LinkCounters, more: u8, newline: &str) -> String {
    let c = counted;
    let received = [c.rx_bytes, c.rx_packets, c.rx_errors, c.rx_dropped, 0, 0];
    let sent = [c.tx_bytes, c.tx_packets, c.tx_errors, c.tx_dropped, c.tx_carrier_errors, c.collisions];
    let bad = [0, c.rx_length_errors, c.rx_crc_errors, c.rx_frame_errors, 0, 0];
    // How often the carrier came or went is counted nowhere.
    let unsent = [0, c.tx_aborted_errors, 0, c.tx_window_errors, 0, 0];
    let mut columns = COLUMNS;
    for row in [&received, &sent].into_iter().chain([&bad, &unsent].into_iter().filter(|_| more > 1)) {
        for (width, number) in columns.iter_mut().zip(row) {
            *width = (*width).max(number.to_string().len());
        }
    }
    let [first, rest @ ..] = columns;
    let heads = |names: [&str; 5]| rest.iter().zip(names).map(|(width, name)| format!(" {name:>width$}")).collect();
    let numbers = |row: &[u64]| columns.iter().zip(row).map(|(width, n)| format!("{n:>width$} ")).collect::<String>();
    let table = |what: &str, names: [&str; 5], row: [u64; 6]| {
        let heads: String = heads(names);
        let bytes = first - 4;
        format!("{newline}    {what}: {:>bytes$}{heads}{COMPRESSED}{newline}    {}", "bytes", numbers(&row))
    };
    let errors = |what: &str, names: [&str; 5], row: [u64; 6]| {
        let heads: String = heads(names);
        let numbers: String = rest.iter().zip(&row[1..]).map(|(width, n)| format!("{n:>width$} ")).collect();
        let blank = first - 10;
        format!("{newline}    {what} errors:{:blank$}{heads}{newline}    {:first$} {numbers}", "", "")
    };
    let mut text = table("RX", ["packets", "errors", "dropped", "missed", "mcast"], received);
    if more > 1 {
        text += &errors("RX", ["length", "crc", "frame", "fifo", "overrun"], bad);
    }
    text += &table("TX", ["packets", "errors", "dropped", "carrier", "collsns"], sent);
    if more > 1 {
        text += &errors("TX", ["aborted", "fifo", "window", "heartbt", "transns"], unsent);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What iproute2 6.1 prints of the same numbers, blanks at the ends of lines too.
    #[test]
    fn columns_as_iproute2_prints_them() {
        let counted = LinkCounters {
            rx_bytes: 51_444,
            rx_packets: 285,
            tx_bytes: 100_098,
            tx_packets: 507,
            ..LinkCounters::default()
        };
        assert_eq!(
            lines(&counted, 2, "\n"),
            "\n    RX:  bytes packets errors dropped  missed   mcast           \
             \n         51444     285      0       0       0       0 \
             \n    RX errors:  length    crc   frame    fifo overrun\
             \n                     0      0       0       0       0 \
             \n    TX:  bytes packets errors dropped carrier collsns           \
             \n        100098     507      0       0       0       0 \
             \n    TX errors: aborted   fifo  window heartbt transns\
             \n                     0      0       0       0       0 "
        );
    }

    #[test]
    fn a_long_number_widens_its_column_in_all_rows() {
        let counted = LinkCounters { rx_bytes: 123_456_789_012, tx_packets: 12_345_678, ..LinkCounters::default() };
        assert_eq!(
            lines(&counted, 1, "\n"),
            "\n    RX:    bytes  packets errors dropped  missed   mcast           \
             \n    123456789012        0      0       0       0       0 \
             \n    TX:    bytes  packets errors dropped carrier collsns           \
             \n               0 12345678      0       0       0       0 "
        );
    }
}
